// SPDX-License-Identifier: Apache-2.0
// Any bytes as the payload of a frame. What decodes is bounded by its input, survives encoding again, and
// says the same afterwards.
#include <algorithm>
#include <cstdlib>

#include "protocol/native/messages.h"

namespace tidegate {
namespace {

void expect(bool condition) {
  if (!condition) std::abort();
}

// Bytes that a decoder may leave out: flags and the reserved byte are not looked at, unknown bodies dropped.
bool rewrites_all(const Message& message, ByteView payload) {
  if (std::holds_alternative<UnknownKind>(message.body)) return false;
  if (const auto* ask = std::get_if<Ask>(&message.body)) {
    const auto p = static_cast<std::uint8_t>(ask->predicate);
    if (p != 1 && p != 2 && p != 4 && p != 5) return false;
  }
  return payload[2] == 0 && payload[3] == 0 && payload[15] == 0;
}

}  // namespace
}  // namespace tidegate

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tidegate;
  const ByteView payload(data, size);
  Bytes scratch, scratch_again;
  NativeHeader header;
  const auto message = decode_message(payload, &scratch, &header);
  if (!message.ok()) return 0;
  if (const auto* batch = std::get_if<BatchFrame>(&message->body)) {
    expect(!batch->hashes.empty() && batch->hashes.size() * 16 <= size && batch->hops.size() <= kMaxHops);
    expect(batch->last_seq() >= batch->first_seq && batch->first_seq > 0);
  }
  if (const auto* part = std::get_if<PartFrame>(&message->body))
    expect(std::uint64_t{part->offset} + part->bytes.size() <= part->total);
  const Bytes again = encode_message(message->header, message->body);
  if (rewrites_all(*message, payload)) expect(std::ranges::equal(again, payload));
  const auto twice = decode_message(again, &scratch_again);
  if (twice.ok()) expect(twice->body.index() == message->body.index());
  return 0;
}
