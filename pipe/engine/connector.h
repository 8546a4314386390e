// SPDX-License-Identifier: Apache-2.0
// Connector: the sink end of a pipe. One instance serves one pipe, from one thread at a time.
//
// Delivery to a target is at least once and in order; exactly once where the target makes writes idempotent
// or the connector keeps its own durable mark (`state`): the engine stores the state together with the
// position, durably, and hands the last one back at open(). When a delivery returned a state that is not
// empty, position and state are durable before the next call: the connector may then do what cannot be taken
// back (give a closed file its final name). After kRetry the engine always calls open() again, with the
// position and state of the last delivery.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "pipe/journal/journal.h"

namespace tidegate {

struct DeliverableBatch {
  Lsn lsn = 0;
  ByteView canonical;  // valid during the call; content hash already verified
  BatchSummary summary;
  const RecordMeta* record = nullptr;  // never null
};

// An event that the target refuses for good. Goes to the dead-letter file of the pipe; delivery goes on.
struct DeadLetter {
  Lsn lsn = 0;
  std::string reason;          // the target's own words and ours
  std::string line;            // the event in a readable form
  std::string database = {};   // where it was to go; 2.x: the bucket; empty: nowhere, or the event names none
  std::string policy = {};     // the retention policy, where one was named
  std::string precision = {};  // "ns": `line` is line protocol with such times and can be written again as it
                               // is; empty: it is for people
};

struct DeliverResult {
  enum class Kind : std::uint8_t {
    kDelivered,  // all batches are durable at the target, apart from dead letters
    kRetry,      // nothing, or an unknown part, was delivered: call again later with the same batches
    kStop  // cannot go on without an operator (credentials, configuration): the pipe stops with the message
  };
  Kind kind = Kind::kDelivered;
  // kRetry, kStop: what happened, where, what to do. kDelivered: what is set aside at present, empty:
  // nothing; stays in the status until the next delivery.
  std::string message;
  Nanos retry_after = 0;             // kRetry: the target's own wish; 0: the engine's back-off decides
  std::vector<DeadLetter> dead;      // kDelivered
  Bytes state;                       // kDelivered: opaque, stored with the position
  std::uint64_t written_events = 0;  // kDelivered: events the target took
  std::uint64_t skipped_events =
      0;  // kDelivered: events that are no data for this target (gap, fork, statistics)
};

class Connector {
 public:
  virtual ~Connector() = default;
  virtual std::string describe() const = 0;  // for status and logs, no secrets
  // Brings the target to the state after `position`: what was written behind it (a crash in mid-delivery) is
  // removed where the target allows it. Called once before deliver(), again after kRetry where a connection
  // was lost.
  virtual Status open(Lsn position, ByteView state) = 0;
  // Blocks until the target has confirmed. `stop` becomes true when the daemon stops: return kRetry soon.
  virtual DeliverResult deliver(const std::vector<DeliverableBatch>& batches,
                                const std::function<bool()>& stop) = 0;
  // When it wants to be called with an empty list although nothing is new (rotation by time), on the engine's
  // monotonic clock; asked after open() and after each delivery. A fixed moment: it does not move while time
  // passes, and lies behind that call's now only when there is something to do. INT64_MAX: never.
  virtual Nanos wake_at() const { return INT64_MAX; }
  // How much it wants at once.
  virtual std::size_t preferred_bytes() const { return 4 << 20; }
  // How long data may wait for more of it, until about preferred_bytes() are there; 0: it is delivered at
  // once.
  virtual Nanos gather_delay() const { return 0; }
  // Flushes what a clean stop should flush. The position has been stored before.
  virtual void close() {}
};

}  // namespace tidegate
