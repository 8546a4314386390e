// SPDX-License-Identifier: Apache-2.0
// Real files and real threads: group sync, appends during a sync, readers beside writers.
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <thread>

#include "base/real_env.h"
#include "pipe/journal/journal_test_rig.h"

namespace tidegate {
namespace {

// A disk whose next sync waits until it is let go.
class SlowSync final : public FileSystem {
 public:
  explicit SlowSync(FileSystem& real) : real_(real) {}

  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override {
    TG_TRY(auto file, real_.open(path, mode));
    return std::unique_ptr<File>(std::make_unique<SlowFile>(*this, std::move(file)));
  }
  Status make_dirs(const std::string& path) override { return real_.make_dirs(path); }
  Result<std::vector<std::string>> list(const std::string& path) override { return real_.list(path); }
  bool exists(const std::string& path) override { return real_.exists(path); }
  Status remove(const std::string& path) override { return real_.remove(path); }
  Status rename(const std::string& from, const std::string& to) override { return real_.rename(from, to); }
  Status hard_link(const std::string& from, const std::string& to) override {
    return real_.hard_link(from, to);
  }
  Status sync_dir(const std::string& path) override { return real_.sync_dir(path); }
  Result<SpaceInfo> space(const std::string& path) override { return real_.space(path); }
  Result<std::unique_ptr<FileLock>> lock(const std::string& path) override { return real_.lock(path); }

  void hold() {
    const std::lock_guard guard(mutex_);
    held_ = true;
  }
  void let_go() {
    const std::lock_guard guard(mutex_);
    held_ = false;
    changed_.notify_all();
  }
  void wait_until_one_waits() {
    std::unique_lock guard(mutex_);
    changed_.wait(guard, [this] { return waiting_ > 0; });
  }
  int syncs() {
    const std::lock_guard guard(mutex_);
    return syncs_;
  }

 private:
  class SlowFile final : public File {
   public:
    SlowFile(SlowSync& disk, std::unique_ptr<File> file) : disk_(disk), file_(std::move(file)) {}
    Status write_at(std::uint64_t offset, ByteView data) override { return file_->write_at(offset, data); }
    Result<std::size_t> read_at(std::uint64_t offset, std::span<std::uint8_t> out) override {
      return file_->read_at(offset, out);
    }
    Status sync() override {
      disk_.before_sync();
      return file_->sync();
    }
    Status truncate(std::uint64_t size) override { return file_->truncate(size); }
    Result<std::uint64_t> size() override { return file_->size(); }

   private:
    SlowSync& disk_;
    std::unique_ptr<File> file_;
  };

  void before_sync() {
    std::unique_lock guard(mutex_);
    ++syncs_;
    ++waiting_;
    changed_.notify_all();
    changed_.wait(guard, [this] { return !held_; });
    --waiting_;
  }

  FileSystem& real_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool held_ = false;
  int waiting_ = 0;
  int syncs_ = 0;
};

class JournalThreads : public testing::Test {
 protected:
  JournalThreads() : disk_(*real_env().files) {
    std::string pattern = (std::filesystem::temp_directory_path() / "tidegate-journal-XXXXXX").string();
    root_ = mkdtemp(pattern.data());
    options_.directory = root_ + "/j";
    options_.reserve_bytes = 0;
    options_.segment_bytes = 64 << 10;
    Env env = real_env();
    env.files = &disk_;
    auto opened = Journal::open(env, options_, &state_);
    EXPECT_TRUE(opened.ok()) << opened.error().text();
    journal_ = std::move(*opened);
  }
  ~JournalThreads() override {
    journal_.reset();
    std::filesystem::remove_all(root_);
  }
  Lsn append(std::size_t size) {
    const Bytes body(size, 'x');
    return journal_->append(meta_for(body), body).value();
  }

  SlowSync disk_;
  std::string root_;
  JournalOptions options_;
  ChainState state_;
  std::unique_ptr<Journal> journal_;
};

TEST_F(JournalThreads, AppendsGoOnWhileTheDiskSyncsAndAreNotPromised) {
  append(100);
  disk_.hold();
  std::thread syncing([this] { EXPECT_TRUE(journal_->sync().ok()); });
  disk_.wait_until_one_waits();
  for (int i = 0; i < 50; ++i) append(100);
  EXPECT_EQ(journal_->head(), 51U);
  EXPECT_EQ(journal_->durable_lsn(), 0U);
  disk_.let_go();
  syncing.join();
  EXPECT_EQ(journal_->durable_lsn(), 1U) << "what came during the sync is not part of it";
}

TEST_F(JournalThreads, CallersThatArriveDuringASyncShareTheNextOne) {
  append(100);
  const int before = disk_.syncs();
  disk_.hold();
  std::thread first([this] { EXPECT_TRUE(journal_->sync().ok()); });
  disk_.wait_until_one_waits();
  std::vector<std::thread> others;
  std::atomic<int> appended = 0;
  for (int i = 0; i < 8; ++i) {
    others.emplace_back([this, &appended] {
      const Lsn lsn = append(100);
      ++appended;
      EXPECT_TRUE(journal_->sync().ok());
      EXPECT_GE(journal_->durable_lsn(), lsn);
    });
  }
  while (appended < 8) std::this_thread::yield();
  disk_.let_go();
  first.join();
  for (std::thread& other : others) other.join();
  EXPECT_EQ(disk_.syncs() - before, 2);
}

TEST_F(JournalThreads, WritersReadersAndRetentionWorkSideBySide) {
  constexpr int kWriters = 3;
  constexpr int kEach = 300;
  std::atomic<int> running = kWriters;
  std::vector<std::thread> threads;
  for (int w = 0; w < kWriters; ++w) {
    threads.emplace_back([&] {
      for (int i = 0; i < kEach; ++i) {
        const Lsn lsn = append(500);
        if (i % 5 == 0) {
          EXPECT_TRUE(journal_->sync().ok());
          EXPECT_GE(journal_->durable_lsn(), lsn);
        }
        if (i % 50 == 0) {
          EXPECT_TRUE(journal_->append_note(16, as_bytes("note")).ok());
        }
      }
      EXPECT_TRUE(journal_->sync().ok());
      --running;
    });
  }
  threads.emplace_back([&] {
    Journal::Reader reader = journal_->reader(1);
    for (;;) {
      const bool last = running == 0;
      const Lsn from = reader.position();
      const auto record = reader.next();
      if (!record.ok()) {
        ASSERT_EQ(record.error().code, ErrorCode::kTrimmed) << record.error().text();
        reader.skip_to(*record.error().sequence);
      } else if (*record) {
        ASSERT_EQ((*record)->meta.first_lsn, from);
      } else if (last) {
        break;
      }
    }
    EXPECT_EQ(reader.position(), Lsn{kWriters * kEach + 1});
  });
  threads.emplace_back([&] {
    while (running > 0) {
      const Lsn durable = journal_->durable_lsn();
      EXPECT_TRUE(journal_->trim(durable > 300 ? durable - 300 : 0).ok());
      EXPECT_TRUE(
          journal_->verify(false, [](const DamagedRange& d) { return ADD_FAILURE() << d.reason, true; })
              .ok());
      std::this_thread::yield();
    }
  });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(state_.last, Lsn{kWriters * kEach});
  EXPECT_GT(journal_->first_lsn(), 1U);
}

}  // namespace
}  // namespace tidegate
