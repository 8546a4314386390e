// SPDX-License-Identifier: Apache-2.0
// The messages of the native dialect: values with encode and decode. Format: doc/wire_format.md.
//
// A message on the wire is: outer frame( header 24 bytes, body XORed with the salt's key stream ). `sealed`
// (kind 9) is reserved; it and every unknown kind decode to UnknownKind. Decoding checks every length before
// it allocates.
#pragma once

#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/result.h"
#include "protocol/native/format.h"

namespace tidegate {

struct NativeHeader {
  FrameKind kind = FrameKind::kProbe;
  std::uint64_t session = 0;
  StreamId stream = 0;
  std::uint8_t lane = 0;
  std::uint32_t frame_number = 0;  // per connection, from 1
  std::uint32_t salt = 0;          // 0: plain
};

struct Probe {
  bool expect_ok = true;
};

struct LinkHello {
  std::uint8_t min_version = kNativeVersion;
  std::uint8_t max_version = kNativeVersion;
  std::uint8_t hash_id = kHashIdXxh3;
  std::uint8_t lanes = 1;
  std::uint64_t required_features = 0;
  std::uint64_t optional_features = 0;
  std::uint64_t codecs = 0;  // bit per id
  std::uint32_t largest_part_total = kDefaultPartTotal;
  Id receiver_expected;  // zeros: any
  Id sender;
  Id journal;
  std::uint64_t nonce = 0;  // random, one per session
  std::int64_t clock_micros = 0;
  std::string label;
};

struct StreamHello {
  std::uint32_t generation = 1;
  Seq base = 0;
  Hash128 base_chain;
  Seq confirmed = 0;
  Hash128 confirmed_chain;
  Seq head = 0;  // 0: unknown; for display
  std::string label;
  std::vector<std::pair<std::string, std::string>> attributes;
};

// `container` is a view: into what was decoded, or what the caller keeps alive until it is encoded.
struct BatchFrame {
  Seq first_seq = 0;
  Hash128 previous_chain;
  std::vector<Hash128> hashes;
  std::vector<Id> hops;
  std::uint8_t codec = 0;
  std::uint32_t decoded_size = 0;
  ByteView container;
  Seq last_seq() const { return first_seq + hashes.size() - 1; }
};

struct PartFrame {
  Seq seq = 0;
  std::uint32_t offset = 0;
  std::uint32_t total = 0;  // size of the whole batch-frame body
  ByteView bytes;
  bool is_final() const { return std::uint64_t{offset} + bytes.size() == total; }
};

struct GapFrame {
  Seq from = 0;
  Seq to = 0;
  Hash128 previous_chain;  // chain(from - 1)
  Hash128 chain_after;     // chain(to)
  std::uint8_t reason = 0;
  std::uint64_t events = 0;
  std::int64_t time_min = 0;
  std::int64_t time_max = 0;
};

struct ChainClaim {
  StreamId stream = 0;
  Seq seq = 0;
  Hash128 chain;
  bool operator==(const ChainClaim&) const = default;
};

struct Ask {
  Predicate predicate = Predicate::kPositionAtLeast;
  bool negated = false;
  std::uint64_t number = 0;        // position, reason or exponent k
  std::vector<ChainClaim> claims;  // kChainAt
  bool same_question(const Ask& o) const {
    return predicate == o.predicate && number == o.number && claims == o.claims;
  }
};

struct Beat {
  std::int64_t clock_micros = 0;
  std::string json;  // at most 64 KiB
};

struct End {
  std::string reason;
};

struct UnknownKind {
  std::uint8_t kind = 0;
};

using MessageBody =
    std::variant<Probe, LinkHello, StreamHello, BatchFrame, PartFrame, GapFrame, Ask, Beat, End, UnknownKind>;

struct Message {
  NativeHeader header;
  MessageBody body;
};

// Bodies alone: the batch body is what parts are slices of.
Bytes encode_batch_body(const BatchFrame& batch);
Result<BatchFrame> decode_batch_body(ByteView body);
// Bytes of a batch frame's body without its container.
constexpr std::size_t batch_body_overhead(std::size_t batches, std::size_t hops) {
  return kBatchFixedBytes + 16 * batches + 16 * hops;
}

// The payload of an outer frame. header.kind is set from the body (an UnknownKind keeps its own).
Bytes encode_message(NativeHeader header, const MessageBody& body);
// `scratch` receives the unmasked body when there is a salt; views in the message point into it or into
// `payload`. kUnsupported: not a version of this dialect. kMalformed, kTruncated, kTooLarge: the header, if
// readable, is in *header.
Result<Message> decode_message(ByteView payload, Bytes* scratch, NativeHeader* header = nullptr);

// XORs with the SplitMix64 key stream of the salt, 8 bytes a step, little-endian. Its own inverse; salt 0
// changes nothing.
void apply_salt(std::uint32_t salt, std::span<std::uint8_t> bytes);
std::uint64_t split_mix64(std::uint64_t* state);

}  // namespace tidegate
