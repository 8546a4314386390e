// SPDX-License-Identifier: Apache-2.0
// The copy beside the database, and crashes.
#include "pipe/catalogue/catalogue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include <fstream>

#include "base/real_env.h"
#include "base/sim_env.h"
#include "pipe/catalogue/catalogue_for_test.h"
#include "pipe/catalogue/catalogue_json.h"

namespace tidegate {
namespace {

using ::testing::HasSubstr;
using Source = Catalogue::Source;

class CatalogueTest : public ::testing::Test {
 protected:
  Status open() {
    catalogue_.reset();
    auto catalogue = Catalogue::open(real_env(), dir_, make_sqlite_store(database_, 100 * kMillisecond));
    if (!catalogue.ok()) return catalogue.error();
    catalogue_ = std::move(*catalogue);
    return {};
  }
  void start() {
    const Status opened = open();
    ASSERT_TRUE(opened.ok()) << opened.error().text();
  }
  void start_filled() {
    start();
    ASSERT_TRUE(catalogue_->apply(everything()).ok());
    whole_ = catalogue_->snapshot();
    catalogue_.reset();
  }
  Result<CatalogueSnapshot> copy() {
    TG_TRY(const Bytes text, read_file(*real_env().files, dir_ + "/catalogue.json", 1 << 20));
    return import_json(as_text(text));
  }
  static void overwrite(const std::string& path, const std::string& text) {
    std::ofstream(path, std::ios::trunc) << text;
  }
  Status set(const std::string& value) { return catalogue_->apply(change::SetSetting{"k", value}); }

