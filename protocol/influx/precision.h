// SPDX-License-Identifier: Apache-2.0
// The `precision` parameter of the write APIs, and the units of a timestamp.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "protocol/influx/point.h"

namespace tidegate::influx {

// A timestamp t of a request stands for t * scale units.
struct Precision {
  Unit unit = Unit::kNanosecond;
  std::int64_t scale = 1;  // 60 for m and 3600 for h (both map to seconds), else 1
  bool operator==(const Precision&) const = default;
};

enum class Api : std::uint8_t { kV1, kV2, kV3 };

// The value of `precision` in a request of that API; an empty name is the API's default (ns; 3.x would guess
// "auto", which is refused here: a gateway must not guess). Names that the API does not know give nothing:
// answer 400.
//   1.x: n ns u us µ ms s m h     2.x: ns us ms s     3.x: nanosecond ... second and their short forms
// 1.6 takes every name silently and reads the unknown ones as ns; 1.8 refuses them, and so does this.
std::optional<Precision> parse_precision(Api api, std::string_view name);

// The name to put into a request; one that every release of that API understands.
std::string_view precision_name(Api api, Unit unit);

std::int64_t nanoseconds_per(Unit unit);

// Timestamps are kept within what influxd stores: [-9223372036854775806, 9223372036854775806] ns.
constexpr std::int64_t kMinTimeNs = INT64_MIN + 2;
constexpr std::int64_t kMaxTimeNs = INT64_MAX - 1;

// `time` of `unit` in nanoseconds; nothing when that is outside [kMinTimeNs, kMaxTimeNs].
std::optional<std::int64_t> to_nanoseconds(std::int64_t time, Unit unit);

}  // namespace tidegate::influx
