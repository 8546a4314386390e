// SPDX-License-Identifier: Apache-2.0
// LineEditor: lines from a terminal, with history and completion, on libedit. One per process, one thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tidegate {

class LineEditor {
 public:
  // What may stand in place of the last `size` bytes in front of the cursor.
  struct Choices {
    std::size_t size = 0;
    std::vector<std::string> texts;
  };
  using Complete = std::function<Choices(std::string_view before_cursor)>;

  // `history_file`: read now, written by keep(); empty: none.
  LineEditor(std::string history_file, Complete complete);
  ~LineEditor();
  LineEditor(const LineEditor&) = delete;
  LineEditor& operator=(const LineEditor&) = delete;

  // Without its newline. Nothing: the end of the input. An interrupted line (^C) is empty and sets
  // `interrupted`.
  std::optional<std::string> read(const std::string& prompt, bool* interrupted);
  // Into the history, on one line.
  void keep(const std::string& text);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// The longest text with which all of them begin, and that ends between two characters.
std::string common_beginning(const std::vector<std::string>& texts);

}  // namespace tidegate
