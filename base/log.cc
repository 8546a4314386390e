// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"

#include <spdlog/logger.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <memory>

namespace tidegate {
namespace {

std::atomic<LogLevel> least_level = LogLevel::kInfo;

spdlog::level::level_enum to_spdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

// sd-daemon(3): the priority of syslog in angle brackets.
std::string_view priority_of(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "<7>";
    case LogLevel::kInfo:
      return "<6>";
    case LogLevel::kWarning:
      return "<4>";
    case LogLevel::kError:
      return "<3>";
  }
  return "<3>";
}

// JOURNAL_STREAM is inherited by children whose stderr may be something else; systemd.exec(5) asks for this
// comparison.
bool stderr_is_journal() {
  const char* const stream = std::getenv("JOURNAL_STREAM");
  struct stat info{};
  if (stream == nullptr || ::fstat(STDERR_FILENO, &info) != 0) return false;
  return stream == std::to_string(info.st_dev) + ":" + std::to_string(info.st_ino);
}

std::string without_control_characters(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    const auto byte = static_cast<std::uint8_t>(c);
    if (byte >= 0x20 && byte != 0x7f) {
      out += c;
    } else {
      out += "\\x" + to_hex({&byte, 1});
    }
  }
  return out;
}

class Output {
 public:
  Output() { use(LogFormat::kAuto); }

  void use(LogFormat format) {
    const bool journald =
        format == LogFormat::kJournald || (format == LogFormat::kAuto && stderr_is_journal());
    auto logger =
        std::make_shared<spdlog::logger>("tidegate", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    logger->set_level(spdlog::level::trace);
    logger->flush_on(spdlog::level::trace);
    logger->set_pattern(journald ? "%v" : "%Y-%m-%d %H:%M:%S.%e %l %v");
    const std::lock_guard guard(mutex_);
    logger_ = std::move(logger);
    journald_ = journald;
  }
  void use(LogSink sink) {
    const std::lock_guard guard(mutex_);
    sink_ = std::move(sink);
  }

  void observe(LogSink observer) {
    const std::lock_guard guard(mutex_);
    observer_ = std::move(observer);
  }

  void write(LogLevel level, std::string_view area, std::string_view message) {
    const std::lock_guard guard(mutex_);
    if (observer_) observer_(level, area, message);
    if (sink_) return sink_(level, area, message);
    const std::string head = (journald_ ? std::string(priority_of(level)) : "") + std::string(area) + ": ";
    for (std::size_t at = 0; at <= message.size();) {
      const std::size_t end = std::min(message.find('\n', at), message.size());
      logger_->log(to_spdlog(level),
                   spdlog::string_view_t(head + without_control_characters(message.substr(at, end - at))));
      at = end + 1;
    }
  }

 private:
  std::mutex mutex_;
  std::shared_ptr<spdlog::logger> logger_;
  bool journald_ = false;
  LogSink sink_;
  LogSink observer_;
};

// Never destroyed: destructors of other statics may log.
Output& output() {
  static Output& instance = *new Output;
  return instance;
}

}  // namespace

void log_at(LogLevel level, std::string_view area, std::string_view message) {
  if (log_enabled(level)) output().write(level, area, message);
}
void log_debug(std::string_view area, std::string_view message) {
  log_at(LogLevel::kDebug, area, message);
}
void log_info(std::string_view area, std::string_view message) {
  log_at(LogLevel::kInfo, area, message);
}
void log_warning(std::string_view area, std::string_view message) {
  log_at(LogLevel::kWarning, area, message);
}
void log_error(std::string_view area, std::string_view message) {
  log_at(LogLevel::kError, area, message);
}

void set_log_level(LogLevel least) {
  least_level = least;
}
bool log_enabled(LogLevel level) {
  return level >= least_level;
}
void log_to_stderr(LogFormat format) {
  output().use(format);
}
void set_log_sink(LogSink sink) {
  output().use(std::move(sink));
}

void set_log_observer(LogSink observer) {
  output().observe(std::move(observer));
}

void RepeatedLog::log(Nanos now, const std::string& message) {
  const std::lock_guard guard(mutex_);
  if (message != last_) {
    flush_locked();
    last_ = message;
  } else if (now - logged_at_ < interval_) {
    ++held_back_;
    return;
  } else if (held_back_ > 0) {
    ++held_back_;
    logged_at_ = now;
    return flush_locked();
  }
  logged_at_ = now;
  log_at(level_, area_, message);
}

void RepeatedLog::flush() {
  const std::lock_guard guard(mutex_);
  flush_locked();
}

void RepeatedLog::flush_locked() {
  if (held_back_ == 0) return;
  log_at(level_, area_,
         last_ + " (repeated " + std::to_string(held_back_) + (held_back_ == 1 ? " time)" : " times)"));
  held_back_ = 0;
}

}  // namespace tidegate
