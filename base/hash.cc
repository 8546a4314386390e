// SPDX-License-Identifier: Apache-2.0
#include "base/hash.h"

#include <libdeflate.h>
#include <openssl/sha.h>
#include <xxhash.h>

namespace tidegate {

Hash128 xxh3_128(ByteView data) {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, XXH3_128bits(data.data(), data.size()));
  Hash128 out;
  std::memcpy(out.bytes.data(), canonical.digest, out.bytes.size());
  return out;
}

std::uint32_t crc32(ByteView data, std::uint32_t seed) {
  return libdeflate_crc32(seed, data.data(), data.size());
}

Sha256 sha256(ByteView data) {
  Sha256 out;
  SHA256(data.data(), data.size(), out.data());
  return out;
}

}  // namespace tidegate
