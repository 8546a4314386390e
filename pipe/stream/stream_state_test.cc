// SPDX-License-Identifier: Apache-2.0
#include <functional>

#include "pipe/stream/stream_test_rig.h"

namespace tidegate {
namespace {

template <class N>
void fold_note(StreamState& state, const N& note) {
  state.on_note(static_cast<std::uint8_t>(N::kType), encode_note(note));
}

// One call of the fold, so that the same calls can be made to several states.
using Call = std::function<void(StreamState&)>;

// Calls as a journal would make them: near streams, two senders with forks, gaps and overlaps, pipes, ledger.
class CallMaker {
 public:
  explicit CallMaker(std::uint64_t seed) : random_(seed) {}

  Call next() {
    switch (random_.below(14)) {
      case 0:
        return note(SessionNote{++session_});
      case 1:
        return note(
            StreamCreatedNote{++streams_, "s", 0, 0, 0, id_of(static_cast<std::uint8_t>(streams_)), {}});
      case 2:
        return note(ConfirmedNote{pick_stream(), random_.below(lsn_ + 1), hash()});
      case 3:
        return note(
            NearForkNote{pick_stream(), static_cast<std::uint32_t>(++session_), random_.below(9), hash()});
      case 4:
        return note(
            PipePositionNote{"pipe" + std::to_string(random_.below(3)), random_.below(lsn_ + 1), Bytes{1}});
      case 5:
        return note(LedgerEntry{++ledger_, 1, "gap", {}, 1, 2, 3, 1, "text"});
      case 6:
        return note(FarSessionNote{id_of(1), journal(), ++session_, hash_word(), "plant"});
      case 7:
        return far_fork();
      case 8:
        return far_gap();
      case 9:
        return note(PipeDroppedNote{"pipe" + std::to_string(random_.below(3))});
      default:
        return batches();
    }
  }

 private:
  struct Far {
    std::uint32_t generation = 1;
    std::vector<Hash128> chains;
  };
  template <class N>
  Call note(N value) {
    return [value](StreamState& state) { fold_note(state, value); };
  }
  std::uint64_t hash_word() { return random_.next(); }
  Hash128 hash() {
    Hash128 out;
    random_.fill(out.bytes);
    return out;
  }
  Id journal() { return id_of(static_cast<std::uint8_t>(0x70 + random_.below(2))); }
  StreamId pick_stream() { return static_cast<StreamId>(1 + random_.below(streams_ + 1U)); }
  Far& far(const Id& journal) {
    Far& f = far_[journal];
    if (f.chains.empty()) f.chains.push_back(chain_zero(journal, 1));
    return f;
  }
  Call batches() {
    RecordMeta meta;
    meta.first_lsn = lsn_ + 1;
    meta.arrival_micros = static_cast<std::int64_t>(random_.below(100)) * 3'600'000'000;
    for (std::uint64_t i = 0, n = 1 + random_.below(4); i < n; ++i) meta.hashes.push_back(hash());
    meta.count = static_cast<std::uint32_t>(meta.hashes.size());
    if (random_.chance(1, 2)) {
      const Id from = journal();
      Far& f = far(from);
      meta.origin = Origin{from, f.generation, 1, f.chains.size(), f.chains.back()};
      for (const Hash128& h : meta.hashes)
        f.chains.push_back(chain_next(f.chains.back(), f.chains.size(), h));
    }
    lsn_ = meta.last_lsn();
    return [meta](StreamState& state) { state.on_batches(meta); };
  }
  Call far_fork() {
    const Id from = journal();
    Far& f = far(from);
    const Seq last = f.chains.size() - 1, base = random_.below(last + 1);
    f.chains.resize(base + 1);
    return note(FarForkNote{from, 1, ++f.generation, base, f.chains[base], last});
  }
  Call far_gap() {
    const Id from = journal();
    Far& f = far(from);
    const Seq position = f.chains.size() - 1;
    for (std::uint64_t i = 0, n = 1 + random_.below(5); i < n; ++i) f.chains.push_back(hash());
    return note(FarGapNote{from, 1, f.generation, position + 1, f.chains.size() - 1, position,
                           f.chains.back(), 1, 2, 3, 4});
  }

