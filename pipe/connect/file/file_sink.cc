// SPDX-License-Identifier: Apache-2.0
#include "pipe/connect/file/file_sink.h"

#include "base/crash_point.h"

#include <algorithm>

#include "base/log.h"
#include "pipe/engine/pipe_name.h"

namespace tidegate {
namespace {

constexpr std::size_t kWriteBytes = 1 << 20;
constexpr std::string_view kArea = "file-sink";

std::string lsn_text(Lsn lsn) {
  std::string digits = std::to_string(lsn);
  if (digits.size() < 12) digits.insert(0, 12 - digits.size(), '0');
  return digits;
}

std::unique_ptr<Formatter> make_formatter(const FileSinkOptions& options) {
  return options.format == FileFormat::kCsv ? make_csv_formatter() : make_line_formatter(options.mapping);
}

}  // namespace

FileSink::FileSink(Env env, FileSinkOptions options)
    : env_(env), options_(std::move(options)), formatter_(make_formatter(options_)) {}
FileSink::~FileSink() = default;

std::string FileSink::describe() const {
  return "files " + path(options_.name) + "-*." + std::string(formatter_->extension());
}

std::string FileSink::part_name(Lsn first) const {
  return options_.name + "-" + lsn_text(first) + "." + std::string(formatter_->extension()) + ".part";
}

std::string FileSink::free_final_path(const ClosedFile& file) const {
  return free_path(path(options_.name + "-" + lsn_text(file.first) + "-" + lsn_text(file.last)),
                   "." + std::string(formatter_->extension()));
}

std::string FileSink::free_path(const std::string& stem, const std::string& extension) const {
  std::string out = stem + extension;
  for (int copy = 2; env_.files->exists(out); ++copy) out = stem + "." + std::to_string(copy) + extension;
  return out;
}

Status FileSink::check_options() const {
  if (options_.directory.empty())
    return make_error(ErrorCode::kInvalidConfiguration, "the file sink needs a directory");
  return check_pipe_name(options_.name);
}

Status FileSink::open(Lsn, ByteView state) {
  TG_CHECK(check_options());
  file_.reset();
  pending_.clear();
  new_name_ = false;
  state_ = {};
  unsynced_ = false;
  TG_CHECK(env_.files->make_dirs(options_.directory));
  if (lock_ == nullptr) {
    TG_TRY(lock_, env_.files->lock(path("." + options_.name + ".lock")));
  }
  if (!state.empty()) {
    TG_TRY(state_, FileSinkState::decode(state));
  }
  // After a failed first delivery of this very sink the strays are its own.
  TG_CHECK(remove_strays(!state.empty() || opened_before_));
  opened_before_ = true;
  TG_CHECK(cut_part());
  return name_closed();
}

// Part files that the state does not name. With a state they hold only what was never counted. Without one
// they may be all that is left of an earlier life of the pipe: they are kept under a name that nobody takes
// for data.
Status FileSink::remove_strays(bool known_state) {
  const std::string suffix = "." + std::string(formatter_->extension()) + ".part";
  TG_TRY(const std::vector<std::string> names, env_.files->list(options_.directory));
  bool changed = false;
  for (const std::string& name : names) {
    if (!name.starts_with(options_.name + "-") || !name.ends_with(suffix)) continue;
    // Another sink's name may begin with ours and a dash: only digits may stand between.
    const std::size_t from = options_.name.size() + 1;
    const std::string_view middle = std::string_view(name).substr(from, name.size() - from - suffix.size());
    if (middle.empty() || middle.find_first_not_of("0123456789") != std::string_view::npos) continue;
    if (state_.part.has_value() && name == part_name(state_.part->first)) continue;
    if (std::ranges::any_of(state_.closed, [&](const auto& file) { return name == part_name(file.first); }))
      continue;
    changed = true;
    if (known_state) {
      TG_CHECK(env_.files->remove(path(name)));
      continue;
    }
    log_warning(kArea, "no position is known for this sink, " + path(name) +
                           " is kept as .orphan: it may repeat what is "
                           "written now, or hold the end of what an earlier pipe wrote");
    TG_CHECK(env_.files->rename(path(name), free_path(path(name), ".orphan")));
  }
  return changed ? env_.files->sync_dir(options_.directory) : Status();
}

Status FileSink::cut(const std::string& at, std::uint64_t length, bool* missing) {
  auto file = env_.files->open(at, OpenMode::kReadWrite);
  if (!file.ok() && file.error().code == ErrorCode::kNotFound) return *missing = true, Status();
  if (!file.ok()) return std::move(file).error();
  TG_TRY(const std::uint64_t size, (*file)->size());
  if (size < length) {
    return make_error(ErrorCode::kDamaged,
                      "the file has " + std::to_string(size) + " bytes, " + std::to_string(length) +
                          " were written and synced: bring it back, or move it away to go on in a new file")
        .at_path(at);
  }
  if (size > length) {
    TG_CHECK((*file)->truncate(length));
    TG_CHECK((*file)->sync());
  }
  file_ = std::move(file).value();
  return {};
}

Status FileSink::cut_part() {
  for (const ClosedFile& closed : state_.closed) {
    bool missing = false;  // then it has its final name already
    TG_CHECK(cut(path(part_name(closed.first)), closed.length, &missing));
  }
  file_.reset();
  formatter_->set_context("");
  if (!state_.part.has_value()) return {};
  bool missing = false;
  const std::string at = path(part_name(state_.part->first));
  TG_CHECK(cut(at, state_.part->length, &missing));
  if (missing) {
    log_warning(kArea, at + " is gone, with what was delivered into it; going on in a new file");
    state_.part.reset();
    return {};
  }
  formatter_->set_context(state_.part->context);
  rotate_at_ = rotation_of_old_part();
  return {};
}

// The state that calls these files complete is durable: now they get their names.
Status FileSink::name_closed() {
  if (state_.closed.empty()) return {};
  for (const ClosedFile& closed : state_.closed) {
    const std::string from = path(part_name(closed.first));
    crash_point("sink.file-closed");
    if (env_.files->exists(from)) TG_CHECK(env_.files->rename(from, free_final_path(closed)));
  }
  TG_CHECK(env_.files->sync_dir(options_.directory));
  state_.closed.clear();
  return {};
}

DeliverResult FileSink::deliver(const std::vector<DeliverableBatch>& batches, const std::function<bool()>&) {
  DeliverResult result;
  if (Status written = write(batches, &result); !written.ok()) {
    DeliverResult failed;
    failed.kind = DeliverResult::Kind::kRetry;
    failed.message = describe() + ": " + written.error().text();
    if (written.error().code == ErrorCode::kNoSpace)
      failed.message += ": make room, delivery goes on by itself";
    return failed;
  }
  result.state = state_.encode();
  return result;
}

Status FileSink::write(const std::vector<DeliverableBatch>& batches, DeliverResult* result) {
  TG_CHECK(name_closed());
  for (const DeliverableBatch& batch : batches) TG_CHECK(add(batch, result));
  if (state_.part.has_value() && rotate_at_ <= env_.clock->now()) return close_part();
  return sync_part();
}

Status FileSink::add(const DeliverableBatch& batch, DeliverResult* result) {
  const std::size_t before = pending_.size();
  result->written_events += formatter_->append(batch, pending_, &result->dead);
  if (pending_.size() == before) return {};
  if (!state_.part.has_value()) TG_CHECK(begin_part(batch.lsn));
  state_.part->last = batch.lsn;
  if (pending_.size() >= kWriteBytes) TG_CHECK(flush());
  return state_.part->length + pending_.size() >= options_.rotate_bytes ? close_part() : Status();
}

Status FileSink::begin_part(Lsn first) {
  TG_TRY(file_, env_.files->open(path(part_name(first)), OpenMode::kCreate));
  new_name_ = true;
  state_.part.emplace();
  state_.part->first = first;
  state_.part->opened_micros = env_.clock->wall_micros();
  rotate_at_ = options_.rotate_interval <= 0 ? INT64_MAX : env_.clock->now() + options_.rotate_interval;
  pending_.insert(0, formatter_->header());
  return {};
}

Status FileSink::flush() {
  if (pending_.empty()) return {};
  unsynced_ = true;
  TG_CHECK(file_->write_at(state_.part->length, as_bytes(pending_)));
  state_.part->length += pending_.size();
  pending_.clear();
  return {};
}

Status FileSink::sync_part() {
  TG_CHECK(flush());
  if (!unsynced_) return {};
  crash_point("sink.written");
  TG_CHECK(file_->sync());
  if (new_name_) TG_CHECK(env_.files->sync_dir(options_.directory));
  new_name_ = unsynced_ = false;
  state_.part->context = formatter_->context();
  return {};
}

Status FileSink::close_part() {
  TG_CHECK(sync_part());
  state_.closed.push_back({state_.part->first, state_.part->last, state_.part->length});
  state_.part.reset();
  file_.reset();
  formatter_->set_context("");
  return {};
}

// Of a part file from an earlier life only the wall clock knows the age. One that lies in the future (the
// clock was set back) is not known: such a file ends by its interval from now on.
Nanos FileSink::rotation_of_old_part() const {
  if (options_.rotate_interval <= 0) return INT64_MAX;
  const std::int64_t age = std::max<std::int64_t>(0, env_.clock->wall_micros() - state_.part->opened_micros);
  if (age >= options_.rotate_interval / kMicrosecond) return 0;
  return env_.clock->now() + options_.rotate_interval - age * kMicrosecond;
}

// A moment that stands still while time passes: the pipe compares it with a clock that it reads itself.
Nanos FileSink::wake_at() const {
  if (!state_.closed.empty()) return 0;
  return state_.part.has_value() ? rotate_at_ : INT64_MAX;
}

void FileSink::close() {
  file_.reset();
  lock_.reset();
}

}  // namespace tidegate
