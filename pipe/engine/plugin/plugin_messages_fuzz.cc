// SPDX-License-Identifier: Apache-2.0
// Any bytes into every decoder of what the process of a plugin may send. What is taken is written again to
// the same bytes, but for texts that had to be made printable.
#include <algorithm>
#include <cstdlib>

#include "pipe/engine/plugin/plugin_messages.h"

namespace {

using namespace tidegate;
using namespace tidegate::tgplugin;

// The same length in every case: '?' takes the place of one byte.
template <class T>
void same(const Result<T>& decoded, ByteView bytes, bool exact) {
  if (!decoded.ok()) return;
  const Bytes again = encode(*decoded);
  if (again.size() != bytes.size()) std::abort();
  if (exact && !std::ranges::equal(again, bytes)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView bytes(data, size);
  same(decode_info(bytes), bytes, false);
  same(decode_settings(bytes), bytes, true);
  same(decode_created(bytes), bytes, false);
  same(decode_opening(bytes), bytes, true);
  same(decode_batches(bytes), bytes, true);
  same(decode_processed(bytes), bytes, true);
  same(decode_delivered(bytes), bytes, false);
  same(decode_retry(bytes), bytes, false);
  return 0;
}
