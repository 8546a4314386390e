// SPDX-License-Identifier: Apache-2.0
// SenderLink and ReceiverLink face to face over a perfect wire, with stores in memory.
#include <gtest/gtest.h>

#include "protocol/native/link_test_rig.h"

namespace tidegate {
namespace {

TEST(Link, BatchesArriveInOrderAndAreConfirmed) {
  LinkRig rig;
  rig.produce(100);
  rig.run_for(70 * kLinkSecond);  // confirmed once a minute
  EXPECT_EQ(rig.far_position(), 100U);
  EXPECT_EQ(rig.sender_store.confirmed(1), 100U);
  EXPECT_EQ(rig.sender->state(), LinkState::kRun);
  EXPECT_EQ(rig.sender->counters().doubts, 0U);
}

TEST(Link, SeveralLanesCarryOneStream) {
  LinkRig rig({.lanes = 3});
  rig.produce(500);
  rig.run_for(5 * kLinkSecond);
  EXPECT_EQ(rig.far_position(), 500U);
  EXPECT_EQ(rig.sender->counters().doubts, 0U);
}

TEST(Link, ABatchLargerThanAFrameCrossesInParts) {
  LinkRig rig({.wire_limit = 2000});
  rig.produce(2, 10'000);
  rig.run_for(5 * kLinkSecond);
  EXPECT_EQ(rig.far_position(), 2U);
  EXPECT_GT(rig.sender->counters().parts, 8U);
  EXPECT_EQ(rig.sender->counters().doubts, 0U);
}

TEST(Link, WithoutQuestionsConfirmedFollowsSoft) {
  LinkRig rig({.ask = AskMode::kOff});
  rig.produce(10);
  rig.run_for(3 * kLinkSecond);
  EXPECT_EQ(rig.sender_store.confirmed(1), 10U);
  EXPECT_EQ(rig.sender->counters().questions, 0U);
}

TEST(Link, AnIdleLinkBeatsAndStaysInOneSession) {
  LinkRig rig;
  rig.run_for(200 * kLinkSecond);
  EXPECT_EQ(rig.sender->counters().sessions, 1U);
  EXPECT_EQ(rig.sender->counters().doubts, 0U);
  EXPECT_EQ(rig.receiver->senders().size(), 1U);
}

TEST(Link, AfterACutEverythingIsSentAgainFromSoft) {
  LinkRig rig;
  rig.produce(10);
  rig.run_for(2 * kLinkSecond);
  rig.cut();
  rig.produce(10);
  rig.run_for(10 * kLinkSecond);
  EXPECT_EQ(rig.far_position(), 20U);
  EXPECT_EQ(rig.sender->counters().sessions, 2U);
}

TEST(Link, AReceiverThatLostItsTailGetsItAgain) {
  LinkRig rig;
  rig.produce(20);
  rig.run_for(100 * kLinkSecond);
  ASSERT_EQ(rig.sender_store.confirmed(1), 20U);
  rig.cut();
  rig.receiver_store.roll_back(rig.journal(), 1, 7);
  rig.run_for(120 * kLinkSecond);
  EXPECT_EQ(rig.far_position(), 20U) << rig.sender->message();
}

TEST(Link, ARolledBackSenderForksAndNothingOfEitherBranchIsLost) {
  LinkRig rig;
  rig.produce(20);
  rig.run_for(100 * kLinkSecond);
  rig.cut();
  rig.sender_store.roll_back(1, 12);
  rig.restart_sender();
  rig.produce(15);
  rig.run_for(200 * kLinkSecond);
  EXPECT_EQ(rig.sender_store.generation(1), 2U) << rig.sender->message();
  EXPECT_EQ(rig.far_position(), 27U);
  EXPECT_EQ(rig.receiver_store.stored.size(), 20U + 15U);
}

TEST(Link, AReceiverBehindATrimmedSenderGetsAGap) {
  LinkRig rig;
  rig.sender_store.allow_gap = true;
  rig.produce(20);
  rig.run_for(100 * kLinkSecond);
  rig.sender_store.trim(1, 10);
  rig.cut();
  rig.receiver_store.roll_back(rig.journal(), 1, 5);
  rig.run_for(300 * kLinkSecond);
  EXPECT_EQ(rig.far_position(), 20U) << rig.sender->message();
  ASSERT_EQ(rig.receiver_store.gaps.size(), 1U);
  EXPECT_EQ(rig.receiver_store.gaps[0].from, 6U);
  EXPECT_EQ(rig.receiver_store.gaps[0].to, 10U);
}

TEST(Link, InvertedPolarityIsNamedAndNothingIsSent) {
  LinkRig rig({.invert_answers = true});
  rig.produce(3);
  rig.run_for(5 * kLinkSecond);
  EXPECT_EQ(rig.far_position(), 0U);
  EXPECT_NE(rig.notices.find("polarity"), std::string::npos);
}

}  // namespace
}  // namespace tidegate
