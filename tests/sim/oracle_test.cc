// SPDX-License-Identifier: Apache-2.0
// What the oracle sees in a far journal that was written by hand: the order of branches and events.
#include "tests/sim/oracle.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/sim_env.h"
#include "pipe/model/container.h"
#include "protocol/native/format.h"

namespace tidegate::sim {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;

class FarJournal : public testing::Test {
 protected:
  FarJournal() {
    EXPECT_TRUE(env_.files.make_dirs("/far").ok());
    JournalOptions options;
    options.directory = "/far";
    options.segment_bytes = 2048;
    options.reserve_bytes = 0;
    journal_ = Journal::open(env_.env(), options, &state_).value();
    sender_.bytes.fill(7);
    chain_ = chain_zero(sender_, 1);
    write_note(FarStreamOpenNote{sender_, 1, 1, 0, chain_, "live"});
  }

  // ---- what a receiver writes
  void batches(Seq first, Seq last) {
    for (Seq n = first; n <= last; ++n) {
      const Batch batch = make_batch(BatchHead{TimeUnit::kSecond, 0, "s"}, EventKind::kOpaque,
                                     {{"sim", Bytes(200, static_cast<std::uint8_t>(++made_))}});
      const Hash128 before = chain_;
      if (!known_.contains({generation_, n})) {
        known_.insert({generation_, n});
        while (generation_ == 1 && oracle_.head(0) + 1 < n) lose_one();
        const Lsn lsn = oracle_.head(0) + 1;
        oracle_.appended(0, sender_, lsn, batch.hash);
        shift_to(lsn - n);
      }
      chain_ = chain_next(chain_, n, batch.hash);
      chains_[n] = chain_;
      append(batch, n, before);
    }
  }
  void fork_note(Seq base, Seq old_last) {
    oracle_.forked(sender_, 1, generation_ + 1, base);
    fork_ = {sender_, 1, generation_ + 1, base, chains_[base], old_last};
    write_note(fork_);
    write_ledger(ledger_kind::kFork, base + 1, old_last);
  }
  void begin_branch() {
    ++generation_;
    chain_ = fork_.base_chain;
  }
  void fork_event() {
    append(make_batch(BatchHead{TimeUnit::kSecond, 0, "tidegate"},
                      std::vector<ForkEvent>{{sender_, 1, fork_.generation, fork_.base, fork_.old_last}}),
           0, {}, fork_.generation);
  }
  void gap_note(Seq from, Seq to) {
    for (Seq n = from; n <= to; ++n) chain_ = chain_next(chain_, n, {});
    write_note(FarGapNote{sender_, 1, generation_, from, to, from - 1, chain_, 1, 0, 0, -1});
    write_ledger(ledger_kind::kGap, from, to);
    gap_ = {from, to};
  }
  void gap_event() {
    append(make_batch(BatchHead{TimeUnit::kNanosecond, 0, "tidegate"},
                      std::vector<GapEvent>{{129, gap_.first, gap_.second, 0, 0, -1}}),
           0, {});
  }
  void give_to_sinks_and_trim() {
    sync();
    const Lsn up_to = journal_->segments().rbegin()[1].last_lsn;
    oracle_.far_given(*journal_, state_, up_to);
    ASSERT_GT(journal_->trim(up_to).value(), 0U);
  }

  std::vector<std::string> objections() {
    sync();
    oracle_.check_far(*journal_, state_, {});
    return oracle_.violations();
  }

