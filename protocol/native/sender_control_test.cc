// SPDX-License-Identifier: Apache-2.0
// SenderLink alone: stream hellos, reasons, searches, forks and confirms. One test per rule.
#include <gtest/gtest.h>

#include <set>

#include "protocol/native/sender_control_rig.h"

namespace tidegate {
namespace {

bool is_ask(const SentFrame& frame, Predicate predicate) {
  return frame.as<Ask>() != nullptr && frame.as<Ask>()->predicate == predicate;
}

// ---- confirm

TEST_F(SenderControl, ConfirmIsProvenOnceInEverySessionEvenWhenNothingIsNew) {
  rig.start_and_settle();
  EXPECT_EQ(rig.link->counters().confirms, 1U);
  rig.run_for(300 * kLinkSecond);
  EXPECT_EQ(rig.link->counters().confirms, 1U);
  cut_and_run(rig, 10 * kLinkSecond);
  EXPECT_EQ(rig.link->counters().confirms, 2U);
}

TEST_F(SenderControl, AStreamThatOpensLaterIsProvenInThisSessionToo) {
  rig.start_and_settle();
  rig.store.add_stream(2);
  rig.produce(0);
  rig.run_for(10 * kLinkSecond);
  std::set<StreamId> asked;
  for (const SentFrame& frame : rig.sent)
    if (is_ask(frame, Predicate::kChainAt))
      for (const ChainClaim& claim : frame.as<Ask>()->claims) asked.insert(claim.stream);
  EXPECT_TRUE(asked.contains(2));
}

TEST_F(SenderControl, ConfirmIsAProofOfEightFramesOnOneLane) {
  rig.start();
  rig.produce(3);
  rig.run_for(5 * kLinkSecond);
  std::string pattern;
  std::uint32_t number = 0;
  for (const SentFrame& frame : rig.sent) {
    const bool probe = frame.as<Probe>() != nullptr && frame.message.header.frame_number > 6;
    if (!probe && frame.as<Ask>() == nullptr) continue;
    EXPECT_EQ(frame.lane, 0);
    EXPECT_TRUE(number == 0 || frame.message.header.frame_number == number + 1);
    number = frame.message.header.frame_number;
    pattern += probe ? (frame.as<Probe>()->expect_ok ? '+' : '-') : (frame.as<Ask>()->negated ? '!' : 'q');
  }
  EXPECT_EQ(pattern, "+qq-!q!-");
}

TEST_F(SenderControl, ConfirmIsAskedAboutOnceAMinuteWhileSending) {
  rig.start_and_settle();
  const auto before = rig.link->counters().confirms;
  for (int i = 0; i < 300; ++i) {
    rig.produce(1);
    rig.run_for(kLinkSecond);
  }
  EXPECT_NEAR(static_cast<double>(rig.link->counters().confirms - before), 5, 1);
}

TEST_F(SenderControl, ConfirmIsAskedBeforeATrim) {
  rig.start_and_settle();
  rig.produce(3);
  rig.run_for(kLinkSecond);
  EXPECT_EQ(rig.store.confirmed(1), 0U);
  rig.link->request_confirm(rig.now);
  rig.run_for(2 * kLinkSecond);
  EXPECT_EQ(rig.store.confirmed(1), 3U);
}

TEST_F(SenderControl, AStreamThatGoesWhileItIsAskedAboutDoesNotDisturbTheOthers) {
  rig.store.add_stream(2);
  rig.start_and_settle();
  rig.produce(3, 1);
  rig.produce(3, 2);
  rig.run_for(kLinkSecond);
  rig.script = [this](const SentFrame& frame) {
    if (is_ask(frame, Predicate::kChainAt)) (void)rig.store.ended(2);
    return Reply::kRight;
  };
  rig.link->request_confirm(rig.now);
  rig.run_for(2 * kLinkSecond);
  EXPECT_EQ(rig.store.streams(), std::vector<StreamId>{1});
  EXPECT_EQ(rig.store.confirmed(1), 3U);
  EXPECT_EQ(rig.link->counters().doubts, 0U);
}

TEST_F(SenderControl, ConfirmIsAskedWhen32768AreUnconfirmed) {
  rig.start_and_settle();
  rig.produce(40'000, 1, 1);
  rig.run_for(5 * kLinkSecond);
  EXPECT_GE(rig.store.confirmed(1), 32'768U);
}

TEST_F(SenderControl, NoBatchBeyondConfirmedPlus65536IsSent) {
  rig.start_and_settle();
  rig.script = always<Ask>(Reply::kFail);  // not now, for ever: + and - stay right
  rig.produce(70'000, 1, 1);
  rig.run_for(100 * kLinkSecond);
  EXPECT_EQ(rig.view().soft, kChainWindow);
  rig.script = nullptr;
  rig.run_for(30 * kLinkSecond);
  EXPECT_EQ(rig.view().soft, 70'000U);
}

TEST_F(SenderControl, ConfirmAnsweredNoIsDoubtAndNothingIsConfirmed) {
  rig.start_and_settle();
  rig.produce(5);
  rig.run_for(kLinkSecond);
  rig.far_position[1] = 3;  // it answered ok to what it does not have
  rig.link->request_confirm(rig.now);
  rig.run_for(500 * kLinkMillisecond);
  EXPECT_EQ(rig.state(), LinkState::kDoubt);
  EXPECT_EQ(rig.store.confirmed(1), 0U);
  rig.run_for(90 * kLinkSecond);
  EXPECT_EQ(rig.far_position[1], 5U) << "found by search and sent again";
  EXPECT_EQ(rig.store.confirmed(1), 5U);
}

TEST_F(SenderControl, AProofWithOneWrongAnswerIsDoubt) {
  rig.start_and_settle();
  rig.produce(5);
  rig.run_for(kLinkSecond);
  int asks = 0;
  rig.script = [&](const SentFrame& frame) {
    return frame.as<Ask>() != nullptr && ++asks == 4 ? Reply::kFail : Reply::kRight;
  };
  rig.link->request_confirm(rig.now);
  rig.run_for(500 * kLinkMillisecond);
  EXPECT_EQ(rig.state(), LinkState::kDoubt);
  EXPECT_EQ(rig.store.confirmed(1), 0U);
}

TEST_F(SenderControl, OneQuestionConfirmsAllOpenStreams) {
  SenderRig many({}, 20);
  many.start();
  for (StreamId s = 1; s <= 20; ++s) many.produce(2, s);
  many.run_for(10 * kLinkSecond);
  const auto before = many.link->counters().questions;
  many.link->request_confirm(many.now);
  many.run_for(2 * kLinkSecond);
  for (StreamId s = 1; s <= 20; ++s) EXPECT_EQ(many.store.confirmed(s), 2U);
  EXPECT_LE(many.link->counters().questions - before, 1U);
}

TEST_F(SenderControl, WhereAFrameHoldsTooFewStreamsEachGetsItsTurn) {
  SenderRig many({.wire_limit = 300}, 30);  // nine claims
  many.start();
  for (int i = 0; i < 60; ++i) {
    for (StreamId s = 1; s <= 30; ++s) many.produce(1, s, 20);
    many.link->request_confirm(many.now);
    many.run_for(5 * kLinkSecond);
  }
  for (StreamId s = 1; s <= 30; ++s) EXPECT_GT(many.store.confirmed(s), 40U) << s;
}

TEST_F(SenderControl, TheSenderKeepsToTheRateOfQuestions) {
  rig.script = always<StreamHello>(Reply::kFail);  // for no reason: all eight are asked, in every session
  rig.start();
  rig.run_for(600 * kLinkSecond);
  std::vector<LinkNanos> starts;
  std::optional<Ask> last;
  for (const SentFrame& frame : rig.sent) {
    if (frame.as<Ask>() == nullptr) {
      if (frame.as<Probe>() == nullptr) last.reset();
      continue;
    }
    if (!last || !last->same_question(*frame.as<Ask>())) starts.push_back(frame.at);
    last = *frame.as<Ask>();
  }
  ASSERT_GT(starts.size(), 64U);
  for (std::size_t i = 2; i < starts.size(); ++i) EXPECT_GE(starts[i] - starts[i - 2], kLinkSecond);
  for (std::size_t i = 64; i < starts.size(); ++i) EXPECT_GE(starts[i] - starts[i - 64], 60 * kLinkSecond);
}

// ---- after a doubt

TEST_F(SenderControl, AfterADoubtAPairOnSoftLetsItGoOn) {
  rig.start();
  rig.produce(5);
  rig.run_for(5 * kLinkSecond);
  rig.sent.clear();
  cut_and_run(rig, 1100 * kLinkMillisecond);
  rig.produce(2);
  rig.run_for(2 * kLinkSecond);
  ASSERT_EQ(rig.count<BatchFrame>(), 1U);
  EXPECT_EQ(rig.all<BatchFrame>()[0]->as<BatchFrame>()->first_seq, 6U);
}

TEST_F(SenderControl, AfterADoubtWhatTheReceiverDoesNotHaveIsSearchedAndSentAgain) {
  rig.start();
  rig.produce(50);
  rig.run_for(3 * kLinkSecond);
  rig.sent.clear();
  rig.far_position[1] = 17;
  cut_and_run(rig, 30 * kLinkSecond);
  ASSERT_GE(rig.count<BatchFrame>(), 1U);
  EXPECT_EQ(rig.all<BatchFrame>()[0]->as<BatchFrame>()->first_seq, 18U);
  EXPECT_EQ(rig.far_position[1], 50U);
}

TEST_F(SenderControl, AfterARestartSoftIsConfirmed) {
  with_confirmed(rig, 5);
  rig.produce(4);
  rig.run_for(kLinkSecond);
  rig.sent.clear();
  rig.restart();
  rig.run_for(5 * kLinkSecond);
  ASSERT_GE(rig.count<BatchFrame>(), 1U);
  EXPECT_EQ(rig.all<BatchFrame>()[0]->as<BatchFrame>()->first_seq, 6U);
}

// ---- refused frames

TEST_F(SenderControl, AStreamRefusedThreeTimesWaitsAloneAndTheOthersGoOn) {
  SenderRig two({}, 2);
  two.start_and_settle();
  two.script = always<BatchFrame>(Reply::kFail, 1);
  two.far_reason = Reason::kTooLarge;
  two.produce(1, 1);
  two.run_for(30 * kLinkSecond);
  const auto doubts = two.link->counters().doubts;
  two.produce(50, 2);
  two.run_for(60 * kLinkSecond);
  EXPECT_EQ(two.far_position[2], 50U);
  EXPECT_EQ(two.view(1).state, "waiting");
  EXPECT_LE(two.link->counters().doubts - doubts, 2U) << "its repetitions come rarely";
  EXPECT_TRUE(two.alarmed("larger than the receiver accepts"));
}

TEST_F(SenderControl, ThreeSessionsWithoutAnAnswerCountAsRefusedAndTheReasonIsAsked) {
  rig.start_and_settle();
  rig.script = always<BatchFrame>(Reply::kClose);
  rig.produce(1);
  rig.run_for(40 * kLinkSecond);
  int reasons = 0;
  for (const SentFrame& frame : rig.sent) reasons += is_ask(frame, Predicate::kReason) ? 1 : 0;
  EXPECT_GT(reasons, 0);
  LinkNanos third = rig.all<BatchFrame>().at(2)->at;
  for (const SentFrame& frame : rig.sent) EXPECT_TRUE(!is_ask(frame, Predicate::kReason) || frame.at > third);
}

TEST_F(SenderControl, ARefusedFrameThatDivergedIsAForkAtTheLastCommonBatch) {
  with_confirmed(rig, 10);
  rig.produce(5);
  rig.run_for(kLinkSecond);
  rig.restart();
  rig.far_position[1] = 15;
  rig.far_common[1] = 12;  // 13 to 15 are other content over there
  rig.far_reason = Reason::kDiverged;
  rig.script = [&](const SentFrame& frame) {
    return frame.as<BatchFrame>() != nullptr && rig.far_common.contains(1) ? Reply::kFail : Reply::kRight;
  };
  rig.run_for(60 * kLinkSecond);
  EXPECT_EQ(rig.store.generation(1), 2U);
  EXPECT_EQ(rig.store.base(1), 12U);
  EXPECT_EQ(rig.view().soft, 15U);
  EXPECT_EQ(rig.link->counters().forks, 1U);
}

TEST_F(SenderControl, ARefusedFrameWhoseReceiverIsOnlyBehindIsSentAgainWithoutAFork) {
  with_confirmed(rig, 10);
  rig.far_reason = Reason::kNotContiguous;
  rig.script = [&](const SentFrame& frame) {
    const auto* batch = frame.as<BatchFrame>();
    return batch != nullptr && batch->first_seq > rig.far_position[1] + 1 ? Reply::kFail : Reply::kRight;
  };
  rig.produce(10);
  rig.run_for(kLinkSecond);
  rig.far_position[1] = 14;
  rig.produce(5);
  rig.run_for(60 * kLinkSecond);
  EXPECT_EQ(rig.far_position[1], 25U);
  EXPECT_EQ(rig.store.generation(1), 1U);
}

// The receiver keeps damage for the whole link, so an old one may stand there for ever.
TEST_F(SenderControl, DamageIsAskedOfTheLinkAndBelievedOnceUntilDataIsAccepted) {
  with_confirmed(rig, 10);
  bool refuse = true;
  rig.far_reason = Reason::kDamaged;
  rig.script = [&](const SentFrame& frame) {
    return refuse && frame.as<BatchFrame>() != nullptr ? Reply::kFail : Reply::kRight;
  };
  const auto asked = [&] {
    int count = 0;
    for (const SentFrame& frame : rig.sent)
      if (is_ask(frame, Predicate::kReason) && frame.as<Ask>()->number == 1 && !frame.as<Ask>()->negated) {
        EXPECT_EQ(frame.message.header.stream, 0U);
        ++count;
      }
    return count;
  };
  rig.produce(1);
  rig.run_for(60 * kLinkSecond);
  EXPECT_EQ(asked(), 1);
  refuse = false;
  rig.run_for(120 * kLinkSecond);
  EXPECT_EQ(rig.far_position[1], 11U);
  refuse = true;
  rig.produce(1);
  rig.run_for(60 * kLinkSecond);
  EXPECT_EQ(asked(), 2);
}

// ---- refused hellos

TEST_F(SenderControl, AReceiverThatIsBehindLowersConfirmedWithALedgerNote) {
  with_confirmed(rig, 20);
  rig.far_position[1] = 8;
  rig.far_reason = Reason::kBehind;
  rig.script = [&](const SentFrame& frame) {
    const auto* hello = frame.as<StreamHello>();
    return hello != nullptr && hello->confirmed > rig.far_position[1] ? Reply::kFail : Reply::kRight;
  };
  cut_and_run(rig, 30 * kLinkSecond);
  EXPECT_EQ(rig.far_position[1], 20U);
  EXPECT_EQ(rig.store.generation(1), 1U);
  ASSERT_EQ(rig.store.ledger.size(), 1U);
  EXPECT_EQ(rig.store.ledger[0].kind, "confirmed-moved");
  EXPECT_EQ(rig.store.ledger[0].to, 8U);
}

TEST_F(SenderControl, AHelloThatIsRefusedAgainInTheSessionForks) {
  with_confirmed(rig, 20);
  rig.far_position[1] = 8;
  rig.far_reason = Reason::kDiverged;
  rig.script = [&](const SentFrame& frame) {
    const auto* hello = frame.as<StreamHello>();
    return hello != nullptr && hello->generation == 1 ? Reply::kFail : Reply::kRight;
  };
  cut_and_run(rig, 60 * kLinkSecond);
  EXPECT_EQ(rig.store.generation(1), 2U);
  EXPECT_EQ(rig.store.base(1), 8U);
  EXPECT_EQ(rig.far_position[1], 20U);
}

TEST_F(SenderControl, AtMostEightForksAreMadeInASession) {
  with_confirmed(rig, 5);
  rig.far_reason = Reason::kGeneration;
  rig.script = always<StreamHello>(Reply::kFail);
  cut_and_run(rig, 25 * kLinkSecond);
  while (rig.view().state != "waiting") rig.run_for(5 * kLinkSecond);
  EXPECT_EQ(rig.link->counters().forks, kMaxForksPerSession);
  EXPECT_EQ(rig.store.generation(1), 1U + kMaxForksPerSession);
  EXPECT_TRUE(rig.alarmed("refuses every fork"));
}

TEST_F(SenderControl, AHelloRefusedForNoReasonIsDoubt) {
  rig.start_and_settle();
  rig.script = always<StreamHello>(Reply::kFail);
  cut_and_run(rig, 1200 * kLinkMillisecond);
  rig.run_for(5 * kLinkSecond);
  EXPECT_GE(rig.link->counters().doubts, 2U);
  EXPECT_EQ(rig.store.generation(1), 1U);
}

TEST_F(SenderControl, AHelloRefusedForStorageWaitsAloneWithAnAlarm) {
  rig.start_and_settle();
  rig.far_reason = Reason::kStorage;
  rig.script = always<StreamHello>(Reply::kFail);
  cut_and_run(rig, 30 * kLinkSecond);
  EXPECT_EQ(rig.link->counters().doubts, 1U);
  EXPECT_TRUE(rig.alarmed("disk full or failing"));
}

// ---- the link refused

TEST_F(SenderControl, FencedIsBelievedOnlyWhenProven) {
  rig.far_reason = Reason::kFenced;
  rig.script = always<LinkHello>(Reply::kFail);
  rig.start();
  rig.run_for(20 * kLinkSecond);
  EXPECT_EQ(rig.state(), LinkState::kFenced);
  EXPECT_TRUE(rig.alarmed("taken over"));
  int asks = 0;
  for (const SentFrame& frame : rig.sent)
    asks += is_ask(frame, Predicate::kReason) && frame.as<Ask>()->number == 6 ? 1 : 0;
  EXPECT_EQ(asks, 2 + 5);
  rig.connects.clear();
  rig.run_for(1000 * kLinkSecond);
  EXPECT_TRUE(rig.connects.empty()) << "it needs an operator";
}

TEST_F(SenderControl, FencedByAPairThatTheProofDeniesIsDoubt) {
  int about_fenced = 0;
  rig.script = [&](const SentFrame& frame) {
    if (frame.as<LinkHello>() != nullptr) return Reply::kFail;
    const auto* ask = frame.as<Ask>();
    const bool pair = ask != nullptr && ask->number == 6 && ++about_fenced <= 2;
    return pair ? (ask->negated ? Reply::kFail : Reply::kOk) : Reply::kRight;
  };
  rig.start();
  rig.run_for(1500 * kLinkMillisecond);
  EXPECT_EQ(about_fenced, 2 + 5);
  EXPECT_EQ(rig.state(), LinkState::kDoubt);
}

TEST_F(SenderControl, ALinkRefusedForGoodRaisesTheAlarmAndRetriesOnceAMinute) {
  rig.far_reason = Reason::kWrongReceiver;
  rig.script = always<LinkHello>(Reply::kFail);
  rig.start();
  rig.run_for(300 * kLinkSecond);
  EXPECT_TRUE(rig.alarmed("another receiver than the configured one"));
  EXPECT_LE(rig.connects.size(), 6U);
  EXPECT_GE(rig.connects.size(), 4U);
}

TEST_F(SenderControl, ALaneThatIsRefusedIsNamed) {
  SenderRig two({.lanes = 2});
  two.script = [](const SentFrame& frame) {
    return frame.as<LinkHello>() != nullptr && frame.lane == 1 ? Reply::kFail : Reply::kRight;
  };
  two.start();
  two.run_for(500 * kLinkMillisecond);
  EXPECT_EQ(two.state(), LinkState::kDoubt);
  EXPECT_TRUE(two.noticed("refuses lane 1"));
}

}  // namespace
}  // namespace tidegate
