// SPDX-License-Identifier: Apache-2.0
// SimInode: the content of one simulated file, with what a power cut may do to it.
//
// The content is what the page cache shows. Beside it stands a log of the writes and truncations since the
// last sync, each with the bytes it replaced, so the durable content can be found again. An append or a sync
// costs what was written since the last sync, never the size of the file. Chunks are shared between copies
// and cloned when written, so a copy (a snapshot, a twin) costs one pointer per chunk. Not thread-safe;
// SimFileSystem guards it.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/bytes.h"

namespace tidegate {

class SimRandom;

class SimInode {
 public:
  // What the disk writes as a whole or not at all.
  static constexpr std::uint64_t kSector = 512;

  std::uint64_t size() const { return size_; }
  bool has_unsynced() const { return !log_.empty(); }

  std::size_t read(std::uint64_t offset, std::span<std::uint8_t> out) const;
  void write(std::uint64_t offset, ByteView data);
  void truncate(std::uint64_t size);
  // All of it is durable, except what lose_unsynced() has taken.
  void sync();
  // The kernel's answer to a failed fsync: pages count as clean and still read as written, but never reach
  // the disk.
  void lose_unsynced();
  // Back to the durable content, exactly.
  void drop_unsynced() { lose_power(nullptr); }
  // Back to a content that a power cut may leave: of the un-synced writes any subset, torn at sectors, each
  // sector with any of the versions it had; the size is one that the file had, or ends at a sector inside the
  // next write.
  void power_cut(SimRandom& random) { lose_power(&random); }
  // Damage on the medium. Precondition: offset < size().
  void flip_bit(std::uint64_t offset, unsigned bit);

 private:
  static constexpr std::size_t kChunk = 16 * 1024;
  // Above this many entries, appends that follow each other become one entry.
  static constexpr std::size_t kLongLog = 1024;
  using Chunk = std::array<std::uint8_t, kChunk>;
  enum class Fate : std::uint8_t { kDirty, kSynced, kLost };
  struct Change {
    bool is_truncate;
    Fate fate;
    std::uint64_t offset;  // of the write; the new size of a truncation
    std::uint64_t length;  // of the write
    std::uint64_t old_size;
    Bytes before;  // what the change replaced or cut off
    Bytes after;   // filled while the log is undone
  };
  struct Survival;

  std::uint8_t* writable_chunk(std::size_t index);
  void put(std::uint64_t offset, ByteView data);
  void resize(std::uint64_t size);
  Bytes copy_out(std::uint64_t offset, std::uint64_t length) const;
  void undo(Change& change);
  void redo(const Change& change, std::size_t index, Survival& survival);
  void lose_power(SimRandom* random);

  std::vector<std::shared_ptr<Chunk>> chunks_;  // nullptr: zeros
  std::uint64_t size_ = 0;
  std::vector<Change> log_;
  bool lost_any_ = false;
};

}  // namespace tidegate
