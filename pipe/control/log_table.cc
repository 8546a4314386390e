// SPDX-License-Identifier: Apache-2.0
#include "pipe/control/log_table.h"

#include <algorithm>
#include <utility>

namespace tidegate {

std::string_view log_level_word(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "DEBUG";
    case LogLevel::kInfo:
      return "INFO";
    case LogLevel::kWarning:
      return "WARN";
    case LogLevel::kError:
      return "ERROR";
  }
  std::unreachable();
}

LogTable::~LogTable() {
  if (observes_) set_log_observer({});
}

void LogTable::observe_log() {
  observes_ = true;
  set_log_observer(
      [this](LogLevel level, std::string_view area, std::string_view message) { add(level, area, message); });
}

void LogTable::add(LogLevel level, std::string_view area, std::string_view text) {
  std::size_t size = std::min(text.size(), kMaxText);
  while (size < text.size() && size > 0 && (static_cast<unsigned char>(text[size]) & 0xC0) == 0x80) --size;
  LogRow row{clock_.wall_micros(), level, std::string(area), std::string(text.substr(0, size))};
  if (size < text.size()) row.text += "…";
  const std::lock_guard guard(mutex_);
  if (rows_.size() == max_rows_) rows_.pop_front();
  rows_.push_back(std::move(row));
}

std::vector<LogRow> LogTable::newest(std::size_t limit) const {
  const std::lock_guard guard(mutex_);
  const auto count = static_cast<std::ptrdiff_t>(std::min(limit, rows_.size()));
  return {rows_.rbegin(), rows_.rbegin() + count};
}

}  // namespace tidegate
