// SPDX-License-Identifier: Apache-2.0
#include "protocol/native/messages.h"

namespace tidegate {
namespace {

constexpr std::size_t kClaimBytes = 2 + 8 + 16;

void encode(ByteWriter& w, const Probe& m) {
  w.u8(m.expect_ok ? 1 : 0);
}

void encode(ByteWriter& w, const LinkHello& m) {
  w.u8(m.min_version);
  w.u8(m.max_version);
  w.u8(m.hash_id);
  w.u8(m.lanes);
  w.u64(m.required_features);
  w.u64(m.optional_features);
  w.u64(m.codecs);
  w.u32(m.largest_part_total);
  w.bytes(m.receiver_expected.view());
  w.bytes(m.sender.view());
  w.bytes(m.journal.view());
  w.u64(m.nonce);
  w.i64(m.clock_micros);
  w.str32(m.label);
}

void encode(ByteWriter& w, const StreamHello& m) {
  w.u32(m.generation);
  w.u64(m.base);
  w.bytes(m.base_chain.view());
  w.u64(m.confirmed);
  w.bytes(m.confirmed_chain.view());
  w.u64(m.head);
  w.str32(m.label);
  w.u32(static_cast<std::uint32_t>(m.attributes.size()));
  for (const auto& [key, value] : m.attributes) {
    w.str32(key);
    w.str32(value);
  }
}

void encode(ByteWriter& w, const BatchFrame& m) {
  w.u64(m.first_seq);
  w.bytes(m.previous_chain.view());
  w.u32(static_cast<std::uint32_t>(m.hashes.size()));
  for (const Hash128& hash : m.hashes) w.bytes(hash.view());
  w.u8(static_cast<std::uint8_t>(m.hops.size()));
  for (const Id& hop : m.hops) w.bytes(hop.view());
  w.u8(m.codec);
  w.u32(m.decoded_size);
  w.bytes(m.container);
}

void encode(ByteWriter& w, const PartFrame& m) {
  w.u64(m.seq);
  w.u32(m.offset);
  w.u32(m.total);
  w.bytes(m.bytes);
}

void encode(ByteWriter& w, const GapFrame& m) {
  w.u64(m.from);
  w.u64(m.to);
  w.bytes(m.previous_chain.view());
  w.bytes(m.chain_after.view());
  w.u8(m.reason);
  w.u64(m.events);
  w.i64(m.time_min);
  w.i64(m.time_max);
}

void encode(ByteWriter& w, const Ask& m) {
  w.u8(static_cast<std::uint8_t>(m.predicate));
  w.u8(m.negated ? 1 : 0);
  switch (m.predicate) {
    case Predicate::kPositionAtLeast:
      w.u64(m.number);
      break;
    case Predicate::kReason:
    case Predicate::kRoomAtLeast:
      w.u8(static_cast<std::uint8_t>(m.number));
      break;
    case Predicate::kChainAt:
      w.u32(static_cast<std::uint32_t>(m.claims.size()));
      for (const ChainClaim& claim : m.claims) {
        w.u16(claim.stream);
        w.u64(claim.seq);
        w.bytes(claim.chain.view());
      }
      break;
  }
}

void encode(ByteWriter& w, const Beat& m) {
  w.i64(m.clock_micros);
  w.str32(m.json);
}

void encode(ByteWriter& w, const End& m) {
  w.str32(m.reason);
}
void encode(ByteWriter&, const UnknownKind&) {}

bool flag(ByteReader& r) {
  const std::uint8_t v = r.u8();
  if (v > 1) r.fail();
  return v == 1;
}

LinkHello decode_link_hello(ByteReader& r) {
  LinkHello m;
  m.min_version = r.u8();
  m.max_version = r.u8();
  m.hash_id = r.u8();
  m.lanes = r.u8();
  m.required_features = r.u64();
  m.optional_features = r.u64();
  m.codecs = r.u64();
  m.largest_part_total = r.u32();
  m.receiver_expected = read16(r);
  m.sender = read16(r);
  m.journal = read16(r);
  m.nonce = r.u64();
  m.clock_micros = r.i64();
  m.label = r.str32();
  return m;
}

StreamHello decode_stream_hello(ByteReader& r) {
  StreamHello m;
  m.generation = r.u32();
  m.base = r.u64();
  m.base_chain = read16(r);
  m.confirmed = r.u64();
  m.confirmed_chain = read16(r);
  m.head = r.u64();
  m.label = r.str32();
  const std::uint32_t count = r.count32(8);
  m.attributes.reserve(count);
  for (std::uint32_t i = 0; i < count && r.ok(); ++i) {
    std::string key(r.str32());
    m.attributes.emplace_back(std::move(key), std::string(r.str32()));
  }
  return m;
}

BatchFrame decode_batch(ByteReader& r) {
  BatchFrame m;
  m.first_seq = r.u64();
  m.previous_chain = read16(r);
  const std::uint32_t hashes = r.count32(16);
  m.hashes.reserve(hashes);
  for (std::uint32_t i = 0; i < hashes; ++i) m.hashes.push_back(read16(r));
  const std::uint8_t hops = r.u8();
  if (hops > kMaxHops) r.fail();
  for (std::uint8_t i = 0; i < hops && r.ok(); ++i) m.hops.push_back(read16(r));
  m.codec = r.u8();
  m.decoded_size = r.u32();
  m.container = r.rest();
  // An empty list, seq 0 and numbers that run over name no batch.
  if (m.hashes.empty() || m.first_seq == 0 || m.first_seq + m.hashes.size() - 1 < m.first_seq) r.fail();
  return m;
}

PartFrame decode_part(ByteReader& r) {
  PartFrame m;
  m.seq = r.u64();
  m.offset = r.u32();
  m.total = r.u32();
  m.bytes = r.rest();
  if (m.seq == 0 || m.bytes.empty() || std::uint64_t{m.offset} + m.bytes.size() > m.total) r.fail();
  return m;
}

GapFrame decode_gap(ByteReader& r) {
  GapFrame m;
  m.from = r.u64();
  m.to = r.u64();
  m.previous_chain = read16(r);
  m.chain_after = read16(r);
  m.reason = r.u8();
  m.events = r.u64();
  m.time_min = r.i64();
  m.time_max = r.i64();
  if (m.from == 0 || m.to < m.from || m.to == UINT64_MAX) r.fail();  // a batch must be able to follow
  return m;
}

Ask decode_ask(ByteReader& r) {
  Ask m;
  m.predicate = static_cast<Predicate>(r.u8());
  m.negated = flag(r);
  switch (m.predicate) {
    case Predicate::kPositionAtLeast:
      m.number = r.u64();
      break;
    case Predicate::kReason:
    case Predicate::kRoomAtLeast:
      m.number = r.u8();
      break;
    case Predicate::kChainAt: {
      const std::uint32_t count = r.count32(kClaimBytes);
      m.claims.reserve(count);
      for (std::uint32_t i = 0; i < count; ++i) {
        ChainClaim claim;
        claim.stream = r.u16();
        claim.seq = r.u64();
        claim.chain = read16(r);
        m.claims.push_back(claim);
      }
      break;
    }
    default:
      r.rest();
      break;  // a predicate that is not known: cannot be evaluated, which is `fail` to q and to not-q
  }
  return m;
}

MessageBody decode_body(std::uint8_t kind, StreamId stream, ByteReader& r) {
  switch (static_cast<FrameKind>(kind)) {
    case FrameKind::kProbe:
      return Probe{flag(r)};
    case FrameKind::kHello:
      if (stream == 0) return decode_link_hello(r);
      return decode_stream_hello(r);
    case FrameKind::kBatch:
      return decode_batch(r);
    case FrameKind::kPart:
      return decode_part(r);
    case FrameKind::kGap:
      return decode_gap(r);
    case FrameKind::kAsk:
      return decode_ask(r);
    case FrameKind::kBeat: {
      Beat m;
      m.clock_micros = r.i64();
      m.json = r.str32();
      if (m.json.size() > kMaxBeatJson) r.fail();
      return m;
    }
    case FrameKind::kEnd:
      return End{std::string(r.str32())};
    case FrameKind::kSealed:
      break;
  }
  r.rest();
  return UnknownKind{kind};
}

std::uint8_t kind_of(const MessageBody& body) {
  struct Visitor {
    FrameKind operator()(const Probe&) const { return FrameKind::kProbe; }
    FrameKind operator()(const LinkHello&) const { return FrameKind::kHello; }
    FrameKind operator()(const StreamHello&) const { return FrameKind::kHello; }
    FrameKind operator()(const BatchFrame&) const { return FrameKind::kBatch; }
    FrameKind operator()(const PartFrame&) const { return FrameKind::kPart; }
    FrameKind operator()(const GapFrame&) const { return FrameKind::kGap; }
    FrameKind operator()(const Ask&) const { return FrameKind::kAsk; }
    FrameKind operator()(const Beat&) const { return FrameKind::kBeat; }
    FrameKind operator()(const End&) const { return FrameKind::kEnd; }
    FrameKind operator()(const UnknownKind& m) const { return static_cast<FrameKind>(m.kind); }
  };
  return static_cast<std::uint8_t>(std::visit(Visitor{}, body));
}

}  // namespace

std::uint64_t split_mix64(std::uint64_t* state) {
  std::uint64_t z = (*state += 0x9e3779b97f4a7c15ULL);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

void apply_salt(std::uint32_t salt, std::span<std::uint8_t> bytes) {
  if (salt == 0) return;
  std::uint64_t state = salt;
  for (std::size_t i = 0; i < bytes.size(); i += 8) {
    const std::uint64_t key = split_mix64(&state);
    const std::size_t count = std::min<std::size_t>(8, bytes.size() - i);
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data() + i, count);
    word ^= key;
    std::memcpy(bytes.data() + i, &word, count);
  }
}

Bytes encode_batch_body(const BatchFrame& batch) {
  Bytes out;
  out.reserve(batch_body_overhead(batch.hashes.size(), batch.hops.size()) + batch.container.size());
  ByteWriter writer(out);
  encode(writer, batch);
  return out;
}

Result<BatchFrame> decode_batch_body(ByteView body) {
  ByteReader reader(body);
  BatchFrame batch = decode_batch(reader);
  if (!reader.ok()) return make_error(ErrorCode::kMalformed, "the body of a batch frame");
  return batch;
}

Bytes encode_message(NativeHeader header, const MessageBody& body) {
  Bytes out;
  if (const auto* batch = std::get_if<BatchFrame>(&body))
    out.reserve(kNativeHeaderBytes + batch_body_overhead(batch->hashes.size(), batch->hops.size()) +
                batch->container.size());
  ByteWriter w(out);
  w.u8(kNativeVersion);
  w.u8(kind_of(body));
  w.u16(0);
  w.u64(header.session);
  w.u16(header.stream);
  w.u8(header.lane);
  w.u8(0);
  w.u32(header.frame_number);
  w.u32(header.salt);
  std::visit([&w](const auto& m) { encode(w, m); }, body);
  apply_salt(header.salt, std::span(out).subspan(kNativeHeaderBytes));
  return out;
}

Result<Message> decode_message(ByteView payload, Bytes* scratch, NativeHeader* header_out) {
  ByteReader r(payload);
  Message message;
  NativeHeader& h = message.header;
  const std::uint8_t version = r.u8();
  const std::uint8_t kind = r.u8();
  r.u16();  // flags: none is defined, senders write 0
  h.kind = static_cast<FrameKind>(kind);
  h.session = r.u64();
  h.stream = r.u16();
  h.lane = r.u8();
  r.u8();
  h.frame_number = r.u32();
  h.salt = r.u32();
  if (!r.ok()) return make_error(ErrorCode::kTruncated, "the frame is shorter than its header");
  if (version != kNativeVersion)
    return make_error(ErrorCode::kUnsupported, "payload version " + std::to_string(version));
  if (header_out != nullptr) *header_out = h;
  ByteView body = payload.subspan(kNativeHeaderBytes);
  if (h.salt != 0) {
    scratch->assign(body.begin(), body.end());
    apply_salt(h.salt, *scratch);
    body = *scratch;
  }
  ByteReader reader(body);
  message.body = decode_body(kind, h.stream, reader);
  if (!reader.ok() || !reader.at_end())
    return make_error(ErrorCode::kMalformed, "the body of frame kind " + std::to_string(kind));
  return message;
}

}  // namespace tidegate
