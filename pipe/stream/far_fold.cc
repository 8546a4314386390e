// SPDX-License-Identifier: Apache-2.0
#include "pipe/stream/far_fold.h"

#include <algorithm>

#include "protocol/native/planted.h"

namespace tidegate {

Seq line_end(const std::vector<LineCut>& cuts, std::uint32_t generation) {
  Seq end = ~Seq{0};
  for (const LineCut& cut : cuts) {
    if (cut.generation > generation) end = std::min(end, cut.base);
  }
  return end;
}

Seq FarFold::window_start(const Stream& stream) {
  return stream.now.position > kChainWindow ? stream.now.position - kChainWindow : 0;
}

const FarFold::Stream* FarFold::find(const Id& journal, StreamId id) const {
  const auto source = sources_.find(journal);
  if (source == sources_.end()) return nullptr;
  const auto stream = source->second.streams.find(id);
  return stream == source->second.streams.end() ? nullptr : &stream->second;
}

// ---- records and notes

void FarFold::on_batches(const RecordMeta& meta) {
  if (!meta.origin) return;
  const Origin& origin = *meta.origin;
  Stream& stream = stream_of(origin.journal, origin.stream);
  if (origin.first_seq == 0) {  // the event of a fork or a gap
    stream.owed = std::monostate{};
  } else {
    advance(stream, meta);
  }
  changed(origin.journal, origin.stream, meta.last_lsn());
}

void FarFold::advance(Stream& stream, const RecordMeta& meta) {
  const Origin& origin = *meta.origin;
  FarPosition& now = stream.now;
  if (origin.generation < now.generation) return;
  if (origin.first_seq + meta.hashes.size() - 1 <= now.position) return;
  now.generation = origin.generation;  // higher only where damage took the note that said so
  Hash128 chain = origin.chain_before;
  Seq seq = origin.first_seq - 1;
  for (const Hash128& hash : meta.hashes) {
    chain = chain_next(chain, ++seq, hash);
    if (seq > now.position) stream.recent.push(seq, chain);
  }
  now.position = seq;
  now.chain = chain;
  stream.recent.drop_below(window_start(stream));
  stream.kept.drop_below(window_start(stream));
}

void FarFold::apply(const FarSessionNote& note, Lsn head) {
  for (auto& [id, source] : sources_) {
    if (id == note.journal || source.now.sender != note.sender || source.now.superseded) continue;
    source.now.superseded = true;
    changed(id, 0, head + 1);
  }
  Source& source = sources_[note.journal];
  source.now = {note.sender, note.session, note.nonce, false};
  source.label = note.label;
  changed(note.journal, 0, head + 1);
}

void FarFold::apply(const FarStreamOpenNote& note, Lsn head) {
  Stream& stream = stream_of(note.journal, note.stream);
  stream.label = note.label;
  if (note.generation > stream.now.generation) {
    if (stream.now.generation == 0) stream.now = {0, note.base, note.base_chain, note.base, note.base_chain};
    stream.now.generation = note.generation;
  }
  changed(note.journal, note.stream, head + 1);
}

void FarFold::apply(const FarForkNote& note, Lsn head) {
  Stream& stream = stream_of(note.journal, note.stream);
  if (note.generation <= stream.now.generation) return;
  if (note.old_last > note.base) {
    stream.orphans.push_back({stream.now.generation, note.base + 1, note.old_last});
    if (stream.orphans.size() > kMaxStreamEvents) stream.orphans.pop_front();
  }
  // A later cut at or below an earlier one says everything that the earlier one said.
  while (!stream.cuts.empty() && stream.cuts.back().base >= note.base) stream.cuts.pop_back();
  stream.cuts.push_back({note.generation, note.base});
  const FarPosition before = stream.now;
  stream.now = {note.generation, note.base, note.base_chain, note.base, note.base_chain};
  if (planted(Planted::kForkKeepsPosition))
    stream.now.position = before.position, stream.now.chain = before.chain;
  stream.recent.drop_above(note.base);
  stream.kept.drop_above(note.base);
  std::erase_if(stream.gaps, [&](const FarGapNote& gap) { return gap.to > note.base; });
  stream.owed = note;
  changed(note.journal, note.stream, head + 1);
}

void FarFold::apply(const FarGapNote& note, Lsn head) {
  Stream& stream = stream_of(note.journal, note.stream);
  if (note.to <= stream.now.position || note.generation < stream.now.generation) return;
  stream.gaps.push_back(note);
  if (stream.gaps.size() > kMaxStreamEvents) stream.gaps.pop_front();
  stream.now.generation = note.generation;
  stream.now.position = note.to;
  stream.now.chain = note.chain_after;
  stream.recent.push(note.to, note.chain_after);
  stream.recent.drop_below(window_start(stream));
  stream.kept.drop_below(window_start(stream));
  stream.owed = note;
  changed(note.journal, note.stream, head + 1);
}

void FarFold::apply(const FarEndNote& note, Lsn head) {
  stream_of(note.journal, note.stream).ended = true;
  changed(note.journal, note.stream, head + 1);
}

// Trimmed records are the oldest: what they hold comes behind what was kept before.
void FarFold::apply(const FarChainsNote& note, Lsn) {
  if (find(note.journal, note.stream) == nullptr) return;
  Stream& stream = stream_of(note.journal, note.stream);
  note.chains.for_each([&](Seq n, const Hash128& chain) {
    if (n <= stream.now.position) stream.kept.push(n, chain);
  });
  stream.kept.drop_below(window_start(stream));
}

void FarFold::apply(const FarApproveNote& note, Lsn) {
  approved_[note.journal] = note.sender;
}

// ---- durability

void FarFold::changed(const Id& journal, StreamId id, Lsn covered_by) {
  Change change{++changes_, covered_by, journal, id, {}};
  const Source& source = sources_[journal];
  if (id == 0) {
    change.value = source.now;
  } else {
    change.value = source.streams.at(id).now;
  }
  pending_.push_back(std::move(change));
}

void FarFold::publish(const Change& change) {
  Source& source = sources_[change.journal];
  if (change.stream == 0) {
    source.durable = std::get<FarJournal>(change.value);
    source.durable_known = true;
  } else {
    source.streams[change.stream].durable = std::get<FarPosition>(change.value);
  }
}

void FarFold::durable_to(Lsn durable) {
  for (; !pending_.empty() && pending_.front().covered_by <= durable; pending_.pop_front())
    publish(pending_.front());
}

void FarFold::synced_to(std::uint64_t change) {
  for (; !pending_.empty() && pending_.front().number <= change; pending_.pop_front())
    publish(pending_.front());
}

void FarFold::all_durable() {
  synced_to(changes_);
}

// ---- queries

std::optional<FarJournal> FarFold::journal(const Id& id) const {
  const auto it = sources_.find(id);
  if (it == sources_.end() || !it->second.durable_known) return std::nullopt;
  return it->second.durable;
}

std::optional<Id> FarFold::journal_of_sender(const Id& sender) const {
  for (const auto& [id, source] : sources_) {
    if (source.durable_known && source.durable.sender == sender && !source.durable.superseded) return id;
  }
  return std::nullopt;
}

bool FarFold::approved(const Id& sender, const Id& journal) const {
  const auto it = approved_.find(journal);
  return it != approved_.end() && it->second == sender;
}

std::vector<std::pair<Id, StreamId>> FarFold::streams() const {
  std::vector<std::pair<Id, StreamId>> out;
  for (const auto& [journal, source] : sources_) {
    for (const auto& [id, stream] : source.streams) out.emplace_back(journal, id);
  }
  return out;
}

std::string FarFold::label(const Id& journal) const {
  const auto it = sources_.find(journal);
  return it == sources_.end() ? std::string() : it->second.label;
}

std::optional<FarStreamView> FarFold::stream(const Id& journal, StreamId id) const {
  const Stream* s = find(journal, id);
  if (s == nullptr) return std::nullopt;
  return FarStreamView{s->now,
                       s->durable,
                       s->label,
                       s->ended,
                       s->cuts,
                       {s->gaps.begin(), s->gaps.end()},
                       {s->orphans.begin(), s->orphans.end()}};
}

std::optional<Hash128> FarFold::chain(const Id& journal, StreamId id, Seq n) const {
  const Stream* s = find(journal, id);
  if (s == nullptr || n > s->now.position) return std::nullopt;
  if (n == s->now.position) return s->now.chain;
  if (n == s->now.base) return s->now.base_chain;
  if (const auto chain = s->recent.at(n)) return chain;
  if (const auto chain = s->kept.at(n)) return chain;
  for (const FarGapNote& gap : s->gaps) {
    if (gap.to == n) return gap.chain_after;
  }
  return std::nullopt;
}

Seq FarFold::kept_to(const Id& journal, StreamId id) const {
  const Stream* s = find(journal, id);
  return s == nullptr ? 0 : s->kept.last();
}

std::vector<std::variant<FarForkNote, FarGapNote>> FarFold::owed_events() const {
  std::vector<std::variant<FarForkNote, FarGapNote>> out;
  for (const auto& [journal, source] : sources_) {
    for (const auto& [id, stream] : source.streams) {
      if (const auto* fork = std::get_if<FarForkNote>(&stream.owed)) out.emplace_back(*fork);
      if (const auto* gap = std::get_if<FarGapNote>(&stream.owed)) out.emplace_back(*gap);
    }
  }
  return out;
}

}  // namespace tidegate
