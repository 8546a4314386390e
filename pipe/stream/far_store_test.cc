// SPDX-License-Identifier: Apache-2.0
#include "pipe/stream/stream_test_rig.h"

namespace tidegate {
namespace {

struct FarStoreTest : testing::Test {
  void SetUp() override {
    TG_OK(box.open());
    TG_OK(box.far->append(StoreSession{kSender, kJournal, 5, 99, "plant"}));
    TG_OK(box.far->append(StoreStreamOpen{kJournal, kStream, 1, 0, sender.chains[0], false, 0, "live"}));
    TG_OK(box.far->sync());
  }
  void send(std::uint64_t count, std::uint64_t per_frame = 1) {
    for (std::uint64_t sent = 0; sent < count;) {
      const std::uint64_t n = std::min(per_frame, count - sent);
      for (std::uint64_t i = 0; i < n; ++i) sender.add(content++);
      TG_OK(box.far->append(sender.frame(sender.head() - n + 1, sender.head())));
      sent += n;
    }
    TG_OK(box.far->sync());
  }
  void fork_at(Seq base) {
    const Seq old_last = position();
    sender.cut(base);
    ++sender.generation;
    TG_OK(box.far->append(StoreStreamOpen{kJournal, kStream, sender.generation, base, sender.chains[base],
                                          true, old_last, "live"}));
    TG_OK(box.far->sync());
  }
  void gap_to(Seq to) {
    const Seq from = position() + 1;
    while (sender.head() < to) sender.add(content++);
    GapFrame gap{from, to, sender.chains[from - 1], sender.chains[to], 1, 17, 5, 6};
    TG_OK(box.far->append(StoreGap{kJournal, kStream, sender.generation, gap, from - 1}));
    TG_OK(box.far->sync());
  }
  Seq position() { return box.far->stream(kJournal, kStream).position; }
  void expect_chains_from(Seq least) {
    ASSERT_EQ(position(), sender.head());
    for (Seq n = least; n <= sender.head(); ++n) {
      const auto got = box.far->chain(kJournal, kStream, n);
      ASSERT_TRUE(got) << "chain(" << n << ") is not kept";
      ASSERT_EQ(*got, sender.chains[n]) << "chain(" << n << ")";
    }
    ASSERT_FALSE(box.far->chain(kJournal, kStream, sender.head() + 1));
  }
  std::vector<Record> records() {
    std::vector<Record> out;
    Journal::Reader reader = box.journal->reader(1);
    for (auto next = reader.next(); next.ok() && next->has_value(); next = reader.next())
      out.push_back(std::move(**next));
    return out;
  }

