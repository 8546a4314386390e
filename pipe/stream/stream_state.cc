// SPDX-License-Identifier: Apache-2.0
#include "pipe/stream/stream_state.h"

namespace tidegate {
namespace {

using stream_codec::GetFields;
using stream_codec::PutFields;

Error bad_checkpoint(std::string what) {
  return make_error(ErrorCode::kMalformed, "the checkpoint of the streams and positions " + std::move(what));
}

}  // namespace

// ---- checkpoint

Bytes StreamState::checkpoint() {
  const std::lock_guard lock(mutex_);
  Bytes out{kCheckpointVersion};
  PutFields put(out);
  parts_.near.save(put);
  parts_.far.save(put);
  put(static_cast<std::uint32_t>(parts_.pipes.size()));
  for (const auto& [name, position] : parts_.pipes) put(name), put(position.lsn), put(position.state);
  parts_.ledger.save(put);
  parts_.requests.save(put);
  return out;
}

Status StreamState::restore(ByteView checkpoint) {
  Parts parts;
  if (!checkpoint.empty()) {
    if (checkpoint[0] != kCheckpointVersion) {
      return make_error(ErrorCode::kUnsupported, "a checkpoint of version " + std::to_string(checkpoint[0]) +
                                                     ", this program reads version " +
                                                     std::to_string(kCheckpointVersion));
    }
    GetFields get(checkpoint.subspan(1), kMaxPipeState);
    parts.near.load(get);
    parts.far.load(get);
    const std::uint32_t pipes = get.count(4 + 8 + 4);
    for (std::uint32_t i = 0; i < pipes && get.ok(); ++i) {
      std::string name;
      PipePosition position;
      get(name), get(position.lsn), get(position.state);
      parts.pipes[name] = std::move(position);
    }
    parts.ledger.load(get);
    parts.requests.load(get);
    if (!get.finished()) return bad_checkpoint("ends too early or has bytes left over");
  }
  const std::lock_guard lock(mutex_);
  parts_ = std::move(parts);
  return {};
}

Result<CheckpointSummary> summarize_checkpoint(ByteView checkpoint) {
  CheckpointSummary out;
  if (checkpoint.empty()) return out;
  if (checkpoint[0] != kCheckpointVersion) return bad_checkpoint("has another version");
  GetFields get(checkpoint.subspan(1), kMaxPipeState);
  NearFold near;
  FarFold far;
  near.load(get);
  far.load(get);
  if (!get.ok()) return bad_checkpoint("ends too early");
  out.head_lsn = near.head_lsn();
  for (const NearStream& s : near.streams()) {
    out.near[s.id] = {s.head, s.chain_known ? std::optional(s.chain) : std::nullopt, near.marks(s.id)};
  }
  for (const auto& [journal, id] : far.streams()) {
    const FarPosition now = far.stream(journal, id)->now;
    out.far[{journal, id}] = {now.generation, now.position};
  }
  return out;
}

// ---- the fold

void StreamState::on_batches(const RecordMeta& meta) {
  const std::lock_guard lock(mutex_);
  if (meta.count == 0 || meta.last_lsn() <= parts_.near.head_lsn()) return;  // folded before
  const Lsn expected = parts_.near.head_lsn() + 1;
  if (meta.first_lsn > expected) parts_.near.on_damage(expected, meta.first_lsn - 1);
  parts_.near.on_batches(meta);
  parts_.far.on_batches(meta);
  parts_.ledger.count(meta);
}

void StreamState::on_damage(Lsn first, Lsn last) {
  const std::lock_guard lock(mutex_);
  const Lsn head = parts_.near.head_lsn();
  if (last <= head) return parts_.near.note_damage(first, last);
  parts_.near.on_damage(first, last);
}

void StreamState::on_durable(Lsn durable) {
  const std::lock_guard lock(mutex_);
  if (replaying_) {
    parts_.far.all_durable();  // what was read back has been synced again
    replaying_ = false;
  } else {
    parts_.far.durable_to(durable);
  }
}

template <class N, class F>
void StreamState::fold(ByteView body, F apply) {
  if (const auto note = decode_note<N>(body)) return apply(*note);
  ++unreadable_notes_;
}

void StreamState::on_note(std::uint8_t type, ByteView body) {
  const std::lock_guard lock(mutex_);
  const auto kind = static_cast<NoteType>(type);
  auto& pipes = parts_.pipes;
  switch (kind) {
    case NoteType::kPipePosition:
      return fold<PipePositionNote>(body, [&](const auto& n) { pipes[n.name] = {n.lsn, n.state}; });
    case NoteType::kPipeDropped:
      return fold<PipeDroppedNote>(body, [&](const auto& n) { pipes.erase(n.name); });
    case NoteType::kLedger:
      return fold<LedgerEntry>(body, [&](const auto& n) { parts_.ledger.add(n); });
    default:
      break;
  }
  if (kind >= NoteType::kFarSession) {
    on_far_note(kind, body);
  } else {
    on_near_note(kind, body);
  }
}

void StreamState::on_near_note(NoteType type, ByteView body) {
  const auto apply = [&](const auto& note) { parts_.near.apply(note); };
  switch (type) {
    case NoteType::kSession:
      return fold<SessionNote>(body, apply);
    case NoteType::kStreamCreated:
      return fold<StreamCreatedNote>(body, apply);
    case NoteType::kStreamReserved:
      return fold<StreamReservedNote>(body, apply);
    case NoteType::kStreamDropped:
      return fold<StreamDroppedNote>(body, apply);
    case NoteType::kStreamClosed:
      return fold<StreamClosedNote>(body, apply);
    case NoteType::kConfirmed:
      return fold<ConfirmedNote>(body, apply);
    case NoteType::kNearFork:
      return fold<NearForkNote>(body, apply);
    case NoteType::kChainMark:
      return fold<ChainMarkNote>(body, apply);
    case NoteType::kRequestMarks:
      return fold<RequestMarksNote>(body, [&](const auto& n) { parts_.requests.apply(n); });
    case NoteType::kTrimSpan:
      return fold<TrimSpan>(body, apply);
    default:
      ++unreadable_notes_;
  }
}

void StreamState::on_far_note(NoteType type, ByteView body) {
  const auto apply = [&](const auto& note) { parts_.far.apply(note, parts_.near.head_lsn()); };
  switch (type) {
    case NoteType::kFarSession:
      return fold<FarSessionNote>(body, apply);
    case NoteType::kFarStreamOpen:
      return fold<FarStreamOpenNote>(body, apply);
    case NoteType::kFarFork:
      return fold<FarForkNote>(body, apply);
    case NoteType::kFarGap:
      return fold<FarGapNote>(body, apply);
    case NoteType::kFarEnd:
      return fold<FarEndNote>(body, apply);
    case NoteType::kFarChains:
      return fold<FarChainsNote>(body, apply);
    case NoteType::kFarApprove:
      return fold<FarApproveNote>(body, apply);
    default:
      ++unreadable_notes_;
  }
}

// ---- queries

#define TG_LOCKED(expression)         \
  const std::lock_guard lock(mutex_); \
  return expression

Lsn StreamState::head_lsn() const {
  TG_LOCKED(parts_.near.head_lsn());
}
std::uint64_t StreamState::session() const {
  TG_LOCKED(parts_.near.session());
}
StreamId StreamState::next_stream() const {
  TG_LOCKED(parts_.near.next_stream());
}
std::vector<NearStream> StreamState::near_streams() const {
  TG_LOCKED(parts_.near.streams());
}
std::optional<NearStream> StreamState::near_stream(StreamId id) const {
  TG_LOCKED(parts_.near.stream(id));
}
std::map<Seq, Hash128> StreamState::near_marks(StreamId id) const {
  TG_LOCKED(parts_.near.marks(id));
}
std::vector<TrimSpan> StreamState::trim_spans() const {
  TG_LOCKED(parts_.near.trimmed());
}
std::vector<LsnRange> StreamState::damaged() const {
  TG_LOCKED(parts_.near.damaged());
}

std::uint64_t StreamState::changes() const {
  TG_LOCKED(parts_.far.changes());
}
void StreamState::synced_to(std::uint64_t change) {
  TG_LOCKED(parts_.far.synced_to(change));
}
std::optional<FarJournal> StreamState::far_journal(const Id& journal) const {
  TG_LOCKED(parts_.far.journal(journal));
}
std::optional<Id> StreamState::journal_of_sender(const Id& sender) const {
  TG_LOCKED(parts_.far.journal_of_sender(sender));
}
bool StreamState::approved(const Id& sender, const Id& journal) const {
  TG_LOCKED(parts_.far.approved(sender, journal));
}
std::vector<std::pair<Id, StreamId>> StreamState::far_streams() const {
  TG_LOCKED(parts_.far.streams());
}
std::string StreamState::far_label(const Id& journal) const {
  TG_LOCKED(parts_.far.label(journal));
}
std::optional<FarStreamView> StreamState::far_stream(const Id& journal, StreamId id) const {
  TG_LOCKED(parts_.far.stream(journal, id));
}
std::optional<Hash128> StreamState::far_chain(const Id& journal, StreamId id, Seq n) const {
  TG_LOCKED(parts_.far.chain(journal, id, n));
}
std::vector<std::variant<FarForkNote, FarGapNote>> StreamState::owed_events() const {
  TG_LOCKED(parts_.far.owed_events());
}
Seq StreamState::far_kept_to(const Id& journal, StreamId id) const {
  TG_LOCKED(parts_.far.kept_to(journal, id));
}

std::vector<Hash128> StreamState::request_marks(bool stale) const {
  const std::lock_guard lock(mutex_);
  return parts_.requests.list(parts_.near.head_lsn(), stale);
}

std::map<std::string, PipePosition> StreamState::pipe_positions() const {
  TG_LOCKED(parts_.pipes);
}
std::optional<PipePosition> StreamState::pipe_position(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  const auto it = parts_.pipes.find(name);
  if (it == parts_.pipes.end()) return std::nullopt;
  return it->second;
}

std::vector<LedgerEntry> StreamState::ledger_recent() const {
  TG_LOCKED(parts_.ledger.recent());
}
std::map<std::string, std::uint64_t> StreamState::ledger_counters() const {
  TG_LOCKED(parts_.ledger.counters());
}
std::vector<HourCount> StreamState::ledger_hours() const {
  TG_LOCKED(parts_.ledger.hours());
}
std::uint64_t StreamState::unreadable_notes() const {
  TG_LOCKED(unreadable_notes_);
}

#undef TG_LOCKED

Status StreamState::write_ledger(Journal& journal, LedgerEntry entry) {
  const std::lock_guard one_writer(ledger_mutex_);
  {
    const std::lock_guard lock(mutex_);
    entry.number = parts_.ledger.last_number() + 1;
  }
  if (entry.text.size() > kMaxLedgerText) entry.text.resize(kMaxLedgerText);
  return journal.append_note(static_cast<std::uint8_t>(NoteType::kLedger), encode_note(entry));
}

}  // namespace tidegate
