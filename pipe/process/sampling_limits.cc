// SPDX-License-Identifier: Apache-2.0
#include "pipe/process/sampling_limits.h"

#include <array>
#include <charconv>

namespace tidegate {
namespace {

std::string span_text(const TimeSpan& span) {
  return std::to_string(span.amount) + (span.nanoseconds ? " ns" : "");
}

}  // namespace

std::string SamplingLimits::meaning() const {
  return "min-time-interval " + span_text(nearest_span_) + ", max-time-interval " + span_text(farthest_span_);
}

Status SamplingLimits::take_units(TimeUnit unit) {
  TG_TRY(const std::int64_t nearest, in_units(nearest_span_, unit, prefix_ + ".min-time-interval"));
  TG_TRY(const std::int64_t farthest, in_units(farthest_span_, unit, prefix_ + ".max-time-interval"));
  nearest_ = static_cast<std::uint64_t>(nearest);
  farthest_ = static_cast<std::uint64_t>(farthest);
  return {};
}

std::string meaning_of_deviation(double deviation) {
  std::array<char, 32> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), deviation).ptr;
  return "compression-deviation " + std::string(text.data(), end);
}

}  // namespace tidegate
