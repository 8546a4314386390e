// SPDX-License-Identifier: Apache-2.0
// Connector: the sink end of a pipe. One instance serves one pipe, from one thread at a time.
//
// Delivery to a target is at least once and in order; exactly once where the target makes writes idempotent or the
// connector keeps its own durable mark (`state`): the engine stores the state together with the position, durably, and
// hands the last one back at open().
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "pipe/journal/journal.h"

namespace tidegate {

struct DeliverableBatch {
  Lsn lsn = 0;
  ByteView canonical;          // valid during the call; content hash already verified
  BatchSummary summary;
  const RecordMeta* record = nullptr;  // never null
};

// An event that the target refuses for good. Goes to the dead-letter file of the pipe; delivery goes on.
struct DeadLetter {
  Lsn lsn = 0;
  std::string reason;          // the target's own words and ours
  std::string line;            // the event in a readable form (line protocol where it is rows)
};

struct DeliverResult {
  enum class Kind : std::uint8_t {
    kDelivered,  // all batches are durable at the target, apart from dead letters
    kRetry,      // nothing, or an unknown part, was delivered: call again later with the same batches
    kStop        // cannot go on without an operator (credentials, configuration): the pipe stops with the message
  };
  Kind kind = Kind::kDelivered;
  std::string message;              // kRetry, kStop: what happened, where, what to do
  Nanos retry_after = 0;            // kRetry: the target's own wish; 0: the engine's back-off decides
  std::vector<DeadLetter> dead;     // kDelivered
  Bytes state;                      // kDelivered: opaque, stored with the position
  std::uint64_t written_events = 0; // kDelivered: events the target took
};

class Connector {
 public:
  virtual ~Connector() = default;
  virtual std::string describe() const = 0;   // for status and logs, no secrets
  // Brings the target to the state after `position`: what was written behind it (a crash in mid-delivery) is removed
  // where the target allows it. Called once before deliver(), again after kRetry where a connection was lost.
  virtual Status open(Lsn position, ByteView state) = 0;
  // Blocks until the target has confirmed. `stop` becomes true when the daemon stops: return kRetry soon.
  virtual DeliverResult deliver(const std::vector<DeliverableBatch>& batches, const std::function<bool()>& stop) = 0;
  // How much it wants at once.
  virtual std::size_t preferred_bytes() const { return 4 << 20; }
  // Flushes what a clean stop should flush. The position has been stored before.
  virtual void close() {}
};

}  // namespace tidegate
