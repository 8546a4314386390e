// SPDX-License-Identifier: Apache-2.0
// The simulated Env: a clock that is set, random numbers from a seed, and a disk that forgets what was not
// synced.
//
// The disk holds what a careful reading of POSIX promises, and nothing more:
//   * content is durable after File::sync, a name (created, renamed, linked, removed) after sync_dir of its
//   folder;
//   * a rename is atomic; a hole in an un-synced file reads as zeros; sectors of 512 bytes are never torn;
//   * everything else that was not synced survives a power cut, or not, in any combination.
// Folders are the exception: make_dirs makes them durable at once, as base/real_env.h does.
// Thread-safe, except that hooks run without the lock and must be installed before threads start.
#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "base/env.h"

namespace tidegate {

// SplitMix64. The same seed gives the same numbers; draws from several threads interleave but never repeat.
class SimRandom final : public Random {
 public:
  explicit SimRandom(std::uint64_t seed) : state_(seed) {}
  void fill(std::span<std::uint8_t> out) override;
  std::uint64_t next();
  // Uniform in [0, bound); 0 for bound 0.
  std::uint64_t below(std::uint64_t bound) { return bound == 0 ? 0 : next() % bound; }
  bool chance(std::uint64_t in, std::uint64_t of) { return below(of) < in; }

 private:
  std::atomic<std::uint64_t> state_;
};

class SimClock final : public Clock {
 public:
  explicit SimClock(Nanos now = 0, std::int64_t wall_micros = 1'700'000'000'000'000)
      : now_(now), wall_offset_(wall_micros - now / kMicrosecond) {}
  Nanos now() override { return now_; }
  std::int64_t wall_micros() override { return wall_offset_ + now_ / kMicrosecond; }
  void set(Nanos now) { now_ = now; }
  void advance(Nanos by) { now_ += by; }
  // Moves only the wall clock, as a person or NTP does.
  void jump_wall(std::int64_t micros) { wall_offset_ += micros; }

 private:
  std::atomic<Nanos> now_;
  std::atomic<std::int64_t> wall_offset_;
};

enum class EffectKind : std::uint8_t {
  kWrite,
  kSync,
  kTruncate,
  kCreate,
  kRename,  // the path is the new one
  kRemove,
  kHardLink,  // the path is the new one
  kMakeDir,
  kSyncDir,
  kLock,
  kRead,  // for faults only: no hook is called
};
constexpr std::size_t kEffectKinds = 11;

// Thrown by an effect hook to kill the simulated process just before the effect, or inside a write.
struct SimCrash {
  std::size_t written = 0;  // of a write: how many of its bytes reach the file first
};

// An effect that fails. The n-th effect that matches (from `skip` = 0) fails, once or for ever.
struct SimFault {
  EffectKind kind = EffectKind::kWrite;
  std::uint64_t skip = 0;
  std::string path_contains;  // empty: any
  ErrorCode code = ErrorCode::kIo;
  bool sticky = false;
  std::size_t written = 0;     // kWrite: bytes that reach the file before the failure (short write)
  bool lose_unsynced = false;  // kSync: what was not synced never will be, though it reads as written and a
                               // later sync succeeds
};

// The durable state of a disk at one moment. A value: cheap to copy, may be restored to any number of disks.
class SimSnapshot {
 public:
  SimSnapshot() = default;

 private:
  friend class SimFileSystem;
  std::shared_ptr<const void> root_;
};

struct SimDisk;

// One disk, used by one simulated process. Paths are absolute; "/" exists.
class SimFileSystem final : public FileSystem {
 public:
  using EffectHook = std::function<void(EffectKind, const std::string& path)>;

  SimFileSystem();
  ~SimFileSystem() override;
  SimFileSystem(const SimFileSystem&) = delete;
  SimFileSystem& operator=(const SimFileSystem&) = delete;

  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override;
  Status make_dirs(const std::string& path) override;
  Result<std::vector<std::string>> list(const std::string& path) override;
  bool exists(const std::string& path) override;
  Status remove(const std::string& path) override;  // a file or an empty folder
  Status rename(const std::string& from, const std::string& to) override;
  Status hard_link(const std::string& from, const std::string& to) override;
  Status sync_dir(const std::string& path) override;
  Result<SpaceInfo> space(const std::string& path) override;
  Result<std::unique_ptr<FileLock>> lock(const std::string& path) override;

  // Called before each effect. What it throws kills the process: until process_crash(), power_cut() or
  // restore() every call fails with kClosed and has no effect, so destructors that run meanwhile change
  // nothing.
  void on_effect(EffectHook hook);

  // The process dies: handles are dead, locks are free, everything written stays (in the page cache).
  void process_crash();
  // The machine loses power: as process_crash(), and what was not synced survives as `random` decides.
  void power_cut(SimRandom& random);
  // The durable state; with `flushed` the state that a snapshot of a quiesced file system has: everything
  // written.
  SimSnapshot snapshot(bool flushed = false) const;
  // The disk becomes the snapshot; handles are dead, locks are free.
  void restore(const SimSnapshot& snapshot);
  // An empty disk; handles are dead.
  void wipe();

  // Sum of file sizes that the disk holds; writes above it fail with kNoSpace.
  void set_capacity(std::uint64_t bytes);
  std::uint64_t used() const;
  void inject(SimFault fault);
  void clear_faults();
  // The device acknowledges sync and sync_dir and does nothing.
  void lie_about_sync(bool lie);
  // Flips one bit of the medium. kNotFound without such a file or offset.
  Status rot(const std::string& path, std::uint64_t offset, unsigned bit = 0);

  // How many effects of a kind happened (failed ones count).
  std::uint64_t effects(EffectKind kind) const;
  // True when a power cut could change the file's content.
  bool has_unsynced(const std::string& path) const;

 private:
  std::shared_ptr<SimDisk> disk_;  // shared with the handles, which may outlive this
};

// One machine: its clock, its random numbers, its disk.
struct SimEnv {
  explicit SimEnv(std::uint64_t seed = 1) : random(seed) {}
  SimClock clock;
  SimRandom random;
  SimFileSystem files;
  Env env() { return {&files, &clock, &random}; }
};

}  // namespace tidegate
