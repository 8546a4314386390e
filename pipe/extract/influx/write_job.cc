// SPDX-License-Identifier: Apache-2.0
#include "pipe/extract/influx/write_job.h"

#include <utility>

namespace tidegate {
namespace {

std::uint32_t retry_after(ErrorCode code) {
  if (code == ErrorCode::kNoSpace) return 30;
  if (code == ErrorCode::kPoisoned) return 60;
  return 1;
}

}  // namespace

std::unique_ptr<BodyRows> RowsPool::take() {
  const std::lock_guard lock(mutex_);
  if (free_.empty()) return std::make_unique<BodyRows>();
  auto rows = std::move(free_.back());
  free_.pop_back();
  return rows;
}

void RowsPool::give(std::unique_ptr<BodyRows> rows) {
  const std::lock_guard lock(mutex_);
  free_.push_back(std::move(rows));
}

WriteJob::WriteJob(Uses uses, WriteRequest request, const Hash128& identity, BodyReader body,
                   std::function<void()> wake)
    : uses_(std::move(uses)),
      request_(std::move(request)),
      identity_(identity),
      body_(std::move(body)),
      wake_(std::move(wake)) {}

WriteJob::~WriteJob() {
  free_memory();
}

// Submitted rows were copied by Ingest: neither views nor body are needed while the disk works.
void WriteJob::free_memory() {
  if (rows_) uses_.pool->give(std::move(rows_));
  body_.release();
}

WriteJob::Progress WriteJob::run() {
  if (phase_ == Phase::kStart) {
    start();
    if (refuses_whole()) return finish(bad_lines_reply());
    phase_ = Phase::kSubmitting;
  }
  if (phase_ == Phase::kSubmitting) {
    if (const auto progress = submit_slices()) return *progress;
    free_memory();
    phase_ = Phase::kSyncing;
  }
  if (phase_ == Phase::kFinished) return Progress::kFinished;
  return waits_for_ingest() ? Progress::kWaiting : conclude();
}

void WriteJob::start() {
  rows_ = uses_.pool->take();
  parser_options_.precision = request_.precision;
  default_time_ = time_of(uses_.env.clock->wall_micros(), request_.precision);
  begin_rows();
  look_ahead();
}

void WriteJob::begin_rows() {
  rows_->start(body_.text(), request_.database, parser_options_, default_time_);
  slice_pending_ = rows_->next_slice();
}

// What must be known before the first line is stored: whether any is bad (2.x) or carries no time (marks). A
// body of one slice has been read already; of a larger one the rest is read twice.
void WriteJob::look_ahead() {
  const bool one_slice = rows_->at_end();
  rows_->skim_rest();
  parsed_ = true;
  all_timed_ = rows_->all_timed();
  errors_ = rows_->errors();
  error_count_ = rows_->error_count();
  if (!one_slice) begin_rows();
}

bool WriteJob::refuses_whole() const {
  return request_.api == influx::Api::kV2 && error_count_ > 0;
}

// Where the part begins and ends is in it: another version may cut elsewhere.
std::optional<Hash128> WriteJob::mark_of_part() const {
  if (!all_timed_ && request_.idempotency_key.empty()) return std::nullopt;
  Bytes text = to_bytes(identity_.view());
  ByteWriter writer(text);
  writer.u64(rows_->rows_before());
  writer.u64(rows_->rows().size());
  return xxh3_128(text);
}

// Nothing: all slices are with Ingest.
std::optional<WriteJob::Progress> WriteJob::submit_slices() {
  for (; slice_pending_; slice_pending_ = rows_->next_slice()) {
    const std::size_t lines = rows_->rows().size();
    const std::optional<Hash128> mark = mark_of_part();
    if (mark && uses_.parts->contains(*mark)) {
      const std::lock_guard lock(mutex_);
      marks_.push_back(*mark);
      lines_known_ += lines;
    } else {
      if (const Status status = submit(mark); !status.ok()) return refused(status.error());
      patience_ends_ = 0;
    }
    lines_ += lines;
  }
  return std::nullopt;
}

Status WriteJob::submit(const std::optional<Hash128>& mark) {
  const std::uint64_t lines = rows_->rows().size(), values = rows_->slice_values();
  {
    const std::lock_guard lock(mutex_);
    if (failure_) return *failure_;  // of an earlier part: this one would only make more to repeat
    ++in_flight_;
  }
  Status status = uses_.ingest->submit(
      {uses_.source, request_.database, time_unit(request_.precision.unit)}, rows_->rows(),
      [self = shared_from_this(), lines, values, mark](const Status& done) {
        self->on_done(done, lines, values, mark);
      },
      mark.value_or(Hash128{}));
  if (status.ok()) return status;
  const std::lock_guard lock(mutex_);
  --in_flight_;
  return status;
}

WriteJob::Progress WriteJob::refused(const Error& error) {
  if (lines_ == 0) return finish(failure_reply(error, false));
  const Nanos now = uses_.env.clock->now();
  if (patience_ends_ == 0) patience_ends_ = now + kPatience;
  if (error.code == ErrorCode::kBusy && now < patience_ends_) return Progress::kLater;
  bool others = false;
  {
    const std::lock_guard lock(mutex_);
    if (!failure_) failure_ = error;
    others = in_flight_ > 0;
  }
  free_memory();
  phase_ = Phase::kSyncing;
  return others ? Progress::kWaiting : conclude();
}

void WriteJob::on_done(const Status& status, std::uint64_t lines, std::uint64_t values,
                       const std::optional<Hash128>& mark) {
  if (status.ok()) {
    uses_.counts->lines += lines;
    uses_.counts->values += values;
  }
  bool last = false;
  {
    const std::lock_guard lock(mutex_);
    if (status.ok() && mark) marks_.push_back(*mark);
    if (!status.ok() && !failure_) failure_ = status.error();
    last = --in_flight_ == 0;
  }
  if (last) wake_();
}

bool WriteJob::waits_for_ingest() const {
  const std::lock_guard lock(mutex_);
  return in_flight_ > 0;
}

WriteJob::Progress WriteJob::conclude() {
  std::optional<Error> failure;
  {
    const std::lock_guard lock(mutex_);
    failure = failure_;
  }
  if (failure) return finish(failure_reply(*failure, true));
  if (lines_known_ > 0 && lines_known_ == lines_) ++uses_.counts->repeated;
  uses_.counts->last_write_micros = uses_.env.clock->wall_micros();
  return finish(error_count_ > 0 ? bad_lines_reply() : HttpReply{});
}

WriteJob::Progress WriteJob::finish(HttpReply reply) {
  free_memory();
  reply_ = std::move(reply);
  phase_ = Phase::kFinished;
  return Progress::kFinished;
}

void WriteJob::delivered() {
  if (!request_.idempotency_key.empty()) return;
  const std::lock_guard lock(mutex_);
  if (marks_.empty()) return;
  uses_.parts->forget(marks_);
  uses_.ingest->answered(marks_);
}

void WriteJob::undelivered() {
  const std::lock_guard lock(mutex_);
  uses_.parts->add(marks_);
}

HttpReply WriteJob::bad_lines_reply() {
  uses_.counts->refused_lines += error_count_;
  if (request_.api == influx::Api::kV2)
    return make_reply(request_.api, influx::v2::bad_lines(errors_, error_count_));
  if (lines_ > 0) ++uses_.counts->partly_stored;
  return make_reply(request_.api, influx::v1::bad_lines(errors_, error_count_, lines_));
}

HttpReply WriteJob::failure_reply(const Error& error, bool part_is_stored) {
  std::string why = told_to_client(error);
  if (part_is_stored) {
    why += "; a part of the request may be stored: send it again";
    undelivered();
  }
  if (error.code == ErrorCode::kInvalidArgument || error.code == ErrorCode::kInternal ||
      error.code == ErrorCode::kTooLarge)
    return error_reply(request_.api, 500, why);
  return unavailable_reply(request_.api, why, retry_after(error.code));
}

}  // namespace tidegate
