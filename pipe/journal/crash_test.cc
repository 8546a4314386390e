// SPDX-License-Identifier: Apache-2.0
// Dies at every effect of random work, by process crash and by power cut, and compares what is found with a
// model.
//
// The model is the list of events (records and notes) with the digest of the state after each. After a crash
// the journal must stand at one of these states, at or behind the last one that was promised; and what it
// then shows is durable.
#include <algorithm>

#include "pipe/journal/journal_test_rig.h"
#include "protocol/native/planted.h"

namespace tidegate {
namespace {

class CrashRun {
 public:
  explicit CrashRun(std::uint64_t seed) : dice_(seed), env_(seed * 77 + 1) {
    options_.directory = "/j";
    options_.segment_bytes = 1500 + dice_.below(6000);
    options_.reserve_bytes = dice_.chance(1, 3) ? 600 : 0;
    events_.push_back({});  // the state of a new journal
  }

  // What went wrong; empty: nothing. `rounds` lives of the process on one disk.
  std::string run(int rounds) {
    for (int round = 0; round < rounds && wrong_.empty(); ++round) {
      arm(dice_.below(round == 0 ? 60 : 40));
      try {
        live();
      } catch (const SimCrash&) {
      }
      die();
      if (wrong_.empty()) come_back();
    }
    env_.files.on_effect({});
    return wrong_;
  }

 private:
  struct Event {
    bool is_batches = false;
    Lsn first = 0;
    std::uint32_t count = 0;
    Bytes body;
    Hash128 digest;  // of the state after it
    Lsn head = 0;
  };

  void fail(const std::string& what) {
    if (wrong_.empty()) wrong_ = what;
  }
  void arm(std::uint64_t effects) {
    env_.files.on_effect([this, effects](EffectKind kind, const std::string&) mutable {
      if (effects-- == 0)
        throw SimCrash{kind == EffectKind::kWrite ? static_cast<std::size_t>(dice_.below(400)) : 0};
    });
  }

  // ---- work
  // -----------------------------------------------------------------------------------------------------------

  void live() {
    state_ = std::make_unique<ChainState>();
    auto opened = Journal::open(env_.env(), options_, state_.get());
    if (!opened.ok()) return fail("open: " + opened.error().text());
    journal_ = std::move(*opened);
    settle();
    if (dice_.chance(1, 4)) {
      env_.files.inject({.kind = dice_.chance(1, 2) ? EffectKind::kSync : EffectKind::kWrite,
                         .skip = dice_.below(20),
                         .path_contains = "segment",
                         .code = dice_.chance(1, 3) ? ErrorCode::kNoSpace : ErrorCode::kIo,
                         .written = static_cast<std::size_t>(dice_.below(200)),
                         .lose_unsynced = true});
    }
    for (int i = 0; i < 40 && wrong_.empty(); ++i) {
      if (!act()) return;
    }
  }

  // False: the life ends (closed or refused).
  bool act() {
    switch (dice_.below(12)) {
      case 0:
      case 1:
      case 2:
      case 3:
      case 4:
        return append();
      case 5:
      case 6:
        return note();
      case 7:
      case 8:
      case 9:
        return sync();
      case 10:
        return dice_.chance(1, 2) ? idle() : trim();
      default:
        return dice_.chance(1, 4) ? close() : true;
    }
  }

  bool append() {
    Bytes body(dice_.below(dice_.chance(1, 8) ? 3000 : 300));
    dice_.fill(body);
    const auto count = static_cast<std::uint32_t>(1 + dice_.below(3));
    const RecordMeta meta = meta_for(body, count);
    ChainState after = copy_of_last();
    RecordMeta numbered = meta;
    numbered.first_lsn = events_.back().head + 1;
    after.on_batches(numbered);
    events_.push_back({true, numbered.first_lsn, count, body, after.digest, after.last});
    const auto lsn = journal_->append(meta, body);
    if (lsn.ok() && *lsn != numbered.first_lsn) fail("another LSN than the next");
    return outcome(lsn.ok() ? Status() : Status(lsn.error()));
  }

  bool note() {
    Bytes body(dice_.below(200));
    dice_.fill(body);
    ChainState after = copy_of_last();
    after.on_note(20, body);
    events_.push_back({false, 0, 0, body, after.digest, events_.back().head});
    return outcome(journal_->append_note(20, body));
  }

  // An event that was refused for want of room is not there; after another error nobody knows.
  bool outcome(const Status& status) {
    if (status.ok()) return true;
    if (status.error().code != ErrorCode::kNoSpace) return false;
    events_.pop_back();
    return true;
  }

