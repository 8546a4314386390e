// SPDX-License-Identifier: Apache-2.0
// The program itself: its first line, its commands on standard input, its exit codes.
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/version.h"
#include "hw/emulator_fixture.h"

extern char** environ;

namespace tidegate {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;

class GatekeeperProgram : public testing::Test {
 protected:
  ~GatekeeperProgram() override {
    if (pid_ > 0) finish();
  }

  void run(std::vector<std::string> arguments) {
    int to_child[2], from_child[2];
    ASSERT_EQ(pipe(to_child), 0);
    ASSERT_EQ(pipe(from_child), 0);
    input_ = Fd(to_child[1]);
    output_ = Fd(from_child[0]);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, to_child[0], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, from_child[1], STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, from_child[1], STDERR_FILENO);
    for (const int fd : {to_child[0], to_child[1], from_child[0], from_child[1]}) {
      posix_spawn_file_actions_addclose(&actions, fd);
    }
    arguments.insert(arguments.begin(), TIDEGATE_GATEKEEPER_PROGRAM);
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    ASSERT_EQ(posix_spawn(&pid_, argv[0], &actions, nullptr, argv.data(), environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    close(to_child[0]);
    close(from_child[1]);
  }

  void say(const std::string& line) {
    ASSERT_EQ(write(input_.get(), (line + "\n").data(), line.size() + 1),
              static_cast<ssize_t>(line.size() + 1));
  }

  std::string line() {
    std::string out;
    for (pollfd p{output_.get(), POLLIN, 0}; poll(&p, 1, kPatience / kMillisecond) == 1;) {
      char c;
      if (read(output_.get(), &c, 1) != 1 || c == '\n') break;
      out += c;
    }
    return out;
  }

  // All that it still says, until it ends.
  std::string rest() {
    std::string out;
    char c;
    while (read(output_.get(), &c, 1) == 1) out += c;
    return out;
  }

  // Ends its input and returns its exit code.
  int finish() {
    input_.reset();
    int status = 0;
    waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

  pid_t pid_ = -1;
  Fd input_;
  Fd output_;
};

TEST_F(GatekeeperProgram, SaysWhereItListensAndEndsWithZero) {
  run({"--receiver", "127.0.0.1:9", "--profile", "none", "--stdin", "--strict"});
  EXPECT_THAT(line(), MatchesRegex("listening on 127.0.0.1:[0-9]+, receiver 127.0.0.1:9, profile none"));
  say("polarity");
  EXPECT_EQ(line(), "ok: inverted");
  say("quit");
  EXPECT_EQ(line(), "ok");
  EXPECT_EQ(finish(), 0);
}

TEST_F(GatekeeperProgram, PrintsAViolationAndEndsWithFourWhenStrict) {
  const Fd listener = listen_tcp(resolve({"127.0.0.1", 0}, true).value()).value();
  run({"--receiver", local_address(listener.get()).text(), "--stdin", "--strict"});
  const std::string first = line();
  const std::uint16_t port = std::stoi(first.substr(first.find(':') + 1));
  Peer client(connect_tcp(resolve({"127.0.0.1", port}, false).value()).value());
  client.write(to_bytes(as_bytes("GET / HTTP/1.1\r\n\r\n")));
  EXPECT_THAT(line(), HasSubstr("violation frame_malformed connection 1 peer 127.0.0.1:"));
  say("quit");
  EXPECT_EQ(line(), "ok");
  EXPECT_EQ(finish(), 4);
}

TEST_F(GatekeeperProgram, SaysWhatItCannotUnderstandAndEndsWithTwo) {
  run({"--receiver", "127.0.0.1:9", "--rate", "quick"});
  EXPECT_THAT(line(), HasSubstr("--rate"));
  EXPECT_EQ(finish(), 2);
  run({"--receiver", "127.0.0.1:9", "--profile", "stonewall"});
  EXPECT_THAT(line(), HasSubstr("known are none, syskeeper-2000"));
  EXPECT_EQ(finish(), 2);
  run({"--recever", "127.0.0.1:9"});
  EXPECT_EQ(finish(), 2);
  run({"--print-profile", "stonewall"});
  EXPECT_EQ(finish(), 2);
}

TEST_F(GatekeeperProgram, EndsWithOneWhenItCannotStart) {
  const Fd taken = listen_tcp(resolve({"127.0.0.1", 0}, true).value()).value();
  run({"--receiver", "127.0.0.1:9", "--listen", local_address(taken.get()).text()});
  EXPECT_THAT(line(), HasSubstr("tidegate-gatekeeper: "));
  EXPECT_EQ(finish(), 1);
}

TEST_F(GatekeeperProgram, SaysItsVersionAndExplainsEveryOption) {
  run({"--version"});
  EXPECT_EQ(line(), kVersion);
  EXPECT_EQ(finish(), 0);
  run({"--help"});
  const std::string help = rest();
  EXPECT_THAT(help, HasSubstr("print the names of the built-in profiles"));
  EXPECT_THAT(help, HasSubstr("print a built-in profile as YAML"));
  EXPECT_EQ(finish(), 0);
}

}  // namespace
}  // namespace tidegate
