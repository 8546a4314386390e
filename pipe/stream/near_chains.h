// SPDX-License-Identifier: Apache-2.0
// NearChains: chain(n) of this journal's own streams for every n whose record is retained.
//
// Known points ("anchors": from checkpoints, marks, the fold and earlier answers) are kept in memory; from
// the nearest one below n the hashes of the records are run. A cache only: it may be thrown away at any time.
// One thread.
#pragma once

#include <map>
#include <set>

#include "pipe/stream/stream_state.h"

namespace tidegate {

class NearChains {
 public:
  NearChains(const Journal* journal, const StreamState* state) : journal_(journal), state_(state) {}

  // Nothing where it cannot be known: trimmed (but for the last trimmed), or behind damage and before the
  // next anchor.
  std::optional<Hash128> at(const NearStream& stream, Seq n);
  // The first number >= n whose chain is known without running over anything unreadable between n and it.
  std::optional<Seq> first_known(const NearStream& stream, Seq n);
  // What a reader has learned on its way.
  void learn(StreamId stream, Seq n, const Hash128& chain);

 private:
  using Anchors = std::map<Seq, Hash128>;
  // Brings in the checkpoints around an LSN and what the fold knows.
  void gather(const NearStream& stream, Lsn lsn);
  void gather_segment(std::uint64_t number);
  std::optional<Hash128> run(const NearStream& stream, Seq from, Hash128 chain, Seq n);

  const Journal* journal_;
  const StreamState* state_;
  std::map<StreamId, Anchors> anchors_;
  std::set<std::uint64_t> gathered_;  // segments whose checkpoint has been read
};

// The last seq of the stream whose record the journal no longer holds; 0: none.
Seq trimmed_seq(const NearStream& stream, Lsn first_lsn);

}  // namespace tidegate
