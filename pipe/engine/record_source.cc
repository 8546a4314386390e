// SPDX-License-Identifier: Apache-2.0
#include "pipe/engine/record_source.h"

#include <algorithm>

namespace tidegate {

Result<DecodedRecordPtr> JournalRecords::next() {
  if (cursor_ > journal_.durable_lsn()) return DecodedRecordPtr();
  TG_TRY(DecodedRecordPtr record, cache_.get(cursor_, [this]() -> Result<DecodedRecordPtr> {
    if (reader_.position() != cursor_) reader_.skip_to(cursor_);
    TG_TRY(std::optional<Record> read, reader_.next());
    if (!read.has_value()) return DecodedRecordPtr();
    return DecodedRecord::make(std::move(*read), kLargestDecodedRecord);
  }));
  if (record != nullptr) cursor_ = record->meta().last_lsn() + 1;
  return record;
}

Loss JournalRecords::loss_at(Lsn wanted, const Error& why) const {
  // The journal's reader names the LSN behind the loss; without it one batch is given up and the next is
  // tried.
  const Lsn behind = std::max(why.sequence.value_or(0), wanted + 1);
  return {wanted, behind - 1, why.code == ErrorCode::kTrimmed ? kLossTrimmed : kLossDamaged, why.text()};
}

std::uint64_t JournalRecords::bytes_behind(Lsn position) const {
  std::uint64_t bytes = 0;
  for (const SegmentInfo& segment : journal_.segments()) {
    if (segment.last_lsn <= position || segment.last_lsn < segment.first_lsn) continue;
    const std::uint64_t all = segment.last_lsn - segment.first_lsn + 1;
    const std::uint64_t behind = segment.last_lsn - std::max(position, segment.first_lsn - 1);
    bytes += static_cast<std::uint64_t>(static_cast<double>(segment.bytes) * static_cast<double>(behind) /
                                        static_cast<double>(all));
  }
  return bytes;
}

}  // namespace tidegate
