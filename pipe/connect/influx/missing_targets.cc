// SPDX-License-Identifier: Apache-2.0
#include "pipe/connect/influx/missing_targets.h"

#include <utility>

namespace tidegate {

bool MissingTargets::has_room(Nanos now) {
  if (names_.size() < kMostNames) return true;
  if (now < sweep_at_) return false;
  sweep_at_ = now + kSweepEvery;
  std::erase_if(names_, [now](const auto& each) { return now - each.second.used > kForgetAfter; });
  return names_.size() < kMostNames;
}

MissingTargets::Decision MissingTargets::is_missing(const std::string& name, Nanos now) {
  auto found = names_.find(name);
  if (found == names_.end()) {
    if (!has_room(now)) return Decision::kSetAside;
    found = names_.emplace(name, Name{now, now, false}).first;
  } else if (now - found->second.used > kForgetAfter) {
    found->second = {now, now, false};
  }
  Name& entry = found->second;
  entry.used = now;
  if (!entry.set_aside && now - entry.since < patience_) return Decision::kWait;
  return std::exchange(entry.set_aside, true) ? Decision::kSetAside : Decision::kSetAsideFromNow;
}

bool MissingTargets::is_there(const std::string& name) {
  const auto found = names_.find(name);
  if (found == names_.end()) return false;
  const bool was_set_aside = found->second.set_aside;
  names_.erase(found);
  return was_set_aside;
}

std::string MissingTargets::note(Nanos now) const {
  constexpr std::size_t kShown = 3;
  std::string out;
  std::size_t count = 0;
  for (const auto& [name, entry] : names_) {
    if (!entry.set_aside || now - entry.used > kRecent) continue;
    if (++count <= kShown) out += (count == 1 ? "" : ", ") + name;
  }
  if (count > kShown) out += " and " + std::to_string(count - kShown) + " more";
  return out;
}

}  // namespace tidegate
