// SPDX-License-Identifier: Apache-2.0
// Journal: the durable, ordered log of batches in a folder of segment files. Both daemons have one.
//
// The durability contract: `ok` to a producer means that the event is synced in the sender's journal; `ok` to
// a batch on the wire means that the batch, and every batch before it in its stream, is synced in the
// receiver's journal. A position moves only after the thing it speaks of is durable; "already have it" is
// said only of what is synced.
//   append()  : the bytes are handed to the operating system and may be lost.
//   sync()    : when it returns success, everything appended before the call is durable, durable_lsn() has
//   moved. readers   : see durable records only.
// A failed write or sync is never retried on the same file: the records that are not yet durable (kept in
// memory until they are) are written to a new segment, which becomes visible only when it is synced as a
// whole. A second failure poisons the journal: every later append fails with kPoisoned until the process
// starts again.
//
// Format: doc/journal_format.md and journal_format.h. No threads and no clock inside; every effect goes
// through Env. Thread rules: append*/sync/trim/checkpoint may be called from any thread (a mutex orders them;
// sync does not hold up appends while the disk works). Readers may run in other threads, each Reader in one
// at a time.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/env.h"
#include "base/hash.h"
#include "pipe/model/batch.h"
#include "pipe/model/container.h"

namespace tidegate {

using Lsn = std::uint64_t;  // number of a batch in this journal, dense from 1; 0: none
using Seq = std::uint64_t;  // number of a batch in a stream, dense from 1; 0: none

// Where a batch of the far journal comes from. All zeros in the journal where it was first written.
struct Origin {
  Id journal;
  std::uint32_t generation = 0;
  std::uint16_t stream = 0;
  Seq first_seq = 0;     // of the container's first batch, also when leading batches do not count
  Hash128 chain_before;  // chain(first_seq - 1)
};

// The envelope of one record of batches: everything known without decoding the container.
struct RecordMeta {
  Lsn first_lsn = 0;             // of the first batch that counts
  std::uint32_t count = 0;       // batches that count; LSNs first_lsn .. first_lsn + count - 1
  std::uint32_t skip = 0;        // leading batches of the container that do not count (already had them)
  std::optional<Origin> origin;  // batches that arrived by a link
  std::vector<Id> hops;          // at most 8 journal ids
  std::uint8_t codec = 0;
  std::uint32_t decoded_size = 0;  // of the whole container
  std::uint64_t events = 0;        // of the batches that count; 0 where not known
  std::uint64_t values = 0;
  std::int64_t time_min =
      0;  // nanoseconds since the epoch (saturated), for display and retention only; min > max: none
  std::int64_t time_max = -1;
  std::int64_t arrival_micros = 0;  // wall clock at append
  Lsn durable_before = 0;           // LSN known durable when this was written
  std::vector<Hash128> hashes;      // content hash of each batch of the container, skipped ones included
  Lsn last_lsn() const { return first_lsn + count - 1; }
};

struct Record {
  RecordMeta meta;
  Bytes container;
};

// The state that the journal carries for the layer above (streams, positions, sessions): a fold over the
// records. Called under the journal's mutex, in record order, both at append and at replay, so the two can
// never differ.
class JournalState {
 public:
  virtual ~JournalState() = default;
  // The state after all records so far. restore(checkpoint()) followed by the records after it must give
  // equal states.
  virtual Bytes checkpoint() = 0;
  virtual Status restore(ByteView checkpoint) = 0;
  virtual void on_batches(const RecordMeta& meta) = 0;
  virtual void on_note(std::uint8_t type, ByteView body) = 0;
  // LSNs first..last are damaged or missing in the journal (seen at replay); notes that stood among them are
  // lost too. last == first - 1: no batch was hit, only something between first - 1 and first (perhaps a
  // note). The same range may be told again, also at a later open: count it once.
  virtual void on_damage(Lsn first, Lsn last) = 0;
  // Everything up to here is durable (called after a sync, and once after open).
  virtual void on_durable(Lsn durable) = 0;
};

struct JournalOptions {
  std::string directory;
  std::uint64_t segment_bytes = 64ULL << 20;
  std::uint64_t quota_bytes = 0;  // of all segments; 0: no quota. Notes are always let in.
  std::uint64_t reserve_bytes =
      16ULL << 20;  // a file that is given up so that notes can be written when the disk is full
  std::uint64_t min_free_bytes = 0;  // data is refused with kNoSpace below this much free disk
  std::string
      machine_id;      // bound to the journal at creation; another one at open: kIdentity. Empty: not checked
  bool create = true;  // false: kNotFound where there is no journal
};

struct DamagedRange {
  Lsn first = 0, last = 0;
  std::string segment;     // path
  std::string quarantine;  // path of the copy of the damaged bytes; empty where nothing could be read
  std::string reason;
};

struct RecoveryReport {
  bool created = false;
  bool clean = false;            // the last stop was clean
  std::uint64_t torn_bytes = 0;  // cut from the end of the last segment: was never synced
  std::vector<DamagedRange> damaged;
  std::uint64_t records_replayed = 0;
  std::uint64_t unknown_records = 0;  // of kinds that this version does not know: kept, stepped over
};

struct JournalSpace {
  std::uint64_t used = 0;  // bytes of all segments
  std::uint64_t quota = 0;
  SpaceInfo disk;
};

struct SegmentInfo {
  std::uint64_t number = 0;
  std::string path;
  Lsn first_lsn = 0;  // of the first record it may hold
  Lsn last_lsn = 0;   // first_lsn - 1 when it holds none
  std::uint64_t bytes = 0;
  bool sealed = false;
};

struct ScanItem;

class Journal {
 public:
  struct Impl;  // opaque outside of pipe/journal
  // Opens or creates, recovers, replays into `state` (which must outlive the journal). What was read back
  // above the last known durable point is written and synced again before anything is published. kLocked when
  // another process has it.
  static Result<std::unique_ptr<Journal>> open(Env env, JournalOptions options, JournalState* state);
  ~Journal();

