// SPDX-License-Identifier: Apache-2.0
// Java properties files, as java.util.Properties reads them: comments (# !), continued lines, escapes.
// Stricter in three things: a line must have its '=' or ':', text must be UTF-8, and blanks behind a value
// are cut.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tidegate {

struct Property {
  std::string key;         // printable but for tabs
  std::string value;       // may hold what escapes stand for, line breaks too
  std::uint32_t line = 0;  // 1-based, where it begins
  bool operator==(const Property&) const = default;
};

// In the order of the file; a key that stands twice is there twice (Java takes the last). All errors at once,
// one per line of the message, each with `path` and its line.
Result<std::vector<Property>> parse_properties(std::string_view text, const std::string& path);

}  // namespace tidegate
