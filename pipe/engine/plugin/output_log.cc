// SPDX-License-Identifier: Apache-2.0
#include "pipe/engine/plugin/output_log.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "pipe/engine/plugin/plugin_messages.h"

namespace tidegate::tgplugin {
namespace {

constexpr std::size_t kMostLine = 4096;
constexpr std::size_t kMostLastLine = 300;
constexpr int kMostReadsAtTheEnd = 16;  // of 64 KiB
constexpr const char* kArea = "plugin";

LogLevel level_of(char digit) {
  if (digit <= '3') return LogLevel::kError;
  if (digit == '4') return LogLevel::kWarning;
  return digit == '7' ? LogLevel::kDebug : LogLevel::kInfo;
}

}  // namespace

bool OutputLog::read(int fd) {
  std::array<char, 65536> buffer;
  ssize_t got;
  do {
    got = ::read(fd, buffer.data(), buffer.size());
  } while (got < 0 && errno == EINTR);
  if (got <= 0) return false;
  take({buffer.data(), static_cast<std::size_t>(got)});
  return true;
}

void OutputLog::finish(int fd) {
  for (int i = 0; i < kMostReadsAtTheEnd && read(fd); ++i) {
  }
  if (!line_.empty()) take_line();
  tell_left_out();
}

void OutputLog::take(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t end = bytes.find('\n');
    const std::string_view part = bytes.substr(0, end);
    line_ += part.substr(0, kMostLine - std::min(kMostLine, line_.size()));
    if (end == std::string_view::npos) return;
    take_line();
    bytes.remove_prefix(end + 1);
  }
}

void OutputLog::take_line() {
  std::string_view text = line_;
  LogLevel level = LogLevel::kInfo;
  if (text.size() >= 3 && text[0] == '<' && text[1] >= '0' && text[1] <= '7' && text[2] == '>') {
    level = level_of(text[1]);
    text.remove_prefix(3);
  }
  if (!text.empty()) {
    last_line_ = printable(text.substr(0, kMostLastLine));
    write(level, text);
  }
  line_.clear();
}

void OutputLog::write(LogLevel level, std::string_view text) {
  const Nanos now = clock_.now();
  if (now - window_began_ >= kWindow) {
    tell_left_out();
    window_began_ = now;
    written_ = 0;
  }
  if (written_ == kLines) {
    ++left_out_;
    return;
  }
  ++written_;
  log_at(level, kArea, whose_ + ": " + std::string(text));
}

void OutputLog::tell_left_out() {
  if (left_out_ == 0) return;
  log_warning(kArea, whose_ + ": " + std::to_string(left_out_) + " more lines are left out: at most " +
                         std::to_string(kLines) + " per 10 s are written");
  left_out_ = 0;
}

}  // namespace tidegate::tgplugin
