// SPDX-License-Identifier: Apache-2.0
#include <numeric>

#include "pipe/stream/stream_test_rig.h"

namespace tidegate {
namespace {

std::vector<Hash128> hashes(std::uint64_t from, std::uint64_t count, std::size_t size = 40) {
  std::vector<Hash128> out;
  for (std::uint64_t i = 0; i < count; ++i) out.push_back(batch_of(from + i, size).hash);
  return out;
}

struct NearStoreTest : testing::Test {
  void SetUp() override { TG_OK(box.open()); }
  void create(Lsn first = 0) {
    auto made = box.near->create_stream("pipe p", first);
    TG_OK(made);
    stream = *made;
  }
  void expect_all_chains(const std::vector<Hash128>& content) {
    const auto chains = chains_of_batches(box.journal->id(), stream, content);
    ASSERT_EQ(box.near->head(stream), content.size());
    for (Seq n = box.near->trimmed(stream); n < chains.size(); ++n) {
      const auto got = box.near->chain(stream, n);
      ASSERT_TRUE(got) << "chain(" << n << ") is not known";
      ASSERT_EQ(*got, chains[n]) << "chain(" << n << ")";
    }
  }
  // The path of the segment with an LSN, and an offset in the record that holds it.
  void rot_segment_of(Lsn lsn, const Bytes& needle) {
    for (const SegmentInfo& segment : box.journal->segments()) {
      if (lsn < segment.first_lsn || lsn > segment.last_lsn) continue;
      const Bytes file = read_file(box.sim.files, segment.path, 1 << 30).value();
      const auto at = std::search(file.begin(), file.end(), needle.begin(), needle.end());
      ASSERT_NE(at, file.end());
      const auto offset = static_cast<std::uint64_t>(at - file.begin());
      box.close();
      TG_OK(box.sim.files.rot(segment.path, offset));
      TG_OK(box.reopen());
      return;
    }
    FAIL() << "no segment with LSN " << lsn;
  }

