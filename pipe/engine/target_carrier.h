// SPDX-License-Identifier: Apache-2.0
// TargetCarrier: the carrier to a connector; its position is a note of the journal that it reads.
#pragma once

#include "pipe/engine/journal_positions.h"
#include "pipe/engine/pipe_run.h"

namespace tidegate {

class TargetCarrier final : public Carrier {
 public:
  using MakeConnector = std::function<Result<std::unique_ptr<Connector>>()>;
  using MakeRunner = std::function<std::unique_ptr<PipeRunner>(Env, Pipe&)>;
  TargetCarrier(Env env, CarriedJournal from, MakeConnector make, MakeRunner runner, PipeOptions options)
      : from_(from),
        name_(options.name),
        positions_(from.journal, from.state),
        run_(env, from,
             {[this, make = std::move(make)]() -> Result<PipeRunParts::Made> {
                TG_TRY(auto connector, make());
                return PipeRunParts::Made{std::move(connector), &positions_};
              },
              std::move(runner), std::move(options)}) {}

  Status start() override { return run_.start(); }
  Status stop() override { return run_.stop(); }
  bool is_succeeded_by(const Carrier&) const override { return true; }
  void notify() override { run_.notify(); }
  PipeStatus status() const override {
    PipeStatus out = run_.status();
    if (out.position == 0) out.position = out.durable_position = pinned().value_or(0);  // has not run yet
    return out;
  }
  std::optional<Lsn> pinned() const override {
    const auto position = from_.state->pipe_position(name_);
    return position ? std::optional(position->lsn) : std::nullopt;
  }

 private:
  const CarriedJournal from_;
  const std::string name_;
  JournalPositions positions_;
  PipeRun run_;
};

}  // namespace tidegate
