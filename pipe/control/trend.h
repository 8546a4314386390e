// SPDX-License-Identifier: Apache-2.0
// Trend: how fast a number grows, over a sliding window of samples. For "at the present speed" answers.
// One thread at a time; time is given by the caller.
#pragma once

#include <deque>
#include <optional>

#include "base/env.h"

namespace tidegate {

class Trend {
 public:
  // `least`: no answer before the samples span this.
  explicit Trend(Nanos window = 60 * kSecond, Nanos least = kSecond / 2) : window_(window), least_(least) {}

  void sample(Nanos now, double value) {
    samples_.emplace_back(now, value);
    while (samples_.size() > 2 && samples_.front().first + window_ < now) samples_.pop_front();
  }
  // Per second, oldest to newest sample. Nothing before there are two samples far enough apart.
  std::optional<double> per_second() const {
    if (samples_.size() < 2) return std::nullopt;
    const Nanos span = samples_.back().first - samples_.front().first;
    if (span < least_) return std::nullopt;
    return (samples_.back().second - samples_.front().second) * 1e9 / static_cast<double>(span);
  }

 private:
  Nanos window_;
  Nanos least_;
  std::deque<std::pair<Nanos, double>> samples_;
};

// In how many seconds `room` is used up; nothing when it does not shrink.
inline std::optional<double> seconds_until(double room, std::optional<double> growth_per_second) {
  if (!growth_per_second || *growth_per_second <= 0) return std::nullopt;
  return room / *growth_per_second;
}

}  // namespace tidegate
