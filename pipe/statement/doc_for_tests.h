// SPDX-License-Identifier: Apache-2.0
// The pages that describe the language, for tests of this folder.
#pragma once

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace tidegate {

inline constexpr const char* kStatementPages[] = {"statements.md", "zh/statements.md"};

inline std::string page(const std::string& name) {
  std::ifstream file(std::filesystem::path(TIDEGATE_SOURCE_DIR) / "doc" / name);
  return {std::istreambuf_iterator<char>(file), {}};
}

// The text of all blocks of one language, one behind the other.
inline std::string blocks(const std::string& markdown, const std::string& language) {
  std::string out;
  bool inside = false;
  std::istringstream stream(markdown);
  for (std::string line; std::getline(stream, line);) {
    if (line.starts_with("```")) {
      inside = !inside && line == "```" + language;
      continue;
    }
    if (inside) out += line + "\n";
  }
  return out;
}

}  // namespace tidegate
