// SPDX-License-Identifier: Apache-2.0
#include "pipe/engine/plugin/output_log.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <vector>

namespace tidegate::tgplugin {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class HandClock final : public Clock {
 public:
  Nanos now() override { return now_; }
  std::int64_t wall_micros() override { return 0; }
  Nanos now_ = 0;
};

class OutputOfAPlugin : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(::pipe2(pipe_, O_NONBLOCK | O_CLOEXEC), 0);
    set_log_level(LogLevel::kDebug);
    set_log_sink([this](LogLevel level, std::string_view, std::string_view text) {
      lines_.push_back(std::to_string(static_cast<int>(level)) + " " + std::string(text));
    });
  }
  void TearDown() override {
    set_log_sink({});
    set_log_level(LogLevel::kInfo);
    ::close(pipe_[0]);
    ::close(pipe_[1]);
  }
  void says(const std::string& text) {
    ASSERT_EQ(::write(pipe_[1], text.data(), text.size()), static_cast<ssize_t>(text.size()));
    while (log_.read(pipe_[0])) {
    }
  }

  HandClock clock_;
  OutputLog log_{clock_, "p"};
  std::vector<std::string> lines_;
  int pipe_[2]{};
};

TEST_F(OutputOfAPlugin, HasTheLevelThatItsPrefixSays) {
  says("plain\n<3>bad\n<4>odd\n<7>detail\n\n<x>no prefix\n");
  EXPECT_THAT(lines_, ElementsAre("1 p: plain", "3 p: bad", "2 p: odd", "0 p: detail", "1 p: <x>no prefix"));
}

TEST_F(OutputOfAPlugin, ALineMayComeInPieces) {
  says("first ");
  EXPECT_THAT(lines_, ElementsAre());
  says("and second\nthe end");
  log_.finish(pipe_[0]);
  EXPECT_THAT(lines_, ElementsAre("1 p: first and second", "1 p: the end"));
  EXPECT_EQ(log_.last_line(), "the end");
}

TEST_F(OutputOfAPlugin, ALongLineIsCut) {
  says(std::string(5000, 'x') + std::string(5000, 'y') + "\nnext\n");
  ASSERT_EQ(lines_.size(), 2U);
  EXPECT_EQ(lines_[0], "1 p: " + std::string(4096, 'x'));
  EXPECT_EQ(lines_[1], "1 p: next");
}

TEST_F(OutputOfAPlugin, AFloodIsCountedAndNotWritten) {
  for (int i = 0; i < 250; ++i) says("line\n");
  EXPECT_EQ(lines_.size(), OutputLog::kLines);
  clock_.now_ += OutputLog::kWindow;
  says("later\n");
  ASSERT_EQ(lines_.size(), OutputLog::kLines + 2);
  EXPECT_THAT(lines_[OutputLog::kLines], HasSubstr("150 more lines are left out"));
  EXPECT_EQ(lines_.back(), "1 p: later");
}

TEST_F(OutputOfAPlugin, TheLastWordsCanBeShownAnywhere) {
  says("a\x01z\xff\n");
  EXPECT_EQ(log_.last_line(), "a?z?");
}

}  // namespace
}  // namespace tidegate::tgplugin
