// SPDX-License-Identifier: Apache-2.0
// NewestValue: the largest event time among the records of a journal up to an LSN, for "how old is the newest
// value outside". Late data never makes it smaller. It is made of the envelopes of the records that are
// retained, a slice at a time, so it is there again after a start without being stored.
//
// A time more than a day ahead of our clock is a wrong clock, not news: such a record counts with its
// earliest time, if that is sane, and is counted in future_records(). One thread at a time.
#pragma once

#include <optional>

#include "pipe/journal/journal.h"

namespace tidegate {

class NewestValue {
 public:
  // Of what is no longer retained. Nanoseconds since the epoch.
  void know(std::int64_t time_ns, std::int64_t wall_micros);
  // Reads on from where it was, `most` records at most, to the records that end at or before `up_to`. An
  // `up_to` that went back (the far side has lost what it had) begins again.
  void advance(const Journal& journal, Lsn from, Lsn up_to, std::int64_t wall_micros,
               std::size_t most = 5'000);

  std::optional<std::int64_t> newest_ns() const;
  std::optional<double> age_s(std::int64_t wall_micros) const;
  std::uint64_t future_records() const { return future_; }

 private:
  void take(const RecordMeta& meta, std::int64_t wall_micros);
  void take_time(std::int64_t time_ns);

  std::optional<Journal::Reader> reader_;
  std::optional<RecordMeta> ahead_;  // read, and ends behind `up_to`
  Lsn up_to_ = 0;
  std::optional<std::int64_t> known_, newest_;
  std::uint64_t future_ = 0;
};

}  // namespace tidegate
