// SPDX-License-Identifier: Apache-2.0
// PipeRun: a connector with a pipe around it and what keeps it going, from START to STOP. Connector and pipe
// are made anew at each start, so that what a failure left in them is gone.
//
// Any thread; start() and stop() one at a time.
#pragma once

#include <functional>
#include <memory>
#include <mutex>

#include "pipe/engine/carrier.h"
#include "pipe/engine/pipe_thread.h"

namespace tidegate {

struct PipeRunParts {
  struct Made {
    std::unique_ptr<Connector> connector;
    PositionStore* positions = nullptr;  // outlives the connector, or is it
  };
  std::function<Result<Made>()> make;
  std::function<std::unique_ptr<PipeRunner>(Env, Pipe&)> make_runner;
  PipeOptions options;
  Nanos stop_limit = 10 * kSecond;
};

class PipeRun {
 public:
  PipeRun(Env env, CarriedJournal from, PipeRunParts parts);
  ~PipeRun();

  // Where a pipe that never stored a position begins. Before start().
  void set_range(Lsn start_after, Lsn end_at);
  Status start();
  Status stop();
  void notify();
  PipeStatus status() const;

 private:
  struct Run;
  const Env env_;
  const CarriedJournal from_;
  PipeRunParts parts_;
  mutable std::mutex mutex_;  // guards run_ and last_
  std::shared_ptr<Run> run_;
  PipeStatus last_;  // while it does not run
};

}  // namespace tidegate
