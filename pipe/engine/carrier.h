// SPDX-License-Identifier: Apache-2.0
// Carrier: what brings the batches of one journal to the target of one pipe: a connector with a pipe around
// it, or a stream of an air-gap link. The journal is the daemon's own, or the outbox of the pipe.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "pipe/engine/pipe.h"
#include "pipe/engine/selector.h"
#include "pipe/stream/stream_state.h"

namespace tidegate {

// What a carrier reads. All outlive it.
struct CarriedJournal {
  Journal* journal = nullptr;
  StreamState* state = nullptr;
  RecordCache* records = nullptr;
  bool outbox = false;  // of this pipe alone
};

struct CarrierPlan {
  std::string pipe;
  CarriedJournal from;
  Lsn start_after = 0;      // of a pipe that has not run before
  Lsn end_at = UINT64_MAX;  // history only
  RealtimeMode mode = RealtimeMode::kHybrid;
};

// Any thread; start, stop and drop one at a time.
class Carrier {
 public:
  virtual ~Carrier() = default;
  // Goes on where it stood. Errors that do not pass by waiting stand in the status as well.
  virtual Status start() = 0;
  // Nothing is under way any more when it returns; kTimeout: something still is.
  virtual Status stop() = 0;
  // Whether what this carrier keeps serves that one as well: then leave() is not called between the two.
  virtual bool is_succeeded_by(const Carrier& next) const = 0;
  // The pipe is dropped, or a carrier of another kind has it from now on: what this one keeps is given up.
  // Stopped before.
  virtual Status leave() { return {}; }
  // stop() may have to wait for a target; else it is over at once, and may be called from the daemon's loop.
  virtual bool stop_waits() const { return true; }
  // There is something new in the journal. Cheap.
  virtual void notify() = 0;
  // About every second, in the daemon's loop.
  virtual void tick() {}
  virtual PipeStatus status() const = 0;
  // The last LSN that it no longer needs; nothing while it was never started.
  virtual std::optional<Lsn> pinned() const = 0;
};

}  // namespace tidegate
