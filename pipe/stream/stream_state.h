// SPDX-License-Identifier: Apache-2.0
// StreamState: the state that a journal carries for the link and the pipes, folded over its records and
// notes. One class for both daemons; checkpoint and notes: doc/stream_state.md.
//
//   near  : this journal's own streams: numbers, chains, confirmed, generation, session (near_fold.h)
//   far   : per sender's journal and stream: generation, base, position, chains, gaps, orphaned branches
//   (far_fold.h) pipes : durable positions of local pipes ledger: gaps, forks, damage, counts (ledger.h)
//
// Thread rules: any thread; one mutex, below the journal's (the fold is called under the journal's mutex, so
// nothing here calls the journal). Every query gives a copy. Whoever makes a change appends a note; there is
// no other way to change it.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "pipe/journal/journal.h"
#include "pipe/stream/far_fold.h"
#include "pipe/stream/ledger.h"
#include "pipe/stream/near_fold.h"
#include "pipe/stream/request_marks.h"

namespace tidegate {

constexpr std::uint8_t kCheckpointVersion = 1;

struct PipePosition {
  Lsn lsn = 0;  // everything up to it is delivered
  Bytes state;  // the connector's own, opaque
  bool operator==(const PipePosition&) const = default;
};

// What a checkpoint says of where things stood: for finding a chain in the journal.
struct CheckpointSummary {
  struct Near {
    Seq head = 0;
    std::optional<Hash128> chain;
    std::map<Seq, Hash128> marks;
  };
  struct Far {
    std::uint32_t generation = 0;
    Seq position = 0;
  };
  Lsn head_lsn = 0;
  std::map<StreamId, Near> near;
  std::map<std::pair<Id, StreamId>, Far> far;
};
Result<CheckpointSummary> summarize_checkpoint(ByteView checkpoint);

class StreamState final : public JournalState {
 public:
  Bytes checkpoint() override;
  Status restore(ByteView checkpoint) override;
  void on_batches(const RecordMeta& meta) override;
  void on_note(std::uint8_t type, ByteView body) override;
  void on_damage(Lsn first, Lsn last) override;
  void on_durable(Lsn durable) override;

  Lsn head_lsn() const;

  // ---- near
  std::uint64_t session() const;
  StreamId next_stream() const;
  std::vector<NearStream> near_streams() const;
  std::optional<NearStream> near_stream(StreamId id) const;
  std::map<Seq, Hash128> near_marks(StreamId id) const;
  std::vector<TrimSpan> trim_spans() const;
  std::vector<LsnRange> damaged() const;

  // ---- far: journal and stream_position are durable; the others as FarFold says
  std::uint64_t changes() const;
  void synced_to(std::uint64_t change);
  std::optional<FarJournal> far_journal(const Id& journal) const;
  std::optional<Id> journal_of_sender(const Id& sender) const;
  bool approved(const Id& sender, const Id& journal) const;
  std::vector<std::pair<Id, StreamId>> far_streams() const;
  std::string far_label(const Id& journal) const;
  std::optional<FarStreamView> far_stream(const Id& journal, StreamId id) const;
  std::optional<Hash128> far_chain(const Id& journal, StreamId id, Seq n) const;
  std::vector<std::variant<FarForkNote, FarGapNote>> owed_events() const;
  Seq far_kept_to(const Id& journal, StreamId id) const;

  // Parts of requests that a producer may send again (request_marks.h).
  std::vector<Hash128> request_marks(bool stale = false) const;

  // ---- pipes
  std::map<std::string, PipePosition> pipe_positions() const;
  std::optional<PipePosition> pipe_position(const std::string& name) const;

  // ---- ledger
  std::vector<LedgerEntry> ledger_recent() const;
  std::map<std::string, std::uint64_t> ledger_counters() const;
  std::vector<HourCount> ledger_hours() const;
  // Appends an entry as a note (not synced); number and text length are seen to. One writer at a time.
  Status write_ledger(Journal& journal, LedgerEntry entry);

  // Notes that could not be read or are of a later version. More than 0 belongs in the status page.
  std::uint64_t unreadable_notes() const;

 private:
  struct Parts {
    NearFold near;
    FarFold far;
    std::map<std::string, PipePosition> pipes;
    Ledger ledger;
    RequestMarks requests;
  };
  template <class N, class F>
  void fold(ByteView body, F apply);
  void on_near_note(NoteType type, ByteView body);
  void on_far_note(NoteType type, ByteView body);

  mutable std::mutex mutex_;
  std::mutex ledger_mutex_;  // above the journal's mutex
  Parts parts_;
  bool replaying_ = true;  // until the first on_durable
  std::uint64_t unreadable_notes_ = 0;
};

}  // namespace tidegate
