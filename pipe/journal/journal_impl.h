// SPDX-License-Identifier: Apache-2.0
// Inside of Journal: the state behind the mutex. Only pipe/journal includes this.
//
// Bytes that are written and not yet synced are kept twice: in the file and in `pending` (or `syncing`, while
// a sync is running), so that they can be written to a new segment when the file fails.
#pragma once

#include <condition_variable>
#include <mutex>

#include "pipe/journal/folder.h"
#include "pipe/journal/identity.h"

namespace tidegate {

struct Journal::Impl {
  Impl(Env e, JournalOptions o, JournalState* s, JournalIdentity i)
      : env(e),
        options(std::move(o)),
        state(s),
        identity(std::move(i)),
        folder(env, options.directory, identity.birth) {}

  // ---- set at open, constant afterwards
  Env env;
  JournalOptions options;
  JournalState* state;
  JournalIdentity identity;
  std::unique_ptr<FileLock> lock;
  RecoveryReport report;

  // ---- guarded by the mutex
  mutable std::mutex mutex;
  std::condition_variable sync_done;
  std::mutex trim_mutex;  // one trim at a time; taken before `mutex`
  JournalFolder folder;
  MayDelete keep;  // what a trim has allowed to go
  mutable std::vector<DamagedRange> damaged;

  // The last segment, the one that is written.
  std::shared_ptr<File> file;
  std::uint32_t seed = 0;
  std::uint64_t offset = 0;         // of the next record
  std::uint64_t durable_bytes = 0;  // of this file
  bool sealed = false;              // has its footer; a new one must be started before anything is written
  bool ends_with_mark = false;
  SegmentTotals totals;

  Lsn head = 0;
  Lsn durable = 0;
  std::uint64_t appended = 0;  // records, counted since open
  std::uint64_t synced = 0;    // of them durable
  Bytes pending;               // written since the last sync began
  Bytes syncing;               // what the running sync is about
  bool sync_running = false;
  bool closed = false;
  int failures = 0;
  std::optional<Error> poison;
  std::uint64_t space_credit = 0;  // bytes that may be appended before the free space is looked at again
  struct Refusal {
    Error error;                  // kNoSpace
    std::uint64_t size = 0;       // of the record
    std::uint64_t disk_free = 0;  // when it was refused
  };
  std::optional<Refusal> refusal;  // of the last batches; nothing: they were taken

  const SegmentEntry& current() const { return folder.segments().back(); }

  // ---- journal_write.cc; precondition: the mutex is held
  Result<Lsn> append(RecordMeta meta, ByteView container);
  Status append_note(std::uint8_t type, ByteView body);
  Status sync(std::unique_lock<std::mutex>& guard);
  Status mark(std::uint8_t flags);
  Status close(std::unique_lock<std::mutex>& guard);
  // Without the mutex: takes both itself.
  Result<std::uint64_t> trim(Lsn up_to);

  Status usable() const;
  // Waits for a running sync when a new segment is due, so `guard` may have been given up meanwhile.
  Status make_room(std::unique_lock<std::mutex>& guard, std::uint64_t size, bool is_note);
  Status check_space(std::uint64_t size);
  Status check_quota(std::uint64_t size) const;
  Status check_disk(std::uint64_t size, const SpaceInfo& space) const;
  std::uint64_t must_stay_free() const;
  Status accepts() const;
  Result<Lsn> append_checked(std::unique_lock<std::mutex>& guard, RecordMeta meta, ByteView container,
                             std::uint64_t size);
  bool needs_roll(std::uint64_t size) const;
  Status roll();
  Status seal();
  // `start`: where the record begins in `pending`.
  Status write_pending(std::size_t start, bool is_note);
  Status write_or_cut(ByteView record);
  Status write_small_record(RecordKind kind, ByteView meta, ByteView payload);
  // Writes what is not durable to a new segment. The last `unfolded` bytes are not yet contained in the
  // state.
  Status fail_over(Error cause, std::uint64_t unfolded);
  Status start_segment(Lsn first_lsn, std::uint64_t previous_end, std::uint64_t unfolded);
  void adopt_segment(const NewSegment& segment, std::uint64_t image_size, std::shared_ptr<File> opened);
  Error poisoned(Error cause);
  void publish(Lsn lsn);
  void publish_if_all_synced();
  RecordHeader new_header(RecordKind kind) const;
  CheckpointMeta new_checkpoint_meta(std::uint64_t number, std::uint64_t previous_end);

  // ---- journal_read.cc; takes the mutex
  struct Place {
    SegmentName segment;
    std::uint32_t seed = 0;
    std::uint64_t start = 0;  // where a scan may begin
    std::uint64_t limit = 0;  // durable bytes
    Lsn last = 0;             // the last durable LSN that the segment can hold
  };
  Result<std::optional<Place>> locate(Lsn position) const;

  // ---- journal_verify.cc; takes the mutex where it must
  Status verify(bool hash, const std::function<bool(const DamagedRange&)>& problem,
                const std::function<bool()>& between) const;
  void remember(const DamagedRange& range) const;
};

// Counts the batches in whole records that lie in our own memory.
void add_totals(ByteView records, SegmentTotals* totals);

}  // namespace tidegate