  bool sync() {
    const Status done = journal_->sync();
    if (done.ok()) {
      promised_ = events_.size() - 1;
      if (journal_->durable_lsn() != events_.back().head) fail("durable position after a sync");
    }
    return done.ok();
  }
  bool idle() { return journal_->mark_idle().ok(); }
  bool trim() {
    const Lsn up_to = dice_.below(journal_->durable_lsn() + 1);
    trimmed_ = std::max(trimmed_, up_to);
    const auto freed = journal_->trim(up_to);
    return freed.ok();
  }
  bool close() {
    if (journal_->close().ok()) promised_ = events_.size() - 1;
    return false;
  }

  ChainState copy_of_last() const {
    ChainState out;
    out.digest = events_.back().digest;
    out.last = events_.back().head;
    return out;
  }

  // ---- the end and after
  // ------------------------------------------------------------------------------------------------

  void die() {
    env_.files.on_effect({});
    env_.files.clear_faults();
    journal_.reset();
    if (dice_.chance(1, 2)) {
      env_.files.power_cut(env_.random);
    } else {
      env_.files.process_crash();
    }
  }

  // Opens, perhaps after dying in it once more; then shows that what was published survives a power cut at
  // once.
  void come_back() {
    if (dice_.chance(1, 2)) {
      arm(dice_.below(8));
      try {
        reopen();
      } catch (const SimCrash&) {
      }
      die();
    }
    reopen();
    if (!wrong_.empty() || !dice_.chance(1, 2)) return leave();
    leave();
    env_.files.power_cut(env_.random);
    reopen();
    leave();
  }
  void leave() {
    journal_.reset();
    env_.files.process_crash();
  }
  void reopen() {
    state_ = std::make_unique<ChainState>();
    auto opened = Journal::open(env_.env(), options_, state_.get());
    if (!opened.ok()) return fail("open after a crash: " + opened.error().text());
    journal_ = std::move(*opened);
    settle();
    if (wrong_.empty()) compare_content();
  }

  // Finds the event at which the journal stands; everything up to it is promised from now on.
  void settle() {
    if (!state_->damage.empty()) {
      const auto& [first, last] = *state_->damage.begin();
      return fail("damage reported without any: " + std::to_string(first) + ".." + std::to_string(last));
    }
    for (std::size_t i = events_.size(); i-- > promised_;) {
      if (events_[i].digest != state_->digest) continue;
      if (journal_->head() != events_[i].head || journal_->durable_lsn() != events_[i].head ||
          state_->durable != events_[i].head)
        return fail("the head does not fit the state");
      events_.resize(i + 1);
      promised_ = i;
      return;
    }
    fail("the state is none that was promised");
  }

  void compare_content() {
    const Lsn first = journal_->first_lsn();
    if (first > trimmed_ + 1) return fail("more was trimmed than asked");
    Journal::Reader reader = journal_->reader(first);
    for (const Event& event : events_) {
      if (!event.is_batches || event.first < first) continue;
      const auto record = reader.next();
      if (!record.ok()) return fail("read: " + record.error().text());
      if (!*record || (*record)->meta.first_lsn != event.first || (*record)->meta.count != event.count ||
          (*record)->container != event.body)
        return fail("LSN " + std::to_string(event.first) + " holds something else");
    }
    if (reader.next().value().has_value()) fail("more records than were written");
    const Status verified =
        journal_->verify(false, [&](const DamagedRange& d) { return fail("verify: " + d.reason), false; });
    if (!verified.ok()) fail("verify: " + verified.error().text());
  }

  SimRandom dice_;
  SimEnv env_;
  JournalOptions options_;
  std::unique_ptr<ChainState> state_;
  std::unique_ptr<Journal> journal_;
  std::vector<Event> events_;
  std::size_t promised_ = 0;  // index of the last event that must survive
  Lsn trimmed_ = 0;
  std::string wrong_;
};

// The first seed that fails, or nothing.
std::string first_failure(std::uint64_t from, std::uint64_t to, int rounds) {
  for (std::uint64_t seed = from; seed < to; ++seed) {
    const std::string wrong = CrashRun(seed).run(rounds);
    if (!wrong.empty()) return "seed " + std::to_string(seed) + ": " + wrong;
  }
  return {};
}

TEST(JournalCrash, NothingPromisedIsLostWhereverTheProcessOrThePowerStops) {
  EXPECT_EQ(first_failure(1, 1501, 3), "");
}

class JournalPlanted : public testing::TestWithParam<Planted> {
 protected:
  ~JournalPlanted() override { plant(Planted::kNone); }
};

// Shows that the test above can fail.
TEST_P(JournalPlanted, TheCrashTestFindsIt) {
  plant(GetParam());
  EXPECT_NE(first_failure(1, 2000, 3), "");
}

INSTANTIATE_TEST_SUITE_P(Bugs, JournalPlanted,
                         testing::Values(Planted::kTornTailKept, Planted::kNoResyncAtOpen,
                                         Planted::kRetryFailedSync, Planted::kTrimBeforeNote));

}  // namespace
}  // namespace tidegate
