// SPDX-License-Identifier: Apache-2.0
// The journal on real files in TMPDIR: append, append + sync at several sizes, sequential reading, open.
#include <benchmark/benchmark.h>

#include <filesystem>

#include "base/real_env.h"
#include "pipe/journal/journal.h"

namespace tidegate {
namespace {

class NoState final : public JournalState {
 public:
  Bytes checkpoint() override { return {}; }
  Status restore(ByteView) override { return {}; }
  void on_batches(const RecordMeta&) override {}
  void on_note(std::uint8_t, ByteView) override {}
  void on_damage(Lsn, Lsn) override {}
  void on_durable(Lsn) override {}
};

// A journal in a folder of its own, removed at the end.
class Folder {
 public:
  Folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "tidegate-bench-XXXXXX").string();
    root_ = mkdtemp(pattern.data());
    reopen();
  }
  ~Folder() {
    journal.reset();
    std::filesystem::remove_all(root_);
  }
  void reopen() {
    journal.reset();
    JournalOptions options;
    options.directory = root_ + "/j";
    options.reserve_bytes = 0;
    journal = std::move(Journal::open(real_env(), options, &state_)).value();
  }
  bool large() const { return journal->space().used > (512ULL << 20); }
  // Keeps the folder small. Not to be timed.
  void forget(benchmark::State& state) {
    if (!journal->sync().ok() || !journal->trim(journal->durable_lsn()).ok()) state.SkipWithError("trim");
  }

  std::unique_ptr<Journal> journal;

 private:
  std::string root_;
  NoState state_;
};

RecordMeta one_batch() {
  RecordMeta meta;
  meta.count = 1;
  meta.hashes.resize(1);
  return meta;
}

void finish(benchmark::State& state, std::int64_t records, std::int64_t size) {
  state.SetItemsProcessed(records);
  state.SetBytesProcessed(records * size);
}

void append(benchmark::State& state) {
  Folder folder;
  const Bytes container(static_cast<std::size_t>(state.range(0)), 'x');
  const RecordMeta meta = one_batch();
  std::uint64_t unsynced = 0;
  for (auto _ : state) {
    if (!folder.journal->append(meta, container).ok()) state.SkipWithError("append");
    unsynced += container.size();
    if (unsynced < (8 << 20)) continue;
    unsynced = 0;
    state.PauseTiming();
    if (!folder.journal->sync().ok()) state.SkipWithError("sync");
    if (folder.large()) folder.forget(state);
    state.ResumeTiming();
  }
  finish(state, static_cast<std::int64_t>(state.iterations()), state.range(0));
}
BENCHMARK(append)->Arg(256)->Arg(4 << 10)->Arg(64 << 10)->Arg(1 << 20);

// range(1) records share one sync.
void append_and_sync(benchmark::State& state) {
  Folder folder;
  const Bytes container(static_cast<std::size_t>(state.range(0)), 'x');
  const RecordMeta meta = one_batch();
  for (auto _ : state) {
    for (std::int64_t i = 0; i < state.range(1); ++i) {
      if (!folder.journal->append(meta, container).ok()) state.SkipWithError("append");
    }
    if (!folder.journal->sync().ok()) state.SkipWithError("sync");
    if (!folder.large()) continue;
    state.PauseTiming();
    folder.forget(state);
    state.ResumeTiming();
  }
  finish(state, static_cast<std::int64_t>(state.iterations()) * state.range(1), state.range(0));
}
BENCHMARK(append_and_sync)
    ->Args({256, 1})
    ->Args({256, 10'000})
    ->Args({4 << 10, 100})
    ->Args({1 << 20, 1})
    ->Args({1 << 20, 16})
    ->UseRealTime();

void read_sequentially(benchmark::State& state) {
  Folder folder;
  const Bytes container(static_cast<std::size_t>(state.range(0)), 'x');
  const std::int64_t records = (128 << 20) / state.range(0);
  for (std::int64_t i = 0; i < records; ++i) (void)folder.journal->append(one_batch(), container);
  (void)folder.journal->sync();
  for (auto _ : state) {
    Journal::Reader reader = folder.journal->reader(1);
    std::int64_t seen = 0;
    for (auto record = reader.next(); record.ok() && *record; record = reader.next()) ++seen;
    if (seen != records) state.SkipWithError("records are missing");
  }
  finish(state, static_cast<std::int64_t>(state.iterations()) * records, state.range(0));
}
BENCHMARK(read_sequentially)
    ->Arg(256)
    ->Arg(4 << 10)
    ->Arg(64 << 10)
    ->Arg(1 << 20)
    ->Unit(benchmark::kMillisecond);

// A last segment of 32 MiB after a kill.
void open_after_a_kill(benchmark::State& state) {
  Folder folder;
  const Bytes container(static_cast<std::size_t>(state.range(0)), 'x');
  for (std::int64_t i = 0; i < (32 << 20) / state.range(0); ++i)
    (void)folder.journal->append(one_batch(), container);
  (void)folder.journal->sync();
  (void)folder.journal->mark_idle();
  for (auto _ : state) folder.reopen();
}
BENCHMARK(open_after_a_kill)->Arg(256)->Arg(64 << 10)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace tidegate
