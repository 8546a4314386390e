// SPDX-License-Identifier: Apache-2.0
#include "pipe/stream/near_fold.h"

#include <algorithm>

namespace tidegate {

void NearFold::on_batches(const RecordMeta& meta) {
  for (std::size_t i = meta.skip; i < meta.hashes.size(); ++i) {
    const Lsn lsn = meta.first_lsn + (i - meta.skip);
    recent_.push_back(meta.hashes[i]);
    if (recent_.size() > kRecentHashes) recent_.pop_front();
    for (auto& [id, entry] : streams_) advance(entry, lsn, meta.hashes[i]);
    head_lsn_ = lsn;
  }
}

void NearFold::advance(Entry& entry, Lsn lsn, const Hash128& hash) {
  NearStream& s = entry.stream;
  const Seq seq = s.seq_of(lsn);
  if (seq == 0 || seq > s.last_possible() || seq <= s.head) return;
  s.head = seq;
  if (!s.chain_known) return;
  s.chain = chain_next(s.chain, seq, hash);
  if (seq % kMarkEvery == 0) mark(entry, seq, s.chain);
}

void NearFold::on_damage(Lsn first, Lsn last) {
  note_damage(first, last);
  head_lsn_ = last;
  recent_.clear();
  for (auto& [id, entry] : streams_) {
    NearStream& s = entry.stream;
    const Seq lost = std::min(s.seq_of(last), s.last_possible());
    if (lost <= s.head) continue;
    s.head = lost;
    s.chain_known = false;
    s.chain = {};
  }
}

void NearFold::note_damage(Lsn first, Lsn last) {
  for (const LsnRange& known : damaged_) {
    if (known.first <= first && last <= known.last) return;
  }
  damaged_.push_back({first, last});
  if (damaged_.size() > kMaxDamaged) damaged_.pop_front();
}

bool NearFold::run_recent(Entry& entry, Seq seq, Hash128 chain) {
  NearStream& s = entry.stream;
  if (seq > s.head) return false;
  const Lsn from = s.lsn_of(seq) + 1;                 // first LSN to run over
  const Lsn oldest = head_lsn_ + 1 - recent_.size();  // of recent_
  if (seq != s.head && from < oldest) return false;
  for (Seq n = seq + 1; n <= s.head; ++n) chain = chain_next(chain, n, recent_[s.lsn_of(n) - oldest]);
  s.chain = chain;
  s.chain_known = true;
  return true;
}

void NearFold::mark(Entry& entry, Seq seq, const Hash128& chain) {
  if (seq == 0) return;
  entry.marks[seq] = chain;
  if (entry.marks.size() > kMaxMarks) entry.marks.erase(entry.marks.begin());
}

NearFold::Entry* NearFold::find(StreamId id) {
  const auto it = streams_.find(id);
  return it == streams_.end() ? nullptr : &it->second;
}

void NearFold::apply(const StreamCreatedNote& note) {
  if (note.stream < next_stream_) return;  // folded before, or spent
  Entry entry;
  NearStream& s = entry.stream;
  s.id = note.stream;
  s.label = note.label;
  s.first_lsn = note.first_lsn == 0 ? head_lsn_ + 1 : note.first_lsn;
  s.end_lsn = note.end_lsn;
  s.chain_zero = s.chain = s.base_chain = s.confirmed_chain = note.chain_zero;
  s.head = std::min(s.seq_of(head_lsn_), s.last_possible());
  const Seq told = note.first_lsn == 0 ? 0 : std::min({s.seq_of(note.as_of), s.head, s.last_possible()});
  if (s.head != 0 && !run_recent(entry, told, told == 0 ? note.chain_zero : note.chain)) return;
  next_stream_ = static_cast<StreamId>(note.stream + 1);
  streams_.emplace(note.stream, std::move(entry));
}

void NearFold::apply(const StreamReservedNote& note) {
  next_stream_ = std::max(next_stream_, static_cast<StreamId>(note.stream + 1));
}

void NearFold::apply(const StreamDroppedNote& note) {
  streams_.erase(note.stream);
}

void NearFold::apply(const StreamClosedNote& note) {
  Entry* entry = find(note.stream);
  if (entry == nullptr) return;
  NearStream& s = entry->stream;
  s.end_lsn = note.end_lsn;
  if (s.head < s.last_possible()) return;
  s.head = s.last_possible();
  s.chain = note.chain;
  s.chain_known = true;
  entry->marks.erase(entry->marks.upper_bound(s.head), entry->marks.end());
}

void NearFold::apply(const ConfirmedNote& note) {
  Entry* entry = find(note.stream);
  if (entry == nullptr) return;
  entry->stream.confirmed = note.confirmed;
  entry->stream.confirmed_chain = note.chain;
  apply(ChainMarkNote{note.stream, note.confirmed, note.chain});
}

void NearFold::apply(const NearForkNote& note) {
  Entry* entry = find(note.stream);
  if (entry == nullptr) return;
  NearStream& s = entry->stream;
  s.generation = note.generation;
  s.base = s.confirmed = note.base;
  s.base_chain = s.confirmed_chain = note.chain;
}

void NearFold::apply(const ChainMarkNote& note) {
  Entry* entry = find(note.stream);
  if (entry == nullptr || note.seq > entry->stream.head) return;
  mark(*entry, note.seq, note.chain);
  if (!entry->stream.chain_known) run_recent(*entry, note.seq, note.chain);
}

void NearFold::apply(const TrimSpan& note) {
  if (!trimmed_.empty() && note.last <= trimmed_.back().last) return;
  trimmed_.push_back(note);
  if (trimmed_.size() <= kMaxTrimSpans) return;
  const TrimSpan oldest = trimmed_.front();
  trimmed_.pop_front();
  TrimSpan& joined = trimmed_.front();
  const bool joined_has_time = joined.time_min <= joined.time_max;
  if (oldest.time_min <= oldest.time_max) {
    joined.time_min = joined_has_time ? std::min(joined.time_min, oldest.time_min) : oldest.time_min;
    joined.time_max = joined_has_time ? std::max(joined.time_max, oldest.time_max) : oldest.time_max;
  }
  joined.first = oldest.first;
  joined.events += oldest.events;
}

std::vector<NearStream> NearFold::streams() const {
  std::vector<NearStream> out;
  for (const auto& [id, entry] : streams_) out.push_back(entry.stream);
  return out;
}

std::optional<NearStream> NearFold::stream(StreamId id) const {
  const auto it = streams_.find(id);
  if (it == streams_.end()) return std::nullopt;
  return it->second.stream;
}

std::map<Seq, Hash128> NearFold::marks(StreamId id) const {
  const auto it = streams_.find(id);
  return it == streams_.end() ? std::map<Seq, Hash128>{} : it->second.marks;
}

void NearFold::save(stream_codec::PutFields& put) const {
  put(head_lsn_), put(session_), put(next_stream_);
  put(static_cast<std::uint32_t>(recent_.size()));
  for (const Hash128& hash : recent_) put(hash);
  put(static_cast<std::uint32_t>(streams_.size()));
  for (const auto& [id, entry] : streams_) {
    stream_codec::all(put, entry.stream);
    put(static_cast<std::uint32_t>(entry.marks.size()));
    for (const auto& [seq, chain] : entry.marks) put(seq), put(chain);
  }
  stream_codec::put_list(put, damaged_);
  stream_codec::put_list(put, trimmed_);
}

void NearFold::load(stream_codec::GetFields& get) {
  get(head_lsn_), get(session_), get(next_stream_);
  const std::uint32_t hashes = get.count(16);
  recent_.resize(hashes);
  for (Hash128& hash : recent_) get(hash);
  const std::uint32_t streams = get.count(16);
  for (std::uint32_t i = 0; i < streams && get.ok(); ++i) {
    Entry entry;
    stream_codec::all(get, entry.stream);
    const std::uint32_t marks = get.count(8 + 16);
    for (std::uint32_t m = 0; m < marks && get.ok(); ++m) {
      Seq seq = 0;
      get(seq), get(entry.marks[seq]);
    }
    streams_[entry.stream.id] = std::move(entry);
  }
  stream_codec::get_list(get, damaged_, 16);
  stream_codec::get_list(get, trimmed_, 5 * 8);
}

}  // namespace tidegate
