// SPDX-License-Identifier: Apache-2.0
#include "pipe/journal/record.h"

#include <gtest/gtest.h>

#include "pipe/journal/segment_file.h"

namespace tidegate {
namespace {

using namespace journal_format;

constexpr std::uint32_t kSeed = 0x12345678;

Bytes a_record(std::uint64_t offset) {
  RecordHeader header;
  header.kind = static_cast<std::uint8_t>(RecordKind::kNote);
  header.first_lsn = 7;
  header.durable_lsn = 6;
  header.durable_bytes = 500;
  Bytes out;
  encode_record(header, encode_note_meta(16), as_bytes("body"), kSeed, offset, &out);
  return out;
}

TEST(JournalRecord, HeaderComesBackAtItsOwnPlaceOnly) {
  const Bytes record = a_record(800);
  EXPECT_EQ(record.size() % kAlignment, 0U);
  const auto header = decode_record_header(record, kSeed, 800);
  ASSERT_TRUE(header.has_value());
  EXPECT_EQ(header->total_size(), record.size());
  EXPECT_EQ(std::tuple(header->first_lsn, header->durable_lsn, header->durable_bytes),
            std::tuple(7U, 6U, 500U));
  EXPECT_FALSE(decode_record_header(record, kSeed, 808).has_value());
  EXPECT_FALSE(decode_record_header(record, kSeed + 1, 800).has_value());
}

TEST(JournalRecord, AnyFlippedBitOfAHeaderIsFound) {
  Bytes record = a_record(800);
  for (std::size_t bit = 0; bit < kRecordHeaderSize * 8; ++bit) {
    record[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
    EXPECT_FALSE(decode_record_header(record, kSeed, 800).has_value()) << bit;
    record[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
  }
}

TEST(JournalRecord, AHeaderIsRefusedWhenItIsCutOff) {
  const Bytes record = a_record(0);
  for (std::size_t size = 0; size < kRecordHeaderSize; ++size)
    EXPECT_FALSE(decode_record_header(ByteView(record).first(size), kSeed, 0).has_value());
}

TEST(JournalRecord, BatchesMetaOfAnotherSizeIsRefused) {
  RecordMeta meta;
  meta.first_lsn = 1;
  meta.count = 2;
  meta.skip = 1;
  meta.origin.emplace();
  meta.hops.resize(3);
  meta.hashes.resize(3);
  Bytes record;
  encode_batches({}, meta, as_bytes("container"), kSeed, 0, &record);
  const RecordHeader header = *decode_record_header(record, kSeed, 0);
  const ByteView bytes = ByteView(record).subspan(kRecordHeaderSize, header.meta_size);
  EXPECT_TRUE(decode_batches_meta(header, bytes).ok());
  for (std::size_t size = 0; size < bytes.size(); ++size)
    EXPECT_FALSE(decode_batches_meta(header, bytes.first(size)).ok());
}

TEST(JournalRecord, ASegmentHeaderWithAnyFlippedBitIsRefused) {
  Bytes bytes;
  encode_segment_header({Id{{1}}, 2, 3, 4, 5}, &bytes);
  ASSERT_EQ(bytes.size(), kSegmentHeaderSize);
  const auto header = decode_segment_header(bytes);
  ASSERT_TRUE(header.ok());
  EXPECT_EQ(std::tuple(header->number, header->first_lsn, header->previous_end), std::tuple(2U, 3U, 4U));
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    bytes[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
    EXPECT_FALSE(decode_segment_header(bytes).ok()) << bit;
    bytes[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
  }
}

TEST(JournalRecord, TotalsKeepTheWidestRange) {
  SegmentTotals totals;
  RecordMeta meta;
  meta.count = 1;
  meta.time_min = -200;
  meta.time_max = -100;
  meta.arrival_micros = 5;
  totals.add(meta);
  meta.time_min = 1;
  meta.time_max = 0;  // none
  totals.add(meta);
  meta.time_min = meta.time_max = -300;
  totals.add(meta);
  const SegmentTotals back = decode_footer_meta(encode_footer_meta(totals)).value();
  EXPECT_EQ(std::tuple(back.records, back.time_min, back.time_max, back.arrival_min),
            std::tuple(3U, -300, -100, 5));
}

TEST(JournalNames, SortByNumberAndCarryTheFirstLsn) {
  const SegmentName name{12, 345};
  EXPECT_EQ(segment_file_name(name), "segment-0000000012-00000000000000000345.tgj");
  EXPECT_EQ(parse_segment_name(segment_file_name(name)), name);
  const SegmentName large{12345678901, ~Lsn{0}};
  EXPECT_EQ(parse_segment_name(segment_file_name(large)), large);
}

TEST(JournalNames, OtherFilesAreNotSegments) {
  for (const char* name :
       {"", "lock", "segment-1-2.tgj", "segment-0000000001-00000000000000000001.tgj.tmp",
        "segment-0000000000-00000000000000000001.tgj", "segment-0000000001-00000000000000000000.tgj",
        "segment-000000000x-00000000000000000001.tgj", "segment-0000000001-99999999999999999999.tgj"})
    EXPECT_FALSE(parse_segment_name(name).has_value()) << name;
}

}  // namespace
}  // namespace tidegate
