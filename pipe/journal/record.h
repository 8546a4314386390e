// SPDX-License-Identifier: Apache-2.0
// One record and one segment header as values, with encode and decode. Pure: no files.
//
// Format: doc/journal_format.md. The header CRC of a record is seeded with the journal's birth id, the
// segment's number and the record's offset, so a record is accepted only at the place where it was written:
// bytes of another journal that travel as payload can never be taken for a record when a scan resumes inside
// of damage.
#pragma once

#include <optional>

#include "pipe/journal/journal.h"
#include "pipe/journal/journal_format.h"

namespace tidegate {

using journal_format::RecordKind;

struct SegmentHeader {
  Id birth;
  std::uint64_t number = 0;
  Lsn first_lsn = 0;  // of the first batch that this segment may hold
  std::uint64_t previous_end =
      0;  // bytes of the segment before that count; what lies behind is superseded by this one
  std::int64_t created_micros = 0;
};

void encode_segment_header(const SegmentHeader& header, Bytes* out);
// kTruncated, kMalformed (not a segment), kUnsupported (version), kChecksum.
Result<SegmentHeader> decode_segment_header(ByteView bytes);

// What the header CRCs of one segment are seeded with.
std::uint32_t segment_seed(const Id& birth, std::uint64_t number);

struct RecordHeader {
  std::uint8_t kind = 0;  // RecordKind; other values are kept, so that a reader can step over them
  std::uint8_t flags = 0;
  std::uint32_t meta_size = 0;
  std::uint32_t payload_size = 0;
  std::uint32_t meta_crc = 0;
  std::uint32_t payload_crc = 0;
  Lsn first_lsn = 0;                // batches: of the first that counts; else: of the next batch to come
  Lsn durable_lsn = 0;              // known durable when this was written
  std::uint64_t durable_bytes = 0;  // bytes of this segment known durable when this was written
  std::uint32_t count = 0;
  std::uint32_t skip = 0;

  bool is(RecordKind wanted) const { return kind == static_cast<std::uint8_t>(wanted); }
  std::uint64_t body_offset() const { return journal_format::kRecordHeaderSize; }
  std::uint64_t payload_offset() const { return body_offset() + meta_size; }
  std::uint64_t total_size() const { return journal_format::align_up(payload_offset() + payload_size); }
  Lsn next_lsn() const { return first_lsn + count; }  // count is 0 for all kinds but batches
};

// Appends a record that will stand at `offset`: fills in sizes and checksums of `header`. Returns its total
// size.
std::uint64_t encode_record(RecordHeader header, ByteView meta, ByteView payload, std::uint32_t seed,
                            std::uint64_t offset, Bytes* out);
// The same for batches, with the meta taken from `meta` (first_lsn, count and skip included).
std::uint64_t encode_batches(RecordHeader header, const RecordMeta& meta, ByteView container,
                             std::uint32_t seed, std::uint64_t offset, Bytes* out);
// Nothing when the 64 bytes are not the header of a record at this place of this segment.
std::optional<RecordHeader> decode_record_header(ByteView bytes, std::uint32_t seed, std::uint64_t offset);
// The header of a record in our own memory, where nothing is checked. Precondition: 64 bytes.
RecordHeader peek_record_header(const std::uint8_t* record);
// Overwrites the header of an encoded record, for a new place.
void patch_record_header(std::uint8_t* record, const RecordHeader& header, std::uint32_t seed,
                         std::uint64_t offset);

Result<RecordMeta> decode_batches_meta(const RecordHeader& header, ByteView meta);

struct CheckpointMeta {
  std::uint64_t number = 0;
  std::uint64_t previous_end = 0;
  std::uint64_t keep_number = 1;  // segments below may be deleted
  Lsn keep_lsn = 1;               // first LSN of that segment
  Lsn covers = 0;                 // the state contains every batch up to here
  std::int64_t written_micros = 0;
};
Bytes encode_checkpoint_meta(const CheckpointMeta& meta);
Result<CheckpointMeta> decode_checkpoint_meta(ByteView meta);

Bytes encode_note_meta(std::uint8_t type);
Result<std::uint8_t> decode_note_meta(ByteView meta);

struct MayDelete {
  std::uint64_t keep_number = 1;
  Lsn keep_lsn = 1;
};
Bytes encode_may_delete(const MayDelete& note);
Result<MayDelete> decode_may_delete(ByteView body);

// What a segment holds, for its footer and for listings.
struct SegmentTotals {
  Lsn last_lsn = 0;
  std::uint64_t records = 0;  // of batches
  std::uint64_t others = 0;
  std::uint64_t events = 0;
  std::uint64_t values = 0;
  std::int64_t time_min = 0;  // nanoseconds; min > max: none
  std::int64_t time_max = -1;
  std::int64_t arrival_min = 0;  // microseconds; min > max: none
  std::int64_t arrival_max = -1;

  void add(const RecordMeta& meta);
};
Bytes encode_footer_meta(const SegmentTotals& totals);
Result<SegmentTotals> decode_footer_meta(ByteView meta);

}  // namespace tidegate
