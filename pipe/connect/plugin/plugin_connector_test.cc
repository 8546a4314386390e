// SPDX-License-Identifier: Apache-2.0
#include "pipe/connect/plugin/plugin_connector.h"

#include <csignal>
#include <deque>

#include "pipe/engine/engine_test_support.h"
#include "pipe/engine/pipe.h"
#include "pipe/engine/plugin/plugin_for_test.h"

namespace tidegate {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using Kind = DeliverResult::Kind;
using Values = std::map<std::string, std::string>;

class PluginConnectors : public test::PluginTest {
 protected:
  Result<std::unique_ptr<Connector>> make(const ExternalPlugin& plugin, Values values) const {
    return make_plugin_connector(runtime_, plugin, {plugin.info.name, std::move(values)}, "p");
  }
  std::unique_ptr<Connector> made(const ExternalPlugin& plugin, Values values) const {
    Result<std::unique_ptr<Connector>> connector = make(plugin, std::move(values));
    EXPECT_TRUE(connector.ok()) << connector.error().text();
    return std::move(connector).value();
  }
  std::unique_ptr<Connector> bad(const std::string& fault, const std::string& in = "deliver",
                                 const std::string& limit = "20s") {
    if (bad_.path.empty()) bad_ = plugin("bad_connector.so");
    return made(bad_, {{"fault", fault}, {"in", in}, {"plugin.time-limit", limit}});
  }
  std::unique_ptr<Connector> opened(const std::string& fault, const std::string& limit = "20s") {
    auto connector = bad(fault, "deliver", limit);
    const Status status = connector->open(0, {});
    EXPECT_TRUE(status.ok()) << status.error().text();
    return connector;
  }
  // Batches of numbers first, first + 1, ... as LSNs of the same numbers.
  DeliverResult deliver(Connector& connector, Lsn first, int count,
                        const std::function<bool()>& stop = never_) {
    std::vector<DeliverableBatch> run;
    for (int i = 0; i < count; ++i) {
      const Lsn lsn = first + static_cast<Lsn>(i);
      const Batch& batch = batches_.emplace_back(testing::number_batch(static_cast<std::int64_t>(lsn)));
      run.push_back({lsn, batch.canonical, batch.summary, &record_});
    }
    return connector.deliver(run, stop);
  }
  DeliverResult stops(const std::string& fault) {
    const auto connector = opened(fault);
    DeliverResult result = deliver(*connector, 1, 1);
    EXPECT_EQ(result.kind, Kind::kStop) << fault;
    EXPECT_THAT(result.message, AllOf(HasSubstr("plugin 'bad-connector'"), HasSubstr(bad_.path))) << fault;
    return result;
  }
  static std::string content(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  }

  static inline const std::function<bool()> never_ = [] { return false; };
  ExternalPlugin bad_;
  RecordMeta record_;
  std::deque<Batch> batches_;
};

// ---- the example

class LinesConnector : public PluginConnectors {
 protected:
  void SetUp() override {
    PluginConnectors::SetUp();
    lines_ = plugin("lines_connector.so");
    out_ = file("out.txt");
  }
  std::unique_ptr<Connector> connector() const { return made(lines_, {{"file", out_}}); }

  ExternalPlugin lines_;
  std::string out_;
};

TEST_F(LinesConnector, WritesALinePerEventInOrder) {
  const auto lines = connector();
  ASSERT_TRUE(lines->open(0, {}).ok());
  const DeliverResult result = deliver(*lines, 1, 3);
  EXPECT_EQ(result.kind, Kind::kDelivered) << result.message;
  EXPECT_EQ(result.written_events, 3U);
  EXPECT_EQ(result.skipped_events, 0U);
  EXPECT_EQ(content(out_), "m,s=1 1 v=1\nm,s=1 2 v=2\nm,s=1 3 v=3\n");
  EXPECT_THAT(lines->describe(), HasSubstr("out.txt"));
  lines->close();
}

TEST_F(LinesConnector, WhatACrashLeftBehindThePositionIsTakenBack) {
  Bytes state;
  {
    const auto lines = connector();
    ASSERT_TRUE(lines->open(0, {}).ok());
    state = deliver(*lines, 1, 1).state;
    deliver(*lines, 2, 1);  // the daemon dies before it stores this position
  }
  const auto lines = connector();
  ASSERT_TRUE(lines->open(1, state).ok());
  EXPECT_EQ(content(out_), "m,s=1 1 v=1\n");
  EXPECT_EQ(deliver(*lines, 2, 1).kind, Kind::kDelivered);
  EXPECT_EQ(content(out_), "m,s=1 1 v=1\nm,s=1 2 v=2\n");
}

TEST_F(LinesConnector, SkipsWhatIsNoDataAndSaysSo) {
  const auto lines = connector();
  ASSERT_TRUE(lines->open(0, {}).ok());
  const Batch gap = make_batch({TimeUnit::kSecond, 0, "s"}, std::vector<GapEvent>{{1, 2, 3, 4, 5, 6}});
  const DeliverResult result = lines->deliver({{1, gap.canonical, gap.summary, &record_}}, never_);
  EXPECT_EQ(result.kind, Kind::kDelivered);
  EXPECT_EQ(result.written_events, 0U);
  EXPECT_EQ(result.skipped_events, 1U);
}

TEST_F(LinesConnector, ATargetThatCannotBeOpenedIsTriedAgain) {
  const auto lines = made(lines_, {{"file", folder_ + "/none/out.txt"}});
  const Status status = lines->open(0, {});
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, ErrorCode::kUnreachable);
  EXPECT_THAT(status.error().text(), AllOf(HasSubstr("none/out.txt"), HasSubstr("No such file")));
}

// ---- bad plugins

