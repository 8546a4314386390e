// SPDX-License-Identifier: Apache-2.0
// RecordSource: what a pipe needs of a journal. JournalRecords is the real one; tests give scripted ones.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "pipe/engine/record_cache.h"

namespace tidegate {

// LSNs that the journal cannot give any more.
struct Loss {
  Lsn first = 0, last = 0;
  std::uint8_t reason = 0;  // as in GapEvent: 1 trimmed, 2 damaged
  std::string text;         // what happened, for the operator
};
constexpr std::uint8_t kLossTrimmed = 1;
constexpr std::uint8_t kLossDamaged = 2;

// One thread at a time; durable() and bytes_behind() from any.
class RecordSource {
 public:
  virtual ~RecordSource() = default;
  // The next durable record that holds LSNs >= the cursor (it may start before it), or null at the durable
  // end. kTrimmed, kDamaged: ask loss_at(cursor), seek() behind it. Anything else may be tried again.
  virtual Result<DecodedRecordPtr> next() = 0;
  virtual void seek(Lsn next_wanted) = 0;
  virtual Lsn durable() const = 0;
  // After next() failed: the LSNs from `wanted` that are gone. Always holds `wanted`.
  virtual Loss loss_at(Lsn wanted, const Error& why) const = 0;
  // Bytes of records above `position`; an estimate inside a segment.
  virtual std::uint64_t bytes_behind(Lsn position) const = 0;
};

constexpr std::uint64_t kLargestDecodedRecord = 256ULL << 20;

// Journal and cache must outlive it.
class JournalRecords final : public RecordSource {
 public:
  JournalRecords(const Journal& journal, RecordCache& cache)
      : journal_(journal), cache_(cache), reader_(journal.reader(1)) {}
  Result<DecodedRecordPtr> next() override;
  void seek(Lsn next_wanted) override { cursor_ = next_wanted; }
  Lsn durable() const override { return journal_.durable_lsn(); }
  Loss loss_at(Lsn wanted, const Error& why) const override;
  std::uint64_t bytes_behind(Lsn position) const override;

 private:
  const Journal& journal_;
  RecordCache& cache_;
  Journal::Reader reader_;
  Lsn cursor_ = 1;
};

}  // namespace tidegate
