// SPDX-License-Identifier: Apache-2.0
// NearStore::recover: what damage found at open means for the streams.
#include <algorithm>

#include "pipe/stream/near_store.h"

namespace tidegate {

Status NearStore::recover() {
  publish();
  for (const DamagedRange& range : journal_->recovery().damaged) TG_CHECK(note_damage(range));
  for (const NearStream& stream : state_->near_streams()) {
    if (!stream.chain_known) TG_CHECK(replace_lost(stream));
  }
  return journal_->sync();
}

// Found again at every open until its segment is trimmed: said once.
Status NearStore::note_damage(const DamagedRange& range) {
  if (knows_damage(state_->ledger_recent(), range)) return {};
  return state_->write_ledger(*journal_, damage_entry(range, env_.clock->wall_micros()));
}

// The hashes of damaged batches are gone and no mark stands behind them, so no chain behind them can be said.
// The stream keeps what lies before the damage; what lies behind it gets new numbers in a new stream.
Status NearStore::replace_lost(const NearStream& lost) {
  // Only containers are damaged: their envelopes, which hold the hashes, still give the chain.
  if (const auto chain = chains_.at(lost, lost.head)) return write(ChainMarkNote{lost.id, lost.head, *chain});
  std::vector<LsnRange> ranges = state_->damaged();
  std::sort(ranges.begin(), ranges.end(),
            [](const LsnRange& a, const LsnRange& b) { return a.first < b.first; });
  for (const LsnRange& damage : ranges) {
    if (damage.last < lost.first_lsn || lost.seq_of(damage.first) > lost.head) continue;
    if (chains_.first_known(lost, std::min(lost.seq_of(damage.last), lost.last_possible()))) continue;
    StreamId heir = 0;
    for (const auto& [id, stream] : published_) {
      if (stream.label == lost.label && stream.first_lsn == damage.last + 1)
        heir = id;  // an earlier attempt got so far
    }
    const bool goes_on = lost.end_lsn == 0 || lost.end_lsn > damage.last;
    if (goes_on && heir == 0) {
      TG_TRY(heir, create_stream(lost.label, damage.last + 1, lost.end_lsn));
    }
    TG_CHECK(tell_replaced(lost, damage, heir));
    const auto end_chain =
        damage.first > lost.first_lsn ? chains_.at(lost, lost.seq_of(damage.first - 1)) : std::nullopt;
    if (!end_chain) return drop_stream(lost.id, "damage from its first batch on");
    return write(StreamClosedNote{lost.id, damage.first - 1, *end_chain});
  }
  return make_error(ErrorCode::kInternal,
                    "stream " + std::to_string(lost.id) + " has lost its chain without damage");
}

Status NearStore::tell_replaced(const NearStream& lost, const LsnRange& damage, StreamId heir) {
  const Batch gap = make_batch(
      BatchHead{TimeUnit::kNanosecond, 0, lost.label},
      std::vector<GapEvent>{{static_cast<std::uint8_t>(GapReason::kDamaged), damage.first, damage.last}});
  TG_TRY(const Container container, encode_container(Codec::kList, {ByteView(gap.canonical)}));
  RecordMeta meta;
  meta.count = 1;
  meta.codec = container.codec;
  meta.decoded_size = container.decoded_size;
  meta.events = gap.summary.events;
  meta.hashes = {gap.hash};
  TG_TRY([[maybe_unused]] const Lsn lsn, journal_->append(std::move(meta), container.bytes));
  return state_->write_ledger(
      *journal_, {.wall_micros = env_.clock->wall_micros(),
                  .kind = ledger_kind::kStreamEnded,
                  .stream = lost.id,
                  .from = damage.first,
                  .to = damage.last,
                  .text = "LSNs " + std::to_string(damage.first) + " to " + std::to_string(damage.last) +
                          " are damaged and the chain behind them is lost: stream " +
                          std::to_string(lost.id) + " (" + lost.label + ") ends before them, " +
                          (heir == 0 ? std::string("nothing lies behind them")
                                     : "stream " + std::to_string(heir) + " goes on behind them")});
}

Result<StreamId> NearStore::ensure_stream(const std::string& label) {
  Lsn from = journal_->first_lsn();
  for (const auto& [id, stream] : published_) {
    if (stream.label != label) continue;
    if (stream.end_lsn == 0) return id;
    from = std::max(from, stream.end_lsn + 1);
  }
  for (;;) {
    auto stream = create_stream(label, from);
    const auto& error = stream.ok() ? Error() : stream.error();
    if (stream.ok() || error.code != ErrorCode::kDamaged || !error.sequence) return stream;
    Journal::Reader reader = journal_->reader(from);
    for (auto meta = reader.next_meta(); meta.ok() && *meta; meta = reader.next_meta()) continue;
    if (reader.position() > from) TG_CHECK(create_stream(label, from, reader.position() - 1));
    from = *error.sequence;
  }
}

}  // namespace tidegate
