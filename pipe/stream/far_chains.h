// SPDX-License-Identifier: Apache-2.0
// FarChains: chain(n) of a sender's stream from the records of the far journal, for numbers that are not in
// memory.
//
// Each record says the chain before it, so a chain needs the one record that holds n on the stream's line.
// The checkpoints of the segments say in which segment that is; that segment's envelopes are read. A cache of
// one segment's answers.
#pragma once

#include "pipe/stream/stream_state.h"

namespace tidegate {

class FarChains {
 public:
  FarChains(const Journal* journal, const StreamState* state) : journal_(journal), state_(state) {}

  std::optional<Hash128> at(const Id& journal, StreamId id, Seq n);
  // What the records up to `last` hold of each stream's chains at n >= position - 65,536: before they are
  // trimmed.
  Result<std::map<std::pair<Id, StreamId>, ChainRuns>> held_up_to(Lsn last);

 private:
  using Key = std::pair<Id, StreamId>;
  const CheckpointSummary* checkpoint(std::uint64_t segment);
  // The numbers of the line that were stored when the segment began.
  Seq stored_before(std::uint64_t segment, const Key& key, const std::vector<LineCut>& cuts);
  void scan(const Key& key, const FarStreamView& stream, Lsn first, Lsn last);

  const Journal* journal_;
  const StreamState* state_;
  std::map<std::uint64_t, CheckpointSummary> checkpoints_;
  Key cached_key_;
  std::uint32_t cached_generation_ = 0;
  ChainRuns cached_;
};

}  // namespace tidegate
