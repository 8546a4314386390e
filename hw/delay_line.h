// SPDX-License-Identifier: Apache-2.0
// DelayLine: bytes on their way, each with the time at which it arrives at the far end; first in, first out.
//
// Bytes are kept in blocks, so a full bandwidth-delay product costs one copy in and none out. Arrival times
// never run backwards: a shorter delay set while bytes are under way does not let later bytes overtake. Pure;
// not thread-safe.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "base/bytes.h"
#include "base/env.h"

namespace tidegate {

class DelayLine {
 public:
  // Appends `bytes`; all of them arrive at `due`, or with the ones before them where those arrive later.
  void push(ByteView bytes, Nanos due);
  // The arrived bytes at the front, in at most `most` pieces; valid until the next call that is not const.
  std::vector<ByteView> arrived(Nanos now, std::size_t most) const;
  // Removes `size` bytes from the front. Precondition: size <= size().
  void pop(std::size_t size);
  void clear();

  std::uint64_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  std::uint64_t arrived_size(Nanos now) const;
  // Arrival time of the first and of the last byte. Precondition: !empty().
  Nanos next_due() const { return marks_.front().due; }
  Nanos last_due() const { return marks_.back().due; }

 private:
  static constexpr std::size_t kBlock = 64 * 1024;
  static constexpr std::size_t kSpareBlocks = 16;
  using Block = std::unique_ptr<std::uint8_t[]>;
  struct Mark {
    std::uint64_t end;  // absolute offset behind the bytes that arrive at `due`
    Nanos due;
  };

  Block take_block();

  std::deque<Block> blocks_;
  std::vector<Block> spare_;
  std::deque<Mark> marks_;
  std::size_t head_ = 0;  // offset of the first byte in blocks_.front()
  std::uint64_t size_ = 0;
  std::uint64_t popped_ = 0;  // absolute offset of the first byte
};

}  // namespace tidegate
