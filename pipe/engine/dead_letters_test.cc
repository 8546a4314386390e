// SPDX-License-Identifier: Apache-2.0
#include "pipe/engine/dead_letters.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/sim_env.h"

namespace tidegate {
namespace {

using ::testing::HasSubstr;

class DeadLettersTest : public ::testing::Test {
 protected:
  std::unique_ptr<DeadLetters> make(std::uint64_t rotate = 1 << 20, const std::string& pipe = "p") {
    return std::make_unique<DeadLetters>(sim_.env(), DeadLetters::Options{"/d", pipe, rotate});
  }
  std::string text(const std::string& name) {
    auto bytes = read_file(sim_.files, "/d/" + name, 1 << 20);
    return bytes.ok() ? std::string(as_text(*bytes)) : "absent";
  }
  std::vector<std::string> names() { return sim_.files.list("/d").value(); }

  SimEnv sim_;
};

TEST_F(DeadLettersTest, ALetterIsOneJsonObjectOnOneLine) {
  auto dead = make();
  ASSERT_TRUE(dead->open(std::nullopt).ok());
  ASSERT_TRUE(dead->append({{7, "bad \"type\"\nof v", "m v=\"a\tb\\\" 1"}}).ok());
  EXPECT_EQ(text("p.dead-000001.jsonl"),
            "{\"time\":\"2023-11-14T22:13:20.000000Z\",\"lsn\":7,\"pipe\":\"p\",\"reason\":\"bad "
            "\\\"type\\\"\\nof v\","
            "\"line\":\"m v=\\\"a\\tb\\\\\\\" 1\"}\n");
}

TEST_F(DeadLettersTest, ALetterSaysWhereItsLineCanBeWrittenAgain) {
  auto dead = make();
  ASSERT_TRUE(dead->open(std::nullopt).ok());
  ASSERT_TRUE(dead->append({{7, "r", "m v=1 1", "a \"b\"", "week", "ns"}, {8, "r", "m v=1 1", "\xff"}}).ok());
  const std::string got = text("p.dead-000001.jsonl");
  EXPECT_THAT(got, HasSubstr(R"("reason":"r","database":"a \"b\"","retention_policy":"week",)"
                             R"("precision":"ns","line":"m v=1 1"})"));
  EXPECT_THAT(got, HasSubstr(R"("reason":"r","database_hex":"ff","line":"m v=1 1"})"));
}

TEST_F(DeadLettersTest, BytesThatAreNotUtf8AreKeptInHex) {
  auto dead = make();
  ASSERT_TRUE(dead->open(std::nullopt).ok());
  ASSERT_TRUE(dead->append({{1, "r", "m\xff"}}).ok());
  EXPECT_THAT(text("p.dead-000001.jsonl"), HasSubstr("\"line_hex\":\"6dff\""));
}

TEST_F(DeadLettersTest, ThePipesNameCannotLeaveTheFolder) {
  auto dead = make(1 << 20, "../x y");
  ASSERT_TRUE(dead->open(std::nullopt).ok());
  ASSERT_TRUE(dead->append({{1, "r", "l"}}).ok());
  EXPECT_EQ(names(), std::vector<std::string>{"..%2fx%20y.dead-000001.jsonl"});
}

TEST_F(DeadLettersTest, FilesAreRotatedBySize) {
  auto dead = make(100);
  ASSERT_TRUE(dead->open(std::nullopt).ok());
  for (Lsn lsn = 1; lsn <= 4; ++lsn) ASSERT_TRUE(dead->append({{lsn, "reason", "line of some length"}}).ok());
  EXPECT_EQ(names().size(), 4u);
  EXPECT_EQ(dead->mark().number, 4u);
}

TEST_F(DeadLettersTest, WhatWasWrittenBehindTheMarkIsCutAlsoInLaterFiles) {
  auto dead = make(100);
  ASSERT_TRUE(dead->open(std::nullopt).ok());
  ASSERT_TRUE(dead->append({{1, "reason", "line of some length"}}).ok());
  const DeadLetters::Mark mark = dead->mark();
  const std::string kept = text("p.dead-000001.jsonl");
  ASSERT_TRUE(dead->append({{2, "reason", "line of some length"}}).ok());
  ASSERT_TRUE(dead->append({{3, "reason", "line of some length"}}).ok());
  dead = make(100);
  ASSERT_TRUE(dead->open(mark).ok());
  EXPECT_EQ(names(), std::vector<std::string>{"p.dead-000001.jsonl"});
  EXPECT_EQ(text("p.dead-000001.jsonl"), kept);
}

TEST_F(DeadLettersTest, ANewPipeOfTheSameNameKeepsWhatLiesThere) {
  auto dead = make();
  ASSERT_TRUE(dead->open(std::nullopt).ok());
  ASSERT_TRUE(dead->append({{1, "old", "l"}}).ok());
  dead = make();
  ASSERT_TRUE(dead->open(std::nullopt).ok());
  ASSERT_TRUE(dead->append({{1, "new", "l"}}).ok());
  EXPECT_THAT(text("p.dead-000001.jsonl"), HasSubstr("old"));
  EXPECT_THAT(text("p.dead-000002.jsonl"), HasSubstr("new"));
}

TEST_F(DeadLettersTest, AFileThatAnOperatorTookAwayIsNotMissed) {
  auto dead = make();
  ASSERT_TRUE(dead->open(std::nullopt).ok());
  ASSERT_TRUE(dead->append({{1, "r", "l"}}).ok());
  const DeadLetters::Mark mark = dead->mark();
  ASSERT_TRUE(sim_.files.remove("/d/p.dead-000001.jsonl").ok());
  dead = make();
  ASSERT_TRUE(dead->open(mark).ok());
  ASSERT_TRUE(dead->append({{2, "r", "l"}}).ok());
  EXPECT_THAT(text("p.dead-000002.jsonl"), HasSubstr("\"lsn\":2"));
}

TEST_F(DeadLettersTest, AShortWriteOrAFailedSyncLeavesNoTornOrDoubledLine) {
  for (const EffectKind kind : {EffectKind::kWrite, EffectKind::kSync, EffectKind::kSyncDir}) {
    SCOPED_TRACE(static_cast<int>(kind));
    SimEnv sim;
    DeadLetters dead(sim.env(), {"/d", "p", 1 << 20});
    ASSERT_TRUE(dead.open(std::nullopt).ok());
    ASSERT_TRUE(dead.append({{1, "r", "l"}}).ok());
    sim.files.inject({.kind = kind, .written = 10, .lose_unsynced = true});
    const bool first = dead.append({{2, "r", "l"}}).ok();
    sim.files.clear_faults();
    if (!first) {
      ASSERT_TRUE(dead.append({{2, "r", "l"}}).ok());
    }
    sim.files.power_cut(sim.random);
    const Bytes bytes = read_file(sim.files, "/d/p.dead-000001.jsonl", 1 << 20).value();
    EXPECT_EQ(std::ranges::count(bytes, '\n'), 2);
    EXPECT_EQ(bytes.size(), dead.mark().length);
  }
}

// The rule as a whole: whatever effect the machine dies at, each letter is there once.
TEST_F(DeadLettersTest, APowerCutAtAnyEffectLosesAndDoublesNothing) {
  for (int at = 0; at < 40; ++at) {
    SimEnv sim(at + 1);
    DeadLetters::Mark stored;
    Lsn position = 0;
    int effects = 0;
    sim.files.on_effect([&](EffectKind kind, const std::string&) {
      if (effects++ == at) throw SimCrash{kind == EffectKind::kWrite ? 5u : 0u};
    });
    for (int life = 0; life < 2; ++life) {
      try {
        DeadLetters dead(sim.env(), {"/d", "p", 150});
        ASSERT_TRUE(dead.open(stored).ok());
        while (position < 6) {
          ASSERT_TRUE(dead.append({{position + 1, "r", "l"}}).ok());
          stored = dead.mark();
          ++position;
        }
      } catch (const SimCrash&) {
        sim.files.power_cut(sim.random);
      }
    }
    std::string all;
    const std::vector<std::string> names = sim.files.list("/d").value();
    for (const std::string& name : names) {
      all += as_text(read_file(sim.files, "/d/" + name, 1 << 20).value());
    }
    EXPECT_EQ(std::ranges::count(all, '\n'), 6) << "killed at effect " << at << "\n" << all;
    for (Lsn lsn = 1; lsn <= 6; ++lsn) EXPECT_THAT(all, HasSubstr("\"lsn\":" + std::to_string(lsn) + ","));
  }
}

}  // namespace
}  // namespace tidegate
