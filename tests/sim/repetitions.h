// SPDX-License-Identifier: Apache-2.0
// What came again, heard from outside the code under test: frames as they reach the receiver, the answers it
// gives, and what it has stored of them. A batch that was answered `ok` without being stored from that frame
// came again.
//
// Counts are of one life of the receiver's process.
#pragma once

#include <cstdint>
#include <deque>
#include <map>

#include "protocol/native/receiver_store.h"

namespace tidegate::sim {

class Repetitions {
 public:
  // ---- on the wire; `connection` is the receiver's socket
  void frame(std::uint64_t connection, ByteView whole);  // reaches the receiver as it was sent
  // Not as it was sent: nothing of this connection is taken by the receiver from here on.
  void damaged(std::uint64_t connection) { connections_[connection].spoilt = true; }
  void answer(std::uint64_t connection, bool ok);
  void closed(std::uint64_t connection) { connections_.erase(connection); }
  // ---- and behind it
  void stored(const StoreBatches& request);
  void restarted() { *this = {}; }

  std::uint64_t certain() const { return certain_; }  // in frames that were answered `ok`
  std::uint64_t at_most() const { return at_most_; }  // in all frames that arrived

 private:
  struct Frame {
    StreamId stream = 0;
    Seq first = 0;
    std::uint64_t batches = 0;  // 0: no frame of batches
    std::uint64_t stored = 0;
    std::uint64_t arrived = 0;
  };
  struct Connection {
    Id journal;
    bool spoilt = false;
    std::deque<Frame> owed;  // an answer
  };
  std::map<std::uint64_t, Connection> connections_;
  std::uint64_t arrived_ = 0;
  std::uint64_t certain_ = 0;
  std::uint64_t at_most_ = 0;
};

}  // namespace tidegate::sim
