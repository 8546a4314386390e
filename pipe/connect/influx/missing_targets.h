// SPDX-License-Identifier: Apache-2.0
// MissingTargets: the databases (retention policies, buckets) that a server does not have although rows name
// them, and whether the delivery still waits for them. A pipe has one position: while it waits for one
// database, the others stand still behind it. So it waits for each name once, for a limited time; then that
// name's lines are set aside until the server takes one. One thread.
#pragma once

#include <map>
#include <string>

#include "base/env.h"

namespace tidegate {

class MissingTargets {
 public:
  // A name that nobody has used for so long is waited for again.
  static constexpr Nanos kForgetAfter = 24 * 3600 * kSecond;
  // note() speaks of names that were used so recently.
  static constexpr Nanos kRecent = 3600 * kSecond;
  // Of more names at once nothing is remembered: the rest is set aside without waiting, so that a source that
  // makes up names can neither fill the memory nor stop the delivery for ever.
  static constexpr std::size_t kMostNames = 10'000;

  explicit MissingTargets(Nanos patience) : patience_(patience) {}

  enum class Decision {
    kWait,
    kSetAside,        // for long enough
    kSetAsideFromNow  // the first time it says so: worth a line in the log
  };
  // The server says that it has no such thing.
  Decision is_missing(const std::string& name, Nanos now);
  // The server took a line for it. True when its lines were set aside until now.
  bool is_there(const std::string& name);
  // For the status: the names whose lines are set aside. Empty: none.
  std::string note(Nanos now) const;

 private:
  struct Name {
    Nanos since = 0;
    Nanos used = 0;
    bool set_aside = false;
  };
  static constexpr Nanos kSweepEvery = 60 * kSecond;
  bool has_room(Nanos now);

  Nanos patience_;
  Nanos sweep_at_ = 0;
  std::map<std::string, Name> names_;
};

}  // namespace tidegate
