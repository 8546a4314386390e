// SPDX-License-Identifier: Apache-2.0
#include "base/sim_env.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace tidegate {
namespace {

class SimEnvTest : public testing::Test {
 protected:
  std::unique_ptr<File> open(const std::string& path, OpenMode mode = OpenMode::kOpenOrCreate) {
    auto file = files_.open(path, mode);
    EXPECT_TRUE(file.ok()) << file.error().text();
    return file.ok() ? std::move(*file) : nullptr;
  }
  static Status append(File& file, std::string_view text) {
    return file.write_at(file.size().value(), as_bytes(text));
  }
  std::string text(const std::string& path) {
    auto content = read_file(files_, path, 1 << 20);
    return content.ok() ? std::string(as_text(*content)) : std::string(error_name(content.error().code));
  }
  // A file whose name and content are durable.
  void store(const std::string& path, std::string_view content) {
    const auto file = open(path);
    ASSERT_TRUE(file->write_at(0, as_bytes(content)).ok());
    ASSERT_TRUE(file->sync().ok());
    ASSERT_TRUE(files_.sync_dir("/").ok());
  }
  // What a power cut leaves at `path`, for many outcomes.
  std::set<std::string> outcomes(const std::function<void()>& act, const std::string& path) {
    std::set<std::string> seen;
    const SimSnapshot start = files_.snapshot();
    for (int i = 0; i < 300; ++i) {
      files_.restore(start);
      act();
      files_.power_cut(env_.random);
      seen.insert(text(path));
    }
    return seen;
  }
  static ErrorCode code(const Status& status) {
    return status.ok() ? ErrorCode::kInternal : status.error().code;
  }

