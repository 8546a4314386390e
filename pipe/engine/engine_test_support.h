// SPDX-License-Identifier: Apache-2.0
// For tests of pipes and connectors: a journal in memory, a position store in memory, batches made in one
// line.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "pipe/engine/position_store.h"
#include "pipe/engine/record_source.h"

namespace tidegate::testing {

// `count` rows of series m,s=<series> with field v = first, first + 1, ... at times first, first + 1, ...
// (ns).
inline Batch number_batch(std::int64_t first, int count = 1, const std::string& series = "1") {
  BatchBuilder builder("test", TimeUnit::kNanosecond);
  for (int i = 0; i < count; ++i) {
    const TagView tag{"s", series};
    FieldView field{"v", ColumnRole::kField, {}};
    field.value.type = ValueType::kInt64;
    field.value.i64 = first + i;
    RowView row;
    row.database = "plant";
    row.table = "m";
    row.tags = {&tag, 1};
    row.fields = {&field, 1};
    row.time = first + i;
    (void)builder.add(row);
  }
  return builder.build();
}

inline Record record_of(Lsn first, const std::vector<Batch>& batches, std::uint32_t skip = 0) {
  std::vector<ByteView> views;
  Record record;
  for (const Batch& batch : batches) {
    views.emplace_back(batch.canonical);
    record.meta.hashes.push_back(batch.hash);
  }
  Container container = encode_container(Codec::kList, views).value();
  record.meta.first_lsn = first;
  record.meta.skip = skip;
  record.meta.count = static_cast<std::uint32_t>(batches.size()) - skip;
  record.meta.codec = container.codec;
  record.meta.decoded_size = container.decoded_size;
  record.container = std::move(container.bytes);
  return record;
}

// Records in memory; some LSNs may be gone.
class MemoryRecords final : public RecordSource {
 public:
  // Appends one record and returns its first LSN.
  Lsn append(const std::vector<Batch>& batches, std::uint32_t skip = 0, std::vector<Id> hops = {}) {
    const std::scoped_lock lock(mutex_);
    Record record = record_of(durable_ + 1, batches, skip);
    record.meta.hops = std::move(hops);
    durable_ = record.meta.last_lsn();
    records_.push_back(record);
    return record.meta.first_lsn;
  }
  void append(const Batch& batch) { append(std::vector{batch}); }
  // LSNs first..last cannot be read any more.
  void lose(Loss loss) { losses_.push_back(std::move(loss)); }
  void fail_next(Error error) { failure_ = std::move(error); }
  Record& record(std::size_t index) { return records_[index]; }

  Result<DecodedRecordPtr> next() override {
    const std::scoped_lock lock(mutex_);
    if (failure_.has_value()) {
      Error error = std::move(*failure_);
      failure_.reset();
      return error;
    }
    for (const Loss& loss : losses_) {
      if (loss.first <= cursor_ && cursor_ <= loss.last) {
        return make_error(loss.reason == kLossTrimmed ? ErrorCode::kTrimmed : ErrorCode::kDamaged, loss.text);
      }
    }
    for (const Record& record : records_) {
      if (record.meta.last_lsn() < cursor_) continue;
      cursor_ = record.meta.last_lsn() + 1;
      return DecodedRecord::make(record, 1 << 20);
    }
    return DecodedRecordPtr();
  }
  void seek(Lsn next_wanted) override { cursor_ = next_wanted; }
  Lsn durable() const override {
    const std::scoped_lock lock(mutex_);
    return durable_;
  }
  Loss loss_at(Lsn wanted, const Error& why) const override {
    for (const Loss& loss : losses_) {
      if (loss.first <= wanted && wanted <= loss.last) return {wanted, loss.last, loss.reason, loss.text};
    }
    return {wanted, wanted, kLossDamaged, why.text()};
  }
  std::uint64_t bytes_behind(Lsn position) const override {
    const std::scoped_lock lock(mutex_);
    std::uint64_t bytes = 0;
    for (const Record& record : records_) {
      if (record.meta.last_lsn() > position) bytes += record.container.size();
    }
    return bytes;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<Record> records_;
  std::vector<Loss> losses_;
  std::optional<Error> failure_;
  Lsn durable_ = 0;
  Lsn cursor_ = 1;
};

// Survives a crash of the process, as the real one does; `on_set` may throw to crash before it is stored.
class MemoryPositions final : public PositionStore {
 public:
  Result<std::optional<StoredPosition>> get(const std::string& pipe) override {
    const std::scoped_lock lock(mutex_);
    const auto found = stored_.find(pipe);
    return found == stored_.end() ? std::optional<StoredPosition>() : found->second;
  }
  Status set(const std::string& pipe, Lsn lsn, ByteView state) override {
    if (on_set) on_set();
    const std::scoped_lock lock(mutex_);
    if (failures > 0) return --failures, make_error(ErrorCode::kNoSpace, "planted");
    stored_[pipe] = {lsn, to_bytes(state)};
    ++sets;
    return {};
  }
  Lsn lsn(const std::string& pipe) {
    const std::scoped_lock lock(mutex_);
    return stored_[pipe].lsn;
  }

  std::function<void()> on_set;
  int failures = 0;
  int sets = 0;

 private:
  std::mutex mutex_;
  std::map<std::string, StoredPosition> stored_;
};

// As a real clock: no two readings are the same.
class TickingClock final : public Clock {
 public:
  Nanos now() override { return now_ += kMicrosecond; }
  std::int64_t wall_micros() override { return 1'700'000'000'000'000 + now() / kMicrosecond; }
  void set(Nanos now) { now_ = now; }

 private:
  std::atomic<Nanos> now_{0};
};

}  // namespace tidegate::testing
