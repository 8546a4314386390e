// SPDX-License-Identifier: Apache-2.0
// LogTable: the last messages of the log as a table that can be selected (processing_engine_logs). Bounded:
// the oldest row goes when it is full. Any thread.
#pragma once

#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/env.h"
#include "base/log.h"

namespace tidegate {

struct LogRow {
  std::int64_t unix_micros = 0;
  LogLevel level = LogLevel::kInfo;
  std::string area;  // the part of the program
  std::string text;
};
std::string_view log_level_word(LogLevel level);  // "INFO", "WARN" ...

class LogTable {
 public:
  static constexpr std::size_t kMaxRows = 4096;
  static constexpr std::size_t kMaxText = 4096;  // bytes of one message; a longer one ends with an ellipsis

  // `clock` outlives the table.
  explicit LogTable(Clock& clock, std::size_t max_rows = kMaxRows) : clock_(clock), max_rows_(max_rows) {}
  ~LogTable();
  LogTable(const LogTable&) = delete;
  LogTable& operator=(const LogTable&) = delete;

  // From now on every message that the log is enabled for becomes a row; one table of a process at a time.
  void observe_log();
  void add(LogLevel level, std::string_view area, std::string_view text);
  // The newest first, at most `limit`.
  std::vector<LogRow> newest(std::size_t limit) const;

 private:
  Clock& clock_;
  const std::size_t max_rows_;
  bool observes_ = false;
  mutable std::mutex mutex_;
  std::deque<LogRow> rows_;
};

}  // namespace tidegate
