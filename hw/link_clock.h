// SPDX-License-Identifier: Apache-2.0
// LinkClock: the serialising side of a link of a fixed rate, shared by all connections.
//
// A byte leaves the link when all bytes before it have left and its own time on the wire is over. Unlike a
// token bucket it saves nothing while idle, so a stop-and-wait sender meets the true time of each frame; and
// a late wake-up costs nothing, because a link that had work all the time goes on from where it stood. Pure;
// times in nanoseconds.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/env.h"

namespace tidegate {

class LinkClock {
 public:
  // `bytes_per_second` 0: no limit.
  explicit LinkClock(std::uint64_t bytes_per_second) { set_rate(bytes_per_second); }

  void set_rate(std::uint64_t bytes_per_second) {
    rate_ = bytes_per_second;
    remainder_ = 0;
    free_at_ = 0;
    busy_ = false;
  }
  std::uint64_t rate() const { return rate_; }

  // How many bytes may be taken now (0: come back at next_grant()). At most kQuantum of link time at once, so
  // that connections share fairly; at most `limit`.
  std::size_t grant(Nanos now, std::size_t limit) const {
    if (rate_ == 0) return limit;
    if (now < next_grant()) return 0;
    return std::min<std::size_t>(limit, std::max<std::uint64_t>(rate_ / (kSecond / kQuantum), kLeastGrant));
  }
  Nanos next_grant() const { return rate_ == 0 ? 0 : free_at_ - kQuantum; }

  // Takes `size` bytes at `now`; returns when the last of them has left the link. `more`: others are waiting
  // already.
  Nanos take(Nanos now, std::size_t size, bool more) {
    if (rate_ == 0) return now;
    const Nanos floor = busy_ ? now - kCatchUp : now;
    free_at_ = std::max(free_at_, floor) + wire_time(size);
    busy_ = more;
    return free_at_;
  }
  // Nobody has anything to send: time that passes from here on is lost.
  void idle() { busy_ = false; }

 private:
  static constexpr Nanos kQuantum = 2 * kMillisecond;
  static constexpr Nanos kCatchUp = 200 * kMillisecond;  // a longer stall of this process is not made up for
  static constexpr std::uint64_t kLeastGrant = 1024;

  Nanos wire_time(std::size_t size) {
    // The remainder is carried, so that a million small takes last as long as one large one.
    const std::uint64_t scaled = static_cast<std::uint64_t>(size) * kSecond + remainder_;  // size < 2^33
    remainder_ = scaled % rate_;
    return static_cast<Nanos>(scaled / rate_);
  }

  std::uint64_t rate_ = 0;
  std::uint64_t remainder_ = 0;
  Nanos free_at_ = 0;
  bool busy_ = false;
};

}  // namespace tidegate
