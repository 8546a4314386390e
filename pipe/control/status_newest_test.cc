// SPDX-License-Identifier: Apache-2.0
#include "pipe/control/status_newest.h"

#include <gtest/gtest.h>

#include "base/sim_env.h"
#include "pipe/stream/stream_state.h"

namespace tidegate {
namespace {

constexpr std::int64_t kWall = 1'800'000'000'000'000;  // microseconds
constexpr std::int64_t kHour = 3600LL * 1'000'000'000;
constexpr std::int64_t kNow = kWall * 1000;

class Newest : public testing::Test {
 protected:
  Newest() { open(); }
  void open() {
    journal.reset();
    env.files.process_crash();
    state = std::make_unique<StreamState>();
    auto opened =
        Journal::open(env.env(), {.directory = "/j", .segment_bytes = 4096, .reserve_bytes = 0}, state.get());
    ASSERT_TRUE(opened.ok()) << opened.error().text();
    journal = std::move(*opened);
  }
  // A record of `count` batches with these event times.
  void put(std::int64_t time_min, std::int64_t time_max, std::uint32_t count = 1) {
    RecordMeta meta;
    meta.count = count;
    meta.time_min = time_min;
    meta.time_max = time_max;
    for (std::uint32_t i = 0; i < count; ++i) meta.hashes.push_back(xxh3_128(Bytes{++filler}));
    ASSERT_TRUE(journal->append(meta, Bytes(300, filler)).ok());
    ASSERT_TRUE(journal->sync().ok());
  }
  void put(std::int64_t time) { put(time, time); }
  std::optional<std::int64_t> look(std::optional<Lsn> up_to = {}, std::size_t most = 5'000) {
    newest.advance(*journal, 1, up_to.value_or(journal->durable_lsn()), kWall, most);
    return newest.newest_ns();
  }

  SimEnv env{1};
  std::unique_ptr<StreamState> state;
  std::unique_ptr<Journal> journal;
  NewestValue newest;
  std::uint8_t filler = 0;
};

TEST_F(Newest, NothingIsKnownOfAnEmptyJournal) {
  EXPECT_FALSE(look().has_value());
  EXPECT_FALSE(newest.age_s(kWall).has_value());
}

TEST_F(Newest, LateDataDoesNotMakeItOlder) {
  put(kNow - kHour);
  EXPECT_EQ(look(), kNow - kHour);
  put(kNow - 20'777 * 24 * kHour);
  EXPECT_EQ(look(), kNow - kHour);
  EXPECT_DOUBLE_EQ(*newest.age_s(kWall), 3600);
}

TEST_F(Newest, OnlyWhatIsOutsideCounts) {
  put(kNow - 3 * kHour);
  put(kNow - 2 * kHour, kNow - 2 * kHour, 3);
  put(kNow - kHour);
  EXPECT_EQ(look(1), kNow - 3 * kHour);
  EXPECT_EQ(look(3), kNow - 3 * kHour) << "a part of a record is not the record";
  EXPECT_EQ(look(4), kNow - 2 * kHour);
  EXPECT_EQ(look(5), kNow - kHour);
  EXPECT_EQ(look(1), kNow - 3 * kHour) << "the far side has lost what it had";
}

TEST_F(Newest, IsFoundAgainAfterAStart) {
  for (int i = 0; i < 30; ++i) put(kNow - (i == 20 ? kHour : 1000 * kHour));
  look();
  open();
  newest = {};
  EXPECT_EQ(look({}, 10), kNow - 1000 * kHour) << "a slice at a time";
  EXPECT_EQ(look({}, 100), kNow - kHour);
}

TEST_F(Newest, TimesMoreThanADayAheadAreCountedAndLeftOut) {
  put(kNow - kHour);
  put(kNow + 48 * kHour);
  put(kNow - 2 * kHour, kNow + 48 * kHour);
  put(kNow - kHour / 2, std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(look(), kNow - kHour / 2);
  EXPECT_EQ(newest.future_records(), 3U);
  put(kNow + kHour);
  EXPECT_EQ(look(), kNow + kHour);
  EXPECT_EQ(newest.future_records(), 3U);
}

TEST_F(Newest, WhatWasTrimmedIsKnownByWhoeverKeptIt) {
  put(kNow - 5 * kHour);
  newest.know(kNow - 4 * kHour, kWall);
  newest.know(kNow + 1000 * kHour, kWall);
  EXPECT_EQ(look(), kNow - 4 * kHour);
}

TEST_F(Newest, GoesOnBehindWhatIsTrimmedOrHasNoTimes) {
  for (int i = 0; i < 60; ++i) put(kNow - 100 * kHour + i);
  look(2);
  ASSERT_GT(*journal->trim(40), 0U);
  put(0, -1);
  EXPECT_EQ(look(), kNow - 100 * kHour + 59);
}

}  // namespace
}  // namespace tidegate
