// SPDX-License-Identifier: Apache-2.0
// Every statement that the documents print is carried out, and shows the columns that they print.
#include <fstream>
#include <regex>
#include <set>
#include <sstream>
#include <utility>

#include "pipe/statement/executor_for_tests.h"
#include "pipe/statement/parser.h"
#include "pipe/statement/samples_for_tests.h"

namespace tidegate {
namespace {

class ExecutorSampleTest : public ExecutorTest {
 protected:
  void SetUp() override {
    ExecutorTest::SetUp();
    hooks_.reload = [] { return Result<std::string>("nothing has changed"); };
    restart();
  }

  // What the sample takes for granted: the sink or the pipe that it names is there.
  void prepare(const Statement& statement, Dialect dialect) {
    const auto pipe = [&](const std::string& name) {
      if (dialect == Dialect::kDataSync) {
        run("CREATE PIPE " + name + " WITH CONNECTOR ('connector'='do-nothing-connector')");
      } else {
        edge("CREATE PIPESINK my_pipesink AS IoTDB; CREATE PIPE " + name + " TO my_pipesink");
      }
    };
    if (const auto* s = std::get_if<StartPipe>(&statement)) pipe(s->pipe.text);
    if (const auto* s = std::get_if<StopPipe>(&statement)) pipe(s->pipe.text);
    if (const auto* s = std::get_if<DropPipe>(&statement)) pipe(s->pipe.text);
    if (const auto* s = std::get_if<ShowPipes>(&statement))
      pipe(s->pipe ? s->pipe->text : s->used_by ? s->used_by->text : "some");
    if (const auto* s = std::get_if<CreatePipeTo>(&statement))
      edge("CREATE PIPESINK " + fold_name(s->sink.text) + " AS IoTDB");
    if (std::holds_alternative<ShowPipeSinks>(statement) || std::holds_alternative<DropPipeSink>(statement))
      edge("CREATE PIPESINK my_pipesink AS IoTDB (IP='127.0.0.1',port=6670)");
  }
};

// The columns of each table that the documents draw, by the name of the statement.
std::vector<std::string> printed_columns(const Statement& statement, Dialect dialect) {
  if (std::holds_alternative<ShowPipes>(statement) && dialect == Dialect::kDataSync)
    return {
        "ID", "CreationTime", "State", "PipeExtractor", "PipeProcessor", "PipeConnector", "ExceptionMessage"};
  if (std::holds_alternative<ShowPipes>(statement))
    return {"create time", "name", "pipeSink", "status", "message"};
  if (std::holds_alternative<ShowPipeSinkTypes>(statement)) return {"type"};
  if (std::holds_alternative<ShowPipeSinks>(statement)) return {"name", "type", "attributes"};
  if (std::holds_alternative<ShowPipeServer>(statement)) return {"enalbe"};
  return {};
}

TEST_F(ExecutorSampleTest, EachOneRunsAndShowsTheColumnsPrinted) {
  int run_count = 0;
  for (const Sample& sample : samples()) {
    std::filesystem::remove_all(dir_ + "/catalogue");
    restart();
    if (!sample.is_gateway) {
      EXPECT_THAT(refusal(sample.run, sample.dialect), ::testing::HasSubstr("kUnsupported"));
      continue;
    }
    const auto statement = parse_statement(sample.run, sample.dialect);
    ASSERT_TRUE(statement.ok()) << sample.run;
    prepare(*statement, sample.dialect);
    const ResultTable table = run(sample.run, sample.dialect);
    std::vector<std::string> columns = table.columns;
    const std::vector<std::string> printed = printed_columns(*statement, sample.dialect);
    if (columns.size() > printed.size() && !printed.empty())
      columns.resize(printed.size());  // ours stand behind
    EXPECT_TRUE(printed.empty() || columns == printed) << sample.run << "\n" << draw_table(table);
    EXPECT_FALSE(table.columns.empty() && table.message.empty()) << sample.run;
    ++run_count;
  }
  EXPECT_GE(run_count, 40);
}

TEST_F(ExecutorSampleTest, TheSinkIsShownAsItIsPrinted) {
  edge("CREATE PIPESINK my_pipesink AS IoTDB (IP='127.0.0.1',port=6670;)");
  EXPECT_EQ(draw_table(edge("SHOW PIPESINKS")),
            "+-----------+-----+------------------------+\n"
            "|       name| type|              attributes|\n"
            "+-----------+-----+------------------------+\n"
            "|my_pipesink|IoTDB|ip='127.0.0.1',port=6670|\n"
            "+-----------+-----+------------------------+\n");
  EXPECT_EQ(draw_table(edge("SHOW PIPESINKTYPE")), "+-----+\n| type|\n+-----+\n|IoTDB|\n+-----+\n");
}

// "|  a| b  |" as "a|b|".
std::string header_of(const std::string& line) {
  const std::string flat = std::regex_replace(line.substr(1), std::regex(" *\\| *"), "|");
  return flat.substr(flat.find_first_not_of(' '));
}

// The first line of each table that a document draws.
std::set<std::string> headers(const std::filesystem::path& path) {
  std::set<std::string> out;
  std::istringstream file(read_text(path));
  std::string before, above;
  for (std::string line; std::getline(file, line); before = std::exchange(above, line)) {
    const bool first = above.starts_with("+-") && !before.starts_with("|");
    if (first && line.starts_with("|")) out.insert(header_of(line));
  }
  return out;
}

TEST(SampleTables, TheColumnsAreThoseOfTheDocuments) {
  if (document("000").empty()) GTEST_SKIP() << "the documents are not here (TIDEGATE_SHARED)";
  std::set<std::string> printed = headers(document("000"));
  printed.merge(headers(document("001")));
  std::set<std::string> known;
  for (const Dialect dialect : {Dialect::kDataSync, Dialect::kEdgeCloud})
    for (const Statement& statement : {Statement(ShowPipes()), Statement(ShowPipeSinkTypes()),
                                       Statement(ShowPipeSinks()), Statement(ShowPipeServer())}) {
      std::string line;
      for (const std::string& column : printed_columns(statement, dialect)) line += column + "|";
      known.insert(line);
    }
  EXPECT_EQ(known, printed);
}

}  // namespace
}  // namespace tidegate
