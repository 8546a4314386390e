// SPDX-License-Identifier: Apache-2.0
// DeadLetters: what a target refuses for good, as JSON lines in files that an operator can read and drive
// again.
//
//   <directory>/<pipe>.dead-<number>.jsonl
//   {"time":"…Z","lsn":7,"pipe":"p","reason":"…","database":"d","retention_policy":"r","precision":"ns",
//    "line":"…"}
// One object per line; `time` is when it was set aside. `database` (2.x: the bucket) and `retention_policy`
// stand there where the line was to go to one. `precision` stands only where `line` is line protocol with
// times of that unit, so that it can be written again:
//   POST /write?db=<database>&rp=<retention_policy>&precision=<precision>, the line as the body.
// "line_hex" instead of "line" (likewise for the others) where the bytes are not UTF-8. A file is closed at a
// size; the next has the next number. Bytes of the pipe's name other than letters, digits, '_', '-' and '.'
// stand as %XX.
//
// A letter is synced before append() returns, and the pipe stores mark() together with the position that
// moves past it. After a crash open(mark) cuts what was written behind the mark: the batches behind the
// position are delivered again and write their letters again, so no line is torn or doubled. One thread at a
// time.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/env.h"
#include "pipe/engine/connector.h"

namespace tidegate {

class DeadLetters {
 public:
  struct Options {
    std::string directory;
    std::string pipe;
    std::uint64_t rotate_bytes = 64ULL << 20;
  };
  static constexpr std::uint64_t kClosed = UINT64_MAX;
  struct Mark {
    std::uint32_t number = 0;  // of the file; 0: none was written yet
    std::uint64_t length = 0;  // bytes of it that count; kClosed: all, and nothing is added
    bool operator==(const Mark&) const = default;
  };

  DeadLetters(Env env, Options options);
  // Without a mark (a new pipe, or one whose position was lost) what lies there is kept and a new file is
  // begun.
  Status open(const std::optional<Mark>& mark);
  // All or nothing; after an error the same letters may be given again.
  Status append(const std::vector<DeadLetter>& letters);
  Mark mark() const { return mark_; }
  std::string path(std::uint32_t number) const;

 private:
  std::string file_name(std::uint32_t number) const;
  std::optional<std::uint32_t> number_of(const std::string& name) const;
  Result<std::uint32_t> highest_number();
  Status cut(const Mark& mark);
  Status open_current();
  Status write(ByteView text);

  Env env_;
  Options options_;
  std::string stem_;
  Mark mark_;
  std::unique_ptr<File> file_;  // of mark_.number; null until the next append
};

}  // namespace tidegate
