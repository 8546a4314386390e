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

WriteJob::WriteJob(Uses uses, WriteRequest request, BodyReader body, std::function<void()> wake)
    : uses_(std::move(uses)), request_(std::move(request)), body_(std::move(body)), wake_(std::move(wake)) {}

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
    if (refuse_whole()) return finish(bad_lines_reply());
    phase_ = Phase::kSubmitting;
  }
  if (phase_ == Phase::kSubmitting) {
    if (const auto progress = submit_slices()) return *progress;
    parsed_ = true;
    all_timed_ = rows_->all_timed();
    errors_ = rows_->errors();
    error_count_ = rows_->error_count();
    free_memory();
    phase_ = Phase::kSyncing;
  }
  if (phase_ == Phase::kFinished) return Progress::kFinished;
  return waits_for_ingest() ? Progress::kWaiting : conclude();
}

void WriteJob::start() {
  rows_ = uses_.pool->take();
  parser_options_.precision = request_.precision;
  rows_->start(body_.text(), request_.database, parser_options_,
               time_of(uses_.env.clock->wall_micros(), request_.precision));
  slice_pending_ = rows_->next_slice();
}

// 2.x: looks at every line before the first is stored. What was read for that is read again afterwards, in
// large bodies only.
bool WriteJob::refuse_whole() {
  if (request_.api == influx::Api::kV1) return false;
  const bool one_slice = rows_->at_end();
  rows_->skim_rest();
  if (rows_->error_count() > 0) {
    errors_ = rows_->errors();
    error_count_ = rows_->error_count();
    return true;
  }
  if (one_slice) return false;
  rows_->start(body_.text(), request_.database, parser_options_,
               time_of(uses_.env.clock->wall_micros(), request_.precision));
  slice_pending_ = rows_->next_slice();
  return false;
}

// Nothing: all slices are with Ingest.
std::optional<WriteJob::Progress> WriteJob::submit_slices() {
  for (; slice_pending_; slice_pending_ = rows_->next_slice()) {
    const std::span<const RowView> rows = rows_->rows();
    const std::uint64_t lines = rows.size(), values = rows_->slice_values();
    {
      const std::lock_guard lock(mutex_);
      if (failure_) break;  // an earlier slice: the rest would only be stored twice
      ++in_flight_;
    }
    const Status status =
        uses_.ingest->submit({uses_.source, request_.database, time_unit(request_.precision.unit)}, rows,
                             [self = shared_from_this(), lines, values](const Status& done) {
                               self->on_done(done, lines, values);
                             });
    if (!status.ok()) return refused(status.error());
    lines_ += lines;
    patience_ends_ = 0;
  }
  return std::nullopt;
}

WriteJob::Progress WriteJob::refused(const Error& error) {
  bool others = false;
  {
    const std::lock_guard lock(mutex_);
    others = --in_flight_ > 0;
  }
  if (lines_ == 0) return finish(failure_reply(error, false));
  const Nanos now = uses_.env.clock->now();
  if (patience_ends_ == 0) patience_ends_ = now + kPatience;
  if (error.code == ErrorCode::kBusy && now < patience_ends_) return Progress::kLater;
  {
    const std::lock_guard lock(mutex_);
    if (!failure_) failure_ = error;
  }
  free_memory();
  phase_ = Phase::kSyncing;
  return others ? Progress::kWaiting : conclude();
}

void WriteJob::on_done(const Status& status, std::uint64_t lines, std::uint64_t values) {
  if (status.ok()) {
    uses_.counts->lines += lines;
    uses_.counts->values += values;
  }
  bool last = false;
  {
    const std::lock_guard lock(mutex_);
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
  uses_.counts->last_write_micros = uses_.env.clock->wall_micros();
  return finish(error_count_ > 0 ? bad_lines_reply() : HttpReply{});
}

WriteJob::Progress WriteJob::finish(HttpReply reply) {
  free_memory();
  reply_ = std::move(reply);
  phase_ = Phase::kFinished;
  return Progress::kFinished;
}

HttpReply WriteJob::bad_lines_reply() {
  uses_.counts->refused_lines += error_count_;
  if (request_.api == influx::Api::kV2)
    return make_reply(request_.api, influx::v2::bad_lines(errors_, error_count_));
  if (lines_ > 0) ++uses_.counts->partly_stored;
  return make_reply(request_.api, influx::v1::bad_lines(errors_, error_count_, lines_));
}

HttpReply WriteJob::failure_reply(const Error& error, bool part_is_stored) const {
  std::string why = error.text();
  if (part_is_stored) why += "; a part of the request may be stored: send it again";
  if (error.code == ErrorCode::kInvalidArgument || error.code == ErrorCode::kInternal ||
      error.code == ErrorCode::kTooLarge)
    return error_reply(request_.api, 500, why);
  return unavailable_reply(request_.api, why, retry_after(error.code));
}

}  // namespace tidegate
