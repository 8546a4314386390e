// SPDX-License-Identifier: Apache-2.0
// What the file sink keeps beside the pipe's position: which files count, and how much of them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "pipe/journal/journal.h"

namespace tidegate {

struct FilePart {
  Lsn first = 0;  // of the first batch in it: also in its name
  Lsn last = 0;
  std::uint64_t length = 0;        // bytes that count
  std::int64_t opened_micros = 0;  // wall clock
  std::string context;             // Formatter::context() at `length`
};

// Complete; gets its final name once the state that says so is durable.
struct ClosedFile {
  Lsn first = 0, last = 0;
  std::uint64_t length = 0;
};

// Encoded, little-endian: version u8 = 1; has part u8, then first u64, last u64, length u64, opened i64,
// context str; list of closed files: first u64, last u64, length u64.
struct FileSinkState {
  std::optional<FilePart> part;
  std::vector<ClosedFile> closed;

  Bytes encode() const;
  static Result<FileSinkState> decode(ByteView state);
};

}  // namespace tidegate
