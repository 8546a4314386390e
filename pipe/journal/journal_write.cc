// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "pipe/journal/journal_impl.h"

#include "base/crash_point.h"
#include "protocol/native/planted.h"

namespace tidegate {

using namespace journal_format;

namespace {

constexpr std::uint64_t kMaxSpaceCredit = 4 << 20;
constexpr std::size_t kKeptCapacity = 8 << 20;  // of the buffers, across syncs

void empty_buffer(Bytes& buffer) {
  buffer.clear();
  if (buffer.capacity() > kKeptCapacity) buffer.shrink_to_fit();
}

Status check_meta(const RecordMeta& meta, std::size_t container_size) {
  if (meta.count == 0) return make_error(ErrorCode::kInvalidArgument, "a record without a batch that counts");
  if (std::uint64_t{meta.count} + meta.skip > kMaxBatchesPerRecord)
    return make_error(ErrorCode::kTooLarge,
                      "a record of more than " + std::to_string(kMaxBatchesPerRecord) + " batches");
  if (meta.hashes.size() != std::size_t{meta.count} + meta.skip)
    return make_error(ErrorCode::kInvalidArgument, "a record needs one hash for each batch of its container");
  if (meta.hops.size() > kMaxHops) return make_error(ErrorCode::kTooLarge, "a record with more than 8 hops");
  if (container_size > kMaxPayloadSize)
    return make_error(ErrorCode::kTooLarge, "a container of more than 1 GiB");
  return {};
}

std::uint64_t batches_record_size(const RecordMeta& meta, std::size_t container_size) {
  return align_up(kRecordHeaderSize + kBatchesMetaFixed + (meta.origin ? kOriginSize : 0) +
                  kIdSize * (meta.hops.size() + meta.hashes.size()) + container_size);
}

}  // namespace

void add_totals(ByteView records, SegmentTotals* totals) {
  for (std::size_t at = 0; at < records.size();) {
    const RecordHeader header = peek_record_header(records.data() + at);
    const auto meta =
        decode_batches_meta(header, records.subspan(at + header.body_offset(), header.meta_size));
    if (header.is(RecordKind::kBatches) && meta.ok()) {
      totals->add(*meta);
    } else {
      ++totals->others;
    }
    at += header.total_size();
  }
}

// ---- small parts ----

Status Journal::Impl::usable() const {
  if (poison) return *poison;
  if (closed) return make_error(ErrorCode::kClosed, "the journal was closed").at_path(options.directory);
  return {};
}

Error Journal::Impl::poisoned(Error cause) {
  poison =
      make_error(ErrorCode::kPoisoned, "the second failure of the disk (" + cause.text() +
                                           "); check the disk and its cables, then start the daemon again")
          .at_path(options.directory);
  sync_done.notify_all();
  return *poison;
}

void Journal::Impl::publish(Lsn lsn) {
  durable = lsn;
  state->on_durable(lsn);
}

void Journal::Impl::publish_if_all_synced() {
  if (synced == appended && durable < head) publish(head);
}

RecordHeader Journal::Impl::new_header(RecordKind kind) const {
  RecordHeader header;
  header.kind = static_cast<std::uint8_t>(kind);
  header.first_lsn = head + 1;
  header.durable_lsn = durable;
  header.durable_bytes = durable_bytes;
  return header;
}

CheckpointMeta Journal::Impl::new_checkpoint_meta(std::uint64_t number, std::uint64_t previous_end) {
  return {number, previous_end, keep.keep_number, keep.keep_lsn, head, env.clock->wall_micros()};
}

// ---- room ----

Status Journal::Impl::check_quota(std::uint64_t size) const {
  if (options.quota_bytes == 0 || folder.used() + size <= options.quota_bytes) return {};
  return make_error(ErrorCode::kNoSpace, "the journal's quota of " + std::to_string(options.quota_bytes) +
                                             " bytes is used up (" + std::to_string(folder.used()) +
                                             " used); raise it or let the slowest pipe catch up")
      .at_path(options.directory);
}

// While the reserve is given up, its room is not for data.
std::uint64_t Journal::Impl::must_stay_free() const {
  return options.min_free_bytes + (folder.has_reserve() ? 0 : options.reserve_bytes);
}

Status Journal::Impl::check_disk(std::uint64_t size, const SpaceInfo& space) const {
  const std::uint64_t needed = must_stay_free();
  if (needed == 0 || space.free >= needed + size) return {};
  return make_error(ErrorCode::kNoSpace, "the disk has " + std::to_string(space.free) + " bytes free and " +
                                             std::to_string(needed) + " must stay free; make room on it")
      .at_path(options.directory);
}

Status Journal::Impl::check_space(std::uint64_t size) {
  TG_CHECK(check_quota(size));
  const std::uint64_t needed = must_stay_free();
  if (needed == 0) return {};
  if (space_credit >= size) {
    space_credit -= size;
    return {};
  }
  TG_TRY(const SpaceInfo space, env.files->space(options.directory));
  TG_CHECK(check_disk(size, space));
  space_credit = std::min((space.free - needed - size) / 4, kMaxSpaceCredit);
  return {};
}

Status Journal::Impl::accepts() const {
  TG_CHECK(usable());
  const std::uint64_t size = refusal ? refusal->size : 1;
  TG_CHECK(check_quota(size));
  if (must_stay_free() == 0 && !refusal) return {};
  TG_TRY(const SpaceInfo space, env.files->space(options.directory));
  TG_CHECK(check_disk(size, space));
  // The disk itself said no, though its figures did not.
  if (refusal && space.free < refusal->disk_free + size) return refusal->error;
  return {};
}

bool Journal::Impl::needs_roll(std::uint64_t size) const {
  const bool holds_something = totals.records + totals.others > 0;
  return sealed || (holds_something && offset + size > options.segment_bytes);
}

Status Journal::Impl::make_room(std::unique_lock<std::mutex>& guard, std::uint64_t size, bool is_note) {
  for (;;) {
    TG_CHECK(usable());
    if (!is_note) TG_CHECK(check_space(size));
    if (!needs_roll(size)) return {};
    if (sync_running) {
      sync_done.wait(guard);
      continue;
    }
    Status rolled = roll();
    if (rolled.ok()) continue;
    const bool again = is_note && rolled.error().code == ErrorCode::kNoSpace && folder.give_up_reserve();
    if (!again) return rolled;
  }
}

// ---- segments ----

// The footer and everything before it become durable.
Status Journal::Impl::seal() {
  totals.last_lsn = head;
  Bytes footer;
  encode_record(new_header(RecordKind::kFooter), encode_footer_meta(totals), {}, seed, offset, &footer);
  Status written = write_or_cut(footer);
  if (!written.ok() && written.error().code == ErrorCode::kNoSpace) return written;
  if (written.ok()) {
    offset += footer.size();
    folder.grow_last(footer.size());
    sealed = true;
    // Whatever the reason is, also for want of room: a sync that failed is never tried again on the same
    // file.
    written = file->sync();
  }
  if (!written.ok()) {
    TG_CHECK(fail_over(std::move(written).error(), 0));
  } else {
    durable_bytes = offset;
    synced = appended;
    empty_buffer(pending);
  }
  publish_if_all_synced();
  return {};
}

// Precondition: no sync is running.
Status Journal::Impl::roll() {
  if (!sealed) {
    TG_CHECK(seal());
    if (!sealed) return {};  // it failed and everything is in a new segment
  }
  crash_point("journal.roll");
  Status started = start_segment(head + 1, offset, 0);
  // Behind the segment: a reserve made in front of it could take the very room that was given up for it.
  if (started.ok()) folder.make_reserve(options.reserve_bytes, options.min_free_bytes);
  if (started.ok() || started.error().code == ErrorCode::kNoSpace) return started;
  return fail_over(std::move(started).error(), 0);
}

Status Journal::Impl::start_segment(Lsn first_lsn, std::uint64_t previous_end, std::uint64_t unfolded) {
  NewSegment segment;
  segment.name = {current().name.number + 1, first_lsn};
  segment.birth = identity.birth;
  segment.previous_end = previous_end;
  segment.checkpoint = new_checkpoint_meta(segment.name.number, previous_end);
  segment.state = state->checkpoint();
  segment.tail = {syncing, pending};
  segment.folded_tail = syncing.size() + pending.size() - unfolded;
  segment.last_lsn = first_lsn - 1;
  for (const ByteView records : segment.tail) {
    SegmentTotals last;
    add_totals(records, &last);
    segment.last_lsn = std::max(segment.last_lsn, last.last_lsn);
  }
  const Bytes image = build_segment(segment);
  TG_TRY(std::shared_ptr<File> opened, folder.create(segment.name, image));
  adopt_segment(segment, image.size(), std::move(opened));
  return {};
}

void Journal::Impl::adopt_segment(const NewSegment& segment, std::uint64_t image_size,
                                  std::shared_ptr<File> opened) {
  file = std::move(opened);
  seed = folder.seed(segment.name);
  offset = durable_bytes = image_size;
  sealed = ends_with_mark = false;
  totals = SegmentTotals{};
  for (const ByteView records : segment.tail) add_totals(records, &totals);
}

Status Journal::Impl::fail_over(Error cause, std::uint64_t unfolded) {
  if (failures++ > 0) return poisoned(std::move(cause));
  Status started = start_segment(durable + 1, durable_bytes, unfolded);
  if (!started.ok() && started.error().code == ErrorCode::kNoSpace && folder.give_up_reserve())
    started = start_segment(durable + 1, durable_bytes, unfolded);
  if (!started.ok()) return poisoned(std::move(started).error());
  synced = appended;
  empty_buffer(syncing);
  empty_buffer(pending);
  sync_done.notify_all();
  return {};
}

// ---- records ----

// After kNoSpace the file ends where it ended before.
Status Journal::Impl::write_or_cut(ByteView record) {
  crash_point("journal.before-write");
  Status written = file->write_at(offset, record);
  crash_point("journal.after-write");
  if (written.ok() || written.error().code != ErrorCode::kNoSpace) return written;
  TG_CHECK(file->truncate(offset));
  return written;
}

Status Journal::Impl::write_pending(std::size_t start, bool is_note) {
  const ByteView record = ByteView(pending).subspan(start);
  const std::uint64_t size = record.size();
  Status written = write_or_cut(record);
  if (!written.ok() && written.error().code == ErrorCode::kNoSpace) {
    if (is_note && folder.give_up_reserve()) written = write_or_cut(record);
    if (!written.ok() && written.error().code == ErrorCode::kNoSpace) {
      pending.resize(start);
      return written;
    }
  }
  ++appended;
  if (!written.ok()) return fail_over(std::move(written).error(), size);
  offset += size;
  folder.grow_last(size);
  ends_with_mark = false;
  return {};
}

Result<Lsn> Journal::Impl::append(RecordMeta meta, ByteView container) {
  TG_CHECK(check_meta(meta, container.size()));
  const std::uint64_t size = batches_record_size(meta, container.size());
  std::unique_lock guard(mutex);
  auto lsn = append_checked(guard, std::move(meta), container, size);
  refusal.reset();
  if (lsn.ok() || lsn.error().code != ErrorCode::kNoSpace) return lsn;
  const auto space = env.files->space(options.directory);
  refusal = Refusal{lsn.error(), size, space.ok() ? space->free : 0};
  return lsn;
}

Result<Lsn> Journal::Impl::append_checked(std::unique_lock<std::mutex>& guard, RecordMeta meta,
                                          ByteView container, std::uint64_t size) {
  TG_CHECK(make_room(guard, size, false));
  meta.first_lsn = head + 1;
  meta.durable_before = durable;
  meta.arrival_micros = env.clock->wall_micros();
  const std::size_t start = pending.size();
  const std::uint64_t place = offset;
  const std::uint64_t number = current().name.number;
  encode_batches(new_header(RecordKind::kBatches), meta, container, seed, offset, &pending);
  TG_CHECK(write_pending(start, false));
  if (number == current().name.number) {
    totals.add(meta);  // a new segment has counted it already
    folder.segments().back().add_to_index(meta.first_lsn, place);
  }
  head = meta.last_lsn();
  state->on_batches(meta);
  publish_if_all_synced();
  return meta.first_lsn;
}

// A checkpoint or a note: let in also when the quota is used up. Precondition: make_room().
Status Journal::Impl::write_small_record(RecordKind kind, ByteView meta, ByteView payload) {
  const std::size_t start = pending.size();
  const std::uint64_t number = current().name.number;
  encode_record(new_header(kind), meta, payload, seed, offset, &pending);
  TG_CHECK(write_pending(start, true));
  if (number == current().name.number) ++totals.others;
  return {};
}

Status Journal::Impl::append_note(std::uint8_t type, ByteView body) {
  if (type < kFirstForeignNote)
    return make_error(ErrorCode::kInvalidArgument, "note types below 16 belong to the journal itself");
  if (body.size() > kMaxNoteSize) return make_error(ErrorCode::kTooLarge, "a note of more than 2 MiB");
  std::unique_lock guard(mutex);
  TG_CHECK(make_room(guard, align_up(kRecordHeaderSize + kNoteMetaSize + body.size()), true));
  TG_CHECK(write_small_record(RecordKind::kNote, encode_note_meta(type), body));
  state->on_note(type, body);
  publish_if_all_synced();
  return {};
}

// ---- durability ----

Status Journal::Impl::sync(std::unique_lock<std::mutex>& guard) {
  const std::uint64_t target = appended;
  while (synced < target) {
    if (poison) return *poison;
    if (sync_running) {
      sync_done.wait(guard);
      continue;
    }
    sync_running = true;
    const std::shared_ptr<File> synced_file = file;
    const std::uint64_t end = offset;
    const std::uint64_t records = appended;
    const Lsn lsn = head;
    std::swap(pending, syncing);
    guard.unlock();
    crash_point("journal.before-sync");
    Status done = synced_file->sync();
    if (!done.ok() && planted(Planted::kRetryFailedSync)) done = synced_file->sync();
    guard.lock();
    sync_running = false;
    sync_done.notify_all();
    if (synced_file != file) continue;  // an append has failed meanwhile and all was written to a new segment
    if (!done.ok()) {
      TG_CHECK(fail_over(std::move(done).error(), 0));
      publish_if_all_synced();
      continue;
    }
    crash_point("journal.after-sync");
    empty_buffer(syncing);
    durable_bytes = end;
    synced = records;
    publish(lsn);
  }
  publish_if_all_synced();  // a failed write has made everything durable in a new segment
  return {};
}

Status Journal::Impl::mark(std::uint8_t flags) {
  TG_CHECK(usable());
  const bool is_clean = (flags & kFlagClean) != 0;
  if (synced != appended || sealed || (ends_with_mark && !is_clean)) return {};
  RecordHeader header = new_header(RecordKind::kSyncMark);
  header.flags = flags;
  header.durable_bytes = durable_bytes;
  Bytes record;
  encode_record(header, {}, {}, seed, offset, &record);
  Status written = write_or_cut(record);
  if (!written.ok()) {
    if (written.error().code == ErrorCode::kNoSpace) return written;
    return fail_over(std::move(written).error(), 0);
  }
  offset += record.size();
  folder.grow_last(record.size());
  ends_with_mark = true;
  return {};
}

Status Journal::Impl::close(std::unique_lock<std::mutex>& guard) {
  if (closed) return {};
  do {
    TG_CHECK(sync(guard));
  } while (synced != appended || sync_running);
  TG_CHECK(mark(kFlagClean));
  closed = true;
  return file->sync();
}

// ---- retention ----

Result<std::uint64_t> Journal::Impl::trim(Lsn up_to) {
  const std::lock_guard one_trim(trim_mutex);
  std::unique_lock guard(mutex);
  TG_CHECK(usable());
  const std::vector<SegmentEntry>& segments = folder.segments();
  std::size_t kept = 0;
  while (kept + 1 < segments.size() && segments[kept + 1].name.first_lsn - 1 <= up_to) ++kept;
  if (kept == 0) return std::uint64_t{0};
  const MayDelete note{segments[kept].name.number, segments[kept].name.first_lsn};
  if (planted(Planted::kTrimBeforeNote))
    TG_CHECK(folder.unlink({segments.begin(), segments.begin() + static_cast<std::ptrdiff_t>(kept)}));
  keep = note;
  // The state is written once more, so that it does not hang on the one checkpoint at the start of the
  // segment. Taken after make_room(), which may wait while others append.
  TG_CHECK(make_room(guard, kRecordHeaderSize + kCheckpointMetaSize, true));
  TG_CHECK(write_small_record(RecordKind::kCheckpoint,
                              encode_checkpoint_meta(new_checkpoint_meta(current().name.number, 0)),
                              state->checkpoint()));
  TG_CHECK(make_room(guard, kRecordHeaderSize + kNoteMetaSize + 16, true));
  TG_CHECK(write_small_record(RecordKind::kNote, encode_note_meta(kNoteMayDelete), encode_may_delete(note)));
  TG_CHECK(sync(guard));
  const std::vector<SegmentEntry> released = folder.release_below(note.keep_number);
  guard.unlock();
  crash_point("journal.trim-noted");
  const Status removed = folder.unlink(released);
  guard.lock();
  space_credit = 0;
  folder.make_reserve(options.reserve_bytes, options.min_free_bytes);
  TG_CHECK(removed);
  std::uint64_t freed = 0;
  for (const SegmentEntry& segment : released) freed += segment.bytes;
  return freed;
}

}  // namespace tidegate
