// SPDX-License-Identifier: Apache-2.0
// The parts of requests that are stored although their client may not know it: what a crash, a 503 in the
// middle or a lost answer leaves behind. Read from the journal at the start (pipe/stream/request_marks.h,
// which has the same bounds), so that a request that comes again after a crash is not stored twice. Any
// thread.
#pragma once

#include <deque>
#include <mutex>
#include <unordered_set>
#include <vector>

#include "base/hash.h"
#include "pipe/stream/request_marks.h"

namespace tidegate {

class StoredParts {
 public:
  explicit StoredParts(const std::vector<Hash128>& marks) { add(marks); }

  bool contains(const Hash128& mark) const {
    const std::lock_guard lock(mutex_);
    return marks_.contains(mark);
  }
  void add(const std::vector<Hash128>& marks) {
    const std::lock_guard lock(mutex_);
    for (const Hash128& mark : marks)
      if (marks_.insert(mark).second) order_.push_back(mark);
    while (order_.size() > kMaxRequestMarks) {
      marks_.erase(order_.front());
      order_.pop_front();
    }
  }
  void forget(const std::vector<Hash128>& marks) {
    const std::lock_guard lock(mutex_);
    for (const Hash128& mark : marks)
      if (marks_.erase(mark) > 0) std::erase(order_, mark);
  }

 private:
  mutable std::mutex mutex_;
  std::unordered_set<Hash128, Bytes16Hasher> marks_;
  std::deque<Hash128> order_;
};

}  // namespace tidegate