  Box box;
  StreamId stream = 0;
};

TEST_F(NearStoreTest, ANewStreamNumbersWhatIsAppendedAfterIt) {
  TG_OK(box.fill(0, 5));
  create();
  EXPECT_EQ(stream, 1);
  EXPECT_EQ(box.near->head(stream), 0U);
  TG_OK(box.fill(5, 3));
  expect_all_chains(hashes(5, 3));
  EXPECT_EQ(box.near->label(stream), "pipe p");
}

TEST_F(NearStoreTest, AStreamWithHistoryNumbersFromItsFirstLsn) {
  TG_OK(box.fill(0, 700));
  create(11);
  expect_all_chains(hashes(10, 690));
  TG_OK(box.fill(700, 10));
  expect_all_chains(hashes(10, 700));
}

TEST_F(NearStoreTest, ABoundedStreamStopsAtItsEnd) {
  TG_OK(box.fill(0, 20));
  auto made = box.near->create_stream("resend", 5, 9);
  TG_OK(made);
  stream = *made;
  TG_OK(box.fill(20, 5));
  expect_all_chains(hashes(4, 5));
  TG_OK(box.near->set_confirmed(stream, 5));
  EXPECT_TRUE(box.near->info(stream)->finished());
}

TEST_F(NearStoreTest, NumbersOfDroppedStreamsAreNeverUsedAgain) {
  create();
  TG_OK(box.near->drop_stream(stream, "test"));
  TG_OK(box.reopen());
  create();
  EXPECT_EQ(stream, 2);
}

TEST_F(NearStoreTest, ChainsAreKnownAtEveryNumberOverRollsRestartsAndTrims) {
  box.near_options.retention.window = {0, 0};
  TG_OK(box.reopen());
  create(1);
  TG_OK(box.fill(0, 1500));
  ASSERT_GT(box.journal->segments().size(), 3U);
  expect_all_chains(hashes(0, 1500));
  TG_OK(box.reopen());
  expect_all_chains(hashes(0, 1500));
  TG_OK(box.near->set_confirmed(stream, 900));
  auto freed = box.near->apply_retention(box.wall());
  TG_OK(freed);
  EXPECT_GT(*freed, 0U);
  EXPECT_GT(box.near->trimmed(stream), 0U);
  EXPECT_LE(box.near->trimmed(stream), 900U);
  expect_all_chains(hashes(0, 1500));
  TG_OK(box.reopen());
  expect_all_chains(hashes(0, 1500));
  EXPECT_EQ(*box.near->chain(stream, 0), chain_zero(box.journal->id(), stream));
}

TEST_F(NearStoreTest, HeadSpeaksOfWhatIsSynced) {
  create();
  TG_OK(box.append({batch_of(1)}));
  EXPECT_EQ(box.near->head(stream), 0U);
  TG_OK(box.journal->sync());
  EXPECT_EQ(box.near->head(stream), 1U);
}

TEST_F(NearStoreTest, ChangesSurviveAPowerCut) {
  create();
  TG_OK(box.fill(0, 10));
  TG_OK(box.near->set_session(7));
  TG_OK(box.near->set_confirmed(stream, 8));
  TG_OK(box.near->fork(stream, 2, 6));
  TG_OK(box.power_cut());
  EXPECT_EQ(box.near->session(), 7U);
  EXPECT_EQ(box.near->confirmed(stream), 6U);
  EXPECT_EQ(box.near->base(stream), 6U);
  EXPECT_EQ(box.near->generation(stream), 2U);
  expect_all_chains(hashes(0, 10));
}

TEST_F(NearStoreTest, AChangeThatCannotBeSyncedIsNotSaid) {
  create();
  TG_OK(box.fill(0, 10));
  box.sim.files.inject({.kind = EffectKind::kSync, .sticky = true});
  EXPECT_FALSE(box.near->set_confirmed(stream, 8).ok());
  EXPECT_EQ(box.near->confirmed(stream), 0U);
}

// ---- frames

struct Loaded {
  std::vector<Hash128> hashes;
  std::size_t frames = 0;
  std::size_t largest = 0;
};

// Loads from..head with frames of limits drawn between the two, checking each frame as the receiver would.
void load_all(Box& box, StreamId stream, Seq from, std::size_t least, std::size_t most, Loaded* out) {
  for (Seq next = from; next <= box.near->head(stream);) {
    const std::size_t limit = least + box.sim.random.below(most - least + 1);
    auto loaded = box.near->load(stream, next, ~Seq{0}, limit);
    TG_OK(loaded);
    const BatchFrame& frame = loaded->frame;
    ASSERT_EQ(frame.first_seq, next);
    ASSERT_EQ(frame.previous_chain, *box.near->chain(stream, next - 1));
    TG_OK(box.far->check_content(frame, 0));
    const std::size_t body = encode_batch_body(frame).size();
    if (frame.hashes.size() > 1) {
      ASSERT_LE(body, limit);
    }
    out->hashes.insert(out->hashes.end(), frame.hashes.begin(), frame.hashes.end());
    out->largest = std::max(out->largest, body);
    next = frame.last_seq() + 1;
    ++out->frames;
  }
}

TEST_F(NearStoreTest, FramesOfAnyLimitsGiveTheJournalsBatchesAgain) {
  create(1);
  std::vector<Hash128> content;
  std::uint64_t n = 0;
  for (int record = 0; record < 200; ++record) {
    std::vector<Batch> batches;
    for (std::uint64_t i = 0, count = 1 + box.sim.random.below(30); i < count; ++i) {
      batches.push_back(batch_of(n++, 10 + box.sim.random.below(box.sim.random.chance(1, 20) ? 5000 : 200)));
      content.push_back(batches.back().hash);
    }
    TG_OK(box.append(batches, box.sim.random.chance(1, 2) ? Codec::kZstd : Codec::kList));
  }
  TG_OK(box.journal->sync());
  for (int round = 0; round < 6; ++round) {
    Loaded loaded;
    const std::size_t least = 300 + box.sim.random.below(2000);
    load_all(box, stream, 1, least, least + box.sim.random.below(30'000), &loaded);
    ASSERT_EQ(loaded.hashes, content);
  }
}

TEST_F(NearStoreTest, CatchUpGathersHundredsOfSmallBatchesInAFrame) {
  create(1);
  for (int i = 0; i < 3000; ++i)
    TG_OK(box.append({make_batch(BatchHead{TimeUnit::kSecond, 0, "s"},
                                 std::vector<Statistic>{{"counter", std::to_string(i)}})}));
  TG_OK(box.journal->sync());
  Loaded loaded;
  load_all(box, stream, 1, 16'000, 16'000, &loaded);
  EXPECT_EQ(loaded.hashes.size(), 3000U);
  EXPECT_LT(loaded.frames, 10U);
  EXPECT_GT(loaded.largest, 8'000U);
}

TEST_F(NearStoreTest, ASingleRecordGoesAsItIsStored) {
  create();
  const std::vector<Batch> batches{batch_of(1, 500), batch_of(2, 500)};
  TG_OK(box.append(batches, Codec::kList));
  TG_OK(box.journal->sync());
  auto loaded = box.near->load(stream, 1, 9, 100'000);
  TG_OK(loaded);
  EXPECT_EQ(loaded->frame.codec, 0);
  EXPECT_EQ(to_bytes(loaded->frame.container), container_of(batches).bytes);
  EXPECT_EQ(loaded->events, 2U);
  EXPECT_EQ(loaded->frame.hops, std::vector<Id>{box.journal->id()});
}

TEST_F(NearStoreTest, ABatchLargerThanTheFrameComesAlone) {
  create();
  TG_OK(box.fill(0, 3, 5000));
  auto loaded = box.near->load(stream, 2, 3, 1000);
  TG_OK(loaded);
  EXPECT_EQ(loaded->frame.hashes.size(), 1U);
  EXPECT_GT(loaded->storage.size(), 1000U);
}

TEST_F(NearStoreTest, CuttingABigRecordReadsItOnce) {
  create();
  std::vector<Batch> batches;
  for (std::uint64_t i = 0; i < 1000; ++i) batches.push_back(batch_of(i, 100));
  TG_OK(box.append(batches, Codec::kZstd));
  TG_OK(box.journal->sync());
  Loaded loaded;
  TG_OK(box.near->load(stream, 1, 1, 2000));
  const std::uint64_t before = box.sim.files.effects(EffectKind::kRead);
  load_all(box, stream, 2, 2000, 2000, &loaded);
  EXPECT_GT(loaded.frames, 50U);
  EXPECT_LT(box.sim.files.effects(EffectKind::kRead) - before, 3 * loaded.frames);
}

TEST_F(NearStoreTest, ARepeatedLoadGivesTheSameBatches) {
  create();
  TG_OK(box.fill(0, 100));
  auto first = box.near->load(stream, 20, 60, 3000);
  auto again = box.near->load(stream, 20, 60, 3000);
  auto smaller = box.near->load(stream, 20, 60, 1000);
  TG_OK(first);
  TG_OK(again);
  TG_OK(smaller);
  EXPECT_EQ(first->frame.hashes, again->frame.hashes);
  EXPECT_LT(smaller->frame.hashes.size(), first->frame.hashes.size());
  EXPECT_LE(first->frame.last_seq(), 60U);
}

TEST_F(NearStoreTest, NothingBeyondLastOrHeadIsLoaded) {
  create();
  TG_OK(box.fill(0, 10));
  auto loaded = box.near->load(stream, 3, 5, 1 << 20);
  TG_OK(loaded);
  EXPECT_EQ(loaded->frame.last_seq(), 5U);
  EXPECT_EQ(box.near->load(stream, 11, 20, 1 << 20).error().code, ErrorCode::kInvalidArgument);
}

TEST_F(NearStoreTest, OfMoreThanEightHopsTheOldestGoes) {
  create();
  const std::vector<Batch> batches{batch_of(1)};
  const Container container = container_of(batches);
  RecordMeta meta = meta_of(batches, container);
  for (std::uint8_t i = 1; i <= 8; ++i) meta.hops.push_back(id_of(i));
  TG_OK(box.journal->append(meta, container.bytes));
  TG_OK(box.journal->sync());
  auto loaded = box.near->load(stream, 1, 1, 10'000);
  TG_OK(loaded);
  ASSERT_EQ(loaded->frame.hops.size(), 8U);
  EXPECT_EQ(loaded->frame.hops.front(), id_of(2));
  EXPECT_EQ(loaded->frame.hops.back(), box.journal->id());
}

// ---- retention

struct RetentionTest : NearStoreTest {
  static constexpr std::int64_t kHour = 3'600'000'000;
  void prepare(std::uint64_t quota, std::int64_t hours) {
    box.options.quota_bytes = quota;
    box.near_options.retention.window = {hours * kHour, 20};
    TG_OK(box.reopen());
    create(1);
    TG_OK(box.fill(0, 2000));
  }
};

TEST_F(RetentionTest, UnconfirmedDataIsNeverReleased) {
  prepare(0, 0);
  EXPECT_EQ(*box.near->releasable_lsn(box.wall() + 1000 * kHour), 0U);
  TG_OK(box.near->set_confirmed(stream, 1000));
  const Lsn lsn = *box.near->releasable_lsn(box.wall());
  EXPECT_GT(lsn, 500U);
  EXPECT_LE(lsn, 1000U);
}

TEST_F(RetentionTest, ConfirmedDataStaysForTheTimeOfTheWindow) {
  prepare(0, 24);
  TG_OK(box.near->set_confirmed(stream, 2000));
  EXPECT_EQ(*box.near->releasable_lsn(box.wall() + 23 * kHour), 0U);
  EXPECT_GT(*box.near->releasable_lsn(box.wall() + 25 * kHour), 1000U);
}

TEST_F(RetentionTest, AShareOfTheQuotaEndsTheWindowSooner) {
  prepare(1 << 20, 24);  // 20 %: about 210 kB, three segments
  TG_OK(box.near->set_confirmed(stream, 2000));
  const Lsn lsn = *box.near->releasable_lsn(box.wall());
  ASSERT_GT(lsn, 0U);
  std::uint64_t kept = 0;
  for (const SegmentInfo& segment : box.journal->segments())
    kept += segment.first_lsn > lsn ? segment.bytes : 0;
  EXPECT_GE(kept, (1U << 20) / 100 * 20);
  EXPECT_LT(kept, (1U << 20) / 100 * 20 + 2 * box.options.segment_bytes);
}

// Found by the simulator: a segment without batches let go of everything in front of it.
TEST_F(RetentionTest, ASegmentOfNotesAloneDoesNotEndTheSafetyWindow) {
  prepare(0, 1);
  TG_OK(box.near->set_confirmed(stream, 2000));
  const auto only_notes = [](const SegmentInfo& s) { return s.sealed && s.last_lsn < s.first_lsn; };
  std::uint64_t session = 1;
  for (auto all = box.journal->segments(); std::none_of(all.begin(), all.end(), only_notes);
       all = box.journal->segments())
    TG_OK(box.near->set_session(session++));
  EXPECT_EQ(*box.near->releasable_lsn(box.wall()), 0U);
  EXPECT_GT(*box.near->releasable_lsn(box.wall() + 2 * kHour), 0U);
}

TEST_F(RetentionTest, NothingIsReleasedWhenNobodyReads) {
  box.near_options.retention.window = {0, 0};
  TG_OK(box.reopen());
  TG_OK(box.fill(0, 1000));
  EXPECT_EQ(*box.near->releasable_lsn(box.wall() + 1000 * kHour), 0U);
}

TEST_F(RetentionTest, AHoldingLocalPipePins) {
  box.near_options.retention.holds = these_pipes({"archive"});
  prepare(0, 0);
  TG_OK(box.near->set_confirmed(stream, 2000));
  TG_OK(PipePositions(box.journal.get(), box.state.get()).set("archive", 10, {}));
  EXPECT_EQ(*box.near->releasable_lsn(box.wall()), 0U);
  TG_OK(PipePositions(box.journal.get(), box.state.get()).set("archive", 2000, {}));
  EXPECT_GT(*box.near->releasable_lsn(box.wall()), 0U);
}

TEST_F(RetentionTest, WhatWasTrimmedIsDescribedForTheGap) {
  prepare(0, 0);
  TG_OK(box.near->set_confirmed(stream, 1500));
  TG_OK(box.near->apply_retention(box.wall()));
  const Seq trimmed = box.near->trimmed(stream);
  ASSERT_GT(trimmed, 100U);
  TG_OK(box.reopen());
  EXPECT_EQ(box.near->load(stream, 1, 10, 1000).error().code, ErrorCode::kTrimmed);
  const auto missing = box.near->missing(stream, 1);
  ASSERT_TRUE(missing);
  EXPECT_EQ(missing->to, trimmed);
  EXPECT_EQ(missing->reason, GapReason::kTrimmed);
  EXPECT_EQ(missing->events, trimmed);
  EXPECT_FALSE(box.near->missing(stream, trimmed + 1));
  EXPECT_TRUE(box.near->chain(stream, missing->to));
}

// Found by the simulator: the segment made after a failed write begins with a checkpoint of a later moment,
// so nothing knew the chain of the last batch in front of it.
TEST_F(RetentionTest, TheChainOfTheLastBatchTrimmedIsKnownAlsoAfterAFailedWrite) {
  box.near_options.retention.window = {0, 0};
  TG_OK(box.reopen());
  TG_OK(box.fill(0, 32));
  stream = *box.near->create_stream("pipe p", 1);
  box.sim.files.inject({.kind = EffectKind::kSync, .path_contains = "segment", .code = ErrorCode::kIo});
  TG_OK(box.fill(32, 5));
  ASSERT_EQ(box.journal->segments().size(), 2U) << "it went to a new segment";
  TG_OK(box.near->set_confirmed(stream, 37));
  TG_OK(box.near->apply_retention(box.wall()));
  const Seq trimmed = box.near->trimmed(stream);
  ASSERT_EQ(trimmed, 32U);
  TG_OK(box.reopen());
  EXPECT_TRUE(box.near->chain(stream, trimmed));
  EXPECT_EQ(box.near->missing(stream, 1)->to, trimmed);
}

// ---- damage

TEST_F(NearStoreTest, ADamagedContainerIsOneGapAndTheChainGoesOnBehindIt) {
  create(1);
  TG_OK(box.fill(0, 1500));
  rot_segment_of(100, container_of({batch_of(99)}).bytes);
  auto loaded = box.near->load(stream, 100, 200, 4000);
  ASSERT_FALSE(loaded.ok());
  EXPECT_EQ(loaded.error().code, ErrorCode::kDamaged);
  const auto missing = box.near->missing(stream, 100);
  ASSERT_TRUE(missing);
  EXPECT_EQ(missing->to, 100U);
  EXPECT_EQ(missing->reason, GapReason::kDamaged);
  Loaded rest;
  load_all(box, stream, 101, 4000, 4000, &rest);
  EXPECT_EQ(rest.hashes, hashes(100, 1400));
}

// Found by the simulator: recover() refused to start the sender.
TEST_F(NearStoreTest, ADamagedContainerWhoseEnvelopeIsReadableDoesNotEndTheStreamAtOpen) {
  create(1);
  TG_OK(box.fill(0, 60));
  TG_OK(box.fill(60, 40));
  rot_segment_of(20, container_of({batch_of(19)}).bytes);
  TG_OK(box.near->recover());
  EXPECT_EQ(box.near->streams(), std::vector<StreamId>{stream});
  EXPECT_TRUE(box.near->info(stream)->chain_known);
  const auto chains = chains_of_batches(box.journal->id(), stream, hashes(0, 100));
  EXPECT_EQ(box.near->chain(stream, 100), chains[100]);
  EXPECT_EQ(box.near->missing(stream, 20)->to, 20U);
}

// Found by the simulator: the note of the stream that goes on behind damage was itself hit later. Nobody
// numbered what came then, and it was released.
TEST_F(NearStoreTest, AStreamWithAnEndIsNotTakenForOneThatGoesOn) {
  box.near_options.retention.window = {0, 0};
  TG_OK(box.reopen());
  TG_OK(box.fill(0, 1000));
  stream = *box.near->create_stream("pipe p", 1, 100);
  TG_OK(box.near->set_confirmed(stream, 100));
  EXPECT_LE(*box.near->releasable_lsn(box.wall()), 100U);
  const auto next = box.near->ensure_stream("pipe p");
  TG_OK(next);
  EXPECT_EQ(box.near->info(*next)->first_lsn, 101U);
  EXPECT_EQ(*box.near->ensure_stream("pipe p"), *next);
}

TEST_F(NearStoreTest, LostHashesCostTheStreamUpToTheNextMark) {
  create(1);
  TG_OK(box.fill(0, 1500));
  const auto chains = chains_of_batches(box.journal->id(), stream, hashes(0, 1500));
  rot_segment_of(100, to_bytes(batch_of(99).hash.view()));
  const auto missing = box.near->missing(stream, 100);
  ASSERT_TRUE(missing);
  EXPECT_GE(missing->to, 100U);
  EXPECT_LE(missing->to, 100U + kMarkEvery);
  EXPECT_EQ(*box.near->chain(stream, missing->to), chains[missing->to]);
  EXPECT_EQ(box.near->missing(stream, 101)->to, missing->to);
  EXPECT_FALSE(box.near->missing(stream, 99));
  Loaded rest;
  load_all(box, stream, missing->to + 1, 4000, 4000, &rest);
  EXPECT_EQ(rest.hashes, hashes(missing->to, 1500 - missing->to));
}

TEST_F(NearStoreTest, AMarkBehindDamageOfTheNewestSegmentSavesTheStream) {
  create(1);
  TG_OK(box.fill(0, 50));
  TG_OK(box.near->maintain());
  TG_OK(box.near->maintain());
  TG_OK(box.fill(50, 50));
  rot_segment_of(20, to_bytes(batch_of(19).hash.view()));
  TG_OK(box.near->recover());
  EXPECT_EQ(box.near->streams(), std::vector<StreamId>{stream});
  const auto chains = chains_of_batches(box.journal->id(), stream, hashes(0, 100));
  EXPECT_EQ(box.near->missing(stream, 20)->to, 50U);
  for (Seq n = 50; n <= 100; ++n) EXPECT_EQ(box.near->chain(stream, n), chains[n]);
  EXPECT_EQ(box.state->ledger_counters().at(ledger_kind::kDamage), 1U);
}

TEST_F(NearStoreTest, WithoutAMarkTheStreamEndsBeforeTheDamageAndAnotherGoesOnBehindIt) {
  create(1);
  TG_OK(box.fill(0, 60));
  TG_OK(box.fill(60, 40));  // its records say that the others were durable: not a torn tail
  rot_segment_of(20, to_bytes(batch_of(19).hash.view()));
  TG_OK(box.near->recover());
  ASSERT_EQ(box.near->streams(), (std::vector<StreamId>{1, 2}));
  EXPECT_EQ(box.near->head(1), 19U);
  EXPECT_EQ(box.near->info(2)->first_lsn, 21U);
  EXPECT_EQ(box.near->label(2), "pipe p");
  Loaded old_one, new_one;
  load_all(box, 1, 1, 4000, 4000, &old_one);
  load_all(box, 2, 1, 4000, 4000, &new_one);
  EXPECT_EQ(old_one.hashes, hashes(0, 19));
  ASSERT_EQ(new_one.hashes.size(), 81U);  // 80 batches and the gap event
  EXPECT_TRUE(std::equal(new_one.hashes.begin(), new_one.hashes.end() - 1, hashes(20, 80).begin()));
  EXPECT_EQ(box.state->ledger_counters().at(ledger_kind::kStreamEnded), 1U);
  TG_OK(box.reopen());
  TG_OK(box.near->recover());
  EXPECT_EQ(box.near->streams(), (std::vector<StreamId>{1, 2}));
}

// ---- roll-back

TEST_F(NearStoreTest, ARestoredSnapshotIsTheOlderStateAsAWhole) {
  create(1);
  TG_OK(box.fill(0, 100));
  TG_OK(box.near->set_session(3));
  TG_OK(box.near->set_confirmed(stream, 90));
  const SimSnapshot snapshot = box.sim.files.snapshot();
  const Bytes then = box.state->checkpoint();
  TG_OK(box.fill(100, 900));
  TG_OK(box.near->set_session(4));
  TG_OK(box.near->set_confirmed(stream, 800));
  box.close();
  box.sim.files.restore(snapshot);
  TG_OK(box.open());
  EXPECT_EQ(box.state->checkpoint(), then);
  EXPECT_EQ(box.near->session(), 3U);
  EXPECT_EQ(box.near->confirmed(stream), 90U);
  expect_all_chains(hashes(0, 100));
}

}  // namespace
}  // namespace tidegate
