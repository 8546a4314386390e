// SPDX-License-Identifier: Apache-2.0
#include "pipe/statement/completion.h"

#include "pipe/statement/statement_for_tests.h"

namespace tidegate {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;

// The texts that a user would see: `|` is the cursor.
std::vector<std::string> completed(std::string text, Dialect dialect = Dialect::kDataSync) {
  static const std::vector<PluginInfo> plugins = {
      thrift_plugin(),
      {.kind = PluginKind::kExtractor, .name = "iotdb-extractor", .attributes = {{.name = "pattern"}}},
  };
  CompletionNames names;
  names.plugins = plugins;
  names.pipes = {"a2b", "iotdb-kafka"};
  names.sinks = {"my_sink"};
  names.users = {"operator"};
  const std::size_t cursor = text.find('|');
  text.erase(cursor, 1);
  const Completion completion = complete_statement(text, cursor, dialect, names);
  std::vector<std::string> out;
  for (const std::string& candidate : completion.candidates)
    out.push_back(text.substr(0, completion.from) + candidate);
  return out;
}

TEST(Completion, KeywordsFollowTheCaseOfTheWord) {
  EXPECT_THAT(completed("CRE|"), ElementsAre("CREATE"));
  EXPECT_THAT(completed("st|"), ElementsAre("start", "stop"));
  EXPECT_THAT(completed("show pipes|"), ElementsAre("show pipes", "show pipeserver", "show pipesink",
                                                    "show pipesinks", "show pipesinktype"));
  EXPECT_THAT(completed("SHOW PIPES W|"), ElementsAre("SHOW PIPES WHERE"));
  EXPECT_THAT(completed("|"), AllOf(Contains("CREATE"), Contains("SELECT")));
}

TEST(Completion, NamesOfWhatExistsAreQuotedWhereNeeded) {
  EXPECT_THAT(completed("start pipe |"),
              ElementsAre("start pipe IF", "start pipe `iotdb-kafka`", "start pipe a2b"));
  EXPECT_THAT(completed("start pipe A|"), ElementsAre("start pipe a2b"));
  EXPECT_THAT(completed("start pipe `io|"), ElementsAre("start pipe `iotdb-kafka`"));
  EXPECT_THAT(completed("create pipe x to |"), ElementsAre("create pipe x to my_sink"));
  EXPECT_THAT(completed("drop user op|"), ElementsAre("drop user operator"));
}

TEST(Completion, AttributesAreThoseOfThePluginThatTheClauseNames) {
  const std::string begin = "create pipe p with sink ('sink'='iotdb-thrift-connector', ";
  EXPECT_THAT(completed(begin + "'sink.p|"), ElementsAre(begin + "'sink.pin'", begin + "'sink.port'"));
  EXPECT_THAT(completed(begin + "\"connector.i|"), ElementsAre(begin + "\"connector.ip\""));
  EXPECT_THAT(completed(begin + "'sink.ip'='h', |"),
              AllOf(Contains(begin + "'sink.ip'='h', 'connector.port'"),
                    Not(Contains(begin + "'sink.ip'='h', 'connector.ip'"))));
  EXPECT_THAT(completed("create pipe p with source ('|"),
              ElementsAre("create pipe p with source ('extractor'",
                          "create pipe p with source ('extractor.pattern'"));
}

TEST(Completion, ValuesComeFromThePluginsAndTheirChoices) {
  EXPECT_THAT(completed("create pipe p with sink ('sink'='|"),
              ElementsAre("create pipe p with sink ('sink'='iotdb-thrift-sync-connector'"));
  const std::string begin = "create pipe p with sink ('sink'='iotdb-thrift-connector', 'sink.";
  EXPECT_THAT(completed(begin + "mode'='|"), ElementsAre(begin + "mode'='fast'", begin + "mode'='safe'"));
  EXPECT_THAT(completed(begin + "batch.enable'='t|"), ElementsAre(begin + "batch.enable'='true'"));
  EXPECT_THAT(completed(begin + "port'=|"), ElementsAre(begin + "port'='6667'"));
}

TEST(Completion, TheStatementAtTheCursorCounts) {
  EXPECT_THAT(completed("show pipes; drop pipe a|; show"), ElementsAre("show pipes; drop pipe a2b"));
  EXPECT_THAT(completed("show pipes;\n|"), Contains("show pipes;\nCREATE"));
}

TEST(Completion, BehindAMistakeOrInACommentThereIsNothingToSay) {
  EXPECT_THAT(completed("shwo pi|"), IsEmpty());
  EXPECT_THAT(completed("show -- pi|"), IsEmpty());
  EXPECT_THAT(completed("-- sh|"), IsEmpty());
  EXPECT_THAT(completed("show /* pi|"), IsEmpty());
  EXPECT_THAT(completed("create user u 'sh|"), IsEmpty());
}

}  // namespace
}  // namespace tidegate
