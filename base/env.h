// SPDX-License-Identifier: Apache-2.0
// Env: every effect of the program behind four small interfaces, real or simulated.
//
// Nothing above base/ opens a file, reads a clock, draws a random number or opens a socket in another way.
// The real one is base/real_env.h, the simulated one base/sim_env.h (files that forget what was not synced,
// and can fail). Thread rules: FileSystem, Clock and Random may be used from any thread. A File may be read
// from any thread; it is written by one thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace tidegate {

// Monotonic time in nanoseconds since an arbitrary start. All timers use it.
using Nanos = std::int64_t;
constexpr Nanos kMicrosecond = 1'000;
constexpr Nanos kMillisecond = 1'000'000;
constexpr Nanos kSecond = 1'000'000'000;

class File {
 public:
  virtual ~File() = default;
  // Writes all of `data` or fails; after a failure the content of the range is unknown. kNoSpace or kIo.
  virtual Status write_at(std::uint64_t offset, ByteView data) = 0;
  // Fills `out` from `offset`; returns how much there was (less than asked only at the end of the file).
  virtual Result<std::size_t> read_at(std::uint64_t offset, std::span<std::uint8_t> out) = 0;
  // fdatasync: content and size are durable afterwards. After a failure the file must not be synced again:
  // what was written since the last good sync is lost or not, nobody knows.
  virtual Status sync() = 0;
  virtual Status truncate(std::uint64_t size) = 0;
  virtual Result<std::uint64_t> size() = 0;
};

enum class OpenMode : std::uint8_t {
  kRead,       // must exist
  kReadWrite,  // must exist
  kCreate,     // must not exist; the name is durable only after sync_dir of the folder
  kOpenOrCreate
};

// Held while alive. Released by the destructor or the death of the process.
class FileLock {
 public:
  virtual ~FileLock() = default;
};

struct SpaceInfo {
  std::uint64_t free = 0;   // bytes an unprivileged process may still use
  std::uint64_t total = 0;  // bytes
};

class FileSystem {
 public:
  virtual ~FileSystem() = default;
  virtual Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) = 0;
  virtual Status make_dirs(const std::string& path) = 0;  // no error where it exists; durable when it returns
  // Names (not paths) of the entries, sorted; without "." and "..".
  virtual Result<std::vector<std::string>> list(const std::string& path) = 0;
  virtual bool exists(const std::string& path) = 0;
  virtual Status remove(const std::string& path) = 0;
  virtual Status rename(const std::string& from, const std::string& to) = 0;
  virtual Status hard_link(const std::string& from, const std::string& to) = 0;
  virtual Status sync_dir(const std::string& path) = 0;  // makes names in the folder durable
  virtual Result<SpaceInfo> space(const std::string& path) = 0;
  // kLocked when another process (or another Env of the simulation) holds it.
  virtual Result<std::unique_ptr<FileLock>> lock(const std::string& path) = 0;
};

class Clock {
 public:
  virtual ~Clock() = default;
  virtual Nanos now() = 0;                 // monotonic
  virtual std::int64_t wall_micros() = 0;  // Unix time in microseconds; may jump
};

class Random {
 public:
  virtual ~Random() = default;
  virtual void fill(std::span<std::uint8_t> out) = 0;
  std::uint64_t u64() {
    std::uint64_t v = 0;
    fill({reinterpret_cast<std::uint8_t*>(&v), sizeof(v)});
    return v;
  }
};

// Not owning: the three live longer than whoever holds an Env.
struct Env {
  FileSystem* files = nullptr;
  Clock* clock = nullptr;
  Random* random = nullptr;
};

// Reads a whole file of at most `limit` bytes (kTooLarge above it).
Result<Bytes> read_file(FileSystem& files, const std::string& path, std::uint64_t limit);
// Writes `path` so that after a crash either the old or the new content is there: temporary file, sync,
// rename, sync_dir.
Status replace_file(FileSystem& files, const std::string& path, ByteView content);

}  // namespace tidegate
