// SPDX-License-Identifier: Apache-2.0
#include "pipe/engine/ingest.h"

#include <algorithm>
#include <limits>

#include "pipe/stream/notes.h"

namespace tidegate {

Ingest::Ingest(Env env, Journal* journal, IngestOptions options, std::function<void(Lsn)> on_durable)
    : env_(env), journal_(journal), options_(options), on_durable_(std::move(on_durable)) {
  thread_ = std::jthread([this] { run(); });
}

Ingest::~Ingest() {
  stop();
}

void Ingest::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  work_.notify_all();
  if (thread_.joinable()) thread_.join();
}

// Precondition: the mutex is held.
BatchBuilder Ingest::take_builder(const Key& key) {
  auto& spare = spare_[key];
  if (spare.empty()) return BatchBuilder(key.source, key.unit);
  BatchBuilder builder = std::move(spare.back());
  spare.pop_back();
  return builder;
}

Status Ingest::submit(const Key& key, std::span<const RowView> rows, Done done, const Hash128& mark) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return make_error(ErrorCode::kClosed, "the daemon stops");
    if (next_.bytes + in_work_bytes_ > options_.pending_bytes) {
      ++counters_.refused;
      return make_error(ErrorCode::kBusy, std::to_string(next_.bytes + in_work_bytes_) +
                                              " bytes wait for the disk, at most " +
                                              std::to_string(options_.pending_bytes) + " may");
    }
    auto it = open_.find(key);
    if (it == open_.end()) it = open_.emplace(key, take_builder(key)).first;
    Status status;
    std::size_t before = it->second.approximate_bytes();
    for (const RowView& row : rows) {
      status = it->second.add(row);
      if (!status.ok()) {
        if (&row == rows.data()) return status;
        break;
      }
      if (it->second.approximate_bytes() < options_.batch_bytes) continue;
      next_.bytes += it->second.approximate_bytes() - before;
      next_.sealed.push_back({key, std::exchange(it->second, take_builder(key))});
      before = 0;
    }
    next_.bytes += it->second.approximate_bytes() - before;
    next_.tickets.push_back({std::move(done), status});
    if (status.ok() && !mark.is_zero()) ByteWriter(next_.marks).bytes(mark.view());
  }
  work_.notify_one();
  return {};
}

void Ingest::run() {
  for (;;) {
    Round round;
    {
      std::unique_lock lock(mutex_);
      work_.wait(lock, [this] { return stopping_ || !next_.tickets.empty(); });
      if (next_.tickets.empty()) {
        lock.unlock();
        static_cast<void>(
            note_requests({}, 0));  // the stop syncs the journal; without it the marks only live longer
        return;
      }
      round = std::exchange(next_, Round{});
      for (auto& [key, builder] : open_)
        if (!builder.empty()) round.sealed.push_back({key, std::exchange(builder, take_builder(key))});
      in_work_bytes_ = round.bytes;
    }
    std::int64_t newest = 0;
    const Status status = write(round, &newest);
    {
      const std::lock_guard lock(mutex_);
      in_work_bytes_ = 0;
      if (!status.ok()) counters_.failed += round.tickets.size();
      counters_.newest_event_ns = std::max(counters_.newest_event_ns, newest);
      for (Sealed& sealed : round.sealed) {
        auto& spare = spare_[sealed.key];
        if (spare.size() < 2) spare.push_back(std::move(sealed.builder));
      }
    }
    if (status.ok()) on_durable_(journal_->durable_lsn());
    for (Ticket& ticket : round.tickets) ticket.done(ticket.status.ok() ? status : ticket.status);
  }
}

Status Ingest::write(Round& round, std::int64_t* newest) {
  constexpr std::size_t kRecordBytes = 4 << 20;
  std::vector<Batch> batches;
  std::size_t bytes = 0;
  std::uint64_t rows = 0, values = 0, records = 0;
  TG_CHECK(note_requests(std::move(round.marks), journal_->head() + round.sealed.size()));
  for (Sealed& sealed : round.sealed) {
    batches.push_back(sealed.builder.build());
    const BatchSummary& summary = batches.back().summary;
    rows += summary.events;
    values += summary.values;
    *newest = std::max(*newest, to_nanos(summary.time_max, summary.unit));
    bytes += batches.back().canonical.size();
    if (bytes < kRecordBytes) continue;
    TG_CHECK(append(batches));
    ++records;
    batches.clear();
    bytes = 0;
  }
  if (!batches.empty()) {
    TG_CHECK(append(batches));
    ++records;
  }
  TG_CHECK(journal_->sync());
  const std::lock_guard lock(mutex_);
  counters_.rows += rows;
  counters_.values += values;
  counters_.batches += round.sealed.size();
  counters_.records += records;
  ++counters_.syncs;
  return {};
}

void Ingest::answered(const std::vector<Hash128>& marks) {
  const std::lock_guard lock(mutex_);
  for (const Hash128& mark : marks) ByteWriter(answered_).bytes(mark.view());
}

// Before the rows that they speak of, with the LSN that the last of them will have (this thread is the only
// one that appends rows): a crash in between leaves a stale mark, which the start takes back.
Status Ingest::note_requests(Bytes stored, Lsn rows_lsn) {
  static constexpr std::size_t kMost = 32 << 10;  // of each list in one note
  Bytes answered;
  {
    const std::lock_guard lock(mutex_);
    answered.swap(answered_);
  }
  const auto take = [](Bytes& from) {
    const std::size_t size = std::min(from.size(), kMost);
    Bytes out(from.end() - static_cast<std::ptrdiff_t>(size), from.end());
    from.resize(from.size() - size);
    return out;
  };
  while (!stored.empty() || !answered.empty()) {
    RequestMarksNote note{env_.clock->wall_micros(), rows_lsn, take(stored), take(answered)};
    TG_CHECK(journal_->append_note(static_cast<std::uint8_t>(RequestMarksNote::kType), encode_note(note)));
  }
  return {};
}

// One record: consecutive batches encoded together.
Status Ingest::append(const std::vector<Batch>& batches) {
  RecordMeta meta;
  meta.count = static_cast<std::uint32_t>(batches.size());
  meta.time_min = std::numeric_limits<std::int64_t>::max();
  meta.time_max = std::numeric_limits<std::int64_t>::min();
  std::vector<ByteView> views;
  views.reserve(batches.size());
  for (const Batch& batch : batches) {
    views.emplace_back(batch.canonical);
    meta.hashes.push_back(batch.hash);
    meta.events += batch.summary.events;
    meta.values += batch.summary.values;
    meta.time_min = std::min(meta.time_min, to_nanos(batch.summary.time_min, batch.summary.unit));
    meta.time_max = std::max(meta.time_max, to_nanos(batch.summary.time_max, batch.summary.unit));
  }
  TG_TRY(const Container container, encode_container(options_.codec, views, options_.level));
  meta.codec = container.codec;
  meta.decoded_size = container.decoded_size;
  TG_TRY([[maybe_unused]] const Lsn first, journal_->append(std::move(meta), container.bytes));
  return {};
}

IngestCounters Ingest::counters() const {
  const std::lock_guard lock(mutex_);
  return counters_;
}

std::size_t Ingest::pending_bytes() const {
  const std::lock_guard lock(mutex_);
  return next_.bytes + in_work_bytes_;
}

}  // namespace tidegate
