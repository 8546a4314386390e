// SPDX-License-Identifier: Apache-2.0
// ReceiverLink alone: what it answers to questions, how often, and the reason it keeps.
#include <gtest/gtest.h>

#include "protocol/native/receiver_test_rig.h"

namespace tidegate {
namespace {

class ReceiverQuestions : public testing::Test {
 protected:
  // One lane with its link hello answered and stream 1 open, the receiver at `position`.
  void at(Seq position) { rig.with_position(history, position); }

  History history{40};
  ReceiverRig rig;
};

TEST_F(ReceiverQuestions, QuestionsAreAnsweredFromDurableData) {
  at(5);
  rig.auto_sync = false;
  rig.say(1, history.frame(6, 6), 1);
  rig.greet(2, 1);
  EXPECT_FALSE(rig.yes(2, position_at_least(6)));
  EXPECT_TRUE(rig.yes(2, position_at_least(6, true)));
  rig.sync_all();
  EXPECT_TRUE(rig.yes(2, position_at_least(6)));
}

TEST_F(ReceiverQuestions, AQuestionAboutAChainBeyondThePositionIsNo) {
  at(5);
  EXPECT_FALSE(rig.yes(1, history.chain_at(6)));
  EXPECT_TRUE(rig.yes(1, history.chain_at(6, true)));
}

TEST_F(ReceiverQuestions, AQuestionAboutAChainIsYesForOwnAndNoForOtherContent) {
  at(5);
  EXPECT_TRUE(rig.yes(1, history.chain_at(4)));
  EXPECT_FALSE(rig.yes(1, history.chain_at(4, true)));
  const History other = history.branch(3, 5);
  EXPECT_FALSE(rig.yes(1, other.chain_at(4)));
  EXPECT_TRUE(rig.yes(1, other.chain_at(4, true)));
}

TEST_F(ReceiverQuestions, AChainThatIsNotKeptIsFailToTheQuestionAndToItsOpposite) {
  at(5);
  rig.store.streams.at({test_id(2), 1}).chains[3].reset();
  EXPECT_FALSE(rig.yes(1, history.chain_at(3)));
  EXPECT_FALSE(rig.yes(1, history.chain_at(3, true)));
}

TEST_F(ReceiverQuestions, OneQuestionSpeaksOfManyStreams) {
  at(5);
  const History second(3, 2);
  rig.say(1, second.hello(0), 2);
  rig.say(1, second.frame(1, 2), 2);
  Ask both = history.chain_at(5);
  both.claims.push_back({2, 2, second.chain(2)});
  EXPECT_TRUE(rig.yes(1, both));
  both.claims.push_back({2, 3, second.chain(3)});
  EXPECT_FALSE(rig.yes(1, both));
}

TEST_F(ReceiverQuestions, AStreamNotYetKnownHasPositionZeroAndItsChainZero) {
  rig.greet(1);
  EXPECT_TRUE(rig.yes(1, position_at_least(0), 9));
  EXPECT_FALSE(rig.yes(1, position_at_least(1), 9));
  EXPECT_TRUE(rig.yes(1, History(0, 9).chain_at(0, false, 9), 9));
}

TEST_F(ReceiverQuestions, AskOffIsFailToEveryQuestionAndToItsOpposite) {
  ReceiverRig off({.ask = AskMode::kOff});
  off.with_position(history, 3);
  for (const bool negated : {false, true}) {
    EXPECT_FALSE(off.yes(1, position_at_least(1, negated)));
    EXPECT_FALSE(off.yes(1, history.chain_at(1, negated)));
  }
}

TEST_F(ReceiverQuestions, RoomIsAnsweredInDiagnosticsOnly) {
  Ask room{Predicate::kRoomAtLeast, false, 20, {}};
  at(0);
  EXPECT_FALSE(rig.yes(1, room));
  room.negated = true;
  EXPECT_FALSE(rig.yes(1, room));
  ReceiverRig open({.ask = AskMode::kDiagnostics});
  open.greet(1);
  room.negated = false;
  EXPECT_TRUE(open.yes(1, room));
  room.number = 21;
  EXPECT_FALSE(open.yes(1, room));
  room.negated = true;
  EXPECT_TRUE(open.yes(1, room));
  room.number = 64;
  EXPECT_FALSE(open.yes(1, room));
}

TEST_F(ReceiverQuestions, AnUnknownPredicateIsFailBothWays) {
  at(0);
  EXPECT_FALSE(rig.yes(1, {static_cast<Predicate>(77), false, 0, {}}));
  EXPECT_FALSE(rig.yes(1, {static_cast<Predicate>(77), true, 0, {}}));
}

TEST_F(ReceiverQuestions, AboveTheRateAnswersAreLateAndNeverFalse) {
  at(5);
  for (Seq n = 1; n <= 4; ++n) rig.say(1, position_at_least(n), 1);
  EXPECT_EQ(rig.answers(1), "oo") << "two in a second";
  rig.run_for(kLinkSecond);
  EXPECT_EQ(rig.answers(1), "oooo");
}

TEST_F(ReceiverQuestions, AtMost64QuestionsAMinuteAreAnswered) {
  at(5);
  for (Seq n = 0; n < 70; ++n) {
    rig.say(1, position_at_least(n), 1);
    rig.run_for(600 * kLinkMillisecond);
  }
  EXPECT_EQ(rig.answers(1).size(), 64U);
  rig.run_for(60 * kLinkSecond);
  EXPECT_EQ(rig.answers(1).substr(0, 70), "oooooo" + std::string(64, 'f'));
}

TEST_F(ReceiverQuestions, APairAndAProofCountAsOneQuestionEach) {
  at(5);
  const Ask q = position_at_least(3), not_q = position_at_least(3, true);
  rig.say(1, q, 1);
  rig.say(1, not_q, 1);
  EXPECT_EQ(rig.link.counters().questions, 1U);
  rig.run_for(2 * kLinkSecond);
  rig.forget_answers(1);
  for (const StepKind step : question_steps(QuestionKind::kProof)) {
    if (step == StepKind::kProbeOk || step == StepKind::kProbeFail)
      rig.say(1, Probe{step == StepKind::kProbeOk});
    else
      rig.say(1, step == StepKind::kAsk ? q : not_q, 1);
  }
  EXPECT_EQ(rig.answers(1), "oooffoff");
  EXPECT_EQ(rig.link.counters().questions, 2U);
}

TEST_F(ReceiverQuestions, TheSameQuestionAskedAgainIsAnotherQuestion) {
  at(5);
  for (int i = 0; i < 5; ++i) {
    rig.say(1, position_at_least(6), 1);
    rig.say(1, position_at_least(6, true), 1);
  }
  EXPECT_EQ(rig.link.counters().questions, 5U);
  EXPECT_EQ(rig.answers(1), "fofo") << "the third waits";
}

TEST_F(ReceiverQuestions, TheRateOfOneSenderDoesNotDelayAnother) {
  at(5);
  for (Seq n = 1; n <= 4; ++n) rig.say(1, position_at_least(n), 1);
  rig.connect(2);
  LinkHello other = ReceiverRig::link_hello();
  other.sender = test_id(0x61);
  other.journal = test_id(0x62);
  rig.say(2, other);
  rig.say(2, position_at_least(0), 1);
  EXPECT_EQ(rig.answers(2), "oo");
}

TEST_F(ReceiverQuestions, TheReasonIsKeptAcrossSessionsUntilDataIsAccepted) {
  at(5);
  rig.say(1, history.frame(9, 9), 1);
  rig.greet(2, 2);
  EXPECT_TRUE(rig.yes(2, reason_is(Reason::kNotContiguous)));
  EXPECT_FALSE(rig.yes(2, reason_is(Reason::kNotContiguous), 2)) << "it belongs to its stream";
  rig.say(2, history.hello(5), 1);
  EXPECT_TRUE(rig.yes(2, reason_is(Reason::kNotContiguous)));
  rig.say(2, history.frame(6, 6), 1);
  EXPECT_TRUE(rig.yes(2, reason_is(Reason::kNone)));
}

TEST_F(ReceiverQuestions, AGapThatIsThereAlreadyClearsTheReasonToo) {
  at(5);
  rig.say(1, history.frame(9, 9), 1);
  rig.open(2, history, 5, 2);
  rig.say(2, history.gap(5, 5), 1);
  EXPECT_TRUE(rig.yes(2, reason_is(Reason::kNone)));
}

TEST_F(ReceiverQuestions, TheReasonOfADamagedFrameIsKeptOnStreamZero) {
  at(5);
  Bytes wire = rig.wire_of(1, history.frame(6, 6), 1);
  wire.back() ^= 1;
  rig.bytes(1, wire);
  rig.greet(2, 2);
  EXPECT_TRUE(rig.yes(2, reason_is(Reason::kDamaged), 0));
  EXPECT_TRUE(rig.yes(2, reason_is(Reason::kNone), 1));
}

}  // namespace
}  // namespace tidegate