  SimRandom random_;
  Lsn lsn_ = 0;
  std::uint64_t session_ = 0, ledger_ = 0;
  StreamId streams_ = 0;
  std::map<Id, Far> far_;
};

TEST(StreamState, RestoredFromACheckpointAnywhereItGoesOnToTheSameState) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    CallMaker maker(seed);
    SimRandom random(seed);
    StreamState whole;
    auto restored = std::make_unique<StreamState>();
    for (int i = 0; i < 300; ++i) {
      const Call call = maker.next();
      call(whole);
      call(*restored);
      if (!random.chance(1, 20)) continue;
      const Bytes checkpoint = restored->checkpoint();
      restored = std::make_unique<StreamState>();
      TG_OK(restored->restore(checkpoint));
      ASSERT_EQ(restored->checkpoint(), checkpoint) << "seed " << seed;
    }
    ASSERT_EQ(restored->checkpoint(), whole.checkpoint()) << "seed " << seed;
  }
}

TEST(StreamState, RecordsFoldedTwiceChangeNothing) {
  CallMaker maker(5);
  std::vector<Call> calls;
  for (int i = 0; i < 300; ++i) calls.push_back(maker.next());
  StreamState once, twice;
  for (const Call& call : calls) call(once);
  for (const Call& call : calls) call(twice);
  for (std::size_t i = calls.size() - 50; i < calls.size(); ++i) calls[i](twice);
  // Pipe positions and confirmed are absolute, so the last word is the same; batches and ledger know their
  // numbers.
  EXPECT_EQ(twice.checkpoint(), once.checkpoint());
}

