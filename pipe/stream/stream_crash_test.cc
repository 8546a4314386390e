// SPDX-License-Identifier: Apache-2.0
// The same operations again and again, the power cut at every effect in turn: what was said before must hold
// after.
#include "pipe/stream/stream_test_rig.h"

namespace tidegate {
namespace {

// What an operation that returned success has promised.
struct Promised {
  std::map<Lsn, Hash128> content;
  std::uint64_t session = 0;
  Seq confirmed = 0;
  std::uint32_t generation = 1;
  std::uint64_t far_session = 0;
  Seq position = 0;
  std::uint32_t far_generation = 0;
  Lsn pipe = 0;
  std::uint64_t ledgered = 0;  // gaps and forks
};

class Script {
 public:
  Script(Box& box, std::uint64_t seed) : box_(box), random_(seed) {}

  Promised promised;
  FakeSender sender;

  // Nothing but Status: a crash comes as an exception from any depth.
  Status run() {
    TG_TRY(stream_, box_.near->create_stream("p", 0));
    TG_CHECK(box_.far->append(StoreSession{kSender, kJournal, 1, 1, "plant"}));
    TG_CHECK(box_.far->append(StoreStreamOpen{kJournal, kStream, 1, 0, sender.chains[0], false, 0, "live"}));
    TG_CHECK(sync());
    promised.far_session = 1;
    promised.far_generation = 1;
    for (int i = 0; i < 60; ++i) TG_CHECK(step());
    return {};
  }
  StreamId stream() const { return stream_; }

 private:
  Status step() {
    switch (random_.below(10)) {
      case 0:
        return session();
      case 1:
        return confirm();
      case 2:
        return near_fork();
      case 3:
        return far_fork();
      case 4:
        return far_gap();
      case 5:
        return pipe();
      case 6:
        return box_.near->maintain();
      case 7:
        return retention();
      case 8:
        return own_batches();
      default:
        return far_batches();
    }
  }
  Status sync() {
    const Lsn head = box_.journal->head();
    TG_CHECK(box_.far->sync());
    for (; told_ < head; ++told_) promised.content[told_ + 1] = written_[told_ + 1];
    promised.position = sender.head();
    promised.far_generation = sender.generation;
    return {};
  }
  void wrote(const Hash128& hash) { written_[box_.journal->head()] = hash; }
  Status own_batches() {
    for (std::uint64_t i = 0, n = 1 + random_.below(20); i < n; ++i) {
      const Batch batch = batch_of(content_++, 200);
      TG_TRY(const Lsn lsn, box_.append({batch}));
      written_[lsn] = batch.hash;
    }
    return sync();
  }
  Status far_batches() {
    const Seq first = sender.head() + 1;
    const Lsn before = box_.journal->head();
    for (std::uint64_t i = 0, n = 1 + random_.below(6); i < n; ++i) sender.add(content_++);
    TG_CHECK(box_.far->append(sender.frame(first, sender.head())));
    for (Seq n = first; n <= sender.head(); ++n) written_[before + 1 + (n - first)] = sender.hashes[n - 1];
    return sync();
  }
  Status session() {
    TG_CHECK(box_.near->set_session(promised.session + 1));
    ++promised.session;
    TG_CHECK(box_.far->append(StoreSession{kSender, kJournal, promised.far_session + 1, 1, "plant"}));
    TG_CHECK(sync());
    ++promised.far_session;
    return {};
  }
  Status confirm() {
    const Seq to = box_.near->head(stream_);
    TG_CHECK(box_.near->set_confirmed(stream_, to));
    promised.confirmed = to;
    return {};
  }
  Status near_fork() {
    const Seq base = promised.confirmed;
    TG_CHECK(box_.near->fork(stream_, promised.generation + 1, base));
    ++promised.generation;
    return {};
  }
  Status far_fork() {
    const Seq last = sender.head();
    Seq base = last - random_.below(std::min<Seq>(last, 4) + 1);
    while (!box_.far->chain(kJournal, kStream, base)) --base;  // inside a gap no receiver lets a fork begin
    sender.cut(base);
    ++sender.generation;
    promised.position = std::min(promised.position, base);
    TG_CHECK(box_.far->append(StoreStreamOpen{kJournal, kStream, sender.generation, base, sender.chains[base],
                                              true, last, "live"}));
    event_written();
    TG_CHECK(sync());
    ++promised.ledgered;
    return {};
  }
  Status far_gap() {
    const Seq from = sender.head() + 1;
    for (int i = 0; i < 3; ++i) sender.add(content_++);
    const GapFrame gap{from, sender.head(), sender.chains[from - 1], sender.chains.back(), 1, 3, 0, 0};
    TG_CHECK(box_.far->append(StoreGap{kJournal, kStream, sender.generation, gap, from - 1}));
    event_written();
    TG_CHECK(sync());
    ++promised.ledgered;
    return {};
  }
  void event_written() { written_[box_.journal->head()] = {}; }  // its content is the store's own
  Status pipe() {
    const Lsn lsn = box_.journal->durable_lsn();
    TG_CHECK(PipePositions(box_.journal.get(), box_.state.get()).set("db", lsn, {}));
    TG_CHECK(sync());
    promised.pipe = lsn;
    return {};
  }
  Status retention() {
    TG_TRY([[maybe_unused]] const std::uint64_t near, box_.near->apply_retention(box_.wall()));
    TG_TRY([[maybe_unused]] const std::uint64_t far, box_.far->apply_retention(box_.wall()));
    return {};
  }

