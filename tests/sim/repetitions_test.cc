// SPDX-License-Identifier: Apache-2.0
// Every repetition is in the ledger, and the oracle would notice if it were not.
#include <gmock/gmock.h>

#include "tests/sim/scenario_rig.h"

namespace tidegate::sim {
namespace {

using testing::Contains;
using testing::HasSubstr;

class RepetitionScenario : public Scenario {
 protected:
  std::uint64_t counted() {
    const auto counters = receiver().state().ledger_counters();
    const auto it = counters.find(ledger_kind::kDuplicates);
    return it == counters.end() ? 0 : it->second;
  }
  void a_batch_comes_again() {
    produce_and_settle(10);
    device().once.lose_answers = 1;
    produce(1);
    settle();
  }
  void check_and_expect_an_objection() {
    w().check();
    EXPECT_THAT(w().violations(), Contains(HasSubstr("batches that came again")));
    again();
  }
};

TEST_F(RepetitionScenario, ABatchWhoseAnswerWasLostComesAgainAndIsCountedOnce) {
  a_batch_comes_again();
  EXPECT_EQ(counted(), 1U);
}

TEST_F(RepetitionScenario, OfAFrameThatIsNewInPartOnlyTheOldPartIsCounted) {
  produce_and_settle(10);
  for (int i = 0; i < 5; ++i) {
    device().once.lose_answers = 1;
    produce(3);
    run(1);
    produce(4);  // waits for the answer, then crosses together with the three
    run(60);
  }
  settle();
  EXPECT_EQ(counted(), 15U);
}

TEST_F(RepetitionScenario, TheCountSurvivesTheProcess) {
  a_batch_comes_again();
  run(2);
  receiver().crash(kSecond);
  settle();
  EXPECT_EQ(counted(), 1U);
}

TEST_F(RepetitionScenario, TheOracleSeesARepetitionThatIsCountedTwice) {
  a_batch_comes_again();
  receiver().store()->count_duplicates(1);
  run(2);
  check_and_expect_an_objection();
}

TEST_F(RepetitionScenario, TheOracleSeesARepetitionThatIsNotCounted) {
  a_batch_comes_again();
  device().repetitions.answer(0,
                              true);  // of a connection that does not exist: heard, and nothing comes of it
  const std::uint64_t before = counted();
  receiver().store()->count_duplicates(~std::uint64_t{0});  // takes one away
  run(2);
  EXPECT_EQ(counted(), before - 1);
  check_and_expect_an_objection();
}

}  // namespace
}  // namespace tidegate::sim
