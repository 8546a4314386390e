// SPDX-License-Identifier: Apache-2.0
// What only SQLite can do to us: locks of other sessions, kills in mid-transaction, damage, newer schemas.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <functional>

#include "base/sim_env.h"
#include "pipe/catalogue/catalogue_for_test.h"
#include "pipe/catalogue/catalogue_store.h"

namespace tidegate {
namespace {

using ::testing::HasSubstr;

// An operator's sqlite3 session.
class Session {
 public:
  explicit Session(const std::string& path) {
    EXPECT_EQ(sqlite3_open(path.c_str(), &database_), SQLITE_OK);
    sqlite3_busy_timeout(database_, 1000);
  }
  ~Session() { sqlite3_close(database_); }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  int run(const std::string& sql) {
    rows_.clear();
    return sqlite3_exec(database_, sql.c_str(), &Session::row, this, nullptr);
  }
  // The values of all rows, joined by '|'.
  std::string ask(const std::string& sql) {
    EXPECT_EQ(run(sql), SQLITE_OK) << sqlite3_errmsg(database_);
    return rows_;
  }

 private:
  static int row(void* self, int count, char** values, char**) {
    for (int i = 0; i < count; ++i)
      static_cast<Session*>(self)->rows_ += std::string(values[i] == nullptr ? "NULL" : values[i]) + "|";
    return 0;
  }
  sqlite3* database_ = nullptr;
  std::string rows_;
};

class SqliteStoreTest : public ::testing::Test {
 protected:
  void SetUp() override {
    reopen();
    ASSERT_TRUE(store_->rebuild({}, 0).ok());
    ASSERT_TRUE(store_->apply(everything()).ok());
    whole_ = store_->load().value();
  }
  void reopen() {
    store_.reset();
    store_ = make_sqlite_store(path_);
  }
  Status set(const std::string& value) {
    const CatalogueChange change = change::SetSetting{"k", value};
    auto done = store_->apply(std::span(&change, 1));
    if (!done.ok()) return done.error();
    return {};
  }

  TemporaryFolder folder_;
  std::string path_ = folder_.path() + "/catalogue.db";
  std::unique_ptr<CatalogueStore> store_;
  CatalogueSnapshot whole_;
};

TEST_F(SqliteStoreTest, AnOpenWriteTransactionMakesChangesFailSoonAndClearlyWhileLoadWorks) {
  Session session(path_);
  ASSERT_EQ(session.run("BEGIN IMMEDIATE; UPDATE pipes SET exception_message = 'mine'"), SQLITE_OK);
  const auto began = std::chrono::steady_clock::now();
  const Status refused = set("x");
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(3));
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::kLocked);
  EXPECT_THAT(refused.error().text(), HasSubstr(path_));
  EXPECT_THAT(refused.error().text(), HasSubstr("sqlite3 session"));
  EXPECT_EQ(store_->load().value(), whole_);
  ASSERT_EQ(session.run("ROLLBACK"), SQLITE_OK);
  EXPECT_TRUE(set("x").ok());
}

TEST_F(SqliteStoreTest, AnOpenReadTransactionHoldsUpNothing) {
  Session session(path_);
  session.ask("BEGIN; SELECT count(*) FROM pipes");
  EXPECT_TRUE(set("x").ok());
  EXPECT_EQ(store_->load().value().settings.at("k"), "x");
}

TEST_F(SqliteStoreTest, AnExclusiveSessionMakesOpeningFailClearly) {
  store_.reset();
  Session session(path_);
  ASSERT_EQ(session.run("PRAGMA locking_mode = EXCLUSIVE; BEGIN IMMEDIATE; UPDATE pipes SET wanted_state = "
                        "'stopped'; COMMIT"),
            SQLITE_OK);
  store_ = make_sqlite_store(path_, 50 * kMillisecond);
  EXPECT_EQ(store_->load().error().code, ErrorCode::kLocked);
  EXPECT_EQ(store_->rebuild({}, 0).error().code, ErrorCode::kLocked) << "a locked file is not a damaged one";
}

TEST_F(SqliteStoreTest, WhatASessionChangesIsLoaded) {
  Session session(path_);
  ASSERT_EQ(session.run("UPDATE pipes SET wanted_state = 'stopped' WHERE name = 'A2B'"), SQLITE_OK);
  EXPECT_EQ(store_->load().value().pipes.at("a2b").wanted, WantedState::kStopped);
}

TEST_F(SqliteStoreTest, TheSchemaHoldsASessionToTheRules) {
  Session session(path_);
  EXPECT_EQ(session.run("UPDATE pipes SET wanted_state = 'dancing'"), SQLITE_CONSTRAINT);
  EXPECT_EQ(session.run("UPDATE pipes SET name = 'EDGE' WHERE name = 'A2B'"), SQLITE_CONSTRAINT);
  EXPECT_NE(session.run("UPDATE pipes SET connector = 'no json'"), SQLITE_OK);
  EXPECT_EQ(session.run("INSERT INTO grants VALUES ('scada', 'FLY')"), SQLITE_CONSTRAINT);
}