 private:
  void append(const Batch& batch, Seq seq, const Hash128& before, std::uint32_t generation = 0) {
    const auto container = encode_container(Codec::kList, {ByteView(batch.canonical)}).value();
    RecordMeta meta;
    meta.count = 1;
    meta.origin = Origin{sender_, generation == 0 ? generation_ : generation, 1, seq, before};
    meta.codec = container.codec;
    meta.decoded_size = container.decoded_size;
    meta.hashes = {batch.hash};
    ASSERT_TRUE(journal_->append(meta, container.bytes).ok());
  }
  template <class N>
  void write_note(const N& note) {
    ASSERT_TRUE(journal_->append_note(static_cast<std::uint8_t>(N::kType), encode_note(note)).ok());
  }
  void write_ledger(const char* kind, Seq from, Seq to) {
    LedgerEntry entry;
    entry.kind = kind;
    entry.journal = sender_;
    entry.stream = 1;
    entry.from = from;
    entry.to = to;
    ASSERT_TRUE(state_.write_ledger(*journal_, entry).ok());
  }
  // At the sender, in front of what comes next.
  void lose_one() {
    Hash128 lost;
    lost.bytes[0] = static_cast<std::uint8_t>(++made_);
    oracle_.appended(0, sender_, oracle_.head(0) + 1, lost);
  }
  void sync() { ASSERT_TRUE(journal_->sync().ok()); }
  void shift_to(Lsn shift) { oracle_.numbered(sender_, 1, shift); }

  SimEnv env_;
  EventQueue queue_;
  Oracle oracle_{&queue_};
  StreamState state_;
  std::unique_ptr<Journal> journal_;
  Id sender_;
  Hash128 chain_;
  std::uint32_t generation_ = 1;
  std::uint64_t made_ = 0;
  std::set<std::pair<std::uint32_t, Seq>> known_;
  std::map<Seq, Hash128> chains_;
  FarForkNote fork_;
  std::pair<Seq, Seq> gap_;
};

TEST_F(FarJournal, OldBranchEventNewBranchIsRight) {
  batches(1, 5);
  fork_note(3, 5);
  fork_event();
  begin_branch();
  batches(4, 8);
  EXPECT_THAT(objections(), IsEmpty());
}

TEST_F(FarJournal, TheEventOfAForkStandsInFrontOfTheNewBranch) {
  batches(1, 5);
  fork_note(3, 5);
  begin_branch();
  batches(4, 4);
  fork_event();
  batches(5, 8);
  EXPECT_THAT(objections(), Contains(HasSubstr("no event of a fork stands before it")));
}

TEST_F(FarJournal, TheEventOfAForkIsNotMissing) {
  batches(1, 5);
  fork_note(5, 5);
  EXPECT_THAT(objections(), IsEmpty()) << "it is owed: a crash may have come before it";
  begin_branch();
  batches(6, 8);
  EXPECT_THAT(objections(), Contains(HasSubstr("no event of a fork stands before it")));
}

TEST_F(FarJournal, TheOldBranchDoesNotGoOnBehindTheEvent) {
  batches(1, 5);
  fork_note(3, 6);
  fork_event();
  batches(6, 6);
  EXPECT_THAT(objections(), Contains(HasSubstr("an older generation stands behind")));
}

TEST_F(FarJournal, TheEventOfAGapStandsWhereTheBatchesAreMissing) {
  batches(1, 5);
  gap_note(6, 9);
  gap_event();
  batches(10, 12);
  EXPECT_THAT(objections(), IsEmpty());
}

TEST_F(FarJournal, TheEventOfAGapDoesNotComeLater) {
  batches(1, 5);
  gap_note(6, 9);
  batches(10, 10);
  gap_event();
  batches(11, 12);
  EXPECT_THAT(objections(), Contains(HasSubstr("no event of a gap is there")));
}

TEST_F(FarJournal, OrderIsComparedAlsoInWhatWasTrimmed) {
  batches(1, 5);
  batches(7, 20);  // nobody says where 6 is
  give_to_sinks_and_trim();
  batches(21, 22);
  EXPECT_THAT(objections(), Contains(HasSubstr("6..6 are missing before it")));
}

TEST_F(FarJournal, WhatFollowsWhatWasTrimmedFollowsInOrder) {
  batches(1, 20);
  give_to_sinks_and_trim();
  batches(21, 22);
  EXPECT_THAT(objections(), IsEmpty());
  batches(22, 22);
  EXPECT_THAT(objections(), Contains(HasSubstr("stands a second time")));
}

}  // namespace
}  // namespace tidegate::sim
