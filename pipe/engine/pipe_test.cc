// SPDX-License-Identifier: Apache-2.0
#include "pipe/engine/pipe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>

#include "base/log.h"
#include "base/sim_env.h"
#include "pipe/engine/engine_test_support.h"

namespace tidegate {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::MemoryPositions;
using testing::MemoryRecords;
using ::testing::Not;
using testing::number_batch;

// Takes what it is told to take and keeps what it got.
class ScriptedConnector final : public Connector {
 public:
  std::string describe() const override { return "scripted"; }
  Status open(Lsn position, ByteView with) override {
    opened_at.push_back(position);
    opened_with = std::string(as_text(with));
    if (open_error.has_value()) return *open_error;
    return {};
  }
  DeliverResult deliver(const std::vector<DeliverableBatch>& batches, const std::function<bool()>&) override {
    DeliverResult result;
    if (!script.empty()) {
      result = std::move(script.front());
      script.pop_front();
    }
    if (result.kind != DeliverResult::Kind::kDelivered) return result;
    for (const DeliverableBatch& batch : batches) {
      got.push_back(batch.lsn);
      kinds.push_back(batch.summary.kind);
    }
    if (batches.empty()) ++ticks;
    sizes.push_back(batches.size());
    if (!state.empty()) result.state = to_bytes(as_bytes(state));
    return result;
  }
  Nanos wake_at() const override {
    if (tick_now != nullptr && ticks == 0) return tick_now->now();
    return ticks == 0 ? tick_at : kNever;
  }
  std::size_t preferred_bytes() const override { return preferred; }
  Nanos gather_delay() const override { return gathers; }
  void close() override { ++closed; }

  std::deque<DeliverResult> script;
  std::optional<Error> open_error;
  std::vector<Lsn> opened_at, got;
  std::vector<EventKind> kinds;
  std::vector<std::size_t> sizes;  // of the deliveries
  std::string opened_with, state;
  std::size_t preferred = 1;
  Nanos gathers = 0;
  Nanos tick_at = kNever;
  Clock* tick_now = nullptr;
  int ticks = 0, closed = 0;
};

DeliverResult retry(std::string message, Nanos after = 0) {
  DeliverResult out;
  out.kind = DeliverResult::Kind::kRetry;
  out.message = std::move(message);
  out.retry_after = after;
  return out;
}

DeliverResult refused_for_good(Lsn lsn) {
  DeliverResult out;
  out.dead.push_back({lsn, "no such type", "m v=1 1"});
  return out;
}

class PipeTest : public ::testing::Test {
 protected:
  PipeOptions options() {
    PipeOptions out;
    out.name = "p";
    out.own_ids = {own_};
    out.dead_letters.directory = "/dead";
    out.on_loss = [this](const Loss& loss) -> Status {
      ledger_.emplace_back(loss.first, loss.last);
      if (ledger_fails_) return make_error(ErrorCode::kNoSpace, "ledger");
      return {};
    };
    out.on_dead_letters = [this](std::uint64_t letters, const std::string& file) -> Status {
      if (ledger_fails_) return make_error(ErrorCode::kNoSpace, "ledger");
      told_letters_.emplace_back(letters, file);
      return {};
    };
    return out;
  }
  void make() {
    pipe_.reset();
    pipe_ = std::make_unique<Pipe>(sim_.env(), options(), source_, positions_, connector_);
    ASSERT_TRUE(pipe_->open().ok());
  }
  void write(int batches) {
    for (int i = 0; i < batches; ++i)
      source_.append(number_batch(static_cast<std::int64_t>(source_.durable()) + 1));
  }
  // Steps until the pipe wants to wait for data or an operator; moves the clock through its back-offs.
  void run() {
    if (pipe_ == nullptr) make();
    for (int i = 0; i < 1000; ++i) {
      const Wake wake = pipe_->step();
      if (wake.at == kNever || (wake.on_data && wake.at > sim_.clock.now())) return;
      if (wake.at > sim_.clock.now()) sim_.clock.set(wake.at);
    }
    FAIL() << "the pipe never comes to rest: " << pipe_->status().message;
  }
  std::string dead_file(int number = 1) {
    auto bytes = read_file(sim_.files, "/dead/p.dead-00000" + std::to_string(number) + ".jsonl", 1 << 20);
    return bytes.ok() ? std::string(as_text(*bytes)) : "";
  }

