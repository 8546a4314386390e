// SPDX-License-Identifier: Apache-2.0
// Points in time as people write them (ISO 8601 and its customary relatives) and as tables show them.
//
// Texts: 2011-12-03T10:15:30   2011.12.03T10:15:30+01:00   2022/03/30 00:00:00.123456789Z   2022-03-30
//   date       yyyy-mm-dd, with '-', '/' or '.' twice; years 0001 to 9999 of the Gregorian calendar
//   separator  T, t or blanks; without a time of day it is midnight
//   time       hh:mm:ss and up to 9 digits of a fraction behind '.'; no leap seconds
//   zone       Z, z or ±hh:mm; else the caller's
// A local time that a clock change repeats is the first of the two; one that it skips is read with the
// offset before the change (both as java.time does). Zones come from the system's tzdb (package tzdata),
// read once and kept; safe from any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace date {
class time_zone;
}

namespace tidegate {

struct Timestamp {
  std::int64_t seconds = 0;  // since 1970-01-01T00:00:00Z, rounded down
  std::uint32_t nanos = 0;   // 0 to 999999999, forward from there
  auto operator<=>(const Timestamp&) const = default;
};

class TimeZone {
 public:
  TimeZone() = default;  // UTC
  // "Europe/Berlin", "UTC", "Z", "+08:00". kInvalidArgument for an unknown one.
  static Result<TimeZone> find(std::string_view name);
  // What the environment variable TZ names where it is one of the above, else what /etc/localtime points to,
  // else UTC.
  static TimeZone system();

  std::string name() const;
  // Seconds to add to UTC at that moment.
  std::int64_t offset_at(std::int64_t utc_seconds) const;
  // The moment at which a clock of this zone shows `local_seconds` since its own 1970-01-01T00:00:00.
  std::int64_t to_utc(std::int64_t local_seconds) const;

 private:
  const date::time_zone* zone_ = nullptr;  // null: fixed
  std::int64_t fixed_ = 0;                 // seconds
};

// kInvalidArgument: says at which column what was expected.
Result<Timestamp> parse_timestamp(std::string_view text, const TimeZone& zone);

// In units of 1/per_second (1, 1000, 1000000, 1000000000), rounded down. kUnrepresentable beyond 64 bits.
Result<std::int64_t> to_units(const Timestamp& time, std::int64_t per_second);

// An event time: an integer is taken as it is (already in the unit), anything else as parse_timestamp().
Result<std::int64_t> parse_event_time(std::string_view text, const TimeZone& zone, std::int64_t per_second);

// 2022-03-30T20:58:30.689: local, milliseconds rounded down, no offset behind it. A year beyond four digits
// stands as it is.
std::string format_timestamp(const Timestamp& time, const TimeZone& zone);

}  // namespace tidegate
