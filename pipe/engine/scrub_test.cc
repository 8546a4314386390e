// SPDX-License-Identifier: Apache-2.0
#include "pipe/engine/scrub.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "base/sim_env.h"
#include "pipe/engine/engine_test_support.h"
#include "pipe/stream/stream_state.h"

namespace tidegate {
namespace {

template <class Condition>
bool soon(Condition condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

class ScrubTest : public ::testing::Test {
 protected:
  ScrubTest() {
    JournalOptions options;
    options.directory = "/j";
    options.segment_bytes = 4096;
    journal_ = std::move(Journal::open(sim_.env(), options, &state_)).value();
    for (int i = 0; i < 200; ++i) {
      const Record record = testing::record_of(0, {testing::number_batch(i, 5)});
      EXPECT_TRUE(journal_->append(record.meta, record.container).ok());
    }
    EXPECT_TRUE(journal_->sync().ok());
  }
  static ScrubOptions at_once(Nanos period) { return {0, period, 0, 0}; }

  SimEnv sim_{1};
  StreamState state_;
  std::unique_ptr<Journal> journal_;
};

TEST_F(ScrubTest, ABitThatRotsInASealedSegmentIsToldWithItsLsns) {
  const SegmentInfo segment = journal_->segments().at(1);
  ASSERT_TRUE(sim_.files.rot(segment.path, segment.bytes / 2, 3).ok());
  std::mutex mutex;
  std::vector<DamagedRange> told;
  Scrub scrub(
      *journal_,
      [&](const DamagedRange& range) {
        const std::scoped_lock lock(mutex);
        told.push_back(range);
      },
      at_once(3600 * kSecond));
  ASSERT_TRUE(soon([&] { return scrub.figures().passes == 1; }));
  const std::scoped_lock lock(mutex);
  ASSERT_EQ(told.size(), 1U);
  EXPECT_GE(told[0].first, segment.first_lsn);
  EXPECT_LE(told[0].last, segment.last_lsn);
  EXPECT_EQ(told[0].segment, segment.path);
  EXPECT_EQ(scrub.figures().segments, journal_->segments().size());
}

TEST_F(ScrubTest, ItGoesRoundAgainAndEndsWhenAsked) {
  Scrub scrub(*journal_, [](const DamagedRange& range) { ADD_FAILURE() << range.reason; }, at_once(0));
  EXPECT_TRUE(soon([&] { return scrub.figures().passes >= 3; }));
}

TEST_F(ScrubTest, APauseDoesNotHoldUpTheEnd) {
  Scrub scrub(*journal_, [](const DamagedRange&) {}, {0, 3600 * kSecond, 3600 * kSecond, 1});
  EXPECT_TRUE(soon([&] { return scrub.figures().segments == 1; }));
}

}  // namespace
}  // namespace tidegate
