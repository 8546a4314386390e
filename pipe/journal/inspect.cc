// SPDX-License-Identifier: Apache-2.0
#include "pipe/journal/inspect.h"

#include <algorithm>

#include "pipe/journal/folder.h"
#include "pipe/journal/identity.h"
#include "pipe/journal/inspect_text.h"
#include "pipe/journal/verify.h"

namespace tidegate {

using namespace journal_format;

namespace {

constexpr std::uint64_t kFooterSize = align_up(kRecordHeaderSize + kFooterMetaSize);

Result<std::optional<SegmentHeader>> read_header(FileSystem& files, const std::string& path) {
  TG_TRY(const auto file, files.open(path, OpenMode::kRead));
  Bytes bytes(kSegmentHeaderSize);
  TG_TRY(const std::size_t got, file->read_at(0, bytes));
  auto header = decode_segment_header(ByteView(bytes).first(got));
  return header.ok() ? std::optional(*header) : std::nullopt;
}

// A folder as it is now. The birth id comes from the identity, or where that is damaged from any segment.
Result<JournalFolder> look_at(FileSystem& files, const std::string& directory) {
  TG_TRY(const std::vector<SegmentName> names, list_segment_names(files, directory));
  if (names.empty()) return make_error(ErrorCode::kNotFound, "there is no journal here").at_path(directory);
  Id birth;
  if (const auto identity = read_identity(files, directory); identity.ok()) {
    birth = identity->birth;
  } else {
    for (const SegmentName& name : names) {
      const auto header = read_header(files, directory + "/" + segment_file_name(name));
      if (header.ok() && *header) birth = (*header)->birth;
    }
  }
  JournalFolder folder({&files, nullptr, nullptr}, directory, birth);
  TG_CHECK(folder.look());
  return folder;
}

bool trimmed_meanwhile(const Error& error) {
  return error.code == ErrorCode::kNotFound;
}

// One segment with the range of it that counts now.
Result<VerifySegment> range_of(const JournalFolder& folder, std::size_t index) {
  const SegmentEntry& entry = folder.segments()[index];
  VerifySegment out{entry.name, folder.path(entry.name), folder.seed(entry.name), entry.bytes,
                    entry.name.first_lsn - 1};
  if (index + 1 < folder.segments().size()) {
    TG_TRY(out.end, folder.end_of(index));
    out.last_lsn = folder.segments()[index + 1].name.first_lsn - 1;
    return out;
  }
  TG_TRY(const auto file, folder.open_for_reading(entry.name));
  TG_TRY(const DurableEvidence evidence, find_evidence(*file, out.seed, entry.bytes));
  out.last_lsn = std::max(out.last_lsn, evidence.lsn);
  SegmentScanner scanner(*file, out.seed, std::min<std::uint64_t>(kSegmentHeaderSize, entry.bytes),
                         entry.bytes);
  for (;;) {
    TG_TRY(const std::optional<ScanItem> item, scanner.next());
    if (!item) return out;
    if (!item->good && item->offset >= evidence.bytes) {
      out.end = item->offset;
      return out;
    }
  }
}

Result<std::optional<SegmentTotals>> read_footer(File& file, std::uint32_t seed, std::uint64_t end) {
  if (end < kSegmentHeaderSize + kFooterSize) return std::optional<SegmentTotals>();
  SegmentScanner scanner(file, seed, end - kFooterSize, end);
  TG_TRY(const std::optional<ScanItem> item, scanner.next());
  if (!item || !item->good || !item->header.is(RecordKind::kFooter)) return std::optional<SegmentTotals>();
  TG_TRY(const Bytes meta, scanner.meta(*item));
  TG_TRY(const SegmentTotals totals, decode_footer_meta(meta));
  return std::optional(totals);
}

Result<SegmentTotals> count_totals(File& file, const VerifySegment& segment) {
  SegmentTotals totals;
  totals.last_lsn = segment.name.first_lsn - 1;
  SegmentScanner scanner(file, segment.seed, kSegmentHeaderSize, segment.end, ScanCheck::kMeta);
  for (;;) {
    TG_TRY(const std::optional<ScanItem> item, scanner.next());
    if (!item) return totals;
    if (!item->good) continue;
    if (!item->header.is(RecordKind::kBatches)) {
      ++totals.others;
      continue;
    }
    TG_TRY(const Bytes bytes, scanner.meta(*item));
    if (const auto meta = decode_batches_meta(item->header, bytes); meta.ok()) totals.add(*meta);
  }
}

Result<SegmentDetail> detail_of(FileSystem& files, const JournalFolder& folder, std::size_t index) {
  TG_TRY(const VerifySegment range, range_of(folder, index));
  TG_TRY(const auto file, files.open(range.path, OpenMode::kRead));
  SegmentDetail out;
  TG_TRY(const std::optional<SegmentTotals> footer, read_footer(*file, range.seed, range.end));
  if (footer) {
    out.totals = *footer;
  } else {
    TG_TRY(out.totals, count_totals(*file, range));
  }
  TG_TRY(const std::optional<SegmentHeader> header, read_header(files, range.path));
  if (header) out.created_micros = header->created_micros;
  const bool is_last = index + 1 == folder.segments().size();
  out.info = {range.name.number,
              range.path,
              range.name.first_lsn,
              is_last ? std::max(out.totals.last_lsn, range.last_lsn) : range.last_lsn,
              folder.segments()[index].bytes,
              !is_last};
  return out;
}

Status dump_segment(FileSystem& files, const VerifySegment& segment, const DumpOptions& options,
                    const LineSink& sink) {
  TG_TRY(const auto file, files.open(segment.path, OpenMode::kRead));
  SegmentScanner scanner(*file, segment.seed, kSegmentHeaderSize, segment.end);
  for (;;) {
    TG_TRY(const std::optional<ScanItem> item, scanner.next());
    if (!item) return {};
    if (!item->good) {
      sink(damage_text(*item, options.json));
      continue;
    }
    const RecordHeader& header = item->header;
    const bool is_batches = header.is(RecordKind::kBatches);
    const Lsn last = is_batches ? header.next_lsn() - 1 : header.first_lsn;
    if (last < options.first || header.first_lsn > options.last) continue;
    TG_TRY(const Bytes meta, scanner.meta(*item));
    sink(record_text(*item, meta, options.json));
    if (!options.content || !is_batches) continue;
    const auto batches = decode_batches_meta(header, meta);
    if (!batches.ok()) continue;
    TG_TRY(const Bytes container, scanner.payload(*item));
    for (const std::string& line : content_text(*batches, container, options.json)) sink(line);
  }
}

}  // namespace

Result<std::vector<SegmentDetail>> list_journal(FileSystem& files, const std::string& directory) {
  TG_TRY(const JournalFolder folder, look_at(files, directory));
  std::vector<SegmentDetail> out;
  for (std::size_t i = 0; i < folder.segments().size(); ++i) {
    auto detail = detail_of(files, folder, i);
    if (detail.ok()) {
      out.push_back(std::move(*detail));
    } else if (!trimmed_meanwhile(detail.error())) {
      return std::move(detail).error();
    }
  }
  return out;
}

Status dump_journal(FileSystem& files, const std::string& directory, const DumpOptions& options,
                    const LineSink& sink) {
  TG_TRY(const JournalFolder folder, look_at(files, directory));
  const std::vector<SegmentEntry>& segments = folder.segments();
  for (std::size_t i = 0; i < segments.size(); ++i) {
    if (segments[i].name.first_lsn > options.last) break;
    if (i + 1 < segments.size() && segments[i + 1].name.first_lsn <= options.first) continue;
    const auto range = range_of(folder, i);
    const Status done = range.ok() ? dump_segment(files, *range, options, sink) : Status(range.error());
    if (!done.ok() && !trimmed_meanwhile(done.error())) return done;
  }
  return {};
}

Result<VerifyReport> verify_journal(FileSystem& files, const std::string& directory, bool hash,
                                    const std::function<void(const DamagedRange&)>& problem) {
  TG_TRY(const JournalFolder folder, look_at(files, directory));
  VerifyReport report;
  const auto tell = [&](const DamagedRange& range) {
    ++report.problems;
    problem(range);
    return true;
  };
  for (std::size_t i = 0; i < folder.segments().size(); ++i) {
    const auto range = range_of(folder, i);
    const auto done = range.ok() ? verify_segment(files, *range, hash, tell) : Result<bool>(range.error());
    if (!done.ok() && trimmed_meanwhile(done.error())) continue;
    if (!done.ok()) return done.error();
    ++report.segments;
    report.bytes += range->end;
  }
  return report;
}

}  // namespace tidegate
