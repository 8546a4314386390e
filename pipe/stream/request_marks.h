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

#include <list>
#include <unordered_map>
#include <vector>

#include "pipe/stream/notes.h"

namespace tidegate {

constexpr std::size_t kMaxRequestMarks = 8192;
constexpr std::int64_t kRequestMarkMicros = 15LL * 60 * 1'000'000;

class RequestMarks {
 public:
  RequestMarks() = default;
  RequestMarks(RequestMarks&&) = default;  // a list keeps its places when it is moved
  RequestMarks& operator=(RequestMarks&&) = default;

  void apply(const RequestMarksNote& note) {
    for (const Hash128& mark : split(note.stored))
      if (!places_.contains(mark)) add({mark, note.wall_micros, note.rows_lsn});
    for (const Hash128& mark : split(note.answered))
      if (const auto it = places_.find(mark); it != places_.end()) {
        entries_.erase(it->second);
        places_.erase(it);
      }
    while (!entries_.empty() && (entries_.size() > kMaxRequestMarks ||
                                 note.wall_micros - entries_.front().wall_micros > kRequestMarkMicros)) {
      places_.erase(entries_.front().mark);
      entries_.pop_front();
    }
  }

  // Those whose rows are there (`stale`: are not there), when the journal's last LSN is `head`.
  std::vector<Hash128> list(Lsn head, bool stale) const {
    std::vector<Hash128> out;
    for (const Entry& entry : entries_)
      if ((entry.rows_lsn > head) == stale) out.push_back(entry.mark);
    return out;
  }

  template <class Put>
  void save(Put& put) const {
    put(static_cast<std::uint32_t>(entries_.size()));
    for (const Entry& entry : entries_) put(entry.mark), put(entry.wall_micros), put(entry.rows_lsn);
  }
  template <class Get>
  void load(Get& get) {
    const std::uint32_t count = get.count(16 + 8 + 8);
    for (std::uint32_t i = 0; i < count && get.ok(); ++i) {
      Entry entry;
      get(entry.mark), get(entry.wall_micros), get(entry.rows_lsn);
      add(entry);
    }
  }

 private:
  struct Entry {
    Hash128 mark;
    std::int64_t wall_micros = 0;
    Lsn rows_lsn = 0;
  };
  void add(const Entry& entry) {
    entries_.push_back(entry);
    places_[entry.mark] = std::prev(entries_.end());
  }
  static std::vector<Hash128> split(const Bytes& list) {
    std::vector<Hash128> out;
    ByteReader reader(list);
    while (reader.remaining() >= 16) out.push_back(read16(reader));
    return out;
  }

  std::list<Entry> entries_;  // oldest first
  std::unordered_map<Hash128, std::list<Entry>::iterator, Bytes16Hasher> places_;
};

}  // namespace tidegate
