// SPDX-License-Identifier: Apache-2.0
// OutputLog: what the process of a plugin writes to its standard output and error, as lines of the log.
//
// "<4>text" has the level that sd-daemon(3) gives it (the host's log() writes so), any other line is info. A
// line is cut at 4096 bytes. At most kLines lines of one plugin stand in the log per kWindow, then their
// number: a plugin that floods costs itself time, not the daemon its disk. One thread at a time.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/env.h"
#include "base/log.h"

namespace tidegate::tgplugin {

class OutputLog {
 public:
  static constexpr std::uint64_t kLines = 100;
  static constexpr Nanos kWindow = 10 * kSecond;

  // `whose` stands in front of each line. The clock must outlive it.
  OutputLog(Clock& clock, std::string whose) : clock_(clock), whose_(std::move(whose)) {}

  // Takes what is there, at most 64 KiB. False: the end of the stream, or nothing more for now. `fd` must not
  // block.
  bool read(int fd);
  // Everything that is still there, and a last line without newline. At most 1 MiB.
  void finish(int fd);
  // The last line that is not empty, at most 300 bytes; for the message of a plugin that died.
  const std::string& last_line() const { return last_line_; }

 private:
  void take(std::string_view bytes);
  void take_line();
  void write(LogLevel level, std::string_view text);
  void tell_left_out();

  Clock& clock_;
  const std::string whose_;
  std::string line_;  // begun
  std::string last_line_;
  Nanos window_began_ = INT64_MIN / 2;
  std::uint64_t written_ = 0;   // in this window
  std::uint64_t left_out_ = 0;  // in this window
};

}  // namespace tidegate::tgplugin
