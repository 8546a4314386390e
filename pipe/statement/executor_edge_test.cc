// SPDX-License-Identifier: Apache-2.0
// Statements of Edge-Cloud: sinks, pipes to them, the server; and plugins.
#include <fstream>
#include <future>
#include <thread>

#include "base/hash.h"
#include "pipe/statement/executor_for_tests.h"

namespace tidegate {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

constexpr auto kEdge = Dialect::kEdgeCloud;
const std::string kSink = "CREATE PIPESINK hq AS IoTDB (IP='10.0.0.9', PORT=6671)";

TEST_F(ExecutorTest, SinksAreShownAsTheDocumentDrawsThem) {
  edge("CREATE PIPESINK my_pipesink AS iotdb");
  const ResultTable table = edge("SHOW PIPESINKS");
  EXPECT_THAT(table.columns, ElementsAre("name", "type", "attributes"));
  EXPECT_THAT(table.rows, ElementsAre(ElementsAre("my_pipesink", "IoTDB", "ip='127.0.0.1',port=6670")));
  EXPECT_EQ(edge("SHOW PIPESINK MY_PIPESINK").rows.size(), 1U);
  EXPECT_THAT(edge("SHOW PIPESINKTYPE").rows, ElementsAre(ElementsAre("IoTDB")));
  EXPECT_THAT(refusal("SHOW PIPESINK my_pipsink"),
              HasSubstr("1:15 there is no pipesink 'my_pipsink', did you mean"));
}

TEST_F(ExecutorTest, WhatCannotBeASinkIsRefusedAtItsCharacter) {
  EXPECT_THAT(refusal("CREATE PIPESINK s AS Kafka"), StartsWith("kInvalidArgument 1:22"));
  EXPECT_THAT(refusal("CREATE PIPESINK s AS IoTDB (ip='a', porT=0)"), StartsWith("kInvalidArgument 1:37"));
  EXPECT_THAT(refusal("CREATE PIPESINK s AS IoTDB (pord=1)"), HasSubstr("did you mean 'port'?"));
  edge(kSink);
  EXPECT_THAT(refusal(kSink), StartsWith("kAlreadyExists 1:17"));
}

TEST_F(ExecutorTest, APipeToASinkDialsThenCrossesTheAirGap) {
  edge(kSink +
       "; CREATE PIPE p TO HQ FROM (select ** from root where time>='2022-03-30 00:00:00') WITH "
       "SyncDelOp=false");
  EXPECT_THAT(engine_->calls, ElementsAre("reach 10.0.0.9:6671", "create p"));
  const PipeSpec& spec = engine_->specs.at("p");
  EXPECT_EQ(spec.connector.plugin, "iotdb-air-gap-connector");
  EXPECT_EQ(spec.extractor.values.at("history.start-time"), "2022-03-30 00:00:00");
  EXPECT_EQ(spec.extractor.values.at("deletions"), "false");
  EXPECT_EQ(shown("p", "pipeSink", kEdge), "hq");
  EXPECT_THAT(edge("SHOW PIPE p").message, HasSubstr("SyncDelOp: false"));
  EXPECT_THAT(refusal("DROP PIPESINK hq"), StartsWith("kBusy 1:15"));
}

TEST_F(ExecutorTest, DeletionsCrossUnlessTheStatementSaysOtherwise) {
  edge(kSink + "; CREATE PIPE p TO hq");
  EXPECT_FALSE(engine_->specs.at("p").extractor.values.contains("deletions"));
  edge("DROP PIPE p; CREATE PIPE p TO hq WITH SyncDelOp=true");
  EXPECT_FALSE(engine_->specs.at("p").extractor.values.contains("deletions"));
}

TEST_F(ExecutorTest, AnExclusiveStartIsTheNextIntegerAndNoDate) {
  edge(kSink + "; CREATE PIPE p TO hq FROM (select ** from root where time > 99)");
  EXPECT_EQ(engine_->specs.at("p").extractor.values.at("history.start-time"), "100");
  EXPECT_THAT(refusal("CREATE PIPE q TO hq FROM (select ** from root where time > '2022-03-30')"),
              StartsWith("kInvalidArgument 1:60"));
}

TEST_F(ExecutorTest, ASinkThatDoesNotAnswerGetsNoPipe) {
  edge(kSink);
  engine_->failing.emplace("reach", make_error(ErrorCode::kUnreachable, "connection refused"));
  EXPECT_THAT(refusal("CREATE PIPE p TO hq", kEdge),
              StartsWith("kUnreachable 1:18 pipesink 'hq' does not answer"));
  EXPECT_THAT(edge("SHOW PIPES").rows, IsEmpty());
  EXPECT_THAT(refusal("CREATE PIPE p TO hqq", kEdge), StartsWith("kNotFound 1:18"));
}

TEST_F(ExecutorTest, WhileATargetIsDialledPipesAreShownAndOtherChangesWait) {
  edge(kSink);
  std::promise<void> dials, may_answer;
  engine_->during_reach = [&] {
    dials.set_value();
    may_answer.get_future().wait();
  };
  std::thread create([&] { edge("CREATE PIPE p TO hq"); });
  dials.get_future().wait();
  EXPECT_THAT(run("SHOW PIPES").rows, IsEmpty());
  std::thread drop([&] { run("DROP PIPE p"); });  // there is one only when CREATE has ended
  may_answer.set_value();
  create.join();
  drop.join();
  EXPECT_THAT(engine_->calls, ElementsAre("reach 10.0.0.9:6671", "create p", "drop p"));
}

TEST_F(ExecutorTest, OnePipeAtATimeHoldsInEdgeCloudOnly) {
  run("CREATE PIPE other WITH SINK ('sink'='do-nothing-connector')");
  edge(kSink + "; CREATE PIPE p TO hq");
  EXPECT_THAT(refusal("CREATE PIPE q TO hq", kEdge), HasSubstr("DROP PIPE p first"));
  run("CREATE PIPE q TO hq");
  EXPECT_THAT(refusal("CREATE PIPE r TO hq", kEdge), HasSubstr("one pipe at a time"));
  edge("DROP PIPE p; DROP PIPE q; CREATE PIPE r TO hq");
}

TEST_F(ExecutorTest, TheRowsOfEdgeCloudHaveItsColumnsStatesAndMessages) {
  edge(kSink + "; CREATE PIPE p TO hq");
  EXPECT_THAT(edge("SHOW PIPES").columns,
              ElementsAre("create time", "name", "pipeSink", "status", "message"));
  const auto row = [&] { return shown("p", "status", kEdge) + "|" + shown("p", "message", kEdge); };
  EXPECT_EQ(row(), "STOP|");
  edge("START PIPE p");
  EXPECT_EQ(row(), "RUNNING|");
  engine_->views.at("p").message = "no answer";
  EXPECT_EQ(row(), "RUNNING|WARN: no answer");
  engine_->stops_by_itself("p", "fenced");
  EXPECT_EQ(row(), "STOP|ERROR: fenced");
}

TEST_F(ExecutorTest, TheServerIsShownUnderTheNameOfTheDocumentAndItsStateSurvivesARestart) {
  EXPECT_THAT(edge("SHOW PIPESERVER STATUS").columns, ElementsAre("enalbe"));
  EXPECT_THAT(edge("SHOW PIPESERVER STATUS").rows, ElementsAre(ElementsAre("false")));
  edge("START PIPESERVER");
  EXPECT_THAT(edge("SHOW PIPESERVER").rows, ElementsAre(ElementsAre("true")));
  restart();
  EXPECT_TRUE(engine_->listener->running);
  edge("STOP PIPESERVER");
  EXPECT_EQ(executor_->pipe_server_wanted(), false);
}

TEST_F(ExecutorTest, AServerWithALiveSenderIsNotStoppedAndStaysOnAfterARestart) {
  edge("START PIPESERVER");
  engine_->failing.emplace("stop_server", make_error(ErrorCode::kBusy, "sender hall has a session"));
  EXPECT_THAT(refusal("STOP PIPESERVER", kEdge),
              StartsWith("kBusy Msg: 328: Failed to stop pipe server because there is pipe still running."));
  restart();
  EXPECT_TRUE(engine_->listener->running);
}

TEST_F(ExecutorTest, ADaemonWithoutAListenerSaysSo) {
  engine_->listener.reset();
  EXPECT_THAT(refusal("START PIPESERVER"), HasSubstr("belongs to a receiver"));
  EXPECT_THAT(edge("SHOW PIPESERVER STATUS").rows, ElementsAre(ElementsAre("false")));
}

// ---- plugins

class ExecutorPluginTest : public ExecutorTest {
 protected:
  void SetUp() override {
    ExecutorTest::SetUp();
    hooks_.load_plugin = [this](const PluginDefinition& plugin) -> Status {
      if (refuse_load_) return make_error(ErrorCode::kUnsupported, "no tg_plugin_v1 in it");
      PluginInfo info = plugin_info(PluginKind::kProcessor, plugin.name);
      info.type = "External";
      info.jar = plugin.file;
      engine_->known.push_back(info);
      return {};
    };
    hooks_.unload_plugin = [this](const std::string& name) -> Status {
      std::erase_if(engine_->known, [&](const PluginInfo& p) { return p.name == name; });
      return {};
    };
    std::ofstream(dir_ + "/lib/scale.so") << "code";
    restart();
  }
  bool refuse_load_ = false;
};

TEST_F(ExecutorPluginTest, APluginIsKeptWithTheHashOfItsFileAndLoadedAgainAfterARestart) {
  run("CREATE PIPEPLUGIN scale AS 'example.Scale' USING URI 'file://" + dir_ + "/lib/scale.so'");
  EXPECT_EQ(executor_->definitions()->plugins.at("scale").sha256,
            to_hex(sha256(as_bytes(std::string_view("code")))));
  restart();
  const ResultTable table = run("SHOW PIPEPLUGINS");
  EXPECT_THAT(table.columns, ElementsAre("PluginName", "PluginType", "ClassName", "PluginJar"));
  EXPECT_THAT(table.rows, ::testing::Contains(
                              ElementsAre("scale", "External", "tidegate.scale", dir_ + "/lib/scale.so")));
  run("CREATE PIPE p WITH PROCESSOR ('processor'='scale') WITH SINK ('sink'='do-nothing-connector')");
  EXPECT_THAT(refusal("DROP PIPEPLUGIN scale"), StartsWith("kBusy 1:17"));
  run("DROP PIPE p; DROP PIPEPLUGIN scale");
  EXPECT_THAT(refusal("DROP PIPEPLUGIN scale"), StartsWith("kNotFound"));
}

TEST_F(ExecutorPluginTest, OnlyFilesOfItsFolderBecomePlugins) {
  std::ofstream(dir_ + "/evil.so") << "code";
  for (const char* uri : {"/etc/passwd", "../evil.so", "file:///etc/passwd", "http://host/x.so", "", "dir/"})
    EXPECT_THAT(refusal("CREATE PIPEPLUGIN e AS 'E' USING URI '" + std::string(uri) + "'"),
                StartsWith("kInvalidArgument 1:19"))
        << uri;
  EXPECT_THAT(refusal("CREATE PIPEPLUGIN e AS 'E' USING URI 'missing.so'"), StartsWith("kNotFound"));
  hooks_.pipe_lib_dir.clear();
  restart();
  EXPECT_THAT(refusal("CREATE PIPEPLUGIN e AS 'E' USING URI 'scale.so'"), HasSubstr("pipe_lib_dir"));
}

TEST_F(ExecutorPluginTest, WhatCannotBeLoadedIsNotKept) {
  refuse_load_ = true;
  EXPECT_THAT(refusal("CREATE PIPEPLUGIN scale AS 'scale'"), HasSubstr("no tg_plugin_v1"));
  EXPECT_THAT(executor_->definitions()->plugins, IsEmpty());
  refuse_load_ = false;
  run("CREATE PIPEPLUGIN scale AS 'scale'");
  refuse_load_ = true;
  restart();
  const ResultTable table = run("SHOW PIPEPLUGINS");
  EXPECT_THAT(table.message, HasSubstr("plugin 'scale' is not loaded: no tg_plugin_v1"));
}

TEST_F(ExecutorPluginTest, BuiltInPluginsAreNeitherReplacedNorDropped) {
  EXPECT_THAT(refusal("CREATE PIPEPLUGIN `do-nothing-processor` AS 'scale'"), StartsWith("kAlreadyExists"));
  EXPECT_THAT(refusal("DROP PIPEPLUGIN IF EXISTS `do-nothing-processor`"), HasSubstr("is built in"));
  EXPECT_THAT(run("CREATE PIPEPLUGIN IF NOT EXISTS `do-nothing-processor` AS 'scale'").message,
              HasSubstr("nothing"));
  EXPECT_THAT(run("DROP PIPEPLUGIN IF EXISTS nothing_here").message, HasSubstr("nothing was done"));
}

}  // namespace
}  // namespace tidegate
