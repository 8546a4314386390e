// SPDX-License-Identifier: Apache-2.0
#include "pipe/engine/record_source.h"

#include <algorithm>

namespace tidegate {

Loss JournalRecords::loss_at(Lsn wanted, const Error& why) const {
  if (const Lsn first = journal_.first_lsn(); why.code == ErrorCode::kTrimmed && first > wanted) {
    return {wanted, first - 1, kLossTrimmed, why.text()};
  }
  for (const DamagedRange& range : journal_.damaged()) {
    if (range.first <= wanted && wanted <= range.last) {
      return {wanted, range.last, kLossDamaged, range.reason + " in " + range.segment};
    }
  }
  // Damage that the journal has not listed yet (found by this very read): give up one batch and look again.
  return {wanted, wanted, kLossDamaged, why.text()};
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
