// SPDX-License-Identifier: Apache-2.0
#include "hw/frame_meter.h"

#include <gtest/gtest.h>

namespace tidegate {
namespace {

using Kind = FrameEvent::Kind;

const std::string kPrefix = "<!System=IoTDB Version=1.0 Code=UTF-8 Data=1.0!>\n<block:=Free>\n";
const std::string kSuffix = "\n</block:=Free>";

Bytes plain_frame(std::uint32_t length) {
  Bytes out;
  ByteWriter writer(out);
  writer.u32_be(length);
  writer.u32_be(length);
  for (std::uint32_t i = 0; i < length; ++i) writer.u8(static_cast<std::uint8_t>(i * 7));
  return out;
}

Bytes wrapped_frame(std::uint32_t length) {
  Bytes out = to_bytes(as_bytes(kPrefix));
  ByteWriter writer(out);
  writer.bytes(plain_frame(length));
  writer.bytes(as_bytes(kSuffix));
  return out;
}

Bytes operator+(Bytes a, const Bytes& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

std::vector<FrameEvent> feed_in_two(const Bytes& all, std::size_t split) {
  FrameMeter meter;
  std::vector<FrameEvent> events;
  meter.feed(ByteView(all).first(split), &events);
  meter.feed(ByteView(all).subspan(split), &events);
  EXPECT_EQ(meter.offset(), all.size());
  return events;
}

TEST(FrameMeter, FindsPlainAndWrappedFramesAtEverySplitPoint) {
  const Bytes all = plain_frame(17) + wrapped_frame(8) + plain_frame(8) + wrapped_frame(300);
  const std::uint64_t sizes[] = {25, 63 + 16 + 15, 16, 63 + 308 + 15};
  for (std::size_t split = 0; split <= all.size(); ++split) {
    const auto events = feed_in_two(all, split);
    ASSERT_EQ(events.size(), 8u) << "split at " << split;
    std::uint64_t start = 0;
    for (std::size_t i = 0; i < 4; ++i) {
      EXPECT_EQ(events[2 * i].kind, Kind::kBegin);
      EXPECT_EQ(events[2 * i + 1].kind, Kind::kEnd);
      for (const FrameEvent* event : {&events[2 * i], &events[2 * i + 1]}) {
        EXPECT_EQ(event->start, start) << "split at " << split;
        EXPECT_EQ(event->size(), sizes[i]) << "split at " << split;
        EXPECT_EQ(event->wrapped, i % 2 == 1);
      }
      start += sizes[i];
    }
  }
}

TEST(FrameMeter, FindsFramesFedByteByByte) {
  const Bytes all = wrapped_frame(9) + plain_frame(9);
  FrameMeter meter;
  std::vector<FrameEvent> events;
  for (const std::uint8_t byte : all) meter.feed({&byte, 1}, &events);
  ASSERT_EQ(events.size(), 4u);
  EXPECT_EQ(events[3].end, all.size());
  EXPECT_FALSE(meter.inside_frame());
}

TEST(FrameMeter, SaysWhetherItIsInsideAFrame) {
  const Bytes frame = plain_frame(20);
  FrameMeter meter;
  std::vector<FrameEvent> events;
  EXPECT_FALSE(meter.inside_frame());
  meter.feed(ByteView(frame).first(3), &events);
  EXPECT_TRUE(meter.inside_frame());
  meter.feed(ByteView(frame).subspan(3), &events);
  EXPECT_FALSE(meter.inside_frame());
}

TEST(FrameMeter, DifferentLengthWordsAreReportedOnceAndEndTheCounting) {
  Bytes bad = plain_frame(20);
  bad[7] ^= 1;
  const Bytes all = plain_frame(10) + bad + plain_frame(10);
  for (std::size_t split = 0; split <= all.size(); ++split) {
    const auto events = feed_in_two(all, split);
    ASSERT_EQ(events.size(), 3u) << "split at " << split;
    EXPECT_EQ(events[2].kind, Kind::kMalformed);
    EXPECT_EQ(events[2].start, 18u);
    EXPECT_EQ(events[2].detail, "the length words differ: 20 and 21");
  }
}

TEST(FrameMeter, ALengthWithoutRoomForTheChecksumIsMalformed) {
  const auto events = feed_in_two(plain_frame(7), 4);
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].kind, Kind::kMalformed);
}

TEST(FrameMeter, AnotherPrefixOrSuffixIsMalformedAtEveryByte) {
  const Bytes good = wrapped_frame(8);
  for (std::size_t i = 8; i < good.size(); ++i) {
    if (i >= kPrefix.size() && i < good.size() - kSuffix.size()) continue;
    Bytes bad = good;
    bad[i] ^= 0x20;
    const auto events = feed_in_two(bad, bad.size() / 2);
    ASSERT_FALSE(events.empty());
    EXPECT_EQ(events.back().kind, Kind::kMalformed) << "byte " << i;
    EXPECT_EQ(events.back().end, i + 1);
  }
}

TEST(FrameMeter, APrefixInsideAPrefixIsMalformed) {
  const auto events = feed_in_two(to_bytes(as_bytes(kPrefix + kPrefix)), 70);
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].kind, Kind::kMalformed);
}

TEST(FrameMeter, TheLargestLengthDoesNotOverflow) {
  Bytes head(8, 0xFF);
  FrameMeter meter;
  std::vector<FrameEvent> events;
  meter.feed(head, &events);
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].size(), 0xFFFFFFFFull + 8);
}

}  // namespace
}  // namespace tidegate