TEST_F(PluginConnectors, ACrashAHangOrNonsenseStopsThePipe) {
  EXPECT_THAT(stops("throw").message, HasSubstr("it threw an exception: the pump is dry"));
  EXPECT_THAT(stops("abort").message, HasSubstr("was killed by signal 6 (SIGABRT) in deliver()"));
  EXPECT_THAT(stops("exit").message, HasSubstr("exited with status 3 in deliver()"));
  EXPECT_THAT(stops("garbage").message, HasSubstr("answered deliver() with nonsense"));
  EXPECT_THAT(stops("refuse").message, HasSubstr("not today"));
  EXPECT_THAT(stops("overcount").message, HasSubstr("took more events than it got (1)"));
  const auto connector = opened("hang", "200ms");
  const DeliverResult result = deliver(*connector, 1, 1);
  EXPECT_EQ(result.kind, Kind::kStop);
  EXPECT_THAT(result.message, HasSubstr("within 'plugin.time-limit' (200 ms)"));
}

TEST_F(PluginConnectors, ARetryCarriesItsReasonAndItsWish) {
  const auto connector = opened("retry");
  const DeliverResult result = deliver(*connector, 1, 1);
  EXPECT_EQ(result.kind, Kind::kRetry);
  EXPECT_THAT(result.message, HasSubstr("the target sleeps"));
  EXPECT_EQ(result.retry_after, 5 * kSecond);
}

TEST_F(PluginConnectors, DeadLettersCarryTheNumberOfTheirBatch) {
  const auto connector = opened("letters");
  const DeliverResult result = deliver(*connector, 40, 3);
  ASSERT_EQ(result.kind, Kind::kDelivered) << result.message;
  ASSERT_EQ(result.dead.size(), 1U);
  EXPECT_EQ(result.dead[0].lsn, 42U);
  EXPECT_EQ(result.dead[0].reason, "too old");
  EXPECT_EQ(result.dead[0].line, "the line");
  EXPECT_EQ(result.dead[0].database, "db");
  EXPECT_EQ(result.written_events, 2U);
}

TEST_F(PluginConnectors, APluginThatListensEndsSoonWhenThePipeStops) {
  const auto connector = opened("slow", "60s");
  const Nanos before = real_env().clock->now();
  int asked = 0;
  const DeliverResult result = deliver(*connector, 1, 1, [&] { return ++asked > 2; });
  EXPECT_EQ(result.kind, Kind::kRetry);
  EXPECT_LT(real_env().clock->now() - before, 4 * kSecond);  // below the grace
  EXPECT_TRUE(connector->open(0, {}).ok());                  // the same process goes on
  EXPECT_EQ(deliver(*connector, 1, 1, [&] { return true; }).kind, Kind::kRetry);
}

TEST_F(PluginConnectors, AfterAStopTheNextOpenStartsANewProcess) {
  const auto connector = opened("pid");
  const Bytes first = deliver(*connector, 1, 1).state;
  const pid_t pid = std::stoi(std::string(as_text(first)));
  ASSERT_EQ(::kill(pid, SIGKILL), 0);
  const DeliverResult killed = deliver(*connector, 2, 1);
  EXPECT_EQ(killed.kind, Kind::kStop);
  EXPECT_THAT(killed.message, HasSubstr("was killed by signal 9 (SIGKILL) in deliver()"));
  EXPECT_EQ(deliver(*connector, 2, 1).message, killed.message);  // not started again by itself
  ASSERT_TRUE(connector->open(1, first).ok());
  const DeliverResult again = deliver(*connector, 2, 1);
  EXPECT_EQ(again.kind, Kind::kDelivered);
  EXPECT_NE(again.state, first);
}

TEST_F(PluginConnectors, ACrashInOpenIsNotTriedAgain) {
  const Status crashed = bad("abort", "open")->open(0, {});
  ASSERT_FALSE(crashed.ok());
  EXPECT_EQ(crashed.error().code, ErrorCode::kRefused);
  EXPECT_THAT(crashed.error().text(), HasSubstr("SIGABRT) in open()"));
  const auto sleepy = bad("retry", "open");
  EXPECT_EQ(sleepy->open(0, {}).error().code, ErrorCode::kUnreachable);
}

TEST_F(PluginConnectors, AttributesAreCheckedBeforeAnythingIsStarted) {
  const ExternalPlugin lines = plugin("lines_connector.so");
  EXPECT_THAT(make(lines, {}).error().text(), HasSubstr("'connector.file'"));
  EXPECT_THAT(make(lines, {{"file", "x"}, {"plugin.time-limit", "never"}}).error().text(),
              HasSubstr("plugin.time-limit"));
}

// ---- in a pipe

TEST_F(PluginConnectors, ACrashStopsThePipeWithItsMessageAndStartGoesOn) {
  testing::MemoryRecords records;
  testing::MemoryPositions positions;
  records.append(testing::number_batch(1));
  const auto connector = bad("abort");
  PipeOptions options;
  options.name = "p";
  options.dead_letters.directory = folder_;
  Pipe pipe(real_env(), options, records, positions, *connector);
  ASSERT_TRUE(pipe.open().ok());
  pipe.step();
  EXPECT_EQ(pipe.status().state, PipeState::kStopped);
  EXPECT_THAT(pipe.status().message, AllOf(HasSubstr("plugin 'bad-connector'"), HasSubstr("SIGABRT")));
  EXPECT_EQ(pipe.status().position, 0U);
  pipe.start();
  pipe.step();  // a new process, which crashes in its turn
  EXPECT_EQ(pipe.status().state, PipeState::kStopped);
  ASSERT_TRUE(pipe.close().ok());
}

}  // namespace
}  // namespace tidegate
