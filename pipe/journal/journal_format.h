// SPDX-License-Identifier: Apache-2.0
// The constants of the journal's files, shared by everything that writes or reads them. The page is
// doc/journal_format.md; its worked example is compared with the writer by a test. Little-endian throughout.
//
//   folder : identity, lock, reserve, quarantine/, segment-<number>-<first LSN>.tgj
//   segment: segment header, checkpoint record, records ..., footer record (only when rolled)
//   record : record header (fixed), meta (by kind), payload, zero bytes up to a multiple of 8
#pragma once

#include <cstdint>
#include <string_view>

namespace tidegate::journal_format {

// ---- names in the folder ----
constexpr std::string_view kIdentityName = "identity";
constexpr std::string_view kLockName = "lock";
constexpr std::string_view kReserveName = "reserve";
constexpr std::string_view kQuarantineName = "quarantine";
constexpr std::string_view kSegmentPrefix = "segment-";
constexpr std::string_view kSegmentSuffix = ".tgj";
constexpr std::string_view kTemporarySuffix = ".tmp";  // a segment that never became visible: removed at open
constexpr int kNumberDigits = 10;                      // decimal, zero-padded, so that names sort by number
constexpr int kLsnDigits = 20;

// ---- segment header ----
constexpr std::string_view kSegmentMagic{"TGJSEG\r\n", 8};
constexpr std::uint32_t kVersion = 1;
constexpr std::uint32_t kSegmentHeaderSize = 8     // magic
                                             + 4   // version
                                             + 4   // size of this header
                                             + 16  // birth id
                                             + 8   // number
                                             + 8   // first LSN
                                             + 8   // previous end
                                             + 8   // created, microseconds
                                             + 4   // reserved
                                             + 4;  // CRC-32 of the 68 bytes before
static_assert(kSegmentHeaderSize == 72);

// ---- record header ----
constexpr std::uint32_t kRecordMagic = 0x524A4754;  // "TGJR"
constexpr std::uint32_t kAlignment = 8;
constexpr std::uint32_t kRecordHeaderSize = 4     // magic
                                            + 1   // kind
                                            + 1   // flags
                                            + 2   // reserved
                                            + 4   // meta size
                                            + 4   // payload size
                                            + 4   // CRC-32 of the meta
                                            + 4   // CRC-32 of the payload
                                            + 8   // first LSN
                                            + 8   // durable LSN
                                            + 8   // durable bytes
                                            + 4   // count
                                            + 4   // skip
                                            + 4   // reserved
                                            + 4;  // header CRC, seeded
static_assert(kRecordHeaderSize == 64);
static_assert(kSegmentHeaderSize % kAlignment == 0 && kRecordHeaderSize % kAlignment == 0);

enum class RecordKind : std::uint8_t {
  kBatches = 1,
  kNote = 2,
  kCheckpoint = 3,
  kSyncMark = 4,
  kFooter = 5,
};

// The record is already contained in the checkpoint that opens its segment: not folded again after that
// checkpoint.
constexpr std::uint8_t kFlagFolded = 1;
// A sync mark written by an orderly stop.
constexpr std::uint8_t kFlagClean = 2;

// ---- meta, by kind ----
constexpr std::uint32_t kBatchesMetaFixed = 1     // codec
                                            + 1   // number of hops
                                            + 1   // 1: an origin follows
                                            + 1   // reserved
                                            + 4   // decoded size
                                            + 8   // events
                                            + 8   // values
                                            + 8   // time min
                                            + 8   // time max
                                            + 8;  // arrival, microseconds
static_assert(kBatchesMetaFixed == 48);
constexpr std::uint32_t kOriginSize = 16     // journal id
                                      + 4    // generation
                                      + 2    // stream
                                      + 2    // reserved
                                      + 8    // first sequence
                                      + 16;  // chain before
static_assert(kOriginSize == 48);
constexpr std::uint32_t kIdSize = 16;  // a hop, a content hash
constexpr std::uint32_t kNoteMetaSize = 8;
constexpr std::uint32_t kCheckpointMetaSize = 8     // segment number
                                              + 8   // previous end
                                              + 8   // first segment number that may still be needed
                                              + 8   // first LSN that may still be needed
                                              + 8   // LSN up to which the state speaks
                                              + 8;  // written, microseconds
static_assert(kCheckpointMetaSize == 48);
constexpr std::uint32_t kFooterMetaSize = 8      // last LSN
                                          + 8    // records of batches
                                          + 8    // other records
                                          + 8    // events
                                          + 8    // values
                                          + 16   // time min, max
                                          + 16;  // arrival min, max
static_assert(kFooterMetaSize == 72);

// ---- notes of the journal itself: below 16; 16 and above belong to the layer above ----
constexpr std::uint8_t kNoteMayDelete = 1;  // u64 first segment number kept, u64 its first LSN
constexpr std::uint8_t kFirstForeignNote = 16;

// ---- limits ----
constexpr std::uint32_t kMaxHops = 8;
constexpr std::uint32_t kMaxBatchesPerRecord = 65'536;  // skipped ones included
constexpr std::uint32_t kMaxMetaSize =
    kBatchesMetaFixed + kOriginSize + (kMaxHops + kMaxBatchesPerRecord) * kIdSize;
constexpr std::uint32_t kMaxPayloadSize = 1U << 30;
constexpr std::uint32_t kMaxNoteSize = 2U << 20;

constexpr std::uint64_t align_up(std::uint64_t size) {
  return (size + kAlignment - 1) / kAlignment * kAlignment;
}

}  // namespace tidegate::journal_format
