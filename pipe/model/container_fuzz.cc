// SPDX-License-Identifier: Apache-2.0
// First byte: codec; next four: decoded size; the rest: the container. Bounded memory whatever is said; what
// decodes adds up to its decoded size and survives encoding again.
#include <algorithm>
#include <cstdlib>

#include "pipe/model/container.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tidegate;
  constexpr std::uint64_t kLimit = 1 << 20;
  ByteReader reader(ByteView(data, size));
  const std::uint8_t codec = reader.u8();
  const std::uint32_t decoded_size = reader.u32();
  const auto decoded = decode_container(codec, decoded_size, reader.rest(), kLimit);
  if (!decoded.ok()) return 0;
  std::uint64_t sum = 0;
  for (const ByteView batch : decoded->batches) sum += batch.size();
  if (sum != decoded_size || sum > kLimit || decoded->storage.size() > 2 * kLimit) std::abort();
  const auto again = encode_container(static_cast<Codec>(codec), decoded->batches);
  if (!again.ok()) std::abort();
  const auto twice = decode_container(codec, again->decoded_size, again->bytes, kLimit);
  if (!twice.ok() || !std::ranges::equal(twice->batches, decoded->batches, std::ranges::equal)) std::abort();
  return 0;
}
