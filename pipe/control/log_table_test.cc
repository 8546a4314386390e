// SPDX-License-Identifier: Apache-2.0
#include "pipe/control/log_table.h"

#include <gtest/gtest.h>

#include "base/sim_env.h"

namespace tidegate {
namespace {

class LogTableTest : public ::testing::Test {
 protected:
  void TearDown() override { set_log_sink({}); }
  std::string texts(const LogTable& table, std::size_t limit = 100) const {
    std::string out;
    for (const LogRow& row : table.newest(limit)) out += row.text + " ";
    return out;
  }
  SimEnv sim_{1};
};

TEST_F(LogTableTest, TheNewestComesFirstAndTheOldestGoes) {
  LogTable table(*sim_.env().clock, 3);
  for (const char* text : {"a", "b", "c", "d"}) table.add(LogLevel::kInfo, "x", text);
  EXPECT_EQ(texts(table), "d c b ");
  EXPECT_EQ(texts(table, 2), "d c ");
  EXPECT_EQ(texts(table, 0), "");
}

TEST_F(LogTableTest, ARowHasTimeLevelAndArea) {
  LogTable table(*sim_.env().clock);
  const std::int64_t now = sim_.env().clock->wall_micros();
  table.add(LogLevel::kWarning, "pipe", "waits");
  const LogRow row = table.newest(1).at(0);
  EXPECT_EQ(row.unix_micros, now);
  EXPECT_EQ(row.area, "pipe");
  EXPECT_EQ(log_level_word(row.level), "WARN");
}

TEST_F(LogTableTest, WhatIsLoggedBecomesARowBesideItsLineAndOnlyWhileTheTableLives) {
  int lines = 0;
  set_log_sink([&](LogLevel, std::string_view, std::string_view) { ++lines; });
  {
    LogTable table(*sim_.env().clock);
    table.observe_log();
    log_error("disk", "is full");
    log_debug("disk", "is not enabled");
    EXPECT_EQ(texts(table), "is full ");
  }
  log_error("disk", "nobody observes");
  EXPECT_EQ(lines, 2);
}

TEST_F(LogTableTest, ALongTextIsCutBetweenCharacters) {
  LogTable table(*sim_.env().clock);
  std::string text = "x";
  while (text.size() < 2 * LogTable::kMaxText) text += "中";
  table.add(LogLevel::kInfo, "x", text);
  const std::string kept = table.newest(1).at(0).text;
  EXPECT_EQ(kept, text.substr(0, LogTable::kMaxText) + "…");  // 1 + 3 * 1365 bytes
}

}  // namespace
}  // namespace tidegate
