// SPDX-License-Identifier: Apache-2.0
// One segment file as it lies on the disk: its name, and the scan that finds every record and every damaged
// place.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "pipe/journal/record.h"

namespace tidegate {

struct SegmentName {
  std::uint64_t number = 0;
  Lsn first_lsn = 0;
  auto operator<=>(const SegmentName&) const = default;
};
std::string segment_file_name(const SegmentName& name);
std::optional<SegmentName> parse_segment_name(std::string_view name);  // nothing for other files
// The visible segments of a folder, ascending by number. kDamaged where two files claim one number.
Result<std::vector<SegmentName>> list_segment_names(FileSystem& files, const std::string& directory);

// Reads a file through a window, so that small neighbouring reads cost one system call. What cannot be read
// (a bad sector) appears as bytes that no checksum accepts; an error comes only where nothing at all could be
// read.
class WindowReader {
 public:
  explicit WindowReader(File& file, std::size_t window = kDefaultWindow) : file_(&file), window_(window) {}

  static constexpr std::size_t kDefaultWindow = 256 << 10;
  // Bytes at `offset`, fewer than `size` only at `limit` or at the end of the file. Valid until the next
  // call.
  Result<ByteView> view(std::uint64_t offset, std::size_t size, std::uint64_t limit);
  // The same, copied into `out`; large pieces go there without passing through the window.
  Result<std::size_t> copy(std::uint64_t offset, std::span<std::uint8_t> out, std::uint64_t limit);

 private:
  Result<std::size_t> read(std::uint64_t offset, std::span<std::uint8_t> out);
  Result<std::size_t> read_by_page(std::uint64_t offset, std::span<std::uint8_t> out, Error error);

  File* file_;
  std::size_t window_;
  Bytes buffer_;
  std::uint64_t start_ = 0;  // offset of buffer_[0]
  std::size_t filled_ = 0;
  bool any_read_ = false;
};

// A place of a segment: a record that is whole, or a range of bytes that is none.
struct ScanItem {
  std::uint64_t offset = 0;
  std::uint64_t end = 0;
  bool good = false;
  bool has_header = false;  // also of a damaged record whose header is whole
  RecordHeader header;
  std::string reason;  // why it is not good
};

enum class ScanCheck : std::uint8_t { kHeaders, kMeta, kAll };  // which checksums are compared

// Walks over [from, limit) of one segment. After damage it goes on at the next 8-byte aligned place where the
// header of a record of this very place stands, so a damaged length hides nothing.
class SegmentScanner {
 public:
  SegmentScanner(File& file, std::uint32_t seed, std::uint64_t from, std::uint64_t limit,
                 ScanCheck check = ScanCheck::kAll)
      : reader_(file), seed_(seed), offset_(from), limit_(limit), check_(check) {}

  // The next item; nothing at the limit.
  Result<std::optional<ScanItem>> next();
  // Compares what next() did not compare, as `check` says. True: good.
  Result<bool> check(const ScanItem& item, ScanCheck check);
  Result<Bytes> meta(const ScanItem& item);
  Result<Bytes> payload(const ScanItem& item);

  std::uint64_t offset() const { return offset_; }
  void seek(std::uint64_t offset) { offset_ = offset; }
  void set_limit(std::uint64_t limit) { limit_ = limit; }

 private:
  Result<std::optional<RecordHeader>> header_at(std::uint64_t offset);
  Result<std::uint64_t> resume_after(std::uint64_t offset);
  Result<std::optional<std::uint32_t>> crc_of(std::uint64_t offset, std::uint64_t size);
  Result<Bytes> part(std::uint64_t offset, std::size_t size);

  WindowReader reader_;
  std::uint32_t seed_;
  std::uint64_t offset_;
  std::uint64_t limit_;
  ScanCheck check_;
};

// What the readable headers of a segment say about how much of it was synced.
struct DurableEvidence {
  // Damage that starts before this byte is damage, behind it a torn write.
  std::uint64_t bytes = 0;
  Lsn lsn = 0;
  bool any_header = false;
};
Result<DurableEvidence> find_evidence(File& file, std::uint32_t seed, std::uint64_t size);

}  // namespace tidegate
