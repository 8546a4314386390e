// SPDX-License-Identifier: Apache-2.0
// What the states of all processors share: the head of the bytes and the bound on the memory.
//
// State, little-endian: version u8 (1), the processor's name str32, what its attributes mean str32 (as far as
// output depends on them), then the processor's own. A state of another version, processor or attributes is
// kMalformed.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace tidegate {

constexpr std::uint64_t kDefaultStateBytes = 256ULL << 20;

void write_state_head(ByteWriter& writer, std::string_view processor, std::string_view meaning);
Status read_state_head(ByteReader& reader, std::string_view processor, std::string_view meaning);
Error bad_state(std::string_view processor, std::string_view what);
// For processors that have none.
Status expect_no_state(std::string_view processor, ByteView state);

// Counts what a state takes by a formula over its content, so that a restored state counts the same.
class StateBudget {
 public:
  StateBudget(std::string processor, std::uint64_t limit) : processor_(std::move(processor)), limit_(limit) {}

  // kOutOfMemoryBudget: the pipe is to stop, the message says what the operator can do.
  Status grow(std::uint64_t bytes);
  void shrink(std::uint64_t bytes) { used_ -= bytes; }
  // From one size to another.
  Status resize(std::uint64_t from, std::uint64_t to);
  std::uint64_t used() const { return used_; }
  void clear() { used_ = 0; }

 private:
  std::string processor_;
  std::uint64_t limit_;
  std::uint64_t used_ = 0;
};

}  // namespace tidegate
