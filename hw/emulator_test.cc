// SPDX-License-Identifier: Apache-2.0
#include <thread>

#include "hw/emulator_fixture.h"

namespace tidegate {
namespace {

using testing::HasSubstr;

TEST_F(EmulatorTest, AFrameGoesForwardAndItsByteComesBack) {
  start();
  connect_with_frame();
  outer_.write(kOk);
  EXPECT_EQ(inner_.read(1), kOk);
  inner_.write(frame(50));
  EXPECT_EQ(outer_.read(58), frame(50));
  outer_.write(kFail);
  EXPECT_EQ(inner_.read(1), kFail);
  const GatekeeperStats stats = emulator_->stats();
  EXPECT_EQ(stats.frames_forward, 2u);
  EXPECT_EQ(stats.bytes_forward, 166u);
  EXPECT_EQ(stats.bytes_back, 2u);
  EXPECT_EQ(stats.segments_back, 2u);
  EXPECT_EQ(stats.answers_ok, 1u);
  EXPECT_EQ(stats.answers_fail, 1u);
  EXPECT_EQ(stats.answers_passed, 2u);
  EXPECT_EQ(stats.frame_largest, 108u);
  EXPECT_EQ(stats.violations_total(), 0u);
}

TEST_F(EmulatorTest, TwoBytesInOneSegmentAreAViolationAndDoNotPass) {
  options_.profile.window = 2;
  start();
  inner_ = client();
  inner_.write(frame(100));
  inner_.write(frame(100));
  outer_ = receiver();
  ASSERT_EQ(outer_.read(216).size(), 216u);
  outer_.write({0x00, 0x00});
  EXPECT_TRUE(eventually_violated(ViolationKind::kMultiByteSegment));
  EXPECT_EQ(emulator_->stats().violations_total(), 1u);
  EXPECT_EQ(emulator_->stats().answers_passed, 0u);
  EXPECT_THAT(emulator_->stats().violations.front().detail, HasSubstr("2 bytes in 1 segments"));
}

TEST_F(EmulatorTest, BytesInSegmentsOfTheirOwnAreNoViolationHoweverTheyAreRead) {
  options_.profile.window = 50;
  start();
  inner_ = client();
  for (int i = 0; i < 50; ++i) inner_.write(frame(10));
  outer_ = receiver();
  ASSERT_EQ(outer_.read(50 * 18).size(), 900u);
  // The device stands still meanwhile, so all bytes wait in its socket at once.
  emulator_->command("block");
  for (int i = 0; i < 50; ++i) {
    while (unacknowledged(outer_.fd()) > 0) poll(nullptr, 0, 1);
    outer_.write(kOk);
  }
  emulator_->command("pass");
  EXPECT_EQ(inner_.read(50).size(), 50u);
  EXPECT_EQ(emulator_->stats().violations_total(), 0u);
  EXPECT_EQ(emulator_->stats().segments_back, 50u);
}

TEST_F(EmulatorTest, EachByteReachesTheInnerSideInItsOwnSegment) {
  options_.profile.window = 20;
  start();
  inner_ = client();
  for (int i = 0; i < 20; ++i) inner_.write(frame(10));
  outer_ = receiver();
  ASSERT_EQ(outer_.read(20 * 18).size(), 360u);
  for (int i = 0; i < 20; ++i) {
    while (unacknowledged(outer_.fd()) > 0) poll(nullptr, 0, 1);
    outer_.write(kOk);
  }
  ASSERT_EQ(inner_.read(20).size(), 20u);
  EXPECT_EQ(data_segments_in(inner_.fd()), 20u);
}

TEST_F(EmulatorTest, AForeignValueIsAViolationAndDoesNotPass) {
  start();
  connect_with_frame();
  outer_.write({0x07});
  EXPECT_TRUE(eventually_violated(ViolationKind::kForeignValue));
  inner_.write(frame(10));
  ASSERT_EQ(outer_.read(18).size(), 18u);
  outer_.write(kFail);
  EXPECT_EQ(inner_.read(1), kFail);
}

TEST_F(EmulatorTest, WithoutADeviceEverythingPasses) {
  options_.profile = builtin_profile("none").value();
  start();
  connect_with_frame();
  outer_.write({1, 2, 3});
  EXPECT_EQ(inner_.read(3), (Bytes{1, 2, 3}));
  EXPECT_EQ(violations(ViolationKind::kMultiByteSegment), 0u);
  EXPECT_EQ(violations(ViolationKind::kForeignValue), 0u);
  EXPECT_EQ(violations(ViolationKind::kUnsolicited), 2u);
}

TEST_F(EmulatorTest, AByteBeforeTheFrameIsCompleteIsUnsolicited) {
  start();
  inner_ = client();
  const Bytes whole = frame(100);
  inner_.write(Bytes(whole.begin(), whole.begin() + 60));
  outer_ = receiver();
  ASSERT_EQ(outer_.read(60).size(), 60u);
  outer_.write(kOk);
  EXPECT_TRUE(eventually_violated(ViolationKind::kUnsolicited));
}

TEST_F(EmulatorTest, OneViolationOfAnAnswerDoesNotBringOthers) {
  start();
  connect_with_frame();
  outer_.write(kOk);
  ASSERT_EQ(inner_.read(1), kOk);
  outer_.write(kOk);
  EXPECT_TRUE(eventually_violated(ViolationKind::kUnsolicited));
  ASSERT_EQ(inner_.read(1), kOk);
  inner_.write(frame(10));
  ASSERT_EQ(outer_.read(18).size(), 18u);
  outer_.write(kOk);
  EXPECT_EQ(inner_.read(1), kOk);
  EXPECT_EQ(emulator_->stats().violations_total(), 1u);
}

TEST_F(EmulatorTest, InvertedPolaritySwapsTheTwoValues) {
  options_.faults.invert = true;
  start();
  connect_with_frame();
  outer_.write(kOk);
  EXPECT_EQ(inner_.read(1), kFail);
  EXPECT_EQ(emulator_->command("polarity normal"), "ok: normal");
  inner_.write(frame(10));
  ASSERT_EQ(outer_.read(18).size(), 18u);
  outer_.write(kOk);
  EXPECT_EQ(inner_.read(1), kOk);
  EXPECT_EQ(emulator_->stats().answers_ok, 2u);
}

TEST_F(EmulatorTest, AFrameAboveTheLimitIsAViolationAtItsExactSize) {
  start();
  inner_ = client();
  const Bytes limit = frame(1'000'000 - 8);
  inner_.write(limit);
  outer_ = receiver();
  ASSERT_EQ(outer_.read(limit.size()), limit);
  EXPECT_EQ(violations(ViolationKind::kFrameTooLarge), 0u);
  outer_.write(kOk);
  ASSERT_EQ(inner_.read(1), kOk);
  inner_.write(frame(1'000'000 - 7));
  ASSERT_EQ(outer_.read(1'000'001).size(), 1'000'001u);
  EXPECT_EQ(violations(ViolationKind::kFrameTooLarge), 1u);
}

TEST_F(EmulatorTest, BytesThatAreNoFrameAreAViolation) {
  start();
  inner_ = client();
  inner_.write(to_bytes(as_bytes("SELECT * FROM root.**")));
  EXPECT_TRUE(eventually_violated(ViolationKind::kFrameMalformed));
  EXPECT_EQ(receiver().read(21).size(), 21u);
}

TEST_F(EmulatorTest, WithTheCutPolicyAViolationEndsTheConnection) {
  options_.on_violation = OnViolation::kCut;
  start();
  connect_with_frame();
  outer_.write({0x07});
  EXPECT_TRUE(inner_.sees_end());
  EXPECT_TRUE(outer_.sees_end());
  EXPECT_EQ(emulator_->stats().cuts, 1u);
}

TEST_F(EmulatorTest, AReverseDeviceWantsELanguage) {
  options_.profile.e_language = true;
  start();
  connect_with_frame();
  EXPECT_EQ(violations(ViolationKind::kFrameNotWrapped), 1u);
}

TEST_F(EmulatorTest, MoreUnansweredFramesThanTheWindowAreAViolation) {
  start();
  connect_with_frame();
  inner_.write(frame(10));
  EXPECT_TRUE(eventually_violated(ViolationKind::kWindow));
  EXPECT_EQ(emulator_->stats().frames_unanswered_max, 2u);
}

TEST_F(EmulatorTest, MoreConnectionsThanLanesAreRefused) {
  options_.profile.lanes_max = 2;
  options_.profile.reconnect_min_interval = 0;
  start();
  Peer first = client(), second = client();
  EXPECT_TRUE(eventually([](const GatekeeperStats& s) { return s.connections_open == 2; }));
  EXPECT_TRUE(client().sees_end());
  EXPECT_EQ(violations(ViolationKind::kTooManyConnections), 1u);
}

TEST_F(EmulatorTest, ConnectionsThatComeTooFastAreRefused) {
  options_.profile.lanes_max = 1;
  options_.profile.reconnect_min_interval = 3600 * kSecond;
  start();
  connect_with_frame();
  inner_.close();
  EXPECT_TRUE(outer_.sees_end());
  outer_.close();
  EXPECT_TRUE(eventually([](const GatekeeperStats& s) { return s.connections_open == 0; }));
  EXPECT_TRUE(client().sees_end());
  EXPECT_EQ(violations(ViolationKind::kReconnect), 1u);
}

TEST_F(EmulatorTest, ASilentConnectionIsCut) {
  options_.profile.idle_timeout = 50 * kMillisecond;
  start();
  connect_with_frame();
  EXPECT_TRUE(inner_.sees_end());
  EXPECT_TRUE(outer_.sees_end());
  EXPECT_EQ(emulator_->stats().cuts_idle, 1u);
}

TEST_F(EmulatorTest, BothDirectionsHaveTheirDelay) {
  options_.profile.delay_forward = 60 * kMillisecond;
  options_.profile.delay_reverse = 40 * kMillisecond;
  start();
  inner_ = client();
  outer_ = receiver();
  const Nanos begin = monotonic_now();
  inner_.write(frame(10));
  ASSERT_EQ(outer_.read(18).size(), 18u);
  EXPECT_GE(monotonic_now() - begin, 60 * kMillisecond);
  outer_.write(kOk);
  ASSERT_EQ(inner_.read(1), kOk);
  EXPECT_GE(monotonic_now() - begin, 100 * kMillisecond);
}

class EmulatorRateTest : public EmulatorTest, public testing::WithParamInterface<int> {
 protected:
  static constexpr std::size_t kTotal = 11'750'000 / 2;

