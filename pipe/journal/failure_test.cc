// SPDX-License-Identifier: Apache-2.0
// Failed writes and failed syncs: never again on the same file, nothing lost, the second one stops the
// journal.
#include "pipe/journal/journal_test_rig.h"

namespace tidegate {
namespace {

class FailureTest : public JournalTest {
 protected:
  FailureTest() { options.segment_bytes = 1 << 20; }
  void fail_next(EffectKind kind, ErrorCode how = ErrorCode::kIo) {
    env.files.inject(
        {.kind = kind, .path_contains = "segment", .code = how, .written = 30, .lose_unsynced = true});
  }
  void fail_always(EffectKind kind) {
    env.files.inject({.kind = kind, .path_contains = "segment", .sticky = true, .lose_unsynced = true});
  }
};

TEST_F(FailureTest, AfterAFailedSyncTheRecordsAreWrittenToANewSegmentWithTheSameLsns) {
  open();
  put_many(3);
  sync();
  put_many(4);
  note("with them");
  const Hash128 digest = state->digest;
  fail_next(EffectKind::kSync);
  sync();
  EXPECT_EQ(journal->durable_lsn(), 7U);
  ASSERT_EQ(journal->segments().size(), 2U);
  EXPECT_EQ(journal->segments()[1].first_lsn, 4U);
  EXPECT_EQ(read_all(), range(1, 7));
  cut_power_and_open();
  EXPECT_EQ(state->digest, digest) << "each record is folded once, though it stands in two segments";
  EXPECT_EQ(read_all(), range(1, 7));
}

TEST_F(FailureTest, AFailedSyncIsNotTriedAgainOnTheSameFile) {
  open();
  put_many(3);
  fail_next(EffectKind::kSync);
  sync();
  put_many(2);
  sync();
  cut_power_and_open();
  EXPECT_EQ(read_all(), range(1, 5));
}

TEST_F(FailureTest, AFailedSyncForWantOfRoomIsNotTriedAgainEither) {
  open();
  put_many(3);
  fail_next(EffectKind::kSync, ErrorCode::kNoSpace);
  sync();
  EXPECT_EQ(journal->segments().size(), 2U);
  cut_power_and_open();
  EXPECT_EQ(read_all(), range(1, 3));
}

TEST_F(FailureTest, AFailedWriteGoesToANewSegmentTogetherWithWhatWasNotSynced) {
  open();
  put_many(3);
  fail_next(EffectKind::kWrite);
  put();
  EXPECT_EQ(journal->durable_lsn(), 4U) << "the new segment was synced as a whole";
  put();
  sync();
  cut_power_and_open();
  EXPECT_EQ(read_all(), range(1, 5));
}

TEST_F(FailureTest, AFailedWriteOfANoteKeepsTheNote) {
  open();
  put_many(2);
  fail_next(EffectKind::kWrite);
  note("kept");
  const Hash128 digest = state->digest;
  cut_power_and_open();
  EXPECT_EQ(state->digest, digest);
}

TEST_F(FailureTest, ASecondFailurePoisonsTheJournalAndReadersGoOn) {
  open();
  put_many(3);
  fail_next(EffectKind::kSync);
  sync();
  put();
  fail_next(EffectKind::kSync);
  EXPECT_EQ(code(journal->sync()), ErrorCode::kPoisoned);
  EXPECT_EQ(code(append()), ErrorCode::kPoisoned);
  EXPECT_EQ(code(journal->append_note(16, {})), ErrorCode::kPoisoned);
  EXPECT_EQ(code(journal->trim(1)), ErrorCode::kPoisoned);
  EXPECT_EQ(code(journal->mark_idle()), ErrorCode::kPoisoned);
  EXPECT_EQ(journal->durable_lsn(), 3U);
  EXPECT_EQ(read_all(), range(1, 3));
  cut_power_and_open();
  EXPECT_GE(journal->head(), 3U);
  put();
}

TEST_F(FailureTest, ADiskThatFailsForGoodPoisonsAtOnceAndPromisesNothing) {
  open();
  put_many(3);
  sync();
  put_many(2);
  fail_always(EffectKind::kSync);
  EXPECT_EQ(code(journal->sync()), ErrorCode::kPoisoned);
  EXPECT_EQ(journal->durable_lsn(), 3U);
  env.files.clear_faults();
  cut_power_and_open();
  const Lsn head = journal->head();
  EXPECT_GE(head, 3U);
  EXPECT_EQ(read_all(), range(1, head));
}

TEST_F(FailureTest, AFailureWhileASegmentIsClosedMovesTheRecords) {
  options.segment_bytes = 2000;
  open();
  put_many(5, 200);
  fail_next(EffectKind::kSync);  // the sync of the footer
  put_many(10, 200);
  sync();
  cut_power_and_open();
  EXPECT_EQ(read_all(), range(1, 15));
}

TEST_F(FailureTest, AFailureToMakeANewSegmentIsTriedOnce) {
  options.segment_bytes = 2000;
  open();
  env.files.inject({.kind = EffectKind::kRename, .path_contains = "segment"});
  put_many(30, 200);
  sync();
  EXPECT_EQ(read_all(), range(1, 30));
  env.files.inject({.kind = EffectKind::kRename, .path_contains = "segment"});
  while (append(200).ok()) {
  }
  EXPECT_EQ(code(append(200)), ErrorCode::kPoisoned);
}

TEST_F(FailureTest, AFullDiskAtTheEndOfASegmentDoesNotPoison) {
  options.segment_bytes = 2000;
  open();
  put_many(5, 200);
  env.files.set_capacity(env.files.used() + 50);
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(code(append(900)), ErrorCode::kNoSpace);
  }
  env.files.set_capacity(1 << 30);
  put_many(20, 200);
  sync();
  cut_power_and_open();
  EXPECT_EQ(read_all(), range(1, 25));
}

TEST_F(FailureTest, CheckpointsOfSegmentsMadeAfterAFailureSayWhatTheyCover) {
  open();
  put_many(3);
  sync();
  put_many(4);
  fail_next(EffectKind::kSync);
  sync();
  Lsn covers = 0;
  ChainState restored;
  ASSERT_TRUE(restored.restore(journal->segment_checkpoint(2, &covers).value()).ok());
  EXPECT_EQ(covers, 7U);
  EXPECT_EQ(restored.digest, state->digest);
}

TEST_F(FailureTest, WhenThatCheckpointIsDamagedTheRecordsAreFoldedFromTheSegmentBefore) {
  open();
  put_many(3);
  sync();
  put_many(4);
  note("n");
  fail_next(EffectKind::kSync);
  sync();
  put_many(2);
  note("m");
  const Hash128 digest = state->digest;
  ASSERT_TRUE(journal->close().ok());
  const std::string path = last_segment();
  journal.reset();
  env.files.process_crash();
  ASSERT_TRUE(env.files.rot(path, 80, 1).ok());
  open();
  EXPECT_EQ(state->digest, digest);
  EXPECT_EQ(read_all(), range(1, 9));
}

}  // namespace
}  // namespace tidegate
