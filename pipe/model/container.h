// SPDX-License-Identifier: Apache-2.0
// Container: one or more consecutive batches encoded together: the payload of a journal record or of a batch
// frame.
//
// Codec 0: list of bytes (count u32, then length u32 + canonical bytes each), little-endian. Codec 1: the
// same in one zstd frame. Encoding belongs to the container, identity (the hash) to the batch. No state
// between calls; any thread.
#pragma once

#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace tidegate {

enum class Codec : std::uint8_t { kList = 0, kZstd = 1 };
constexpr std::uint64_t kCodecsKnown = 1ULL << 0 | 1ULL << 1;  // bit per id, as hello says it

struct Container {
  std::uint8_t codec = 0;
  std::uint32_t decoded_size = 0;  // sum of the sizes of the canonical bytes
  Bytes bytes;
};

// `level`: zstd's, for Codec::kZstd.
Result<Container> encode_container(Codec codec, const std::vector<ByteView>& batches, int level = 1);

// The canonical bytes of each batch. Refuses before allocating: decoded_size > limit (kTooLarge), an unknown
// codec (kUnsupported), sizes that do not add up to decoded_size, bytes left over (kMalformed).
struct DecodedContainer {
  Bytes storage;  // views below point into it, or into the input for codec 0
  std::vector<ByteView> batches;
};
Result<DecodedContainer> decode_container(std::uint8_t codec, std::uint32_t decoded_size, ByteView bytes,
                                          std::uint64_t limit);

}  // namespace tidegate
