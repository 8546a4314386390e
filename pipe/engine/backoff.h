// SPDX-License-Identifier: Apache-2.0
// Backoff: how long to wait after a failure. 0.5 s doubling to 60 s, each drawn from the upper half of its
// step, so that many pipes that lost the same target do not come back together.
#pragma once

#include <algorithm>

#include "base/env.h"

namespace tidegate {

class Backoff {
 public:
  static constexpr Nanos kLongestWish = 3600 * kSecond;

  explicit Backoff(Random& random, Nanos first = kSecond / 2, Nanos longest = 60 * kSecond)
      : random_(random), first_(first), longest_(longest), step_(first) {}

  // The wait before the next attempt. `wish`: the target's own (Retry-After), never undercut; at most an hour
  // of it.
  Nanos next(Nanos wish = 0) {
    const Nanos own = step_ / 2 + below(step_ / 2 + 1);
    step_ = std::min(step_ * 2, longest_);
    if (wish <= 0) return own;
    const Nanos asked = std::min(wish, kLongestWish);
    return std::max(own, asked + below(asked / 10 + 1));
  }
  void reset() { step_ = first_; }

 private:
  Nanos below(Nanos bound) { return static_cast<Nanos>(random_.u64() % static_cast<std::uint64_t>(bound)); }

  Random& random_;
  Nanos first_, longest_, step_;
};

}  // namespace tidegate
