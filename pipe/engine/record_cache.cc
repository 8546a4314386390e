// SPDX-License-Identifier: Apache-2.0
#include "pipe/engine/record_cache.h"

#include <algorithm>

namespace tidegate {

Result<DecodedRecordPtr> RecordCache::get(Lsn lsn, const Load& load) {
  std::unique_lock lock(mutex_);
  for (;;) {
    if (DecodedRecordPtr found = find(lsn)) return ++hits_, found;
    if (loading_.insert(lsn).second) break;
    loaded_.wait(lock, [&] { return !loading_.contains(lsn); });
  }
  lock.unlock();
  Result<DecodedRecordPtr> got = load();
  lock.lock();
  ++loads_;
  loading_.erase(lsn);
  if (got.ok() && *got != nullptr) keep(*got);
  loaded_.notify_all();
  return got;
}

DecodedRecordPtr RecordCache::find(Lsn lsn) {
  auto it = records_.upper_bound(lsn);
  if (it == records_.begin()) return nullptr;
  Entry& entry = (--it)->second;
  if (entry.record->meta().last_lsn() < lsn) return nullptr;
  entry.used = ++clock_;
  return entry.record;
}

void RecordCache::keep(const DecodedRecordPtr& record) {
  const auto [it, fresh] = records_.try_emplace(record->meta().first_lsn, Entry{record, ++clock_});
  if (!fresh) return;
  bytes_ += record->memory();
  while (bytes_ > capacity_ && records_.size() > 1) {
    const auto oldest =
        std::ranges::min_element(records_, {}, [](const auto& item) { return item.second.used; });
    bytes_ -= oldest->second.record->memory();
    records_.erase(oldest);
  }
}

std::uint64_t RecordCache::hits() const {
  const std::scoped_lock lock(mutex_);
  return hits_;
}

std::uint64_t RecordCache::loads() const {
  const std::scoped_lock lock(mutex_);
  return loads_;
}

}  // namespace tidegate
