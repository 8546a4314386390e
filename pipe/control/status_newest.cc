// SPDX-License-Identifier: Apache-2.0
#include "pipe/control/status_newest.h"

#include <algorithm>
#include <limits>

namespace tidegate {
namespace {

constexpr std::int64_t kDayMicros = 24LL * 3600 * 1'000'000;

bool in_future(std::int64_t time_ns, std::int64_t wall_micros) {
  return time_ns / 1000 > wall_micros + kDayMicros;
}

}  // namespace

void NewestValue::know(std::int64_t time_ns, std::int64_t wall_micros) {
  if (in_future(time_ns, wall_micros)) return;
  known_ = std::max(known_.value_or(time_ns), time_ns);
}

void NewestValue::take_time(std::int64_t time_ns) {
  newest_ = std::max(newest_.value_or(time_ns), time_ns);
}

void NewestValue::take(const RecordMeta& meta, std::int64_t wall_micros) {
  if (meta.time_min > meta.time_max) return;
  if (!in_future(meta.time_max, wall_micros)) return take_time(meta.time_max);
  ++future_;
  if (!in_future(meta.time_min, wall_micros)) take_time(meta.time_min);
}

void NewestValue::advance(const Journal& journal, Lsn from, Lsn up_to, std::int64_t wall_micros,
                          std::size_t most) {
  if (up_to < up_to_) {
    reader_.reset();
    ahead_.reset();
    newest_.reset();
    future_ = 0;
  }
  up_to_ = up_to;
  if (up_to == 0 || up_to < from) return;
  if (!reader_) {
    reader_ = journal.reader(std::max(from, journal.first_lsn()));
    // The newest record first: a good guess until all have been seen.
    const auto last = journal.reader(up_to).next_meta();
    if (last.ok() && *last && (*last)->last_lsn() <= up_to && !in_future((*last)->time_max, wall_micros))
      take(**last, wall_micros);
  }
  for (std::size_t n = 0; n < most; ++n) {
    if (ahead_) {
      if (ahead_->last_lsn() > up_to) return;
      take(*ahead_, wall_micros);
      ahead_.reset();
    }
    if (reader_->position() > up_to) return;
    auto meta = reader_->next_meta();
    if (!meta.ok()) {  // trimmed or damaged
      const Lsn behind = meta.error().sequence.value_or(0);
      if (behind <= reader_->position()) return;
      reader_->skip_to(behind);
      continue;
    }
    if (!*meta) return;
    ahead_ = **meta;
  }
}

std::optional<std::int64_t> NewestValue::newest_ns() const {
  if (!newest_ || !known_) return newest_ ? newest_ : known_;
  return std::max(*newest_, *known_);
}

std::optional<double> NewestValue::age_s(std::int64_t wall_micros) const {
  const auto newest = newest_ns();
  if (!newest) return std::nullopt;
  return static_cast<double>(wall_micros) / 1e6 - static_cast<double>(*newest) / 1e9;
}

}  // namespace tidegate
