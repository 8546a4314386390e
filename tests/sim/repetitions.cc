// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/repetitions.h"

#include "protocol/frame/outer_frame.h"
#include "protocol/native/messages.h"

namespace tidegate::sim {

void Repetitions::frame(std::uint64_t connection, ByteView whole) {
  Connection& c = connections_[connection];
  if (c.spoilt) return;
  Bytes scratch;
  const auto message = decode_message(whole.subspan(kOuterHeaderBytes), &scratch);
  Frame frame;
  frame.arrived = ++arrived_;
  if (message.ok()) {
    frame.stream = message->header.stream;
    if (const auto* hello = std::get_if<LinkHello>(&message->body)) c.journal = hello->journal;
    if (const auto* batch = std::get_if<BatchFrame>(&message->body)) {
      frame.first = batch->first_seq;
      frame.batches = batch->hashes.size();
    }
    if (const auto* part = std::get_if<PartFrame>(&message->body); part != nullptr && part->is_final()) {
      frame.first = part->seq;
      frame.batches = 1;
    }
  }
  at_most_ += frame.batches;
  c.owed.push_back(frame);
}

void Repetitions::answer(std::uint64_t connection, bool ok) {
  Connection& c = connections_[connection];
  if (c.owed.empty()) return;  // to a damaged frame
  if (ok) certain_ += c.owed.front().batches - c.owed.front().stored;
  c.owed.pop_front();
}

// Of two frames with the same batches the later one: what was held of an earlier session was dropped.
void Repetitions::stored(const StoreBatches& request) {
  Frame* from = nullptr;
  for (auto& [number, connection] : connections_) {
    if (connection.journal != request.journal) continue;
    for (Frame& frame : connection.owed) {
      const bool same = frame.stream == request.stream && frame.first == request.first_seq &&
                        frame.batches == request.hashes.size() && frame.stored == 0;
      if (same && (from == nullptr || frame.arrived > from->arrived)) from = &frame;
    }
  }
  if (from == nullptr) return;
  from->stored = request.hashes.size() - request.skip;
  at_most_ -= from->stored;
}

}  // namespace tidegate::sim
