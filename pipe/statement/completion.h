// SPDX-License-Identifier: Apache-2.0
// What can be typed next. The parser itself says what it would accept at the cursor. Pure.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "pipe/statement/statement.h"

namespace tidegate {

// What exists, for the names that a statement may refer to. Names as they were given.
struct CompletionNames {
  std::span<const PluginInfo> plugins;  // all that are known, for attributes
  std::vector<std::string> pipes;
  std::vector<std::string> sinks;
  std::vector<std::string> users;
  std::vector<std::string> external_plugins;  // that can be dropped
};

struct Completion {
  std::size_t from = 0;  // replace text[from, cursor) by one of:
  // Sorted, each once. Keywords in lower case where that is how the word was begun, names and texts in their
  // quotes.
  std::vector<std::string> candidates;
};

// `cursor` is a byte offset into `text`; what stands behind it does not matter. `text` may hold several
// statements, the one at the cursor counts. Nothing to say (in a comment, behind a mistake): no candidates.
Completion complete_statement(std::string_view text, std::size_t cursor, Dialect dialect,
                              const CompletionNames& names);

}  // namespace tidegate