  const Id& id() const;  // random, made at creation
  const RecoveryReport& recovery() const;

  // A record of new batches: the container with its hashes. first_lsn, durable_before and arrival are filled
  // in here. Returns the first LSN. kNoSpace (quota, disk: nothing was written, try again when there is
  // room), kPoisoned.
  Result<Lsn> append(RecordMeta meta, ByteView container);
  // A small state record (at most 2 MiB); type >= 16. Let in even when the quota is used up.
  Status append_note(std::uint8_t type, ByteView body);
  // Group sync. Callers that arrive while one is running share the next one.
  Status sync();
  // When nothing was appended since the last sync: a sync mark, so that a later open knows what was durable.
  // Not synced.
  Status mark_idle();
  // Writes a clean mark and syncs. No appends afterwards.
  Status close();

  Lsn head() const;         // last LSN appended; 0: none
  Lsn durable_lsn() const;  // last LSN synced
  Lsn first_lsn() const;    // oldest LSN retained; head() + 1 when nothing is
  JournalSpace space() const;
  // Why batches are refused now: kNoSpace until one is taken again or there is room for the one that was
  // refused last, kPoisoned, kClosed. Success: nothing says that the next one would be refused. Asks the
  // file system.
  Status accepts() const;
  std::vector<SegmentInfo> segments() const;
  std::vector<DamagedRange> damaged() const;

  // Removes sealed segments that lie wholly at or below `up_to`; never the newest. First a fresh checkpoint
  // and the note "may delete" become durable, then files go. Returns how many bytes were freed.
  Result<std::uint64_t> trim(Lsn up_to);

  // A cursor over durable records. Valid while the journal is.
  class Reader {
   public:
    // A copy starts at the same LSN and shares nothing.
    Reader(const Reader& other) : journal_(other.journal_), position_(other.position_) {}
    Reader& operator=(const Reader& other) { return *this = Reader(other); }
    Reader(Reader&&) noexcept = default;
    Reader& operator=(Reader&&) noexcept = default;
    // The next record of batches that holds LSNs >= the cursor, or nothing at the durable end. kTrimmed /
    // kDamaged with the range in the message: call skip_to() to go on behind it; Error::sequence is the LSN
    // to skip to. The record may start before the cursor.
    Result<std::optional<Record>> next();
    Result<std::optional<RecordMeta>> next_meta();  // the same without reading the container
    Lsn position() const { return position_; }      // next LSN wanted
    void skip_to(Lsn lsn);

   private:
    friend class Journal;
    Reader(const Journal* journal, Lsn from) : journal_(journal), position_(from) {}
    Result<std::optional<RecordMeta>> advance(Bytes* container);
    Result<RecordMeta> scan(Lsn last, Bytes* container);
    Result<RecordMeta> read_record(const ScanItem& item, Bytes* container);
    const Journal* journal_;
    Lsn position_;
    struct Hint;  // where the next record starts: segment, offset
    std::shared_ptr<Hint> hint_;
  };
  Reader reader(Lsn from) const;

  // The checkpoint that opens a segment: the state before its first record. In a segment that was made after
  // a failed write it also contains the records written again there: `covers` is the last LSN that the state
  // contains.
  Result<Bytes> segment_checkpoint(std::uint64_t number, Lsn* covers = nullptr) const;
  // Reads every retained record and compares checksums: the background scrub and `tidegate journal verify`.
  // `hash`: also decodes containers and compares content hashes. The callback gets each problem found; it
  // returns false to stop. `between` is called behind each segment and returns false to stop.
  Status verify(
      bool hash, const std::function<bool(const DamagedRange&)>& problem,
      const std::function<bool()>& between = [] { return true; }) const;

 private:
  explicit Journal(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace tidegate
