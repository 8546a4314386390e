// SPDX-License-Identifier: Apache-2.0
#include "pipe/stream/retention.h"

#include <algorithm>

namespace tidegate {
namespace {

// Arrival of a segment's last batches; a record that cannot be read does not hold anything back.
Result<std::int64_t> last_arrival(const Journal& journal, const SegmentInfo& segment) {
  Journal::Reader reader = journal.reader(segment.last_lsn);
  auto meta = reader.next_meta();
  if (!meta.ok() && (meta.error().code == ErrorCode::kDamaged || meta.error().code == ErrorCode::kTrimmed))
    return 0;
  if (!meta.ok()) return std::move(meta).error();
  return meta->has_value() ? (*meta)->arrival_micros : 0;
}

}  // namespace

Result<Lsn> releasable(const Journal& journal, Lsn pinned, std::int64_t now_wall_micros,
                       const SafetyWindow& window) {
  const std::vector<SegmentInfo> segments = journal.segments();
  const std::uint64_t quota = journal.space().quota;
  const std::uint64_t share = quota / 100 * window.quota_percent;
  std::uint64_t delivered_behind = 0;  // bytes of later segments with delivered data
  for (auto it = segments.rbegin(); it != segments.rend(); ++it) {
    const bool may_go = it != segments.rbegin() && it->sealed && it->last_lsn <= pinned;
    if (may_go) {
      if (it->last_lsn < it->first_lsn) return it->last_lsn;
      if (quota != 0 && delivered_behind >= share) return it->last_lsn;
      TG_TRY(const std::int64_t arrival, last_arrival(journal, *it));
      if (arrival <= now_wall_micros - window.micros) return it->last_lsn;
    }
    if (it->first_lsn <= pinned) delivered_behind += it->bytes;
  }
  return Lsn{0};
}

SpanContent content_of(const Journal& journal, Lsn from, Lsn up_to) {
  SpanContent out;
  Journal::Reader reader = journal.reader(from);
  while (reader.position() <= up_to) {
    const auto meta = reader.next_meta();
    if (!meta.ok() && meta.error().sequence && *meta.error().sequence > reader.position()) {
      reader.skip_to(*meta.error().sequence);
      continue;
    }
    if (!meta.ok() || !meta->has_value()) break;
    const RecordMeta& record = **meta;
    out.events += record.events;
    if (record.time_min > record.time_max) continue;
    const bool first = out.time_min > out.time_max;
    out.time_min = first ? record.time_min : std::min(out.time_min, record.time_min);
    out.time_max = first ? record.time_max : std::max(out.time_max, record.time_max);
  }
  return out;
}

}  // namespace tidegate
