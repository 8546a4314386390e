// SPDX-License-Identifier: Apache-2.0
// The findings F1 to F26 of doc/failures.md that concern the link and the journals, each as a scripted bad
// day.
#include "tests/sim/scenario_rig.h"

namespace tidegate::sim {
namespace {

// ---- F1
TEST_F(Scenario, F1_ASenderThatWasRolledBackForksAndNothingIsLost) {
  produce_and_settle(50);
  const auto image = sender().image();
  produce_and_settle(50);
  sender().roll_back(image, kSecond);
  run(5);
  produce(30);
  settle();
  EXPECT_GE(generation(), 2U);
  EXPECT_EQ(far().position, 80U);
  EXPECT_EQ(ledger(ledger_kind::kFork), 1U);
}

TEST_F(Scenario, F1_ASenderThatProducedMoreThanItHadBeforeReconnectingIsStillRecognised) {
  produce_and_settle(50);
  const auto image = sender().image();
  produce_and_settle(20);
  device().faults.down = true;
  sender().roll_back(image, kSecond);
  run(5);
  produce(200);
  run(30);
  device().faults.down = false;
  settle();
  EXPECT_EQ(far().position, 250U);
  EXPECT_EQ(ledger(ledger_kind::kFork), 1U);
}

// ---- F2
TEST_F(Scenario, F2_AReceiverThatIsNotThereYetIsNotTakenForOneThatLostItsData) {
  produce_and_settle(100);
  for (int i = 0; i < 5; ++i) {
    receiver().power_cut(30 * kSecond);
    run(50);
  }
  settle();
  EXPECT_EQ(generation(), 1U);
  EXPECT_EQ(view().confirmed, 100U);
  EXPECT_EQ(counters().forks, 0U);
}

TEST_F(Scenario, F2_AnswersThatAreAlwaysOkProveNothing) {
  produce_and_settle(20);
  receiver().crash(1000 * kSecond);
  device().faults.buffers = true;
  device().faults.answers_itself = true;
  produce(40);
  run(600);
  EXPECT_FALSE(running());
  EXPECT_EQ(view().confirmed, 20U);
}

// ---- F3
TEST_F(Scenario, F3_AByteThatTheDeviceMakesReleasesNothing) {
  sender().setup().journal.window = {0, 20};
  produce_and_settle(20);
  device().faults.answers_itself = true;  // in the middle of a calibrated session
  produce(200, 400);
  run(8 * 3600);
  EXPECT_LE(view().confirmed, far().position);
  EXPECT_LE(view().trimmed, far().position);
}

// ---- F4
TEST_F(Scenario, F4_SeveralSendersHaveTheirOwnNumbersAndChains) {
  for (int i = 1; i < 3; ++i) {
    setup.senders.push_back(setup.senders.front());
    setup.senders.back().number = i;
    setup.senders.back().sender_id.bytes.fill(static_cast<std::uint8_t>(i + 1));
  }
  for (int round = 0; round < 20; ++round) {
    for (std::size_t i = 0; i < 3; ++i) sender(i).produce(static_cast<std::uint32_t>(i + 1), 100);
    run(2);
  }
  settle();
  for (std::size_t i = 0; i < 3; ++i)
    EXPECT_EQ(receiver().position(*sender(i).journal_id(), 1).position, 20 * (i + 1));
}

// ---- F5
TEST_F(Scenario, F5_ABatchLargerThanAFrameCrossesInParts) {
  produce_and_settle(20, 60'000);
  EXPECT_GT(counters().parts, 20U);
  EXPECT_EQ(far().position, 20U);
}

TEST_F(Scenario, F5_ALowerFrameLimitWithABacklogDoesNotStopTheStream) {
  device().faults.down = true;
  device().cut_all(true);
  produce(30, 7000);
  run(10);
  sender().setup().link.wire_limit = 600;
  sender().crash(kSecond);
  device().faults.down = false;
  settle();
  EXPECT_GT(counters().parts, 30U);
  EXPECT_EQ(far().position, 30U);
}

// ---- F6
TEST_F(Scenario, F6_ABatchThatCameOnALostConnectionIsAnsweredOnlyWhenItIsSynced) {
  setup.receiver.sync_time = 4 * kSecond;
  w();
  for (int i = 0; i < 10; ++i) {
    produce(10);
    run(0.1);
    device().cut_all(true);
    run(1.2 + i * 0.3);
    receiver().power_cut(kSecond);
    run(20);
  }
  settle();
}

TEST_F(Scenario, F6_WhatARestartedReceiverReadsBackIsSyncedBeforeItIsPublished) {
  setup.receiver.sync_time = kSecond;
  w();
  for (int i = 0; i < 10; ++i) {
    produce(10);
    run(0.5);  // appended, not synced
    receiver().crash(kSecond / 2);
    run(2 + i * 0.4);
    receiver().power_cut(kSecond);
    run(10);
  }
  settle();
}

TEST_F(Scenario, F6_AFailedSyncIsNotBelievedWhenItIsRepeated) {
  w();
  for (int i = 0; i < 10; ++i) {
    receiver().files().inject({.kind = EffectKind::kSync, .lose_unsynced = true});
    produce(10);
    run(20);
    receiver().power_cut(kSecond);
    run(20);
  }
  settle();
}

// ---- F7
TEST_F(Scenario, F7_AReceiverBehindATrimmedSenderStopsTheStreamUntilTheGapIsDeclared) {
  produce_and_settle(300);
  release();
  const Seq trimmed = view().trimmed;
  receiver().replace_disk(kSecond);
  run(60);
  EXPECT_TRUE(view().stopped);
  EXPECT_NE(view().message.find("declare the gap"), std::string::npos);
  sender().declare_gap(1);
  settle();
  EXPECT_EQ(far().position, 300U);
  EXPECT_EQ(ledger(ledger_kind::kGap), 1U);
  EXPECT_EQ(receiver().state().far_stream(journal(), 1)->gaps.front().to, trimmed);
}

TEST_F(Scenario, F7_WithThePolicyToDeclareItGoesOnByItself) {
  setup.senders.front().declare_gaps = true;
  produce_and_settle(300);
  release();
  receiver().replace_disk(kSecond);
  settle();
  EXPECT_EQ(w().operator_actions, 0U);
  EXPECT_EQ(ledger(ledger_kind::kGap), 1U);
}

// ---- F8
TEST_F(Scenario, F8_PositionsSurviveAFarJournalThatHasBeenTrimmed) {
  setup.receiver.trims = true;
  setup.receiver.journal.window = {0, 20};
  produce_and_settle(300);
  run(600);
  receiver().crash(kSecond);
  settle();
  EXPECT_EQ(far().position, 300U);
  EXPECT_EQ(counters().resent_batches, 0U);
  EXPECT_EQ(counters().forks, 0U);
}

// ---- F11
TEST_F(Scenario, F11_AFullReceiverBlocksTheProducersAndNothingIsDropped) {
  setup.senders.front().journal.quota_bytes = 60'000;
  w();
  receiver().files().set_capacity(receiver().files().used() + 1000);
  produce(400, 400);
  run(1800);
  EXPECT_GT(sender().backlog(), 0U) << "the producers should wait";
  EXPECT_LT(far().position, view().head);
  receiver().files().set_capacity(1ULL << 50);
  sender().setup().journal.window = {0, 20};
  sender().crash(kSecond);
  settle(6 * 3600 * kSecond);
  EXPECT_EQ(sender().backlog(), 0U);
  EXPECT_EQ(far().position, 400U);
}

TEST_F(Scenario, F11_AFullQuotaComesFreeByItselfLongBeforeTheSafetyWindowIsOver) {
  setup.senders.front().journal = {.segment_bytes = 24 << 10, .quota_bytes = 150'000, .window = {}};
  w();
  device().faults.down = true;
  produce(400, 2000);
  run(60);
  EXPECT_GT(sender().refusals(), 0U);
  EXPECT_GT(sender().backlog(), 0U);
  device().faults.down = false;
  settle(2 * 3600 * kSecond);
  EXPECT_EQ(far().position, 400U);
  EXPECT_GT(sender().trims_by_share(), 0U);
  EXPECT_EQ(w().operator_actions, 0U);
}

TEST_F(Scenario, F11_AFullFarQuotaIsRefusedAndComesFreeWhenTheSinksHaveTheData) {
  setup.receiver.journal = {.segment_bytes = 24 << 10, .quota_bytes = 150'000, .window = {}};
  setup.receiver.trims = true;
  w();
  produce(400, 2000);
  run(60);
  EXPECT_LT(far().position, 400U);
  settle(2 * 3600 * kSecond);
  EXPECT_EQ(far().position, 400U);
  EXPECT_EQ(w().operator_actions, 0U);
}

// ---- F15
TEST_F(Scenario, F15_OfTwoTwinsOneIsFencedAndOnlyAnOperatorEndsIt) {
  produce_and_settle(50);
  w().add_twin(sender(), sender().image());
  run(5);
  sender(1).produce(20, 100);
  produce(20);
  run(300);
  EXPECT_NE(sender(0).fenced(), sender(1).fenced()) << "exactly one stops";
  const auto stays = sender(0).fenced() ? 0 : 1;
  run(3600);
  EXPECT_TRUE(sender(stays).fenced()) << "it does not fork by itself";
}

// ---- F17
TEST_F(Scenario, F17_WhatTheReceiverHadNotSyncedWhenThePowerWentIsCutAndComesAgain) {
  setup.receiver.sync_time = kSecond;
  w();
  for (int i = 0; i < 10; ++i) {
    produce(20, 800);
    run(0.4);  // appended, not synced
    receiver().power_cut(kSecond);
    run(10);
  }
  settle();
  EXPECT_GT(receiver().torn_bytes(), 0U);
  EXPECT_EQ(receiver().damaged_ranges(), 0U) << "a torn tail is not damage";
  EXPECT_EQ(far().position, 200U);
}

TEST_F(Scenario, F17_WhatASenderWasWritingWhenItDiedIsCutAndNothingAcknowledgedIsMissing) {
  w();
  for (std::uint64_t effect = 1; effect <= 12; ++effect) {
    sender().crash_at_effect(effect, kSecond);
    w().at(w().queue.now(), [this] { produce(6, 800); });  // as an event: it kills the process
    run(10);
  }
  settle();
  EXPECT_GT(sender().torn_bytes(), 0U);
  EXPECT_EQ(sender().damaged_ranges(), 0U) << "a torn tail is not damage";
}

// Where the bit hits nothing but a note there is nothing to declare: so several boxes.
TEST_F(Scenario, F17_DamageBelowAMarkIsToldAndDeclaredInTheFarLedger) {
  setup.senders.front().declare_gaps = true;
  std::uint64_t told = 0;
  std::size_t declared = 0;
  for (std::uint64_t box = 1; box <= 8; ++box) {
    setup.seed = box;
    produce_and_settle(100);
    receiver().replace_disk(kSecond);  // so that everything is read again
    ASSERT_TRUE(sender().rot());
    sender().power_cut(kSecond);
    settle();
    told += sender().damaged_ranges();
    declared += ledger(ledger_kind::kGap);
    finish();
    again();
  }
  EXPECT_GT(told, 0U);
  EXPECT_GT(declared, 0U);
}

// ---- F20
TEST_F(Scenario, F20_EveryAnswerTravelsAlone) {
  link().lanes = 4;
  link().window = 2;
  setup.device.delay = 50 * kMillisecond;
  for (int i = 0; i < 40; ++i) {
    produce(50, 600);
    run(1);
  }
  settle();  // a second byte before the first is acknowledged is a violation of its own
  EXPECT_GT(counters().answers_ok, 60U);
}

// ---- F21
TEST_F(Scenario, F21_ALaneThatDiesDoesNotStallTheOthers) {
  link().lanes = 4;
  w();
  for (int i = 0; i < 10; ++i) {
    device().once.cut_in_frame = 1;
    produce(100, 900);
    const Seq head = view().head;
    run(60);
    EXPECT_GE(view().soft, head) << "round " << i;
  }
}

// ---- F22
TEST_F(Scenario, F22_AHalfUsedPooledConnectionIsClosedAndUsedNoMore) {
  setup.device.rate = 200'000;
  w();
  device().faults.pools = true;
  for (int i = 0; i < 5; ++i) {
    device().once.lose_bytes = 1;
    produce(5, 6000);
    run(0.03);
    sender().crash(kSecond);
    run(90);
    EXPECT_TRUE(running()) << "round " << i;
  }
  settle();
}

// ---- F23
TEST_F(Scenario, F23_AnAnswerTimeoutThatIsTooShortIsNotALivelock) {
  link().answer_timeout_base = kSecond;
  setup.receiver.sync_time = 3 * kSecond;
  produce_and_settle(100, 400);
  EXPECT_EQ(far().position, 100U);
}

TEST_F(Scenario, F23_ASyncLongerThanTheHandshakeTimeoutIsWaitedForByHellosAndQuestionsToo) {
  setup.receiver.sync_time = 6 * kSecond;
  ASSERT_GT(setup.receiver.sync_time, link().handshake_timeout);
  link().answer_timeout_base = 30 * kSecond;
  produce_and_settle(100, 400);
  EXPECT_EQ(view().confirmed, 100U);
  EXPECT_EQ(counters().doubts, 0U);
}

TEST_F(Scenario, F23_AQuestionBehindABigFrameOnASlowDeviceIsWaitedFor) {
  link().lanes = 2;
  link().beat = setup.receiver.link.beat = 19 * kSecond;
  link().wire_limit = setup.receiver.link.wire_limit = 1'000'000;
  setup.device.rate = 150'000;
  for (int i = 0; i < 10; ++i) {
    produce(30, 200'000);
    run(3);
    sender().confirm_and_trim();
    run(40);
  }
  settle();
  EXPECT_EQ(view().confirmed, 300U);
  EXPECT_EQ(counters().doubts, 0U);
}

// ---- F25
TEST_F(Scenario, F25_TheReasonOfARefusalIsAskedAndSaid) {
  w();
  receiver().files().set_capacity(receiver().files().used() + 500);
  produce(200, 400);
  bool said = false;
  for (int i = 0; i < 60 && !said; ++i) {
    run(1);
    said = view().message.find("cannot store") != std::string::npos;
  }
  EXPECT_TRUE(said) << view().message;
  EXPECT_EQ(counters().forks, 0U);
}

// ---- F26
TEST_F(Scenario, F26_AByteThatNobodyAskedForEndsTheSession) {
  produce_and_settle(10);
  const std::uint64_t doubts = counters().doubts;
  ASSERT_TRUE(device().invent_answer(0x00));
  EXPECT_EQ(counters().doubts, doubts + 1);
  settle();
  ASSERT_TRUE(device().invent_answer(0x1C));
  EXPECT_EQ(counters().doubts, doubts + 2);
}

TEST_F(Scenario, F26_AnOkThatIsLostOnTheWayIsHarmless) {
  link().lanes = 2;
  w();
  for (int i = 0; i < 10; ++i) {
    produce(30, 800);
    run(0.02);
    device().faults.reset_overtakes = true;
    device().once.flip_bits = 1;
    run(30);
  }
}

}  // namespace
}  // namespace tidegate::sim
