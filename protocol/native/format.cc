// SPDX-License-Identifier: Apache-2.0
#include "protocol/native/format.h"

namespace tidegate {

const char* reason_text(Reason reason) {
  switch (reason) {
    case Reason::kNone:
      return "no reason is kept";
    case Reason::kDamaged:
      return "the frame arrived damaged";
    case Reason::kNotContiguous:
      return "the frame does not follow what the receiver has";
    case Reason::kDiverged:
      return "the receiver has other content under this number";
    case Reason::kBehind:
      return "the receiver has less than the sender says";
    case Reason::kStorage:
      return "the receiver cannot store: disk full or failing";
    case Reason::kFenced:
      return "another sender with this identity has taken over";
    case Reason::kGeneration:
      return "the receiver knows a later generation of this stream";
    case Reason::kNotAuthorised:
      return "the receiver does not accept this sender or journal";
    case Reason::kWrongReceiver:
      return "this is another receiver than the configured one";
    case Reason::kVersion:
      return "the receiver does not know this version, feature, codec or frame kind";
    case Reason::kTooLarge:
      return "the batch is larger than the receiver accepts";
    case Reason::kChainUnknown:
      return "the receiver no longer keeps the chain at this number";
  }
  return "unknown reason";
}

Hash128 chain_zero(const Id& journal, StreamId stream) {
  Bytes input;
  ByteWriter writer(input);
  writer.bytes(as_bytes("TGCH"));
  writer.u8(kHashIdXxh3);
  writer.bytes(journal.view());
  writer.u16(stream);
  return xxh3_128(input);
}

Hash128 chain_next(const Hash128& previous, Seq n, const Hash128& content) {
  std::array<std::uint8_t, 40> input;
  std::memcpy(input.data(), previous.bytes.data(), 16);
  std::memcpy(input.data() + 16, &n, 8);
  std::memcpy(input.data() + 24, content.bytes.data(), 16);
  return xxh3_128(input);
}

}  // namespace tidegate
