// SPDX-License-Identifier: Apache-2.0
// Flips bits anywhere in a journal: never a crash, never other data than was written, never a silent loss.
#include <algorithm>

#include "pipe/journal/journal_test_rig.h"
#include "protocol/native/planted.h"

namespace tidegate {
namespace {

class RotRun {
 public:
  explicit RotRun(std::uint64_t seed) : dice_(seed), env_(seed + 5) {
    options_.directory = "/j";
    options_.segment_bytes = 1200 + dice_.below(3000);
    options_.reserve_bytes = 0;
  }

  // What went wrong; empty: nothing.
  std::string run(int flips) {
    write();
    for (int i = 0; i < flips; ++i) flip();
    ChainState state;
    auto opened = Journal::open(env_.env(), options_, &state);
    if (!opened.ok()) return opening_may_fail(opened.error()) ? "" : "open: " + opened.error().text();
    compare(**opened, state);
    return wrong_;
  }

 private:
  void fail(const std::string& what) {
    if (wrong_.empty()) wrong_ = what;
  }

  void sync_or_fail(Journal& journal) {
    if (!journal.sync().ok()) fail("sync");
  }

  void write() {
    ChainState state;
    auto journal = Journal::open(env_.env(), options_, &state).value();
    const std::uint64_t events = 10 + dice_.below(30);
    for (std::uint64_t i = 0; i < events; ++i) {
      Bytes body(dice_.below(400));
      dice_.fill(body);
      if (dice_.chance(1, 4)) {
        EXPECT_TRUE(journal->append_note(30, body).ok());
      } else {
        EXPECT_TRUE(journal->append(meta_for(body), body).ok());
        bodies_.push_back(body);
      }
      if (dice_.chance(1, 4)) sync_or_fail(*journal);
    }
    EXPECT_TRUE(journal->close().ok());
    journal.reset();
    env_.files.process_crash();
  }

  // Anywhere but in the clean mark at the very end: with it goes the proof that the record before it was
  // synced.
  void flip() {
    std::vector<std::string> names = env_.files.list("/j").value();
    std::erase_if(names, [](const std::string& name) { return name == "lock"; });
    const std::string& name = names[dice_.below(names.size())];
    std::uint64_t size = env_.files.open("/j/" + name, OpenMode::kRead).value()->size().value();
    if (name == names.back()) size -= 64;
    hit_identity_ = hit_identity_ || name == "identity";
    EXPECT_TRUE(env_.files.rot("/j/" + name, dice_.below(size), static_cast<unsigned>(dice_.below(8))).ok());
  }

  bool opening_may_fail(const Error& error) const {
    if (error.code != ErrorCode::kDamaged) return false;
    return hit_identity_ || error.text().find("no segment has a readable checkpoint") != std::string::npos;
  }

  void compare(Journal& journal, const ChainState& state) {
    if (journal.head() != bodies_.size()) return fail("the head moved");
    std::set<Lsn> lost;
    Journal::Reader reader = journal.reader(1);
    while (reader.position() <= bodies_.size()) {
      const Lsn from = reader.position();
      const auto record = reader.next();
      if (!record.ok()) {
        if (record.error().code != ErrorCode::kDamaged) return fail("read: " + record.error().text());
        const Lsn next = record.error().sequence.value_or(0);
        if (next <= from) return fail("damage without an end");
        for (Lsn lsn = from; lsn < next; ++lsn) lost.insert(lsn);
        reader.skip_to(next);
        continue;
      }
      if (!*record) return fail("the end came early");
      if ((*record)->meta.first_lsn != from || (*record)->container != bodies_[from - 1])
        return fail("other data was handed out");
    }
    // Whatever the state was told is really lost, and verify tells all that is lost.
    for (const auto& [first, last] : state.damage) {
      for (Lsn lsn = first; lsn <= last; ++lsn) {
        if (!lost.contains(lsn)) return fail("reported as damaged, but readable");
      }
    }
    std::set<Lsn> told;
    const Status verified = journal.verify(false, [&](const DamagedRange& range) {
      for (Lsn lsn = range.first; lsn <= range.last; ++lsn) told.insert(lsn);
      return true;
    });
    if (!verified.ok() || told != lost) return fail("verify and the reader disagree");
  }

  SimRandom dice_;
  SimEnv env_;
  JournalOptions options_;
  std::vector<Bytes> bodies_;  // of LSN 1, 2, ...
  bool hit_identity_ = false;
  std::string wrong_;
};

std::string first_failure(std::uint64_t from, std::uint64_t to) {
  for (std::uint64_t seed = from; seed < to; ++seed) {
    const std::string wrong = RotRun(seed).run(static_cast<int>(1 + seed % 4));
    if (!wrong.empty()) return "seed " + std::to_string(seed) + ": " + wrong;
  }
  return {};
}

TEST(JournalRot, IsFoundWhereverItIsAndNothingElseIsLost) {
  EXPECT_EQ(first_failure(1, 2501), "");
}

TEST(JournalRot, TheTestFindsAJournalThatCutsDamageAsTorn) {
  plant(Planted::kDamageCutAsTorn);
  EXPECT_NE(first_failure(1, 500), "");
  plant(Planted::kNone);
}

}  // namespace
}  // namespace tidegate
