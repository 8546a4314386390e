// SPDX-License-Identifier: Apache-2.0
// NearStore: what SenderLink reads and changes, over a journal and its StreamState; and when this journal may
// be trimmed.
//
// Every change is a note and a sync; the link's queries give a change only when its sync has succeeded. Data
// that is not confirmed is never trimmed here: a full journal blocks its producers. Thread rules: one thread
// (the link's). Sources append to the journal from any other.
#pragma once

#include <functional>
#include <set>

#include "pipe/stream/frame_packer.h"
#include "pipe/stream/near_chains.h"
#include "pipe/stream/retention.h"
#include "protocol/native/sender_store.h"

namespace tidegate {

struct NearStoreOptions {
  Id sender_id;
  PackOptions pack;
  RetentionPolicy retention;
  std::function<bool(StreamId)> gap_allowed = [](StreamId) { return false; };  // policy on_gap: declare
  // The journal id that the link of a label's streams shows: it stands in their chain(0). Empty: this
  // journal's.
  std::function<Id(const std::string& label)> link_of = {};
  // Of an outbox: its streams are carried by the links of another journal, which gives out their numbers
  // (reserve_stream() there). Empty: this journal does.
  std::function<Result<StreamId>(const std::string& label)> give_number = {};
};

class NearStore final : public SenderStore {
 public:
  // Both must outlive the store; the journal was opened with this state.
  NearStore(Env env, Journal* journal, StreamState* state, NearStoreOptions options);

  // Once after open, before the link starts: damage goes to the ledger; a stream whose chain cannot be taken
  // up again is closed where its chain ends, and a new one with its label goes on behind the damage
  // (doc/stream_state.md).
  Status recover();

  // A new stream: numbers every batch from first_lsn (0: the next one appended) to end_lsn (0: no end).
  // Durable. A first LSN of the past must be retained. kTrimmed, kDamaged where its content cannot be read.
  Result<StreamId> create_stream(const std::string& label, Lsn first_lsn, Lsn end_lsn = 0);
  // The stream of this label that has no end; where there is none (the first start, or its creation was lost
  // by damage) a new one that goes on behind the last of this label, or from the oldest batch on. What lies
  // between and cannot be read is left out; what can, gets a stream of its own.
  Result<StreamId> ensure_stream(const std::string& label);
  // A number for a stream of another journal that links of this one carry. Durable, never given again.
  Result<StreamId> reserve_stream(const std::string& label);
  // Its number is spent; it pins nothing any more. kNotFound.
  Status drop_stream(StreamId stream, const std::string& reason);
  std::optional<NearStream> info(StreamId stream) const;  // as published; head as appended

  // Chain marks where the last one is kMarkEvery batches or more behind; not synced. Call it about once a
  // second, when idle too: it bounds what damage of the newest segment can cost.
  Status maintain();

  // What may go now, and letting it go. Returns the bytes freed.
  Result<Lsn> releasable_lsn(std::int64_t now_wall_micros) const {
    return tidegate::releasable_lsn(*journal_, *state_, options_.retention, now_wall_micros);
  }
  Result<std::uint64_t> apply_retention(std::int64_t now_wall_micros) {
    return tidegate::apply_retention(*journal_, *state_, options_.retention, now_wall_micros);
  }

  // ---- SenderStore
  Id sender_id() const override { return options_.sender_id; }
  Id journal_id() const override { return journal_->id(); }
  std::uint64_t session() const override { return session_; }
  Status set_session(std::uint64_t session) override;
  std::vector<StreamId> streams() const override;
  std::string label(StreamId stream) const override;
  Seq head(StreamId stream) const override;
  Seq trimmed(StreamId stream) const override;
  Seq confirmed(StreamId stream) const override;
  Seq base(StreamId stream) const override;
  std::uint32_t generation(StreamId stream) const override;
  std::optional<Hash128> chain(StreamId stream, Seq n) const override;
  Result<OutgoingBatches> load(StreamId stream, Seq from, Seq last, std::size_t max_body) override;
  std::optional<MissingRange> missing(StreamId stream, Seq from) const override;
  bool gap_allowed(StreamId stream) const override { return options_.gap_allowed(stream); }
  Status set_confirmed(StreamId stream, Seq confirmed) override;
  Status fork(StreamId stream, std::uint32_t generation, Seq base) override;
  Status note(const LedgerNote& entry) override;
  Status ended(StreamId stream) override;

 private:
  template <class N>
  Status write(const N& note) {
    TG_CHECK(journal_->append_note(static_cast<std::uint8_t>(N::kType), encode_note(note)));
    TG_CHECK(journal_->sync());
    publish();
    return {};
  }
  void publish();
  const NearStream* find(StreamId stream) const;
  // The published stream with the head as it is now.
  std::optional<NearStream> current(StreamId stream) const;
  Result<StreamId> next_number(const std::string& label);
  Result<StreamCreatedNote> prepare(StreamId number, const std::string& label, Lsn first_lsn, Lsn end_lsn);
  Result<Hash128> chain_from_start(const Hash128& zero, Lsn first, Lsn last) const;
  Lsn unreadable_to(Lsn lsn) const;  // last LSN of what cannot be read at `lsn`; 0: it can be read
  Status note_damage(const DamagedRange& range);
  Status replace_lost(const NearStream& lost);
  Status tell_replaced(const NearStream& lost, const LsnRange& damage, StreamId heir);
  MissingRange describe(const NearStream& stream, Seq from, Seq to, GapReason reason) const;
  Error not_known(StreamId stream) const;

  Env env_;
  Journal* journal_;
  StreamState* state_;
  NearStoreOptions options_;
  std::uint64_t session_ = 0;
  std::map<StreamId, NearStream> published_;
  mutable NearChains chains_;
  std::map<StreamId, FramePacker> packers_;
  struct Marked {
    Seq mark = 0;  // the last one written
    Seq head = 0;  // as the last maintain() saw it
  };
  std::map<StreamId, Marked> marked_;
  std::vector<LsnRange> unreadable_;  // found when loading, beside those that the journal knows
};

}  // namespace tidegate