  SimEnv sim_;
  Id own_{{1, 2, 3}};
  MemoryRecords source_;
  MemoryPositions positions_;
  ScriptedConnector connector_;
  std::vector<std::pair<Lsn, Lsn>> ledger_;
  bool ledger_fails_ = false;
  std::vector<std::pair<std::uint64_t, std::string>> told_letters_;
  std::unique_ptr<Pipe> pipe_;
};

TEST_F(PipeTest, EveryBatchIsDeliveredOnceAndInOrder) {
  write(20);
  run();
  EXPECT_EQ(connector_.got.size(), 20u);
  for (Lsn lsn = 1; lsn <= 20; ++lsn) EXPECT_EQ(connector_.got[lsn - 1], lsn);
  EXPECT_EQ(pipe_->status().lag_lsns, 0u);
  EXPECT_EQ(pipe_->status().counters.values, 20u);
  EXPECT_EQ(pipe_->status().newest_event_ns, 20);
}

TEST_F(PipeTest, ARunGathersRecordsUpToThePreferredSize) {
  write(20);
  connector_.preferred = 1 << 20;
  make();
  (void)pipe_->step();
  EXPECT_EQ(connector_.got.size(), 20u) << "one delivery";
}

TEST_F(PipeTest, DataWaitsForMoreOfItAndThenGoesTogether) {
  connector_.preferred = 1 << 20;
  connector_.gathers = 2 * kSecond;
  sim_.clock.set(10 * kSecond);
  write(1);
  run();
  EXPECT_THAT(connector_.got, IsEmpty());
  sim_.clock.set(11 * kSecond);
  write(2);
  EXPECT_EQ(pipe_->step().at, 12 * kSecond) << "the oldest decides";
  EXPECT_TRUE(pipe_->step().on_data);
  sim_.clock.set(12 * kSecond);
  run();
  EXPECT_THAT(connector_.sizes, ElementsAre(3u));
  write(1);
  run();
  EXPECT_EQ(connector_.got.size(), 3u) << "the next one waits again";
}

TEST_F(PipeTest, EnoughDataDoesNotWait) {
  connector_.gathers = 3600 * kSecond;
  connector_.preferred = 300;
  write(2);
  run();
  EXPECT_THAT(connector_.got, IsEmpty());
  while (source_.bytes_behind(0) < connector_.preferred) write(1);
  run();
  EXPECT_EQ(connector_.got.size(), source_.durable()) << "all that had waited, in as many runs as it takes";
}

TEST_F(PipeTest, WhileDataWaitsTheConnectorIsCalledWhenItAskedForIt) {
  connector_.gathers = 10 * kSecond;
  connector_.preferred = 1 << 20;
  connector_.tick_at = 5 * kSecond;
  write(1);
  run();
  sim_.clock.set(5 * kSecond);
  run();
  EXPECT_EQ(connector_.ticks, 1);
  EXPECT_THAT(connector_.got, IsEmpty());
}

TEST_F(PipeTest, LeadingBatchesThatDoNotCountAreLeftOut) {
  source_.append({number_batch(1), number_batch(2), number_batch(3)}, 2);
  run();
  EXPECT_THAT(connector_.got, ElementsAre(1));
}

TEST_F(PipeTest, ARecordThatBeginsBeforeThePositionIsReadFromItsMiddle) {
  source_.append({number_batch(1), number_batch(2), number_batch(3)});
  ASSERT_TRUE(positions_.set("p", 2, Bytes(21, 0)).ok());
  EXPECT_FALSE(Pipe(sim_.env(), options(), source_, positions_, connector_).open().ok())
      << "version 0 is refused";
  Bytes state = Pipe::first_state();
  ASSERT_TRUE(positions_.set("p", 2, state).ok());
  run();
  EXPECT_THAT(connector_.got, ElementsAre(3));
}

TEST_F(PipeTest, TheStateOfAnotherConnectorIsNotGivenToThisOne) {
  connector_.state = "mine";
  source_.append(number_batch(1));
  run();
  PipeOptions other = options();
  other.connector_key = 7;
  Pipe pipe(sim_.env(), other, source_, positions_, connector_);
  ASSERT_TRUE(pipe.open().ok());
  (void)pipe.step();
  EXPECT_EQ(connector_.opened_with, "");
  EXPECT_EQ(connector_.opened_at.back(), 1U);
}

TEST_F(PipeTest, AtTheEndOfHistoryItStopsWithItsPositionStored) {
  source_.append({number_batch(1), number_batch(2), number_batch(3)});
  PipeOptions history = options();
  history.start_after = 1;
  history.end_at = 2;
  Pipe pipe(sim_.env(), history, source_, positions_, connector_);
  ASSERT_TRUE(pipe.open().ok());
  for (int i = 0; i < 3; ++i) (void)pipe.step();
  EXPECT_THAT(connector_.got, ElementsAre(2));
  EXPECT_EQ(pipe.status().state, PipeState::kStopped);
  EXPECT_EQ(pipe.status().message, kHistoryFinished);
  EXPECT_EQ(pipe.status().durable_position, 2U);
}

TEST_F(PipeTest, BatchesThatCameThroughThisJournalAreSkippedAndCounted) {
  write(1);
  source_.append({number_batch(2), number_batch(3)}, 0, {Id{{9}}, own_});
  source_.append({number_batch(4)}, 0, {Id{{9}}});
  run();
  EXPECT_THAT(connector_.got, ElementsAre(1, 4));
  EXPECT_EQ(pipe_->status().counters.own_hops, 2u);
  EXPECT_EQ(pipe_->status().position, 4u);
}

TEST_F(PipeTest, BackOffDoublesFromHalfASecondToAMinuteAndSaysWhy) {
  write(1);
  for (int i = 0; i < 12; ++i) connector_.script.push_back(retry("target is away"));
  make();
  Nanos step = kSecond / 2;
  for (int i = 0; i < 12; ++i) {
    const Wake wake = pipe_->step();
    const Nanos wait = wake.at - sim_.clock.now();
    EXPECT_GE(wait, step / 2);
    EXPECT_LE(wait, step);
    EXPECT_FALSE(wake.on_data) << "new data does not shorten a back-off";
    EXPECT_THAT(pipe_->status().message, HasSubstr("target is away"));
    EXPECT_EQ(pipe_->status().state, PipeState::kRunning);
    sim_.clock.set(wake.at);
    step = std::min(step * 2, 60 * kSecond);
  }
  run();
  EXPECT_THAT(connector_.got, ElementsAre(1));
  EXPECT_EQ(pipe_->status().message, "");
  EXPECT_EQ(pipe_->status().counters.retries, 12u);
}

TEST_F(PipeTest, RetryAfterIsNeverUndercutAndAtMostAnHour) {
  write(1);
  connector_.script = {retry("busy", 90 * kSecond), retry("busy", 86400 * kSecond)};
  make();
  Wake wake = pipe_->step();
  EXPECT_GE(wake.at, 90 * kSecond);
  EXPECT_LE(wake.at, 99 * kSecond + kMillisecond);
  sim_.clock.set(wake.at);
  wake = pipe_->step();
  EXPECT_LE(wake.at - sim_.clock.now(), 3960 * kSecond + kMillisecond);
}

TEST_F(PipeTest, NothingIsAttemptedBeforeABackOffIsOver) {
  write(1);
  connector_.script = {retry("away")};
  make();
  const Wake wake = pipe_->step();
  sim_.clock.set(wake.at - 1);
  EXPECT_EQ(pipe_->step().at, wake.at);
  EXPECT_THAT(connector_.got, IsEmpty());
}

TEST_F(PipeTest, AfterARetryTheConnectorIsOpenedAtTheDeliveredPosition) {
  write(2);
  connector_.state = "s";
  connector_.script = {DeliverResult{}, retry("disk full")};
  run();
  EXPECT_THAT(connector_.opened_at, ElementsAre(0, 1));
  EXPECT_EQ(connector_.opened_with, "s");
  EXPECT_THAT(connector_.got, ElementsAre(1, 2));
}

TEST_F(PipeTest, StopNeedsAnOperatorAndStartGoesOn) {
  write(1);
  DeliverResult stop;
  stop.kind = DeliverResult::Kind::kStop;
  stop.message = "token refused";
  connector_.script = {stop};
  run();
  EXPECT_EQ(pipe_->status().state, PipeState::kStopped);
  EXPECT_EQ(pipe_->status().message, "token refused");
  sim_.clock.advance(3600 * kSecond);
  run();
  EXPECT_THAT(connector_.got, IsEmpty());
  pipe_->start();
  run();
  EXPECT_THAT(connector_.got, ElementsAre(1));
}

TEST_F(PipeTest, ATargetThatRefusesTheConfigurationStopsThePipe) {
  connector_.open_error = make_error(ErrorCode::kInvalidConfiguration, "no such folder");
  run();
  EXPECT_EQ(pipe_->status().state, PipeState::kStopped);
  EXPECT_THAT(pipe_->status().message, HasSubstr("no such folder"));
}

// What the log says, a line each: level, area, message.
class PipeLogTest : public PipeTest {
 protected:
  PipeLogTest() {
    set_log_sink([this](LogLevel level, std::string_view area, std::string_view message) {
      EXPECT_EQ(area, "pipe");
      lines_.emplace_back(level, message);
    });
  }
  ~PipeLogTest() override { set_log_sink({}); }

