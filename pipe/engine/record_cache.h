// SPDX-License-Identifier: Apache-2.0
// RecordCache: the newest records that the pipes of a journal have read, decoded once for all of them.
//
// Fifty pipes at the head of a journal cost one read, one decode and one hash per record. Whoever asks first
// loads; the others wait for it. A pipe far behind goes through here as well and finds its neighbours'
// records or loads its own. Any thread.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <set>

#include "pipe/engine/decoded_record.h"

namespace tidegate {

class RecordCache {
 public:
  // `capacity`: bytes kept beyond what pipes hold anyway. The record that was used longest ago goes first.
  explicit RecordCache(std::size_t capacity = 8 << 20) : capacity_(capacity) {}

  // The record that holds `lsn`, or what `load` gives for it (which is kept unless it is nothing or an
  // error).
  using Load = std::function<Result<DecodedRecordPtr>()>;
  Result<DecodedRecordPtr> get(Lsn lsn, const Load& load);
  std::uint64_t hits() const;
  std::uint64_t loads() const;

 private:
  struct Entry {
    DecodedRecordPtr record;
    std::uint64_t used = 0;
  };
  DecodedRecordPtr find(Lsn lsn);
  void keep(const DecodedRecordPtr& record);

  const std::size_t capacity_;
  mutable std::mutex mutex_;
  std::condition_variable loaded_;
  std::map<Lsn, Entry> records_;  // by first LSN
  std::set<Lsn> loading_;
  std::size_t bytes_ = 0;
  std::uint64_t clock_ = 0, hits_ = 0, loads_ = 0;
};

}  // namespace tidegate
