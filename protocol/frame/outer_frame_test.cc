// SPDX-License-Identifier: Apache-2.0
// The outer frame as a specification: what is taken, at every split point, and what is refused how.
#include "protocol/frame/outer_frame.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <new>
#include <string>
#include <vector>

#include "base/hash.h"

namespace {
std::size_t g_largest_allocation = 0;
}

// Counts what one test below claims: nothing is allocated before the length is allowed.
void* operator new(std::size_t size) {
  g_largest_allocation = std::max(g_largest_allocation, size);
  if (void* p = std::malloc(size == 0 ? 1 : size)) return p;
  throw std::bad_alloc();
}
void operator delete(void* p) noexcept {
  std::free(p);
}
void operator delete(void* p, std::size_t) noexcept {
  std::free(p);
}

namespace tidegate {
namespace {

using State = OuterFrameDecoder::State;
constexpr std::size_t kLimit = 4096;

struct Taken {
  State state = State::kMore;
  Bytes payload;
  Wrap wrap = Wrap::kNone;
  bool operator==(const Taken&) const = default;
};

Taken frame_of(std::string_view payload, Wrap wrap) {
  return {State::kFrame, to_bytes(as_bytes(payload)), wrap};
}

// Feeds `wire` in the given slices and collects everything that is not kMore, up to the first fatal state.
std::vector<Taken> decode(ByteView wire, std::size_t slice, std::size_t limit = kLimit) {
  OuterFrameDecoder decoder(limit);
  std::vector<Taken> out;
  while (!wire.empty()) {
    ByteView piece = wire.subspan(0, std::min(slice, wire.size()));
    wire = wire.subspan(piece.size());
    while (!piece.empty()) {
      const State state = decoder.feed(piece);
      if (state == State::kMore) continue;
      const bool whole = state == State::kFrame;
      out.push_back({state, whole ? to_bytes(decoder.payload()) : Bytes{}, decoder.wrap()});
      if (state == State::kBadLength || state == State::kBadWrap) return out;
    }
  }
  return out;
}

Bytes join(std::initializer_list<Bytes> parts) {
  Bytes out;
  for (const Bytes& part : parts) out.insert(out.end(), part.begin(), part.end());
  return out;
}

Bytes encode(std::string_view payload, Wrap wrap = Wrap::kNone) {
  return encode_outer_frame(as_bytes(payload), wrap);
}

// A frame whose two length words say what the test wants.
Bytes with_lengths(std::uint32_t first, std::uint32_t second, std::string_view payload = "abc") {
  Bytes out;
  ByteWriter writer(out);
  writer.u32_be(first);
  writer.u32_be(second);
  writer.u64_be(crc32(as_bytes(payload)));
  writer.bytes(as_bytes(payload));
  return out;
}

TEST(OuterFrame, HasLengthTwiceThenCrcInEightBytesThenThePayload) {
  EXPECT_EQ(to_hex(encode("123456789")), "000000110000001100000000cbf43926313233343536373839");
}

TEST(OuterFrame, TheWrapIsPrefixFrameSuffix) {
  const Bytes plain = encode("x");
  const Bytes wrapped = encode("x", Wrap::kELanguage);
  EXPECT_EQ(wrapped,
            join({to_bytes(as_bytes(kELanguagePrefix)), plain, to_bytes(as_bytes(kELanguageSuffix))}));
  EXPECT_EQ(wrapped.size(), 1 + outer_overhead(Wrap::kELanguage));
}

TEST(OuterFrame, FramesOfBothWrapsBackToBackAreTakenAtEverySplitPoint) {
  const Bytes wire = join({encode("first"), encode("second", Wrap::kELanguage), encode(""),
                           encode("", Wrap::kELanguage), encode("fifth")});
  const std::vector<Taken> expected = {frame_of("first", Wrap::kNone), frame_of("second", Wrap::kELanguage),
                                       frame_of("", Wrap::kNone), frame_of("", Wrap::kELanguage),
                                       frame_of("fifth", Wrap::kNone)};
  for (std::size_t slice = 1; slice <= wire.size(); ++slice)
    ASSERT_EQ(decode(wire, slice), expected) << slice;
}

TEST(OuterFrame, TwoPiecesCutAnywhereMakeTheFrame) {
  for (const Wrap wrap : {Wrap::kNone, Wrap::kELanguage}) {
    const Bytes wire = encode("payload", wrap);
    for (std::size_t cut = 1; cut < wire.size(); ++cut) {
      OuterFrameDecoder decoder(kLimit);
      ByteView head = ByteView(wire).subspan(0, cut);
      ByteView tail = ByteView(wire).subspan(cut);
      ASSERT_EQ(decoder.feed(head), State::kMore);
      ASSERT_TRUE(decoder.inside_frame());
      ASSERT_EQ(decoder.feed(tail), State::kFrame) << cut;
      ASSERT_FALSE(decoder.inside_frame());
      ASSERT_EQ(as_text(decoder.payload()), "payload");
    }
  }
}

TEST(OuterFrame, NeverTakesAByteOfTheNextFrame) {
  const Bytes wire = join({encode("one"), encode("two")});
  OuterFrameDecoder decoder(kLimit);
  ByteView input = wire;
  ASSERT_EQ(decoder.feed(input), State::kFrame);
  EXPECT_EQ(input.size(), encode("two").size());
}

TEST(OuterFrame, AWrongCrcIsReportedAndTheNextFrameIsTaken) {
  for (const Wrap wrap : {Wrap::kNone, Wrap::kELanguage}) {
    const Bytes good = encode("damaged", wrap);
    const std::size_t start = wrap == Wrap::kNone ? 0 : kELanguagePrefix.size();
    for (std::size_t at = start + kOuterLengthBytes; at < start + kOuterHeaderBytes + 7; ++at) {
      Bytes bad = good;
      bad[at] ^= 0x10;
      const auto taken = decode(join({bad, encode("next")}), 5);
      ASSERT_EQ(taken.size(), 2U) << at;
      EXPECT_EQ(taken[0].state, State::kBadCrc);
      EXPECT_EQ(taken[1], frame_of("next", Wrap::kNone));
    }
  }
}

TEST(OuterFrame, LengthWordsThatDifferAreFatal) {
  for (std::size_t bit = 0; bit < 64; ++bit) {
    Bytes wire = encode("abc");
    wire[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
    const auto taken = decode(wire, 1);
    ASSERT_EQ(taken.size(), 1U) << bit;
    EXPECT_EQ(taken[0].state, State::kBadLength);
  }
}

TEST(OuterFrame, ALengthBelowTheCrcIsFatal) {
  for (std::uint32_t length = 0; length < kOuterCrcBytes; ++length)
    EXPECT_EQ(decode(with_lengths(length, length), 100).at(0).state, State::kBadLength) << length;
}

TEST(OuterFrame, TheLimitCountsEveryByteOnTheWireWrapIncluded) {
  for (const Wrap wrap : {Wrap::kNone, Wrap::kELanguage}) {
    const Bytes wire = encode("exactly", wrap);
    EXPECT_EQ(decode(wire, 3, wire.size()).at(0).state, State::kFrame);
    EXPECT_EQ(decode(wire, 3, wire.size() - 1).at(0).state, State::kBadLength);
  }
}

TEST(OuterFrame, NothingIsAllocatedForALengthThatIsNotAllowed) {
  const Bytes wire = with_lengths(0x7fffffff, 0x7fffffff);
  OuterFrameDecoder decoder(1 << 20);
  ByteView input = wire;
  g_largest_allocation = 0;
  const State state = decoder.feed(input);
  const std::size_t largest = g_largest_allocation;
  EXPECT_EQ(state, State::kBadLength);
  EXPECT_LE(largest, 256U);
}

TEST(OuterFrame, AFatalStateStays) {
  OuterFrameDecoder decoder(kLimit);
  const Bytes bad = with_lengths(20, 21);
  ByteView input = bad;
  ASSERT_EQ(decoder.feed(input), State::kBadLength);
  const Bytes good = encode("good");
  input = good;
  EXPECT_EQ(decoder.feed(input), State::kBadLength);
  EXPECT_EQ(decoder.feed(input), State::kBadLength);
}

TEST(OuterFrame, ANestedWrapIsFatal) {
  const Bytes inner = encode("x", Wrap::kELanguage);
  const Bytes nested =
      join({to_bytes(as_bytes(kELanguagePrefix)), inner, to_bytes(as_bytes(kELanguageSuffix))});
  for (std::size_t slice = 1; slice <= nested.size(); ++slice)
    ASSERT_EQ(decode(nested, slice).at(0).state, State::kBadWrap) << slice;
}

TEST(OuterFrame, AnyWrongByteOfTheWrapIsFatal) {
  const Bytes good = encode("x", Wrap::kELanguage);
  for (std::size_t at = 0; at < good.size(); ++at) {
    if (at == kELanguagePrefix.size()) at += kOuterHeaderBytes + 1;
    Bytes bad = good;
    bad[at] ^= 0x01;
    const auto taken = decode(bad, 7);
    ASSERT_EQ(taken.size(), 1U) << at;
    // In the first eight bytes it is no wrap at all, so they are read as length words.
    EXPECT_EQ(taken[0].state, at < kOuterLengthBytes ? State::kBadLength : State::kBadWrap) << at;
  }
}

}  // namespace
}  // namespace tidegate
