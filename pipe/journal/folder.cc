// SPDX-License-Identifier: Apache-2.0
#include "pipe/journal/folder.h"

#include <algorithm>

namespace tidegate {

using namespace journal_format;

namespace {

constexpr std::uint64_t kIndexStep = 256 << 10;  // bytes between two entries of the sparse index
constexpr std::uint64_t kReserveChunk = 1 << 20;

// Moves whole records to another place of another file.
void append_tail(const NewSegment& segment, std::uint64_t durable_bytes, Bytes* out) {
  const std::uint32_t seed = segment_seed(segment.birth, segment.name.number);
  std::uint64_t moved = 0;
  for (const ByteView records : segment.tail) {
    for (std::size_t at = 0; at < records.size();) {
      RecordHeader header = peek_record_header(records.data() + at);
      const std::uint64_t size = header.total_size();
      const std::uint64_t offset = out->size();
      const bool folded = moved + at < segment.folded_tail;
      header.flags =
          static_cast<std::uint8_t>(folded ? header.flags | kFlagFolded : header.flags & ~kFlagFolded);
      header.durable_bytes = durable_bytes;
      const ByteView bytes = records.subspan(at, size);
      out->insert(out->end(), bytes.begin(), bytes.end());
      patch_record_header(out->data() + offset, header, seed, offset);
      at += size;
    }
    moved += records.size();
  }
}

}  // namespace

Bytes build_segment(const NewSegment& segment) {
  std::uint64_t tail_size = 0;
  for (const ByteView records : segment.tail) tail_size += records.size();
  RecordHeader header;
  header.kind = static_cast<std::uint8_t>(RecordKind::kCheckpoint);
  header.meta_size = kCheckpointMetaSize;
  header.payload_size = static_cast<std::uint32_t>(segment.state.size());
  header.first_lsn = segment.name.first_lsn;
  header.durable_lsn = segment.last_lsn;
  header.durable_bytes = kSegmentHeaderSize + header.total_size() + tail_size;

  Bytes out;
  out.reserve(header.durable_bytes);
  encode_segment_header({segment.birth, segment.name.number, segment.name.first_lsn, segment.previous_end,
                         segment.checkpoint.written_micros},
                        &out);
  encode_record(header, encode_checkpoint_meta(segment.checkpoint), segment.state,
                segment_seed(segment.birth, segment.name.number), kSegmentHeaderSize, &out);
  append_tail(segment, header.durable_bytes, &out);
  return out;
}

void SegmentEntry::add_to_index(Lsn first, std::uint64_t offset) {
  if (index.empty() || offset >= index.back().second + kIndexStep) index.emplace_back(first, offset);
}

std::uint64_t SegmentEntry::seek(Lsn lsn) const {
  const auto after = std::upper_bound(index.begin(), index.end(), lsn,
                                      [](Lsn wanted, const auto& entry) { return wanted < entry.first; });
  return after == index.begin() ? kSegmentHeaderSize : std::prev(after)->second;
}

Result<std::unique_ptr<File>> JournalFolder::open_for_reading(const SegmentName& name) const {
  return env_.files->open(path(name), OpenMode::kRead);
}

Status JournalFolder::load() {
  TG_TRY(const std::vector<std::string> names, env_.files->list(directory_));
  for (const std::string& name : names) {
    if (name.ends_with(kTemporarySuffix)) TG_CHECK(env_.files->remove(directory_ + "/" + name));
  }
  // A process that died between the renaming and this sync leaves a name that a power cut would take back.
  TG_CHECK(env_.files->sync_dir(directory_));
  TG_CHECK(look());
  has_reserve_ = env_.files->exists(reserve_path());
  return {};
}

Status JournalFolder::look() {
  TG_TRY(const std::vector<SegmentName> found, list_segment_names(*env_.files, directory_));
  segments_.clear();
  used_ = 0;
  for (const SegmentName& name : found) {
    TG_TRY(const auto file, open_for_reading(name));
    TG_TRY(const std::uint64_t bytes, file->size());
    segments_.push_back({name, bytes, {}});
    used_ += bytes;
  }
  return {};
}

void JournalFolder::grow_last(std::uint64_t bytes) {
  set_last_size(segments_.back().bytes + bytes);
}

void JournalFolder::set_last_size(std::uint64_t bytes) {
  used_ += bytes - segments_.back().bytes;
  segments_.back().bytes = bytes;
}

Status JournalFolder::write_temporary(const std::string& path, ByteView image, std::shared_ptr<File>* file) {
  if (env_.files->exists(path)) TG_CHECK(env_.files->remove(path));
  TG_TRY(*file, env_.files->open(path, OpenMode::kCreate));
  TG_CHECK((*file)->write_at(0, image));
  return (*file)->sync();
}

Result<std::shared_ptr<File>> JournalFolder::create(const SegmentName& name, ByteView image) {
  const std::string final_path = path(name);
  const std::string temporary = final_path + std::string(kTemporarySuffix);
  std::shared_ptr<File> file;
  if (Status written = write_temporary(temporary, image, &file); !written.ok()) {
    (void)env_.files->remove(temporary);
    return std::move(written).error();
  }
  TG_CHECK(env_.files->rename(temporary, final_path));
  TG_CHECK(env_.files->sync_dir(directory_));
  segments_.push_back({name, image.size(), {}});
  used_ += image.size();
  return file;
}

std::vector<SegmentEntry> JournalFolder::release_below(std::uint64_t number) {
  std::vector<SegmentEntry> out;
  while (segments_.size() > 1 && segments_.front().name.number < number) {
    used_ -= segments_.front().bytes;
    out.push_back(std::move(segments_.front()));
    segments_.erase(segments_.begin());
  }
  return out;
}

Status JournalFolder::unlink(const std::vector<SegmentEntry>& segments) {
  Status first;
  for (const SegmentEntry& segment : segments) {
    Status removed = env_.files->remove(path(segment.name));
    if (!removed.ok() && removed.error().code != ErrorCode::kNotFound && first.ok())
      first = std::move(removed);
  }
  return first;
}

Result<std::uint64_t> JournalFolder::end_of(std::size_t index) const {
  if (index + 1 == segments_.size()) return segments_[index].bytes;
  const SegmentEntry& next = segments_[index + 1];
  if (next.name.number != segments_[index].name.number + 1) return segments_[index].bytes;
  TG_TRY(const auto file, open_for_reading(next.name));
  Bytes head(kSegmentHeaderSize);
  TG_TRY(const std::size_t got, file->read_at(0, head));
  const auto header = decode_segment_header(ByteView(head).first(got));
  if (header.ok()) return std::min(header->previous_end, segments_[index].bytes);
  SegmentScanner scanner(*file, seed(next.name), kSegmentHeaderSize, next.bytes);
  TG_TRY(const auto item, scanner.next());
  if (item && item->good && item->header.is(RecordKind::kCheckpoint)) {
    TG_TRY(const Bytes meta, scanner.meta(*item));
    TG_TRY(const CheckpointMeta checkpoint, decode_checkpoint_meta(meta));
    return std::min(checkpoint.previous_end, segments_[index].bytes);
  }
  return segments_[index].bytes;
}

// ---- the reserve ----

bool JournalFolder::give_up_reserve() {
  if (!has_reserve_) return false;
  has_reserve_ = false;
  return env_.files->remove(reserve_path()).ok();
}

Status JournalFolder::write_reserve(const std::string& path, std::uint64_t bytes) {
  TG_TRY(const auto file, env_.files->open(path, OpenMode::kOpenOrCreate));
  // Not zeros: a file system that stores holes or compresses would keep no blocks for them.
  Bytes chunk(std::min(bytes, kReserveChunk));
  env_.random->fill(chunk);
  for (std::uint64_t at = 0; at < bytes; at += chunk.size())
    TG_CHECK(file->write_at(at, ByteView(chunk).first(std::min<std::uint64_t>(chunk.size(), bytes - at))));
  return file->sync();
}

void JournalFolder::make_reserve(std::uint64_t bytes, std::uint64_t min_free) {
  if (has_reserve_ || bytes == 0) return;
  const auto space = env_.files->space(directory_);
  if (!space.ok() || space->free < bytes || space->free - bytes < min_free) return;
  const std::string temporary = reserve_path() + std::string(kTemporarySuffix);
  if (write_reserve(temporary, bytes).ok() && env_.files->rename(temporary, reserve_path()).ok()) {
    has_reserve_ = true;
  } else {
    (void)env_.files->remove(temporary);
  }
}

}  // namespace tidegate
