// SPDX-License-Identifier: Apache-2.0
#include <mutex>

#include "hw/emulator_fixture.h"

namespace tidegate {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

TEST_F(EmulatorTest, CutEndsBothSides) {
  start();
  connect_with_frame();
  EXPECT_EQ(emulator_->command("cut"), "ok: 1 connections");
  EXPECT_TRUE(inner_.sees_end());
  EXPECT_TRUE(outer_.sees_end());
}

TEST_F(EmulatorTest, CutMidFrameDeliversExactlyHalfOfTheNextFrame) {
  start();
  connect_with_frame();
  outer_.write(kOk);
  ASSERT_EQ(inner_.read(1), kOk);
  EXPECT_EQ(emulator_->command("cut-mid-frame"), "ok");
  inner_.write(frame(300'000 - 8));
  EXPECT_EQ(outer_.read(300'000).size(), 150'000u);
  EXPECT_TRUE(inner_.sees_end());
}

TEST_F(EmulatorTest, TheEndOfEitherSideReachesTheOther) {
  start();
  connect_with_frame();
  inner_.close();
  EXPECT_TRUE(outer_.sees_end());
  outer_.close();
  connect_with_frame();
  outer_.write(kOk);
  outer_.close();
  EXPECT_EQ(inner_.read(2), kOk);
  EXPECT_TRUE(inner_.sees_end());
}

TEST_F(EmulatorTest, WithoutABufferAReceiverThatIsDownIsSeenInside) {
  start();
  stop_receiver();
  EXPECT_TRUE(client().sees_end());
  EXPECT_EQ(emulator_->stats().outer_failures, 1u);
}

TEST_F(EmulatorTest, ABufferingDeviceAcceptsWhileTheReceiverIsDownAndDeliversLater) {
  options_.faults.buffer = 1 << 20;
  start();
  const std::uint16_t port = options_.outer.port;
  stop_receiver();
  inner_ = client();
  inner_.write(frame(5000));
  EXPECT_TRUE(
      eventually([](const GatekeeperStats& s) { return s.bytes_in == 5008 && s.outer_failures > 0; }));
  start_receiver(port);
  outer_ = receiver();
  EXPECT_EQ(outer_.read(5008), frame(5000));
  outer_.write(kOk);
  EXPECT_EQ(inner_.read(1), kOk);
}

TEST_F(EmulatorTest, ABufferingDeviceHidesThatTheReceiverWentAway) {
  options_.faults.buffer = 1 << 20;
  start();
  connect_with_frame();
  outer_.write(kOk);
  ASSERT_EQ(inner_.read(1), kOk);
  outer_.reset();
  inner_.write(frame(20));
  outer_ = receiver();
  EXPECT_EQ(outer_.read(28), frame(20));
}

TEST_F(EmulatorTest, ASelfAnsweringDeviceNeedsNoReceiverAndDropsWhatItSays) {
  options_.faults.self_answer = 0x00;
  start();
  connect_with_frame();
  EXPECT_EQ(inner_.read(1), kOk);
  outer_.write(kFail);
  EXPECT_TRUE(eventually([](const GatekeeperStats& s) { return s.answers_dropped == 1; }));
  inner_.write(frame(10));
  EXPECT_EQ(inner_.read(1), kOk);
  EXPECT_EQ(emulator_->stats().answers_self, 2u);
}

TEST_F(EmulatorTest, APooledConnectionTakesTheNextClientsBytesAsTheRestOfTheFrame) {
  options_.faults.pool = true;
  start();
  const Bytes whole = frame(1000);
  inner_ = client();
  inner_.write(Bytes(whole.begin(), whole.begin() + 600));
  outer_ = receiver();
  ASSERT_EQ(outer_.read(600).size(), 600u);
  inner_.close();
  EXPECT_TRUE(eventually([](const GatekeeperStats& s) { return s.connections_open == 0; }));
  Peer next = client();
  next.write(frame(200));
  EXPECT_EQ(outer_.read(208), frame(200));
  const GatekeeperStats stats = emulator_->stats();
  EXPECT_EQ(stats.pool_reuses, 1u);
  EXPECT_EQ(stats.outer_connects, 1u);
  EXPECT_EQ(stats.frames_forward, 0u);
  EXPECT_EQ(stats.violations_total(), 0u);
}

TEST_F(EmulatorTest, APooledConnectionSurvivesACutInMidFrame) {
  options_.faults.pool = true;
  start();
  emulator_->command("cut-mid-frame");
  inner_ = client();
  inner_.write(frame(1000));
  EXPECT_TRUE(inner_.sees_end());
  outer_ = receiver();
  ASSERT_EQ(outer_.read(504).size(), 504u);
  // 504 bytes are missing: one frame of that size completes it, and the next one is seen as a frame again.
  Peer next = client();
  next.write(frame(496));
  ASSERT_EQ(outer_.read(504), frame(496));
  next.write(frame(20));
  ASSERT_EQ(outer_.read(28), frame(20));
  EXPECT_EQ(emulator_->stats().frames_forward, 2u);
  EXPECT_EQ(violations(ViolationKind::kFrameMalformed), 0u);
}

TEST_F(EmulatorTest, AnswersAreLostDoubledAndMadeUpOnCommand) {
  start();
  emulator_->command("lose-answers 1");
  connect_with_frame();
  outer_.write(kOk);
  EXPECT_TRUE(eventually([](const GatekeeperStats& s) { return s.answers_lost == 1; }));
  emulator_->command("lose-answers 0");
  emulator_->command("duplicate-answers 1");
  inner_.write(frame(10));
  ASSERT_EQ(outer_.read(18).size(), 18u);
  outer_.write(kFail);
  EXPECT_EQ(inner_.read(2), (Bytes{0xFF, 0xFF}));
  EXPECT_EQ(emulator_->command("stray ok"), "ok: 1 connections");
  EXPECT_EQ(inner_.read(1), kOk);
  EXPECT_EQ(emulator_->stats().answers_stray, 1u);
}

TEST_F(EmulatorTest, TheSameSeedLosesTheSameAnswers) {
  options_.faults.lose_answers = 0.5;
  options_.faults.seed = 42;
  const auto pattern = [this] {
    std::string out;
    start();
    connect_with_frame();
    for (int i = 0; i < 40; ++i) {
      const std::uint64_t lost = emulator_->stats().answers_lost;
      const std::uint64_t passed = emulator_->stats().answers_passed;
      outer_.write(kOk);
      EXPECT_TRUE(eventually(
          [&](const GatekeeperStats& s) { return s.answers_lost + s.answers_passed > lost + passed; }));
      out += emulator_->stats().answers_lost > lost ? 'x' : '.';
    }
    return out;
  };
  const std::string first = pattern();
  EXPECT_EQ(pattern(), first);
  EXPECT_THAT(first, HasSubstr("x"));
  EXPECT_THAT(first, HasSubstr("."));
}

TEST_F(EmulatorTest, BlockLetsNothingPassUntilPass) {
  start();
  connect_with_frame();
  EXPECT_EQ(emulator_->command("block"), "ok");
  outer_.write(kOk);
  EXPECT_EQ(inner_.read(1, 50 * kMillisecond), Bytes{});
  EXPECT_EQ(emulator_->command("pass"), "ok");
  EXPECT_EQ(inner_.read(1), kOk);
}

TEST_F(EmulatorTest, ABlockEndsByItself) {
  start();
  connect_with_frame();
  const Nanos begin = monotonic_now();
  EXPECT_EQ(emulator_->command("block 0.2"), "ok");
  outer_.write(kOk);
  EXPECT_EQ(inner_.read(1), kOk);
  EXPECT_GE(monotonic_now() - begin, 195 * kMillisecond);
}

TEST_F(EmulatorTest, CommandsRefuseWhatTheyDoNotUnderstand) {
  start();
  for (const char* line : {"", "cutt", "cut now", "rate", "rate fast", "rate 0MB/s", "delay 5", "polarity up",
                           "lose-answers 2", "stray 0xZZ", "self-answer maybe", "stats xml", "block -1"}) {
    EXPECT_THAT(emulator_->command(line), StartsWith("error: ")) << line;
  }
  EXPECT_THAT(emulator_->command("help"), HasSubstr("cut-mid-frame"));
}

TEST_F(EmulatorTest, StatsAreTextAndJson) {
  start();
  connect_with_frame();
  outer_.write({0x07});
  EXPECT_TRUE(eventually_violated(ViolationKind::kForeignValue));
  EXPECT_THAT(emulator_->command("stats"), HasSubstr("violation_foreign_value 1\n"));
  const std::string json = emulator_->command("stats json");
  EXPECT_THAT(json, StartsWith("{\"connections\":1,"));
  EXPECT_THAT(json, HasSubstr("\"foreign_value\":1"));
  EXPECT_THAT(json, HasSubstr("\"detail\":\"0x07\""));
}

TEST_F(EmulatorTest, QuitEndsItAndLaterCommandsAnswerNothing) {
  start();
  connect_with_frame();
  EXPECT_EQ(emulator_->command("quit"), "ok");
  EXPECT_TRUE(inner_.sees_end());
  const Nanos deadline = monotonic_now() + kPatience;
  while (emulator_->running() && monotonic_now() < deadline) poll(nullptr, 0, 1);
  EXPECT_FALSE(emulator_->running());
  EXPECT_EQ(emulator_->command("stats"), "");
}

TEST_F(EmulatorTest, EveryViolationIsReportedAsItHappens) {
  std::mutex mutex;
  std::vector<std::string> seen;
  options_.violation_seen = [&](const Violation& v) {
    const std::lock_guard lock(mutex);
    seen.push_back(v.text());
  };
  start();
  connect_with_frame();
  outer_.write({0x07});
  EXPECT_TRUE(eventually_violated(ViolationKind::kForeignValue));
  const std::lock_guard lock(mutex);
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_THAT(seen[0], HasSubstr("violation foreign_value connection 1 peer 127.0.0.1:" +
                                 std::to_string(options_.outer.port) + ": 0x07"));
}

TEST_F(EmulatorTest, OptionsThatCannotWorkAreRefused) {
  options_.faults.stray = 1.5;
  EXPECT_EQ(Emulator::open(options_).error().code, ErrorCode::kInvalidArgument);
  options_.faults.stray = 0;
  options_.profile.answer_fail = options_.profile.answer_ok;
  EXPECT_EQ(Emulator::open(options_).error().code, ErrorCode::kInvalidArgument);
}

TEST_F(EmulatorTest, TheCaptureSeesTheSameSegmentsAsTheKernelCounters) {
  options_.capture_interface = "lo";
  Result<std::unique_ptr<Emulator>> made = Emulator::open(options_);
  if (!made.ok()) GTEST_SKIP() << made.error().text();
  emulator_ = std::move(made).value();
  connect_with_frame();
  outer_.write(kOk);
  ASSERT_EQ(inner_.read(1), kOk);
  EXPECT_EQ(violations(ViolationKind::kMultiByteCaptured), 0u);
  outer_.write({0x00, 0x00});
  EXPECT_TRUE(eventually_violated(ViolationKind::kMultiByteCaptured));
  EXPECT_TRUE(eventually_violated(ViolationKind::kMultiByteSegment));
}

}  // namespace
}  // namespace tidegate
