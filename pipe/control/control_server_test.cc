// SPDX-License-Identifier: Apache-2.0
#include "pipe/control/control_server.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <future>
#include <thread>

#include "pipe/control/control_client.h"

namespace tidegate {
namespace {

using ::testing::HasSubstr;

class ControlServerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = "/tmp/tidegate-control-XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    dir_ = name;
    socket_ = dir_ + "/control.sock";
    report_.program = "tidegate-sender";
    report_.instance = "hall";
  }
  void TearDown() override {
    server_.reset();
    std::filesystem::remove_all(dir_);
  }

  std::unique_ptr<ControlServer> make() {
    return std::make_unique<ControlServer>(
        ControlOptions{{"127.0.0.1", 0}, socket_}, [this] { return report_; },
        [this](const ControlCommand& command) {
          last_ = command;
          return ControlReply{command.verb != "refuse", "heard " + command.verb};
        },
        execute_);
  }
  // Statements are heard and answered with their text.
  void take_statements() {
    execute_ = [this](const ControlStatement& statement) {
      heard_ = statement;
      return ControlAnswer{statement.text == "wrong" ? 400U : 200U, "text/plain", statement.text};
    };
  }
  void serve() {
    server_ = make();
    const Status status = server_->start();
    ASSERT_TRUE(status.ok()) << status.error().text();
  }
  ControlTarget tcp() const { return {"", {"127.0.0.1", server_->port()}}; }
  ControlTarget local() const { return {socket_, {}}; }
  static ControlResponse ask(const ControlTarget& target, const std::string& method, const std::string& path,
                             const std::string& body = "") {
    auto answer = ask_control(target, {method, path, body});
    EXPECT_TRUE(answer.ok()) << answer.error().text();
    return answer.ok() ? *answer : ControlResponse{};
  }
  int connect_raw() const {
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un at{};
    at.sun_family = AF_UNIX;
    std::snprintf(at.sun_path, sizeof(at.sun_path), "%s", socket_.c_str());
    EXPECT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&at), sizeof(at)), 0);
    return fd;
  }
  // What comes until the other side closes, for at most 5 s.
  static std::string read_all(int fd) {
    std::string out;
    char bytes[4096];
    pollfd waiting{fd, POLLIN, 0};
    while (poll(&waiting, 1, 5000) > 0) {
      const ssize_t n = read(fd, bytes, sizeof(bytes));
      if (n <= 0) break;
      out.append(bytes, static_cast<std::size_t>(n));
    }
    return out;
  }

  std::string dir_, socket_;
  StatusReport report_;
  ControlCommand last_;
  StatementHandler execute_;
  ControlStatement heard_;
  std::unique_ptr<ControlServer> server_;
};

TEST_F(ControlServerTest, EveryPageIsServedOnBothSockets) {
  serve();
  for (const ControlTarget& target : {tcp(), local()}) {
    EXPECT_THAT(ask(target, "GET", "/status").body, HasSubstr("tidegate-sender"));
    EXPECT_THAT(ask(target, "GET", "/status.json").body, HasSubstr("\"instance\":\"hall\""));
    EXPECT_THAT(ask(target, "GET", "/metrics").body, HasSubstr("# TYPE tidegate_health gauge"));
    EXPECT_EQ(ask(target, "GET", "/health").status, 200U);
    EXPECT_EQ(ask(target, "GET", "/health?verbose=1").status, 200U);
    EXPECT_EQ(ask(target, "GET", "/nowhere").status, 404U);
  }
}

TEST_F(ControlServerTest, HealthIs503OnlyWhenFailed) {
  serve();
  report_.health = Health::kDegraded;
  EXPECT_EQ(ask(tcp(), "GET", "/health").status, 200U);
  report_.health = Health::kFailed;
  EXPECT_EQ(ask(tcp(), "GET", "/health").status, 503U);
}

TEST_F(ControlServerTest, CommandsReachTheDaemonWithTheirArguments) {
  serve();
  const ControlResponse answer = ask(local(), "POST", "/control/fork", "base=12\r\nnote=a=b\n\n");
  EXPECT_EQ(answer.status, 200U);
  EXPECT_EQ(answer.body, "heard fork\n");
  EXPECT_EQ(last_.verb, "fork");
  EXPECT_THAT(last_.arguments,
              ::testing::ElementsAre(::testing::Pair("base", "12"), ::testing::Pair("note", "a=b")));
  EXPECT_EQ(ask(local(), "POST", "/control/refuse").status, 409U);
}

TEST_F(ControlServerTest, CommandsThatCannotBeReadNeverReachTheDaemon) {
  serve();
  EXPECT_EQ(ask(local(), "POST", "/control/fork", "base").status, 400U);
  EXPECT_EQ(ask(local(), "POST", "/control/fork", "base=1\nbase=2\n").status, 400U);
  EXPECT_EQ(ask(local(), "POST", "/control/fork", std::string(20 << 10, 'x')).status, 413U);
  EXPECT_EQ(last_.verb, "");
}

