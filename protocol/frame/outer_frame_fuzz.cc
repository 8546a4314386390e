// SPDX-License-Identifier: Apache-2.0
// The first byte says how the rest is cut. Whole or cut, the same frames come out; memory stays under the
// limit; what was taken encodes to the bytes it came from.
#include <algorithm>
#include <cstdlib>
#include <utility>
#include <vector>

#include "protocol/frame/outer_frame.h"

namespace tidegate {
namespace {

constexpr std::size_t kLimit = 2048;
using State = OuterFrameDecoder::State;

void expect(bool condition) {
  if (!condition) std::abort();
}

std::vector<std::pair<State, Bytes>> decode(ByteView wire, std::size_t slice) {
  OuterFrameDecoder decoder(kLimit);
  std::vector<std::pair<State, Bytes>> out;
  while (!wire.empty()) {
    ByteView piece = wire.subspan(0, std::min(slice, wire.size()));
    const ByteView start = piece;
    const State state = decoder.feed(piece);
    wire = wire.subspan(start.size() - piece.size());
    expect(decoder.wire_bytes() <= kLimit);
    if (state == State::kMore) {
      expect(piece.empty());
      continue;
    }
    const bool fatal = state == State::kBadLength || state == State::kBadWrap;
    out.emplace_back(state, fatal ? Bytes{} : to_bytes(decoder.payload()));
    if (fatal) break;
    if (state == State::kFrame)
      expect(encode_outer_frame(decoder.payload(), decoder.wrap()).size() == decoder.wire_bytes());
  }
  return out;
}

}  // namespace
}  // namespace tidegate

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tidegate;
  if (size < 2) return 0;
  const ByteView wire(data + 1, size - 1);
  const auto whole = decode(wire, wire.size());
  expect(decode(wire, 1U + data[0]) == whole);
  expect(decode(wire, 1) == whole);
  return 0;
}
