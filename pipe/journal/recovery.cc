// SPDX-License-Identifier: Apache-2.0
#include "pipe/journal/recovery.h"

#include <algorithm>

#include "protocol/native/planted.h"

namespace tidegate {

using namespace journal_format;

namespace {

bool is_bookkeeping(const RecordHeader& header) {
  return header.is(RecordKind::kSyncMark) || header.is(RecordKind::kFooter) ||
         header.is(RecordKind::kCheckpoint);
}

}  // namespace

Status JournalRecovery::create() {
  report_.created = true;
  report_.clean = true;
  NewSegment segment;
  segment.name = {1, 1};
  segment.birth = j_.identity.birth;
  segment.checkpoint = j_.new_checkpoint_meta(1, 0);
  segment.state = state_.checkpoint();
  const Bytes image = build_segment(segment);
  TG_TRY(std::shared_ptr<File> opened, folder_.create(segment.name, image));
  j_.adopt_segment(segment, image.size(), std::move(opened));
  return {};
}

Status JournalRecovery::run() {
  TG_TRY(const Survey survey, survey_last());
  TG_TRY(const std::size_t start, restore_newest());
  const std::size_t last = folder_.segments().size() - 1;
  expected_ = folder_.segments()[start].name.first_lsn;
  for (std::size_t i = start; i < last; ++i) {
    TG_TRY(const std::uint64_t end, folder_.end_of(i));
    TG_CHECK(replay_segment(i, end, false));
  }
  const std::size_t damaged_before = report_.damaged.size();
  j_.totals = SegmentTotals{};
  TG_CHECK(replay_segment(last, std::min(survey.evidence.bytes, survey.cut), true));
  if (survey.evidence.bytes > folder_.segments()[last].bytes && !bad_)
    bad_ = BadRange{replayed_to_, replayed_to_, "the file is shorter than what was synced"};
  if (bad_ || expected_ <= survey.evidence.lsn) {
    // Nothing in the file tells how many batches it held: no more than one for every 16 bytes (its hash).
    const Lsn most = bad_ && !survey.evidence.any_header ? (bad_->to - bad_->from) / kIdSize : 0;
    close_damage(std::max(expected_ + most, survey.evidence.lsn + 1),
                 folder_.path(folder_.segments()[last].name));
  }
  if (!restored_) {
    return make_error(ErrorCode::kDamaged,
                      "no segment has a readable checkpoint, so the positions of streams and pipes cannot be "
                      "rebuilt; restore "
                      "the folder from a backup and run `tidegate adopt`, or move it away to start with a "
                      "new journal "
                      "(`tidegate journal dump` still reads the records)")
        .at_path(j_.options.directory);
  }
  j_.head = j_.durable = expected_ - 1;
  const std::uint64_t bytes = folder_.segments()[last].bytes;
  const bool goes_on = survey.tail_records == 0 && survey.cut == bytes && !survey.footer &&
                       report_.damaged.size() == damaged_before;
  report_.torn_bytes = bytes - survey.cut;
  report_.clean = survey.clean && goes_on;
  TG_TRY(const Tail tail, read_tail(survey));
  TG_CHECK(find_missing_files(start));
  if (goes_on || planted(Planted::kNoResyncAtOpen)) {
    TG_CHECK(continue_last(survey, tail));
  } else {
    TG_CHECK(move_tail(survey, tail));
  }
  return remove_released();
}

// ---- before anything is believed ----

Result<JournalRecovery::Survey> JournalRecovery::survey_last() {
  const SegmentEntry& last = folder_.segments().back();
  TG_TRY(const auto file, folder_.open_for_reading(last.name));
  Survey out;
  // First all evidence: it may stand behind the damage that it speaks of.
  TG_TRY(out.evidence, find_evidence(*file, folder_.seed(last.name), last.bytes));
  if (planted(Planted::kDamageCutAsTorn)) out.evidence = {};
  out.cut = last.bytes;
  SegmentScanner scanner(*file, folder_.seed(last.name),
                         std::min<std::uint64_t>(kSegmentHeaderSize, last.bytes), last.bytes);
  for (;;) {
    TG_TRY(const std::optional<ScanItem> item, scanner.next());
    if (!item) return out;
    if (!item->good) {
      if (item->offset < out.evidence.bytes || planted(Planted::kTornTailKept)) continue;
      out.cut = item->offset;
      return out;
    }
    out.footer = out.footer || item->header.is(RecordKind::kFooter);
    out.clean = item->header.is(RecordKind::kSyncMark) && (item->header.flags & kFlagClean) != 0;
    if (item->offset >= out.evidence.bytes && !is_bookkeeping(item->header)) ++out.tail_records;
  }
}

Result<bool> JournalRecovery::opens_with_checkpoint(std::size_t index) {
  const SegmentEntry& segment = folder_.segments()[index];
  TG_TRY(const auto file, folder_.open_for_reading(segment.name));
  SegmentScanner scanner(*file, folder_.seed(segment.name), kSegmentHeaderSize, segment.bytes);
  TG_TRY(const std::optional<ScanItem> item, scanner.next());
  if (!item || !item->good || !item->header.is(RecordKind::kCheckpoint)) return false;
  TG_CHECK(restore(scanner, *item));
  return true;
}

// The newest segment whose opening checkpoint can be read; the oldest one where none can: then a checkpoint
// inside of a segment is waited for.
Result<std::size_t> JournalRecovery::restore_newest() {
  for (std::size_t i = folder_.segments().size(); i-- > 0;) {
    TG_TRY(const bool found, opens_with_checkpoint(i));
    if (found) return i;
  }
  return std::size_t{0};
}

Status JournalRecovery::restore(SegmentScanner& scanner, const ScanItem& item) {
  TG_TRY(const Bytes bytes, scanner.meta(item));
  TG_TRY(const CheckpointMeta meta, decode_checkpoint_meta(bytes));
  TG_TRY(const Bytes body, scanner.payload(item));
  TG_CHECK(state_.restore(body));
  if (meta.keep_number > j_.keep.keep_number) j_.keep = {meta.keep_number, meta.keep_lsn};
  restored_ = true;
  damage_since_restore_ = false;
  return {};
}

// ---- missing files ----

Result<Lsn> JournalRecovery::last_lsn_of(std::size_t index) {
  const SegmentEntry& segment = folder_.segments()[index];
  TG_TRY(const auto file, folder_.open_for_reading(segment.name));
  SegmentScanner scanner(*file, folder_.seed(segment.name),
                         std::min<std::uint64_t>(kSegmentHeaderSize, segment.bytes), segment.bytes,
                         ScanCheck::kHeaders);
  Lsn last = segment.name.first_lsn - 1;
  for (;;) {
    TG_TRY(const std::optional<ScanItem> item, scanner.next());
    if (!item) return last;
    if (item->good) last = std::max(last, item->header.next_lsn() - 1);
  }
}

// Files that nobody released and that are not there. Up to `start`: what lies behind was replayed and told
// its own holes.
Status JournalRecovery::find_missing_files(std::size_t start) {
  const std::vector<SegmentEntry>& segments = folder_.segments();
  const MayDelete keep = j_.keep;
  const SegmentName& front = segments.front().name;
  if (front.number > keep.keep_number && front.first_lsn > keep.keep_lsn) {
    report_damage({keep.keep_lsn, front.first_lsn - 1, folder_.path(front), "",
                   "the segment files before this one are missing and were not released"});
  }
  for (std::size_t i = 1; i <= start; ++i) {
    const SegmentName& name = segments[i].name;
    if (name.number == segments[i - 1].name.number + 1 || name.number <= keep.keep_number) continue;
    TG_TRY(const Lsn last, last_lsn_of(i - 1));
    const Lsn first_lost = std::max(last + 1, keep.keep_lsn);
    if (first_lost >= name.first_lsn) continue;
    report_damage({first_lost, name.first_lsn - 1, folder_.path(name), "",
                   "the segment files before this one are missing"});
  }
  return {};
}

// ---- replay ----

Status JournalRecovery::replay_segment(std::size_t index, std::uint64_t until, bool is_last) {
  const SegmentEntry& segment = folder_.segments()[index];
  const std::string path = folder_.path(segment.name);
  const Lsn bound = is_last ? 0 : folder_.segments()[index + 1].name.first_lsn;
  TG_TRY(replayed_, folder_.open_for_reading(segment.name));
  SegmentScanner scanner(*replayed_, folder_.seed(segment.name),
                         std::min<std::uint64_t>(kSegmentHeaderSize, segment.bytes), segment.bytes);
  index_ = index;
  at_start_ = false;
  replayed_to_ = scanner.offset();
  while (scanner.offset() < until) {
    TG_TRY(const std::optional<ScanItem> item, scanner.next());
    if (!item) break;
    replayed_to_ = item->end;
    if (!item->good) {
      if (!bad_) bad_ = BadRange{item->offset, item->end, item->reason};
      bad_->to = item->end;
      if (item->has_header) close_damage(item->header.next_lsn(), path);
      continue;
    }
    if (!is_last && item->header.is(RecordKind::kBatches) && item->header.first_lsn >= bound) break;
    if (bad_ || item->header.first_lsn > expected_) close_damage(item->header.first_lsn, path);
    TG_CHECK(replay_good(scanner, *item));
  }
  if (!is_last && (bad_ || expected_ < bound)) close_damage(bound, path);
  return {};
}

Status JournalRecovery::replay_good(SegmentScanner& scanner, const ScanItem& item) {
  if (item.header.is(RecordKind::kCheckpoint)) return replay_checkpoint(scanner, item);
  if (item.header.is(RecordKind::kBatches)) return replay_batches(scanner, item);
  if (item.header.is(RecordKind::kFooter) || item.header.is(RecordKind::kSyncMark)) return {};
  ++j_.totals.others;
  if (item.header.is(RecordKind::kNote)) return replay_note(scanner, item);
  ++report_.unknown_records;
  return {};
}

Status JournalRecovery::replay_batches(SegmentScanner& scanner, const ScanItem& item) {
  TG_TRY(const Bytes bytes, scanner.meta(item));
  TG_TRY(const RecordMeta meta, decode_batches_meta(item.header, bytes));
  expected_ = meta.last_lsn() + 1;
  j_.totals.add(meta);
  folder_.segments()[index_].add_to_index(meta.first_lsn, item.offset);
  if (!restored_ || (at_start_ && (item.header.flags & kFlagFolded) != 0)) return {};
  ++report_.records_replayed;
  state_.on_batches(meta);
  return {};
}

Status JournalRecovery::note_release(SegmentScanner& scanner, const ScanItem& item) {
  TG_TRY(const Bytes meta, scanner.meta(item));
  TG_TRY(const std::uint8_t type, decode_note_meta(meta));
  if (type != kNoteMayDelete) return {};
  TG_TRY(const Bytes body, scanner.payload(item));
  TG_TRY(const MayDelete note, decode_may_delete(body));
  if (note.keep_number > j_.keep.keep_number) j_.keep = note;
  return {};
}

Status JournalRecovery::replay_note(SegmentScanner& scanner, const ScanItem& item) {
  TG_CHECK(note_release(scanner, item));
  TG_TRY(const Bytes meta, scanner.meta(item));
  TG_TRY(const std::uint8_t type, decode_note_meta(meta));
  if (type < kFirstForeignNote || !restored_ || (at_start_ && (item.header.flags & kFlagFolded) != 0))
    return {};
  TG_TRY(const Bytes body, scanner.payload(item));
  ++report_.records_replayed;
  state_.on_note(type, body);
  return {};
}

// A checkpoint inside of a segment says nothing new, unless something was lost before it.
Status JournalRecovery::replay_checkpoint(SegmentScanner& scanner, const ScanItem& item) {
  const bool opening = item.offset == kSegmentHeaderSize;
  if (!opening) ++j_.totals.others;
  if (restored_ && !damage_since_restore_) {
    at_start_ = at_start_ || opening;
    return {};
  }
  at_start_ = opening;
  TG_CHECK(restore(scanner, item));
  for (const DamagedRange& range : report_.damaged) state_.on_damage(range.first, range.last);
  return {};
}

// ---- damage ----

// The damage seen so far ends before LSN `next`.
void JournalRecovery::close_damage(Lsn next, const std::string& path) {
  DamagedRange range{expected_, next - 1, path, "", "records are missing"};
  if (bad_) {
    range.reason =
        bad_->reason + " (bytes " + std::to_string(bad_->from) + " to " + std::to_string(bad_->to) + ")";
    range.quarantine = quarantine(*bad_);
    bad_.reset();
  }
  expected_ = std::max(expected_, next);
  report_damage(std::move(range));
}

void JournalRecovery::report_damage(DamagedRange range) {
  damage_since_restore_ = true;
  if (restored_) state_.on_damage(range.first, range.last);
  report_.damaged.push_back(std::move(range));
}

Result<Bytes> JournalRecovery::read_range(const BadRange& bad) {
  Bytes bytes(bad.to - bad.from);
  WindowReader reader(*replayed_);
  TG_TRY(const std::size_t got, reader.copy(bad.from, bytes, bad.to));
  bytes.resize(got);
  return bytes;
}

// Returns the path of the copy; empty where none could be made, for damage must not stop a start.
std::string JournalRecovery::quarantine(const BadRange& bad) {
  if (bad.to <= bad.from) return {};
  const std::string folder = folder_.directory() + "/" + std::string(kQuarantineName);
  const std::string path =
      folder + "/" + segment_file_name(folder_.segments()[index_].name) + "." + std::to_string(bad.from);
  if (j_.env.files->exists(path)) return path;
  const Result<Bytes> bytes = read_range(bad);
  if (!bytes.ok() || !j_.env.files->make_dirs(folder).ok() || !replace_file(*j_.env.files, path, *bytes).ok())
    return {};
  return path;
}

// ---- going on ----

// Nothing above the known point but bookkeeping: the segment is written on. A mark is written there again, so
// that what it says is on the disk before something stands behind it. A checkpoint that a trim had begun with
// is cut: its state is that of the records, and only a mark is as long as its header.
Status JournalRecovery::continue_last(const Survey& survey, const Tail& tail) {
  const SegmentEntry& last = folder_.segments().back();
  TG_TRY(j_.file, j_.env.files->open(folder_.path(last.name), OpenMode::kReadWrite));
  j_.seed = folder_.seed(last.name);
  j_.durable_bytes = std::min(survey.evidence.bytes, survey.cut);
  j_.offset = j_.durable_bytes;
  if (planted(Planted::kNoResyncAtOpen)) {
    TG_CHECK(replay_tail(tail.records));
    j_.durable = j_.head;
    j_.offset = j_.durable_bytes = survey.cut;
    TG_CHECK(j_.file->truncate(survey.cut));
    folder_.set_last_size(survey.cut);
    return {};
  }
  if (last.bytes == j_.offset) return {};
  Bytes mark(kRecordHeaderSize);
  TG_TRY(const std::size_t got, j_.file->read_at(j_.offset, mark));
  mark.resize(got);
  if (got != kRecordHeaderSize || !peek_record_header(mark.data()).is(RecordKind::kSyncMark)) {
    RecordHeader header = j_.new_header(RecordKind::kSyncMark);
    header.durable_bytes = j_.durable_bytes;
    mark.clear();
    encode_record(header, {}, {}, j_.seed, j_.offset, &mark);
  }
  TG_CHECK(j_.file->write_at(j_.offset, mark));
  j_.offset += mark.size();
  j_.ends_with_mark = true;
  if (last.bytes > j_.offset) TG_CHECK(j_.file->truncate(j_.offset));
  folder_.set_last_size(j_.offset);
  return {};
}

Result<JournalRecovery::Tail> JournalRecovery::read_tail(const Survey& survey) {
  SegmentScanner scanner(*replayed_, folder_.seed(folder_.segments().back().name),
                         std::max(survey.evidence.bytes, replayed_to_), survey.cut);
  Tail out;
  out.last_lsn = expected_ - 1;
  for (;;) {
    TG_TRY(const std::optional<ScanItem> item, scanner.next());
    if (!item) return out;
    if (!item->good || is_bookkeeping(item->header)) continue;
    // What was released may be gone already, although nothing proves that this note was synced.
    if (item->header.is(RecordKind::kNote)) TG_CHECK(note_release(scanner, *item));
    const std::size_t size = item->end - item->offset;
    const std::size_t at = out.records.size();
    out.records.resize(at + size);
    WindowReader reader(*replayed_);
    TG_TRY(const std::size_t got, reader.copy(item->offset, std::span(out.records).subspan(at), item->end));
    if (got != size)
      return make_error(ErrorCode::kIo, "the segment changed while it was read").at_path(folder_.directory());
    out.last_lsn = std::max(out.last_lsn, item->header.next_lsn() - 1);
  }
}

Status JournalRecovery::move_tail(const Survey& survey, const Tail& tail) {
  NewSegment segment;
  segment.name = {folder_.segments().back().name.number + 1, expected_};
  segment.birth = j_.identity.birth;
  segment.previous_end = std::max(std::min(survey.evidence.bytes, survey.cut), replayed_to_);
  segment.checkpoint = j_.new_checkpoint_meta(segment.name.number, segment.previous_end);
  segment.state = state_.checkpoint();
  segment.tail = {tail.records};
  segment.last_lsn = tail.last_lsn;
  const Bytes image = build_segment(segment);
  auto opened = folder_.create(segment.name, image);
  if (!opened.ok() && opened.error().code == ErrorCode::kNoSpace && folder_.give_up_reserve())
    opened = folder_.create(segment.name, image);
  if (!opened.ok()) return std::move(opened).error();
  j_.adopt_segment(segment, image.size(), std::move(*opened));
  TG_CHECK(replay_tail(tail.records));
  j_.durable = j_.head;
  return {};
}

Status JournalRecovery::replay_tail(ByteView records) {
  for (std::size_t at = 0; at < records.size();) {
    const RecordHeader header = peek_record_header(records.data() + at);
    const ByteView record = records.subspan(at, header.total_size());
    const ByteView meta = record.subspan(header.body_offset(), header.meta_size);
    const ByteView payload = record.subspan(header.payload_offset(), header.payload_size);
    at += record.size();
    ++report_.records_replayed;
    if (header.is(RecordKind::kBatches)) {
      TG_TRY(const RecordMeta batches, decode_batches_meta(header, meta));
      j_.head = batches.last_lsn();
      state_.on_batches(batches);
    } else if (header.is(RecordKind::kNote)) {
      TG_TRY(const std::uint8_t type, decode_note_meta(meta));
      if (type >= kFirstForeignNote) state_.on_note(type, payload);
    } else {
      ++report_.unknown_records;
    }
  }
  return {};
}

// A trim that was interrupted between its note and the unlinking is finished.
Status JournalRecovery::remove_released() {
  return folder_.unlink(folder_.release_below(j_.keep.keep_number));
}

}  // namespace tidegate