  // How long kTotal bytes took, without the delay of the last one.
  Nanos time_of_one_frame() {
    start();
    inner_ = client();
    outer_ = receiver();
    const Bytes whole = frame(kTotal - 8);
    const Nanos begin = monotonic_now();
    std::thread writer([&] { inner_.write(whole); });
    EXPECT_EQ(outer_.read(kTotal).size(), kTotal);
    const Nanos taken = monotonic_now() - begin - options_.profile.delay_forward;
    writer.join();
    return taken;
  }
};

// Bytes under way do not wait for each other, whatever the delay. Too fast is wrong at once; a machine that
// is busy with other things gets several tries at being slow only by what the link is slow.
TEST_P(EmulatorRateTest, AStreamTakesItsTimeOnTheWirePlusTheDelayOnce) {
  options_.profile.rate = 11'750'000;
  options_.profile.delay_forward = GetParam() * kMillisecond;
  Nanos best = kNever;
  for (int attempt = 0; attempt < 10 && best > 510 * kMillisecond; ++attempt) {
    const Nanos taken = time_of_one_frame();
    ASSERT_GE(taken, 490 * kMillisecond);
    best = std::min(best, taken);
  }
  EXPECT_LE(best, 510 * kMillisecond);
}

INSTANTIATE_TEST_SUITE_P(Delays, EmulatorRateTest, testing::Values(0, 20, 100));

TEST_F(EmulatorTest, AllConnectionsShareOneRate) {
  options_.profile.rate = 10'000'000;
  start();
  Peer a = client();
  Peer a_far = receiver();
  Peer b = client();
  Peer b_far = receiver();
  const Nanos begin = monotonic_now();
  std::thread writer_a([&] { a.write(frame(1'000'000)); });
  std::thread writer_b([&] { b.write(frame(1'000'000)); });
  EXPECT_EQ(a_far.read(1'000'008).size(), 1'000'008u);
  EXPECT_EQ(b_far.read(1'000'008).size(), 1'000'008u);
  writer_a.join();
  writer_b.join();
  EXPECT_GE(monotonic_now() - begin, 195 * kMillisecond);
}

}  // namespace
}  // namespace tidegate
