// SPDX-License-Identifier: Apache-2.0
// What happens at open: find the state, tell torn from damaged, make durable what was read back.
//
//   torn    : damage at or behind the last point that is known to have been synced. It was never promised:
//   cut. damaged : damage before that point. Copied to quarantine/, reported, its LSNs are never used again.
//   Never fatal.
// The known point of a segment is the largest `durable bytes` of any readable record in it, also of records
// that are found behind the damage. Whatever counts and lies above it is written to a new segment, because it
// may be in the page cache only.
#pragma once

#include "pipe/journal/journal_impl.h"

namespace tidegate {

class JournalRecovery {
 public:
  explicit JournalRecovery(Journal::Impl& journal)
      : j_(journal), folder_(journal.folder), state_(*journal.state), report_(journal.report) {}

  // Makes the first segment of a new journal.
  Status create();
  // Precondition: the folder is loaded and has a segment. Leaves `journal` ready to be written.
  Status run();

 private:
  struct Survey {  // of the last segment, before anything of it is believed
    DurableEvidence evidence;
    std::uint64_t cut = 0;  // what stands here and behind is torn
    std::uint64_t tail_records = 0;
    bool footer = false;
    bool clean = false;
  };
  struct BadRange {
    std::uint64_t from = 0, to = 0;
    std::string reason;
  };
  struct Tail {  // between the known point and the cut
    Bytes records;
    Lsn last_lsn = 0;
  };

  Result<Survey> survey_last();
  Result<bool> opens_with_checkpoint(std::size_t index);
  Result<std::size_t> restore_newest();
  Status find_missing_files(std::size_t start);
  Result<Lsn> last_lsn_of(std::size_t index);

  Status replay_segment(std::size_t index, std::uint64_t until, bool is_last);
  Status replay_good(SegmentScanner& scanner, const ScanItem& item);
  Status replay_batches(SegmentScanner& scanner, const ScanItem& item);
  Status note_release(SegmentScanner& scanner, const ScanItem& item);
  Status replay_note(SegmentScanner& scanner, const ScanItem& item);
  Status replay_checkpoint(SegmentScanner& scanner, const ScanItem& item);
  Status restore(SegmentScanner& scanner, const ScanItem& item);
  void close_damage(Lsn next, const std::string& path);
  void report_damage(DamagedRange range);
  std::string quarantine(const BadRange& bad);
  Result<Bytes> read_range(const BadRange& bad);

  Status continue_last(const Survey& survey, const Tail& tail);
  Status move_tail(const Survey& survey, const Tail& tail);
  Result<Tail> read_tail(const Survey& survey);
  Status replay_tail(ByteView records);
  Status remove_released();

  Journal::Impl& j_;
  JournalFolder& folder_;
  JournalState& state_;
  RecoveryReport& report_;

  bool restored_ = false;
  bool at_start_ = false;  // the segment's own checkpoint was restored: its folded records are in the state
  bool damage_since_restore_ = false;
  Lsn expected_ = 0;       // next LSN
  std::size_t index_ = 0;  // of the segment being replayed
  std::unique_ptr<File> replayed_;
  std::optional<BadRange> bad_;  // not yet reported: the record behind it tells which LSNs it held
  std::uint64_t replayed_to_ = 0;
};

}  // namespace tidegate
