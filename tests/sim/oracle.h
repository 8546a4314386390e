// SPDX-License-Identifier: Apache-2.0
// The oracle: what a run must be able to show, from its own record of what was acknowledged. It stands
// outside the code under test: it hears what producers were told, what was released, which disks were taken
// away; it never asks the link.
//
// A batch is known by its content; every batch that the simulator makes is unique.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "pipe/journal/journal.h"
#include "pipe/model/batch.h"
#include "pipe/stream/stream_state.h"
#include "tests/sim/event_queue.h"

namespace tidegate::sim {

class Oracle {
 public:
  explicit Oracle(const EventQueue* queue) : queue_(queue) {}

  // ---- what happens at the senders; `machine` counts from 0
  void appended(int machine, const Id& journal, Lsn lsn, const Hash128& hash);
  void acknowledged(int machine, Lsn first, Lsn last);
  // How many batches the machine's journal should hold, trimmed ones included.
  Lsn head(int machine) { return machines_[machine].facts.size(); }
  // The process is up again: the journal says it holds first..head.
  void reopened(int machine, const Id& journal, Lsn first, Lsn head);
  // Everything below `first` was let go. Acknowledged before `allowed_unproven`, or not above `spare`, it may
  // go without proof.
  void released(int machine, Lsn first, Nanos allowed_unproven, Lsn spare);
  // A bit of the disk was flipped: batches there may be lost, when that is declared.
  void rotted(int machine) { machines_[machine].rotted = true; }
  // What a machine's disk holds, to be given back when it becomes that disk again.
  struct Holding {
    std::vector<std::uint32_t> facts;  // by LSN - 1
    Lsn first = 1;                     // oldest held
    bool rotted = false;
  };
  Holding holding(int machine) const;
  // The disk is that of an earlier moment; or an empty one.
  void rolled_back(int machine, const Holding& to);
  void replaced(int machine);
  // A stream numbers LSN shift + 1 as 1. More than one shift: its creation was lost by damage.
  void numbered(const Id& journal, StreamId stream, Lsn shift);
  // The sender goes on in a new generation from `base`.
  void forked(const Id& journal, StreamId stream, std::uint32_t generation, Seq base);
  // The sender says for good that it cannot give these.
  void gap_declared(int machine, Lsn first, Lsn last);
  void retired(int machine) { replaced(machine); }
  // The sender holds `confirmed` for proven.
  void confirmed(int machine, Lsn up_to, bool may_ask);
  // These LSNs cannot be read any more, and the journal says so.
  void unreadable(int machine, const std::vector<LsnRange>& ranges);

  // ---- and at the receiver
  void far_synced(const Hash128& hash);
  bool far_is_rotted() const { return far_rotted_; }
  void far_rotted() { far_rotted_ = true; }
  // Its ledger as it stands; to be called before it holds 256 entries more.
  void far_ledger(const StreamState& state);
  // The sinks get everything up to here, then it may be trimmed: reads and compares it.
  void far_given(const Journal& journal, const StreamState& state, Lsn up_to);

  // One stream in the far journal, as it is read.
  struct Line {
    std::uint32_t generation = 0;
    Seq last = 0;
    bool known = true;  // nothing of it can have been missed so far
    bool any = false;
    std::map<Seq, Hash128> chains;
    std::optional<std::int64_t> shift;  // LSN at the sender minus seq
  };
  // The far journal from LSN 1 up to `next`, trimmed or not: only all of it shows the order.
  struct FarReading {
    Lsn next = 1;
    std::map<std::pair<Id, StreamId>, Line> lines;
    std::map<std::uint64_t, LedgerEntry> ledger;  // gaps, forks, damage, by number
    std::set<std::tuple<std::string, Id, StreamId, Seq, Seq>>
        told;  // events of gaps and forks, by what they say
    struct Gap {
      Id journal;
      Lsn from = 0, to = 0;
    };
    std::vector<Gap> gap_events;   // batches of kind gap: LSNs that a sender could not even number
    std::uint64_t unreadable = 0;  // LSNs that a sink was told it cannot have
  };
  const FarReading& far_reading() const { return far_; }
  // The far disk is that of an earlier moment; or an empty one.
  void far_rolled_back(FarReading to);

  // A sender that still runs, and what its own ledger says is damaged.
  struct LiveSender {
    Id journal;
    std::vector<LsnRange> damage;
  };
  // Reads the far journal, which was opened again, and compares.
  void check_far(const Journal& journal, const StreamState& state, const std::vector<LiveSender>& live);

  // Called with each violation, when it is seen.
  void on_violation(std::function<void(const std::string&)> hear) { hear_ = std::move(hear); }
  void violation(std::string text);
  const std::vector<std::string>& violations() const { return violations_; }
  std::uint64_t batches_acknowledged() const { return acknowledged_; }

 private:
  struct Fact {
    Hash128 hash;
    Id journal;
    Lsn lsn = 0;
    bool acknowledged = false;
    bool lost_by_rot = false;
    bool declared = false;  // in a gap that the receiver took
    Nanos acknowledged_at = 0;
    std::uint32_t held_by = 0;  // a bit per machine whose journal has it
    Nanos released_at = -1;
    Nanos far_at = -1;  // last synced in the far journal
    bool delivered = false;
    bool present = false;  // in the final far journal
  };
  using LostLsns = std::set<Lsn>;
  void let_go(int machine, Lsn lsn, bool release);
  void read_far(const Journal& journal, Lsn up_to, const std::function<void(const RecordMeta&)>& each,
                LostLsns* lost);
  void check_record(const Record& record);
  void check_event(const Origin& origin, const std::vector<ByteView>& batches);
  void check_fork_event(const Origin& origin, const ForkEvent& event);
  void check_gap_event(const Origin& origin, const GapEvent& event);
  void check_place(Line& line, const RecordMeta& meta, Seq first);
  void check_batch(Line& line, const Origin& origin, Seq seq, ByteView canonical, const Hash128& declared);
  void note_gap_events(const Origin& origin, ByteView canonical);
  void check_events(const StreamState& state);
  std::string complaint(const Fact& fact, const std::vector<LiveSender>& live, std::uint64_t lost) const;
  void check_missing(const std::vector<LiveSender>& live, std::uint64_t lost);
  bool in_ledger(const char* kind, const Id& journal, StreamId stream, Seq from, Seq to) const;
  bool covered_by_any_gap(const Fact& fact) const;
  static std::string name(const Fact& fact);

  const EventQueue* queue_;
  std::vector<Fact> facts_;
  // More than one: gap events of a sender about the same damage have the same content.
  std::unordered_multimap<Hash128, std::uint32_t, Bytes16Hasher> by_hash_;
  std::map<int, Holding> machines_;
  // Of generations: several where twins or a disk of an earlier moment made one twice.
  std::map<std::tuple<Id, StreamId, std::uint32_t>, std::set<Seq>> bases_;
  std::map<std::pair<Id, StreamId>, std::set<Lsn>> shifts_;
  Nanos far_lost_at_ = -1;
  bool far_rotted_ = false;
  FarReading far_;
  std::uint64_t acknowledged_ = 0;
  std::vector<std::string> violations_;
  std::function<void(const std::string&)> hear_;
};

}  // namespace tidegate::sim
