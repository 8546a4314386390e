// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pipe/model/batch.h"

namespace tidegate {
namespace {

const BatchHead kHead{TimeUnit::kMillisecond, kFlagByPipeProtocol, "source"};

// The summary that the maker gives is the one that the bytes give.
BatchSummary checked_summary(const Batch& batch) {
  const auto summary = summarize(batch.canonical);
  EXPECT_TRUE(summary.ok()) << summary.error().text();
  EXPECT_EQ(summary->kind, batch.summary.kind);
  EXPECT_EQ(summary->unit, batch.summary.unit);
  EXPECT_EQ(summary->flags, batch.summary.flags);
  EXPECT_EQ(summary->events, batch.summary.events);
  EXPECT_EQ(summary->values, 0U);
  EXPECT_EQ(summary->time_min, batch.summary.time_min);
  EXPECT_EQ(summary->time_max, batch.summary.time_max);
  EXPECT_EQ(xxh3_128(batch.canonical), batch.hash);
  EventKind kind{};
  const auto head = read_head(batch.canonical, &kind);
  EXPECT_EQ(head->source, "source");
  EXPECT_EQ(kind, summary->kind);
  return *summary;
}

TEST(ListKinds, DeletionsKeepPatternsAndRange) {
  const Batch batch = make_batch(kHead, std::vector<Deletion>{{{"root.a.**", ""}, 5, 9}, {{}, -3, 7}});
  const BatchSummary summary = checked_summary(batch);
  EXPECT_EQ(summary.unit, TimeUnit::kMillisecond);
  EXPECT_EQ(summary.flags, kFlagByPipeProtocol);
  EXPECT_EQ(summary.events, 2U);
  EXPECT_EQ(summary.time_min, -3);
  EXPECT_EQ(summary.time_max, 9);
  const auto back = read_deletions(batch.canonical);
  ASSERT_TRUE(back.ok());
  EXPECT_THAT((*back)[0].patterns, testing::ElementsAre("root.a.**", ""));
  EXPECT_EQ((*back)[0].to, 9);
  EXPECT_EQ((*back)[1].from, -3);
}

TEST(ListKinds, OpaqueRequestsKeepProtocolAndBody) {
  for (const EventKind kind : {EventKind::kSchema, EventKind::kOpaque}) {
    const Batch batch = make_batch(kHead, kind, std::vector<Opaque>{{"iotdb-1.3", {0, 1, 255}}, {"", {}}});
    const BatchSummary summary = checked_summary(batch);
    EXPECT_EQ(summary.kind, kind);
    EXPECT_EQ(summary.unit, TimeUnit::kSecond) << "no time stands in it";
    const auto back = read_opaque(batch.canonical);
    ASSERT_TRUE(back.ok());
    EXPECT_EQ((*back)[0].protocol, "iotdb-1.3");
    EXPECT_EQ((*back)[0].body, (Bytes{0, 1, 255}));
    EXPECT_TRUE((*back)[1].body.empty());
  }
}

TEST(ListKinds, FilesKeepHashAndAttributes) {
  FileEvent file{"a/b.tsfile", 1ULL << 40, sha256(as_bytes("x")), {{"z", "1"}, {"a", "2"}}};
  const Batch batch = make_batch(kHead, std::vector{file});
  checked_summary(batch);
  const auto back = read_files(batch.canonical);
  ASSERT_TRUE(back.ok());
  EXPECT_EQ((*back)[0].name, file.name);
  EXPECT_EQ((*back)[0].size, file.size);
  EXPECT_EQ((*back)[0].hash, file.hash);
  EXPECT_EQ((*back)[0].attributes, file.attributes) << "in the order given";
}

TEST(ListKinds, PiecesKeepTheirBytes) {
  const Piece piece{sha256(as_bytes("x")), 4096, Bytes(100, 7)};
  const Batch batch = make_batch(kHead, std::vector{piece, piece});
  EXPECT_EQ(checked_summary(batch).events, 2U);
  const auto back = read_pieces(batch.canonical);
  ASSERT_TRUE(back.ok());
  EXPECT_EQ((*back)[1].file, piece.file);
  EXPECT_EQ((*back)[1].offset, 4096U);
  EXPECT_EQ((*back)[1].bytes, piece.bytes);
}

TEST(ListKinds, GapsAndForksKeepTheirNumbers) {
  const Batch gap = make_batch(kHead, std::vector<GapEvent>{{129, 5, UINT64_MAX, 77, -1, 10}});
  EXPECT_EQ(checked_summary(gap).time_min, -1);
  const auto gaps = read_gaps(gap.canonical);
  ASSERT_TRUE(gaps.ok());
  EXPECT_EQ((*gaps)[0].reason, 129);
  EXPECT_EQ((*gaps)[0].to, UINT64_MAX);
  EXPECT_EQ((*gaps)[0].events, 77U);
  EXPECT_EQ((*gaps)[0].time_max, 10);

  Id journal;
  journal.bytes[15] = 9;
  const Batch fork = make_batch(kHead, std::vector<ForkEvent>{{journal, 3, 2, 100, 120}});
  EXPECT_EQ(checked_summary(fork).unit, TimeUnit::kSecond);
  const auto forks = read_forks(fork.canonical);
  ASSERT_TRUE(forks.ok());
  EXPECT_EQ((*forks)[0].journal, journal);
  EXPECT_EQ((*forks)[0].generation, 2U);
  EXPECT_EQ((*forks)[0].old_last, 120U);
}

TEST(ListKinds, StatisticsKeepOrder) {
  const std::vector<Statistic> pairs{{"rows", "12"}, {"a", ""}};
  const Batch batch = make_batch(kHead, pairs);
  checked_summary(batch);
  EXPECT_EQ(*read_statistics(batch.canonical), pairs);
}

TEST(ListKinds, AReaderRefusesAnotherKind) {
  const Batch batch = make_batch(kHead, std::vector<Statistic>{{"a", "b"}});
  EXPECT_EQ(read_files(batch.canonical).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(for_each_row(batch.canonical, [](const RowView&) { return true; }).error().code,
            ErrorCode::kInvalidArgument);
}

TEST(ListKinds, EveryTruncationIsRefused) {
  const Batch batches[] = {
      make_batch(kHead, std::vector<Deletion>{{{"p", "q"}, 5, 9}}),
      make_batch(kHead, EventKind::kOpaque, std::vector<Opaque>{{"p", {1, 2}}}),
      make_batch(kHead, std::vector<FileEvent>{{"n", 1, {}, {{"k", "v"}}}}),
      make_batch(kHead, std::vector<Piece>{{{}, 1, {1, 2, 3}}}),
      make_batch(kHead, std::vector<GapEvent>{{}}),
      make_batch(kHead, std::vector<ForkEvent>{{}}),
      make_batch(kHead, std::vector<Statistic>{{"k", "v"}}),
  };
  for (const Batch& batch : batches) {
    for (std::size_t size = 0; size < batch.canonical.size(); ++size) {
      EXPECT_EQ(summarize(ByteView(batch.canonical).first(size)).error().code, ErrorCode::kMalformed);
    }
  }
}

}  // namespace
}  // namespace tidegate
