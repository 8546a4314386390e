// SPDX-License-Identifier: Apache-2.0
// SenderLink alone: gaps, the operator's statements and ask: off. One test per rule.
#include <gtest/gtest.h>

#include "protocol/native/sender_control_rig.h"

namespace tidegate {
namespace {

// ---- gaps

class SenderGaps : public SenderControl {
 protected:
  SenderGaps() {
    std::uint64_t seed = 1;
    rig.store.produce(20, 30, &seed);
    rig.store.trim(1, 8);
    rig.far_position[1] = 0;
  }
};

TEST_F(SenderGaps, WithThePolicyTheyAreDeclaredAfterAProof) {
  rig.store.allow_gap = true;
  rig.start();
  rig.run_for(30 * kLinkSecond);
  const auto gaps = rig.all<GapFrame>();
  ASSERT_EQ(gaps.size(), 1U);
  EXPECT_EQ(gaps[0]->as<GapFrame>()->from, 1U);
  EXPECT_EQ(gaps[0]->as<GapFrame>()->to, 8U);
  EXPECT_EQ(gaps[0]->as<GapFrame>()->previous_chain, *rig.store.chain(1, 0));
  EXPECT_EQ(gaps[0]->as<GapFrame>()->chain_after, *rig.store.chain(1, 8));
  EXPECT_EQ(rig.view().soft, 20U);
  ASSERT_EQ(rig.store.ledger.size(), 1U);
  EXPECT_EQ(rig.store.ledger[0].kind, "gap");
}

TEST_F(SenderGaps, WithoutItTheStreamStopsUntilTheOperatorDeclaresThem) {
  rig.start();
  rig.run_for(30 * kLinkSecond);
  EXPECT_EQ(rig.view().state, "STOPPED: gap");
  EXPECT_TRUE(rig.view().stopped);
  EXPECT_TRUE(rig.alarmed("declare the gap"));
  EXPECT_EQ(rig.count<GapFrame>(), 0U);
  rig.link->declare_gap(1, rig.now);
  rig.run_for(30 * kLinkSecond);
  EXPECT_EQ(rig.count<GapFrame>(), 1U);
  EXPECT_EQ(rig.view().soft, 20U);
}

TEST_F(SenderGaps, AHealthyStreamHasNothingToDeclareAndNothingStaysArmed) {
  SenderRig healthy;
  healthy.start_and_settle();
  EXPECT_FALSE(healthy.link->declare_gap(1, healthy.now));
  std::uint64_t seed = 7;
  healthy.store.produce(20, 30, &seed);
  healthy.store.trim(1, 8);
  healthy.restart();
  healthy.run_for(30 * kLinkSecond);
  EXPECT_EQ(healthy.count<GapFrame>(), 0U);
  EXPECT_EQ(healthy.view().state, "STOPPED: gap");
}

TEST_F(SenderGaps, WhatIsDeclaredIsWhatTheMessageShowed) {
  rig.start();
  rig.run_for(30 * kLinkSecond);
  EXPECT_TRUE(rig.link->declare_gap(1, rig.now));
  rig.store.trim(1, 12);  // more is gone before it is said
  rig.run_for(30 * kLinkSecond);
  EXPECT_EQ(rig.count<GapFrame>(), 0U);
  EXPECT_EQ(rig.view().state, "STOPPED: gap");
}

TEST_F(SenderGaps, AReceiverThatHasThemNeedsNone) {
  rig.far_position[1] = 12;
  rig.start();
  rig.run_for(30 * kLinkSecond);
  EXPECT_EQ(rig.count<GapFrame>(), 0U);
  EXPECT_EQ(rig.view().soft, 20U);
  EXPECT_EQ(rig.all<BatchFrame>().at(0)->as<BatchFrame>()->first_seq, 13U);
}

TEST_F(SenderGaps, AReceiverThatHasOthersThereGetsAFork) {
  rig.far_position[1] = 12;
  rig.far_common[1] = 0;
  rig.store.allow_gap = true;
  rig.start();
  rig.run_for(60 * kLinkSecond);
  EXPECT_EQ(rig.link->counters().forks, 1U);
  EXPECT_EQ(rig.view().soft, 20U);
}

TEST_F(SenderGaps, ABatchThatBecomesUnreadableStopsItsStreamAfterWhatIsBeforeIt) {
  SenderRig r;
  r.start_and_settle();
  r.store.allow_gap = true;
  r.store.damage(1, 6, 7);
  r.store.max_batches = 5;
  r.produce(10);
  r.run_for(60 * kLinkSecond);
  const auto gaps = r.all<GapFrame>();
  ASSERT_EQ(gaps.size(), 1U);
  EXPECT_EQ(gaps[0]->as<GapFrame>()->from, 6U);
  EXPECT_EQ(gaps[0]->as<GapFrame>()->to, 7U);
  EXPECT_EQ(gaps[0]->as<GapFrame>()->reason, static_cast<std::uint8_t>(GapReason::kDamaged));
  EXPECT_EQ(r.view().soft, 10U);
}

TEST_F(SenderGaps, WhatIsStillThereBeforeTheDamageIsSentFirst) {
  SenderRig r;
  r.store.allow_gap = true;
  with_confirmed(r, 15);
  r.produce(10);
  r.run_for(kLinkSecond);
  r.store.damage(1, 26, 30);
  r.produce(10);
  r.far_position[1] = 20;  // rolled back: 21 to 25 can still be given
  cut_and_run(r, 120 * kLinkSecond);
  EXPECT_EQ(r.far_position[1], 35U) << r.notices;
  for (const SentFrame* gap : r.all<GapFrame>()) EXPECT_EQ(gap->as<GapFrame>()->from, 26U);
}

// ---- the operator's statements

TEST_F(SenderControl, TheOperatorsForkIsMadeWhereItIsAsked) {
  with_confirmed(rig, 10);
  EXPECT_TRUE(rig.link->fork_at(1, 4, rig.now).ok());
  rig.run_for(20 * kLinkSecond);
  EXPECT_EQ(rig.store.generation(1), 2U);
  EXPECT_EQ(rig.store.base(1), 4U);
  EXPECT_EQ(rig.far_position[1], 10U);
}

TEST_F(SenderControl, AStreamIsEndedWhenNothingOfItIsOnTheWay) {
  SenderRig two({}, 2);
  two.start_and_settle();
  two.produce(10);
  two.link->end_stream(1, "dropped", two.now);
  two.run_for(5 * kLinkSecond);
  ASSERT_EQ(two.count<End>(), 1U);
  EXPECT_EQ(two.all<End>()[0]->as<End>()->reason, "dropped");
  EXPECT_EQ(two.store.streams(), std::vector<StreamId>{2});
  two.produce(3, 2);
  two.run_for(5 * kLinkSecond);
  EXPECT_EQ(two.far_position[2], 3U);
}

// ---- ask: off

class AskOff : public SenderControl {
 protected:
  AskOff() : off({.ask = AskMode::kOff}, 1) {}
  SenderRig off;
};

TEST_F(AskOff, NothingIsAskedAndConfirmedFollowsSoftWithinASecond) {
  off.start_and_settle();
  off.produce(10);
  off.run_for(1100 * kLinkMillisecond);
  EXPECT_EQ(off.store.confirmed(1), 10U);
  cut_and_run(off, 60 * kLinkSecond);
  EXPECT_EQ(off.count<Ask>(), 0U);
}

TEST_F(AskOff, TheHelloSaysSoftAsConfirmedAndItIsDurableWhenAnswered) {
  off.start_and_settle();
  off.produce(10);
  off.run_for(50 * kLinkMillisecond);
  ASSERT_EQ(off.view().soft, 10U);
  ASSERT_EQ(off.store.confirmed(1), 0U);
  off.sent.clear();
  cut_and_run(off, 1100 * kLinkMillisecond);
  EXPECT_EQ(off.all<StreamHello>().at(0)->as<StreamHello>()->confirmed, 10U);
  EXPECT_EQ(off.store.confirmed(1), 10U);
}

TEST_F(AskOff, AHelloRefusedThreeTimesWhileABeatIsOkIsSaidOnceWithTheLowestChain) {
  off.start_and_settle();
  off.produce(10);
  off.run_for(5 * kLinkSecond);
  off.sent.clear();
  off.far_position[1] = 4;
  off.script = [&](const SentFrame& frame) {
    const auto* hello = frame.as<StreamHello>();
    return hello != nullptr && hello->confirmed > off.far_position[1] ? Reply::kFail : Reply::kRight;
  };
  cut_and_run(off, 60 * kLinkSecond);
  std::vector<Seq> said;
  for (const SentFrame* hello : off.all<StreamHello>()) said.push_back(hello->as<StreamHello>()->confirmed);
  EXPECT_EQ(said, (std::vector<Seq>{10, 10, 10, 0}));
  EXPECT_EQ(off.far_position[1], 10U) << "everything was sent again";
  ASSERT_EQ(off.store.ledger.size(), 1U);
  EXPECT_EQ(off.store.ledger[0].kind, "confirmed-lowered");
}

TEST_F(AskOff, AHelloThatIsRefusedForEverBacksOffToAMinuteWithAnAlarm) {
  off.start_and_settle();
  off.script = always<StreamHello>(Reply::kFail);
  cut_and_run(off, 600 * kLinkSecond);
  EXPECT_TRUE(off.alarmed("the receiver refuses, reason unknown"));
  EXPECT_LE(off.count<StreamHello>(), 4U + 2 * 10U);
  EXPECT_EQ(off.link->counters().doubts, 1U);
}

TEST_F(AskOff, ThreeSessionsWithoutAnAnswerRaiseTheAlarm) {
  off.start_and_settle();
  off.script = always<BatchFrame>(Reply::kClose);
  off.produce(1);
  off.run_for(60 * kLinkSecond);
  EXPECT_TRUE(off.alarmed("reason unknown"));
}

TEST_F(SenderControl, AReceiverThatAnswersNoQuestionsIsToldToTheOperator) {
  rig.start_and_settle();
  EXPECT_TRUE(rig.link->proves());
  rig.script = always<Ask>(Reply::kFail);
  rig.produce(10);
  rig.run_for(120 * kLinkSecond);
  EXPECT_EQ(rig.view().soft, 10U);
  EXPECT_FALSE(rig.link->proves());
  EXPECT_TRUE(rig.alarmed("set `ask` alike on both sides"));
  EXPECT_NE(rig.view().message.find("answers no questions"), std::string::npos);
  rig.script = {};
  rig.run_for(30 * kLinkSecond);
  EXPECT_TRUE(rig.link->proves());
  EXPECT_EQ(rig.view().message, "");
}

TEST_F(AskOff, NoForkAndNoGapWithoutTheOperator) {
  std::uint64_t seed = 1;
  off.store.produce(20, 30, &seed);
  off.store.trim(1, 8);
  off.store.allow_gap = true;
  off.start();
  off.run_for(60 * kLinkSecond);
  EXPECT_EQ(off.count<GapFrame>(), 0U);
  EXPECT_EQ(off.view().state, "STOPPED: gap");
  off.link->declare_gap(1, off.now);
  off.run_for(10 * kLinkSecond);
  EXPECT_EQ(off.count<GapFrame>(), 1U);
  EXPECT_EQ(off.view().soft, 20U);
}

TEST_F(SenderControl, AForkThatCannotBeIsRefusedAndTheLinkGoesOn) {
  with_confirmed(rig, 10);
  EXPECT_FALSE(rig.link->fork_at(1, 99'999'999, rig.now).ok());
  EXPECT_FALSE(rig.link->fork_at(9, 0, rig.now).ok());
  EXPECT_EQ(rig.state(), LinkState::kRun);
  EXPECT_TRUE(rig.link->fork_at(1, 4, rig.now).ok());
  rig.run_for(5 * kLinkSecond);
  EXPECT_EQ(rig.store.base(1), 4U);
  EXPECT_EQ(rig.state(), LinkState::kRun);
}

TEST_F(AskOff, AForkAtZeroByTheOperatorSendsAllThatIsRetainedAgain) {
  off.start_and_settle();
  off.produce(10);
  off.run_for(5 * kLinkSecond);
  off.sent.clear();
  EXPECT_TRUE(off.link->fork_at(1, 0, off.now).ok());
  off.run_for(10 * kLinkSecond);
  ASSERT_GE(off.count<BatchFrame>(), 1U);
  EXPECT_EQ(off.all<BatchFrame>()[0]->as<BatchFrame>()->first_seq, 1U);
  EXPECT_EQ(off.store.generation(1), 2U);
}

}  // namespace
}  // namespace tidegate
