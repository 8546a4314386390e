// SPDX-License-Identifier: Apache-2.0
// FarStore: what ReceiverLink reads and has stored, over a journal and its StreamState; and when this journal
// may be trimmed.
//
// The host calls append() for each request in order, then sync() once for many, then tells the link. Queries
// speak of what is synced. A request that fails leaves nothing behind; those after it fail too when they
// build on it. Thread rules: append, sync's mark, on_synced and the queries from one thread (the link's).
// journal->sync() itself may run elsewhere: mark() before it, on_synced(mark) after it.
#pragma once

#include <set>

#include "pipe/stream/far_chains.h"
#include "pipe/stream/retention.h"
#include "protocol/native/receiver_store.h"

namespace tidegate {

struct FarStoreOptions {
  Id receiver_id;
  std::vector<Id>
      own_ids;  // beside the journal's and the receiver's: a batch with one among its hops has been here
  std::uint64_t decode_limit = 64ULL << 20;
  bool accept_new_senders = true;    // a sender id never seen
  bool accept_new_journals = false;  // a new journal of a known sender, when the old one is silent
  RetentionPolicy retention;
  std::string event_source = "tidegate";  // source of the gap and fork events made here
};

class FarStore final : public ReceiverStore {
 public:
  // Both must outlive the store; the journal was opened with this state.
  FarStore(Env env, Journal* journal, StreamState* state, FarStoreOptions options);

  // Once after open, before the link starts: writes the events of forks and gaps that a crash came before,
  // ledgers damage.
  Status recover();

  // kNotContiguous, kDiverged: not the next of the stream (nothing was written); kNoSpace, kPoisoned as the
  // journal says.
  Status append(const StoreRequest& request);
  std::uint64_t mark() const { return state_->changes(); }
  void on_synced(std::uint64_t mark) { state_->synced_to(mark); }
  Status sync();  // mark, journal sync, on_synced

  // An operator lets a journal speak for a sender that another one spoke for. Durable.
  Status approve(const Id& sender, const Id& journal);
  // Batches that the link answered without storing them: already there. Written to the ledger by maintain().
  void count_duplicates(std::uint64_t batches) { duplicates_ += batches; }
  // Writes what was counted to the ledger, and events that found no room; call it about once a minute.
  Status maintain();

  // Has the batch been here before (LINK.md R14)? Pipes deliver such records to nothing.
  bool is_loop(const RecordMeta& meta) const;

  Result<Lsn> releasable_lsn(std::int64_t now_wall_micros) const {
    return tidegate::releasable_lsn(*journal_, *state_, options_.retention, now_wall_micros);
  }
  Result<std::uint64_t> apply_retention(std::int64_t now_wall_micros) {
    return tidegate::apply_retention(*journal_, *state_, options_.retention, now_wall_micros);
  }

  // ---- ReceiverStore
  Id receiver_id() const override { return options_.receiver_id; }
  std::optional<FarJournal> journal(const Id& journal) const override { return state_->far_journal(journal); }
  std::optional<Id> journal_of_sender(const Id& sender) const override {
    return state_->journal_of_sender(sender);
  }
  bool accept_journal(const Id& sender, const Id& journal, bool silent) const override;
  FarStream stream(const Id& journal, StreamId stream) const override;
  std::optional<Hash128> chain(const Id& journal, StreamId stream, Seq n) const override;
  std::uint64_t room_bytes() const override;
  Status check_content(const BatchFrame& batch, std::uint32_t skip) override;

 private:
  template <class N>
  Status append_note(const N& note);
  Status store(const StoreSession& request);
  Status store(const StoreStreamOpen& request);
  Status store(const StoreBatches& request);
  Status store(const StoreGap& request);
  Status store(const StoreEnd& request);
  Status append_event(const Id& journal, StreamId stream, std::uint32_t generation, const Batch& event);
  Status tell(const FarForkNote& fork);  // to the ledger
  Status tell(const FarGapNote& gap);
  Status tell_untold();
  Status write_owed();
  Status write_all_owed();
  Status follow_up(Status told);
  Status append_owed(const FarForkNote& fork);
  Status append_owed(const FarGapNote& gap);
  Status ledger(const char* kind, const Id& journal, StreamId stream, Seq from, Seq to, std::uint64_t amount,
                std::string text);

  Env env_;
  Journal* journal_;
  StreamState* state_;
  FarStoreOptions options_;
  // Of frames that were checked and not yet stored, by the last hash: what their envelopes will say.
  struct FrameFigures {
    std::uint64_t events = 0, values = 0;
    std::int64_t time_min = std::numeric_limits<std::int64_t>::max();
    std::int64_t time_max = std::numeric_limits<std::int64_t>::min();
    void add(const BatchSummary& summary);
  };
  static constexpr std::size_t kMostFigures = 256;

  std::map<Hash128, FrameFigures> figures_;
  mutable FarChains chains_;
  std::uint64_t duplicates_ = 0;
  std::uint64_t loops_ = 0;
};

}  // namespace tidegate
