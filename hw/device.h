// SPDX-License-Identifier: Apache-2.0
// Device: what all connections through one emulated gatekeeper share: its rules, its link, its dice, its
// counts. Belongs to the emulator's thread.
#pragma once

#include <algorithm>
#include <random>
#include <string>

#include "hw/emulator.h"
#include "hw/link_clock.h"

namespace tidegate {

// "Never" for wake-up times.
constexpr Nanos kNever = INT64_MAX;

class Device {
 public:
  explicit Device(GatekeeperOptions o)
      : options(std::move(o)), link(options.profile.rate), dice_(options.faults.seed) {}

  GatekeeperOptions options;
  GatekeeperStats stats;
  LinkClock link;
  Nanos now = 0;               // of this turn of the loop
  Nanos blocked_until = 0;     // nothing passes before
  bool cut_mid_frame = false;  // armed: the next frame that begins is cut in its middle

  const Profile& profile() const { return options.profile; }
  GatekeeperFaults& faults() { return options.faults; }
  const GatekeeperFaults& faults() const { return options.faults; }
  bool blocked() const { return now < blocked_until; }

  bool chance(double probability) {
    return probability > 0 && std::uniform_real_distribution<double>(0, 1)(dice_) < probability;
  }
  std::uint8_t any_answer() { return chance(0.5) ? profile().answer_ok : profile().answer_fail; }

  void violation(ViolationKind kind, std::uint64_t connection, std::string peer, std::string detail) {
    Violation found{kind, wall_micros(), connection, std::move(peer), std::move(detail)};
    if (options.violation_seen) options.violation_seen(found);
    stats.add(std::move(found));
  }

 private:
  static std::int64_t wall_micros();

  std::mt19937_64 dice_;
};

// The monotonic clock of the kernel.
Nanos monotonic_now();

}  // namespace tidegate