  std::vector<std::pair<LogLevel, std::string>> lines_;
};

TEST_F(PipeLogTest, APipeThatWaitsAndRecoversIsTwoLinesAndNotOnePerAttempt) {
  write(1);
  for (int i = 0; i < 8; ++i) connector_.script.push_back(retry("target " + std::to_string(i) + " is away"));
  run();
  ASSERT_EQ(lines_.size(), 2u);
  EXPECT_EQ(lines_[0].first, LogLevel::kWarning);
  EXPECT_THAT(lines_[0].second, HasSubstr("p waits: target 0 is away; it tries again by itself"));
  EXPECT_EQ(lines_[1].first, LogLevel::kInfo);
  EXPECT_THAT(lines_[1].second, HasSubstr("p delivers again, after "));
  EXPECT_THAT(lines_[1].second, HasSubstr(" and 8 failed attempts"));
}

TEST_F(PipeLogTest, TroubleThatLastsIsToldAgainEveryTenMinutesWithTheLatestReason) {
  write(1);
  make();
  int attempts = 0;
  while (sim_.clock.now() < 3600 * kSecond) {
    connector_.script = {retry("reason " + std::to_string(++attempts))};
    sim_.clock.set(pipe_->step().at);
  }
  EXPECT_GT(attempts, 50);
  ASSERT_GE(lines_.size(), 5u);
  EXPECT_LE(lines_.size(), 6u);
  EXPECT_THAT(lines_[1].second, HasSubstr("p still waits, for "));
  EXPECT_THAT(lines_[1].second, Not(HasSubstr("reason 1;")));
}

TEST_F(PipeLogTest, APipeThatFaltersAtEverySecondAttemptIsToldOfOnceAMinute) {
  write(400);
  for (int i = 0; i < 400; ++i) {
    connector_.script.push_back(retry("busy"));
    connector_.script.emplace_back();
  }
  run();
  const auto minutes = static_cast<std::size_t>(sim_.clock.now() / (60 * kSecond)) + 1;
  EXPECT_GT(minutes, 2u);
  EXPECT_LE(lines_.size(), 2 * minutes);
}

TEST_F(PipeLogTest, AStopSaysHowToStartAgainAndTheStartIsTold) {
  write(1);
  DeliverResult stop;
  stop.kind = DeliverResult::Kind::kStop;
  stop.message = "token refused";
  connector_.script = {stop};
  run();
  run();
  pipe_->start();
  run();
  ASSERT_EQ(lines_.size(), 2u);
  EXPECT_EQ(lines_[0].first, LogLevel::kError);
  EXPECT_EQ(lines_[0].second, "p is STOPPED: token refused; START PIPE p starts it when that is mended");
  EXPECT_EQ(lines_[1].second, "p is started by an operator");
}

TEST_F(PipeLogTest, AHealthyPipeSaysNothingAndALossIsOneLine) {
  write(3);
  run();
  EXPECT_THAT(lines_, IsEmpty());
  source_.lose({4, 5, kLossDamaged, "rotten"});
  write(3);
  run();
  ASSERT_EQ(lines_.size(), 1u);
  EXPECT_THAT(lines_[0].second, HasSubstr("lost LSN 4..5: rotten"));
}

TEST_F(PipeTest, WhatTheConnectorSetsAsideStaysInTheStatusUntilItDoesNot) {
  write(1);
  DeliverResult partly;
  partly.message = "database x is set aside";
  connector_.script = {partly};
  run();
  EXPECT_EQ(pipe_->status().position, 1u);
  EXPECT_EQ(pipe_->status().state, PipeState::kRunning);
  EXPECT_EQ(pipe_->status().message, "database x is set aside");
  write(1);
  run();
  EXPECT_EQ(pipe_->status().message, "");
}

TEST_F(PipeTest, APositionIsStoredAtOnceWhenTheConnectorHasAState) {
  write(3);
  connector_.state = "s";
  run();
  EXPECT_EQ(positions_.sets, 1 + 3) << "the first when the pipe was opened";
  EXPECT_EQ(positions_.lsn("p"), 3u);
}

TEST_F(PipeTest, WithoutAStateThePositionIsStoredAfterTheInterval) {
  write(3);
  run();
  EXPECT_EQ(positions_.sets, 1);
  EXPECT_EQ(pipe_->durable_position(), 0u);
  sim_.clock.advance(kSecond);
  run();
  EXPECT_EQ(positions_.sets, 2);
  EXPECT_EQ(pipe_->durable_position(), 3u);
}

TEST_F(PipeTest, ACleanEndStoresThePosition) {
  write(3);
  run();
  ASSERT_TRUE(pipe_->close().ok());
  EXPECT_EQ(positions_.lsn("p"), 3u);
  EXPECT_EQ(connector_.closed, 1);
  make();
  run();
  EXPECT_THAT(connector_.got, ElementsAre(1, 2, 3)) << "nothing is delivered again";
}

TEST_F(PipeTest, AFailedStoreIsTriedAgainWithoutDeliveringAgain) {
  write(2);
  connector_.state = "s";
  make();
  positions_.failures = 3;
  run();
  EXPECT_THAT(connector_.got, ElementsAre(1, 2));
  EXPECT_EQ(positions_.lsn("p"), 2u);
  EXPECT_EQ(pipe_->status().counters.retries, 3u);
}

TEST_F(PipeTest, ADeadLetterIsSyncedBeforeThePositionMovesPastIt) {
  write(1);
  connector_.script = {refused_for_good(1)};
  bool synced = false;
  positions_.on_set = [&] {
    synced = !sim_.files.has_unsynced("/dead/p.dead-000001.jsonl") && !dead_file().empty();
  };
  run();
  EXPECT_TRUE(synced);
  EXPECT_THAT(dead_file(), HasSubstr(R"("lsn":1,"pipe":"p","reason":"no such type","line":"m v=1 1"})"));
  EXPECT_EQ(pipe_->status().counters.dead_letters, 1u);
  EXPECT_EQ(positions_.lsn("p"), 1u);
}

TEST_F(PipeTest, AFullDiskUnderTheDeadLettersHoldsThePositionAndDoesNotDeliverAgain) {
  write(2);
  connector_.script = {refused_for_good(1)};
  sim_.files.inject(
      {.kind = EffectKind::kWrite, .path_contains = "dead", .code = ErrorCode::kNoSpace, .sticky = true});
  make();
  for (int i = 0; i < 5; ++i) sim_.clock.set(pipe_->step().at);
  EXPECT_EQ(pipe_->status().position, 0u);
  EXPECT_THAT(connector_.got, ElementsAre(1));
  sim_.files.clear_faults();
  run();
  EXPECT_THAT(connector_.got, ElementsAre(1, 2));
  EXPECT_EQ(std::ranges::count(dead_file(), '\n'), 1);
}

TEST_F(PipeTest, DeadLettersAreInTheLedgerBeforeThePositionMovesForGood) {
  write(2);
  connector_.script = {refused_for_good(1)};
  ledger_fails_ = true;
  make();
  for (int i = 0; i < 5; ++i) sim_.clock.set(pipe_->step().at);
  EXPECT_EQ(pipe_->durable_position(), 0u);
  EXPECT_THAT(pipe_->status().message, HasSubstr("ledger"));
  ledger_fails_ = false;
  run();
  EXPECT_THAT(connector_.got, ElementsAre(1, 2));
  EXPECT_EQ(std::ranges::count(dead_file(), '\n'), 1);
  EXPECT_THAT(told_letters_,
              ElementsAre(std::pair<std::uint64_t, std::string>(1, "/dead/p.dead-000001.jsonl")));
}

TEST_F(PipeTest, DamageIsToldToTheLedgerAndLeavesAGapEventInItsPlace) {
  write(5);
  source_.lose({2, 3, kLossDamaged, "rotten"});
  run();
  EXPECT_THAT(connector_.got, ElementsAre(1, 3, 4, 5));
  EXPECT_EQ(connector_.kinds[1], EventKind::kGap);
  EXPECT_THAT(ledger_, ElementsAre(std::pair<Lsn, Lsn>(2, 3)));
  EXPECT_THAT(pipe_->status().warning, HasSubstr("lost LSN 2..3: rotten"));
  EXPECT_EQ(pipe_->status().counters.lost_lsns, 2u);
}

TEST_F(PipeTest, ALossIsNotSkippedUntilTheLedgerHasIt) {
  write(2);
  source_.lose({1, 1, kLossTrimmed, "released"});
  ledger_fails_ = true;
  make();
  for (int i = 0; i < 3; ++i) sim_.clock.set(pipe_->step().at);
  EXPECT_THAT(connector_.got, IsEmpty());
  ledger_fails_ = false;
  run();
  EXPECT_THAT(connector_.got, ElementsAre(1, 2));
  EXPECT_EQ(pipe_->status().counters.lost_lsns, 1u);
}

TEST_F(PipeTest, ABatchWhoseContentHashDiffersIsALossAndItsNeighboursAreNot) {
  source_.append({number_batch(1), number_batch(2), number_batch(3)});
  source_.record(0).meta.hashes[1] = Hash128{};
  run();
  EXPECT_THAT(connector_.got, ElementsAre(1, 2, 3));
  EXPECT_EQ(connector_.kinds[1], EventKind::kGap);
  EXPECT_THAT(ledger_, ElementsAre(std::pair<Lsn, Lsn>(2, 2)));
}

TEST_F(PipeTest, DataOfANewerProgramStopsThePipeAndIsNotSkipped) {
  write(2);
  source_.record(1).meta.codec = 99;
  run();
  EXPECT_EQ(pipe_->status().state, PipeState::kStopped);
  EXPECT_THAT(connector_.got, ElementsAre(1));
  EXPECT_THAT(ledger_, IsEmpty());
}

TEST_F(PipeTest, AReadErrorBacksOffAndIsTriedAgain) {
  write(1);
  source_.fail_next(make_error(ErrorCode::kIo, "planted"));
  run();
  EXPECT_THAT(connector_.got, ElementsAre(1));
  EXPECT_EQ(pipe_->status().counters.retries, 1u);
}

TEST_F(PipeTest, AnIdleConnectorIsCalledWhenItAskedForIt) {
  write(1);
  connector_.tick_at = 5 * kSecond;
  run();
  EXPECT_EQ(connector_.ticks, 0);
  const Wake wake = pipe_->step();
  EXPECT_LE(wake.at, 5 * kSecond);
  sim_.clock.set(5 * kSecond);
  run();
  EXPECT_EQ(connector_.ticks, 1);
  EXPECT_EQ(pipe_->status().position, 1u);
}

// A wish made of the very clock that the pipe reads is met as well as one that stands still.
TEST_F(PipeTest, AnIdleConnectorIsCalledOnAClockThatNeverStands) {
  testing::TickingClock clock;
  Env env = sim_.env();
  env.clock = &clock;
  connector_.tick_now = &clock;
  write(1);
  pipe_ = std::make_unique<Pipe>(env, options(), source_, positions_, connector_);
  ASSERT_TRUE(pipe_->open().ok());
  for (int i = 0; i < 10; ++i) (void)pipe_->step();
  EXPECT_EQ(connector_.ticks, 1);
}

TEST_F(PipeTest, AfterStopNothingIsAttempted) {
  write(1);
  make();
  pipe_->stop();
  EXPECT_EQ(pipe_->step().at, kNever);
  EXPECT_THAT(connector_.got, IsEmpty());
}

TEST_F(PipeTest, LagIsWhatTheJournalHoldsBehindThePosition) {
  write(3);
  make();
  EXPECT_EQ(pipe_->status().lag_lsns, 3u);
  EXPECT_GT(pipe_->status().lag_bytes, 0u);
  run();
  EXPECT_EQ(pipe_->status().lag_lsns, 0u);
  EXPECT_EQ(pipe_->status().lag_bytes, 0u);
}

}  // namespace
}  // namespace tidegate
