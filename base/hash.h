// SPDX-License-Identifier: Apache-2.0
// Hashes and checksums. XXH3-128 guards against accident (content, chains), CRC-32 guards headers and frames,
// SHA-256 names files. Values are written in their canonical byte order (XXH3-128: high half first).
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include "base/bytes.h"

namespace tidegate {

// 16 bytes: a content hash, a chain value or an identity. Default: all zeros ("none").
struct Bytes16 {
  std::array<std::uint8_t, 16> bytes{};
  auto operator<=>(const Bytes16&) const = default;
  bool is_zero() const { return *this == Bytes16{}; }
  ByteView view() const { return bytes; }
  std::string hex() const { return to_hex(bytes); }
};
using Hash128 = Bytes16;
using Id = Bytes16;
using Sha256 = std::array<std::uint8_t, 32>;

// XXH3-128, seed 0, canonical bytes.
Hash128 xxh3_128(ByteView data);
// CRC-32 (IEEE 802.3, as in zlib). Continues from `seed` (the result over the bytes before; 0 at the start).
std::uint32_t crc32(ByteView data, std::uint32_t seed = 0);
Sha256 sha256(ByteView data);

inline Bytes16 read16(ByteReader& reader) {
  Bytes16 out;
  const ByteView view = reader.bytes(16);
  if (view.size() == 16) std::memcpy(out.bytes.data(), view.data(), 16);
  return out;
}

struct Bytes16Hasher {
  std::size_t operator()(const Bytes16& v) const {
    std::size_t out;
    std::memcpy(&out, v.bytes.data(), sizeof(out));
    return out;
  }
};

}  // namespace tidegate