  TemporaryFolder folder_;
  std::string dir_ = folder_.path() + "/catalogue", database_ = dir_ + "/catalogue.db";
  std::unique_ptr<Catalogue> catalogue_;
  CatalogueSnapshot whole_;
};

TEST_F(CatalogueTest, AFirstStartIsEmptyAndSaysNothing) {
  start();
  EXPECT_EQ(catalogue_->source(), Source::kDatabase);
  EXPECT_EQ(catalogue_->message(), "");
  EXPECT_EQ(catalogue_->snapshot(), CatalogueSnapshot{});
}

TEST_F(CatalogueTest, TheFolderIsForItsOwnerOnly) {
  ASSERT_TRUE(Catalogue::open(real_env(), dir_).ok());
  struct stat info{};
  ASSERT_EQ(::stat(dir_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700U);
}

TEST_F(CatalogueTest, TheCopyFollowsEveryChange) {
  start();
  for (const char* value : {"a", "b", "c"}) {
    ASSERT_TRUE(set(value).ok());
    EXPECT_EQ(copy().value(), catalogue_->snapshot());
  }
  EXPECT_FALSE(catalogue_->apply(change::DropUser{"nobody"}).ok());
  EXPECT_EQ(copy().value(), catalogue_->snapshot());
}

TEST_F(CatalogueTest, TheDatabaseIsTheTruthWhereTheCopyDiffers) {
  start_filled();
  overwrite(dir_ + "/catalogue.json", export_json({}));
  start();
  EXPECT_EQ(catalogue_->source(), Source::kDatabase);
  EXPECT_EQ(catalogue_->snapshot(), whole_);
  EXPECT_EQ(copy().value(), whole_) << "and the copy is set right";
}

TEST_F(CatalogueTest, ADamagedDatabaseLeavesTheCopyInUseUntilItIsRebuilt) {
  start_filled();
  overwrite(database_, "no database");
  start();
  EXPECT_EQ(catalogue_->source(), Source::kCopy);
  EXPECT_THAT(catalogue_->message(), HasSubstr("come from the copy " + dir_ + "/catalogue.json"));
  EXPECT_THAT(catalogue_->message(), HasSubstr(database_));
  EXPECT_EQ(catalogue_->snapshot(), whole_);
  EXPECT_EQ(set("x").error().code, ErrorCode::kDamaged);
  EXPECT_EQ(catalogue_->snapshot(), whole_);
  ASSERT_TRUE(catalogue_->rebuild().ok());
  EXPECT_EQ(catalogue_->source(), Source::kDatabase);
  EXPECT_EQ(catalogue_->message(), "");
  EXPECT_TRUE(set("x").ok());
}

TEST_F(CatalogueTest, ALockedDatabaseLeavesTheCopyInUseUntilItIsFree) {
  start_filled();
  sqlite3* session = nullptr;
  ASSERT_EQ(sqlite3_open(database_.c_str(), &session), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(session, "PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; DELETE FROM settings",
                         nullptr, nullptr, nullptr),
            SQLITE_OK);
  start();
  EXPECT_EQ(catalogue_->source(), Source::kCopy);
  EXPECT_THAT(catalogue_->message(), HasSubstr("another process (a sqlite3 session?)"));
  EXPECT_EQ(catalogue_->snapshot(), whole_);
  EXPECT_EQ(set("x").error().code, ErrorCode::kLocked);
  sqlite3_close(session);
  EXPECT_TRUE(set("x").ok());
  EXPECT_EQ(catalogue_->source(), Source::kDatabase);
  EXPECT_EQ(catalogue_->message(), "");
  EXPECT_EQ(catalogue_->snapshot().settings.at("pipeserver.enabled"), "true");
}

TEST_F(CatalogueTest, ARemovedDatabaseIsMadeAnewFromTheCopy) {
  start_filled();
  for (const char* suffix : {"", "-wal", "-shm"}) std::filesystem::remove(database_ + suffix);
  start();
  EXPECT_THAT(catalogue_->message(), HasSubstr("was gone"));
  EXPECT_EQ(catalogue_->snapshot(), whole_);
  EXPECT_TRUE(set("x").ok());
  start();
  EXPECT_EQ(catalogue_->message(), "");
  EXPECT_EQ(catalogue_->snapshot().settings.at("k"), "x");
}

TEST_F(CatalogueTest, ALogThatOutlivedItsDatabaseDoesNotDisturbTheNewOne) {
  start_filled();
  overwrite(database_ + "-wal", std::string(50'000, 'w'));
  std::filesystem::remove(database_);
  start();
  EXPECT_EQ(catalogue_->snapshot(), whole_);
}

TEST_F(CatalogueTest, WithDatabaseAndCopyDamagedTheStartIsRefusedAndNamesBoth) {
  start_filled();
  overwrite(database_, "no database");
  overwrite(dir_ + "/catalogue.json", "no copy");
  const Status opened = open();
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code, ErrorCode::kDamaged);
  EXPECT_THAT(opened.error().text(), HasSubstr("catalogue.db"));
  EXPECT_THAT(opened.error().text(), HasSubstr("catalogue.json"));
}

TEST_F(CatalogueTest, ADamagedCopyWithoutADatabaseIsNotTakenForAFirstStart) {
  start_filled();
  std::filesystem::remove(database_);
  overwrite(dir_ + "/catalogue.json", "no copy");
  EXPECT_EQ(open().error().code, ErrorCode::kDamaged);
  EXPECT_FALSE(std::filesystem::exists(database_));
}

TEST_F(CatalogueTest, ANewerDatabaseIsRefusedThoughThereIsACopy) {
  start_filled();
  sqlite3* session = nullptr;
  ASSERT_EQ(sqlite3_open(database_.c_str(), &session), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(session, "PRAGMA user_version = 99", nullptr, nullptr, nullptr), SQLITE_OK);
  sqlite3_close(session);
  EXPECT_EQ(open().error().code, ErrorCode::kUnsupported);
}

// ---- the simulated machine: file store and copy on one disk

class SimCatalogue : public ::testing::Test {
 protected:
  Status open() {
    catalogue_.reset();
    auto catalogue = Catalogue::open(sim_.env(), "/c", make_file_store(sim_.files, "/c/store.json"));
    if (!catalogue.ok()) return catalogue.error();
    catalogue_ = std::move(*catalogue);
    return {};
  }
  // True where effect `at` came before the end. `confirmed`: the last value whose change returned success.
  bool run_until(std::uint64_t at, int* confirmed) {
    std::uint64_t seen = 0;
    sim_.files.on_effect([&](EffectKind, const std::string&) {
      if (seen++ == at) throw SimCrash{};
    });
    bool crashed = false;
    try {
      EXPECT_TRUE(open().ok());
      for (int i = *confirmed + 1; i < 5; ++i) {
        EXPECT_TRUE(catalogue_->apply(change::SetSetting{"k", std::to_string(i)}).ok());
        *confirmed = i;
      }
    } catch (const SimCrash&) {
      crashed = true;
    }
    sim_.files.on_effect({});
    catalogue_.reset();
    return crashed;
  }

  SimEnv sim_{17};
  std::unique_ptr<Catalogue> catalogue_;
};

TEST_F(SimCatalogue, EveryConfirmedChangeStandsAfterAPowerCutAtEveryEffect) {
  std::uint64_t at = 0;
  for (bool crashed = true; crashed; ++at) {
    SCOPED_TRACE("effect " + std::to_string(at));
    sim_.files.wipe();
    int confirmed = -1;
    crashed = run_until(at, &confirmed);
    sim_.files.power_cut(sim_.random);
    const Status opened = open();
    ASSERT_TRUE(opened.ok()) << opened.error().text();
    EXPECT_EQ(catalogue_->message(), "") << "a crash is no reason to alarm anybody";
    const auto& settings = catalogue_->snapshot().settings;
    const int stored = settings.contains("k") ? std::stoi(settings.at("k")) : -1;
    EXPECT_GE(stored, confirmed);
    EXPECT_LE(stored, confirmed + 1);
  }
  EXPECT_GT(at, 30U);
}

TEST_F(SimCatalogue, ACopyThatCannotBeWrittenIsSaidAndCaughtUp) {
  ASSERT_TRUE(open().ok());
  sim_.files.inject(
      {.kind = EffectKind::kWrite, .path_contains = "catalogue.json", .code = ErrorCode::kNoSpace});
  ASSERT_TRUE(catalogue_->apply(change::SetSetting{"k", "1"}).ok()) << "the database has it";
  EXPECT_THAT(catalogue_->message(), HasSubstr("the copy of the catalogue is behind"));
  ASSERT_TRUE(catalogue_->load().ok());
  EXPECT_EQ(catalogue_->message(), "");
  const Bytes copy = read_file(sim_.files, "/c/catalogue.json", 1 << 20).value();
  EXPECT_EQ(import_json(as_text(copy)).value(), catalogue_->snapshot());
}

}  // namespace
}  // namespace tidegate
