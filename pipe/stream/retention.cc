// SPDX-License-Identifier: Apache-2.0
#include "pipe/stream/retention.h"

#include <algorithm>

#include "pipe/stream/far_chains.h"
#include "pipe/stream/near_chains.h"

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
      if (it->last_lsn < it->first_lsn) {  // notes alone: it goes when nothing in front of it is kept
        const bool data_before = std::any_of(std::next(it), segments.rend(), [](const SegmentInfo& older) {
          return older.last_lsn >= older.first_lsn;
        });
        if (!data_before) return it->last_lsn;
        continue;
      }
      if (quota != 0 && delivered_behind >= share) return it->last_lsn;
      TG_TRY(const std::int64_t arrival, last_arrival(journal, *it));
      if (arrival <= now_wall_micros - window.micros) return it->last_lsn;
    }
    if (it->first_lsn <= pinned) delivered_behind += it->bytes;
  }
  return Lsn{0};
}

std::function<bool(const std::string&)> these_pipes(std::set<std::string> names) {
  return [names = std::move(names)](const std::string& pipe) { return names.contains(pipe); };
}

Lsn pinned_lsn(const Journal& journal, const StreamState& state, const RetentionPolicy& policy) {
  std::optional<Lsn> least;
  Lsn finished = 0;  // behind the end of the last stream nobody has read anything
  const auto pin = [&](Lsn lsn) { least = std::min(least.value_or(lsn), lsn); };
  for (const NearStream& stream : state.near_streams()) {
    if (stream.finished()) {
      finished = std::max(finished, stream.end_lsn);
    } else if (policy.is_essential(stream.id)) {
      pin(stream.lsn_of(stream.confirmed));
    }
  }
  for (const auto& [name, position] : state.pipe_positions()) {
    if (policy.holds(name)) pin(position.lsn);
  }
  if (const auto elsewhere = policy.read_elsewhere()) pin(*elsewhere);
  return least.value_or(std::min(finished, journal.durable_lsn()));
}

Result<Lsn> releasable_lsn(const Journal& journal, const StreamState& state, const RetentionPolicy& policy,
                           std::int64_t now_wall_micros) {
  return releasable(journal, pinned_lsn(journal, state, policy), now_wall_micros, policy.window);
}

Result<std::uint64_t> apply_retention(Journal& journal, const StreamState& state,
                                      const RetentionPolicy& policy, std::int64_t now_wall_micros) {
  TG_TRY(const Lsn up_to, releasable_lsn(journal, state, policy, now_wall_micros));
  const Lsn first = journal.first_lsn();
  if (up_to < first) return std::uint64_t{0};
  // LINK.md: chains are kept for n >= position - 65,536, whatever happens to their records.
  TG_TRY(const auto held, FarChains(&journal, &state).held_up_to(up_to));
  for (const auto& [key, chains] : held) {
    FarChainsNote note{key.first, key.second, chains};
    note.chains.drop_below(state.far_kept_to(key.first, key.second) + 1);
    if (note.chains.empty()) continue;
    TG_CHECK(journal.append_note(static_cast<std::uint8_t>(NoteType::kFarChains), encode_note(note)));
  }
  // The chain of the last seq trimmed stays known (LINK.md): the checkpoint of the segment behind it may be
  // of a later moment, where that segment was made after a failed write.
  NearChains near(&journal, &state);
  for (const NearStream& stream : state.near_streams()) {
    const Seq last = trimmed_seq(stream, up_to + 1);
    const auto chain = last == 0 ? std::nullopt : near.at(stream, last);
    if (!chain) continue;
    TG_CHECK(journal.append_note(static_cast<std::uint8_t>(NoteType::kChainMark),
                                 encode_note(ChainMarkNote{stream.id, last, *chain})));
  }
  if (!state.near_streams().empty()) {
    const SpanContent gone = content_of(journal, first, up_to);
    TG_CHECK(
        journal.append_note(static_cast<std::uint8_t>(NoteType::kTrimSpan),
                            encode_note(TrimSpan{first, up_to, gone.events, gone.time_min, gone.time_max})));
  }
  return journal.trim(up_to);
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
