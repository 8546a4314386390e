// SPDX-License-Identifier: Apache-2.0
#include "pipe/journal/journal.h"

#include "pipe/journal/recovery.h"

namespace tidegate {

using namespace journal_format;

namespace {

Id new_id(Random& random) {
  Id id;
  random.fill(id.bytes);
  return id;
}

// A folder with one segment that holds nothing and no identity: the creation was interrupted before its last
// step.
Result<bool> creation_was_interrupted(FileSystem& files, const std::string& directory,
                                      const std::vector<SegmentName>& names) {
  if (names.size() != 1 || names.front() != SegmentName{1, 1}) return false;
  TG_TRY(const auto file, files.open(directory + "/" + segment_file_name(names.front()), OpenMode::kRead));
  TG_TRY(const std::uint64_t size, file->size());
  Bytes head(std::min<std::uint64_t>(size, kSegmentHeaderSize));
  TG_TRY(const std::size_t got, file->read_at(0, head));
  const auto header = decode_segment_header(ByteView(head).first(got));
  if (!header.ok()) return false;
  SegmentScanner scanner(*file, segment_seed(header->birth, 1), kSegmentHeaderSize, size);
  TG_TRY(const std::optional<ScanItem> item, scanner.next());
  return item && item->good && item->header.is(RecordKind::kCheckpoint) && item->end == size;
}

Result<std::optional<JournalIdentity>> find_identity(Env env, const JournalOptions& options) {
  TG_TRY(const std::vector<SegmentName> names, list_segment_names(*env.files, options.directory));
  auto identity = read_identity(*env.files, options.directory);
  if (identity.ok()) {
    if (!names.empty()) return std::optional(std::move(*identity));
    return make_error(ErrorCode::kDamaged,
                      "the journal has an identity but all its segments are missing; restore the folder from "
                      "a backup and run "
                      "`tidegate adopt`, or move it away to start with a new journal")
        .at_path(options.directory);
  }
  if (identity.error().code != ErrorCode::kNotFound) return std::move(identity).error();
  if (names.empty()) return std::optional<JournalIdentity>();
  TG_TRY(const bool interrupted, creation_was_interrupted(*env.files, options.directory, names));
  if (interrupted) {
    TG_CHECK(env.files->remove(options.directory + "/" + segment_file_name(names.front())));
    return std::optional<JournalIdentity>();
  }
  return make_error(ErrorCode::kDamaged,
                    "the journal's identity file is missing; restore it from a backup, or run `tidegate "
                    "adopt --as-new` to "
                    "give this data a new journal id")
      .at_path(options.directory);
}

Status check_machine(const JournalIdentity& identity, const JournalOptions& options) {
  if (options.machine_id.empty() || identity.machine.empty() || options.machine_id == identity.machine)
    return {};
  return make_error(ErrorCode::kIdentity,
                    "the journal belongs to machine '" + identity.machine + "' and this is '" +
                        options.machine_id + "'; a copy that runs beside the original would fork its " +
                        "streams. If this machine takes over, run `tidegate adopt`; if it is a clone, " +
                        "run `tidegate adopt --as-new`")
      .at_path(options.directory);
}

}  // namespace

Journal::Journal(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Journal::~Journal() = default;

Result<std::unique_ptr<Journal>> Journal::open(Env env, JournalOptions options, JournalState* state) {
  const std::string& directory = options.directory;
  if (!options.create && !env.files->exists(identity_path(directory)))
    return make_error(ErrorCode::kNotFound, "there is no journal here").at_path(directory);
  TG_CHECK(env.files->make_dirs(directory));
  TG_TRY(auto lock, env.files->lock(directory + "/" + std::string(kLockName)));
  TG_TRY(std::optional<JournalIdentity> identity, find_identity(env, options));
  const bool is_new = !identity.has_value();
  if (is_new) {
    const Id id = new_id(*env.random);
    identity = JournalIdentity{id, id, options.machine_id};
  }
  TG_CHECK(check_machine(*identity, options));
  auto impl = std::make_unique<Impl>(env, std::move(options), state, *identity);
  impl->lock = std::move(lock);
  TG_CHECK(impl->folder.load());
  JournalRecovery recovery(*impl);
  TG_CHECK(is_new ? recovery.create() : recovery.run());
  // Last: a folder with an identity is a journal that was complete once.
  if (is_new) TG_CHECK(write_identity(*env.files, impl->options.directory, *identity));
  impl->folder.make_reserve(impl->options.reserve_bytes, impl->options.min_free_bytes);
  impl->damaged = impl->report.damaged;
  state->on_durable(impl->durable);
  return std::unique_ptr<Journal>(new Journal(std::move(impl)));
}

const Id& Journal::id() const {
  return impl_->identity.journal;
}
const RecoveryReport& Journal::recovery() const {
  return impl_->report;
}

Result<Lsn> Journal::append(RecordMeta meta, ByteView container) {
  return impl_->append(std::move(meta), container);
}

Status Journal::append_note(std::uint8_t type, ByteView body) {
  return impl_->append_note(type, body);
}

Status Journal::sync() {
  std::unique_lock guard(impl_->mutex);
  return impl_->sync(guard);
}

Status Journal::mark_idle() {
  const std::lock_guard guard(impl_->mutex);
  return impl_->mark(0);
}

Status Journal::close() {
  std::unique_lock guard(impl_->mutex);
  return impl_->close(guard);
}

Lsn Journal::head() const {
  const std::lock_guard guard(impl_->mutex);
  return impl_->head;
}

Lsn Journal::durable_lsn() const {
  const std::lock_guard guard(impl_->mutex);
  return impl_->durable;
}

Lsn Journal::first_lsn() const {
  const std::lock_guard guard(impl_->mutex);
  return impl_->folder.segments().front().name.first_lsn;
}

JournalSpace Journal::space() const {
  JournalSpace out;
  {
    const std::lock_guard guard(impl_->mutex);
    out.used = impl_->folder.used();
    out.quota = impl_->options.quota_bytes;
  }
  if (const auto disk = impl_->env.files->space(impl_->options.directory); disk.ok()) out.disk = *disk;
  return out;
}

Status Journal::accepts() const {
  const std::lock_guard guard(impl_->mutex);
  return impl_->accepts();
}

std::vector<SegmentInfo> Journal::segments() const {
  const std::lock_guard guard(impl_->mutex);
  const std::vector<SegmentEntry>& all = impl_->folder.segments();
  std::vector<SegmentInfo> out;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const bool is_last = i + 1 == all.size();
    out.push_back({all[i].name.number, impl_->folder.path(all[i].name), all[i].name.first_lsn,
                   is_last ? impl_->head : all[i + 1].name.first_lsn - 1, all[i].bytes, !is_last});
  }
  return out;
}

std::vector<DamagedRange> Journal::damaged() const {
  const std::lock_guard guard(impl_->mutex);
  return impl_->damaged;
}

Result<std::uint64_t> Journal::trim(Lsn up_to) {
  return impl_->trim(up_to);
}

Journal::Reader Journal::reader(Lsn from) const {
  return Reader(this, from == 0 ? 1 : from);
}

Result<Bytes> Journal::segment_checkpoint(std::uint64_t number, Lsn* covers) const {
  SegmentName name;
  {
    const std::lock_guard guard(impl_->mutex);
    for (const SegmentEntry& segment : impl_->folder.segments()) {
      if (segment.name.number == number) name = segment.name;
    }
  }
  if (name.number == 0)
    return make_error(ErrorCode::kTrimmed, "segment " + std::to_string(number) + " is not in the journal");
  TG_TRY(const auto file, impl_->folder.open_for_reading(name));
  TG_TRY(const std::uint64_t size, file->size());
  SegmentScanner scanner(*file, impl_->folder.seed(name), kSegmentHeaderSize, size);
  TG_TRY(const std::optional<ScanItem> item, scanner.next());
  if (!item || !item->good || !item->header.is(RecordKind::kCheckpoint))
    return make_error(ErrorCode::kDamaged, "the segment's checkpoint cannot be read")
        .at_path(impl_->folder.path(name));
  TG_TRY(const Bytes bytes, scanner.meta(*item));
  TG_TRY(const CheckpointMeta meta, decode_checkpoint_meta(bytes));
  if (covers != nullptr) *covers = meta.covers;
  return scanner.payload(*item);
}

Status Journal::verify(bool hash, const std::function<bool(const DamagedRange&)>& problem,
                       const std::function<bool()>& between) const {
  return impl_->verify(hash, problem, between);
}

}  // namespace tidegate
