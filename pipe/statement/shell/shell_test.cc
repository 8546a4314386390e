// SPDX-License-Identifier: Apache-2.0
// `tidegate` as a shell, against a control server with an executor over an engine in memory.
#include "pipe/statement/shell/shell.h"

#include <poll.h>
#include <pty.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "pipe/statement/executor_for_tests.h"
#include "pipe/statement/shell/line_editor.h"
#include "pipe/statement/shell/statement_client.h"
#include "pipe/statement/statement_service.h"

namespace tidegate {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

struct Ran {
  int code = -1;
  std::string out, err;
};

class ShellTest : public ExecutorTest {
 protected:
  void SetUp() override {
    ExecutorTest::SetUp();
    serve("sender");
  }
  void TearDown() override {
    servers_.clear();
    ExecutorTest::TearDown();
  }
  void serve(const std::string& role) {
    std::filesystem::create_directories(dir_ + "/run/" + role);
    const std::string socket = dir_ + "/run/" + role + "/control.sock";
    servers_.push_back(std::make_unique<ControlServer>(
        ControlOptions{{}, socket}, [] { return StatusReport(); },
        [](const ControlCommand&) { return ControlReply(); },
        statement_handler(*executor_, Dialect::kDataSync)));
    const Status served = servers_.back()->start();
    ASSERT_TRUE(served.ok()) << served.error().text();
  }
  std::string place() const { return " --run-dir " + dir_ + "/run "; }
  // The program, its input empty or `input`.
  Ran tidegate(const std::string& arguments, const std::string& input = "") {
    std::ofstream(dir_ + "/in") << input;
    const std::string command = std::string(TIDEGATE_PROGRAM) + place() + arguments + " <" + dir_ + "/in >" +
                                dir_ + "/out 2>" + dir_ + "/err";
    const int status = std::system(command.c_str());  // NOLINT
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, content("/out"), content("/err")};
  }
  std::string content(const std::string& name) const {
    std::ifstream file(dir_ + name);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  std::vector<std::unique_ptr<ControlServer>> servers_;
};

TEST_F(ShellTest, StatementsOfAnArgumentAreShownAsTables) {
  const Ran ran = tidegate("-e \"CREATE PIPESINK hq AS IoTDB (IP='10.0.0.9'); SHOW PIPESINKS\"");
  EXPECT_EQ(ran.code, kExitOk) << ran.err;
  EXPECT_EQ(ran.out,
            "Msg: The statement is executed successfully.\n"
            "+----+-----+-----------------------+\n"
            "|name| type|             attributes|\n"
            "+----+-----+-----------------------+\n"
            "|  hq|IoTDB|ip='10.0.0.9',port=6670|\n"
            "+----+-----+-----------------------+\n");
}

TEST_F(ShellTest, ARefusalIsExitCodeOneWithACaretBehindWhatWasDone) {
  const Ran ran = tidegate("-e 'SHOW PIPESINKTYPE; START PIPE nowhere; SHOW PIPES'");
  EXPECT_EQ(ran.code, kExitNo);
  EXPECT_THAT(ran.out, AllOf(HasSubstr("IoTDB"), Not(HasSubstr("CreationTime"))));
  EXPECT_EQ(ran.err,
            "line 1, column 31: there is no pipe 'nowhere'\n  START PIPE nowhere;\n             ^\n");
}

TEST_F(ShellTest, WhatATargetSaysReachesTheTerminalWithoutControlCharacters) {
  run("CREATE PIPE p WITH SINK ('sink'='do-nothing-connector')");
  engine_->failing.emplace("start", make_error(ErrorCode::kIo, "it said \x1b[2J\nand more"));
  const Ran ran = tidegate("-e 'START PIPE p'");
  EXPECT_EQ(ran.code, kExitNo);
  EXPECT_EQ(ran.err, "it said \\x1b[2J\nand more\n");
}

TEST_F(ShellTest, AFileAndTheStandardInputAreReadAsAWhole) {
  std::ofstream(dir_ + "/script.sql") << "-- two of them\nSHOW PIPESINKTYPE;\n\nSHOW\n  PIPESINKTYPE";
  const Ran file = tidegate("-f " + dir_ + "/script.sql");
  EXPECT_EQ(file.code, kExitOk) << file.err;
  EXPECT_EQ(tidegate("-f -", content("/script.sql")).out, file.out);
  EXPECT_EQ(tidegate("-f " + dir_ + "/none").code, kExitUsage);
  EXPECT_EQ(tidegate("-f -", " -- nothing\n").code, kExitUsage);
}

TEST_F(ShellTest, JsonAndDialectGoThrough) {
  EXPECT_EQ(
      tidegate("--json -e 'SHOW PIPESINKTYPE'").out,
      "{\"results\":[{\"columns\":[\"type\"],\"rows\":[[\"IoTDB\"]],\"message\":\"\"}],\"error\":null}\n");
  EXPECT_THAT(tidegate("--dialect edge-cloud -e 'SHOW PIPES'").out, HasSubstr("create time"));
  EXPECT_EQ(tidegate("--json -e 'SHOW PIPE x'").code, kExitNo);
  EXPECT_EQ(tidegate("--dialect sql -e 'SHOW PIPES'").code, kExitUsage);
}

TEST_F(ShellTest, TheDaemonIsNamedWhereThereAreTwo) {
  serve("receiver");
  const Ran unclear = tidegate("-e 'SHOW PIPES'");
  EXPECT_EQ(unclear.code, kExitUsage);
  EXPECT_THAT(unclear.err, HasSubstr("--daemon sender"));
  EXPECT_EQ(tidegate("--daemon receiver -e 'SHOW PIPES'").code, kExitOk);
  servers_.clear();
  EXPECT_EQ(tidegate("-e 'SHOW PIPES'").code, kExitUnreachable);
}

TEST_F(ShellTest, WithoutATerminalAndWithoutATextItSaysWhatToGive) {
  const Ran ran = tidegate("");
  EXPECT_EQ(ran.code, kExitUsage);
  EXPECT_THAT(ran.err, HasSubstr("-f -"));
}

TEST_F(ShellTest, AnotherUserIsToldWhichPrivilegeHeLacks) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can act as another user";
  for (const char* folder : {"", "/run", "/run/sender", "/run/sender/control.sock"})
    chmod((dir_ + folder).c_str(), 0777);
  std::ofstream(dir_ + "/err") << "";
  chmod((dir_ + "/err").c_str(), 0666);
  const pid_t child = fork();
  if (child == 0) {
    if (setgid(65534) != 0 || setuid(65534) != 0) _exit(9);
    std::ofstream err(dir_ + "/err");
    std::ostringstream out;
    _exit(run_statements({{dir_ + "/run/sender/control.sock", {}}, "", false, ""}, "SHOW PIPES", out, err));
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(WEXITSTATUS(status), kExitNo);
  EXPECT_THAT(content("/err"),
              AllOf(HasSubstr("user 'nobody' lacks the privilege SHOW_PIPES"), HasSubstr("GRANT")));
}

// ---- a session

// The program at a terminal of its own.
class Terminal {
 public:
  Terminal(const std::string& arguments, const std::string& home) {
    pid_ = forkpty(&fd_, nullptr, nullptr, nullptr);
    if (pid_ == 0) {
      setenv("HOME", home.c_str(), 1);
      setenv("TERM", "dumb", 1);
      execl("/bin/sh", "sh", "-c", ("exec " + std::string(TIDEGATE_PROGRAM) + arguments).c_str(), nullptr);
      _exit(127);
    }
  }
  ~Terminal() {
    if (pid_ > 0) kill(pid_, SIGKILL);
    if (pid_ > 0) waitpid(pid_, nullptr, 0);
    close(fd_);
  }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  void type(const std::string& text) { EXPECT_EQ(write(fd_, text.data(), text.size()), std::ssize(text)); }
  // Reads on until `wanted` has been written, for at most 20 s.
  void until(const std::string& wanted) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    pollfd waiting{fd_, POLLIN, 0};
    char bytes[4096];
    while (seen_.find(wanted) == std::string::npos && std::chrono::steady_clock::now() < deadline) {
      if (poll(&waiting, 1, 100) <= 0) continue;
      const ssize_t n = read(fd_, bytes, sizeof(bytes));
      if (n <= 0) break;
      seen_.append(bytes, static_cast<std::size_t>(n));
    }
    const std::size_t at = seen_.find(wanted);
    ASSERT_NE(at, std::string::npos) << "'" << wanted << "' is missing in: " << seen_;
    seen_.erase(0, at + wanted.size());
  }
  int exit_code() {
    int status = -1;
    waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

 private:
  int fd_ = -1;
  pid_t pid_ = -1;
  std::string seen_;  // and not yet asked for
};

TEST_F(ShellTest, ASessionTakesStatementsOverSeveralLinesAndGoesOnAfterAnError) {
  Terminal terminal(place(), dir_);
  terminal.until("tidegate> ");
  terminal.type("SHOW\n");
  terminal.until("-> ");
  terminal.type("PIPESINKTYPE;\n");
  terminal.until("|IoTDB|");
  terminal.until("tidegate> ");
  terminal.type("START PIPE x;\n");
  terminal.until("there is no pipe 'x'");
  terminal.until("tidegate> ");
  terminal.type("quit\n");
  EXPECT_EQ(terminal.exit_code(), kExitOk);
  EXPECT_THAT(content("/.tidegate_history"), HasSubstr("SHOW"));
}

TEST_F(ShellTest, TabCompletesWhatTheDaemonKnows) {
  run("CREATE PIPE boiler WITH SINK ('sink'='do-nothing-connector')");
  Terminal terminal(place(), dir_);
  terminal.until("tidegate> ");
  terminal.type("sta\tpipe bo\t;\n");
  terminal.until("successfully");
  EXPECT_EQ(engine_->calls.back(), "start boiler");
}

TEST_F(ShellTest, TheHistoryHoldsNoSecrets) {
  Terminal terminal(place(), dir_);
  terminal.until("tidegate> ");
  terminal.type("CREATE USER bob 'hunter2';\n");
  terminal.until("successfully");
  terminal.until("tidegate> ");
  terminal.type("SHOW PIPESINKTYPE;\n");
  terminal.until("|IoTDB|");
  terminal.until("tidegate> ");
  terminal.type("quit\n");  // an end of file typed before the terminal is raw would be swallowed by it
  EXPECT_EQ(terminal.exit_code(), kExitOk);
  EXPECT_THAT(content("/.tidegate_history"), AllOf(HasSubstr("PIPESINKTYPE"), Not(HasSubstr("hunter2"))));
  struct stat info{};
  ASSERT_EQ(stat((dir_ + "/.tidegate_history").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0600U);
}

// ---- parts

TEST(CommonBeginning, EndsBetweenCharacters) {
  EXPECT_EQ(common_beginning({}), "");
  EXPECT_EQ(common_beginning({"start"}), "start");
  EXPECT_EQ(common_beginning({"start", "stop"}), "st");
  EXPECT_EQ(common_beginning({"\xe4\xb8\xad", "\xe4\xb8\x80"}), "");
  EXPECT_EQ(common_beginning({"a", "ab", ""}), "");
}

TEST(StatementAnswers, WhatIsNoAnswerIsToldAsSuch) {
  EXPECT_EQ(parse_statement_answer("hello").error().code, ErrorCode::kMalformed);
  EXPECT_EQ(parse_statement_answer("{}").error().code, ErrorCode::kMalformed);
  EXPECT_EQ(parse_completion_answer("{\"from\":\"x\"}").error().code, ErrorCode::kMalformed);
  EXPECT_EQ(parse_completion_answer("{\"from\":3,\"candidates\":[\"a\"]}")->candidates.size(), 1U);
}

}  // namespace
}  // namespace tidegate
