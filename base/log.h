// SPDX-License-Identifier: Apache-2.0
// The log: one line per fact on stderr, for journald or for a person.
//
// An area is a short word for the part of the program. A message with several lines becomes several log lines
// with the same head; control characters are written as \xNN, so what came from outside cannot forge a line.
// Any thread. Until log_to_stderr() is called, kInfo and above go to stderr in the format that fits it.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>

#include "base/env.h"

namespace tidegate {

enum class LogLevel : std::uint8_t { kDebug, kInfo, kWarning, kError };

enum class LogFormat : std::uint8_t {
  kAuto,      // kJournald when stderr is the stream that JOURNAL_STREAM names, else kHuman
  kHuman,     // 2024-05-06 07:08:09.123 warning area: message
  kJournald,  // <4>area: message; see sd-daemon(3)
};

void log_debug(std::string_view area, std::string_view message);
void log_info(std::string_view area, std::string_view message);
void log_warning(std::string_view area, std::string_view message);
void log_error(std::string_view area, std::string_view message);
void log_at(LogLevel level, std::string_view area, std::string_view message);

void set_log_level(LogLevel least);
bool log_enabled(LogLevel level);  // to save the work of making a message
void log_to_stderr(LogFormat format);

// Gets each message that is enabled, whole and as given, instead of stderr. Empty: stderr again. For tests.
using LogSink = std::function<void(LogLevel, std::string_view area, std::string_view message)>;
void set_log_sink(LogSink sink);

// Gets each message that is enabled as well, whole and as given. It must not log. Empty: nobody. One at a
// time; none is under way any more when this returns.
void set_log_observer(LogSink observer);

// A message that may come again and again: the same text is logged at most once per interval, then as
// "<text> (repeated n times)". Another text is logged at once, after the count of the one before. Any thread.
class RepeatedLog {
 public:
  RepeatedLog(LogLevel level, std::string area, Nanos interval = 60 * kSecond)
      : level_(level), area_(std::move(area)), interval_(interval) {}
  ~RepeatedLog() { flush(); }
  RepeatedLog(const RepeatedLog&) = delete;
  RepeatedLog& operator=(const RepeatedLog&) = delete;

  void log(Nanos now, const std::string& message);
  // Logs the count that is still held back, e.g. when the trouble is over.
  void flush();

 private:
  void flush_locked();

  const LogLevel level_;
  const std::string area_;
  const Nanos interval_;
  std::mutex mutex_;
  std::string last_;
  Nanos logged_at_ = 0;
  std::uint64_t held_back_ = 0;
};

}  // namespace tidegate
