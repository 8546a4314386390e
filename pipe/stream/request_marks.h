// SPDX-License-Identifier: Apache-2.0
// RequestMarks: which parts of producers' requests are stored though their producer may not know it, so that
// a request that comes again after a crash is not stored twice.
//
// A mark is a digest that the source makes of a part of a request (its content, its key, the number of
// the part). It is noted before the rows of that part, with the LSN up to which they will be, and in the
// same sync: a mark whose rows a crash has cut off is stale, and is taken back before anything else is
// appended. When the answer has been given the mark is forgotten with a later note, unless it is to be kept
// (requests with an Idempotency-Key). Bounded by number and age. Pure, no lock of its own.
#pragma once

#include <deque>
#include <unordered_set>
#include <vector>

#include "pipe/stream/notes.h"

namespace tidegate {

constexpr std::size_t kMaxRequestMarks = 8192;
constexpr std::int64_t kRequestMarkMicros = 15LL * 60 * 1'000'000;

class RequestMarks {
 public:
  void apply(const RequestMarksNote& note) {
    for (const Hash128& mark : split(note.stored))
      if (marks_.insert(mark).second) order_.push_back({mark, note.wall_micros, note.rows_lsn});
    for (const Hash128& mark : split(note.answered)) marks_.erase(mark);
    while (!order_.empty() && (order_.size() > kMaxRequestMarks || !marks_.contains(order_.front().mark) ||
                               note.wall_micros - order_.front().wall_micros > kRequestMarkMicros)) {
      marks_.erase(order_.front().mark);
      order_.pop_front();
    }
  }
  // Those whose rows are there (`stale`: are not there), when the journal's last LSN is `head`.
  std::vector<Hash128> list(Lsn head, bool stale) const {
    std::vector<Hash128> out;
    for (const Aged& entry : order_)
      if (marks_.contains(entry.mark) && (entry.rows_lsn > head) == stale) out.push_back(entry.mark);
    return out;
  }

  template <class Put>
  void save(Put& put) const {
    std::uint32_t count = 0;
    for (const Aged& entry : order_) count += marks_.contains(entry.mark) ? 1 : 0;
    put(count);
    for (const Aged& entry : order_)
      if (marks_.contains(entry.mark)) put(entry.mark), put(entry.wall_micros), put(entry.rows_lsn);
  }
  template <class Get>
  void load(Get& get) {
    const std::uint32_t count = get.count(16 + 8 + 8);
    for (std::uint32_t i = 0; i < count && get.ok(); ++i) {
      Aged entry;
      get(entry.mark), get(entry.wall_micros), get(entry.rows_lsn);
      marks_.insert(entry.mark);
      order_.push_back(entry);
    }
  }

 private:
  struct Aged {
    Hash128 mark;
    std::int64_t wall_micros = 0;
    Lsn rows_lsn = 0;
  };
  static std::vector<Hash128> split(const Bytes& list) {
    std::vector<Hash128> out;
    ByteReader reader(list);
    while (reader.remaining() >= 16) out.push_back(read16(reader));
    return out;
  }

  std::unordered_set<Hash128, Bytes16Hasher> marks_;
  std::deque<Aged> order_;  // oldest first; some may be forgotten already
};

}  // namespace tidegate
