// SPDX-License-Identifier: Apache-2.0
// The operator's commands to a receiver that runs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "base/real_env.h"
#include "pipe/control/tidegate_verbs.h"
#include "receiver/receiver_daemon.h"

namespace tidegate {
namespace {

using ::testing::HasSubstr;

class ReceiverCommandsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = "/tmp/tidegate-commands-XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    dir_ = name;
    std::ofstream(dir_ + "/r.yaml")
        << "instance: x\ndata_dir: " << dir_ << "/data\ncontrol: {socket: " << dir_
        << "/c.sock}\njournal: {min_free: 1MB}\nlink: {listen: '127.0.0.1:0'}\nsinks:\n"
        << "  - {name: files, type: file, directory: " << dir_ << "/a}\n"
        << "  - {name: more, type: file, directory: " << dir_ << "/b}\n";
    auto config = load_receiver_config(*real_env().files, dir_ + "/r.yaml");
    ASSERT_TRUE(config.ok()) << config.error().text();
    daemon_ = std::make_unique<ReceiverDaemon>(real_env(), std::move(config).value());
    const Status started = daemon_->start();
    ASSERT_TRUE(started.ok()) << started.error().text();
    running_ = std::thread([this] { daemon_->run(); });
  }
  void TearDown() override {
    if (running_.joinable()) {
      daemon_->stop();
      running_.join();
    }
    daemon_.reset();
    std::filesystem::remove_all(dir_);
  }
  int order(const std::string& verb, const std::map<std::string, std::string>& arguments) {
    std::ostringstream both;
    const int code = command_daemon(*real_env().files, {.socket = dir_ + "/c.sock", .url = {}}, "receiver",
                                    verb, arguments, {both, both});
    said_ = both.str();
    return code;
  }

  std::string dir_, said_;
  std::unique_ptr<ReceiverDaemon> daemon_;
  std::thread running_;
};

TEST_F(ReceiverCommandsTest, StartOfAnUnknownPipeNamesTheKnownOnes) {
  EXPECT_EQ(order("start", {{"pipe", "nope"}}), kExitNo);
  EXPECT_THAT(said_, HasSubstr("there is no pipe nope; known: files, more"));
  EXPECT_EQ(order("start", {}), kExitNo);
  EXPECT_THAT(said_, HasSubstr("start needs pipe="));
  EXPECT_EQ(order("start", {{"pipe", "more"}}), kExitOk) << said_;
}

}  // namespace
}  // namespace tidegate