TEST_F(ControlServerTest, CommandsOverTcpAreForbidden) {
  serve();
  const ControlResponse answer = ask(tcp(), "POST", "/control/gap");
  EXPECT_EQ(answer.status, 403U);
  EXPECT_THAT(answer.body, HasSubstr(socket_));
  EXPECT_EQ(last_.verb, "");
}

TEST_F(ControlServerTest, OnlyTheRightMethodIsAllowed) {
  serve();
  EXPECT_EQ(ask(local(), "POST", "/status").status, 405U);
  EXPECT_EQ(ask(local(), "GET", "/control/gap").status, 405U);
  EXPECT_EQ(last_.verb, "");
}

TEST_F(ControlServerTest, AnotherUserMayLookButNotCommand) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can act as another user";
  serve();
  chmod(dir_.c_str(), 0755);
  chmod(socket_.c_str(), 0666);
  const pid_t child = fork();
  if (child == 0) {
    if (setgid(65534) != 0 || setuid(65534) != 0) _exit(9);
    const auto look = ask_control(local(), {"GET", "/status"});
    const auto command = ask_control(local(), {"POST", "/control/gap"});
    _exit(look.ok() && look->status == 200 && command.ok() && command->status == 403 ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  EXPECT_EQ(last_.verb, "");
}

TEST_F(ControlServerTest, TheSocketIsForOwnerAndGroup) {
  serve();
  struct stat found{};
  ASSERT_EQ(stat(socket_.c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777U, 0660U);
}

TEST_F(ControlServerTest, ALeftOverSocketIsReplaced) {
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un at{};
  at.sun_family = AF_UNIX;
  std::snprintf(at.sun_path, sizeof(at.sun_path), "%s", socket_.c_str());
  ASSERT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&at), sizeof(at)), 0);
  close(fd);
  serve();
  EXPECT_EQ(ask(local(), "GET", "/health").status, 200U);
}

TEST_F(ControlServerTest, AServedSocketIsRefusedAndGoesOnServing) {
  serve();
  auto second = make();
  const Status status = second->start();
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, ErrorCode::kLocked);
  second.reset();
  EXPECT_EQ(ask(local(), "GET", "/health").status, 200U);
}

TEST_F(ControlServerTest, AFileThatIsNoSocketStays) {
  std::ofstream(socket_) << "precious";
  EXPECT_EQ(make()->start().error().code, ErrorCode::kAlreadyExists);
  EXPECT_TRUE(std::filesystem::is_regular_file(socket_));
}

TEST_F(ControlServerTest, AMissingFolderAndALongPathAreSaid) {
  socket_ = dir_ + "/none/control.sock";
  EXPECT_THAT(make()->start().error().text(), HasSubstr("folder"));
  socket_ = dir_ + "/" + std::string(120, 'x');
  EXPECT_THAT(make()->start().error().text(), HasSubstr("107 bytes"));
}

TEST_F(ControlServerTest, ATakenPortIsSaid) {
  serve();
  ControlServer second({{"127.0.0.1", server_->port()}, ""}, [] { return StatusReport(); }, nullptr);
  EXPECT_THAT(second.start().error().text(), HasSubstr(std::to_string(server_->port())));
}

TEST_F(ControlServerTest, TheSocketGoesWithTheServer) {
  serve();
  server_->stop();
  EXPECT_FALSE(std::filesystem::exists(socket_));
  EXPECT_EQ(server_->port(), 0);
}

TEST_F(ControlServerTest, SilentConnectionsDoNotLockOthersOut) {
  serve();
  std::vector<int> silent;
  for (int i = 0; i < 16; ++i) silent.push_back(connect_raw());
  EXPECT_EQ(ask(tcp(), "GET", "/health").status, 200U);
  const int extra = connect_raw();
  EXPECT_THAT(read_all(extra), HasSubstr("503 Service Unavailable"));
  close(extra);
  for (const int fd : silent) close(fd);
  // The server notices the closes in its own time.
  const auto served = [this] {
    const auto answer = ask_control(local(), {"GET", "/health", ""});
    return answer.ok() && answer->status == 200;
  };
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!served() && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
  EXPECT_TRUE(served());
}

TEST_F(ControlServerTest, SeveralRequestsGoOverOneConnection) {
  serve();
  const int fd = connect_raw();
  const std::string two =
      "GET /health HTTP/1.1\r\nHost: x\r\n\r\nGET /nowhere HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
  ASSERT_EQ(write(fd, two.data(), two.size()), static_cast<ssize_t>(two.size()));
  const std::string answers = read_all(fd);
  EXPECT_THAT(answers, HasSubstr("200 OK"));
  EXPECT_THAT(answers, HasSubstr("404 Not Found"));
  close(fd);
}

TEST_F(ControlServerTest, WhatIsNoHttpAndTooLargeHeadersAreAnsweredAndClosed) {
  serve();
  const int garbage = connect_raw();
  ASSERT_GT(write(garbage, "\x16\x03\x01 hello\r\n\r\n", 13), 0);
  EXPECT_THAT(read_all(garbage), HasSubstr("400 Bad Request"));
  close(garbage);
  const int large = connect_raw();
  const std::string head = "GET / HTTP/1.1\r\nX: " + std::string(9000, 'x');
  ASSERT_GT(write(large, head.data(), head.size()), 0);
  EXPECT_THAT(read_all(large), HasSubstr("413 Payload Too Large"));
  close(large);
}

