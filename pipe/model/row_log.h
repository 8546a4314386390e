// SPDX-License-Identifier: Apache-2.0
// Inside pipe/model: two containers of BatchBuilder that keep their memory when they are emptied.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

namespace tidegate {

// Rows as they arrived, in one flat buffer that only grows at its end: no allocation per row or value.
class RowLog {
 public:
  std::size_t size() const { return size_; }
  const std::uint8_t* begin() const { return data_.get(); }
  const std::uint8_t* end() const { return data_.get() + size_; }

  // Room for `size` bytes: append() up to that many without a check.
  void reserve(std::size_t size) {
    if (size > capacity_ - size_) grow(size);
  }
  void append(const void* data, std::size_t size) {
    if (size != 0) std::memcpy(data_.get() + size_, data, size);
    size_ += size;
  }
  template <class T>
  void append(T value) {
    std::memcpy(data_.get() + size_, &value, sizeof(value));
    size_ += sizeof(value);
  }
  // Empties it. Gives memory back when the last use needed less than a quarter of it.
  void clear() {
    if (capacity_ > kAlwaysKept && size_ < capacity_ / 4) *this = RowLog();
    size_ = 0;
  }

 private:
  static constexpr std::size_t kAlwaysKept = 1 << 20;

  void grow(std::size_t size) {
    std::size_t capacity = capacity_ < 4096 ? 4096 : capacity_ * 2;
    while (capacity - size_ < size) capacity *= 2;
    auto data = std::make_unique_for_overwrite<std::uint8_t[]>(capacity);
    if (size_ != 0) std::memcpy(data.get(), data_.get(), size_);
    data_ = std::move(data);
    capacity_ = capacity;
  }

  std::unique_ptr<std::uint8_t[]> data_;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

// Hash index from keys to small numbers. It stores hash and number; the keys stay with the caller, who
// compares them.
class KeyIndex {
 public:
  static constexpr std::uint32_t kNone = UINT32_MAX;

  // The number whose key has this hash and for which `equal(number)` holds, or kNone.
  template <class Equal>
  std::uint32_t find(std::uint64_t hash, Equal equal) const {
    if (slots_.empty()) return kNone;
    const std::size_t mask = slots_.size() - 1;
    const auto tag = static_cast<std::uint32_t>(hash >> 32);
    for (std::size_t at = hash & mask;; at = (at + 1) & mask) {
      const Slot& slot = slots_[at];
      if (slot.number == kNone) return kNone;
      if (slot.tag == tag && equal(slot.number)) return slot.number;
    }
  }

  // Precondition: find() gave kNone. `hash_of(number)` is asked when the table grows.
  template <class HashOf>
  void insert(std::uint64_t hash, std::uint32_t number, HashOf hash_of) {
    if ((count_ + 1) * 2 > slots_.size()) rehash(slots_.empty() ? 64 : slots_.size() * 2, hash_of);
    place(hash, number);
    ++count_;
  }

  void clear() {
    if (slots_.size() > kAlwaysKept && count_ < slots_.size() / 8) slots_.resize(slots_.size() / 2);
    slots_.assign(slots_.size(), Slot{});
    count_ = 0;
  }

 private:
  static constexpr std::size_t kAlwaysKept = 4096;
  struct Slot {
    std::uint32_t tag = 0;
    std::uint32_t number = kNone;
  };

  void place(std::uint64_t hash, std::uint32_t number) {
    const std::size_t mask = slots_.size() - 1;
    std::size_t at = hash & mask;
    while (slots_[at].number != kNone) at = (at + 1) & mask;
    slots_[at] = {static_cast<std::uint32_t>(hash >> 32), number};
  }

  template <class HashOf>
  void rehash(std::size_t size, HashOf hash_of) {
    std::vector<Slot> old(size);
    old.swap(slots_);
    for (const Slot& slot : old) {
      if (slot.number != kNone) place(hash_of(slot.number), slot.number);
    }
  }

  std::vector<Slot> slots_;
  std::size_t count_ = 0;
};

}  // namespace tidegate
