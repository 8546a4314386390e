// SPDX-License-Identifier: Apache-2.0
#include "protocol/influx/precision.h"

#include <array>

namespace tidegate::influx {
namespace {

struct Name {
  Api api;
  std::string_view text;
  Precision precision;
};

constexpr std::array kNames = {
    Name{Api::kV1, "n", {Unit::kNanosecond}},
    Name{Api::kV1, "ns", {Unit::kNanosecond}},
    Name{Api::kV1, "u", {Unit::kMicrosecond}},
    Name{Api::kV1, "us", {Unit::kMicrosecond}},
    Name{Api::kV1, "µ", {Unit::kMicrosecond}},
    Name{Api::kV1, "ms", {Unit::kMillisecond}},
    Name{Api::kV1, "s", {Unit::kSecond}},
    Name{Api::kV1, "m", {Unit::kSecond, 60}},
    Name{Api::kV1, "h", {Unit::kSecond, 3600}},
    Name{Api::kV2, "ns", {Unit::kNanosecond}},
    Name{Api::kV2, "us", {Unit::kMicrosecond}},
    Name{Api::kV2, "ms", {Unit::kMillisecond}},
    Name{Api::kV2, "s", {Unit::kSecond}},
    Name{Api::kV3, "nanosecond", {Unit::kNanosecond}},
    Name{Api::kV3, "n", {Unit::kNanosecond}},
    Name{Api::kV3, "ns", {Unit::kNanosecond}},
    Name{Api::kV3, "microsecond", {Unit::kMicrosecond}},
    Name{Api::kV3, "u", {Unit::kMicrosecond}},
    Name{Api::kV3, "us", {Unit::kMicrosecond}},
    Name{Api::kV3, "millisecond", {Unit::kMillisecond}},
    Name{Api::kV3, "ms", {Unit::kMillisecond}},
    Name{Api::kV3, "second", {Unit::kSecond}},
    Name{Api::kV3, "s", {Unit::kSecond}},
};

}  // namespace

std::optional<Precision> parse_precision(Api api, std::string_view name) {
  if (name.empty()) return Precision{};
  for (const Name& known : kNames)
    if (known.api == api && known.text == name) return known.precision;
  return std::nullopt;
}

std::string_view precision_name(Api api, Unit unit) {
  // "u" and not "us": influxd before 1.8 reads an unknown name as nanoseconds.
  static constexpr std::array<std::array<std::string_view, 4>, 3> kByApi = {{
      {"s", "ms", "u", "n"},
      {"s", "ms", "us", "ns"},
      {"second", "millisecond", "microsecond", "nanosecond"},
  }};
  return kByApi.at(static_cast<std::size_t>(api)).at(static_cast<std::size_t>(unit));
}

std::int64_t nanoseconds_per(Unit unit) {
  static constexpr std::array<std::int64_t, 4> kNanoseconds = {1'000'000'000, 1'000'000, 1'000, 1};
  return kNanoseconds.at(static_cast<std::size_t>(unit));
}

std::optional<std::int64_t> to_nanoseconds(std::int64_t time, Unit unit) {
  std::int64_t ns = 0;
  if (__builtin_mul_overflow(time, nanoseconds_per(unit), &ns)) return std::nullopt;
  if (ns < kMinTimeNs || ns > kMaxTimeNs) return std::nullopt;
  return ns;
}

}  // namespace tidegate::influx
