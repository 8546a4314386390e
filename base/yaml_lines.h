// SPDX-License-Identifier: Apache-2.0
// What a configuration may not look like, although YAML allows it: a look at the lines before they are
// parsed.
//
// A text in quotes that is not closed would swallow the lines behind it, up to the next quote anywhere, and
// the keys in them would silently have their defaults. So a text must end on the line where it begins. Pure.
#pragma once

#include <string_view>

#include "base/result.h"

namespace tidegate {

inline constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

// kInvalidConfiguration with 1-based line and column (in bytes), without path, for the first of: a quoted
// text that is not closed on its line; a block text (| or >); a tab in the indentation; a control character;
// a directive; a second document. A leading UTF-8 byte order mark and one "---" are allowed.
Status check_yaml_lines(std::string_view text);

// Where the quoted text that opens at `at` of this line ends, one behind its closing quote; npos: not on it.
std::size_t end_of_quoted(std::string_view line, std::size_t at);

}  // namespace tidegate
