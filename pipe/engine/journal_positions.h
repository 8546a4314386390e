// SPDX-License-Identifier: Apache-2.0
// JournalPositions: the positions of the pipes of a journal, as notes of that journal, durable at once.
#pragma once

#include "pipe/engine/position_store.h"
#include "pipe/stream/pipe_positions.h"

namespace tidegate {

// Journal and state must outlive it. Any thread; set() takes part in the journal's group sync.
class JournalPositions final : public PositionStore {
 public:
  JournalPositions(Journal* journal, StreamState* state) : journal_(journal), notes_(journal, state) {}

  Result<std::optional<StoredPosition>> get(const std::string& pipe) override {
    auto found = notes_.get(pipe);
    if (!found.has_value()) return std::optional<StoredPosition>();
    return std::optional(StoredPosition{found->lsn, std::move(found->state)});
  }
  Status set(const std::string& pipe, Lsn lsn, ByteView state) override {
    TG_CHECK(notes_.set(pipe, lsn, state));
    return journal_->sync();
  }

 private:
  Journal* journal_;
  PipePositions notes_;
};

}  // namespace tidegate
