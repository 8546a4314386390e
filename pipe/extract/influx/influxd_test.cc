// SPDX-License-Identifier: Apache-2.0
// The same requests to this source and to a real influxd 1.x: same status, same body. Skipped without
// influxd.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>

#include <filesystem>
#include <fstream>

#include "pipe/extract/influx/http_test_rig.h"

extern char** environ;

namespace tidegate::testing {
namespace {

constexpr const char* kProgram = "/usr/bin/influxd";

std::uint16_t free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof at;
  EXPECT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&at), size), 0);
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&at), &size);
  ::close(fd);
  return ntohs(at.sin_port);
}

// A server of its own in a folder that goes with it.
class Influxd {
 public:
  Influxd() : port(free_port()) {
    std::string name = (std::filesystem::temp_directory_path() / "tidegate-influxd-XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
    std::ofstream(folder_ / "conf") << "reporting-disabled = true\nbind-address = \"127.0.0.1:" << free_port()
                                    << "\"\n[meta]\n  dir = \"" << (folder_ / "meta").string()
                                    << "\"\n[data]\n  dir = \"" << (folder_ / "data").string()
                                    << "\"\n  wal-dir = \"" << (folder_ / "wal").string()
                                    << "\"\n[http]\n  bind-address = \"127.0.0.1:" << port << "\"\n";
    const std::string config = (folder_ / "conf").string(), log = (folder_ / "log").string();
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 1, log.c_str(), O_WRONLY | O_CREAT, 0600);
    posix_spawn_file_actions_adddup2(&actions, 1, 2);
    const char* const arguments[] = {kProgram, "-config", config.c_str(), nullptr};
    EXPECT_EQ(::posix_spawn(&pid_, kProgram, &actions, nullptr, const_cast<char**>(arguments), environ), 0);
    posix_spawn_file_actions_destroy(&actions);
  }
  ~Influxd() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    std::filesystem::remove_all(folder_);
  }
  bool answers() const {
    return eventually([this] {
      const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
      sockaddr_in at{};
      at.sin_family = AF_INET;
      at.sin_port = htons(port);
      at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      const bool open = ::connect(fd, reinterpret_cast<sockaddr*>(&at), sizeof at) == 0;
      ::close(fd);
      return open;
    });
  }
  const std::uint16_t port;

 private:
  std::filesystem::path folder_;
  pid_t pid_ = -1;
};

class RealInfluxd : public HttpTest {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(kProgram))
      GTEST_SKIP() << "influxd is not installed (Debian package influxdb)";
    HttpTest::SetUp();
    start();
    influxd_ = std::make_unique<Influxd>();
    ASSERT_TRUE(influxd_->answers());
    ASSERT_TRUE(eventually([this] {  // soon after its start it forgets
      Client(influxd_->port).call(post("/query?q=CREATE+DATABASE+db", ""));
      return Client(influxd_->port).call(post("/write?db=db", "started f=1 1")).status == 204;
    }));
  }

  void expect_same(const std::string& request, const char* header = nullptr) {
    const Answer real = Client(influxd_->port).call(request);
    const Answer ours = Client(source_->port()).call(request);
    EXPECT_EQ(ours.status, real.status) << request.substr(0, 200);
    EXPECT_EQ(ours.body, real.body) << request.substr(0, 200);
    if (header == nullptr) return;
    ASSERT_TRUE(real.headers.contains(header)) << request.substr(0, 200);
    EXPECT_EQ(ours.headers.contains(header) ? ours.headers.at(header) : "", real.headers.at(header));
  }

  std::unique_ptr<Influxd> influxd_;
};

TEST_F(RealInfluxd, AnswersWritesAsThisSourceDoes) {
  for (const char* body : {"m f=1 1", "", "# only a comment\n", "m f=1 1\nm f=2 2\n", "m f=1\n",
                           "m s=\"a\nb\" 5", "m,t=a\\ b i=1i,g=t 7"})
    expect_same(post("/write?db=db", body));
  for (const char* body : {"garbage", "m f=1 1\ngarbage\nm f=2 2", "bad\nm f=1 1\nworse f\n", "m f=NaN",
                           "m,t= f=1", "m f=1 x", "m f=\"open"})
    expect_same(post("/write?db=db", body), "X-Influxdb-Error");
}

TEST_F(RealInfluxd, AnswersWrongRequestsAsThisSourceDoes) {
  expect_same(post("/write", "m f=1"), "X-Influxdb-Error");
  expect_same(post("/write?db=", "m f=1"), "X-Influxdb-Error");
  expect_same(post("/nope", ""), "Content-Type");
  expect_same("PUT /write?db=db HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", "X-Content-Type-Options");
  expect_same("DELETE /ping HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", "X-Content-Type-Options");
}

TEST_F(RealInfluxd, AnswersCreateDatabaseAndRequestIdsAsThisSourceDoes) {
  expect_same(post("/query?q=CREATE+DATABASE+%22one+more%22", ""), "Content-Type");
  expect_same(post("/query", "q=create+database+two", "Content-Type: application/x-www-form-urlencoded\r\n"));
  expect_same(post("/query", ""));
  const std::string ids = "X-Request-Id: mine\r\nRequest-Id: other\r\n";
  expect_same(post("/write?db=db", "m f=1 1", ids), "X-Request-Id");
  expect_same(post("/write?db=db", "m f=1 1", ids), "Request-Id");
  expect_same(post("/write?db=db", "m f=1 1", "Request-Id: other\r\n"), "X-Request-Id");
}

TEST_F(RealInfluxd, AnswersPingAndGzipAsThisSourceDoes) {
  expect_same("GET /ping HTTP/1.1\r\nHost: x\r\n\r\n");
  expect_same(post("/write?db=db", gzip("m f=1 1\n") + gzip("m f=2 2\n"), "Content-Encoding: gzip\r\n"));
  expect_same(
      "POST /write?db=db HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n7\r\nm f=1 1\r\n0\r\n\r\n");
}

}  // namespace
}  // namespace tidegate::testing