TEST(StreamState, EveryTruncationOfACheckpointIsRefusedAndLeavesTheStateAlone) {
  CallMaker maker(7);
  StreamState state;
  for (int i = 0; i < 60; ++i) maker.next()(state);
  const Bytes good = state.checkpoint();
  for (std::size_t size = 1; size < good.size(); ++size) {
    ASSERT_FALSE(state.restore(ByteView(good).first(size)).ok()) << size;
  }
  Bytes longer = good;
  longer.push_back(0);
  EXPECT_FALSE(state.restore(longer).ok());
  longer[0] = 2;
  EXPECT_EQ(state.restore(longer).error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(state.checkpoint(), good);
}

TEST(StreamState, NotesThatCannotBeReadAreCountedAndIgnored) {
  StreamState state;
  const Bytes before = state.checkpoint();
  const Bytes good = encode_note(ConfirmedNote{1, 2, {}});
  for (std::size_t size = 0; size < good.size(); ++size) state.on_note(19, ByteView(good).first(size));
  state.on_note(200, good);
  EXPECT_EQ(state.unreadable_notes(), good.size() + 1);
  EXPECT_EQ(state.checkpoint(), before);
}

TEST(StreamState, TheFirstOnDurableAfterOpenPublishesWhatWasReplayed) {
  StreamState state;
  fold_note(state, FarSessionNote{id_of(1), id_of(2), 3, 4, "plant"});
  EXPECT_FALSE(state.far_journal(id_of(2)));
  state.on_durable(0);
  ASSERT_TRUE(state.far_journal(id_of(2)));
  fold_note(state, FarSessionNote{id_of(1), id_of(2), 5, 4, "plant"});
  state.on_durable(0);
  EXPECT_EQ(state.far_journal(id_of(2))->session, 3U);
  RecordMeta meta{.first_lsn = 1, .count = 1, .hashes = {id_of(9)}};
  state.on_batches(meta);
  state.on_durable(1);
  EXPECT_EQ(state.far_journal(id_of(2))->session, 5U) << "a note before a durable batch is durable";
}

TEST(StreamState, AMarkBehindDamageTakesTheChainUpAgain) {
  StreamState state, whole;
  const auto both = [&](const Call& call) { call(state), call(whole); };
  both([](StreamState& s) { fold_note(s, StreamCreatedNote{1, "s", 0, 0, 0, id_of(1), {}}); });
  std::vector<Call> records;
  for (Lsn lsn = 1; lsn <= 30; ++lsn) {
    records.push_back([meta = RecordMeta{.first_lsn = lsn, .count = 1, .hashes = {batch_of(lsn).hash}}](
                          StreamState& s) { s.on_batches(meta); });
  }
  for (int i = 0; i < 10; ++i) both(records[i]);
  for (int i = 10; i < 20; ++i) records[i](whole);
  state.on_damage(11, 15);
  for (int i = 15; i < 20; ++i) records[i](state);
  EXPECT_FALSE(state.near_stream(1)->chain_known);
  EXPECT_EQ(state.near_stream(1)->head, 20U) << "numbers go on over damage";
  Hash128 chain17 = id_of(1);
  for (Lsn n = 1; n <= 17; ++n) chain17 = chain_next(chain17, n, batch_of(n).hash);
  both([&](StreamState& s) { fold_note(s, ChainMarkNote{1, 17, chain17}); });
  for (int i = 20; i < 30; ++i) both(records[i]);
  EXPECT_TRUE(state.near_stream(1)->chain_known);
  EXPECT_EQ(state.near_stream(1)->chain, whole.near_stream(1)->chain);
}

TEST(Ledger, KeepsTheLatestEntriesAndCountsAll) {
  StreamState state;
  for (std::uint64_t n = 1; n <= 1000; ++n)
    fold_note(state, LedgerEntry{n, 0, n % 2 ? "fork" : "gap", {}, 1, n, n, 2, ""});
  EXPECT_EQ(state.ledger_recent().size(), kMaxLedgerEntries);
  EXPECT_EQ(state.ledger_recent().back().number, 1000U);
  EXPECT_EQ(state.ledger_counters().at("gap"), 1000U);
}

TEST(Ledger, CountsOfAnHourAreOneEntryAndPushNothingOut) {
  StreamState state;
  fold_note(state, LedgerEntry{1, 0, "gap", {}, 1, 2, 3, 1, "text"});
  for (std::uint64_t n = 2; n < 1000; ++n)
    fold_note(state,
              LedgerEntry{n, static_cast<std::int64_t>(n) * 1'000'000, "duplicates", {}, 0, 0, 0, 2, ""});
  EXPECT_EQ(state.ledger_recent().size(), 2U);
  EXPECT_EQ(state.ledger_recent()[1].amount, 998U * 2);
  EXPECT_EQ(state.ledger_counters().at("duplicates"), 998U * 2);
  fold_note(state, LedgerEntry{1000, 4000LL * 1'000'000, "duplicates", {}, 0, 0, 0, 2, ""});
  EXPECT_EQ(state.ledger_recent().size(), 3U) << "an hour later";
}

TEST(Ledger, CountsBatchesByTheHourOfArrival) {
  StreamState state;
  for (Lsn lsn = 1; lsn <= 200; ++lsn) {
    state.on_batches({.first_lsn = lsn,
                      .count = 1,
                      .events = 3,
                      .arrival_micros = static_cast<std::int64_t>(lsn) * 1'800'000'000,
                      .hashes = {id_of(1)}});
  }
  const auto hours = state.ledger_hours();
  ASSERT_EQ(hours.size(), kMaxHours);
  EXPECT_EQ(hours.back().hour, 100);
  EXPECT_EQ(hours[5].batches, 2U);
  EXPECT_EQ(hours[5].events, 6U);
  EXPECT_EQ(hours[5].hash_sum, 2 * 0x0101010101010101ULL);
}

}  // namespace
}  // namespace tidegate
