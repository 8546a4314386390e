// SPDX-License-Identifier: Apache-2.0
#include "pipe/engine/event_counter.h"

#include <algorithm>
#include <cmath>

namespace tidegate {

std::uint64_t EventCounter::between(Lsn after, Lsn upto) {
  const std::scoped_lock lock(mutex_);
  extend();
  const double events = up_to(upto) - up_to(after);
  return events <= 0 ? 0 : static_cast<std::uint64_t>(std::llround(events));
}

void EventCounter::extend() {
  if (sums_.empty()) sums_.push_back({journal_.first_lsn() == 0 ? 0 : journal_.first_lsn() - 1, 0});
  Journal::Reader reader = journal_.reader(sums_.back().lsn + 1);
  while (reader.position() <= journal_.durable_lsn()) {
    const auto meta = reader.next_meta();
    if (!meta.ok() && meta.error().sequence && *meta.error().sequence > reader.position()) {
      reader.skip_to(*meta.error().sequence);  // trimmed or damaged: what it held is not counted
      continue;
    }
    if (!meta.ok() || !meta->has_value()) break;
    const Lsn last = (*meta)->last_lsn();
    if (last <= sums_.back().lsn) continue;
    if ((*meta)->first_lsn > sums_.back().lsn + 1)
      sums_.push_back({(*meta)->first_lsn - 1, sums_.back().events});
    sums_.push_back({last, sums_.back().events + static_cast<double>((*meta)->events)});
    if (sums_.size() > most_) thin();
  }
}

void EventCounter::thin() {
  std::size_t kept = 0;
  for (std::size_t i = 0; i < sums_.size(); ++i)
    if (i % 2 == 0 || i + 1 == sums_.size()) sums_[kept++] = sums_[i];
  sums_.resize(kept);
}

double EventCounter::up_to(Lsn lsn) const {
  const auto at = std::ranges::lower_bound(sums_, lsn, {}, &Sum::lsn);
  if (at == sums_.end()) return sums_.back().events;
  if (at->lsn == lsn || at == sums_.begin()) return at->events;
  const Sum& before = *std::prev(at);
  const double share = static_cast<double>(lsn - before.lsn) / static_cast<double>(at->lsn - before.lsn);
  return before.events + share * (at->events - before.events);
}

}  // namespace tidegate
