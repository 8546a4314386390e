// SPDX-License-Identifier: Apache-2.0
// Constants of the native dialect. Format: doc/wire_format.md. Everything inside the outer frame is
// little-endian.
#pragma once

#include <cstdint>

#include "base/hash.h"

namespace tidegate {

using Seq = std::uint64_t;       // number of a batch in a stream, dense from 1; 0: none
using StreamId = std::uint16_t;  // from 1; 0: the link itself

constexpr std::uint8_t kNativeVersion = 0x80;
constexpr std::uint8_t kHashIdXxh3 = 1;

// version u8 | kind u8 | flags u16 | session u64 | stream u16 | lane u8 | reserved u8 | frame number u32 |
// salt u32
constexpr std::size_t kNativeHeaderBytes = 1 + 1 + 2 + 8 + 2 + 1 + 1 + 4 + 4;
static_assert(kNativeHeaderBytes == 24);
constexpr std::size_t kSaltOffset = 20;

enum class FrameKind : std::uint8_t {
  kProbe = 1,
  kHello = 2,
  kBatch = 3,
  kPart = 4,
  kGap = 5,
  kAsk = 6,
  kBeat = 7,
  kEnd = 8,
  kSealed = 9
};

// seq u64 | offset u32 | total u32
constexpr std::size_t kPartHeaderBytes = 16;
// first seq u64 | previous chain | hash count u32 | hop count u8 | codec u8 | decoded size u32, without
// hashes and hops
constexpr std::size_t kBatchFixedBytes = 8 + 16 + 4 + 1 + 1 + 4;
constexpr std::size_t kMaxHops = 8;
constexpr std::size_t kMaxBeatJson = 64 << 10;
constexpr std::uint32_t kDefaultPartTotal = 16U << 20;
// No batch beyond confirmed + this is sent; the receiver keeps the chains of at least that many.
constexpr Seq kChainWindow = 65'536;
constexpr Seq kConfirmEvery = 32'768;
constexpr std::uint32_t kMaxForksPerSession = 8;

enum class Predicate : std::uint8_t { kPositionAtLeast = 1, kChainAt = 2, kReason = 4, kRoomAtLeast = 5 };

enum class Reason : std::uint8_t {
  kNone = 0,
  kDamaged = 1,
  kNotContiguous = 2,
  kDiverged = 3,
  kBehind = 4,
  kStorage = 5,
  kFenced = 6,
  kGeneration = 7,
  kNotAuthorised = 8,  // or unknown journal
  kWrongReceiver = 9,
  kVersion = 10,  // version, feature, codec or frame kind
  kTooLarge = 11,
  kChainUnknown = 12
};
constexpr std::uint8_t kLastReason = 12;

enum class GapReason : std::uint8_t { kTrimmed = 1, kDamaged = 2, kDetached = 3, kOperator = 4 };

// What a reason means, for an operator.
const char* reason_text(Reason reason);

// chain(0) = H128("TGCH", hash id, journal id, stream); chain(n) = H128(chain(n-1), n, content hash of batch
// n).
Hash128 chain_zero(const Id& journal, StreamId stream);
Hash128 chain_next(const Hash128& previous, Seq n, const Hash128& content);

}  // namespace tidegate
