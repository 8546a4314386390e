// SPDX-License-Identifier: Apache-2.0
// Outbox: the journal of a pipe whose filter or processors change the bytes, with snapshots that make it
// repeat exactly after a crash.
//
// A snapshot says: what came out of the batches up to `position` of the daemon's journal ends at
// `outbox_lsn`, and the processors were in this state. After a crash the batches behind it are processed
// again; what the outbox already has of that is compared and not written twice. Format: doc/outbox.md. Thread
// rules: journal, state and records as they say; the rest one thread at a time.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "pipe/engine/record_cache.h"
#include "pipe/stream/stream_state.h"

namespace tidegate {

struct OutboxSnapshot {
  std::uint64_t number = 0;         // counts the snapshots; filled in by save()
  Lsn position = 0;                 // last LSN of the daemon's journal that is processed
  Lsn outbox_lsn = 0;               // last LSN of the outbox that came of it
  Bytes pipe_state;                 // of the pipe that fills the outbox
  std::uint64_t processor_key = 0;  // of what made the state: another one begins as newly made
  Bytes processor_state;            // empty: as newly made
  bool operator==(const OutboxSnapshot&) const = default;
};
Bytes encode_snapshot(const OutboxSnapshot& snapshot);
// kMalformed, kChecksum, kUnsupported.
Result<OutboxSnapshot> decode_snapshot(ByteView bytes);

class Outbox {
 public:
  // Makes the folder where there is none. `journal.directory` is filled in here.
  static Result<std::unique_ptr<Outbox>> open(Env env, const std::string& directory, JournalOptions journal);
  // Removes the folder of an outbox that is not open; for good when it returns: a new pipe of the same name
  // never finds it again. No error where there is none.
  static Status remove(FileSystem& files, const std::string& directory);

  Journal& journal() { return *journal_; }
  StreamState& state() { return state_; }
  RecordCache& records() { return records_; }
  const std::string& directory() const { return directory_; }

  // The newest one that can be read; nothing in a new outbox. kDamaged where the outbox holds batches and no
  // snapshot can be read.
  Result<std::optional<OutboxSnapshot>> load();
  // Durable when it returns. Everything up to snapshot.outbox_lsn must be durable before.
  Status save(OutboxSnapshot snapshot);

 private:
  Outbox(Env env, std::string directory) : env_(env), directory_(std::move(directory)) {}

  Env env_;
  std::string directory_;
  StreamState state_;
  std::unique_ptr<Journal> journal_;
  RecordCache records_{1 << 20};
  std::uint64_t number_ = 0;  // of the last snapshot
};

}  // namespace tidegate
