// SPDX-License-Identifier: Apache-2.0
#include "pipe/journal/journal.h"

#include "pipe/journal/identity.h"
#include "pipe/journal/journal_test_rig.h"

namespace tidegate {
namespace {

// ---- append, sync, read ----

TEST_F(JournalTest, ANewJournalIsEmptyAndHasAnId) {
  open();
  EXPECT_TRUE(journal->recovery().created);
  EXPECT_FALSE(journal->id().is_zero());
  EXPECT_EQ(journal->head(), 0U);
  EXPECT_EQ(journal->first_lsn(), 1U);
  EXPECT_TRUE(read_all().empty());
}

TEST_F(JournalTest, ReadersSeeDurableRecordsOnly) {
  open();
  put_many(3);
  EXPECT_TRUE(read_all().empty());
  sync();
  put();
  EXPECT_EQ(read_all(), range(1, 3));
  EXPECT_EQ(journal->durable_lsn(), 3U);
  EXPECT_EQ(journal->head(), 4U);
}

TEST_F(JournalTest, EveryFieldOfARecordComesBack) {
  open();
  const Bytes container = content(1000, 'x');
  RecordMeta meta = meta_for(container, 3);
  meta.count = 2;
  meta.skip = 1;
  meta.origin = Origin{Id{{1, 2, 3}}, 4, 5, 6, Hash128{{7}}};
  meta.hops = {Id{{8}}, Id{{9}}};
  meta.codec = 1;
  meta.decoded_size = 77;
  meta.events = 11;
  meta.values = 12;
  meta.time_min = -13;
  meta.time_max = 14;
  ASSERT_EQ(journal->append(meta, container).value(), 1U);
  sync();
  const auto record = journal->reader(2).next();
  ASSERT_TRUE(record.ok() && record->has_value());
  const RecordMeta& got = (*record)->meta;
  EXPECT_EQ((*record)->container, container);
  EXPECT_EQ(got.first_lsn, 1U);
  EXPECT_EQ(got.last_lsn(), 2U);
  EXPECT_EQ(got.skip, 1U);
  EXPECT_EQ(got.origin->journal, meta.origin->journal);
  EXPECT_EQ(got.origin->generation, 4U);
  EXPECT_EQ(got.origin->stream, 5U);
  EXPECT_EQ(got.origin->first_seq, 6U);
  EXPECT_EQ(got.origin->chain_before, meta.origin->chain_before);
  EXPECT_EQ(got.hops, meta.hops);
  EXPECT_EQ(got.hashes, meta.hashes);
  EXPECT_EQ(std::tuple(got.codec, got.decoded_size, got.events, got.values), std::tuple(1, 77U, 11U, 12U));
  EXPECT_EQ(std::pair(got.time_min, got.time_max), std::pair(std::int64_t{-13}, std::int64_t{14}));
  EXPECT_EQ(got.arrival_micros, env.clock.wall_micros());
}

TEST_F(JournalTest, ReadingGoesOnAcrossSegmentsAndWhileTheJournalGrows) {
  open();
  Journal::Reader reader = journal->reader(1);
  Lsn expected = 1;
  for (int round = 0; round < 20; ++round) {
    put_many(5, 300);
    sync();
    for (int i = 0; i < 5; ++i) {
      const auto record = reader.next();
      ASSERT_TRUE(record.ok() && *record) << round;
      EXPECT_EQ((*record)->meta.first_lsn, expected);
      EXPECT_EQ((*record)->container, content(300, static_cast<std::uint8_t>(expected)));
      ++expected;
    }
    EXPECT_FALSE(reader.next().value().has_value());
  }
  EXPECT_GT(journal->segments().size(), 5U);
}

TEST_F(JournalTest, AReaderStartsAtAnyLsnAndMetaAloneIsEnoughToWalk) {
  open();
  put_many(50, 300);
  sync();
  for (Lsn from = 1; from <= 50; ++from) {
    Journal::Reader reader = journal->reader(from);
    const auto meta = reader.next_meta();
    ASSERT_TRUE(meta.ok() && *meta);
    EXPECT_EQ((*meta)->first_lsn, from);
    EXPECT_EQ(reader.position(), from + 1);
  }
}

TEST_F(JournalTest, ARecordLargerThanASegmentIsStored) {
  open();
  put(100'000, 'L');
  put(100, 'S');
  sync();
  EXPECT_EQ(read_all(), range(1, 2));
}

TEST_F(JournalTest, AnAppendIsOneWrite) {
  options.segment_bytes = 64 << 20;
  open();
  const std::uint64_t before = env.files.effects(EffectKind::kWrite);
  put_many(100, 1000);
  EXPECT_EQ(env.files.effects(EffectKind::kWrite) - before, 100U);
}

TEST_F(JournalTest, WhatCannotBeARecordIsRefused) {
  open();
  const Bytes container = content(10, 'x');
  RecordMeta none = meta_for(container, 0);
  EXPECT_EQ(code(journal->append(none, container)), ErrorCode::kInvalidArgument);
  RecordMeta hashes = meta_for(container, 2);
  hashes.hashes.pop_back();
  EXPECT_EQ(code(journal->append(hashes, container)), ErrorCode::kInvalidArgument);
  RecordMeta hops = meta_for(container);
  hops.hops.resize(9);
  EXPECT_EQ(code(journal->append(hops, container)), ErrorCode::kTooLarge);
  EXPECT_EQ(code(journal->append_note(15, {})), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code(journal->append_note(16, Bytes((2 << 20) + 1))), ErrorCode::kTooLarge);
  EXPECT_EQ(journal->head(), 0U);
}

TEST_F(JournalTest, ASyncWithNothingNewDoesNotTouchTheDisk) {
  open();
  put();
  sync();
  const std::uint64_t before = env.files.effects(EffectKind::kSync);
  sync();
  EXPECT_EQ(env.files.effects(EffectKind::kSync), before);
}

TEST_F(JournalTest, TheStateHearsOfDurabilityAfterEachSync) {
  open();
  put_many(2);
  EXPECT_EQ(state->durable, 0U);
  sync();
  EXPECT_EQ(state->durable, 2U);
}

// ---- stop and start ----

TEST_F(JournalTest, AfterACleanStopEverythingIsThereAndTheSegmentIsWrittenOn) {
  open();
  put_many(3);
  note("n");
  const Hash128 digest = state->digest;
  ASSERT_TRUE(journal->close().ok());
  EXPECT_EQ(code(append()), ErrorCode::kClosed);
  kill_and_open();
  EXPECT_TRUE(journal->recovery().clean);
  EXPECT_EQ(state->digest, digest);
  EXPECT_EQ(journal->segments().size(), 1U);
  put();
  sync();
  EXPECT_EQ(read_all(), range(1, 4));
}

TEST_F(JournalTest, RepeatedCleanStopsWithoutDataDoNotGrowTheJournal) {
  open();
  put();
  close_and_open();
  const std::uint64_t used = journal->space().used;
  for (int i = 0; i < 5; ++i) close_and_open();
  EXPECT_LE(journal->space().used, used + 64);
  EXPECT_EQ(journal->segments().size(), 1U);
}

TEST_F(JournalTest, TheStateIsRestoredFromTheNewestCheckpointOnly) {
  open();
  for (int i = 0; i < 40; ++i) {
    put(300);
    note("note " + std::to_string(i));
  }
  const Hash128 digest = state->digest;
  sync();
  ASSERT_GT(journal->segments().size(), 3U);
  kill_and_open();
  EXPECT_EQ(state->digest, digest);
  EXPECT_LT(journal->recovery().records_replayed, 30U);
}

TEST_F(JournalTest, AStateThatRefusesItsCheckpointStopsTheStart) {
  open();
  put();
  ASSERT_TRUE(journal->close().ok());
  journal.reset();
  ChainState newer;
  newer.refuse_restore = true;
  EXPECT_EQ(code(Journal::open(env.env(), options, &newer)), ErrorCode::kUnsupported);
}

TEST_F(JournalTest, SegmentCheckpointIsTheStateBeforeItsFirstRecord) {
  open();
  put_many(60, 300);
  sync();
  const auto segments = journal->segments();
  for (std::size_t i = 0; i < segments.size(); ++i) {
    ChainState restored;
    Lsn covers = 0;
    ASSERT_TRUE(restored.restore(journal->segment_checkpoint(segments[i].number, &covers).value()).ok());
    EXPECT_EQ(restored.last, segments[i].first_lsn - 1);
    EXPECT_EQ(covers, segments[i].first_lsn - 1);
  }
  EXPECT_EQ(code(journal->segment_checkpoint(999)), ErrorCode::kTrimmed);
}

TEST_F(JournalTest, AnOpenReadsTheContentOfTheLastSegmentOnly) {
  open();
  put_many(300, 1000);
  sync();
  ASSERT_TRUE(journal->close().ok());
  const auto segments = journal->segments();
  ASSERT_GT(segments.size(), 60U);
  journal.reset();
  env.files.process_crash();
  for (std::size_t i = 0; i + 1 < segments.size(); ++i)
    env.files.inject({.kind = EffectKind::kRead, .path_contains = segments[i].path, .sticky = true});
  open();
  EXPECT_EQ(journal->head(), 300U);
}

// ---- identity and lock ----

TEST_F(JournalTest, ASecondProcessIsRefused) {
  open();
  ChainState other;
  EXPECT_EQ(code(Journal::open(env.env(), options, &other)), ErrorCode::kLocked);
}

TEST_F(JournalTest, AnotherMachineIsRefusedAndTheMessageNamesTheCommand) {
  options.machine_id = "box-1";
  open();
  put();
  ASSERT_TRUE(journal->close().ok());
  journal.reset();
  options.machine_id = "box-2";
  const Status refused = try_open();
  EXPECT_EQ(code(refused), ErrorCode::kIdentity);
  EXPECT_NE(refused.error().text().find("tidegate adopt"), std::string::npos);
  EXPECT_NE(refused.error().text().find("box-1"), std::string::npos);
}

TEST_F(JournalTest, AdoptBindsTheJournalToThisMachineAndKeepsItsId) {
  options.machine_id = "box-1";
  open();
  put_many(3);
  const Id id = journal->id();
  EXPECT_EQ(code(adopt_journal(env.env(), "/j", "box-2", false)), ErrorCode::kLocked);
  ASSERT_TRUE(journal->close().ok());
  journal.reset();
  ASSERT_TRUE(adopt_journal(env.env(), "/j", "box-2", false).ok());
  options.machine_id = "box-2";
  open();
  EXPECT_EQ(journal->id(), id);
  EXPECT_EQ(read_all(), range(1, 3));
}

TEST_F(JournalTest, AdoptAsNewGivesAnotherIdAndOldSegmentsStayReadable) {
  open();
  put_many(30, 300);
  const Id id = journal->id();
  ASSERT_TRUE(journal->close().ok());
  journal.reset();
  ASSERT_TRUE(adopt_journal(env.env(), "/j", "", true).ok());
  open();
  EXPECT_NE(journal->id(), id);
  put_many(30, 300);
  sync();
  EXPECT_EQ(read_all(), range(1, 60));
}

TEST_F(JournalTest, ADamagedIdentityIsAnErrorWithAWayOut) {
  open();
  put_many(3);
  ASSERT_TRUE(journal->close().ok());
  journal.reset();
  ASSERT_TRUE(env.files.rot("/j/identity", 30, 3).ok());
  const Status refused = try_open();
  EXPECT_EQ(code(refused), ErrorCode::kDamaged);
  EXPECT_NE(refused.error().text().find("tidegate adopt --as-new"), std::string::npos);
  ASSERT_TRUE(adopt_journal(env.env(), "/j", "", true).ok());
  open();
  EXPECT_EQ(read_all(), range(1, 3));
}

TEST_F(JournalTest, AnIdentityWithoutSegmentsIsNotANewJournal) {
  open();
  put();
  ASSERT_TRUE(journal->close().ok());
  journal.reset();
  for (const std::string& path : segment_files()) ASSERT_TRUE(env.files.remove(path).ok());
  EXPECT_EQ(code(try_open()), ErrorCode::kDamaged);
}

TEST_F(JournalTest, NothingIsCreatedWhereNoneIsAsked) {
  options.create = false;
  EXPECT_EQ(code(try_open()), ErrorCode::kNotFound);
  EXPECT_FALSE(env.files.exists("/j"));
}

// ---- retention ----

TEST_F(JournalTest, TrimRemovesWholeSegmentsAndNeverTheNewest) {
  open();
  put_many(60, 300);
  sync();
  const auto before = journal->segments();
  const std::uint64_t used = journal->space().used;
  const auto freed = journal->trim(before[3].first_lsn);
  ASSERT_TRUE(freed.ok());
  EXPECT_EQ(*freed, before[0].bytes + before[1].bytes + before[2].bytes);
  EXPECT_EQ(journal->first_lsn(), before[3].first_lsn);
  EXPECT_LT(journal->space().used, used);
  EXPECT_EQ(segment_files().size(), journal->segments().size());
  EXPECT_EQ(journal->trim(before[3].first_lsn).value(), 0U);
  ASSERT_TRUE(journal->trim(~Lsn{0}).ok());
  EXPECT_EQ(journal->segments().size(), 1U);
  EXPECT_EQ(read_all().back(), 60U);
}

TEST_F(JournalTest, ATrimmedPositionIsAnErrorThatNamesTheFirstLsnLeft) {
  open();
  put_many(60, 300);
  sync();
  Journal::Reader reader = journal->reader(1);
  ASSERT_TRUE(reader.next().ok());
  ASSERT_TRUE(journal->trim(30).ok());
  const auto gone = reader.next();
  ASSERT_EQ(code(gone), ErrorCode::kTrimmed);
  EXPECT_EQ(gone.error().sequence, journal->first_lsn());
  reader.skip_to(*gone.error().sequence);
  EXPECT_EQ(reader.next().value()->meta.first_lsn, journal->first_lsn());
}

TEST_F(JournalTest, AnEmptyJournalKeepsItsPositions) {
  open();
  put_many(60, 300);
  sync();
  ASSERT_TRUE(journal->trim(60).ok());
  // An unclean start begins a new segment, so that the one with the last records can go too.
  put();
  kill_and_open();
  ASSERT_TRUE(journal->trim(journal->head()).ok());
  const Hash128 digest = state->digest;
  close_and_open();
  EXPECT_EQ(state->digest, digest);
  EXPECT_EQ(journal->head(), 61U);
  put();
  EXPECT_EQ(journal->head(), 62U);
}

TEST_F(JournalTest, SegmentsThatSomebodyDeletedAreReportedAsLost) {
  open();
  put_many(60, 300);
  sync();
  const auto segments = journal->segments();
  ASSERT_TRUE(journal->close().ok());
  journal.reset();
  ASSERT_TRUE(env.files.remove(segments[0].path).ok());
  ASSERT_TRUE(env.files.remove(segments[2].path).ok());
  open();
  const ChainState::Damage lost{{1, segments[0].last_lsn}, {segments[2].first_lsn, segments[2].last_lsn}};
  EXPECT_EQ(state->damage, lost);
  EXPECT_EQ(journal->recovery().damaged.size(), 2U);
}

// ---- room ----

TEST_F(JournalTest, TheQuotaRefusesDataButNotNotes) {
  options.quota_bytes = 20'000;
  open();
  while (append(500).ok()) {
  }
  const auto refused = append(500);
  EXPECT_EQ(code(refused), ErrorCode::kNoSpace);
  EXPECT_LE(journal->space().used, 20'000U);
  note("let in");
  sync();
  ASSERT_TRUE(journal->trim(journal->head() / 2).ok());
  EXPECT_TRUE(append(500).ok());
}

TEST_F(JournalTest, UsedSpaceIsTheSumOfTheFiles) {
  open();
  put_many(60, 300);
  note("x");
  sync();
  ASSERT_TRUE(journal->trim(20).ok());
  const auto sum = [&] {
    std::uint64_t bytes = 0;
    for (const std::string& path : segment_files()) bytes += size_of(path);
    return bytes;
  };
  EXPECT_EQ(journal->space().used, sum());
  put();
  kill_and_open();
  EXPECT_EQ(journal->space().used, sum());
}

TEST_F(JournalTest, AFullDiskRefusesDataAndTheJournalGoesOnWhenThereIsRoom) {
  options.segment_bytes = 1 << 20;
  open();
  put_many(10, 1000);
  env.files.set_capacity(env.files.used() + 500);
  EXPECT_EQ(code(append(1000)), ErrorCode::kNoSpace);
  EXPECT_EQ(journal->head(), 10U);
  sync();
  env.files.set_capacity(1 << 30);
  put_many(5, 1000);
  kill_and_open();
  EXPECT_EQ(read_all(), range(1, 15));
  EXPECT_TRUE(journal->recovery().damaged.empty());
}

TEST_F(JournalTest, HalfAWriteOnAFullDiskIsCutAway) {
  options.segment_bytes = 1 << 20;
  open();
  put_many(3);
  env.files.inject({.kind = EffectKind::kWrite, .code = ErrorCode::kNoSpace, .written = 70});
  EXPECT_EQ(code(append(1000)), ErrorCode::kNoSpace);
  EXPECT_EQ(size_of(last_segment()), journal->segments().back().bytes);
  put(50);
  sync();
  close_and_open();
  EXPECT_EQ(read_all(), range(1, 4));
  EXPECT_TRUE(journal->recovery().clean);
}

TEST_F(JournalTest, OnAFullDiskTheReserveIsGivenUpForNotesAndMadeAgain) {
  options.reserve_bytes = 20'000;
  options.segment_bytes = 1 << 20;
  open();
  ASSERT_TRUE(env.files.exists("/j/reserve"));
  put_many(10, 1000);
  env.files.set_capacity(env.files.used());
  EXPECT_EQ(code(append(100)), ErrorCode::kNoSpace);
  note("position");
  EXPECT_FALSE(env.files.exists("/j/reserve"));
  EXPECT_EQ(code(append(100)), ErrorCode::kNoSpace) << "the room of the reserve is not for data";
  note("another");
  sync();
  env.files.set_capacity(1 << 30);
  kill_and_open();
  EXPECT_TRUE(env.files.exists("/j/reserve"));
  put();
}

// Found by the simulator: the room that was given up went to a new reserve, for ever.
TEST_F(JournalTest, ANoteIsRefusedWhereEvenTheReserveMakesNoRoomForASegment) {
  options.reserve_bytes = 1000;
  state_padding = 3000;
  open();
  put_many(3, 300);
  sync();
  env.files.set_capacity(env.files.used() + 500);
  Status last;
  for (int i = 0; i < 100 && last.ok(); ++i) last = journal->append_note(20, as_bytes(std::string(200, 'n')));
  EXPECT_EQ(last.ok() ? ErrorCode::kInternal : last.error().code, ErrorCode::kNoSpace);
}

TEST_F(JournalTest, TheReserveIsMadeAgainAfterATrim) {
  options.reserve_bytes = 10'000;
  open();
  put_many(60, 300);
  sync();
  env.files.set_capacity(env.files.used());
  while (env.files.exists("/j/reserve")) note(std::string(500, 'n'));
  ASSERT_TRUE(journal->trim(55).ok());
  EXPECT_TRUE(env.files.exists("/j/reserve"));
}

TEST_F(JournalTest, DataIsRefusedBelowTheFreeSpaceThatMustStay) {
  options.min_free_bytes = 100'000;
  open();
  env.files.set_capacity(env.files.used() + 110'000);
  int stored = 0;
  while (append(500).ok()) ++stored;
  EXPECT_GT(stored, 5);
  EXPECT_GE(journal->space().disk.free, 100'000U);
  note("let in");
}

TEST_F(JournalTest, ItSaysThatBatchesAreRefusedBeforeAndAfterOneWas) {
  options.quota_bytes = 20'000;
  open();
  EXPECT_TRUE(journal->accepts().ok());
  while (append(500).ok()) {
  }
  EXPECT_EQ(code(journal->accepts()), ErrorCode::kNoSpace);
  EXPECT_LT(journal->space().used, 20'000U) << "though not every byte is used";
  sync();
  ASSERT_TRUE(journal->trim(journal->head() / 2).ok());
  EXPECT_TRUE(journal->accepts().ok()) << "there is room again, though nobody has tried";
}

TEST_F(JournalTest, BatchesAreAcceptedAgainAsSoonAsOneWasTaken) {
  options.quota_bytes = 20'000;
  options.segment_bytes = 1 << 20;
  open();
  put_many(5, 1000);
  EXPECT_EQ(code(append(100'000)), ErrorCode::kNoSpace);
  EXPECT_EQ(code(journal->accepts()), ErrorCode::kNoSpace);
  put(8);
  EXPECT_TRUE(journal->accepts().ok());
}

TEST_F(JournalTest, BatchesAreRefusedBelowTheFreeSpaceThatMustStayAlsoWhenNoneCame) {
  options.min_free_bytes = 100'000;
  open();
  env.files.set_capacity(env.files.used() + 90'000);
  EXPECT_EQ(code(journal->accepts()), ErrorCode::kNoSpace);
  env.files.set_capacity(1 << 30);
  EXPECT_TRUE(journal->accepts().ok());
}

TEST_F(JournalTest, BatchesAreRefusedAsLongAsTheDiskItselfSaidNo) {
  open();
  put_many(3);
  env.files.inject({.kind = EffectKind::kWrite, .code = ErrorCode::kNoSpace, .written = 70});
  EXPECT_EQ(code(append(1000)), ErrorCode::kNoSpace);
  EXPECT_EQ(code(journal->accepts()), ErrorCode::kNoSpace);
  put(50);
  EXPECT_TRUE(journal->accepts().ok());
}

// ---- twins and old snapshots ----

TEST_F(JournalTest, ARestoredSnapshotGoesOnFromItsOwnHead) {
  open();
  put_many(20, 300);
  sync();
  const Hash128 digest = state->digest;
  const SimSnapshot snapshot = env.files.snapshot(true);
  put_many(40, 300);
  sync();
  journal.reset();
  env.files.restore(snapshot);
  open();
  EXPECT_EQ(state->digest, digest);
  EXPECT_EQ(journal->head(), 20U);
  put_many(20, 100);
  sync();
  EXPECT_EQ(read_all(), range(1, 40));
}

}  // namespace
}  // namespace tidegate
