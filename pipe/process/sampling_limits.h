// SPDX-License-Identifier: Apache-2.0
// The nearest and the farthest that two values may be apart that come out of a sampling processor, and the
// words for its options.
#pragma once

#include <cstdint>
#include <string>

#include "pipe/process/event_time.h"

namespace tidegate {

class SamplingLimits {
 public:
  // `prefix`: of the attributes min-time-interval and max-time-interval, for messages.
  SamplingLimits(std::string prefix, TimeSpan nearest, TimeSpan farthest)
      : prefix_(std::move(prefix)), nearest_span_(nearest), farthest_span_(farthest) {}

  std::string meaning() const;
  Status take_units(TimeUnit unit);
  bool is_too_near(std::uint64_t away) const { return away <= nearest_; }
  bool is_far_enough(std::uint64_t away) const { return away >= farthest_; }

 private:
  std::string prefix_;
  TimeSpan nearest_span_, farthest_span_;
  std::uint64_t nearest_ = 0, farthest_ = 0;  // in the unit of the batch
};

// To the last bit.
std::string meaning_of_deviation(double deviation);

}  // namespace tidegate