  Box& box_;
  SimRandom random_;
  StreamId stream_ = 0;
  std::uint64_t content_ = 1;
  std::map<Lsn, Hash128> written_;
  Lsn told_ = 0;
};

void prepare(Box& box) {
  box.options.segment_bytes = 8 << 10;
  box.near_options.retention.window = box.far_options.retention.window = {0, 0};
  box.near_options.retention.holds = box.far_options.retention.holds = these_pipes({"db"});
}

std::map<Lsn, Hash128> content_of_journal(const Journal& journal) {
  std::map<Lsn, Hash128> out;
  Journal::Reader reader = journal.reader(journal.first_lsn());
  for (auto meta = reader.next_meta(); meta.ok() && meta->has_value(); meta = reader.next_meta()) {
    for (std::uint32_t i = 0; i < (*meta)->count; ++i)
      out[(*meta)->first_lsn + i] = (*meta)->hashes[(*meta)->skip + i];
  }
  return out;
}

// Near chains: the last trimmed one, run on over what is in the journal, gives every later one and the fold's
// own.
void check_near(Box& box, StreamId stream) {
  const auto info = box.near->info(stream);
  if (!info) return;
  Seq n = box.near->trimmed(stream);
  auto chain = box.near->chain(stream, n);
  ASSERT_TRUE(chain);
  const auto content = content_of_journal(*box.journal);
  for (; n < box.near->head(stream); ++n) {
    ASSERT_TRUE(content.contains(info->lsn_of(n + 1)));
    chain = chain_next(*chain, n + 1, content.at(info->lsn_of(n + 1)));
    ASSERT_EQ(box.near->chain(stream, n + 1), chain);
  }
  EXPECT_EQ(info->head, n);
  EXPECT_TRUE(info->chain_known);
  EXPECT_EQ(info->chain, *chain);
}

void check_promises(Box& box, const Script& script) {
  const Promised& p = script.promised;
  const auto content = content_of_journal(*box.journal);
  for (const auto& [lsn, hash] : p.content) {
    if (lsn < box.journal->first_lsn() || hash.is_zero()) continue;
    ASSERT_TRUE(content.contains(lsn)) << "LSN " << lsn << " is lost";
    ASSERT_EQ(content.at(lsn), hash);
  }
  EXPECT_GE(box.near->session(), p.session);
  if (script.stream() != 0) {
    EXPECT_GE(box.near->confirmed(script.stream()), p.confirmed);
    EXPECT_GE(box.near->generation(script.stream()), p.generation);
  }
  if (p.pipe != 0) {
    EXPECT_GE(box.state->pipe_position("db")->lsn, p.pipe);
  }
  if (p.far_session != 0) {
    EXPECT_GE(box.far->journal(kJournal)->session, p.far_session);
  }
  EXPECT_GE(box.far->stream(kJournal, kStream).generation, p.far_generation);
  EXPECT_GE(box.far->stream(kJournal, kStream).position, p.position);
  const auto counters = box.state->ledger_counters();
  std::uint64_t ledgered = 0;
  for (const auto& [kind, count] : counters)
    ledgered += kind == ledger_kind::kGap || kind == ledger_kind::kFork ? count : 0;
  EXPECT_GE(ledgered, p.ledgered);
}

void check_far(Box& box, const FakeSender& sender) {
  const FarStream stream = box.far->stream(kJournal, kStream);
  if (stream.generation != sender.generation) return;  // cut before the last fork
  ASSERT_LE(stream.position, sender.head());
  const auto gaps = box.state->far_stream(kJournal, kStream)->gaps;
  for (Seq n = 0; n <= stream.position; ++n) {
    const bool unknown = std::any_of(gaps.begin(), gaps.end(), [&](const FarGapNote& gap) {
      return gap.position_before < n && n < gap.to;
    });
    const auto chain = box.far->chain(kJournal, kStream, n);
    ASSERT_EQ(chain.has_value(), !unknown) << n;
    if (chain) {
      ASSERT_EQ(*chain, sender.chains[n]) << n;
    }
  }
}

// Runs until effect number `at`; returns false when the script ended before.
bool run_until(Box& box, Script& script, std::uint64_t at) {
  std::uint64_t seen = 0;
  box.sim.files.on_effect([&](EffectKind, const std::string&) {
    if (seen++ == at) throw SimCrash{};
  });
  bool crashed = false;
  try {
    const Status status = script.run();
    EXPECT_TRUE(status.ok()) << status.error().text();
  } catch (const SimCrash&) {
    crashed = true;
  }
  box.sim.files.on_effect({});
  return crashed;
}

TEST(StreamCrash, WhatWasSaidHoldsAfterAPowerCutAtEveryEffect) {
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    std::uint64_t at = 0;
    for (bool crashed = true; crashed; at += 1 + at / 40) {
      SCOPED_TRACE("seed " + std::to_string(seed) + ", effect " + std::to_string(at));
      Box box(seed * 1000 + at);
      prepare(box);
      TG_OK(box.open());
      Script script(box, seed);
      crashed = run_until(box, script, at);
      TG_OK(box.power_cut());
      check_promises(box, script);
      check_near(box, script.stream());
      check_far(box, script.sender);
      TG_OK(box.near->recover());
      TG_OK(box.far->recover());
      const Bytes live = box.state->checkpoint();
      TG_OK(box.reopen());
      ASSERT_EQ(box.state->checkpoint(), live) << "the fold at append and the fold at replay differ";
      ASSERT_TRUE(box.state->owed_events().empty());
      if (testing::Test::HasFailure()) return;
    }
    EXPECT_GT(at, 200U);
  }
}

}  // namespace
}  // namespace tidegate
