// SPDX-License-Identifier: Apache-2.0
// Private parts of ReceiverLink, shared by its two source files.
#pragma once

#include <utility>

#include <algorithm>
#include <set>

#include "protocol/native/receiver_link.h"

namespace tidegate {

constexpr std::uint32_t kAsksOfAPair = 2;
constexpr std::uint32_t kAsksOfAProof = 5;

enum class Phase : std::uint8_t {
  kFresh,     // no hello yet: probes only
  kGreeting,  // the hello waits for its sync
  kOpen,      // hello answered ok
  kRefused    // hello answered fail: ask, beat, another hello
};

// Bytes that count against the link's memory as long as this lives.
class MemoryCharge {
 public:
  MemoryCharge() = default;
  MemoryCharge(std::size_t* used, std::size_t bytes) : used_(used), bytes_(bytes) { *used_ += bytes_; }
  MemoryCharge(MemoryCharge&& other) noexcept
      : used_(std::exchange(other.used_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  MemoryCharge& operator=(MemoryCharge&& other) noexcept {
    std::swap(used_, other.used_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~MemoryCharge() {
    if (used_ != nullptr) *used_ -= bytes_;
  }

 private:
  std::size_t* used_ = nullptr;
  std::size_t bytes_ = 0;
};

struct ReceiverLink::Slot {
  std::uint64_t id = 0;
  std::optional<Byte> answer;
  LinkNanos not_before = 0;
};

struct ReceiverLink::Connection {
  explicit Connection(std::size_t wire_limit) : decoder(wire_limit) {}

  struct Part {
    StreamId stream = 0;
    Seq seq = 0;
    std::uint32_t total = 0;
    Bytes bytes;
    MemoryCharge charge;
  };

  bool idle() const { return slots.empty() && !answer_in_flight && !decoder.inside_frame(); }

  ConnectionId id = 0;
  std::string peer;
  OuterFrameDecoder decoder;
  Bytes scratch;
  Phase phase = Phase::kFresh;
  std::uint64_t session = 0;
  std::uint8_t lane = 0;
  std::uint32_t next_frame = 1;
  Id journal;
  LinkNanos last_byte = 0;
  LinkNanos last_progress = 0;
  std::deque<Slot> slots;         // one per frame that is owed an answer, in order
  bool answer_in_flight = false;  // a byte is written and not yet acknowledged
  bool ignoring = false;          // after a `fail` nothing more is read
  bool close_when_answered = false;
  bool closed = false;  // RxClose was given out
  Part part;
  std::optional<std::pair<StreamId, Ask>> last_ask;
  LinkNanos question_from = 0;
  std::uint32_t asks_left = 0;  // of the question of last_ask
  bool after_plus = false;      // the last frame was a probe of ok, as in front of a proof
};

struct ReceiverLink::Session {
  std::uint64_t number = 0;
  std::uint64_t nonce = 0;
  Id sender;
  std::string label;
  StoreToken token = 0;  // of the store request that makes it durable; 0: it is
  bool dead = false;     // a `fail` was said: nothing more is answered
  std::uint8_t lane_count = 1;
  std::set<ConnectionId> lanes;
  LinkNanos last_heard = 0;
  std::int64_t beat_clock_micros = 0;
  LinkNanos beat_at = -1;
  std::string beat_json;
};

struct ReceiverLink::Held {
  ConnectionId connection = 0;
  std::uint64_t slot = 0;
  LinkNanos since = 0;
  Bytes body;  // the whole body of the batch frame
  MemoryCharge charge;
};

struct ReceiverLink::Stream {
  struct Waiter {
    ConnectionId connection = 0;
    std::uint64_t slot = 0;
    Seq need = 0;
  };
  struct WaitingHello {
    ConnectionId connection = 0;
    std::uint64_t slot = 0;
    StreamHello hello;
  };

  Id journal;
  StreamId id = 0;
  bool loaded = false;
  std::uint64_t open_in = 0;  // session in which its hello was answered ok
  std::uint32_t generation = 0;
  Seq durable = 0;
  Seq issued_position = 0;                            // durable plus what was given out to be stored
  Hash128 issued_chain;                               // chain(issued_position)
  std::deque<std::pair<Seq, Hash128>> issued_chains;  // of the seqs above durable
  std::size_t outstanding = 0;
  bool broken = false;  // a store failed: nothing more is given out before all have come back
  std::vector<Waiter> waiters;
  std::vector<WaitingHello> hellos;
  std::map<Seq, Held> held;       // by first seq
  Connection::Part planted_part;  // of Planted::kPartSurvivesClose alone

  void forget_connection(ConnectionId c) {
    std::erase_if(waiters, [c](const Waiter& w) { return w.connection == c; });
    std::erase_if(hellos, [c](const WaitingHello& w) { return w.connection == c; });
    std::erase_if(held, [c](const auto& h) { return h.second.connection == c; });
  }
  void forget_session() {
    open_in = 0;
    waiters.clear();
    hellos.clear();
    held.clear();
  }
};

// What waits for a store request.
struct ReceiverLink::Pending {
  enum Kind : std::uint8_t { kSession, kOpen, kBatches, kGap, kEnd };
  struct Waiter {
    ConnectionId connection = 0;
    std::uint64_t slot = 0;
  };
  Kind kind = kBatches;
  Id journal;
  StreamId stream = 0;
  std::uint64_t session = 0;
  std::vector<Waiter> waiters;
  MemoryCharge charge;  // of what the store holds until then
};

}  // namespace tidegate