  Box box;
  FakeSender sender;
  std::uint64_t content = 1000;
};

TEST_F(FarStoreTest, AnUnknownStreamStandsAtZero) {
  const FarStream stream = box.far->stream(id_of(9), 4);
  EXPECT_EQ(stream.generation, 0U);
  EXPECT_EQ(stream.position, 0U);
  EXPECT_EQ(stream.chain, chain_zero(id_of(9), 4));
  EXPECT_EQ(box.far->chain(id_of(9), 4, 0), chain_zero(id_of(9), 4));
  EXPECT_FALSE(box.far->journal(id_of(9)));
}

TEST_F(FarStoreTest, QueriesLagBehindAppendedDataUntilTheSync) {
  send(5);
  sender.add(1), sender.add(2);
  TG_OK(box.far->append(sender.frame(6, 7)));
  EXPECT_EQ(position(), 5U);
  EXPECT_FALSE(box.far->chain(kJournal, kStream, 6));
  TG_OK(box.far->append(StoreSession{kSender, kJournal, 6, 100, "plant"}));
  EXPECT_EQ(box.far->journal(kJournal)->session, 5U);
  TG_OK(box.far->sync());
  EXPECT_EQ(box.far->journal(kJournal)->session, 6U);
  expect_chains_from(0);
}

TEST_F(FarStoreTest, ASyncThatBeganBeforeAnAppendSaysNothingOfIt) {
  send(1);
  TG_OK(box.far->append(StoreSession{kSender, kJournal, 6, 100, "plant"}));
  const std::uint64_t mark = box.far->mark();
  TG_OK(box.far->append(StoreSession{kSender, kJournal, 7, 101, "plant"}));
  box.far->on_synced(mark);
  EXPECT_EQ(box.far->journal(kJournal)->session, 6U);
}

TEST_F(FarStoreTest, WhatIsNotTheNextIsRefusedAndNothingIsWritten) {
  send(5);
  sender.add(1), sender.add(2), sender.add(3);
  EXPECT_EQ(box.far->append(sender.frame(7, 8)).error().code, ErrorCode::kNotContiguous);
  EXPECT_EQ(box.far->append(sender.frame(4, 8, 1)).error().code, ErrorCode::kNotContiguous);
  StoreBatches other = sender.frame(6, 8);
  other.previous_chain = sender.chains[4];
  EXPECT_EQ(box.far->append(other).error().code, ErrorCode::kDiverged);
  TG_OK(box.far->sync());
  EXPECT_EQ(position(), 5U);
  EXPECT_EQ(box.journal->head(), 5U);
}

TEST_F(FarStoreTest, AnOverlapIsStoredWithSkipAndReadBackRight) {
  send(10, 4);
  for (int i = 0; i < 5; ++i) sender.add(content++);
  TG_OK(box.far->append(sender.frame(7, 15, 4)));
  TG_OK(box.far->sync());
  expect_chains_from(0);
  TG_OK(box.reopen());
  expect_chains_from(0);
  std::vector<Hash128> got;
  for (const Record& record : records()) {
    const auto decoded =
        decode_container(record.meta.codec, record.meta.decoded_size, record.container, 1 << 20);
    TG_OK(decoded);
    for (std::size_t i = record.meta.skip; i < decoded->batches.size(); ++i)
      got.push_back(xxh3_128(decoded->batches[i]));
  }
  EXPECT_EQ(got, sender.hashes);
  EXPECT_EQ(box.journal->head(), 15U);
}

TEST_F(FarStoreTest, ChainsAreKeptOverRollsRestartsForksAndGaps) {
  send(700, 1);
  fork_at(450);
  send(500, 7);
  gap_to(1000);
  send(600, 1);
  fork_at(1300);
  send(900, 3);
  ASSERT_GT(box.journal->segments().size(), 4U);
  const auto check = [&](Seq least, Seq most) {
    for (Seq n = least; n <= most; ++n) {
      const auto got = box.far->chain(kJournal, kStream, n);
      ASSERT_TRUE(got) << n;
      ASSERT_EQ(*got, sender.chains[n]) << n;
    }
  };
  for (int round = 0; round < 2; ++round) {
    check(0, 950);
    check(1000, sender.head());
    EXPECT_FALSE(box.far->chain(kJournal, kStream, 980)) << "inside the gap nothing is known";
    TG_OK(box.reopen());
  }
}

TEST_F(FarStoreTest, PositionsAndChainsSurviveAnEmptyJournal) {
  box.far_options.retention.holds = these_pipes({"db"});
  box.far_options.retention.window = {0, 0};
  TG_OK(box.reopen());
  send(1500);
  fork_at(1400);
  send(50);
  PipePositions pipes(box.journal.get(), box.state.get());
  TG_OK(pipes.set("db", box.journal->head(), Bytes{1, 2, 3}));
  TG_OK(box.far->append(StoreSession{kSender, id_of(0x78), 1, 1, "other"}));
  TG_OK(box.far->sync());
  // Batches of another sender until nothing of the stream is left.
  for (int round = 0; round < 3; ++round) {
    TG_OK(box.fill(50'000 + 2000 * static_cast<std::uint64_t>(round), 2000));
    TG_OK(PipePositions(box.journal.get(), box.state.get()).set("db", box.journal->head(), Bytes{4}));
    TG_OK(box.far->apply_retention(box.wall()));
    TG_OK(box.reopen());
  }
  ASSERT_GT(box.journal->first_lsn(), 1600U);
  expect_chains_from(0);
  EXPECT_EQ(box.far->journal(kJournal)->session, 5U);
  EXPECT_EQ(box.far->stream(kJournal, kStream).generation, 2U);
  EXPECT_EQ(box.state->pipe_position("db")->state, Bytes{4});
  send(10);
  expect_chains_from(0);
}

TEST_F(FarStoreTest, AllDeliveredDataButTheNewestSegmentMayGo) {
  box.far_options.retention.holds = these_pipes({"db"});
  box.far_options.retention.window = {0, 0};
  TG_OK(box.reopen());
  send(1500);
  EXPECT_EQ(*box.far->releasable_lsn(box.wall()), 0U);
  TG_OK(PipePositions(box.journal.get(), box.state.get()).set("db", 800, {}));
  const Lsn some = *box.far->releasable_lsn(box.wall());
  EXPECT_GT(some, 0U);
  EXPECT_LE(some, 800U);
  TG_OK(PipePositions(box.journal.get(), box.state.get()).set("db", 1500, {}));
  EXPECT_EQ(*box.far->releasable_lsn(box.wall()) + 1, box.journal->segments().back().first_lsn);
}

TEST_F(FarStoreTest, AForkKeepsBothBranchesAndLeavesAnEvent) {
  send(20);
  fork_at(12);
  EXPECT_EQ(position(), 12U);
  EXPECT_EQ(box.far->stream(kJournal, kStream).generation, 2U);
  const auto view = box.state->far_stream(kJournal, kStream);
  EXPECT_EQ(view->orphans, (std::vector<OrphanedBranch>{{1, 13, 20}}));
  EXPECT_EQ(box.journal->head(), 21U);
  const Record event = records().back();
  const auto decoded = decode_container(event.meta.codec, event.meta.decoded_size, event.container, 1 << 20);
  TG_OK(decoded);
  const auto forks = read_forks(decoded->batches.at(0));
  TG_OK(forks);
  EXPECT_EQ(forks->at(0).old_last, 20U);
  EXPECT_EQ(forks->at(0).generation, 2U);
  EXPECT_EQ(box.state->ledger_counters().at(ledger_kind::kFork), 1U);
}

TEST_F(FarStoreTest, AGapMovesThePositionAndIsInTheLedgerAndAnEvent) {
  send(20);
  gap_to(35);
  EXPECT_EQ(position(), 35U);
  const auto decoded_gap = [&] {
    const Record event = records().back();
    const auto decoded =
        decode_container(event.meta.codec, event.meta.decoded_size, event.container, 1 << 20).value();
    return read_gaps(decoded.batches.at(0)).value().at(0);
  }();
  EXPECT_EQ(decoded_gap.reason, 129);
  EXPECT_EQ(decoded_gap.from, 21U);
  EXPECT_EQ(decoded_gap.to, 35U);
  EXPECT_EQ(decoded_gap.events, 17U);
  EXPECT_EQ(box.state->ledger_recent().back().kind, ledger_kind::kGap);
  TG_OK(box.power_cut());
  EXPECT_EQ(position(), 35U);
  send(3);
  EXPECT_EQ(position(), 38U);
}

TEST_F(FarStoreTest, AnEventThatACrashCameBeforeIsWrittenAtTheNextStart) {
  send(20);
  const FarGapNote gap{kJournal, kStream, 1, 21, 30, 20, id_of(0x30), 1, 5, 0, 0};
  TG_OK(box.journal->append_note(static_cast<std::uint8_t>(NoteType::kFarGap), encode_note(gap)));
  TG_OK(box.journal->sync());
  TG_OK(box.power_cut());
  EXPECT_EQ(position(), 30U);
  EXPECT_EQ(box.journal->head(), 20U);
  TG_OK(box.far->recover());
  EXPECT_EQ(box.journal->head(), 21U);
  TG_OK(box.reopen());
  TG_OK(box.far->recover());
  EXPECT_EQ(box.journal->head(), 21U);
}

TEST_F(FarStoreTest, ContentThatDoesNotMatchItsHashIsRefused) {
  for (int i = 0; i < 4; ++i) sender.add(content++);
  StoreBatches request = sender.frame(1, 4);
  BatchFrame frame{
      1, request.previous_chain, request.hashes, {}, request.codec, request.decoded_size, request.container};
  TG_OK(box.far->check_content(frame, 0));
  frame.hashes[1] = {};
  EXPECT_EQ(box.far->check_content(frame, 0).error().code, ErrorCode::kChecksum);
  EXPECT_EQ(box.far->check_content(frame, 1).error().sequence, 2U);
  TG_OK(box.far->check_content(frame, 2));
  frame.hashes.push_back({});
  EXPECT_EQ(box.far->check_content(frame, 2).error().code, ErrorCode::kMalformed);
  frame.codec = 99;
  EXPECT_EQ(box.far->check_content(frame, 2).error().code, ErrorCode::kUnsupported);
  frame.decoded_size = 65U << 20;
  EXPECT_EQ(box.far->check_content(frame, 2).error().code, ErrorCode::kTooLarge);
}

TEST_F(FarStoreTest, ANewJournalOfASenderTakesItsPlace) {
  const Id other = id_of(0x78);
  EXPECT_FALSE(box.far->accept_journal(kSender, other, true));
  TG_OK(box.far->approve(kSender, other));
  EXPECT_TRUE(box.far->accept_journal(kSender, other, false));
  TG_OK(box.far->append(StoreSession{kSender, other, 1, 1, "new disk"}));
  EXPECT_EQ(*box.far->journal_of_sender(kSender), kJournal);
  TG_OK(box.far->sync());
  EXPECT_EQ(*box.far->journal_of_sender(kSender), other);
  EXPECT_TRUE(box.far->journal(kJournal)->superseded);
  TG_OK(box.reopen());
  EXPECT_EQ(*box.far->journal_of_sender(kSender), other);
  EXPECT_TRUE(box.far->accept_journal(id_of(1), id_of(2), false));
}

TEST_F(FarStoreTest, BatchesThatHaveBeenHereAreMarkedAndCounted) {
  sender.add(1), sender.add(2);
  StoreBatches request = sender.frame(1, 2);
  request.hops = {box.journal->id(), kJournal};
  TG_OK(box.far->append(request));
  box.far->count_duplicates(3);
  TG_OK(box.far->maintain());
  TG_OK(box.far->sync());
  EXPECT_TRUE(box.far->is_loop(records().back().meta));
  EXPECT_EQ(box.state->ledger_counters().at(ledger_kind::kLoop), 2U);
  EXPECT_EQ(box.state->ledger_counters().at(ledger_kind::kDuplicates), 3U);
}

TEST_F(FarStoreTest, AFullJournalRefusesBatchesAndTakesThemAgainLater) {
  box.options.quota_bytes = 40'000;
  TG_OK(box.reopen());
  Status status;
  while (status.ok()) {
    sender.add(content++);
    status = box.far->append(sender.frame(sender.head(), sender.head()));
  }
  EXPECT_EQ(status.error().code, ErrorCode::kNoSpace);
  TG_OK(box.far->sync());
  EXPECT_EQ(position(), sender.head() - 1);
  box.options.quota_bytes = 0;
  TG_OK(box.reopen());
  TG_OK(box.far->append(sender.frame(sender.head(), sender.head())));
  TG_OK(box.far->sync());
  expect_chains_from(0);
}

// Sinks read on in LSN order: the event of the hole, then what follows it.
// The journal is full, and an event waits for room in it.
struct FullFarStore : FarStoreTest {
  void SetUp() override {
    FarStoreTest::SetUp();
    box.options.segment_bytes = 8192;
    box.options.quota_bytes = 40'000;
    TG_OK(box.reopen());
    Status status;
    while (status.ok()) {
      sender.add(content++);
      status = box.far->append(sender.frame(sender.head(), sender.head()));
    }
    TG_OK(box.far->sync());
    for (int i = 0; i < 5; ++i) sender.add(content++);
    const Seq to = sender.head();
    const GapFrame gap{position() + 1, to, sender.chains[position()], sender.chains[to], 1, 5, 0, 0};
    TG_OK(box.far->append(StoreGap{kJournal, kStream, 1, gap, position()}));
    TG_OK(box.far->sync());
    ASSERT_FALSE(box.state->owed_events().empty()) << "the journal was not full";
    full = box.journal->head();
  }
  // The first records that were taken after there was room again.
  void expect_the_event_and_then_a_batch() {
    TG_OK(box.journal->trim(full / 2));
    sender.add(content++);
    TG_OK(box.far->append(sender.frame(sender.head(), sender.head())));
    TG_OK(box.far->sync());
    auto reader = box.journal->reader(full + 1);
    EXPECT_EQ((*reader.next())->meta.origin->first_seq, 0U) << "an event of the stream";
    EXPECT_EQ((*reader.next())->meta.origin->first_seq, sender.head());
  }

  Lsn full = 0;
};

TEST_F(FullFarStore, AnEventThatFoundNoRoomStandsInFrontOfWhatFollows) {
  expect_the_event_and_then_a_batch();
}

// Found by the simulator: it did not start, and so nothing could make room.
TEST_F(FullFarStore, ItStartsAgainThoughAnEventFindsNoRoom) {
  TG_OK(box.reopen());
  TG_OK(box.far->recover());
  ASSERT_FALSE(box.state->owed_events().empty()) << "the event was forgotten";
  expect_the_event_and_then_a_batch();
}

// Found by the simulator: a crash between the note of a gap and its ledger entry.
TEST_F(FarStoreTest, AGapThatIsDurableIsInTheLedgerWhereverTheProcessDied) {
  for (std::uint64_t effects = 1; effects < 40; ++effects) {
    const GapFrame gap{
        position() + 1, position() + 5, box.far->stream(kJournal, kStream).chain, id_of(7), 1, 5, 0, 0};
    std::uint64_t left = effects;
    box.sim.files.on_effect([&](EffectKind, const std::string&) {
      if (left > 0 && --left == 0) throw SimCrash{0};
    });
    try {
      TG_OK(box.far->append(StoreGap{kJournal, kStream, 1, gap, position()}));
      TG_OK(box.far->sync());
    } catch (const SimCrash&) {
    }
    box.sim.files.on_effect({});
    const Seq before = gap.from - 1;
    TG_OK(box.reopen());
    TG_OK(box.far->recover());
    if (position() == before) continue;
    const auto ledger = box.state->ledger_recent();
    EXPECT_TRUE(std::any_of(ledger.begin(), ledger.end(),
                            [&](const LedgerEntry& e) {
                              return e.kind == ledger_kind::kGap && e.from == gap.from && e.to == gap.to;
                            }))
        << "died at effect " << effects;
  }
}

}  // namespace
}  // namespace tidegate
