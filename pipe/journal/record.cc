// SPDX-License-Identifier: Apache-2.0
#include "pipe/journal/record.h"

#include <algorithm>
#include <cassert>

namespace tidegate {

using namespace journal_format;

namespace {

constexpr std::size_t kHeaderCrcAt = kRecordHeaderSize - 4;
constexpr std::size_t kSegmentCrcAt = kSegmentHeaderSize - 4;

template <class T>
void store(std::uint8_t* at, T value) {
  std::memcpy(at, &value, sizeof(value));
}

std::uint32_t header_crc(const std::uint8_t* header, std::uint32_t seed, std::uint64_t offset) {
  std::uint8_t place[8];
  store(place, offset);
  return crc32({header, kHeaderCrcAt}, crc32(place, seed));
}

Error bad_meta(const char* kind) {
  return make_error(ErrorCode::kMalformed,
                    std::string("the meta of a ") + kind + " record has another size than its kind needs");
}

// The meta is larger in a later version: known fields come first, the rest is ignored.
Result<ByteReader> meta_reader(ByteView meta, std::uint32_t least, const char* kind) {
  if (meta.size() < least) return bad_meta(kind);
  return ByteReader(meta);
}

void write_batches_meta(const RecordMeta& meta, Bytes* out) {
  ByteWriter w(*out);
  w.u8(meta.codec);
  w.u8(static_cast<std::uint8_t>(meta.hops.size()));
  w.u8(meta.origin.has_value() ? 1 : 0);
  w.u8(0);
  w.u32(meta.decoded_size);
  w.u64(meta.events);
  w.u64(meta.values);
  w.i64(meta.time_min);
  w.i64(meta.time_max);
  w.i64(meta.arrival_micros);
  if (meta.origin) {
    w.bytes(meta.origin->journal.view());
    w.u32(meta.origin->generation);
    w.u16(meta.origin->stream);
    w.u16(0);
    w.u64(meta.origin->first_seq);
    w.bytes(meta.origin->chain_before.view());
  }
  for (const Id& hop : meta.hops) w.bytes(hop.view());
  for (const Hash128& hash : meta.hashes) w.bytes(hash.view());
}

// `start`: where the record begins in `out`; header space, meta and payload are already there.
std::uint64_t finish_record(RecordHeader& header, std::size_t start, std::uint32_t seed, std::uint64_t offset,
                            Bytes* out) {
  out->resize(start + header.total_size());
  const ByteView record = ByteView(*out).subspan(start);
  header.meta_crc = crc32(record.subspan(header.body_offset(), header.meta_size));
  header.payload_crc = crc32(record.subspan(header.payload_offset(), header.payload_size));
  patch_record_header(out->data() + start, header, seed, offset);
  return header.total_size();
}

void widen(std::int64_t& low, std::int64_t& high, std::int64_t from, std::int64_t to) {
  const bool first = low > high;
  low = first ? from : std::min(low, from);
  high = first ? to : std::max(high, to);
}

void reserve_more(Bytes* out, std::size_t more) {
  if (out->capacity() - out->size() < more) out->reserve(std::max(out->size() + more, out->capacity() * 2));
}

}  // namespace

void encode_segment_header(const SegmentHeader& header, Bytes* out) {
  const std::size_t start = out->size();
  ByteWriter w(*out);
  w.bytes(as_bytes(kSegmentMagic));
  w.u32(kVersion);
  w.u32(kSegmentHeaderSize);
  w.bytes(header.birth.view());
  w.u64(header.number);
  w.u64(header.first_lsn);
  w.u64(header.previous_end);
  w.i64(header.created_micros);
  w.u32(0);
  w.u32(crc32(ByteView(*out).subspan(start)));
  assert(out->size() - start == kSegmentHeaderSize);
}

Result<SegmentHeader> decode_segment_header(ByteView bytes) {
  if (bytes.size() < kSegmentHeaderSize)
    return make_error(ErrorCode::kTruncated, "the file is shorter than a segment header");
  ByteReader r(bytes.first(kSegmentHeaderSize));
  if (as_text(r.bytes(kSegmentMagic.size())) != kSegmentMagic)
    return make_error(ErrorCode::kMalformed, "the file does not begin as a journal segment");
  const std::uint32_t version = r.u32();
  const std::uint32_t size = r.u32();
  SegmentHeader out;
  out.birth = read16(r);
  out.number = r.u64();
  out.first_lsn = r.u64();
  out.previous_end = r.u64();
  out.created_micros = r.i64();
  r.u32();
  if (r.u32() != crc32(bytes.first(kSegmentCrcAt)))
    return make_error(ErrorCode::kChecksum, "the segment header is damaged");
  if (version != kVersion || size != kSegmentHeaderSize)
    return make_error(ErrorCode::kUnsupported, "the segment has version " + std::to_string(version) +
                                                   ", this program reads " + std::to_string(kVersion));
  return out;
}

std::uint32_t segment_seed(const Id& birth, std::uint64_t number) {
  std::uint8_t bytes[8];
  store(bytes, number);
  return crc32(bytes, crc32(birth.view()));
}

void patch_record_header(std::uint8_t* record, const RecordHeader& header, std::uint32_t seed,
                         std::uint64_t offset) {
  store(record + 0, kRecordMagic);
  store(record + 4, header.kind);
  store(record + 5, header.flags);
  store(record + 6, std::uint16_t{0});
  store(record + 8, header.meta_size);
  store(record + 12, header.payload_size);
  store(record + 16, header.meta_crc);
  store(record + 20, header.payload_crc);
  store(record + 24, header.first_lsn);
  store(record + 32, header.durable_lsn);
  store(record + 40, header.durable_bytes);
  store(record + 48, header.count);
  store(record + 52, header.skip);
  store(record + 56, std::uint32_t{0});
  store(record + kHeaderCrcAt, header_crc(record, seed, offset));
}

RecordHeader peek_record_header(const std::uint8_t* record) {
  ByteReader r({record, kRecordHeaderSize});
  r.u32();
  RecordHeader h;
  h.kind = r.u8();
  h.flags = r.u8();
  r.u16();
  h.meta_size = r.u32();
  h.payload_size = r.u32();
  h.meta_crc = r.u32();
  h.payload_crc = r.u32();
  h.first_lsn = r.u64();
  h.durable_lsn = r.u64();
  h.durable_bytes = r.u64();
  h.count = r.u32();
  h.skip = r.u32();
  return h;
}

std::optional<RecordHeader> decode_record_header(ByteView bytes, std::uint32_t seed, std::uint64_t offset) {
  if (bytes.size() < kRecordHeaderSize) return std::nullopt;
  std::uint32_t magic = 0;
  std::uint32_t crc = 0;
  std::memcpy(&magic, bytes.data(), sizeof(magic));
  if (magic != kRecordMagic) return std::nullopt;
  std::memcpy(&crc, bytes.data() + kHeaderCrcAt, sizeof(crc));
  if (crc != header_crc(bytes.data(), seed, offset)) return std::nullopt;
  const RecordHeader h = peek_record_header(bytes.data());
  if (h.meta_size > kMaxMetaSize || h.payload_size > kMaxPayloadSize) return std::nullopt;
  return h;
}

std::uint64_t encode_record(RecordHeader header, ByteView meta, ByteView payload, std::uint32_t seed,
                            std::uint64_t offset, Bytes* out) {
  const std::size_t start = out->size();
  header.meta_size = static_cast<std::uint32_t>(meta.size());
  header.payload_size = static_cast<std::uint32_t>(payload.size());
  reserve_more(out, header.total_size());
  out->resize(start + kRecordHeaderSize);
  out->insert(out->end(), meta.begin(), meta.end());
  out->insert(out->end(), payload.begin(), payload.end());
  return finish_record(header, start, seed, offset, out);
}

std::uint64_t encode_batches(RecordHeader header, const RecordMeta& meta, ByteView container,
                             std::uint32_t seed, std::uint64_t offset, Bytes* out) {
  const std::size_t start = out->size();
  header.kind = static_cast<std::uint8_t>(RecordKind::kBatches);
  header.first_lsn = meta.first_lsn;
  header.durable_lsn = meta.durable_before;
  header.count = meta.count;
  header.skip = meta.skip;
  header.meta_size = static_cast<std::uint32_t>(kBatchesMetaFixed + (meta.origin ? kOriginSize : 0) +
                                                kIdSize * (meta.hops.size() + meta.hashes.size()));
  header.payload_size = static_cast<std::uint32_t>(container.size());
  reserve_more(out, header.total_size());
  out->resize(start + kRecordHeaderSize);
  write_batches_meta(meta, out);
  assert(out->size() - start == header.payload_offset());
  out->insert(out->end(), container.begin(), container.end());
  return finish_record(header, start, seed, offset, out);
}

Result<RecordMeta> decode_batches_meta(const RecordHeader& header, ByteView meta) {
  TG_TRY(ByteReader r, meta_reader(meta, kBatchesMetaFixed, "batches"));
  RecordMeta out;
  out.first_lsn = header.first_lsn;
  out.durable_before = header.durable_lsn;
  out.count = header.count;
  out.skip = header.skip;
  out.codec = r.u8();
  const std::uint32_t hops = r.u8();
  const bool has_origin = r.u8() == 1;
  r.u8();
  out.decoded_size = r.u32();
  out.events = r.u64();
  out.values = r.u64();
  out.time_min = r.i64();
  out.time_max = r.i64();
  out.arrival_micros = r.i64();
  const std::uint64_t hashes = std::uint64_t{header.count} + header.skip;
  const std::uint64_t expected = (has_origin ? kOriginSize : 0) + kIdSize * (hops + hashes);
  if (header.count == 0 || hops > kMaxHops || r.remaining() != expected) return bad_meta("batches");
  if (has_origin) {
    Origin& origin = out.origin.emplace();
    origin.journal = read16(r);
    origin.generation = r.u32();
    origin.stream = r.u16();
    r.u16();
    origin.first_seq = r.u64();
    origin.chain_before = read16(r);
  }
  out.hops.resize(hops);
  for (Id& hop : out.hops) hop = read16(r);
  out.hashes.resize(hashes);
  for (Hash128& hash : out.hashes) hash = read16(r);
  return out;
}

Bytes encode_checkpoint_meta(const CheckpointMeta& meta) {
  Bytes out;
  ByteWriter w(out);
  w.u64(meta.number);
  w.u64(meta.previous_end);
  w.u64(meta.keep_number);
  w.u64(meta.keep_lsn);
  w.u64(meta.covers);
  w.i64(meta.written_micros);
  return out;
}

Result<CheckpointMeta> decode_checkpoint_meta(ByteView meta) {
  TG_TRY(ByteReader r, meta_reader(meta, kCheckpointMetaSize, "checkpoint"));
  CheckpointMeta out;
  out.number = r.u64();
  out.previous_end = r.u64();
  out.keep_number = r.u64();
  out.keep_lsn = r.u64();
  out.covers = r.u64();
  out.written_micros = r.i64();
  return out;
}

Bytes encode_note_meta(std::uint8_t type) {
  Bytes out(kNoteMetaSize);
  out[0] = type;
  return out;
}

Result<std::uint8_t> decode_note_meta(ByteView meta) {
  TG_TRY(ByteReader r, meta_reader(meta, kNoteMetaSize, "note"));
  return r.u8();
}

Bytes encode_may_delete(const MayDelete& note) {
  Bytes out;
  ByteWriter w(out);
  w.u64(note.keep_number);
  w.u64(note.keep_lsn);
  return out;
}

Result<MayDelete> decode_may_delete(ByteView body) {
  TG_TRY(ByteReader r, meta_reader(body, 16, "may-delete note"));
  MayDelete out;
  out.keep_number = r.u64();
  out.keep_lsn = r.u64();
  return out;
}

void SegmentTotals::add(const RecordMeta& meta) {
  ++records;
  last_lsn = meta.last_lsn();
  events += meta.events;
  values += meta.values;
  if (meta.time_min <= meta.time_max) {
    widen(time_min, time_max, meta.time_min, meta.time_max);
  }
  widen(arrival_min, arrival_max, meta.arrival_micros, meta.arrival_micros);
}

Bytes encode_footer_meta(const SegmentTotals& t) {
  Bytes out;
  ByteWriter w(out);
  for (const std::uint64_t v : {t.last_lsn, t.records, t.others, t.events, t.values}) w.u64(v);
  for (const std::int64_t v : {t.time_min, t.time_max, t.arrival_min, t.arrival_max}) w.i64(v);
  return out;
}

Result<SegmentTotals> decode_footer_meta(ByteView meta) {
  TG_TRY(ByteReader r, meta_reader(meta, kFooterMetaSize, "footer"));
  SegmentTotals t;
  for (std::uint64_t* v : {&t.last_lsn, &t.records, &t.others, &t.events, &t.values}) *v = r.u64();
  for (std::int64_t* v : {&t.time_min, &t.time_max, &t.arrival_min, &t.arrival_max}) *v = r.i64();
  return t;
}

}  // namespace tidegate
