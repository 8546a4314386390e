// SPDX-License-Identifier: Apache-2.0
#include "base/timestamp.h"

#include <date/tz.h>

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <optional>

namespace tidegate {
namespace {

using std::chrono::seconds;

constexpr std::int64_t kDaySeconds = 86'400;
constexpr std::size_t kLongestShown = 64;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// Reads a text from its front; the first thing that does not fit decides the error.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  bool at_end() const { return at_ == text_.size(); }
  char peek() const { return at_end() ? '\0' : text_[at_]; }
  bool take(char c) {
    if (at_end() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void skip_blanks() {
    while (take(' ')) {
    }
  }

  // Exactly `count` digits with a value in [min, max].
  Result<int> number(int count, int min, int max, const char* what) {
    int value = 0;
    const std::size_t start = at_;
    for (int i = 0; i < count; ++i, ++at_) {
      if (!is_digit(peek())) return refuse(std::to_string(count) + " digits of the " + what);
      value = value * 10 + (text_[at_] - '0');
    }
    if (value >= min && value <= max) return value;
    at_ = start;
    return refuse("the " + std::string(what) + " from " + std::to_string(min) + " to " + std::to_string(max));
  }

  Result<std::uint32_t> fraction() {
    std::uint32_t nanos = 0;
    int digits = 0;
    for (; is_digit(peek()); ++at_, ++digits) {
      if (digits == 9) return refuse("at most 9 digits behind the point");
      nanos = nanos * 10 + static_cast<std::uint32_t>(text_[at_] - '0');
    }
    if (digits == 0) return refuse("digits behind the point");
    for (; digits < 9; ++digits) nanos *= 10;
    return nanos;
  }

  Error refuse(const std::string& expected) const {
    const bool is_long = text_.size() > kLongestShown;
    return make_error(ErrorCode::kInvalidArgument,
                      "'" + std::string(text_.substr(0, kLongestShown)) + (is_long ? "…" : "") +
                          "' is not a time like 2022-03-30T20:58:30+08:00: expected " + expected +
                          " at column " + std::to_string(at_ + 1));
  }

 private:
  std::string_view text_;
  std::size_t at_ = 0;
};

// Seconds from the epoch to midnight of the date.
Result<std::int64_t> scan_date(Scanner& in) {
  TG_TRY(const int year, in.number(4, 1, 9999, "year"));
  const char separator = in.peek();
  if (separator != '-' && separator != '/' && separator != '.') return in.refuse("'-', '/' or '.'");
  in.take(separator);
  TG_TRY(const int month, in.number(2, 1, 12, "month"));
  if (!in.take(separator)) return in.refuse("'" + std::string(1, separator) + "'");
  const date::year_month_day_last last =
      date::year{year} / date::month{static_cast<unsigned>(month)} / date::last;
  const auto longest = static_cast<int>(static_cast<unsigned>(last.day()));
  TG_TRY(const int day, in.number(2, 1, longest, "day of this month"));
  const date::sys_days midnight =
      date::year{year} / date::month{static_cast<unsigned>(month)} / date::day{static_cast<unsigned>(day)};
  return midnight.time_since_epoch().count() * kDaySeconds;
}

Result<std::int64_t> scan_time_of_day(Scanner& in) {
  TG_TRY(const int hour, in.number(2, 0, 23, "hour"));
  if (!in.take(':')) return in.refuse("':'");
  TG_TRY(const int minute, in.number(2, 0, 59, "minute"));
  if (!in.take(':')) return in.refuse("':'");
  TG_TRY(const int second, in.number(2, 0, 59, "second"));
  return std::int64_t{hour} * 3600 + minute * 60 + second;
}

// ±hh:mm in seconds; empty where neither sign stands.
Result<std::optional<std::int64_t>> scan_offset(Scanner& in) {
  const bool minus = in.peek() == '-';
  if (!in.take('+') && !in.take('-')) return std::optional<std::int64_t>();
  TG_TRY(const int hours, in.number(2, 0, 18, "hour of the offset"));
  if (!in.take(':')) return in.refuse("':'");
  TG_TRY(const int minutes, in.number(2, 0, 59, "minute of the offset"));
  const std::int64_t offset = std::int64_t{hours} * 3600 + minutes * 60;
  return std::optional<std::int64_t>(minus ? -offset : offset);
}

}  // namespace

Result<TimeZone> TimeZone::find(std::string_view name) {
  TimeZone zone;
  if (name == "Z" || name == "UTC") return zone;
  Scanner in(name);
  if (const auto offset = scan_offset(in); offset.ok() && *offset && in.at_end()) {
    zone.fixed_ = **offset;
    return zone;
  }
  try {
    zone.zone_ = date::locate_zone(std::string(name));
    return zone;
  } catch (const std::exception&) {
    return make_error(ErrorCode::kInvalidArgument, "'" + std::string(name.substr(0, kLongestShown)) +
                                                       "' is no time zone: expected a name of the system's "
                                                       "list, like Asia/Shanghai, or an offset like +08:00");
  }
}

TimeZone TimeZone::system() {
  if (const char* const variable = std::getenv("TZ"); variable != nullptr) {
    std::string_view name = variable;
    if (name.starts_with(':')) name.remove_prefix(1);
    if (auto zone = find(name); zone.ok()) return *zone;
  }
  TimeZone zone;
  try {
    zone.zone_ = date::current_zone();
  } catch (const std::exception&) {
    zone.zone_ = nullptr;  // no tzdb, or nothing that says which one: UTC
  }
  return zone;
}

std::string TimeZone::name() const {
  if (zone_ != nullptr) return zone_->name();
  if (fixed_ == 0) return "UTC";
  const std::int64_t minutes = std::abs(fixed_) / 60;
  char text[16];
  std::snprintf(text, sizeof(text), "%c%02d:%02d", fixed_ < 0 ? '-' : '+', static_cast<int>(minutes / 60),
                static_cast<int>(minutes % 60));
  return text;
}

std::int64_t TimeZone::offset_at(std::int64_t utc_seconds) const {
  if (zone_ == nullptr) return fixed_;
  return zone_->get_info(date::sys_seconds(seconds(utc_seconds))).offset.count();
}

std::int64_t TimeZone::to_utc(std::int64_t local_seconds) const {
  if (zone_ == nullptr) return local_seconds - fixed_;
  // `first` is the only offset, that of the earlier repetition, or the one before the gap.
  return local_seconds - zone_->get_info(date::local_seconds(seconds(local_seconds))).first.offset.count();
}

Result<Timestamp> parse_timestamp(std::string_view text, const TimeZone& zone) {
  Scanner in(text);
  Timestamp out;
  TG_TRY(std::int64_t local, scan_date(in));
  if (in.take('T') || in.take('t') || in.peek() == ' ') {
    in.skip_blanks();
    TG_TRY(const std::int64_t of_day, scan_time_of_day(in));
    local += of_day;
    if (in.take('.')) {
      TG_TRY(out.nanos, in.fraction());
    }
  }
  if (in.take('Z') || in.take('z')) {
    out.seconds = local;
  } else {
    TG_TRY(const std::optional<std::int64_t> offset, scan_offset(in));
    out.seconds = offset ? local - *offset : zone.to_utc(local);
  }
  if (!in.at_end()) return in.refuse("the end");
  return out;
}

Result<std::int64_t> to_units(const Timestamp& time, std::int64_t per_second) {
  const std::int64_t part = time.nanos / (1'000'000'000 / per_second);
  std::int64_t whole = 0;
  // The nearest value to zero first, so that the smallest 64-bit number can be reached.
  const bool down = time.seconds < 0 && part != 0;
  const std::int64_t base = down ? time.seconds + 1 : time.seconds;
  const std::int64_t rest = down ? part - per_second : part;
  if (__builtin_mul_overflow(base, per_second, &whole) || __builtin_add_overflow(whole, rest, &whole)) {
    return make_error(ErrorCode::kUnrepresentable, "a time of " + std::to_string(time.seconds) +
                                                       " s since 1970 does not fit in 64 bits of 1/" +
                                                       std::to_string(per_second) + " s");
  }
  return whole;
}

Result<std::int64_t> parse_event_time(std::string_view text, const TimeZone& zone, std::int64_t per_second) {
  std::int64_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [at, ec] = std::from_chars(text.data(), end, value);
  if (at == end && ec == std::errc()) return value;
  if (at == end && ec == std::errc::result_out_of_range) {
    return make_error(ErrorCode::kInvalidArgument,
                      "the time " + std::string(text.substr(0, kLongestShown)) + " does not fit in 64 bits");
  }
  TG_TRY(const Timestamp time, parse_timestamp(text, zone));
  return to_units(time, per_second);
}

std::string format_timestamp(const Timestamp& time, const TimeZone& zone) {
  const std::int64_t local = time.seconds + zone.offset_at(time.seconds);
  const auto day = date::floor<date::days>(seconds(local));
  const date::year_month_day ymd{date::sys_days(day)};
  const auto of_day = static_cast<int>((seconds(local) - day).count());
  char text[64];
  std::snprintf(text, sizeof(text), "%04d-%02u-%02uT%02d:%02d:%02d.%03u", static_cast<int>(ymd.year()),
                static_cast<unsigned>(ymd.month()), static_cast<unsigned>(ymd.day()), of_day / 3600,
                of_day / 60 % 60, of_day % 60, time.nanos / 1'000'000);
  return text;
}

}  // namespace tidegate
