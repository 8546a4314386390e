// SPDX-License-Identifier: Apache-2.0
#include "hw/delay_line.h"

#include <algorithm>
#include <cassert>
#include <cstring>

namespace tidegate {

DelayLine::Block DelayLine::take_block() {
  if (spare_.empty()) return std::make_unique_for_overwrite<std::uint8_t[]>(kBlock);
  Block block = std::move(spare_.back());
  spare_.pop_back();
  return block;
}

void DelayLine::push(ByteView bytes, Nanos due) {
  if (bytes.empty()) return;
  std::size_t tail = (head_ + size_) % kBlock;
  size_ += bytes.size();
  while (!bytes.empty()) {
    if (tail == 0) blocks_.push_back(take_block());
    const std::size_t take = std::min(kBlock - tail, bytes.size());
    std::memcpy(blocks_.back().get() + tail, bytes.data(), take);
    bytes = bytes.subspan(take);
    tail = (tail + take) % kBlock;
  }
  const std::uint64_t end = popped_ + size_;
  if (!marks_.empty() && due <= marks_.back().due) {
    marks_.back().end = end;
  } else {
    marks_.push_back({end, due});
  }
}

std::uint64_t DelayLine::arrived_size(Nanos now) const {
  const auto first_later = std::upper_bound(marks_.begin(), marks_.end(), now,
                                            [](Nanos t, const Mark& mark) { return t < mark.due; });
  return first_later == marks_.begin() ? 0 : std::prev(first_later)->end - popped_;
}

std::vector<ByteView> DelayLine::arrived(Nanos now, std::size_t most) const {
  std::vector<ByteView> pieces;
  std::uint64_t left = arrived_size(now);
  std::size_t from = head_;
  for (auto block = blocks_.begin(); left > 0 && pieces.size() < most; ++block) {
    const std::size_t take = std::min<std::uint64_t>(kBlock - from, left);
    pieces.emplace_back(block->get() + from, take);
    left -= take;
    from = 0;
  }
  return pieces;
}

void DelayLine::pop(std::size_t size) {
  assert(size <= size_);
  size_ -= size;
  popped_ += size;
  head_ += size;
  for (; head_ >= kBlock; head_ -= kBlock) {
    if (spare_.size() < kSpareBlocks) spare_.push_back(std::move(blocks_.front()));
    blocks_.pop_front();
  }
  while (!marks_.empty() && marks_.front().end <= popped_) marks_.pop_front();
  if (size_ == 0) {
    // Start the next burst at the beginning of a block.
    for (Block& block : blocks_) spare_.push_back(std::move(block));
    blocks_.clear();
    head_ = 0;
  }
}

void DelayLine::clear() {
  pop(size_);
}

}  // namespace tidegate
