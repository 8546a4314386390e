// SPDX-License-Identifier: Apache-2.0
#include "hw/emulator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/tcp.h>
#include <poll.h>

#include <chrono>

#include "hw/device.h"
#include "hw/sockets.h"

namespace tidegate {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

constexpr Nanos kPatience = 10 * kSecond;

// A blocking test peer: every call ends at a deadline.
class Peer {
 public:
  Peer() = default;
  explicit Peer(Fd fd) : fd_(std::move(fd)) {
    const int on = 1;
    setsockopt(fd_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  }

  void write(const Bytes& bytes) {
    const Nanos deadline = monotonic_now() + kPatience;
    for (std::size_t done = 0; done < bytes.size() && monotonic_now() < deadline;) {
      if (!ready(POLLOUT, deadline)) break;
      const ssize_t sent =
          send(fd_.get(), bytes.data() + done, bytes.size() - done, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent < 0 && errno != EAGAIN) return;
      if (sent > 0) done += sent;
    }
  }

  // Up to `size` bytes; fewer where the connection ends or the deadline passes.
  Bytes read(std::size_t size, Nanos patience = kPatience) {
    const Nanos deadline = monotonic_now() + patience;
    Bytes out(size);
    std::size_t have = 0;
    while (have < size && ready(POLLIN, deadline)) {
      const ssize_t got = recv(fd_.get(), out.data() + have, size - have, MSG_DONTWAIT);
      if (got < 0 && errno == EAGAIN) continue;
      if (got <= 0) break;
      have += got;
    }
    out.resize(have);
    return out;
  }

  // True when the other side ends the connection, in order or by reset.
  bool sees_end() {
    const Nanos deadline = monotonic_now() + kPatience;
    while (ready(POLLIN, deadline)) {
      std::uint8_t byte;
      const ssize_t got = recv(fd_.get(), &byte, 1, MSG_DONTWAIT);
      if (got == 0 || (got < 0 && errno != EAGAIN)) return true;
    }
    return false;
  }

  void reset() { fd_.reset_connection(); }
  void close() { fd_.reset(); }
  int fd() const { return fd_.get(); }

 private:
  bool ready(short events, Nanos deadline) {
    pollfd p{fd_.get(), events, 0};
    const Nanos left = deadline - monotonic_now();
    return left > 0 && poll(&p, 1, static_cast<int>(left / kMillisecond + 1)) == 1;
  }

  Fd fd_;
};

Bytes frame(std::uint32_t length) {
  Bytes out;
  ByteWriter writer(out);
  writer.u32_be(length);
  writer.u32_be(length);
  out.resize(8 + length, 0x5A);
  return out;
}

const Bytes kOk = {0x00};
const Bytes kFail = {0xFF};

class EmulatorTest : public testing::Test {
 protected:
  EmulatorTest() {
    options_.profile = builtin_profile("syskeeper-2000").value();
    options_.profile.delay_forward = options_.profile.delay_reverse = 0;
    options_.profile.rate = 0;
    start_receiver(0);
  }

  void start_receiver(std::uint16_t port) {
    listener_ = listen_tcp(resolve({"127.0.0.1", port}, true).value()).value();
    options_.outer = {"127.0.0.1", local_address(listener_.get()).port()};
  }
  void stop_receiver() { listener_.reset(); }

  void start() {
    Result<std::unique_ptr<Emulator>> made = Emulator::open(options_);
    ASSERT_TRUE(made.ok()) << made.error().text();
    emulator_ = std::move(made).value();
  }

  Peer client() {
    return Peer(connect_tcp(resolve({"127.0.0.1", emulator_->port()}, false).value()).value());
  }

  Peer receiver(Nanos patience = kPatience) {
    pollfd p{listener_.get(), POLLIN, 0};
    if (poll(&p, 1, static_cast<int>(patience / kMillisecond)) != 1) return {};
    return Peer(Fd(accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK)));
  }

  // A client and a receiver with a frame delivered between them.
  void connect_with_frame() {
    inner_ = client();
    inner_.write(frame(100));
    outer_ = receiver();
    ASSERT_EQ(outer_.read(108), frame(100));
  }

  std::uint64_t violations(ViolationKind kind) { return emulator_->stats().count(kind); }

  // Waits until `claim` holds for the counters.
  template <class Claim>
  bool eventually(Claim claim) {
    const Nanos deadline = monotonic_now() + kPatience;
    while (monotonic_now() < deadline) {
      if (claim(emulator_->stats())) return true;
      poll(nullptr, 0, 1);
    }
    return false;
  }
  bool eventually_violated(ViolationKind kind, std::uint64_t times = 1) {
    return eventually([&](const GatekeeperStats& s) { return s.count(kind) == times; });
  }

  GatekeeperOptions options_;
  Fd listener_;
  std::unique_ptr<Emulator> emulator_;
  Peer inner_;
  Peer outer_;
};

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

class EmulatorRateTest : public EmulatorTest, public testing::WithParamInterface<int> {};

// A frame takes its time on the wire plus the delay, whatever the delay, because bytes under way do not wait
// for each other.
TEST_P(EmulatorRateTest, AStreamOfFramesTakesItsTimeOnTheWirePlusTheDelay) {
  options_.profile.rate = 11'750'000;
  options_.profile.delay_forward = GetParam() * kMillisecond;
  start();
  inner_ = client();
  outer_ = receiver();
  constexpr std::size_t kTotal = 11'750'000 / 2;
  const Nanos begin = monotonic_now();
  std::thread writer([this] { inner_.write(frame(kTotal - 8)); });
  EXPECT_EQ(outer_.read(kTotal).size(), kTotal);
  const Nanos taken = monotonic_now() - begin - options_.profile.delay_forward;
  writer.join();
  EXPECT_GE(taken, 490 * kMillisecond);
  EXPECT_LE(taken, 600 * kMillisecond);
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

}  // namespace
}  // namespace tidegate
