// SPDX-License-Identifier: Apache-2.0
// The receiving side of the fold: where each stream of each sender's journal stands in this journal. Pure;
// StreamState locks it.
//
// Each stream has two positions: `now` (appended) and `durable` (synced); what is said on the wire speaks of
// the second. A change moves `durable` when a later LSN is known to be durable, or when synced_to() names its
// number or a later one.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "pipe/stream/chain_runs.h"
#include "pipe/stream/notes.h"
#include "protocol/native/receiver_store.h"

namespace tidegate {

constexpr std::size_t kMaxStreamEvents = 64;  // gaps and orphaned branches remembered per stream: the latest

struct FarPosition {
  std::uint32_t generation = 0;
  Seq base = 0;
  Hash128 base_chain;
  Seq position = 0;
  Hash128 chain;
  static constexpr auto fields() {
    using N = FarPosition;
    return std::tuple(&N::generation, &N::base, &N::base_chain, &N::position, &N::chain);
  }
  bool operator==(const FarPosition&) const = default;
};

// A fork cut the line of the stream at `base`: of records of older generations only numbers up to it are on
// the line.
struct LineCut {
  std::uint32_t generation = 0;
  Seq base = 0;
  static constexpr auto fields() {
    using N = LineCut;
    return std::tuple(&N::generation, &N::base);
  }
};

struct OrphanedBranch {
  std::uint32_t generation = 0;  // the one that the fork ended
  Seq first = 0, last = 0;
  static constexpr auto fields() {
    using N = OrphanedBranch;
    return std::tuple(&N::generation, &N::first, &N::last);
  }
  bool operator==(const OrphanedBranch&) const = default;
};

// The last seq that a record of `generation` may hold and still be on the line.
Seq line_end(const std::vector<LineCut>& cuts, std::uint32_t generation);

// A copy of what is known of a stream, without its chains.
struct FarStreamView {
  FarPosition now, durable;
  std::string label;
  bool ended = false;
  std::vector<LineCut> cuts;
  std::vector<FarGapNote> gaps;
  std::vector<OrphanedBranch> orphans;
};

class FarFold {
 public:
  void on_batches(const RecordMeta& meta);
  void apply(const FarSessionNote& note, Lsn head);
  void apply(const FarStreamOpenNote& note, Lsn head);
  void apply(const FarForkNote& note, Lsn head);
  void apply(const FarGapNote& note, Lsn head);
  void apply(const FarEndNote& note, Lsn head);
  void apply(const FarApproveNote& note, Lsn head);
  void apply(const FarChainsNote& note, Lsn head);

  // Changes so far; synced_to(count) says that these are synced.
  std::uint64_t changes() const { return changes_; }
  void durable_to(Lsn durable);
  void synced_to(std::uint64_t change);
  void all_durable();  // after open

  // Durable.
  std::optional<FarJournal> journal(const Id& id) const;
  std::optional<Id> journal_of_sender(const Id& sender) const;
  bool approved(const Id& sender, const Id& journal) const;
  // As appended, with the durable position beside it.
  std::vector<std::pair<Id, StreamId>> streams() const;
  std::string label(const Id& journal) const;
  std::optional<FarStreamView> stream(const Id& journal, StreamId id) const;
  // chain(n) of the line, when it is in memory: appended, not only durable.
  std::optional<Hash128> chain(const Id& journal, StreamId id, Seq n) const;
  // Chains of trimmed records up to this number are in the checkpoints.
  Seq kept_to(const Id& journal, StreamId id) const;
  // Forks and gaps whose event for the sinks has not been appended: a crash came between.
  std::vector<std::variant<FarForkNote, FarGapNote>> owed_events() const;

  void save(stream_codec::PutFields& put) const;
  void load(stream_codec::GetFields& get);

 private:
  using Owed = std::variant<std::monostate, FarForkNote, FarGapNote>;
  struct Stream {
    FarPosition now, durable;
    std::string label;
    bool ended = false;
    Owed owed;
    std::vector<LineCut> cuts;
    std::deque<FarGapNote> gaps;
    std::deque<OrphanedBranch> orphans;
    ChainRuns kept;    // in checkpoints
    ChainRuns recent;  // a cache: from the records folded in this life of the process
  };
  struct Source {
    FarJournal now, durable;
    bool durable_known = false;
    std::string label;
    std::map<StreamId, Stream> streams;
  };
  struct Change {
    std::uint64_t number = 0;
    Lsn covered_by = 0;  // durable when this LSN is
    Id journal;
    StreamId stream = 0;  // 0: the source itself
    std::variant<FarPosition, FarJournal> value;
  };

  Stream& stream_of(const Id& journal, StreamId id) { return sources_[journal].streams[id]; }
  const Stream* find(const Id& journal, StreamId id) const;
  void changed(const Id& journal, StreamId id, Lsn covered_by);
  void publish(const Change& change);
  void advance(Stream& stream, const RecordMeta& meta);
  static Seq window_start(const Stream& stream);

  std::map<Id, Source> sources_;
  std::map<Id, Id> approved_;  // journal -> sender
  std::deque<Change> pending_;
  std::uint64_t changes_ = 0;
};

}  // namespace tidegate
