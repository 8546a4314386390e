// SPDX-License-Identifier: Apache-2.0
#include "pipe/stream/far_store.h"

#include <algorithm>

#include "protocol/native/planted.h"

namespace tidegate {
namespace {

constexpr std::uint8_t kDeclaredGap = 128;  // LINK.md: an event made from a gap frame says reason + 128

Error not_next(ErrorCode code, const StoreBatches& request, const FarPosition& now) {
  return make_error(code,
                    "batches " + std::to_string(request.first_seq) + " to " +
                        std::to_string(request.first_seq + request.hashes.size() - 1) + " (skip " +
                        std::to_string(request.skip) + ", generation " + std::to_string(request.generation) +
                        ") of stream " + std::to_string(request.stream) + ", which stands at " +
                        std::to_string(now.position) + " in generation " + std::to_string(now.generation))
      .from_peer(request.journal.hex());
}

}  // namespace

FarStore::FarStore(Env env, Journal* journal, StreamState* state, FarStoreOptions options)
    : env_(env), journal_(journal), state_(state), options_(std::move(options)), chains_(journal, state) {
  options_.own_ids.push_back(journal_->id());
  options_.own_ids.push_back(options_.receiver_id);
}

// ---- queries

bool FarStore::accept_journal(const Id& sender, const Id& journal, bool silent) const {
  if (state_->approved(sender, journal)) return true;
  return state_->journal_of_sender(sender) ? options_.accept_new_journals && silent
                                           : options_.accept_new_senders;
}

FarStream FarStore::stream(const Id& journal, StreamId stream) const {
  const auto view = state_->far_stream(journal, stream);
  if (!view || view->durable.generation == 0) return {0, 0, 0, chain_zero(journal, stream)};
  return {view->durable.generation, view->durable.base, view->durable.position, view->durable.chain};
}

std::optional<Hash128> FarStore::chain(const Id& journal, StreamId stream, Seq n) const {
  if (n == 0) return chain_zero(journal, stream);
  const auto view = state_->far_stream(journal, stream);
  if (!view || n > view->durable.position) return std::nullopt;
  if (n == view->durable.position) return view->durable.chain;
  if (n == view->durable.base) return view->durable.base_chain;
  if (n > view->now.position) return std::nullopt;  // a fork below it is on its way to the disk
  if (const auto recent = state_->far_chain(journal, stream, n)) return recent;
  return chains_.at(journal, stream, n);
}

std::uint64_t FarStore::room_bytes() const {
  const JournalSpace space = journal_->space();
  if (space.quota == 0) return space.disk.free;
  return std::min(space.disk.free, space.quota > space.used ? space.quota - space.used : 0);
}

Status FarStore::check_content(const BatchFrame& batch, std::uint32_t skip) {
  TG_TRY(const DecodedContainer decoded,
         decode_container(batch.codec, batch.decoded_size, batch.container, options_.decode_limit));
  if (decoded.batches.size() != batch.hashes.size()) {
    return make_error(ErrorCode::kMalformed, std::to_string(decoded.batches.size()) +
                                                 " batches in the container, " +
                                                 std::to_string(batch.hashes.size()) + " hashes declared")
        .at_sequence(batch.first_seq);
  }
  FrameFigures figures;
  for (std::size_t i = skip; i < batch.hashes.size(); ++i) {
    if (xxh3_128(decoded.batches[i]) != batch.hashes[i])
      return make_error(ErrorCode::kChecksum,
                        "the content of a batch does not match the hash declared for it")
          .at_sequence(batch.first_seq + i);
    // For display only: what cannot be summarised counts as nothing, and is stored like the rest.
    if (const auto summary = summarize(decoded.batches[i]); summary.ok()) figures.add(*summary);
  }
  if (figures_.size() >= kMostFigures) figures_.clear();
  figures_[batch.hashes.back()] = figures;
  return {};
}

void FarStore::FrameFigures::add(const BatchSummary& summary) {
  events += summary.events;
  values += summary.values;
  if (summary.kind != EventKind::kRows) return;
  time_min = std::min(time_min, to_nanos(summary.time_min, summary.unit));
  time_max = std::max(time_max, to_nanos(summary.time_max, summary.unit));
}

bool FarStore::is_loop(const RecordMeta& meta) const {
  return std::any_of(meta.hops.begin(), meta.hops.end(), [&](const Id& hop) {
    return std::find(options_.own_ids.begin(), options_.own_ids.end(), hop) != options_.own_ids.end();
  });
}

// ---- storing

template <class N>
Status FarStore::append_note(const N& note) {
  return journal_->append_note(static_cast<std::uint8_t>(N::kType), encode_note(note));
}

Status FarStore::ledger(const char* kind, const Id& journal, StreamId stream, Seq from, Seq to,
                        std::uint64_t amount, std::string text) {
  return state_->write_ledger(*journal_, {.wall_micros = env_.clock->wall_micros(),
                                          .kind = kind,
                                          .journal = journal,
                                          .stream = stream,
                                          .from = from,
                                          .to = to,
                                          .amount = amount,
                                          .text = std::move(text)});
}

Status FarStore::append(const StoreRequest& request) {
  return std::visit([this](const auto& r) { return store(r); }, request);
}

Status FarStore::sync() {
  const std::uint64_t synced = mark();
  TG_CHECK(journal_->sync());
  on_synced(synced);
  return {};
}

Status FarStore::store(const StoreSession& request) {
  return append_note(
      FarSessionNote{request.sender, request.journal, request.session, request.nonce, request.label});
}

Status FarStore::store(const StoreStreamOpen& request) {
  if (!request.fork) {
    return append_note(FarStreamOpenNote{request.journal, request.stream, request.generation, request.base,
                                         request.base_chain, request.label});
  }
  const FarForkNote fork{request.journal, request.stream,     request.generation,
                         request.base,    request.base_chain, request.old_last};
  TG_CHECK(write_all_owed());
  TG_CHECK(append_note(fork));
  return follow_up(tell(fork));
}

Status FarStore::store(const StoreBatches& request) {
  const auto view = state_->far_stream(request.journal, request.stream);
  const FarPosition now = view ? view->now : FarPosition{};
  if (request.skip >= request.hashes.size() || request.generation != now.generation ||
      request.first_seq + request.skip != now.position + 1) {
    return not_next(ErrorCode::kNotContiguous, request, now);
  }
  Hash128 chain = request.previous_chain;
  for (std::uint32_t i = 0; i < request.skip; ++i)
    chain = chain_next(chain, request.first_seq + i, request.hashes[i]);
  if (chain != now.chain && !planted(Planted::kNoChainCheck))
    return not_next(ErrorCode::kDiverged, request, now);
  RecordMeta meta;
  meta.count = static_cast<std::uint32_t>(request.hashes.size() - request.skip);
  meta.skip = request.skip;
  meta.origin =
      Origin{request.journal, request.generation, request.stream, request.first_seq, request.previous_chain};
  meta.hops = request.hops;
  meta.codec = request.codec;
  meta.decoded_size = request.decoded_size;
  meta.hashes = request.hashes;
  if (const auto figures = figures_.extract(request.hashes.back())) {
    meta.events = figures.mapped().events;
    meta.values = figures.mapped().values;
    meta.time_min = figures.mapped().time_min;
    meta.time_max = figures.mapped().time_max;
  }
  const bool loop = is_loop(meta);
  const std::uint32_t count = meta.count;
  TG_CHECK(write_all_owed());  // a full disk may have kept it back: sinks read it in front of what follows
  TG_TRY([[maybe_unused]] const Lsn lsn, journal_->append(std::move(meta), request.container));
  if (loop) loops_ += count;
  return {};
}

Status FarStore::store(const StoreGap& request) {
  const GapFrame& gap = request.gap;
  const FarGapNote note{
      request.journal, request.stream, request.generation, gap.from,     gap.to,      request.position_before,
      gap.chain_after, gap.reason,     gap.events,         gap.time_min, gap.time_max};
  const auto view = state_->far_stream(request.journal, request.stream);
  if (!view || view->now.position >= gap.to || view->now.position + 1 < gap.from || gap.from == 0) {
    return make_error(ErrorCode::kNotContiguous, "a gap " + std::to_string(gap.from) + " to " +
                                                     std::to_string(gap.to) +
                                                     " that does not follow what is there");
  }
  TG_CHECK(write_all_owed());
  TG_CHECK(append_note(note));
  return follow_up(tell(note));
}

Status FarStore::store(const StoreEnd& request) {
  TG_CHECK(write_all_owed());
  return append_note(FarEndNote{request.journal, request.stream, request.reason});
}

// ---- forks and gaps in the ledger

Status FarStore::tell(const FarForkNote& fork) {
  return ledger(
      ledger_kind::kFork, fork.journal, fork.stream, fork.base + 1, fork.old_last, 1,
      fork.old_last > fork.base
          ? "the stream goes on at its base with other content; the branch named here stays and is orphaned"
          : "the stream goes on in a new generation; nothing was orphaned");
}

Status FarStore::tell(const FarGapNote& gap) {
  if (planted(Planted::kGapWithoutLedger)) return {};
  std::string text = "missing " + std::to_string(gap.position_before + 1) + " to " + std::to_string(gap.to);
  if (gap.from <= gap.position_before) {
    text += "; not compared " + std::to_string(gap.from) + " to " + std::to_string(gap.position_before);
  }
  text += "; about " + std::to_string(gap.events) + " events; reason " + std::to_string(gap.reason);
  return ledger(ledger_kind::kGap, gap.journal, gap.stream, gap.from, gap.to, 1, std::move(text));
}

// The entry is written behind the note and in front of the event, so only forks and gaps whose event is owed
// can lack one: a crash or a full disk came between.
Status FarStore::tell_untold() {
  const auto owed_events = state_->owed_events();
  if (owed_events.empty()) return {};
  const std::vector<LedgerEntry> known = state_->ledger_recent();
  const auto told = [&](const char* kind, const auto& note, Seq from, Seq to) {
    return std::any_of(known.begin(), known.end(), [&](const LedgerEntry& entry) {
      return entry.kind == kind && entry.journal == note.journal && entry.stream == note.stream &&
             entry.from == from && entry.to == to;
    });
  };
  for (const auto& owed : owed_events) {
    if (const auto* fork = std::get_if<FarForkNote>(&owed)) {
      if (!told(ledger_kind::kFork, *fork, fork->base + 1, fork->old_last)) TG_CHECK(tell(*fork));
    } else if (const auto* gap = std::get_if<FarGapNote>(&owed)) {
      if (!told(ledger_kind::kGap, *gap, gap->from, gap->to)) TG_CHECK(tell(*gap));
    }
  }
  return {};
}

// ---- events for the sinks

Status FarStore::append_event(const Id& journal, StreamId stream, std::uint32_t generation,
                              const Batch& event) {
  TG_TRY(const Container container, encode_container(Codec::kList, {ByteView(event.canonical)}));
  RecordMeta meta;
  meta.count = 1;
  meta.origin =
      Origin{journal, generation, stream, 0, {}};  // first_seq 0: an event of the stream, not a batch in it
  meta.codec = container.codec;
  meta.decoded_size = container.decoded_size;
  meta.events = event.summary.events;
  meta.hashes = {event.hash};
  TG_TRY([[maybe_unused]] const Lsn lsn, journal_->append(std::move(meta), container.bytes));
  return {};
}

Status FarStore::append_owed(const FarForkNote& fork) {
  const Batch event = make_batch(
      BatchHead{TimeUnit::kSecond, 0, options_.event_source},
      std::vector<ForkEvent>{{fork.journal, fork.stream, fork.generation, fork.base, fork.old_last}});
  return append_event(fork.journal, fork.stream, fork.generation, event);
}

Status FarStore::append_owed(const FarGapNote& gap) {
  const Batch event =
      make_batch(BatchHead{TimeUnit::kNanosecond, 0, options_.event_source},
                 std::vector<GapEvent>{{static_cast<std::uint8_t>(gap.reason + kDeclaredGap), gap.from,
                                        gap.to, gap.events, gap.time_min, gap.time_max}});
  return append_event(gap.journal, gap.stream, gap.generation, event);
}

Status FarStore::write_owed() {
  for (const auto& owed : state_->owed_events()) {
    TG_CHECK(std::visit([this](const auto& note) { return append_owed(note); }, owed));
  }
  return {};
}

// The position stands in the note, which a full journal still takes; entry and event may follow later, in
// this order.
Status FarStore::follow_up(Status told) {
  if (told.ok()) told = write_owed();
  if (!told.ok() && told.error().code == ErrorCode::kNoSpace) return {};
  return told;
}

Status FarStore::write_all_owed() {
  TG_CHECK(tell_untold());
  return write_owed();
}

Status FarStore::recover() {
  TG_CHECK(follow_up(tell_untold()));  // a full journal is no reason not to start: only then can it come free
  for (const DamagedRange& range : journal_->recovery().damaged) {
    if (knows_damage(state_->ledger_recent(), range)) continue;
    TG_CHECK(state_->write_ledger(*journal_, damage_entry(range, env_.clock->wall_micros())));
  }
  return sync();
}

Status FarStore::approve(const Id& sender, const Id& journal) {
  TG_CHECK(append_note(FarApproveNote{sender, journal}));
  return sync();
}

Status FarStore::maintain() {
  TG_CHECK(follow_up(tell_untold()));
  const bool counts = duplicates_ != 0 || loops_ != 0;
  if (duplicates_ != 0) {
    TG_CHECK(ledger(ledger_kind::kDuplicates, {}, 0, 0, 0, duplicates_,
                    "batches that came again with equal content: dropped"));
    duplicates_ = 0;
  }
  if (loops_ != 0) {
    TG_CHECK(ledger(ledger_kind::kLoop, {}, 0, 0, 0, loops_,
                    "batches that have been here before: stored, delivered to nothing"));
    loops_ = 0;
  }
  return counts ? sync() : Status();
}

}  // namespace tidegate
