// SPDX-License-Identifier: Apache-2.0
// Spans of event time in the unit of the data. Pure.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.h"
#include "pipe/model/batch.h"

namespace tidegate {

__extension__ using Int128 = __int128;  // differences and sums of 64-bit values that cannot overflow

std::int64_t nanos_per(TimeUnit unit);
std::string_view unit_name(TimeUnit unit);  // "s", "ms", "us", "ns"

// A span as an operator wrote it: a duration, or a bare number that counts units of the data.
struct TimeSpan {
  std::int64_t amount = 0;
  bool nanoseconds = false;  // else units of the data
  bool operator==(const TimeSpan&) const = default;
};

// kInvalidArgument naming `attribute` when the span is no whole number of units.
Result<std::int64_t> in_units(const TimeSpan& span, TimeUnit unit, std::string_view attribute);

// Rounded towards minus infinity; divisor > 0.
constexpr std::int64_t floor_div(std::int64_t value, std::int64_t divisor) {
  return value / divisor - (value % divisor < 0 ? 1 : 0);
}
// Precondition: from <= to.
constexpr std::uint64_t elapsed(std::int64_t from, std::int64_t to) {
  return static_cast<std::uint64_t>(to) - static_cast<std::uint64_t>(from);
}

}  // namespace tidegate
