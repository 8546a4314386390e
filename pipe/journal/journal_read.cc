// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "pipe/journal/journal_impl.h"

namespace tidegate {

using namespace journal_format;

// Where the cursor stands inside of a segment.
struct Journal::Reader::Hint {
  std::uint64_t number = 0;
  std::string path;
  std::unique_ptr<File> file;
  SegmentScanner scanner;

  Hint(std::uint64_t n, std::string p, std::unique_ptr<File> f, std::uint32_t seed, std::uint64_t from)
      : number(n),
        path(std::move(p)),
        file(std::move(f)),
        scanner(*file, seed, from, from, ScanCheck::kHeaders) {}
};

namespace {

Error unreadable(ErrorCode code, const char* what, Lsn first, Lsn last, const std::string& path) {
  return make_error(code, "LSN " + std::to_string(first) + " to " + std::to_string(last) + " " + what +
                              "; go on behind with skip_to(" + std::to_string(last + 1) + ")")
      .at_path(path)
      .at_sequence(last + 1);
}

}  // namespace

// Nothing: the cursor is at the durable end.
Result<std::optional<Journal::Impl::Place>> Journal::Impl::locate(Lsn position) const {
  const std::lock_guard guard(mutex);
  const std::vector<SegmentEntry>& segments = folder.segments();
  const Lsn first = segments.front().name.first_lsn;
  if (position < first)
    return unreadable(ErrorCode::kTrimmed, "were released", position, first - 1, folder.directory());
  if (position > durable) return std::optional<Place>();
  const auto after =
      std::upper_bound(segments.begin(), segments.end(), position,
                       [](Lsn wanted, const SegmentEntry& s) { return wanted < s.name.first_lsn; });
  const SegmentEntry& segment = *std::prev(after);
  Place out;
  out.segment = segment.name;
  out.seed = folder.seed(segment.name);
  out.start = segment.seek(position);
  const bool is_last = after == segments.end();
  out.limit = is_last ? durable_bytes : segment.bytes;
  out.last = is_last ? durable : after->name.first_lsn - 1;
  return std::optional(out);
}

void Journal::Reader::skip_to(Lsn lsn) {
  if (lsn < position_) hint_.reset();
  position_ = lsn;
}

Result<std::optional<RecordMeta>> Journal::Reader::advance(Bytes* container) {
  const Impl& journal = *journal_->impl_;
  for (;;) {
    TG_TRY(const std::optional<Impl::Place> place, journal.locate(position_));
    if (!place) return std::optional<RecordMeta>();
    if (!hint_ || hint_->number != place->segment.number) {
      auto file = journal.folder.open_for_reading(place->segment);
      if (!file.ok() && file.error().code == ErrorCode::kNotFound && position_ < journal_->first_lsn())
        continue;  // just trimmed
      if (!file.ok()) return std::move(file).error();
      hint_ = std::make_shared<Hint>(place->segment.number, journal.folder.path(place->segment),
                                     std::move(*file), place->seed, place->start);
    }
    SegmentScanner& scanner = hint_->scanner;
    scanner.set_limit(place->limit);
    if (place->start > scanner.offset()) scanner.seek(place->start);
    TG_TRY(RecordMeta found, scan(place->last, container));
    position_ = found.last_lsn() + 1;
    return std::optional(std::move(found));
  }
}

// The record of position_ in the segment of the hint, which holds LSNs up to `last`. After an error the
// cursor has not moved.
Result<RecordMeta> Journal::Reader::scan(Lsn last, Bytes* container) {
  SegmentScanner& scanner = hint_->scanner;
  for (;;) {
    const std::uint64_t before = scanner.offset();
    TG_TRY(const std::optional<ScanItem> item, scanner.next());
    if (!item) return unreadable(ErrorCode::kDamaged, "are damaged", position_, last, hint_->path);
    const bool is_batches = item->has_header && item->header.is(RecordKind::kBatches);
    if (!is_batches || item->header.next_lsn() <= position_) continue;
    const Lsn first = item->header.first_lsn;
    if (first > position_) {
      scanner.seek(before);
      return unreadable(ErrorCode::kDamaged, "are damaged", position_, std::min(last, first - 1),
                        hint_->path);
    }
    auto found = read_record(*item, container);
    if (!found.ok()) scanner.seek(before);
    return found;
  }
}

Result<RecordMeta> Journal::Reader::read_record(const ScanItem& item, Bytes* container) {
  SegmentScanner& scanner = hint_->scanner;
  const auto damage = [&] {
    return unreadable(ErrorCode::kDamaged, "are damaged", position_, item.header.next_lsn() - 1, hint_->path);
  };
  if (!item.good) return damage();
  TG_TRY(const Bytes bytes, scanner.meta(item));
  if (crc32(bytes) != item.header.meta_crc) return damage();
  auto meta = decode_batches_meta(item.header, bytes);
  if (!meta.ok()) return damage();
  if (container == nullptr) return meta;
  TG_TRY(*container, scanner.payload(item));
  if (crc32(*container) != item.header.payload_crc) return damage();
  return meta;
}

Result<std::optional<Record>> Journal::Reader::next() {
  Record record;
  TG_TRY(std::optional<RecordMeta> meta, advance(&record.container));
  if (!meta) return std::optional<Record>();
  record.meta = std::move(*meta);
  return std::optional(std::move(record));
}

Result<std::optional<RecordMeta>> Journal::Reader::next_meta() {
  return advance(nullptr);
}

}  // namespace tidegate
