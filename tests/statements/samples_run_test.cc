// SPDX-License-Identifier: Apache-2.0
// Every statement that the documents print is carried out, by the executor and by the shell over the socket,
// and shows the tables that printed.txt holds. TIDEGATE_UPDATE_GOLDEN=1 writes that file anew: read the diff.
#include <fstream>
#include <regex>
#include <set>
#include <sstream>
#include <utility>

#include "pipe/statement/executor_for_tests.h"
#include "pipe/statement/parser.h"
#include "pipe/statement/samples_for_tests.h"
#include "pipe/statement/shell/shell.h"
#include "pipe/statement/statement_service.h"

namespace tidegate {
namespace {

const std::string kPrinted = std::string(TIDEGATE_SOURCE_DIR) + "/tests/statements/printed.txt";

// The moment of creation is that of the documents' own tables, which is as wide.
std::string with_the_time_of_the_documents(const std::string& text) {
  return std::regex_replace(text, std::regex(R"(20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d\d\d)"),
                            "2022-03-30T20:58:30.689");
}

class SampleRunTest : public ExecutorTest {
 protected:
  void SetUp() override {
    ExecutorTest::SetUp();
    hooks_.reload = [] { return Result<std::string>("nothing has changed"); };
    begin();
  }
  // A daemon in which nothing is defined.
  void begin() {
    close();
    std::filesystem::remove_all(dir_ + "/catalogue");
    open();
  }

  // What `tidegate -e` prints.
  std::string over_the_socket(const Sample& sample) {
    const std::string socket = dir_ + "/control.sock";
    ControlServer server(
        {{}, socket}, [] { return StatusReport(); }, [](const ControlCommand&) { return ControlReply(); },
        statement_handler(*executor_, Dialect::kDataSync));
    const Status served = server.start();
    EXPECT_TRUE(served.ok()) << served.error().text();
    std::ostringstream out, err;
    const ShellOptions options{{socket, {}}, std::string(dialect_name(sample.dialect)), false, ""};
    const int code = run_statements(options, sample.run, out, err);
    EXPECT_EQ(code, sample.is_gateway ? kExitOk : kExitNo) << sample.run << err.str();
    return out.str() + err.str();
  }
  std::string by_the_executor(const Sample& sample) {
    const Execution done = execute(sample.run, sample.dialect);
    std::string out;
    for (const ResultTable& table : done.results) out += draw_table(table);
    return out + (done.error ? done.explanation + "\n" : "");
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

TEST_F(SampleRunTest, EachOneShowsWhatIsPrintedByTheExecutorAndOverTheSocket) {
  std::string printed;
  for (const Sample& sample : samples()) {
    const auto statement = parse_statement(sample.run, sample.dialect);
    begin();
    if (statement.ok()) prepare(*statement, sample.dialect);
    const std::string text = with_the_time_of_the_documents(over_the_socket(sample));
    begin();
    if (statement.ok()) prepare(*statement, sample.dialect);
    EXPECT_EQ(with_the_time_of_the_documents(by_the_executor(sample)), text) << sample.run;
    printed += std::string(dialect_name(sample.dialect)) + "> " + sample.run + "\n" + text + "\n";
  }
  if (std::getenv("TIDEGATE_UPDATE_GOLDEN") != nullptr) std::ofstream(kPrinted) << printed;
  EXPECT_EQ(printed, read_text(kPrinted));
}

TEST_F(SampleRunTest, EachTableHasTheColumnsOfTheDocuments) {
  for (const Sample& sample : samples()) {
    const auto statement = parse_statement(sample.run, sample.dialect);
    if (!statement.ok()) continue;
    begin();
    prepare(*statement, sample.dialect);
    const ResultTable table = run(sample.run, sample.dialect);
    const std::vector<std::string> printed = printed_columns(*statement, sample.dialect);
    std::vector<std::string> columns = table.columns;
    if (columns.size() > printed.size() && !printed.empty())
      columns.resize(printed.size());  // ours stand behind
    EXPECT_TRUE(printed.empty() || columns == printed) << sample.run << "\n" << draw_table(table);
  }
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
