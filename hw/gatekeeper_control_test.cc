// SPDX-License-Identifier: Apache-2.0
#include "hw/gatekeeper_control.h"

#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

#include "base/real_env.h"
#include "hw/emulator_fixture.h"

namespace tidegate {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class ControlTest : public EmulatorTest {
 protected:
  ControlTest() {
    char pattern[] = "/tmp/gatekeeper.XXXXXX";
    folder_ = mkdtemp(pattern);
    control_.socket_path = folder_ + "/control";
    control_.stats_file = folder_ + "/stats.json";
    start();
  }
  ~ControlTest() override {
    if (thread_.joinable()) {
      ask("quit");
      thread_.join();
    }
    std::filesystem::remove_all(folder_);
  }

  void serve() {
    Result<std::unique_ptr<ControlServer>> made = ControlServer::open(control_);
    ASSERT_TRUE(made.ok()) << made.error().text();
    server_ = std::move(made).value();
    thread_ = std::thread([this] { status_ = server_->serve(*emulator_, *real_env().files); });
  }

  Peer connect_control() {
    Fd fd(socket(AF_UNIX, SOCK_STREAM, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, control_.socket_path.c_str(), control_.socket_path.size());
    EXPECT_EQ(connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    return Peer(std::move(fd));
  }

  // What comes back up to the empty line.
  static std::string answer_of(Peer& peer) {
    std::string out;
    while (!out.ends_with("\n\n")) {
      const Bytes byte = peer.read(1);
      if (byte.empty()) return out + "<end>";
      out += static_cast<char>(byte[0]);
    }
    return out;
  }
  std::string ask(const std::string& line) {
    Peer peer = connect_control();
    peer.write(to_bytes(as_bytes(line + "\n")));
    return answer_of(peer);
  }

  std::string stats_file() {
    std::ifstream in(control_.stats_file);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  std::string folder_;
  GatekeeperControlOptions control_;
  std::unique_ptr<ControlServer> server_;
  std::thread thread_;
  Status status_;
};

TEST_F(ControlTest, ACommandIsALineAndItsAnswerEndsWithAnEmptyLine) {
  serve();
  EXPECT_EQ(ask("polarity invert"), "ok: inverted\n\n");
  EXPECT_THAT(ask("stats"), HasSubstr("connections 0\n"));
  EXPECT_THAT(ask("nonsense"), StartsWith("error: 'nonsense' is no command"));
}

TEST_F(ControlTest, OneConnectionCarriesManyCommandsInPiecesOfAnySize) {
  serve();
  Peer peer = connect_control();
  for (const char c : std::string("block\r\npass\npolarity no")) peer.write({static_cast<std::uint8_t>(c)});
  EXPECT_EQ(answer_of(peer), "ok\n\n");
  EXPECT_EQ(answer_of(peer), "ok\n\n");
  peer.write(to_bytes(as_bytes("rmal\n")));
  EXPECT_EQ(answer_of(peer), "ok: normal\n\n");
}

TEST_F(ControlTest, ALineWithoutEndIsNotCollectedForEver) {
  serve();
  Peer peer = connect_control();
  peer.write(Bytes(100'000, 'x'));
  EXPECT_TRUE(peer.sees_end());
}

TEST_F(ControlTest, QuitEndsServingAndLeavesTheLastCounters) {
  serve();
  connect_with_frame();
  outer_.write({0x07});
  EXPECT_TRUE(eventually_violated(ViolationKind::kForeignValue));
  EXPECT_EQ(ask("quit"), "ok\n\n");
  thread_.join();
  EXPECT_TRUE(status_.ok());
  EXPECT_THAT(stats_file(), HasSubstr("\"foreign_value\":1"));
  server_.reset();
  EXPECT_FALSE(std::filesystem::exists(control_.socket_path));
}

TEST_F(ControlTest, TheStatsFileIsWrittenWhileItRuns) {
  control_.stats_interval = 10 * kMillisecond;
  serve();
  const Nanos deadline = monotonic_now() + kPatience;
  while (stats_file().empty() && monotonic_now() < deadline) poll(nullptr, 0, 1);
  EXPECT_THAT(stats_file(), StartsWith("{\"connections\":0,"));
}

TEST_F(ControlTest, AStatsFileThatCannotBeWrittenIsAnError) {
  control_.stats_file = folder_ + "/no/such/folder/x.json";
  serve();
  ask("quit");
  thread_.join();
  EXPECT_FALSE(status_.ok());
}

TEST_F(ControlTest, AFileInPlaceOfTheSocketIsNotReplaced) {
  std::ofstream(control_.socket_path) << "precious";
  EXPECT_FALSE(ControlServer::open(control_).ok());
  EXPECT_TRUE(std::filesystem::is_regular_file(control_.socket_path));
}

}  // namespace
}  // namespace tidegate
