// SPDX-License-Identifier: Apache-2.0
// Any bytes, cut anywhere, give the same events; the first byte of the input chooses the place of the cut.
#include <algorithm>
#include <cstdlib>

#include "hw/frame_meter.h"

namespace tidegate {
namespace {

std::vector<FrameEvent> events_of(ByteView first, ByteView second) {
  FrameMeter meter;
  std::vector<FrameEvent> events;
  meter.feed(first, &events);
  meter.feed(second, &events);
  if (meter.offset() != first.size() + second.size()) std::abort();
  return events;
}

bool equal(const FrameEvent& a, const FrameEvent& b) {
  return a.kind == b.kind && a.start == b.start && a.end == b.end && a.wrapped == b.wrapped &&
         a.detail == b.detail;
}

}  // namespace
}  // namespace tidegate

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tidegate;
  if (size == 0) return 0;
  const ByteView bytes(data + 1, size - 1);
  const std::size_t cut = bytes.empty() ? 0 : data[0] % (bytes.size() + 1);
  const auto whole = events_of(bytes, {});
  const auto pieces = events_of(bytes.first(cut), bytes.subspan(cut));
  if (!std::equal(whole.begin(), whole.end(), pieces.begin(), pieces.end(), equal)) std::abort();
  return 0;
}
