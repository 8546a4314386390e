// SPDX-License-Identifier: Apache-2.0
// What SenderLink needs to know of the data behind its streams, and the few durable changes it makes.
//
// Implemented by pipe/stream over the journal, by the tests in memory. Calls come from the link's thread
// only. The set_*, fork and gap calls are rare (a session, a confirm, a fork) and return when the change is
// durable; when one fails the link goes to doubt and tries again later: nothing is said on the wire that is
// not durable here.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "protocol/native/messages.h"

namespace tidegate {

// A batch frame whose container is owned.
struct OutgoingBatches {
  BatchFrame frame;  // frame.container views `storage`
  Bytes storage;
  std::uint64_t events = 0;
};

// The oldest numbers of a stream whose content cannot be given any more.
struct MissingRange {
  Seq to = 0;  // last of them
  GapReason reason = GapReason::kTrimmed;
  std::uint64_t events = 0;
  std::int64_t time_min = 0;
  std::int64_t time_max = 0;
};

// What the link wants written to the ledger. `kind` is stable text ("fork", "gap", "confirmed-lowered", ...).
struct LedgerNote {
  std::string kind;
  StreamId stream = 0;
  Seq from = 0;
  Seq to = 0;
  std::string text;
};

class SenderStore {
 public:
  virtual ~SenderStore() = default;

  virtual Id sender_id() const = 0;
  virtual Id journal_id() const = 0;
  virtual std::uint64_t session() const = 0;  // the last one used; 0: none
  virtual Status set_session(std::uint64_t session) = 0;

  virtual std::vector<StreamId> streams() const = 0;  // all that are to be open, ascending
  // Its pipe is stopped: what was sent is confirmed, nothing new is sent and it is not opened.
  virtual bool paused(StreamId) const { return false; }
  virtual std::string label(StreamId stream) const = 0;
  virtual Seq head(StreamId stream) const = 0;     // last durable batch
  virtual Seq trimmed(StreamId stream) const = 0;  // last one whose content is gone from the front; 0: none
  virtual Seq confirmed(StreamId stream) const = 0;
  virtual Seq base(StreamId stream) const = 0;
  virtual std::uint32_t generation(StreamId stream) const = 0;
  // Known chains: of all retained, of trimmed, of confirmed, of base, of 0. Nothing for others.
  virtual std::optional<Hash128> chain(StreamId stream, Seq n) const = 0;

  // Consecutive batches from `from` on, as one frame whose body is at most `max_body` bytes, at most `last`.
  // At least one batch, also when that one alone is larger (then it crosses in parts). kTrimmed or kDamaged:
  // see missing().
  virtual Result<OutgoingBatches> load(StreamId stream, Seq from, Seq last, std::size_t max_body) = 0;
  // The range from `from` on that cannot be given any more; nothing when it can.
  virtual std::optional<MissingRange> missing(StreamId stream, Seq from) const = 0;
  // May gaps be declared without asking the operator?
  virtual bool gap_allowed(StreamId stream) const = 0;

  virtual Status set_confirmed(StreamId stream, Seq confirmed) = 0;  // raises or lowers
  // generation + 1 with this base; confirmed = base.
  virtual Status fork(StreamId stream, std::uint32_t generation, Seq base) = 0;
  virtual Status note(const LedgerNote& entry) = 0;
  // The stream's end was answered ok: its number is spent.
  virtual Status ended(StreamId stream) = 0;
};

}  // namespace tidegate
