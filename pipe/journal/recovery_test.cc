// SPDX-License-Identifier: Apache-2.0
// Torn or damaged, and what is made durable again at open.
#include <algorithm>

#include "pipe/journal/journal_test_rig.h"
#include "pipe/journal/segment_file.h"

namespace tidegate {
namespace {

using namespace journal_format;

class RecoveryTest : public JournalTest {
 protected:
  RecoveryTest() { options.segment_bytes = 1 << 20; }

  // Records of the last segment, in order; found by the scan of the product, on an undamaged file.
  std::vector<ScanItem> records() { return records_of(segment_files().back()); }
  std::vector<ScanItem> records_of(const std::string& path) {
    const auto file = env.files.open(path, OpenMode::kRead).value();
    const SegmentName name = *parse_segment_name(path.substr(3));
    Bytes head(kSegmentHeaderSize);
    EXPECT_EQ(file->read_at(0, head).value(), head.size());
    const Id birth = decode_segment_header(head).value().birth;
    SegmentScanner scanner(*file, segment_seed(birth, name.number), kSegmentHeaderSize, size_of(path));
    std::vector<ScanItem> out;
    for (;;) {
      auto item = scanner.next().value();
      if (!item) return out;
      out.push_back(std::move(*item));
    }
  }
  void rot(std::uint64_t offset, unsigned bit = 2) { rot(segment_files().back(), offset, bit); }
  void rot(const std::string& path, std::uint64_t offset, unsigned bit = 2) {
    const Status done = env.files.rot(path, offset, bit);
    ASSERT_TRUE(done.ok()) << done.error().text();
  }
  // Hits the payload of the n-th record of the last segment (0: the checkpoint).
  void rot_record(std::size_t n) { rot(records().at(n).end - 9); }
  void rot_length(std::size_t n) { rot(records().at(n).offset + 12 + 2); }
  void stop() {
    journal.reset();
    env.files.process_crash();
  }
  using Damage = ChainState::Damage;
};

// Found by the simulator: the process died between the checkpoint with which a trim begins and the note
// behind it.
TEST_F(RecoveryTest, WhatIsWrittenBehindATrimThatDiedInTheMiddleCanBeRead) {
  options.segment_bytes = 4096;
  for (std::uint64_t effects = 1; effects < 12; ++effects) {
    stop();
    env.files.wipe();
    open();
    put_many(40, 300);
    sync();
    ASSERT_GT(segment_files().size(), 2U);
    std::uint64_t left = effects;
    env.files.on_effect([&](EffectKind, const std::string&) {
      if (left > 0 && --left == 0) throw SimCrash{0};
    });
    try {
      (void)journal->trim(10);
    } catch (const SimCrash&) {
    }
    env.files.on_effect({});
    stop();
    open();
    const Lsn first = journal->first_lsn();
    put_many(5);
    sync();
    EXPECT_EQ(read_all(), range(first, 45)) << "died at effect " << effects;
    close_and_open();
    EXPECT_EQ(read_all(), range(first, 45)) << "died at effect " << effects;
    EXPECT_TRUE(journal->recovery().damaged.empty());
  }
}

TEST_F(RecoveryTest, ATornTailIsCutWhenNothingAfterItWasSynced) {
  open();
  put_many(5);
  sync();
  put();
  stop();
  rot_record(6);
  open();
  EXPECT_EQ(journal->head(), 5U);
  EXPECT_GT(journal->recovery().torn_bytes, 0U);
  EXPECT_TRUE(journal->recovery().damaged.empty());
  EXPECT_EQ(read_all(), std::vector<Lsn>(range(1, 5)));
  put();
  EXPECT_EQ(journal->head(), 6U);
}

TEST_F(RecoveryTest, RecordsBehindATornOneAreCutWithIt) {
  open();
  put_many(5);
  sync();
  put_many(3);
  stop();
  rot_record(7);
  open();
  EXPECT_EQ(journal->head(), 6U);
  EXPECT_TRUE(state->damage.empty());
}

TEST_F(RecoveryTest, ABadLastRecordIsDamageWhenASyncMarkStandsBehindIt) {
  open();
  put_many(5);
  sync();
  ASSERT_TRUE(journal->mark_idle().ok());
  stop();
  rot_record(5);
  open();
  EXPECT_EQ(state->damage, (Damage{{5, 5}}));
  EXPECT_EQ(journal->head(), 5U);
  put();
  EXPECT_EQ(journal->head(), 6U) << "the LSN of a damaged record is not used again";
  sync();
  std::vector<std::pair<Lsn, Lsn>> holes;
  EXPECT_EQ(read_all(&holes), (std::vector<Lsn>{1, 2, 3, 4, 6}));
  EXPECT_EQ(holes, (std::vector<std::pair<Lsn, Lsn>>{{5, 5}}));
}

TEST_F(RecoveryTest, ABadRecordIsDamageWhenALaterRecordKnowsThatItWasSynced) {
  open();
  put_many(3);
  sync();
  put_many(2);
  stop();
  rot_record(2);
  open();
  EXPECT_EQ(state->damage, (Damage{{2, 2}}));
  EXPECT_EQ(journal->head(), 5U);
}

TEST_F(RecoveryTest, TheDamagedBytesAreKeptInQuarantine) {
  open();
  put_many(5);
  ASSERT_TRUE(journal->close().ok());
  stop();
  const ScanItem hit = records().at(3);
  rot_record(3);
  open();
  ASSERT_EQ(journal->recovery().damaged.size(), 1U);
  const DamagedRange& range = journal->recovery().damaged[0];
  EXPECT_EQ(std::pair(range.first, range.last), std::pair(Lsn{3}, Lsn{3}));
  EXPECT_EQ(size_of(range.quarantine), hit.end - hit.offset);
  EXPECT_NE(range.segment.find("segment-0000000001"), std::string::npos);
  EXPECT_EQ(journal->damaged().size(), 1U);
}

TEST_F(RecoveryTest, ADamagedLengthDoesNotHideTheRecordsBehindIt) {
  open();
  put_many(6);
  ASSERT_TRUE(journal->close().ok());
  stop();
  rot_length(3);
  open();
  EXPECT_EQ(state->damage, (Damage{{3, 3}}));
  EXPECT_EQ(read_all(), (std::vector<Lsn>{1, 2, 4, 5, 6}));
}

TEST_F(RecoveryTest, SeveralDamagedRangesAreEachReported) {
  open();
  put_many(9);
  ASSERT_TRUE(journal->close().ok());
  stop();
  const auto all = records();
  rot(all[2].offset);
  rot(all[3].offset + 20);
  rot(all[6].offset);
  rot(all[9].end - 9);
  open();
  EXPECT_EQ(state->damage, (Damage{{2, 3}, {6, 6}, {9, 9}}));
  EXPECT_EQ(journal->head(), 9U);
  EXPECT_EQ(read_all(), (std::vector<Lsn>{1, 4, 5, 7, 8}));
}

TEST_F(RecoveryTest, DamageIsReportedOnceAndStaysInTheState) {
  open();
  put_many(5);
  ASSERT_TRUE(journal->close().ok());
  stop();
  rot_record(2);
  open();
  const auto digest = state->digest;
  close_and_open();
  EXPECT_TRUE(journal->recovery().damaged.empty());
  EXPECT_TRUE(journal->recovery().clean);
  EXPECT_EQ(state->damage, (Damage{{2, 2}}));
  EXPECT_EQ(state->digest, digest);
}

TEST_F(RecoveryTest, ADamagedNoteIsToldAsAnEmptyRange) {
  open();
  put_many(2);
  note("lost");
  put_many(2);
  ASSERT_TRUE(journal->close().ok());
  stop();
  rot_record(3);
  open();
  EXPECT_EQ(state->damage, (Damage{{3, 2}}));
  EXPECT_EQ(read_all(), range(1, 4));
}

TEST_F(RecoveryTest, ADamagedSyncMarkLosesNothing) {
  open();
  put_many(3);
  ASSERT_TRUE(journal->close().ok());
  stop();
  rot(records().back().offset + 8);
  open();
  EXPECT_TRUE(journal->recovery().damaged.empty());
  EXPECT_EQ(read_all(), range(1, 3));
}

TEST_F(RecoveryTest, AFileShorterThanWhatWasSyncedIsDamage) {
  open();
  put_many(3);
  sync();
  put_many(3);
  stop();
  const auto all = records();
  // The record that knows of the sync is first in the file: a segment written at once.
  open();
  sync();
  stop();
  const auto moved = records();
  ASSERT_EQ(moved.size(), 4U) << "checkpoint and the three records that were not known to be durable";
  ASSERT_TRUE(
      env.files.open(segment_files().back(), OpenMode::kReadWrite).value()->truncate(moved[2].offset).ok());
  open();
  EXPECT_EQ(state->damage, (Damage{{5, 6}}));
  EXPECT_EQ(journal->head(), 6U);
  EXPECT_EQ(read_all(), range(1, 4));
}

TEST_F(RecoveryTest, ATailOfZerosIsTorn) {
  open();
  put_many(3);
  sync();
  stop();
  const auto file = env.files.open(segment_files().back(), OpenMode::kReadWrite).value();
  ASSERT_TRUE(file->write_at(file->size().value(), Bytes(3000)).ok());
  open();
  EXPECT_EQ(journal->recovery().torn_bytes, 3000U);
  EXPECT_EQ(read_all(), range(1, 3));
}

TEST_F(RecoveryTest, RecordsOfAnotherJournalInsideADamagedOneAreNotTakenForOurs) {
  open();
  put_many(3, 200);
  sync();
  const Bytes foreign = read_file(env.files, segment_files().back(), 1 << 20).value();
  options.directory = "/other";
  open();
  put_many(1);
  const RecordMeta meta = meta_for(foreign);
  ASSERT_TRUE(journal->append(meta, foreign).ok());
  put_many(1);
  ASSERT_TRUE(journal->close().ok());
  stop();
  const std::string path = "/other/" + segment_file_name({1, 1});
  const std::uint64_t second = kSegmentHeaderSize;
  const auto names = env.files.list("/other").value();
  ASSERT_FALSE(names.empty());
  // The header of the record that carries the foreign segment.
  const auto file = env.files.open(path, OpenMode::kRead).value();
  const Bytes all = read_file(env.files, path, 1 << 20).value();
  const auto found = std::search(all.begin() + static_cast<std::ptrdiff_t>(second), all.end(),
                                 foreign.begin(), foreign.end());
  ASSERT_NE(found, all.end());
  const auto payload = static_cast<std::uint64_t>(found - all.begin());
  rot(path, payload - 16 - kBatchesMetaFixed - kRecordHeaderSize);
  open();
  EXPECT_EQ(state->damage, (Damage{{2, 2}}));
  EXPECT_EQ(read_all(), (std::vector<Lsn>{1, 3}));
}

TEST_F(RecoveryTest, UnknownKindsAreSteppedOverKeptAndCounted) {
  open();
  put_many(2);
  sync();
  const std::string path = last_segment();
  stop();
  Bytes record;
  RecordHeader header;
  header.kind = 99;
  header.first_lsn = 3;
  const std::uint64_t at = size_of(path);
  const Bytes head = read_file(env.files, path, 1 << 20).value();
  const Id birth = decode_segment_header(head).value().birth;
  encode_record(header, content(5, 'm'), content(50, 'p'), segment_seed(birth, 1), at, &record);
  ASSERT_TRUE(env.files.open(path, OpenMode::kReadWrite).value()->write_at(at, record).ok());
  open();
  EXPECT_EQ(journal->recovery().unknown_records, 1U);
  put_many(2);
  sync();
  EXPECT_EQ(read_all(), range(1, 4));
  stop();
  open();
  EXPECT_EQ(journal->recovery().unknown_records, 1U) << "it was moved with the tail";
}

// ---- checkpoints ----

TEST_F(RecoveryTest, ADamagedCheckpointIsRebuiltFromTheSegmentBefore) {
  options.segment_bytes = 2000;
  open();
  for (int i = 0; i < 30; ++i) {
    put(150);
    note("n" + std::to_string(i));
  }
  const Hash128 digest = state->digest;
  ASSERT_TRUE(journal->close().ok());
  ASSERT_GT(journal->segments().size(), 4U);
  stop();
  const auto files = segment_files();
  for (std::size_t back = 1; back < files.size(); ++back) {
    rot(files[files.size() - back], kSegmentHeaderSize + 4);
    open();
    EXPECT_EQ(state->digest, digest) << back << " checkpoints are damaged";
    EXPECT_EQ(journal->head(), 30U);
    stop();
  }
}

TEST_F(RecoveryTest, ATrimLeavesASecondCheckpointInTheLastSegment) {
  options.segment_bytes = 3000;
  open();
  put_many(30, 150);
  sync();
  ASSERT_TRUE(journal->trim(30).ok());
  put_many(2, 50);
  const Hash128 digest = state->digest;
  ASSERT_TRUE(journal->close().ok());
  const auto segments = journal->segments();
  stop();
  ASSERT_EQ(segments.size(), 1U);
  rot(segments[0].path, kSegmentHeaderSize + 4);
  open();
  EXPECT_EQ(state->digest, digest);
  EXPECT_EQ(journal->head(), 32U);
}

TEST_F(RecoveryTest, WithoutAnyCheckpointTheStartFailsAndSaysWhatToDo) {
  options.segment_bytes = 2000;
  open();
  put_many(30, 150);
  ASSERT_TRUE(journal->close().ok());
  stop();
  for (const std::string& path : segment_files()) rot(path, kSegmentHeaderSize + 4);
  const Status refused = try_open();
  EXPECT_EQ(code(refused), ErrorCode::kDamaged);
  EXPECT_NE(refused.error().text().find("backup"), std::string::npos);
  EXPECT_NE(refused.error().text().find("tidegate adopt"), std::string::npos);
}

TEST_F(RecoveryTest, ADamagedSegmentHeaderLosesNothing) {
  options.segment_bytes = 2000;
  open();
  put_many(30, 150);
  const Hash128 digest = state->digest;
  ASSERT_TRUE(journal->close().ok());
  stop();
  for (const std::string& path : segment_files()) rot(path, 20);
  open();
  EXPECT_EQ(state->digest, digest);
  EXPECT_EQ(read_all(), range(1, 30));
  std::size_t told = 0;
  ASSERT_TRUE(journal->verify(false, [&](const DamagedRange&) { return ++told, true; }).ok());
  EXPECT_GE(told, 2U) << "but verify says so";
}

// ---- durable again ----

TEST_F(RecoveryTest, WhatWasReadBackIsSyncedBeforeItIsPublished) {
  open();
  put_many(5);
  note("unsynced");
  const Hash128 digest = state->digest;
  kill_and_open();
  EXPECT_FALSE(journal->recovery().clean);
  EXPECT_EQ(journal->durable_lsn(), 5U);
  EXPECT_EQ(state->durable, 5U);
  cut_power_and_open();
  EXPECT_EQ(state->digest, digest);
  EXPECT_EQ(read_all(), range(1, 5));
}

TEST_F(RecoveryTest, AFailureToSyncWhatWasReadBackStopsTheStartAndLosesNothing) {
  open();
  put_many(5);
  stop();
  env.files.inject({.kind = EffectKind::kSync, .path_contains = "segment", .lose_unsynced = true});
  EXPECT_EQ(code(try_open()), ErrorCode::kIo);
  env.files.process_crash();
  open();
  EXPECT_EQ(read_all(), range(1, 5));
}

TEST_F(RecoveryTest, RestartsWithNothingNewDoNotMakeSegments) {
  open();
  put_many(5);
  for (int i = 0; i < 5; ++i) kill_and_open();
  EXPECT_EQ(journal->segments().size(), 2U);
}

TEST_F(RecoveryTest, ADiskFullAtStartUsesTheReserve) {
  options.reserve_bytes = 10'000;
  open();
  put_many(5);
  stop();
  env.files.set_capacity(env.files.used());
  open();
  EXPECT_EQ(journal->head(), 5U);
  EXPECT_FALSE(env.files.exists("/j/reserve"));
}

TEST_F(RecoveryTest, AnInterruptedTrimIsFinishedAtOpen) {
  options.segment_bytes = 2000;
  open();
  put_many(30, 150);
  sync();
  env.files.on_effect([](EffectKind kind, const std::string&) {
    if (kind == EffectKind::kRemove) throw SimCrash{};
  });
  EXPECT_THROW((void)journal->trim(20), SimCrash);
  env.files.on_effect({});
  stop();
  ASSERT_GT(segment_files().size(), 4U);
  open();
  EXPECT_TRUE(state->damage.empty());
  EXPECT_GT(journal->first_lsn(), 10U);
  EXPECT_EQ(segment_files().size(), journal->segments().size());
}

TEST_F(RecoveryTest, AnInterruptedCreationIsDoneAgain) {
  for (std::uint64_t stop_at = 0;; ++stop_at) {
    env.files.wipe();
    env.files.on_effect([n = stop_at](EffectKind, const std::string&) mutable {
      if (n-- == 0) throw SimCrash{10};
    });
    bool finished = false;
    try {
      finished = try_open().ok();
    } catch (const SimCrash&) {
    }
    env.files.on_effect({});
    stop();
    open();
    put();
    sync();
    kill_and_open();
    ASSERT_EQ(read_all(), range(1, 1)) << "stopped at effect " << stop_at;
    if (finished) return;
  }
}

}  // namespace
}  // namespace tidegate
