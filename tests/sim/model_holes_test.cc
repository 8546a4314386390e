// SPDX-License-Identifier: Apache-2.0
// The holes L1 to L15 of doc/failures.md: schedules that an earlier set of rules did not survive.
#include "tests/sim/scenario_rig.h"

namespace tidegate::sim {
namespace {

TEST_F(Scenario, L1_APolarityThatTurnsWhileTheSenderSearchesProvesNothing) {
  for (std::uint32_t turn = 1; turn <= 120; turn += 7) {
    setup.seed = turn;
    produce_and_settle(60);
    receiver().replace_disk(kSecond);
    produce(40);
    run(3);
    device().once.invert_after = turn;
    run(300);
    EXPECT_LE(view().confirmed, std::max<Seq>(60, far().position)) << "turned at answer " << turn;
    finish();
    again();
  }
}

TEST_F(Scenario, L2_FreshConnectionsDoNotBecomeHalfUsedForEver) {
  link().lanes = 3;
  w();
  device().faults.pools = true;
  device().once.cut_in_frame = 1;
  produce(60, 900);
  run(0.02);
  sender().crash(kSecond);
  run(200);
  EXPECT_TRUE(running()) << "3 silent beats are shorter than the longest quiet time";
  settle();
}

TEST_F(Scenario, L3_ALostFarJournalIsNoticedThoughTheRefusalOfTheHelloWasTurned) {
  for (std::uint32_t turned = 1; turned <= 24; ++turned) {
    setup.seed = turned;
    produce_and_settle(30);
    receiver().replace_disk(kSecond);
    device().once.flip_answer = turned;
    run(300);
    EXPECT_EQ(far().position, 30U) << "answer " << turned << " was turned";
    finish();
    again();
  }
}

TEST_F(Scenario, L4_AReceiverRestoredToBeforeTheForkIsForkedAgainFurtherDown) {
  produce_and_settle(50);
  const auto far_image = receiver().image();
  produce_and_settle(10);
  const auto image = sender().image();
  produce_and_settle(10);
  sender().roll_back(image, kSecond);
  run(5);
  produce(20);
  settle();
  ASSERT_GE(generation(), 2U);
  receiver().roll_back(far_image, kSecond);
  settle();
  EXPECT_EQ(far().position, 80U);
}

TEST_F(Scenario, L5_ASenderRolledBackBehindTheChainsThatAreKeptStillFindsACommonBatch) {
  setup.senders.front().journal.segment_bytes = setup.receiver.journal.segment_bytes = 256 << 10;
  link().wire_limit = setup.receiver.link.wire_limit = 200'000;
  setup.receiver.trims = true;
  setup.receiver.journal.window = {0, 20};
  produce_and_settle(50, 20);
  const auto image = sender().image();
  for (int i = 0; i < 70; ++i) {
    produce(1000, 20);
    run(20);
  }
  settle();
  run(300);
  sender().roll_back(image, kSecond);
  run(5);
  produce(20, 20);
  settle();
  EXPECT_EQ(far().position, 70U);
}

TEST_F(Scenario, L6_WithoutQuestionsAnInventedOkIsFoundByTheNextHello) {
  link().ask = AskMode::kOff;
  link().window = 2;
  setup.device.rate = 50'000;
  for (int i = 0; i < 20; ++i) {
    setup.seed = static_cast<std::uint64_t>(i);
    produce(40, 900);
    run(0.05 + 0.02 * i);
    device().invent_answer(0x00);
    device().once.lose_bytes = 1;
    run(100);
    finish();
    again();
  }
}

TEST_F(Scenario, L7_ARefusalThatNeverArrivesIsStillActedOn) {
  produce_and_settle(50);
  const auto image = sender().image();
  produce_and_settle(50);
  device().faults.down = true;
  sender().roll_back(image, kSecond);
  run(5);
  produce(80);
  run(5);
  device().faults.down = false;
  run(10);
  w().operate();  // fenced by its old session: adopted
  device().faults.reset_overtakes = true;
  settle();
  EXPECT_EQ(far().position, 130U);
}

TEST_F(Scenario, L8_ARefusedTwinDoesNotClimbAboveTheFence) {
  link().ask = AskMode::kOff;
  produce_and_settle(50);
  w().add_twin(sender(), sender().image());
  run(10);
  const std::uint64_t before = sender(0).store()->session();
  run(3600);
  const std::uint64_t most = std::max(sender(0).store()->session(), sender(1).store()->session());
  EXPECT_LE(most, before + 4) << "they evict each other";
}

TEST_F(Scenario, L9_NumbersNeverChangeWhenTheReceiverIsFarBehind) {
  setup.senders.front().declare_gaps = true;
  produce_and_settle(40);
  const auto far_image = receiver().image();
  produce_and_settle(300);
  release();
  ASSERT_GT(view().trimmed, 40U);
  receiver().roll_back(far_image, kSecond);
  settle();
  const auto gap = receiver().state().far_stream(journal(), 1)->gaps.front();
  EXPECT_EQ(gap.position_before, 40U);
  EXPECT_EQ(gap.from, 1U) << "the chain of 40 is not known any more: the last common batch is 0";
  EXPECT_EQ(far().position, 340U);
}

TEST_F(Scenario, L10_AGapIsFinalThoughAnOldDiskBringsTheContentBack) {
  setup.senders.front().declare_gaps = true;
  produce_and_settle(300);
  const auto image = sender().image();
  release();
  receiver().replace_disk(kSecond);
  settle();
  ASSERT_EQ(ledger(ledger_kind::kGap), 1U);
  sender().roll_back(image, kSecond);
  settle();
  produce(10);
  settle();
  EXPECT_EQ(far().position, 310U);
  EXPECT_EQ(ledger(ledger_kind::kGap), 1U);
}

TEST_F(Scenario, L11_ATrimBeyondConfirmedOfAnOpenStreamEndsInAGapAndNotInSilence) {
  produce_and_settle(50);
  device().faults.stalls = true;
  produce(300);
  run(5);
  sender().trim_by_force(200);
  device().faults.stalls = false;
  settle();
  EXPECT_EQ(far().position, 350U);
  EXPECT_EQ(ledger(ledger_kind::kGap), 1U);
}

TEST_F(Scenario, L12_NothingIsSentBeyondTheChainsThatTheReceiverKeeps) {
  setup.senders.front().journal.segment_bytes = setup.receiver.journal.segment_bytes = 1 << 20;
  link().wire_limit = setup.receiver.link.wire_limit = 200'000;
  setup.receiver.link.ask = AskMode::kOff;  // so that nothing can be confirmed
  for (int i = 0; i < 67; ++i) {
    produce(1000, 16);
    run(20);
  }
  run(600);
  EXPECT_LE(far().position, kChainWindow);
  EXPECT_GT(far().position, kChainWindow - 1000);
  receiver().setup().link.ask = AskMode::kOwnPosition;
  receiver().crash(kSecond);
  settle();
  EXPECT_EQ(far().position, 67'000U);
}

TEST_F(Scenario, L13_ASenderWithAnOldGenerationForksUntilItIsAboveTheReceivers) {
  produce_and_settle(50);
  const auto image = sender().image();
  for (int i = 0; i < 3; ++i) {
    produce_and_settle(10);
    sender().adopt();
    settle();
  }
  ASSERT_EQ(far().generation, 4U);
  sender().roll_back(image, kSecond);
  run(5);
  produce(20);
  settle();
  EXPECT_GE(far().generation, 5U);
  EXPECT_EQ(far().position, 70U);
}

TEST_F(Scenario, L14_AStrayByteNeverStopsAHealthyLinkForAPerson) {
  for (int i = 0; i < 60; ++i) {
    setup.seed = static_cast<std::uint64_t>(i);
    produce_and_settle(5);
    receiver().files().set_capacity(receiver().files().used());  // the next hello is refused: storage
    sender().crash(kSecond);
    for (int stray = 0; stray < 40; ++stray) {
      run(0.13 + 0.01 * i);
      device().invent_answer(stray % 3 == 0 ? 0xFF : 0x00);
      ASSERT_FALSE(sender().fenced());
    }
    receiver().files().set_capacity(1ULL << 50);
    finish();
    again();
  }
}

TEST_F(Scenario, L15_AStreamThatIsRefusedForEverDoesNotHoldTheOthers) {
  setup.receiver.link.largest_part_total = 20'000;
  produce_and_settle(5);
  produce(3, 400'000);  // of these at least one is too large for the receiver
  sender().add_stream(0);
  for (int i = 0; i < 20; ++i) {
    produce(1, 20);
    run(10);
  }
  EXPECT_EQ(view(2).soft, 20U);
  EXPECT_LT(view(1).soft, 8U);
  receiver().setup().link.largest_part_total = kDefaultPartTotal;
  receiver().crash(kSecond);
}

}  // namespace
}  // namespace tidegate::sim
