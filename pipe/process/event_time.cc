// SPDX-License-Identifier: Apache-2.0
#include "pipe/process/event_time.h"

#include <array>
#include <string>

namespace tidegate {

std::int64_t nanos_per(TimeUnit unit) {
  constexpr std::array<std::int64_t, 4> kNanos{1'000'000'000, 1'000'000, 1'000, 1};
  return kNanos.at(static_cast<std::size_t>(unit));
}

std::string_view unit_name(TimeUnit unit) {
  constexpr std::array<std::string_view, 4> kNames{"s", "ms", "us", "ns"};
  return kNames.at(static_cast<std::size_t>(unit));
}

Result<std::int64_t> in_units(const TimeSpan& span, TimeUnit unit, std::string_view attribute) {
  if (!span.nanoseconds) return span.amount;
  const std::int64_t per_unit = nanos_per(unit);
  if (span.amount % per_unit == 0) return span.amount / per_unit;
  return make_error(ErrorCode::kInvalidArgument,
                    "processor attribute '" + std::string(attribute) + "' is " + std::to_string(span.amount) +
                        " ns, but the data comes with times in " + std::string(unit_name(unit)) +
                        ": choose a whole number of these");
}

}  // namespace tidegate
