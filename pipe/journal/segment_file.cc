// SPDX-License-Identifier: Apache-2.0
#include "pipe/journal/segment_file.h"

#include <algorithm>
#include <charconv>

namespace tidegate {

using namespace journal_format;

namespace {

constexpr std::size_t kPage = 4096;
// Fills what could not be read. Not zero, so that it cannot pass for a hole.
constexpr std::uint8_t kUnreadable = 0xDB;

std::string padded(std::uint64_t value, int digits) {
  const std::string text = std::to_string(value);
  const auto width = static_cast<std::size_t>(digits);
  return text.size() < width ? std::string(width - text.size(), '0') + text : text;
}

bool parse_number(std::string_view text, std::uint64_t* out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *out);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

std::string segment_file_name(const SegmentName& name) {
  std::string out(kSegmentPrefix);
  out += padded(name.number, kNumberDigits) + "-" + padded(name.first_lsn, kLsnDigits);
  return out += kSegmentSuffix;
}

std::optional<SegmentName> parse_segment_name(std::string_view name) {
  if (!name.starts_with(kSegmentPrefix) || !name.ends_with(kSegmentSuffix)) return std::nullopt;
  name.remove_prefix(kSegmentPrefix.size());
  name.remove_suffix(kSegmentSuffix.size());
  const std::size_t dash = name.find('-');
  SegmentName out;
  if (dash == std::string_view::npos || dash < kNumberDigits || name.size() - dash - 1 != kLsnDigits)
    return std::nullopt;
  if (!parse_number(name.substr(0, dash), &out.number) ||
      !parse_number(name.substr(dash + 1), &out.first_lsn))
    return std::nullopt;
  if (out.number == 0 || out.first_lsn == 0) return std::nullopt;
  return out;
}

Result<std::vector<SegmentName>> list_segment_names(FileSystem& files, const std::string& directory) {
  TG_TRY(const std::vector<std::string> names, files.list(directory));
  std::vector<SegmentName> out;
  for (const std::string& name : names) {
    if (const auto segment = parse_segment_name(name)) out.push_back(*segment);
  }
  std::sort(out.begin(), out.end());
  for (std::size_t i = 1; i < out.size(); ++i) {
    if (out[i].number != out[i - 1].number) continue;
    return make_error(ErrorCode::kDamaged, "two files claim to be segment " + std::to_string(out[i].number) +
                                               "; move the one that does not belong here out of the folder")
        .at_path(directory);
  }
  return out;
}

// ---- WindowReader ----

Result<std::size_t> WindowReader::read(std::uint64_t offset, std::span<std::uint8_t> out) {
  auto got = file_->read_at(offset, out);
  if (!got.ok()) return read_by_page(offset, out, std::move(got).error());
  any_read_ = any_read_ || *got > 0;
  return got;
}

Result<std::size_t> WindowReader::read_by_page(std::uint64_t offset, std::span<std::uint8_t> out,
                                               Error error) {
  TG_TRY(const std::uint64_t size, file_->size());
  const std::size_t there = offset >= size ? 0 : std::min<std::uint64_t>(out.size(), size - offset);
  for (std::size_t at = 0; at < there;) {
    const std::size_t part = std::min(there - at, kPage - (offset + at) % kPage);
    const auto page = out.subspan(at, part);
    const auto got = file_->read_at(offset + at, page);
    if (got.ok() && *got == part) {
      any_read_ = true;
    } else {
      std::fill(page.begin(), page.end(), kUnreadable);
    }
    at += part;
  }
  if (!any_read_) return error;
  return there;
}

Result<ByteView> WindowReader::view(std::uint64_t offset, std::size_t size, std::uint64_t limit) {
  if (offset >= limit) return ByteView{};
  size = std::min<std::uint64_t>(size, limit - offset);
  const bool inside = offset >= start_ && offset + size <= start_ + filled_;
  if (!inside) {
    const std::size_t want = std::min<std::uint64_t>(std::max(size, window_), limit - offset);
    if (buffer_.size() < want) buffer_.resize(want);
    filled_ = 0;
    TG_TRY(filled_, read(offset, std::span(buffer_).first(want)));
    start_ = offset;
  }
  const std::size_t at = offset - start_;
  return ByteView(buffer_).subspan(at, std::min(size, filled_ - at));
}

Result<std::size_t> WindowReader::copy(std::uint64_t offset, std::span<std::uint8_t> out,
                                       std::uint64_t limit) {
  if (offset >= limit) return std::size_t{0};
  out = out.first(std::min<std::uint64_t>(out.size(), limit - offset));
  std::size_t done = 0;
  if (offset >= start_ && offset < start_ + filled_) {
    done = std::min<std::uint64_t>(out.size(), start_ + filled_ - offset);
    std::copy_n(buffer_.begin() + static_cast<std::ptrdiff_t>(offset - start_), done, out.begin());
  }
  if (out.size() - done >= window_ / 2) {
    TG_TRY(const std::size_t got, read(offset + done, out.subspan(done)));
    return done + got;
  }
  if (done < out.size()) {
    TG_TRY(const ByteView more, view(offset + done, out.size() - done, limit));
    std::copy(more.begin(), more.end(), out.begin() + static_cast<std::ptrdiff_t>(done));
    done += more.size();
  }
  return done;
}

// ---- SegmentScanner ----

Result<std::optional<RecordHeader>> SegmentScanner::header_at(std::uint64_t offset) {
  TG_TRY(const ByteView bytes, reader_.view(offset, kRecordHeaderSize, limit_));
  if (bytes.size() < kRecordHeaderSize) return std::optional<RecordHeader>();
  return decode_record_header(bytes, seed_, offset);
}

Result<std::uint64_t> SegmentScanner::resume_after(std::uint64_t offset) {
  for (offset = align_up(offset + 1); offset + kRecordHeaderSize <= limit_; offset += kAlignment) {
    TG_TRY(const std::optional<RecordHeader> header, header_at(offset));
    if (header) return offset;
  }
  return limit_;
}

Result<std::optional<std::uint32_t>> SegmentScanner::crc_of(std::uint64_t offset, std::uint64_t size) {
  std::uint32_t crc = 0;
  for (std::uint64_t done = 0; done < size;) {
    const std::size_t want = std::min<std::uint64_t>(size - done, WindowReader::kDefaultWindow);
    TG_TRY(const ByteView bytes, reader_.view(offset + done, want, limit_));
    if (bytes.size() < want) return std::optional<std::uint32_t>();
    crc = crc32(bytes, crc);
    done += want;
  }
  return std::optional(crc);
}

Result<bool> SegmentScanner::check(const ScanItem& item, ScanCheck check) {
  const RecordHeader& h = item.header;
  if (check == ScanCheck::kHeaders) return true;
  TG_TRY(const std::optional<std::uint32_t> meta, crc_of(item.offset + h.body_offset(), h.meta_size));
  if (meta != h.meta_crc) return false;
  if (check == ScanCheck::kMeta) return true;
  TG_TRY(const std::optional<std::uint32_t> payload,
         crc_of(item.offset + h.payload_offset(), h.payload_size));
  return payload == h.payload_crc;
}

Result<std::optional<ScanItem>> SegmentScanner::next() {
  if (offset_ >= limit_) return std::optional<ScanItem>();
  ScanItem item{.offset = offset_};
  TG_TRY(const std::optional<RecordHeader> header, header_at(offset_));
  if (!header) {
    TG_TRY(item.end, resume_after(offset_));
    item.reason = "no record header here";
  } else {
    item.has_header = true;
    item.header = *header;
    item.end = std::min(offset_ + header->total_size(), limit_);
    const bool whole = offset_ + header->total_size() <= limit_;
    if (whole) {
      TG_TRY(item.good, check(item, check_));
    }
    if (!item.good) item.reason = whole ? "the record's checksum is wrong" : "the record is cut off";
  }
  offset_ = item.end;
  return std::optional(std::move(item));
}

Result<Bytes> SegmentScanner::part(std::uint64_t offset, std::size_t size) {
  Bytes out(size);
  TG_TRY(const std::size_t got, reader_.copy(offset, out, limit_));
  if (got < size) return make_error(ErrorCode::kTruncated, "the segment ends inside a record");
  return out;
}

Result<Bytes> SegmentScanner::meta(const ScanItem& item) {
  return part(item.offset + item.header.body_offset(), item.header.meta_size);
}

Result<Bytes> SegmentScanner::payload(const ScanItem& item) {
  return part(item.offset + item.header.payload_offset(), item.header.payload_size);
}

Result<DurableEvidence> find_evidence(File& file, std::uint32_t seed, std::uint64_t size) {
  DurableEvidence out;
  // A visible segment was synced with its checkpoint: damage at its start is never a torn write.
  out.bytes = kSegmentHeaderSize + 1;
  SegmentScanner scanner(file, seed, std::min<std::uint64_t>(kSegmentHeaderSize, size), size);
  for (;;) {
    TG_TRY(const std::optional<ScanItem> item, scanner.next());
    if (!item) return out;
    if (!item->has_header) continue;
    out.any_header = true;
    out.bytes = std::max(out.bytes, item->header.durable_bytes);
    out.lsn = std::max(out.lsn, item->header.durable_lsn);
  }
}

}  // namespace tidegate