TEST_F(ControlServerTest, StoppingDoesNotWaitForOpenConnections) {
  serve();
  const int fd = connect_raw();
  server_->stop();
  EXPECT_EQ(read_all(fd), "");
  close(fd);
}

TEST(ControlClientTest, AnUnreachableDaemonIsSaidWithWhatToDo) {
  const auto answer = ask_control({"/nowhere/control.sock", {}}, {"GET", "/health"});
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().code, ErrorCode::kUnreachable);
  EXPECT_THAT(answer.error().text(), HasSubstr("is the daemon running"));
}

TEST(ControlClientTest, UrlsAreReadStrictly) {
  EXPECT_EQ(parse_control_url("http://[::1]:9781/")->address.host, "::1");
  EXPECT_EQ(parse_control_url("127.0.0.1:9781")->address.port, 9781);
  for (const char* bad : {"", "http://", "https://a:1/x", "host", "host:0"})
    EXPECT_FALSE(parse_control_url(bad).ok()) << bad;
}

// ---- statements

TEST_F(ControlServerTest, StatementsComeWithWhoGaveThemAndInWhichDialect) {
  take_statements();
  serve();
  const auto answer = ask_control(
      local(), {"POST", "/statement", "SHOW PIPES", 10 * kSecond, {{"Tidegate-Dialect", "edge-cloud"}}});
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->status, 200U);
  EXPECT_EQ(answer->body, "SHOW PIPES");
  EXPECT_EQ(heard_.dialect, "edge-cloud");
  EXPECT_EQ(heard_.peer.uid, geteuid());
  EXPECT_EQ(heard_.peer.pid, getpid());
  EXPECT_EQ(heard_.peer.socket, socket_);
  EXPECT_TRUE(heard_.peer.is_admin);
  EXPECT_NE(heard_.peer.user, "");
  EXPECT_EQ(ask(local(), "POST", "/statement", "wrong").status, 400U);
}

TEST_F(ControlServerTest, StatementsMayBeLargeAndCommandsMayNot) {
  take_statements();
  serve();
  const std::string large(3 << 20, 'x');
  EXPECT_EQ(ask(local(), "POST", "/statement", large).body.size(), large.size());
  // The server stops reading: the client sees its answer, or a closed connection.
  const auto too_large = ask_control(local(), {"POST", "/statement", std::string(5 << 20, 'y')});
  EXPECT_TRUE(!too_large.ok() || too_large->status == 413U);
  EXPECT_EQ(heard_.text, large);
  EXPECT_EQ(ask(local(), "POST", "/control/fork", std::string(20 << 10, 'x')).status, 413U);
}

TEST_F(ControlServerTest, TheTcpAddressNeverTakesStatements) {
  take_statements();
  serve();
  EXPECT_EQ(ask(tcp(), "POST", "/statement", "SHOW PIPES").status, 403U);
  EXPECT_EQ(ask(tcp(), "POST", "/complete", "SHOW").status, 403U);
  EXPECT_EQ(heard_.text, "");
}

TEST_F(ControlServerTest, WhatIsNoStatementRequestIsRefused) {
  serve();
  EXPECT_EQ(ask(local(), "POST", "/statement", "SHOW PIPES").status, 404U);
  server_.reset();
  take_statements();
  serve();
  EXPECT_EQ(ask(local(), "GET", "/statement").status, 405U);
  EXPECT_EQ(ask(local(), "POST", "/complete", "SHOW").status, 400U);
  EXPECT_EQ(ask_control(local(), {"POST", "/complete", "SHOW", kSecond, {{"Tidegate-Cursor", "-1"}}})->status,
            400U);
  EXPECT_EQ(ask_control(local(), {"POST", "/complete", "SHOW", kSecond, {{"Tidegate-Cursor", "4"}}})->status,
            200U);
  EXPECT_EQ(heard_.cursor, 4U);
}

TEST_F(ControlServerTest, AStatementThatTakesItsTimeHoldsUpNoPageAndIsFinishedAtTheEnd) {
  std::promise<void> begun, may_end;
  auto waiting = may_end.get_future().share();
  execute_ = [&](const ControlStatement&) {
    begun.set_value();
    waiting.wait();
    heard_.text = "finished";
    return ControlAnswer{};
  };
  serve();
  std::thread client([&] { (void)ask_control(local(), {"POST", "/statement", "SLOW"}); });
  begun.get_future().wait();
  EXPECT_EQ(ask(local(), "GET", "/health").status, 200U);
  EXPECT_EQ(ask(tcp(), "GET", "/status").status, 200U);
  std::thread end([&] { server_->stop(); });
  may_end.set_value();
  end.join();
  EXPECT_EQ(heard_.text, "finished");
  server_.reset();
  client.join();
}

}  // namespace
}  // namespace tidegate
