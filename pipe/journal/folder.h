// SPDX-License-Identifier: Apache-2.0
// The folder of a journal: which segments it has, how a new one becomes visible, and the reserve file.
//
// A segment is created under a temporary name with its checkpoint and its first records, synced, renamed, and
// the folder synced: whoever sees the name sees a file that was durable as a whole. Not thread-safe; the
// journal's mutex guards it.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "pipe/journal/segment_file.h"

namespace tidegate {

struct SegmentEntry {
  SegmentName name;
  std::uint64_t bytes = 0;
  // Sparse: (LSN, offset of the record that starts with it), ascending. So that a reader need not scan from
  // the start.
  std::vector<std::pair<Lsn, std::uint64_t>> index;

  void add_to_index(Lsn first, std::uint64_t offset);
  std::uint64_t seek(Lsn lsn) const;  // where a scan for `lsn` may start
};

// What a new segment is made of. The sizes of the tail's records do not change; their place does.
struct NewSegment {
  SegmentName name;
  Id birth;
  std::uint64_t previous_end = 0;
  CheckpointMeta checkpoint;
  Bytes state;
  std::vector<ByteView> tail;     // whole records, one after another
  std::uint64_t folded_tail = 0;  // so many bytes of the tail are contained in `state`
  Lsn last_lsn = 0;               // of the tail; name.first_lsn - 1 without batches
};
// The bytes of the file. Every record in it says that all of it is durable, which is true for whoever can see
// it.
Bytes build_segment(const NewSegment& segment);

class JournalFolder {
 public:
  JournalFolder(Env env, std::string directory, Id birth)
      : env_(env), directory_(std::move(directory)), birth_(birth) {}

  const std::string& directory() const { return directory_; }
  std::string path(const SegmentName& name) const { return directory_ + "/" + segment_file_name(name); }
  std::uint32_t seed(const SegmentName& name) const { return segment_seed(birth_, name.number); }
  Result<std::unique_ptr<File>> open_for_reading(const SegmentName& name) const;

  // Finds the segments and their sizes, makes their names durable, removes what never became visible. Reads
  // no content.
  Status load();
  // Only finds them: for looking at a journal that another process may be writing.
  Status look();
  const std::vector<SegmentEntry>& segments() const { return segments_; }
  std::vector<SegmentEntry>& segments() { return segments_; }
  std::uint64_t used() const { return used_; }
  void grow_last(std::uint64_t bytes);
  void set_last_size(std::uint64_t bytes);

  // Makes the segment visible and adds it to the list. The file is open for writing.
  Result<std::shared_ptr<File>> create(const SegmentName& name, ByteView image);
  // Takes the segments below `number` off the list; the newest always stays.
  std::vector<SegmentEntry> release_below(std::uint64_t number);
  // Removes their files; already gone is as good. The first error, after all were tried.
  Status unlink(const std::vector<SegmentEntry>& segments);

  // The end of what counts in segment `index`: where the next one says that it goes on. Where that cannot be
  // read, the end of the file; the first LSN of the next one bounds it all the same.
  Result<std::uint64_t> end_of(std::size_t index) const;

  // Gives the reserve file up; true when that made room.
  bool give_up_reserve();
  // Makes it again when there is room for it and `min_free` beyond.
  void make_reserve(std::uint64_t bytes, std::uint64_t min_free);
  bool has_reserve() const { return has_reserve_; }

 private:
  Status write_temporary(const std::string& path, ByteView image, std::shared_ptr<File>* file);
  Status write_reserve(const std::string& path, std::uint64_t bytes);
  std::string reserve_path() const { return directory_ + "/" + std::string(journal_format::kReserveName); }

  Env env_;
  std::string directory_;
  Id birth_;
  std::vector<SegmentEntry> segments_;
  std::uint64_t used_ = 0;
  bool has_reserve_ = false;
};

}  // namespace tidegate