  SimEnv env_{7};
  SimFileSystem& files_ = env_.files;
};

TEST_F(SimEnvTest, SyncedContentSurvivesAPowerCut) {
  store("/a", "kept");
  EXPECT_EQ(outcomes([] {}, "/a"), std::set<std::string>{"kept"});
}

TEST_F(SimEnvTest, UnsyncedAppendSurvivesOrVanishesOrIsTornOrZero) {
  store("/a", "");
  const std::string page(1024, 'x');
  const auto seen = outcomes([&] { ASSERT_TRUE(append(*open("/a"), page).ok()); }, "/a");
  EXPECT_TRUE(seen.contains(""));
  EXPECT_TRUE(seen.contains(page));
  EXPECT_TRUE(seen.contains(std::string(512, 'x')));
  EXPECT_TRUE(seen.contains(std::string(512, '\0') + std::string(512, 'x')));
  EXPECT_TRUE(seen.contains(std::string(1024, '\0')));
}

TEST_F(SimEnvTest, ASectorIsNeverTorn) {
  store("/a", std::string(512, 'o'));
  const auto seen =
      outcomes([&] { ASSERT_TRUE(open("/a")->write_at(0, as_bytes(std::string(512, 'n'))).ok()); }, "/a");
  EXPECT_EQ(seen, (std::set<std::string>{std::string(512, 'o'), std::string(512, 'n')}));
}

TEST_F(SimEnvTest, ASectorShowsOneOfItsVersionsInOrder) {
  store("/a", "000");
  const auto seen = outcomes(
      [&] {
        const auto file = open("/a");
        for (const auto* v : {"1", "2"}) ASSERT_TRUE(file->write_at(v[0] - '0', as_bytes(v)).ok());
      },
      "/a");
  EXPECT_EQ(seen, (std::set<std::string>{"000", "010", "012"}));
}

TEST_F(SimEnvTest, UnsyncedTruncationIsUndoneOrKept) {
  store("/a", "abcdef");
  const auto seen = outcomes([&] { ASSERT_TRUE(open("/a")->truncate(2).ok()); }, "/a");
  EXPECT_EQ(seen, (std::set<std::string>{"abcdef", "ab"}));
}

TEST_F(SimEnvTest, GrowingAfterATruncationShowsZeros) {
  store("/a", "abcdef");
  const auto file = open("/a");
  ASSERT_TRUE(file->truncate(2).ok());
  ASSERT_TRUE(file->truncate(4).ok());
  EXPECT_EQ(text("/a"), std::string("ab\0\0", 4));
}

TEST_F(SimEnvTest, WhatIsSyncedStaysAPrefixUnderRandomAppends) {
  SimRandom random(11);
  for (int round = 0; round < 200; ++round) {
    files_.wipe();
    store("/log", "");
    const auto file = open("/log");
    std::string all;
    std::size_t synced = 0;
    for (int i = 0; i < 40; ++i) {
      const std::string piece(1 + random.below(900), static_cast<char>('a' + random.below(26)));
      ASSERT_TRUE(append(*file, piece).ok());
      all += piece;
      if (!random.chance(1, 4)) continue;
      ASSERT_TRUE(file->sync().ok());
      synced = all.size();
    }
    files_.power_cut(random);
    const std::string left = text("/log");
    ASSERT_GE(left.size(), synced);
    ASSERT_LE(left.size(), all.size());
    ASSERT_EQ(left.substr(0, synced), all.substr(0, synced));
    for (std::size_t i = synced; i < left.size(); ++i) ASSERT_TRUE(left[i] == all[i] || left[i] == '\0');
  }
}

TEST_F(SimEnvTest, ANameIsDurableOnlyAfterSyncDir) {
  const auto create = [&] {
    const auto file = open("/a");
    ASSERT_TRUE(append(*file, "x").ok());
    ASSERT_TRUE(file->sync().ok());
  };
  EXPECT_EQ(outcomes(create, "/a"), (std::set<std::string>{"kNotFound", "x"}));
  const auto create_and_sync = [&] {
    create();
    ASSERT_TRUE(files_.sync_dir("/").ok());
  };
  EXPECT_EQ(outcomes(create_and_sync, "/a"), std::set<std::string>{"x"});
}

TEST_F(SimEnvTest, ARemovalIsDurableOnlyAfterSyncDir) {
  store("/a", "x");
  const auto seen = outcomes([&] { ASSERT_TRUE(files_.remove("/a").ok()); }, "/a");
  EXPECT_EQ(seen, (std::set<std::string>{"kNotFound", "x"}));
}

TEST_F(SimEnvTest, ReplaceFileLeavesOldOrNewWhereverItIsKilled) {
  store("/p", "old");
  const SimSnapshot start = files_.snapshot();
  for (std::uint64_t kill_at = 0, ran = 1; ran > kill_at; ++kill_at) {
    for (int i = 0; i < 30; ++i) {
      files_.restore(start);
      ran = 0;
      files_.on_effect([&](EffectKind, const std::string&) {
        if (ran++ == kill_at) throw SimCrash{};
      });
      bool done = false;
      try {
        done = replace_file(files_, "/p", as_bytes("new")).ok();
      } catch (const SimCrash&) {
      }
      files_.on_effect(nullptr);
      files_.power_cut(env_.random);
      const std::string left = text("/p");
      ASSERT_TRUE(left == "new" || (left == "old" && !done)) << left << " when killed at effect " << kill_at;
    }
  }
}

TEST_F(SimEnvTest, ARenameAcrossFoldersIsAtomicAndCarriesEarlierChanges) {
  ASSERT_TRUE(files_.make_dirs("/tmp/in").ok());
  ASSERT_TRUE(files_.make_dirs("/live").ok());
  const auto file = open("/tmp/in/x");
  ASSERT_TRUE(append(*file, "x").ok() && file->sync().ok());
  ASSERT_TRUE(files_.rename("/tmp/in/x", "/live/x").ok());
  ASSERT_TRUE(files_.sync_dir("/live").ok());
  files_.power_cut(env_.random);
  EXPECT_EQ(text("/live/x"), "x");
  EXPECT_FALSE(files_.exists("/tmp/in/x"));
  EXPECT_EQ(files_.list("/").value(), (std::vector<std::string>{"live", "tmp"}));
}

TEST_F(SimEnvTest, AHardLinkKeepsTheContentAndCountsOnce) {
  store("/a", "1234");
  ASSERT_TRUE(files_.hard_link("/a", "/b").ok());
  EXPECT_EQ(files_.used(), 4U);
  ASSERT_TRUE(files_.remove("/a").ok());
  EXPECT_EQ(text("/b"), "1234");
  EXPECT_EQ(files_.used(), 4U);
  ASSERT_TRUE(files_.remove("/b").ok());
  EXPECT_EQ(files_.used(), 0U);
}

TEST_F(SimEnvTest, ARemovedFileStaysReadableThroughItsHandle) {
  store("/a", "1234");
  auto file = open("/a");
  ASSERT_TRUE(files_.remove("/a").ok());
  std::array<std::uint8_t, 8> buffer{};
  EXPECT_EQ(file->read_at(1, buffer).value(), 3U);
  EXPECT_EQ(files_.used(), 4U);
  file.reset();
  EXPECT_EQ(files_.used(), 0U);
}

TEST_F(SimEnvTest, AProcessCrashKeepsWhatWasWrittenAndKillsHandlesAndLocks) {
  const auto file = open("/a");
  const auto lock = files_.lock("/lock");
  ASSERT_TRUE(append(*file, "written").ok());
  EXPECT_EQ(files_.lock("/lock").error().code, ErrorCode::kLocked);
  files_.process_crash();
  EXPECT_EQ(text("/a"), "written");
  EXPECT_EQ(code(append(*open("/a"), "x")), ErrorCode::kInternal);
  EXPECT_EQ(code(file->write_at(0, as_bytes("z"))), ErrorCode::kClosed);
  EXPECT_TRUE(files_.lock("/lock").ok());
}

TEST_F(SimEnvTest, ACrashInsideAWriteLeavesAPartAndNothingHappensAfterwards) {
  const auto file = open("/a");
  files_.on_effect([](EffectKind kind, const std::string&) {
    if (kind == EffectKind::kWrite) throw SimCrash{3};
  });
  EXPECT_THROW((void)append(*file, "abcdef"), SimCrash);
  EXPECT_EQ(code(files_.remove("/a")), ErrorCode::kClosed);
  EXPECT_EQ(code(file->sync()), ErrorCode::kClosed);
  files_.process_crash();
  EXPECT_EQ(text("/a"), "abc");
}

TEST_F(SimEnvTest, AFailedSyncLosesWhatALaterSyncPretendsToStore) {
  store("/a", "a");
  const auto act = [&] {
    const auto file = open("/a");
    ASSERT_TRUE(append(*file, std::string(511, 'l')).ok());
    files_.inject({.kind = EffectKind::kSync, .lose_unsynced = true});
    EXPECT_EQ(code(file->sync()), ErrorCode::kIo);
    EXPECT_EQ(text("/a").size(), 512U) << "the page cache still shows it";
    ASSERT_TRUE(append(*file, "later").ok());
    ASSERT_TRUE(file->sync().ok());
  };
  EXPECT_EQ(outcomes(act, "/a"), std::set<std::string>{"a" + std::string(511, '\0') + "later"});
}

TEST_F(SimEnvTest, ALyingDiskLosesWhatWasSynced) {
  store("/a", "");
  files_.lie_about_sync(true);
  const auto seen = outcomes(
      [&] {
        const auto file = open("/a");
        ASSERT_TRUE(append(*file, "x").ok() && file->sync().ok());
      },
      "/a");
  EXPECT_EQ(seen, (std::set<std::string>{"", "x", std::string(1, '\0')}));
}

TEST_F(SimEnvTest, TheNthWriteFailsAfterAPart) {
  const auto file = open("/a");
  files_.inject({.kind = EffectKind::kWrite, .skip = 1, .path_contains = "a", .written = 2});
  EXPECT_TRUE(append(*file, "one").ok());
  EXPECT_EQ(code(append(*file, "two")), ErrorCode::kIo);
  EXPECT_EQ(text("/a"), "onetw");
  EXPECT_TRUE(append(*file, "!").ok());
}

TEST_F(SimEnvTest, AStickyFaultFailsUntilItIsCleared) {
  files_.inject({.kind = EffectKind::kCreate, .code = ErrorCode::kNoSpace, .sticky = true});
  for (int i = 0; i < 2; ++i)
    EXPECT_EQ(files_.open("/a", OpenMode::kCreate).error().code, ErrorCode::kNoSpace);
  files_.clear_faults();
  EXPECT_TRUE(files_.open("/a", OpenMode::kCreate).ok());
}

TEST_F(SimEnvTest, AFullDiskRefusesGrowthAndAcceptsItAfterARemoval) {
  store("/old", "12345678");
  files_.set_capacity(10);
  const auto file = open("/a");
  EXPECT_EQ(code(append(*file, "123")), ErrorCode::kNoSpace);
  EXPECT_EQ(files_.space("/").value().free, 2U);
  ASSERT_TRUE(files_.remove("/old").ok());
  EXPECT_TRUE(append(*file, "123").ok());
}

TEST_F(SimEnvTest, ASnapshotIsTheDurableStateAndTheTwinIsIndependent) {
  store("/a", "durable");
  ASSERT_TRUE(open("/a")->write_at(0, as_bytes("unsaved")).ok());
  const SimSnapshot cut = files_.snapshot();
  const SimSnapshot flushed = files_.snapshot(true);
  SimFileSystem twin;
  twin.restore(cut);
  ASSERT_TRUE(twin.open("/a", OpenMode::kReadWrite).value()->write_at(0, as_bytes("TWIN")).ok());
  EXPECT_EQ(text("/a"), "unsaved");
  files_.restore(cut);
  EXPECT_EQ(text("/a"), "durable");
  files_.restore(flushed);
  EXPECT_EQ(text("/a"), "unsaved");
}

TEST_F(SimEnvTest, ARestoreKillsOpenHandles) {
  const auto file = open("/a");
  files_.restore(files_.snapshot());
  EXPECT_EQ(code(file->sync()), ErrorCode::kClosed);
  EXPECT_FALSE(files_.exists("/a"));
}

TEST_F(SimEnvTest, BitRotChangesOneBitOfTheMedium) {
  store("/a", "abc");
  ASSERT_TRUE(files_.rot("/a", 1, 0).ok());
  EXPECT_EQ(outcomes([] {}, "/a"), std::set<std::string>{"acc"});
  EXPECT_EQ(code(files_.rot("/a", 3)), ErrorCode::kNotFound);
}

TEST_F(SimEnvTest, MisuseOfNamesIsRefused) {
  store("/a", "x");
  ASSERT_TRUE(files_.make_dirs("/d/e").ok());
  EXPECT_EQ(files_.open("/a", OpenMode::kCreate).error().code, ErrorCode::kAlreadyExists);
  EXPECT_EQ(files_.open("/b", OpenMode::kReadWrite).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(files_.open("/none/b", OpenMode::kCreate).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(files_.open("/d", OpenMode::kRead).error().code, ErrorCode::kIo);
  EXPECT_EQ(code(files_.make_dirs("/a/b")), ErrorCode::kAlreadyExists);
  EXPECT_EQ(code(files_.remove("/d")), ErrorCode::kIo);
  EXPECT_EQ(code(files_.hard_link("/a", "/a")), ErrorCode::kAlreadyExists);
  EXPECT_EQ(code(open("/a", OpenMode::kRead)->write_at(0, as_bytes("x"))), ErrorCode::kInvalidArgument);
}

TEST_F(SimEnvTest, AMillionAppendsWithSyncsAreCheap) {
  const auto file = open("/log");
  const Bytes record(64, 1);
  for (std::uint64_t i = 0; i < 1'000'000; ++i) {
    ASSERT_TRUE(file->write_at(i * record.size(), record).ok());
    ASSERT_TRUE(i % 8 != 0 || file->sync().ok());
  }
  EXPECT_EQ(files_.used(), 64'000'000U);
  EXPECT_EQ(files_.effects(EffectKind::kSync), 125'000U);
}

TEST(SimRandomTest, IsSplitMix64) {
  SimRandom random(1);
  Bytes out(8);
  random.fill(out);
  EXPECT_EQ(to_hex(out), "c15c0289ec2d0a91");
}

TEST(SimClockTest, TheWallClockJumpsAlone) {
  SimClock clock(5 * kSecond, 1'000'000);
  clock.advance(kSecond);
  clock.jump_wall(-3'000'000);
  EXPECT_EQ(clock.now(), 6 * kSecond);
  EXPECT_EQ(clock.wall_micros(), -1'000'000);
}

TEST_F(SimEnvTest, ReadFileRefusesWhatIsAboveTheLimit) {
  store("/a", "12345");
  EXPECT_EQ(read_file(files_, "/a", 5).value().size(), 5U);
  EXPECT_EQ(read_file(files_, "/a", 4).error().code, ErrorCode::kTooLarge);
  EXPECT_EQ(read_file(files_, "/a", UINT64_MAX).value().size(), 5U);
}

}  // namespace
}  // namespace tidegate
