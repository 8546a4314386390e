// SPDX-License-Identifier: Apache-2.0
// DecodedRecord: a record of a journal with its container decoded and its hashes compared. Immutable, so that
// all pipes of a daemon share one.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "pipe/journal/journal.h"

namespace tidegate {

class DecodedRecord {
 public:
  // `limit`: bytes of the decoded container. Never fails: trouble() tells which batches cannot be read.
  static std::shared_ptr<const DecodedRecord> make(Record record, std::uint64_t limit);

  const RecordMeta& meta() const { return record_.meta; }
  // Of the batch with LSN meta().first_lsn + index, index < meta().count. Nothing: the other two may be
  // asked.
  std::optional<Error> trouble(std::size_t index) const;
  ByteView canonical(std::size_t index) const { return decoded_.batches[record_.meta.skip + index]; }
  const BatchSummary& summary(std::size_t index) const { return summaries_[index]; }
  std::size_t memory() const { return record_.container.size() + decoded_.storage.size() + 256; }

 private:
  explicit DecodedRecord(Record record) : record_(std::move(record)) {}
  Status decode(std::uint64_t limit);

  Record record_;
  DecodedContainer decoded_;  // views point into it or into record_.container
  std::vector<BatchSummary> summaries_;
  std::optional<Error> trouble_;  // of all
  std::map<std::size_t, Error> bad_;
};

using DecodedRecordPtr = std::shared_ptr<const DecodedRecord>;

}  // namespace tidegate
