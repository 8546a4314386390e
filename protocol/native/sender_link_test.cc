// SPDX-License-Identifier: Apache-2.0
// SenderLink alone: calibration, doubt, time-outs, lanes, beats, parts and the rate. One test per rule.
#include <gtest/gtest.h>

#include "protocol/native/sender_test_rig.h"

namespace tidegate {
namespace {

template <class T>
Reply reply_to(const SentFrame& frame, Reply reply) {
  return frame.as<T>() != nullptr ? reply : Reply::kRight;
}

// ---- calibration

TEST(Sender, EveryLaneIsCalibratedBeforeAnyHello) {
  SenderRig rig({.lanes = 3});
  rig.start_and_settle();
  SenderRig again({.lanes = 3});
  again.start();
  again.run_for(kLinkSecond);
  std::map<LaneId, std::vector<bool>> seen;
  std::size_t probes = 0;
  for (const SentFrame& frame : again.sent) {
    if (frame.as<LinkHello>() != nullptr) break;
    ASSERT_NE(frame.as<Probe>(), nullptr);
    seen[frame.lane].push_back(frame.as<Probe>()->expect_ok);
    ++probes;
  }
  EXPECT_EQ(probes, 18U);
  for (const auto& [lane, expected] : seen)
    EXPECT_TRUE(std::equal(expected.begin(), expected.end(), kCalibration.begin(), kCalibration.end()));
}

struct Device {
  const char* name;
  Reply for_ok, for_fail;
  const char* said;
  bool needs_person;
};
class BadDevice : public testing::TestWithParam<Device> {};
INSTANTIATE_TEST_SUITE_P(
    Sender, BadDevice,
    testing::Values(Device{"Inverted", Reply::kFail, Reply::kOk, "polarity of the profile is inverted", true},
                    Device{"StuckOk", Reply::kOk, Reply::kOk, "answers do not come from the receiver", true},
                    Device{"StuckFail", Reply::kFail, Reply::kFail, "refuses everything", false}),
    [](const auto& one) { return std::string(one.param.name); });

TEST_P(BadDevice, IsNamedWithAnAlarmAndNothingIsSent) {
  SenderRig rig;
  rig.script = [](const SentFrame& frame) {
    return frame.as<Probe>() == nullptr   ? Reply::kRight
           : frame.as<Probe>()->expect_ok ? GetParam().for_ok
                                          : GetParam().for_fail;
  };
  rig.start();
  rig.produce(3);
  rig.run_for(10 * kLinkSecond);
  EXPECT_TRUE(rig.alarmed(GetParam().said)) << rig.alarms;
  EXPECT_EQ(rig.count<Probe>(), rig.sent.size());
  EXPECT_EQ(rig.link->needs_person(), GetParam().needs_person);
  rig.script = nullptr;
  rig.run_for(70 * kLinkSecond);
  EXPECT_EQ(rig.state(), LinkState::kRun);
  EXPECT_FALSE(rig.link->needs_person());
}

TEST(Sender, AFailThatIsTheRightAnswerIsCountedApart) {
  SenderRig rig;
  rig.start_and_settle();
  rig.produce(5);
  rig.run_for(kLinkSecond);
  rig.link->request_confirm(rig.now);
  rig.run_for(20 * kLinkSecond);
  ASSERT_EQ(rig.store.confirmed(1), 5U);
  EXPECT_EQ(rig.link->counters().answers_fail, 0U);
  ASSERT_GE(rig.link->counters().questions, 1U);
  EXPECT_EQ(rig.link->counters().answers_fail_expected, 3 + 4 * rig.link->counters().questions)
      << "a calibration, and proofs that say yes";
  rig.script = [](const SentFrame& frame) { return reply_to<BatchFrame>(frame, Reply::kFail); };
  rig.produce(1);
  rig.run_for(100 * kLinkMillisecond);
  EXPECT_EQ(rig.link->counters().answers_fail, 1U);
}

TEST(Sender, AStrayAnswerInTheCalibrationIsDoubt) {
  SenderRig rig;
  int probes = 0;
  rig.script = [&](const SentFrame& frame) {
    return frame.as<Probe>() != nullptr && ++probes == 3 ? Reply::kOk : Reply::kRight;
  };
  rig.start();
  rig.run_for(500 * kLinkMillisecond);
  EXPECT_EQ(rig.state(), LinkState::kDoubt);
  EXPECT_EQ(rig.count<LinkHello>(), 0U);
  EXPECT_TRUE(rig.noticed("stray bytes"));
}

// ---- doubt

TEST(Sender, AByteWhileNothingIsOutstandingIsDoubt) {
  SenderRig rig;
  rig.start_and_settle();
  rig.byte(0, 0x00);
  EXPECT_EQ(rig.state(), LinkState::kDoubt);
}

TEST(Sender, AByteThatIsNeitherValueIsDoubt) {
  SenderRig rig;
  rig.start_and_settle();
  rig.answer_time = kLinkSecond;
  rig.produce(1);
  rig.run_for(kLinkMillisecond);
  rig.byte(0, 0x01);
  EXPECT_EQ(rig.state(), LinkState::kDoubt);
  EXPECT_EQ(rig.view().soft, 0U);
}

TEST(Sender, AnAnswerBeforeItsFrameHasLeftIsDoubt) {
  SenderRig rig;
  rig.start_and_settle();
  rig.auto_written = false;
  rig.answer_time = kLinkSecond;
  rig.produce(1);
  rig.byte(0, 0x00);
  EXPECT_EQ(rig.state(), LinkState::kDoubt);
  EXPECT_EQ(rig.view().soft, 0U);
}

TEST(Sender, TheAnswersOfTheProfileAreUsed) {
  SenderRig rig({.answer_ok = 0xFF, .answer_fail = 0x00});
  rig.start();
  rig.produce(2);
  rig.run_for(5 * kLinkSecond);
  EXPECT_EQ(rig.view().soft, 2U);
}

TEST(Sender, ACloseOfOneLaneClosesAllAndBeginsANewSession) {
  SenderRig rig({.lanes = 3});
  rig.start_and_settle();
  const std::uint64_t before = rig.store.session();
  rig.close(1);
  EXPECT_EQ(rig.state(), LinkState::kDoubt);
  rig.run_for(2 * kLinkSecond);
  EXPECT_EQ(rig.store.session(), before + 1);
  EXPECT_EQ(rig.count<LinkHello>(), 3U);
}

TEST(Sender, TheQuietTimeDoublesToAMinute) {
  SenderRig rig;
  rig.refuse_connections = true;
  rig.start();
  rig.run_for(400 * kLinkSecond);
  std::vector<LinkNanos> waits;
  for (std::size_t i = 1; i < rig.connects.size(); ++i)
    waits.push_back((rig.connects[i] - rig.connects[i - 1]) / kLinkSecond);
  ASSERT_GE(waits.size(), 8U);
  waits.resize(8);
  EXPECT_EQ(waits, (std::vector<LinkNanos>{1, 2, 4, 8, 16, 32, 60, 60}));
}

TEST(Sender, TheQuietTimeIsASecondAgainWhenASoftPositionMoves) {
  SenderRig rig;
  rig.refuse_connections = true;
  rig.start();
  rig.run_for(100 * kLinkSecond);
  rig.refuse_connections = false;
  rig.produce(1);
  rig.run_for(70 * kLinkSecond);
  ASSERT_EQ(rig.view().soft, 1U);
  rig.connects.clear();
  const LinkNanos cut_at = rig.now;
  rig.close(0);
  rig.run_for(5 * kLinkSecond);
  ASSERT_EQ(rig.connects.size(), 1U);
  EXPECT_EQ(rig.connects[0] - cut_at, kLinkSecond);
}

TEST(Sender, AConnectionThatDoesNotComeIsGivenUp) {
  SenderRig rig;
  rig.link->start(rig.now);  // nobody carries out the connect
  rig.link->on_time(rig.now + 10 * kLinkSecond);
  EXPECT_EQ(rig.state(), LinkState::kDoubt);
}

TEST(Sender, AProbeWithoutAnAnswerIsDoubtAfterTheHandshakeTimeout) {
  SenderRig rig;
  rig.script = [](const SentFrame& frame) { return reply_to<Probe>(frame, Reply::kNone); };
  rig.start();
  rig.run_for(4900 * kLinkMillisecond);
  EXPECT_EQ(rig.state(), LinkState::kCalibrate);
  rig.run_for(200 * kLinkMillisecond);
  EXPECT_EQ(rig.state(), LinkState::kDoubt);
}

// A hello is answered when the other side has synced it.
TEST(Sender, AHelloMayTakeAsLongAsABatch) {
  SenderRig rig;
  rig.script = [](const SentFrame& frame) { return reply_to<LinkHello>(frame, Reply::kNone); };
  rig.start();
  rig.run_for(19 * kLinkSecond);
  EXPECT_EQ(rig.state(), LinkState::kHello);
  rig.run_for(2 * kLinkSecond);
  EXPECT_EQ(rig.state(), LinkState::kDoubt);
}

TEST(Sender, TwoHellosWithoutAnAnswerDoubleTheTimeout) {
  SenderRig rig;
  rig.answer_time = 25 * kLinkSecond;
  rig.probes_at_once = true;
  rig.start();
  rig.run_for(300 * kLinkSecond);
  EXPECT_EQ(rig.state(), LinkState::kRun);
}

TEST(Sender, ABeatCarriesTheFiguresAlsoWhileDataFlows) {
  SenderRig rig;
  rig.start_and_settle();
  rig.sent.clear();
  for (int i = 0; i < 600; ++i) {
    rig.produce(1);
    rig.run_for(100 * kLinkMillisecond);
  }
  EXPECT_GE(rig.count<Beat>(), 5U);
  EXPECT_LE(rig.count<Beat>(), 7U);
}

TEST(Sender, NoFrameStartsWhileThatOfAnotherLaneIsStillLeaving) {
  SenderLinkOptions options;
  options.lanes = 2;
  SenderRig rig(options);
  rig.start_and_settle();
  rig.auto_written = false;
  rig.script = [](const SentFrame& frame) { return reply_to<BatchFrame>(frame, Reply::kNone); };
  rig.produce(1);
  const LaneId lane = rig.sent.back().lane;
  rig.sent.clear();
  rig.run_for(15 * kLinkSecond);  // a beat of the other lane is due
  EXPECT_TRUE(rig.sent.empty());
  rig.auto_written = true;
  rig.written(lane);
  rig.run_for(kLinkSecond);
  EXPECT_GE(rig.count<Beat>(), 1U);
}

// ---- sessions

TEST(Sender, TheSessionNumberIsDurableBeforeAnythingIsConnected) {
  SenderRig rig;
  rig.store.fail_session = true;
  rig.start();
  rig.run_for(10 * kLinkSecond);
  EXPECT_TRUE(rig.connects.empty());
  rig.store.fail_session = false;
  rig.run_for(60 * kLinkSecond);
  EXPECT_FALSE(rig.connects.empty());
}

TEST(Sender, EverySetOfConnectionsHasTheNextSessionAndANonceOfItsOwn) {
  SenderRig rig;
  rig.start_and_settle();
  rig.close(0);
  rig.run_for(5 * kLinkSecond);
  rig.close(0);
  rig.run_for(5 * kLinkSecond);
  const auto hellos = rig.all<LinkHello>();
  ASSERT_EQ(hellos.size(), 2U);
  EXPECT_EQ(hellos[0]->message.header.session, 2U);
  EXPECT_EQ(hellos[1]->message.header.session, 3U);
  EXPECT_NE(hellos[0]->as<LinkHello>()->nonce, hellos[1]->as<LinkHello>()->nonce);
}

TEST(Sender, AfterARefusedLinkHelloTheNextSetHasTheSameSessionAndNonce) {
  SenderRig rig;
  int hellos_seen = 0;
  rig.script = [&](const SentFrame& frame) {
    return frame.as<LinkHello>() != nullptr && ++hellos_seen <= 2 ? Reply::kFail : Reply::kRight;
  };
  rig.start();
  rig.run_for(30 * kLinkSecond);
  const auto hellos = rig.all<LinkHello>();
  ASSERT_EQ(hellos.size(), 3U);
  for (const SentFrame* hello : hellos) {
    EXPECT_EQ(hello->message.header.session, 1U);
    EXPECT_EQ(hello->as<LinkHello>()->nonce, hellos[0]->as<LinkHello>()->nonce);
  }
}

TEST(Sender, FrameNumbersCountTheFramesOfAConnection) {
  SenderRig rig({.lanes = 2});
  rig.start();
  rig.produce(20);
  rig.run_for(30 * kLinkSecond);
  std::map<LaneId, std::uint32_t> last;
  for (const SentFrame& frame : rig.sent) EXPECT_EQ(frame.message.header.frame_number, ++last[frame.lane]);
}

// ---- answer time-outs

class Timeouts : public testing::Test {
 protected:
  Timeouts() {
    rig.script = [this](const SentFrame& frame) {
      return silent ? reply_to<BatchFrame>(frame, Reply::kNone) : Reply::kRight;
    };
    rig.start_and_settle();
    rig.produce(400);
  }
  // Time from the first batch frame to the doubt that follows, and the batches in that frame.
  std::pair<LinkNanos, std::size_t> next_timeout() {
    rig.sent.clear();
    while (rig.all<BatchFrame>().empty()) rig.run_for(10 * kLinkMillisecond);
    const LinkNanos from = rig.all<BatchFrame>()[0]->at;
    while (rig.state() != LinkState::kDoubt) rig.run_for(100 * kLinkMillisecond);
    return {(rig.now - from) / kLinkSecond, rig.all<BatchFrame>()[0]->as<BatchFrame>()->hashes.size()};
  }
  bool silent = true;
  SenderRig rig{{.wire_limit = 20'000}};
};

TEST_F(Timeouts, TwoInARowDoubleTheTimeoutAndHalveTheFrameFill) {
  rig.close(0);
  const auto first = next_timeout();
  const auto second = next_timeout();
  const auto third = next_timeout();
  const auto fourth = next_timeout();
  const auto fifth = next_timeout();
  EXPECT_EQ(first.first, second.first);
  EXPECT_EQ(second.second, first.second);
  EXPECT_NEAR(static_cast<double>(third.first), 2.0 * static_cast<double>(first.first), 1.0);
  EXPECT_NEAR(static_cast<double>(third.second), static_cast<double>(first.second) / 2, 2.0);
  EXPECT_EQ(fourth.second, third.second);
  EXPECT_NEAR(static_cast<double>(fifth.second), static_cast<double>(first.second) / 4, 2.0);
}

TEST_F(Timeouts, TheTimeoutStaysBelowAQuarterOfAnHour) {
  LinkNanos longest = 0;
  for (int i = 0; i < 24; ++i) longest = std::max(longest, next_timeout().first);
  EXPECT_LE(longest, 900);
  EXPECT_GT(longest, 500);
}

TEST_F(Timeouts, AnAnswerInTimeEndsTheRow) {
  rig.close(0);
  const auto first = next_timeout();
  silent = false;
  while (rig.view().soft == 0) rig.run_for(100 * kLinkMillisecond);
  silent = true;
  rig.produce(400);
  EXPECT_EQ(next_timeout().first, first.first);
}

// ---- salt

TEST(Sender, AfterAFailARepetitionTakesAnotherSalt) {
  SenderRig rig;
  rig.start_and_settle();
  int fails = 2;
  rig.script = [&](const SentFrame& frame) {
    return frame.as<BatchFrame>() != nullptr && fails-- > 0 ? Reply::kFail : Reply::kRight;
  };
  rig.produce(1);
  rig.run_for(60 * kLinkSecond);
  const auto batches = rig.all<BatchFrame>();
  ASSERT_EQ(batches.size(), 3U);
  EXPECT_EQ(batches[0]->message.header.salt, 0U);
  EXPECT_NE(batches[1]->message.header.salt, 0U);
  EXPECT_NE(batches[2]->message.header.salt, 0U);
  EXPECT_NE(batches[1]->message.header.salt, batches[2]->message.header.salt);
  EXPECT_EQ(rig.view().soft, 1U);
  rig.produce(1);
  rig.run_for(kLinkSecond);
  EXPECT_EQ(rig.all<BatchFrame>().back()->message.header.salt, 0U);
}

TEST(Sender, ARefusedGapIsRepeatedWithASaltToo) {
  SenderRig rig;
  rig.store.allow_gap = true;
  std::uint64_t seed = 1;
  rig.store.produce(10, 20, &seed);
  rig.store.trim(1, 5);
  int fails = 1;
  rig.script = [&](const SentFrame& frame) {
    return frame.as<GapFrame>() != nullptr && fails-- > 0 ? Reply::kFail : Reply::kRight;
  };
  rig.start();
  rig.run_for(120 * kLinkSecond);
  const auto gaps = rig.all<GapFrame>();
  ASSERT_EQ(gaps.size(), 2U);
  EXPECT_EQ(gaps[0]->message.header.salt, 0U);
  EXPECT_NE(gaps[1]->message.header.salt, 0U);
}

// ---- beats

TEST(Sender, EveryIdleLaneBeats) {
  SenderRig rig({.lanes = 2});
  rig.start_and_settle();
  rig.run_for(100 * kLinkSecond);
  std::map<LaneId, int> beats;
  for (const SentFrame* beat : rig.all<Beat>()) ++beats[beat->lane];
  EXPECT_GE(beats[0], 8);
  EXPECT_GE(beats[1], 9);
  EXPECT_EQ(rig.link->counters().doubts, 0U);
}

TEST(Sender, ABeatCarriesTheClockAndWhatTheHostSays) {
  SenderRig rig;
  rig.link->set_beat_source([] { return std::string("{\"disk\":1}"); });
  std::int64_t wall = 4710;
  rig.link->set_wall_clock([&wall] { return wall; });
  rig.start_and_settle();
  wall = 4711;  // the clock of the moment, not of the last input
  rig.run_for(11 * kLinkSecond);
  ASSERT_GE(rig.count<Beat>(), 1U);
  EXPECT_EQ(rig.all<Beat>()[0]->as<Beat>()->json, "{\"disk\":1}");
  EXPECT_EQ(rig.all<Beat>()[0]->as<Beat>()->clock_micros, 4711);
}

TEST(Sender, ABeatOfAnotherLaneIsNotTakenForTheAnswerThatControlWaitsFor) {
  SenderRig rig({.lanes = 2, .beat = 1700 * kLinkMillisecond});
  rig.start_and_settle();
  rig.answer_time = 500 * kLinkMillisecond;  // questions take long: lane 1 beats while they do
  for (int i = 0; i < 5; ++i) {
    rig.produce(1);
    rig.run_for(2 * kLinkSecond);
    rig.link->request_confirm(rig.now);
    rig.run_for(20 * kLinkSecond);
  }
  EXPECT_EQ(rig.link->counters().doubts, 0U) << rig.notices;
  EXPECT_EQ(rig.store.confirmed(1), 5U);
}

TEST(Sender, ARefusedBeatIsDoubt) {
  SenderRig rig;
  rig.start_and_settle();
  rig.script = [](const SentFrame& frame) { return reply_to<Beat>(frame, Reply::kFail); };
  rig.run_for(11 * kLinkSecond);
  EXPECT_EQ(rig.link->counters().doubts, 1U);
}

// ---- lanes and the socket

TEST(Sender, LanesAreWrittenOneAfterAnotherInSequenceOrder) {
  SenderRig rig({.lanes = 3});
  rig.store.max_batches = 2;
  rig.start_and_settle();
  rig.auto_written = false;
  rig.answer_time = 100 * kLinkSecond;
  rig.produce(20);
  for (std::size_t n = 1; n <= 3; ++n) {
    const auto batches = rig.all<BatchFrame>();
    ASSERT_EQ(batches.size(), n) << "the next frame starts when the last has left the socket";
    EXPECT_EQ(batches.back()->as<BatchFrame>()->first_seq, 2 * n - 1);
    rig.written(batches.back()->lane);
  }
  EXPECT_EQ(rig.count<BatchFrame>(), 3U) << "window 1 per lane";
}

TEST(Sender, AWindowAllowsSeveralFramesOnALane) {
  SenderRig rig({.window = 4});
  rig.store.max_batches = 1;
  rig.start_and_settle();
  rig.answer_time = kLinkSecond;
  rig.produce(10);
  rig.run_for(100 * kLinkMillisecond);
  EXPECT_EQ(rig.count<BatchFrame>(), 4U);
  rig.run_for(20 * kLinkSecond);
  EXPECT_EQ(rig.view().soft, 10U);
}

TEST(Sender, AnOkOnOneLaneSpeaksForEverythingBefore) {
  SenderRig rig({.lanes = 2});
  rig.store.max_batches = 1;
  rig.start_and_settle();
  rig.script = [](const SentFrame& frame) {
    const auto* batch = frame.as<BatchFrame>();
    return batch != nullptr && batch->first_seq == 1 ? Reply::kNone : Reply::kRight;
  };
  rig.produce(2);
  rig.run_for(100 * kLinkMillisecond);
  EXPECT_EQ(rig.view().soft, 2U);
}

TEST(Sender, TheRateIsThatOfAllLanesTogether) {
  SenderRig rig({.lanes = 3, .wire_limit = 2'000, .rate = 10'000});
  rig.start_and_settle();
  rig.produce(5'000);
  const LinkNanos from = rig.now;
  rig.run_for(20 * kLinkSecond);
  std::size_t bytes = 0;
  for (const SentFrame& frame : rig.sent) bytes += frame.wire_bytes;
  const double seconds = static_cast<double>(rig.now - from) / 1e9;
  EXPECT_LE(static_cast<double>(bytes), 10'000 * seconds + 4'000);
  EXPECT_GE(static_cast<double>(bytes), 9'000 * seconds);
}

// ---- parts

class SenderParts : public testing::Test {
 protected:
  SenderParts() {
    rig.start_and_settle();
    rig.produce(1, 1, 9'000);
    rig.produce(30, 1, 50);
    rig.produce(30, 2, 50);
  }
  SenderRig rig{{.lanes = 2, .wire_limit = 2'000}, 2};
};

TEST_F(SenderParts, KeepTheirLaneWithNothingInBetween) {
  rig.run_for(20 * kLinkSecond);
  const auto parts = rig.all<PartFrame>();
  ASSERT_GE(parts.size(), 5U);
  std::uint32_t offset = 0;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    EXPECT_EQ(parts[i]->lane, parts[0]->lane);
    EXPECT_EQ(parts[i]->message.header.frame_number, parts[0]->message.header.frame_number + i);
    EXPECT_EQ(parts[i]->as<PartFrame>()->offset, offset);
    offset += static_cast<std::uint32_t>(parts[i]->as<PartFrame>()->bytes.size());
  }
  EXPECT_EQ(offset, parts[0]->as<PartFrame>()->total);
  EXPECT_EQ(rig.view(1).soft, 31U);
  EXPECT_EQ(rig.link->counters().doubts, 0U);
}

TEST_F(SenderParts, NothingLaterOfTheirStreamIsSentBeforeTheFinalOneAndOtherStreamsGoOn) {
  rig.run_for(20 * kLinkSecond);
  LinkNanos final_at = 0, first_later = 0, first_other = 0;
  for (const SentFrame& frame : rig.sent) {
    if (const auto* part = frame.as<PartFrame>(); part != nullptr && part->is_final()) final_at = frame.at;
    if (frame.as<BatchFrame>() == nullptr) continue;
    LinkNanos& first = frame.message.header.stream == 1 ? first_later : first_other;
    if (first == 0) first = frame.at;
  }
  EXPECT_GT(first_later, final_at);
  EXPECT_LT(first_other, final_at);
}

TEST_F(SenderParts, EveryFrameOnTheWireIsWithinTheLimit) {
  rig.run_for(20 * kLinkSecond);
  for (const SentFrame& frame : rig.sent) EXPECT_LE(frame.wire_bytes, 2'000U);
}

// ---- the end

TEST(Sender, StopWaitsForTheAnswersThatAreOwed) {
  SenderRig rig;
  rig.start_and_settle();
  rig.answer_time = kLinkSecond;
  rig.produce(1);
  rig.run_for(100 * kLinkMillisecond);
  rig.link->stop(rig.now);
  EXPECT_FALSE(rig.link->stopped());
  rig.produce(5);
  rig.run_for(2 * kLinkSecond);
  EXPECT_TRUE(rig.link->stopped());
  EXPECT_EQ(rig.view().soft, 1U);
  EXPECT_EQ(rig.count<BatchFrame>(), 1U);
}

}  // namespace
}  // namespace tidegate