TEST_F(SqliteStoreTest, AnEditThatCannotBeIsNamed) {
  Session session(path_);
  ASSERT_EQ(
      session.run("PRAGMA foreign_keys = OFF; UPDATE pipes SET pipesink = 'nowhere' WHERE name = 'edge'"),
      SQLITE_OK);
  const auto loaded = store_->load();
  ASSERT_FALSE(loaded.ok());
  EXPECT_EQ(loaded.error().code, ErrorCode::kDamaged);
  EXPECT_THAT(loaded.error().text(), HasSubstr("pipe 'edge' names the pipesink 'nowhere'"));
}

TEST_F(SqliteStoreTest, TheReadableViewMasksSecrets) {
  Session session(path_);
  const std::string row = session.ask("SELECT * FROM pipes_readable WHERE name = 'a2b'");
  EXPECT_THAT(row, HasSubstr("A2B|2023-11-14T22:13:20.123Z|running|the target refused|data-sync|typed|"));
  EXPECT_THAT(row, HasSubstr("iotdb-air-gap-connector|ip=10.0.0.1, password=******|"));
}

TEST_F(SqliteStoreTest, OnlyItsOwnerReadsTheFile) {
  struct stat info{};
  ASSERT_EQ(::stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
}

TEST_F(SqliteStoreTest, ChangesAreWrittenAhead) {
  Session session(path_);
  EXPECT_EQ(session.ask("PRAGMA journal_mode"), "wal|");
}

TEST_F(SqliteStoreTest, ANewerSchemaIsRefusedAndNotRebuilt) {
  store_.reset();
  ASSERT_EQ(Session(path_).run("PRAGMA user_version = 2"), SQLITE_OK);
  reopen();
  const auto loaded = store_->load();
  ASSERT_FALSE(loaded.ok());
  EXPECT_EQ(loaded.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(loaded.error().text(), HasSubstr("written by a newer version"));
  EXPECT_EQ(set("x").error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(store_->rebuild({}, 0).error().code, ErrorCode::kUnsupported);
}

TEST_F(SqliteStoreTest, AForeignSqliteFileIsNotTakenForACatalogue) {
  store_.reset();
  ASSERT_EQ(Session(path_).run("PRAGMA application_id = 7"), SQLITE_OK);
  reopen();
  EXPECT_EQ(store_->load().error().code, ErrorCode::kDamaged);
}

TEST_F(SqliteStoreTest, AFileReplacedUnderAnOpenStoreIsNoticed) {
  ASSERT_TRUE(make_sqlite_store(folder_.path() + "/other.db")->rebuild({}, 0).ok());
  std::filesystem::remove(path_ + "-wal");
  std::filesystem::remove(path_ + "-shm");
  std::filesystem::rename(folder_.path() + "/other.db", path_);
  ASSERT_TRUE(set("x").ok());
  EXPECT_TRUE(store_->load().value().pipes.empty());
  EXPECT_EQ(Session(path_).ask("SELECT value FROM settings"), "x|");
}

// ---- damage

void damage(const std::string& path, const std::function<void(std::string&)>& act) {
  std::string content;
  {
    std::ifstream in(path, std::ios::binary);
    content.assign(std::istreambuf_iterator<char>(in), {});
  }
  act(content);
  std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
}

TEST_F(SqliteStoreTest, DamageOfTheFileIsSeenAndRebuildingKeepsTheDamagedFile) {
  const std::vector<std::function<void(std::string&)>> kinds{
      [](std::string& c) { c.assign("this is no database at all, it is a text"); },
      [](std::string& c) { c.resize(c.size() / 2); },
      [](std::string& c) { c.replace(4096, 4096, std::string(4096, '\x5a')); },
  };
  std::int64_t now = 100;
  for (const auto& kind : kinds) {
    SCOPED_TRACE(now);
    store_.reset();
    damage(path_, kind);
    reopen();
    const auto loaded = store_->load();
    ASSERT_FALSE(loaded.ok());
    EXPECT_EQ(loaded.error().code, ErrorCode::kDamaged) << loaded.error().text();
    const Status rebuilt = store_->rebuild(whole_, ++now);
    ASSERT_TRUE(rebuilt.ok()) << rebuilt.error().text();
    EXPECT_TRUE(std::filesystem::exists(path_ + ".damaged-" + std::to_string(now)));
    EXPECT_EQ(store_->load().value(), whole_);
    EXPECT_TRUE(set("x").ok());
    const CatalogueChange clear = change::ClearSetting{"k"};
    ASSERT_TRUE(store_->apply(std::span(&clear, 1)).ok());
  }
}

TEST_F(SqliteStoreTest, RandomDamageNeverCrashesAndNeverGivesWhatCannotBe) {
  store_.reset();
  const std::string sound = path_ + ".sound";
  std::filesystem::copy_file(path_, sound);
  SimRandom random(5);
  int seen = 0;
  for (int i = 0; i < 150; ++i) {
    std::filesystem::copy_file(sound, path_, std::filesystem::copy_options::overwrite_existing);
    damage(path_, [&](std::string& c) {
      for (int n = 0; n < 8; ++n) c[random.below(c.size())] = static_cast<char>(random.next());
    });
    reopen();
    const auto loaded = store_->load();
    if (loaded.ok()) {
      EXPECT_TRUE(check_snapshot(*loaded).ok());
    } else {
      ++seen;
    }
    store_.reset();
    std::filesystem::remove(path_ + "-wal");
    std::filesystem::remove(path_ + "-shm");
  }
  EXPECT_GT(seen, 30);
}

// ---- kills

// Runs `child` in a process of its own, which gives it the end of a pipe to write to. `while_alive` has the
// other end.
void run_until_killed(const std::function<void(int)>& child,
                      const std::function<void(int in, pid_t pid)>& while_alive) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const pid_t pid = ::fork();
  ASSERT_GE(pid, 0);
  if (pid == 0) {
    child(ends[1]);
    ::_exit(1);
  }
  ::close(ends[1]);
  while_alive(ends[0], pid);
  int status = 0;
  ::waitpid(pid, &status, 0);
  EXPECT_TRUE(WIFSIGNALED(status));
  ::close(ends[0]);
}

// Kills `child` when it has written a byte.
void kill_when_it_says_so(const std::function<void(int)>& child) {
  run_until_killed(child, [](int in, pid_t pid) {
    char byte = 0;
    EXPECT_EQ(::read(in, &byte, 1), 1);
    ::kill(pid, SIGKILL);
  });
}

// The bytes that `child` writes until it kills itself.
int confirmed_before_death(const std::function<void(int)>& child) {
  int count = 0;
  run_until_killed(child, [&count](int in, pid_t) {
    for (char byte = 0; ::read(in, &byte, 1) == 1;) ++count;
  });
  return count;
}

TEST_F(SqliteStoreTest, AKillInMidTransactionLeavesNothingOfIt) {
  store_.reset();
  kill_when_it_says_so([&](int out) {
    Session session(path_);
    // Pages of the open transaction reach the file of the log before the kill.
    if (session.run("PRAGMA cache_size = 1; PRAGMA cache_spill = 1; BEGIN IMMEDIATE; DELETE FROM pipes") != 0)
      return;
    for (int i = 0; i < 200; ++i)
      if (session.run("INSERT INTO settings VALUES ('" + std::to_string(i) + "', hex(randomblob(500)))") != 0)
        return;
    if (::write(out, "x", 1) != 1) return;
    for (;;) ::pause();
  });
  EXPECT_GT(std::filesystem::file_size(path_ + "-wal"), 10'000U)
      << "the kill came too early to prove anything";
  reopen();
  EXPECT_EQ(store_->load().value(), whole_);
  EXPECT_TRUE(set("x").ok()) << "a lock outlived its process";
}

// Replaces the writes of SQLite in this process: the one that `writes_left` counts down to is torn in the
// middle and kills the process.
int writes_left = 0;

ssize_t write_until_killed(int fd, const void* bytes, std::size_t size, off_t offset) {
  if (writes_left-- > 0) return ::pwrite(fd, bytes, size, offset);
  (void)!::pwrite(fd, bytes, size / 2, offset);
  ::raise(SIGKILL);
  return -1;
}

void kill_this_process_at_write(int n) {
  sqlite3_vfs* system = sqlite3_vfs_find(nullptr);
  writes_left = n;
  for (const char* call : {"pwrite", "pwrite64"})
    system->xSetSystemCall(system, call, reinterpret_cast<sqlite3_syscall_ptr>(&write_until_killed));
}

TEST_F(SqliteStoreTest, AKillAtAnyWriteKeepsEveryChangeThatWasConfirmedAndNoPartOfAnother) {
  ASSERT_TRUE(set("-1").ok());
  store_.reset();
  int last = -1;
  for (int write = 0; write < 60; ++write) {
    const int confirmed = confirmed_before_death([&](int out) {
      kill_this_process_at_write(write);
      reopen();
      for (int i = last + 1; i <= last + 100; ++i) {
        if (!set(std::to_string(i)).ok() || ::write(out, "x", 1) != 1) return;
        if (i % 3 == 0) Session(path_).run("PRAGMA wal_checkpoint(TRUNCATE)");
      }
    });
    reopen();
    const CatalogueSnapshot found = store_->load().value();
    const int stored = std::stoi(found.settings.at("k"));
    EXPECT_GE(stored, last + confirmed) << "killed at write " << write;
    EXPECT_LE(stored, last + confirmed + 1);
    EXPECT_EQ(found.pipes, whole_.pipes);
    last = stored;
    store_.reset();
  }
  EXPECT_GT(last, 60) << "hardly anything was written before the kills";
}

}  // namespace
}  // namespace tidegate
