// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include "tests/pipes/daemon_rig.h"

namespace tidegate {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Values = std::map<std::string, std::string>;

const Attributes kRename{"rename-database-processor", {{"new-db-name", "copy"}}};

struct PipeManagerTest : ::testing::Test {
  void SetUp() override { TG_OK(rig.start()); }
  void create(const PipeSpec& spec) {
    TG_OK(rig.manager->create(spec));
    pipes.push_back(spec);
  }
  void restart(bool power = false) { TG_OK(rig.restart(pipes, power)); }
  std::size_t got(const std::string& target = "a") { return rig.targets[target].rows.size(); }
  static std::string row(int n, const std::string& series = "1", const std::string& database = "plant") {
    return "root." + database + ".m.`" + series + "`.v=" + std::to_string(n) + "@" + std::to_string(n);
  }

  DaemonRig rig;
  std::vector<PipeSpec> pipes;
};

TEST_F(PipeManagerTest, APipeThatTakesEverythingReadsTheJournalItself) {
  rig.produce(3);
  create(rig.spec("p"));
  rig.settle();
  EXPECT_EQ(got(), 3U);
  EXPECT_FALSE(rig.box.sim.files.exists("/data/outbox/p"));
}

TEST_F(PipeManagerTest, APipeThatChangesBytesGoesThroughAnOutbox) {
  rig.produce(3);
  create(rig.spec("p", {}, kRename));
  rig.settle();
  EXPECT_THAT(rig.targets["a"].rows,
              ElementsAre(row(1, "1", "copy"), row(2, "1", "copy"), row(3, "1", "copy")));
  EXPECT_TRUE(rig.box.sim.files.exists("/data/outbox/p"));
}

TEST_F(PipeManagerTest, HistoryAloneStopsAtTheBoundaryAndKeepsItsPosition) {
  rig.produce(3);
  create(rig.spec("p", {{"realtime.enable", "false"}}));
  create(rig.spec("q", {{"realtime.enable", "false"}}, kRename, "b"));
  rig.produce(2);
  rig.settle();
  EXPECT_EQ(got("a"), 3U);
  EXPECT_EQ(got("b"), 3U);
  for (const char* name : {"p", "q"}) {
    EXPECT_EQ(rig.view(name).state, PipeState::kStopped);
    EXPECT_EQ(rig.view(name).message, "history finished");
    EXPECT_EQ(rig.stopped[name], "history finished");
    EXPECT_EQ(rig.view(name).position, 3U);
    EXPECT_EQ(rig.view(name).remaining_events, 0U);
  }
}

TEST_F(PipeManagerTest, RealtimeAloneBeginsBehindTheBoundary) {
  rig.produce(3);
  create(rig.spec("p", {{"history.enable", "false"}}));
  rig.produce(2);
  rig.settle();
  EXPECT_THAT(rig.targets["a"].rows, ElementsAre(row(4), row(5)));
}

TEST_F(PipeManagerTest, AStoppedPipeGoesOnWhereItStood) {
  create(rig.spec("p"));
  create(rig.spec("q", {}, kRename, "b"));
  rig.produce(3);
  rig.settle();
  TG_OK(rig.manager->stop("p"));
  TG_OK(rig.manager->stop("Q"));  // names have no case
  rig.produce(2);
  rig.settle();
  EXPECT_EQ(got("a"), 3U);
  EXPECT_EQ(rig.view("p").state, PipeState::kStopped);
  EXPECT_EQ(rig.view("p").remaining_events, 2U);
  EXPECT_EQ(rig.view("q").remaining_events, 2U);
  TG_OK(rig.manager->start("p"));
  TG_OK(rig.manager->start("q"));
  rig.settle();
  EXPECT_EQ(got("a"), 5U);
  EXPECT_EQ(got("b"), 5U);
}

TEST_F(PipeManagerTest, OnePipeThatFailsStopsAloneWithItsMessage) {
  create(rig.spec("p"));
  create(rig.spec("q", {}, {}, "b"));
  rig.targets["a"].answer = DeliverResult::Kind::kStop;
  rig.targets["a"].message = "the password is wrong";
  rig.produce(3);
  rig.settle();
  EXPECT_EQ(rig.view("p").state, PipeState::kStopped);
  EXPECT_EQ(rig.stopped["p"], "the password is wrong");
  EXPECT_EQ(got("b"), 3U);
  EXPECT_EQ(rig.view("q").state, PipeState::kRunning);
  rig.targets["a"] = {};
  TG_OK(rig.manager->start("p"));
  rig.settle();
  EXPECT_EQ(got("a"), 3U);
  EXPECT_EQ(rig.view("p").message, "");
}

TEST_F(PipeManagerTest, ATargetThatIsAwayBacksOffAndSaysSo) {
  create(rig.spec("p"));
  rig.targets["a"].answer = DeliverResult::Kind::kRetry;
  rig.targets["a"].message = "connection refused";
  rig.produce(3);
  rig.settle();
  EXPECT_EQ(rig.view("p").state, PipeState::kRunning);
  EXPECT_EQ(rig.view("p").message, "connection refused");
  EXPECT_EQ(rig.view("p").remaining_events, 3U);
}

TEST_F(PipeManagerTest, PositionsAndOutboxesSurviveACrash) {
  create(rig.spec("p"));
  create(rig.spec("q", {}, kRename, "b"));
  rig.produce(3);
  rig.settle(10 * kSecond);
  restart(true);
  rig.produce(2);
  rig.settle(10 * kSecond);
  EXPECT_EQ(got("a"), 5U);
  EXPECT_EQ(got("b"), 5U);
}

TEST_F(PipeManagerTest, ADroppedPipeLeavesNothingAndANewOneOfItsNameBeginsAnew) {
  create(rig.spec("q", {}, kRename));
  rig.produce(3);
  rig.settle();
  TG_OK(rig.manager->drop("q"));
  EXPECT_FALSE(rig.box.sim.files.exists("/data/outbox/q"));
  EXPECT_TRUE(rig.manager->pipes().empty());
  TG_OK(rig.manager->create(rig.spec("q", {}, kRename, "b")));
  rig.settle();
  EXPECT_EQ(got("b"), 3U);
}

TEST_F(PipeManagerTest, WhatADropLeftWhenTheProcessDiedIsCollectedAtTheNextStart) {
  create(rig.spec("p"));
  create(rig.spec("q", {}, kRename, "b"));
  rig.produce(3);
  rig.settle();
  pipes.clear();  // the catalogue has dropped them, the engine had no time
  restart();
  EXPECT_FALSE(rig.box.sim.files.exists("/data/outbox/q"));
  EXPECT_TRUE(rig.box.state->pipe_positions().empty());
}

TEST_F(PipeManagerTest, AlterToAnotherTargetGoesOnFromThePosition) {
  create(rig.spec("p"));
  rig.produce(3);
  rig.settle();
  PipeSpec other = rig.spec("p", {}, {}, "b");
  other.history_boundary = pipes[0].history_boundary;
  TG_OK(rig.manager->alter(other));
  rig.produce(2);
  rig.settle();
  EXPECT_EQ(got("a"), 3U);
  EXPECT_THAT(rig.targets["b"].rows, ElementsAre(row(4), row(5)));
}

TEST_F(PipeManagerTest, AlterToAProcessorAndBackLosesAndDoublesNothing) {
  create(rig.spec("p"));
  rig.produce(2);
  rig.settle();
  TG_OK(rig.manager->alter(rig.spec("p", {}, kRename)));
  rig.produce(2);
  rig.settle();
  TG_OK(rig.manager->alter(rig.spec("p")));
  rig.produce(1);
  rig.settle();
  EXPECT_THAT(rig.targets["a"].rows,
              ElementsAre(row(1), row(2), row(3, "1", "copy"), row(4, "1", "copy"), row(5)));
}

TEST_F(PipeManagerTest, AConnectorOfALaterVersionIsMadeButNotStarted) {
  PipeSpec spec = rig.spec("p");
  spec.connector = {"later", {}};
  spec.running = false;
  create(spec);
  const Status started = rig.manager->start("p");
  ASSERT_FALSE(started.ok());
  EXPECT_THAT(started.error().text(), HasSubstr("cannot speak it yet"));
  EXPECT_EQ(rig.view("p").state, PipeState::kStopped);
}

TEST_F(PipeManagerTest, WhatCannotBeIsRefusedBeforeAnythingIsDone) {
  PipeSpec spec = rig.spec("p");
  spec.connector.values["targett"] = "x";
  EXPECT_THAT(rig.manager->check(spec).error().text(), HasSubstr("target"));
  spec = rig.spec("p");
  spec.connector.plugin = "memori";
  EXPECT_THAT(rig.manager->check(spec).error().text(), HasSubstr("known: memory"));
  spec = rig.spec("p");
  spec.extractor.values = {{"history.enable", "false"}, {"realtime.enable", "false"}};
  EXPECT_THAT(rig.manager->check(spec).error().text(), HasSubstr("nothing would be taken"));
  spec = rig.spec("p");
  spec.name = "a/b";
  EXPECT_FALSE(rig.manager->check(spec).ok());
}

TEST_F(PipeManagerTest, ThoseWithEqualConnectorsAreNamedTogether) {
  create(rig.spec("p"));
  create(rig.spec("q"));
  create(rig.spec("r", {}, {}, "b"));
  EXPECT_THAT(rig.manager->sharing_connector("q"), ElementsAre("p", "q"));
  EXPECT_THAT(rig.manager->sharing_connector("r"), ElementsAre("r"));
}

TEST_F(PipeManagerTest, AnEssentialPipeHoldsWhatItHasNotDeliveredAndOneThatNeverRanHoldsNothing) {
  create(rig.spec("p"));
  PipeSpec never = rig.spec("never");
  never.running = false;
  create(never);
  rig.targets["a"].answer = DeliverResult::Kind::kRetry;
  rig.produce(3);
  rig.settle();
  RetentionPolicy policy;
  policy.holds = [&](const std::string& name) { return rig.manager->holds(name); };
  policy.read_elsewhere = [&] { return rig.manager->read_elsewhere(); };
  EXPECT_EQ(pinned_lsn(*rig.box.journal, *rig.box.state, policy), 0U);
  rig.targets["a"].answer = DeliverResult::Kind::kDelivered;
  rig.settle(120 * kSecond);
  EXPECT_EQ(pinned_lsn(*rig.box.journal, *rig.box.state, policy), 3U);
}

TEST_F(PipeManagerTest, ABestEffortPipeOverItsBudgetHoldsNothingAndGetsOneGapEvent) {
  create(rig.spec("p", {{"retention.hold", "best-effort"}, {"retention.max-bytes", "10000"}}));
  TG_OK(rig.manager->stop("p"));
  EXPECT_TRUE(rig.manager->holds("p"));
  rig.produce(400);
  EXPECT_FALSE(rig.manager->holds("p"));
  TG_OK(rig.box.journal->trim(200));
  const Lsn first = rig.box.journal->first_lsn();
  ASSERT_GT(first, 1U);
  TG_OK(rig.manager->start("p"));
  rig.settle();
  EXPECT_EQ(got(), 400 - (first - 1));
  EXPECT_EQ(rig.targets["a"].batches.size(), got() + 1) << "one event of kind gap";
  EXPECT_THAT(rig.view("p").warning, HasSubstr("lost LSN 1.." + std::to_string(first - 1)));
}

TEST_F(PipeManagerTest, RemainingEventsAndSecondsFollowTheBacklog) {
  create(rig.spec("p"));
  rig.settle();
  TG_OK(rig.manager->stop("p"));
  for (int i = 0; i < 10; ++i) rig.produce(100);
  EXPECT_EQ(rig.view("p").remaining_events, 1000U);
  EXPECT_FALSE(rig.view("p").remaining_seconds.has_value()) << "nothing moves";
  TG_OK(rig.manager->start("p"));
  rig.settle();
  EXPECT_EQ(rig.view("p").remaining_events, 0U);
  EXPECT_EQ(rig.view("p").remaining_seconds, 0.0);
}

}  // namespace
}  // namespace tidegate
