// SPDX-License-Identifier: Apache-2.0
#include "hw/delay_line.h"

#include <gtest/gtest.h>

#include <random>

#include "hw/link_clock.h"

namespace tidegate {
namespace {

Bytes counted(std::size_t size, std::uint64_t first) {
  Bytes out(size);
  for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<std::uint8_t>((first + i) * 31 >> 3);
  return out;
}

Bytes joined(const std::vector<ByteView>& pieces) {
  Bytes out;
  for (const ByteView piece : pieces) out.insert(out.end(), piece.begin(), piece.end());
  return out;
}

TEST(DelayLine, NothingArrivesBeforeItsTime) {
  DelayLine line;
  line.push(counted(10, 0), 100);
  line.push(counted(5, 10), 200);
  EXPECT_EQ(line.arrived_size(99), 0u);
  EXPECT_EQ(joined(line.arrived(100, 8)), counted(10, 0));
  EXPECT_EQ(joined(line.arrived(200, 8)), counted(15, 0));
  EXPECT_EQ(line.next_due(), 100);
  EXPECT_EQ(line.last_due(), 200);
}

TEST(DelayLine, AShorterDelayDoesNotLetBytesOvertake) {
  DelayLine line;
  line.push(counted(10, 0), 100);
  line.push(counted(10, 10), 50);
  EXPECT_EQ(line.arrived_size(99), 0u);
  EXPECT_EQ(line.arrived_size(100), 20u);
}

TEST(DelayLine, KeepsOrderOverBlocksUnderRandomPushesAndPops) {
  std::mt19937_64 random(7);
  DelayLine line;
  std::uint64_t pushed = 0, popped = 0;
  for (Nanos now = 0; now < 2000; ++now) {
    const std::size_t size = random() % 90'000;
    line.push(counted(size, pushed), now + static_cast<Nanos>(random() % 20));
    pushed += size;
    const Bytes ready = joined(line.arrived(now, 1 + random() % 4));
    const std::size_t take = ready.empty() ? 0 : random() % (ready.size() + 1);
    ASSERT_EQ(ready, counted(ready.size(), popped));
    line.pop(take);
    popped += take;
    ASSERT_EQ(line.size(), pushed - popped);
  }
  line.clear();
  EXPECT_TRUE(line.empty());
  EXPECT_EQ(line.arrived_size(1'000'000), 0u);
}

TEST(LinkClock, AFullLinkHasExactlyItsRate) {
  LinkClock link(11'750'000);
  Nanos now = 0, last = 0;
  for (std::uint64_t sent = 0; sent < 11'750'000;) {
    now = std::max(now, link.next_grant());
    const std::size_t size = std::min<std::uint64_t>(link.grant(now, 1 << 20), 11'750'000 - sent);
    ASSERT_GT(size, 0u);
    last = link.take(now, size, true);
    sent += size;
  }
  EXPECT_NEAR(static_cast<double>(last), 1e9, 1e3);
}

TEST(LinkClock, IdleTimeIsNotSavedUp) {
  LinkClock link(1'000'000);
  EXPECT_EQ(link.take(0, 1000, false), kMillisecond);
  EXPECT_EQ(link.take(10 * kSecond, 1000, false), 10 * kSecond + kMillisecond);
}

TEST(LinkClock, ALateWakeUpIsMadeUpForWhileOthersWait) {
  LinkClock link(1'000'000);
  EXPECT_EQ(link.take(0, 1000, true), kMillisecond);
  EXPECT_EQ(link.take(50 * kMillisecond, 1000, true), 2 * kMillisecond);
  link.idle();
  EXPECT_EQ(link.take(50 * kMillisecond, 1000, true), 51 * kMillisecond);
}

TEST(LinkClock, WithoutARateNothingWaits) {
  LinkClock link(0);
  EXPECT_EQ(link.grant(5, 777), 777u);
  EXPECT_EQ(link.take(5, 1 << 20, true), 5);
}

TEST(LinkClock, GrantsNothingWhileTheLinkIsFull) {
  LinkClock link(1'000'000);
  link.take(0, 100'000, true);
  EXPECT_EQ(link.grant(50 * kMillisecond, 4096), 0u);
  EXPECT_GT(link.grant(link.next_grant(), 4096), 0u);
}

}  // namespace
}  // namespace tidegate
