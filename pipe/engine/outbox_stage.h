// SPDX-License-Identifier: Apache-2.0
// OutboxStage: selector and processors of a pipe, writing into its outbox: a connector for the pipe that
// reads the daemon's journal, and where that pipe keeps its position.
//
// Deterministic processing and the snapshots make a repetition exact: what the outbox already has is compared
// by hash. Where it differs all the same (a plugin that is not deterministic, another version of the program)
// the new output is written behind it and the ledger is told: something may come twice, nothing is lost.
#pragma once

#include <deque>
#include <functional>
#include <memory>

#include "pipe/engine/connector.h"
#include "pipe/engine/outbox.h"
#include "pipe/engine/position_store.h"
#include "pipe/engine/selector.h"

namespace tidegate {

class OutboxStage final : public Connector, public PositionStore {
 public:
  struct Hooks {
    std::function<void()> on_output = [] {};  // there is something new to read in the outbox
    // Position of a snapshot that is stored: what lies behind it is still needed.
    std::function<void(Lsn)> on_stored = [](Lsn) {};
    std::function<Status(const std::string& text)> on_unlike = [](const std::string&) { return Status(); };
  };
  // `outbox` outlives it. `key`: of what selector and processor are; a state of others is not restored.
  OutboxStage(Outbox& outbox, std::unique_ptr<Selector> selector, std::unique_ptr<Processor> processor,
              std::uint64_t key, Hooks hooks);

  // ---- Connector
  std::string describe() const override;
  Status open(Lsn position, ByteView state) override;
  DeliverResult deliver(const std::vector<DeliverableBatch>& batches,
                        const std::function<bool()>& stop) override;

  // ---- PositionStore: of the one pipe that delivers here
  Result<std::optional<StoredPosition>> get(const std::string& pipe) override;
  Status set(const std::string& pipe, Lsn lsn, ByteView state) override;

 private:
  struct Output {
    Batch batch;
    std::vector<Id> hops;
  };
  Status process(const DeliverableBatch& batch);
  Status write_outputs();
  Status write_record();
  Result<bool> repeats(const Output& output);
  Status tell_unlike();

  Outbox& outbox_;
  std::unique_ptr<Selector> selector_;
  std::unique_ptr<Processor> processor_;
  const std::uint64_t key_;
  Hooks hooks_;
  bool broken_ = false;         // a processor has failed: its state is of no further use
  bool ready_ = false;          // the processors are in the state of processed_
  Lsn processed_ = 0;           // what came of the batches up to here is in outputs_ or in the outbox
  std::deque<Output> outputs_;  // not yet in the outbox
  std::vector<Batch> selected_, made_;
  bool synced_ = true;
  Lsn repeated_ = 0;        // what was written again is in the outbox up to here ...
  Lsn written_before_ = 0;  // ... of what was written before the start
};

}  // namespace tidegate
