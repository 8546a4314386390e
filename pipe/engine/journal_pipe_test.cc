// SPDX-License-Identifier: Apache-2.0
// Pipes over a real journal on a simulated disk.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "base/log.h"
#include "base/sim_env.h"
#include "pipe/engine/engine_test_support.h"
#include "pipe/engine/journal_positions.h"
#include "pipe/engine/pipe.h"

namespace tidegate {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using testing::number_batch;
using testing::record_of;

// Delivers into memory that survives the process, as an idempotent target does.
class Target final : public Connector {
 public:
  explicit Target(std::vector<std::pair<Lsn, EventKind>>* got) : got_(*got) {}
  std::string describe() const override { return "target"; }
  Status open(Lsn, ByteView) override { return {}; }
  DeliverResult deliver(const std::vector<DeliverableBatch>& batches, const std::function<bool()>&) override {
    for (const DeliverableBatch& batch : batches) got_.emplace_back(batch.lsn, batch.summary.kind);
    return {};
  }
  std::size_t preferred_bytes() const override { return 200; }

 private:
  std::vector<std::pair<Lsn, EventKind>>& got_;
};

class JournalPipeTest : public ::testing::Test {
 protected:
  JournalPipeTest() {
    journal_options_.directory = "/j";
    journal_options_.segment_bytes = 4096;
    journal_options_.reserve_bytes = 0;
    set_log_sink([](LogLevel, std::string_view, std::string_view) {});
  }
  ~JournalPipeTest() override { set_log_sink({}); }

  void open() {
    state_ = std::make_unique<StreamState>();
    journal_ = Journal::open(sim_.env(), journal_options_, state_.get()).value();
    records_ = std::make_unique<JournalRecords>(*journal_, cache_);
    positions_ = std::make_unique<JournalPositions>(journal_.get(), state_.get());
    target_ = std::make_unique<Target>(&got_);
    PipeOptions options;
    options.name = "p";
    options.dead_letters.directory = "/dead";
    options.on_loss = [this](const Loss& loss) -> Status { return losses_.push_back(loss), Status(); };
    pipe_ = std::make_unique<Pipe>(sim_.env(), std::move(options), *records_, *positions_, *target_);
    ASSERT_TRUE(pipe_->open().ok());
  }
  void end(bool power) {
    pipe_.reset();
    journal_.reset();
    power ? sim_.files.power_cut(sim_.random) : sim_.files.process_crash();
  }
  void write(int batches) {
    for (int i = 0; i < batches; ++i) {
      Record record = record_of(0, {number_batch(static_cast<std::int64_t>(journal_->head()) + 1)});
      ASSERT_TRUE(journal_->append(record.meta, record.container).ok());
    }
    ASSERT_TRUE(journal_->sync().ok());
  }
  void run() {
    for (int i = 0; i < 10000; ++i) {
      const Wake wake = pipe_->step();
      if (wake.at == kNever || (wake.on_data && wake.at > sim_.clock.now())) return;
      if (wake.at > sim_.clock.now()) sim_.clock.set(wake.at);
    }
    FAIL() << pipe_->status().message;
  }

  SimEnv sim_;
  JournalOptions journal_options_;
  std::unique_ptr<StreamState> state_;
  std::unique_ptr<Journal> journal_;
  RecordCache cache_;
  std::unique_ptr<JournalRecords> records_;
  std::unique_ptr<JournalPositions> positions_;
  std::unique_ptr<Target> target_;
  std::unique_ptr<Pipe> pipe_;
  std::vector<std::pair<Lsn, EventKind>> got_;
  std::vector<Loss> losses_;
};

TEST_F(JournalPipeTest, AStoredPositionSurvivesAPowerCut) {
  open();
  write(30);
  run();
  sim_.clock.advance(2 * kSecond);
  run();
  end(true);
  got_.clear();
  open();
  EXPECT_EQ(pipe_->durable_position(), 30u);
  write(2);
  run();
  EXPECT_THAT(got_, ElementsAre(std::pair(31, EventKind::kRows), std::pair(32, EventKind::kRows)));
}

TEST_F(JournalPipeTest, WhatWasDeliveredBehindTheStoredPositionIsDeliveredAgain) {
  open();
  write(3);
  run();
  end(true);
  open();
  run();
  ASSERT_EQ(got_.size(), 6u);
  EXPECT_EQ(got_[3].first, 1u);
}

TEST_F(JournalPipeTest, WhatWasTrimmedBeforeThePipeReadItIsOneLossWithItsExactRange) {
  open();
  write(100);
  ASSERT_TRUE(journal_->trim(60).ok());
  const Lsn first = journal_->first_lsn();
  ASSERT_GT(first, 1u);
  run();
  ASSERT_EQ(losses_.size(), 1u);
  EXPECT_EQ(losses_[0].first, 1u);
  EXPECT_EQ(losses_[0].last, first - 1);
  EXPECT_EQ(losses_[0].reason, kLossTrimmed);
  EXPECT_EQ(got_[0], std::pair(first - 1, EventKind::kGap));
  EXPECT_EQ(got_.size(), 1 + (100 - first + 1));
}

TEST_F(JournalPipeTest, DamageInTheJournalIsToldAndEverythingElseIsDelivered) {
  open();
  write(100);
  const std::string rotten = journal_->segments()[1].path;
  const SegmentInfo damaged = journal_->segments()[1];
  ASSERT_TRUE(sim_.files.rot(rotten, damaged.bytes / 2).ok());
  run();
  ASSERT_GE(losses_.size(), 1u);
  std::set<Lsn> lost, delivered;
  for (const Loss& loss : losses_) {
    EXPECT_EQ(loss.reason, kLossDamaged);
    for (Lsn lsn = loss.first; lsn <= loss.last; ++lsn) EXPECT_TRUE(lost.insert(lsn).second);
  }
  for (const auto& [lsn, kind] : got_) {
    if (kind == EventKind::kGap) continue;
    EXPECT_TRUE(delivered.insert(lsn).second);
  }
  EXPECT_THAT(lost,
              Each(::testing::AllOf(::testing::Ge(damaged.first_lsn), ::testing::Le(damaged.last_lsn))));
  EXPECT_EQ(lost.size() + delivered.size(), 100u);
}

TEST_F(JournalPipeTest, LagInBytesShrinksToNothing) {
  open();
  write(100);
  const std::uint64_t before = pipe_->status().lag_bytes;
  EXPECT_GT(before, 5000u);
  (void)pipe_->step();
  EXPECT_LT(pipe_->status().lag_bytes, before);
  run();
  EXPECT_EQ(pipe_->status().lag_bytes, 0u);
}

}  // namespace
}  // namespace tidegate
