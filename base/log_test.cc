// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace tidegate {
namespace {

using testing::ElementsAre;
using testing::MatchesRegex;

class LogTest : public testing::Test {
 protected:
  ~LogTest() override {
    set_log_sink({});
    set_log_level(LogLevel::kInfo);
    log_to_stderr(LogFormat::kAuto);
  }
  void record() {
    set_log_sink([this](LogLevel, std::string_view area, std::string_view message) {
      lines_.push_back(std::string(area) + ": " + std::string(message));
    });
  }
  static std::string on_stderr(LogFormat format, LogLevel level, std::string_view message) {
    testing::internal::CaptureStderr();
    log_to_stderr(format);
    log_at(level, "area", message);
    return testing::internal::GetCapturedStderr();
  }

  std::vector<std::string> lines_;
};

TEST_F(LogTest, JournaldGetsThePriorityOnEveryLine) {
  EXPECT_EQ(on_stderr(LogFormat::kJournald, LogLevel::kWarning, "one\ntwo"), "<4>area: one\n<4>area: two\n");
  EXPECT_EQ(on_stderr(LogFormat::kJournald, LogLevel::kError, "x"), "<3>area: x\n");
}

TEST_F(LogTest, APersonGetsTimeAndLevel) {
  EXPECT_THAT(on_stderr(LogFormat::kHuman, LogLevel::kInfo, "x {} %v"),
              MatchesRegex("[0-9-]+ [0-9:]+\\.[0-9]+ info area: x \\{\\} %v\n"));
}

TEST_F(LogTest, ControlCharactersAreEscaped) {
  EXPECT_EQ(on_stderr(LogFormat::kJournald, LogLevel::kInfo, "a\r\x1b[0m"), "<6>area: a\\x0d\\x1b[0m\n");
}

TEST_F(LogTest, JournalStreamOfAnotherFileIsNotBelieved) {
  ::setenv("JOURNAL_STREAM", "1:2", 1);
  EXPECT_THAT(on_stderr(LogFormat::kAuto, LogLevel::kInfo, "x"), testing::Not(testing::StartsWith("<6>")));
  ::unsetenv("JOURNAL_STREAM");
}

TEST_F(LogTest, WhatIsBelowTheLevelIsNotLogged) {
  record();
  log_debug("a", "hidden");
  set_log_level(LogLevel::kDebug);
  log_debug("a", "shown");
  set_log_level(LogLevel::kError);
  log_warning("a", "hidden");
  EXPECT_FALSE(log_enabled(LogLevel::kWarning));
  EXPECT_THAT(lines_, ElementsAre("a: shown"));
}

TEST_F(LogTest, ARepeatedMessageIsCountedAndLoggedOncePerInterval) {
  record();
  RepeatedLog log(LogLevel::kWarning, "net", 10 * kSecond);
  for (Nanos t = 0; t <= 10; ++t) log.log(t * kSecond, "refused");
  EXPECT_THAT(lines_, ElementsAre("net: refused", "net: refused (repeated 10 times)"));
  log.log(11 * kSecond, "refused");
  log.log(12 * kSecond, "timed out");
  EXPECT_THAT(lines_, ElementsAre("net: refused", "net: refused (repeated 10 times)",
                                  "net: refused (repeated 1 time)", "net: timed out"));
}

TEST_F(LogTest, ARepetitionAfterAQuietIntervalIsLoggedAsItIs) {
  record();
  RepeatedLog log(LogLevel::kWarning, "net", kSecond);
  log.log(0, "x");
  log.log(5 * kSecond, "x");
  log.flush();
  EXPECT_THAT(lines_, ElementsAre("net: x", "net: x"));
}

TEST_F(LogTest, TheHeldBackCountIsLoggedAtTheEnd) {
  record();
  {
    RepeatedLog log(LogLevel::kWarning, "net");
    for (int i = 0; i < 3; ++i) log.log(0, "x");
  }
  EXPECT_THAT(lines_, ElementsAre("net: x", "net: x (repeated 2 times)"));
}

}  // namespace
}  // namespace tidegate
