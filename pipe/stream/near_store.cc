// SPDX-License-Identifier: Apache-2.0
#include "pipe/stream/near_store.h"

#include <algorithm>

namespace tidegate {

NearStore::NearStore(Env env, Journal* journal, StreamState* state, NearStoreOptions options)
    : env_(env), journal_(journal), state_(state), options_(std::move(options)), chains_(journal, state) {
  publish();
}

void NearStore::publish() {
  session_ = state_->session();
  published_.clear();
  for (NearStream& stream : state_->near_streams()) published_[stream.id] = std::move(stream);
}

Error NearStore::not_known(StreamId stream) const {
  return make_error(ErrorCode::kNotFound, "stream " + std::to_string(stream) + " of this journal");
}

const NearStream* NearStore::find(StreamId stream) const {
  const auto it = published_.find(stream);
  return it == published_.end() ? nullptr : &it->second;
}

std::optional<NearStream> NearStore::current(StreamId stream) const {
  const NearStream* known = find(stream);
  auto now = state_->near_stream(stream);
  if (known == nullptr || !now) return std::nullopt;
  NearStream out = *known;
  out.head = now->head;
  out.chain = now->chain;
  out.chain_known = now->chain_known;
  return out;
}

std::optional<NearStream> NearStore::info(StreamId stream) const {
  return current(stream);
}

// ---- the simple questions

std::vector<StreamId> NearStore::streams() const {
  std::vector<StreamId> out;
  for (const auto& [id, stream] : published_) out.push_back(id);
  return out;
}

std::string NearStore::label(StreamId stream) const {
  const NearStream* s = find(stream);
  return s == nullptr ? std::string() : s->label;
}

Seq NearStore::head(StreamId stream) const {
  const NearStream* s = find(stream);
  return s == nullptr ? 0 : std::min(s->seq_of(journal_->durable_lsn()), s->last_possible());
}

Seq NearStore::trimmed(StreamId stream) const {
  const NearStream* s = find(stream);
  return s == nullptr ? 0 : trimmed_seq(*s, journal_->first_lsn());
}

Seq NearStore::confirmed(StreamId stream) const {
  const NearStream* s = find(stream);
  return s == nullptr ? 0 : s->confirmed;
}

Seq NearStore::base(StreamId stream) const {
  const NearStream* s = find(stream);
  return s == nullptr ? 0 : s->base;
}

std::uint32_t NearStore::generation(StreamId stream) const {
  const NearStream* s = find(stream);
  return s == nullptr ? 0 : s->generation;
}

std::optional<Hash128> NearStore::chain(StreamId stream, Seq n) const {
  const auto s = current(stream);
  if (!s) return std::nullopt;
  if (n > head(stream) && n != s->base && n != s->confirmed) return std::nullopt;
  return chains_.at(*s, n);
}

// ---- frames

Result<OutgoingBatches> NearStore::load(StreamId stream, Seq from, Seq last, std::size_t max_body) {
  const auto s = current(stream);
  if (!s) return not_known(stream);
  last = std::min(last, head(stream));
  if (from == 0 || from > last) {
    return make_error(ErrorCode::kInvalidArgument, "nothing to load of stream " + std::to_string(stream) +
                                                       ": its head is " + std::to_string(head(stream)))
        .at_sequence(from);
  }
  if (from <= trimmed(stream)) {
    return make_error(ErrorCode::kTrimmed, "stream " + std::to_string(stream)).at_sequence(from);
  }
  const auto previous = chains_.at(*s, from - 1);
  if (!previous) {
    return make_error(ErrorCode::kDamaged,
                      "the chain of stream " + std::to_string(stream) +
                          " is lost before this number; a gap up to the next mark goes on")
        .at_sequence(from);
  }
  FramePacker& packer = packers_.try_emplace(stream, journal_, options_.pack).first->second;
  auto out = packer.pack(s->lsn_of(from), s->lsn_of(last), max_body);
  if (!out.ok()) {
    Error error = std::move(out).error();
    if (error.code == ErrorCode::kDamaged && error.sequence)
      unreadable_.push_back({s->lsn_of(from), *error.sequence - 1});
    return error;
  }
  out->frame.first_seq = from;
  out->frame.previous_chain = *previous;
  Hash128 chain = *previous;
  for (std::size_t i = 0; i < out->frame.hashes.size(); ++i)
    chain = chain_next(chain, from + i, out->frame.hashes[i]);
  chains_.learn(stream, out->frame.last_seq(), chain);
  return out;
}

Lsn NearStore::unreadable_to(Lsn lsn) const {
  Lsn last = 0;
  const auto look = [&](Lsn first, Lsn end) {
    if (first <= lsn && lsn <= end) last = std::max(last, end);
  };
  for (const DamagedRange& range : journal_->damaged()) look(range.first, range.last);
  for (const LsnRange& range : unreadable_) look(range.first, range.last);
  const auto meta = journal_->reader(lsn).next_meta();
  if (!meta.ok() && meta.error().sequence) look(lsn, *meta.error().sequence - 1);
  return last;
}

std::optional<MissingRange> NearStore::missing(StreamId stream, Seq from) const {
  const auto s = current(stream);
  const Seq end = head(stream);
  if (!s || from == 0 || from > end) return std::nullopt;
  GapReason reason = GapReason::kTrimmed;
  Seq to = trimmed(stream);
  if (from > to) {
    const Lsn bad = unreadable_to(s->lsn_of(from));
    if (bad == 0 && chains_.at(*s, from - 1)) return std::nullopt;
    reason = GapReason::kDamaged;
    to = bad == 0 ? from : std::min(s->seq_of(bad), end);
  }
  const auto known = chains_.first_known(*s, to);
  if (!known || *known > end) return std::nullopt;
  return describe(*s, from, *known, reason);
}

MissingRange NearStore::describe(const NearStream& stream, Seq from, Seq to, GapReason reason) const {
  MissingRange out{to, reason};
  SpanContent sum =
      content_of(*journal_, std::max(stream.lsn_of(from), journal_->first_lsn()), stream.lsn_of(to));
  for (const TrimSpan& span : state_->trim_spans()) {
    if (span.last < stream.lsn_of(from) || span.first > stream.lsn_of(to)) continue;
    sum.events += span.events;
    if (span.time_min > span.time_max) continue;
    const bool first = sum.time_min > sum.time_max;
    sum.time_min = first ? span.time_min : std::min(sum.time_min, span.time_min);
    sum.time_max = first ? span.time_max : std::max(sum.time_max, span.time_max);
  }
  out.events = sum.events;
  if (sum.time_min <= sum.time_max) out.time_min = sum.time_min, out.time_max = sum.time_max;
  return out;
}

// ---- durable changes

Status NearStore::set_session(std::uint64_t session) {
  return write(SessionNote{session});
}

Status NearStore::set_confirmed(StreamId stream, Seq confirmed) {
  const auto proven = chain(stream, confirmed);
  if (!find(stream)) return not_known(stream);
  if (!proven)
    return make_error(ErrorCode::kInvalidArgument, "confirmed without a known chain").at_sequence(confirmed);
  return write(ConfirmedNote{stream, confirmed, *proven});
}

Status NearStore::fork(StreamId stream, std::uint32_t generation, Seq base) {
  const auto common = chain(stream, base);
  if (!find(stream)) return not_known(stream);
  if (!common) return make_error(ErrorCode::kInvalidArgument, "fork without a known chain").at_sequence(base);
  return write(NearForkNote{stream, generation, base, *common});
}

Status NearStore::note(const LedgerNote& entry) {
  TG_CHECK(state_->write_ledger(*journal_, {.wall_micros = env_.clock->wall_micros(),
                                            .kind = entry.kind,
                                            .stream = entry.stream,
                                            .from = entry.from,
                                            .to = entry.to,
                                            .text = entry.text}));
  return journal_->sync();
}

Status NearStore::ended(StreamId stream) {
  return drop_stream(stream, "ended");
}

Status NearStore::drop_stream(StreamId stream, const std::string& reason) {
  if (!find(stream)) return not_known(stream);
  packers_.erase(stream);
  return write(StreamDroppedNote{stream, reason});
}

// ---- new streams

Result<Hash128> NearStore::chain_from_start(const Hash128& zero, Lsn first, Lsn last) const {
  Hash128 chain = zero;
  Journal::Reader reader = journal_->reader(first);
  for (Lsn lsn = first; lsn <= last;) {
    TG_TRY(const std::optional<RecordMeta> meta, reader.next_meta());
    if (!meta)
      return make_error(ErrorCode::kInternal, "the journal ends before its durable LSN").at_sequence(lsn);
    for (; lsn <= std::min(last, meta->last_lsn()); ++lsn) {
      chain = chain_next(chain, lsn - first + 1, meta->hashes[meta->skip + (lsn - meta->first_lsn)]);
    }
  }
  return chain;
}

Result<StreamId> NearStore::next_number(const std::string& label) {
  if (options_.give_number) return options_.give_number(label);
  const StreamId next = state_->next_stream();
  if (next == 0xFFFF)
    return make_error(ErrorCode::kRefused,
                      "all stream numbers of this journal are spent: adopt it as a new one");
  return next;
}

Result<StreamId> NearStore::reserve_stream(const std::string& label) {
  TG_TRY(const StreamId number, next_number(label));
  TG_CHECK(write(StreamReservedNote{number, label}));
  return number;
}

Result<StreamCreatedNote> NearStore::prepare(StreamId number, const std::string& label, Lsn first_lsn,
                                             Lsn end_lsn) {
  StreamCreatedNote note;
  note.stream = number;
  note.label = label;
  note.first_lsn = first_lsn;
  note.end_lsn = end_lsn;
  note.chain_zero = note.chain =
      chain_zero(options_.link_of ? options_.link_of(label) : journal_->id(), number);
  if (first_lsn == 0) return note;
  TG_CHECK(journal_->sync());
  note.as_of = end_lsn == 0 ? journal_->durable_lsn() : std::min(end_lsn, journal_->durable_lsn());
  TG_TRY(note.chain, chain_from_start(note.chain_zero, first_lsn, note.as_of));
  return note;
}

Result<StreamId> NearStore::create_stream(const std::string& label, Lsn first_lsn, Lsn end_lsn) {
  if (label.size() > kMaxNoteText) return make_error(ErrorCode::kTooLarge, "the label of a stream");
  if (end_lsn != 0 && (first_lsn == 0 || end_lsn < first_lsn)) {
    return make_error(ErrorCode::kInvalidArgument, "a stream that ends before it begins");
  }
  if (first_lsn != 0 && first_lsn < journal_->first_lsn()) {
    return make_error(ErrorCode::kTrimmed,
                      "the oldest LSN retained is " + std::to_string(journal_->first_lsn()))
        .at_sequence(first_lsn);
  }
  TG_TRY(const StreamId number, next_number(label));
  // A source may append so much between reading and writing that the note is without effect: then once more.
  for (int attempt = 0; attempt < 16; ++attempt) {
    TG_TRY(const StreamCreatedNote note, prepare(number, label, first_lsn, end_lsn));
    TG_CHECK(write(note));
    if (find(note.stream) != nullptr) return note.stream;
  }
  return make_error(ErrorCode::kBusy, "the journal grows faster than its history can be numbered");
}

Status NearStore::maintain() {
  for (const auto& [id, stream] : published_) {
    const auto now = state_->near_stream(id);
    if (!now || !now->chain_known) continue;
    Marked& marked = marked_[id];
    const bool idle = now->head == marked.head;
    marked.head = now->head;
    if (now->head == marked.mark || (!idle && now->head < marked.mark + kMarkEvery)) continue;
    TG_CHECK(journal_->append_note(static_cast<std::uint8_t>(NoteType::kChainMark),
                                   encode_note(ChainMarkNote{id, now->head, now->chain})));
    marked.mark = now->head;
  }
  return {};
}

}  // namespace tidegate
