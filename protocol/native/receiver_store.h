// SPDX-License-Identifier: Apache-2.0
// What ReceiverLink needs to know of the far journal, and what it asks to have stored.
//
// Implemented by pipe/stream over the journal, by the tests in memory. Queries come from the link's thread
// only and speak of durable data only. Storing is asynchronous: the link emits a StoreRequest, the host
// appends and syncs in the order of the requests and answers with ReceiverLink::on_stored.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/result.h"
#include "protocol/native/messages.h"

namespace tidegate {

struct FarStream {
  std::uint32_t generation = 0;  // 0: the stream is not known yet
  Seq base = 0;
  Seq position = 0;  // last seq that is durable (or spent by a gap)
  Hash128 chain;     // chain(position)
};

struct FarJournal {
  Id sender;
  std::uint64_t session = 0;  // highest seen: the floor
  std::uint64_t nonce = 0;    // of that session
  bool superseded = false;    // another journal took this sender's place by the operator or by policy
};

// ---- store requests, each answered by on_stored(token, ...) after the sync
// ------------------------------------------

struct StoreSession {  // also makes an unknown journal known
  Id sender;
  Id journal;
  std::uint64_t session = 0;
  std::uint64_t nonce = 0;
  std::string label;
};
struct StoreStreamOpen {  // first hello of a stream (generation 0 -> g) at base 0, or a fork
  Id journal;
  StreamId stream = 0;
  std::uint32_t generation = 0;
  Seq base = 0;
  Hash128 base_chain;
  bool fork = false;  // a record of kind fork is written and position = base
  Seq old_last = 0;
  std::string label;
};
struct StoreBatches {
  Id journal;
  StreamId stream = 0;
  std::uint32_t generation = 0;
  Seq first_seq = 0;
  Hash128 previous_chain;
  std::vector<Hash128> hashes;
  std::vector<Id> hops;    // as sent; the sender's own id is among them
  std::uint32_t skip = 0;  // leading batches that are there already
  std::uint8_t codec = 0;
  std::uint32_t decoded_size = 0;
  Bytes container;
};
struct StoreGap {
  Id journal;
  StreamId stream = 0;
  std::uint32_t generation = 0;
  GapFrame gap;
  Seq position_before = 0;  // P: P+1..to are missing, from..P were not compared
};
struct StoreEnd {
  Id journal;
  StreamId stream = 0;
  std::string reason;
};
using StoreRequest = std::variant<StoreSession, StoreStreamOpen, StoreBatches, StoreGap, StoreEnd>;

class ReceiverStore {
 public:
  virtual ~ReceiverStore() = default;

  virtual Id receiver_id() const = 0;
  virtual std::optional<FarJournal> journal(const Id& journal) const = 0;
  // The journal that currently speaks for a sender id; nothing for a sender never seen.
  virtual std::optional<Id> journal_of_sender(const Id& sender) const = 0;
  // May a journal never seen be accepted? (sender known or not; `silent`: the incumbent has been silent for
  // 60 s)
  virtual bool accept_journal(const Id& sender, const Id& journal, bool silent) const = 0;
  virtual FarStream stream(const Id& journal, StreamId stream) const = 0;
  // Where kept: for every n whose record is in the journal, base, 0 and n >= position - 65,536.
  virtual std::optional<Hash128> chain(const Id& journal, StreamId stream, Seq n) const = 0;
  virtual std::uint64_t room_bytes() const = 0;
  // Are these the batches whose hashes were declared? The first `skip` need not be looked at. Errors:
  // kUnsupported (codec), kMalformed, kTooLarge, kChecksum (a hash differs).
  virtual Status check_content(const BatchFrame& batch, std::uint32_t skip) = 0;
};

}  // namespace tidegate
