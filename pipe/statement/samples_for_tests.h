// SPDX-License-Identifier: Apache-2.0
// The statements that the documents print, from tests/statements/samples.tsv. For tests of this folder.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "pipe/statement/statement.h"

namespace tidegate {

struct Sample {
  std::string document;
  Dialect dialect = Dialect::kDataSync;
  bool is_gateway = true;
  std::string printed, run, canonical;
};

inline std::string read_text(const std::filesystem::path& path) {
  std::ifstream file(path);
  EXPECT_TRUE(file) << path;
  return {std::istreambuf_iterator<char>(file), {}};
}

inline std::string unescape(const std::string& text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || i + 1 == text.size()) {
      out += text[i];
      continue;
    }
    const char c = text[++i];
    out += c == 'n' ? '\n' : c == 't' ? '\t' : c;
  }
  return out;
}

inline std::vector<Sample> samples() {
  std::vector<Sample> out;
  std::istringstream file(
      read_text(std::filesystem::path(TIDEGATE_SOURCE_DIR) / "tests/statements/samples.tsv"));
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with('#')) continue;
    std::vector<std::string> cells;
    std::istringstream cell_stream(line);
    for (std::string cell; std::getline(cell_stream, cell, '\t');) cells.push_back(unescape(cell));
    EXPECT_EQ(cells.size(), 6U) << line;
    if (cells.size() != 6) continue;
    const Dialect dialect = cells[1] == "data-sync" ? Dialect::kDataSync : Dialect::kEdgeCloud;
    EXPECT_EQ(cells[1], dialect_name(dialect));
    out.push_back({cells[0], dialect, cells[2] == "gateway", cells[3], cells[4], cells[5]});
  }
  return out;
}

// Empty where the documents are not here.
inline std::filesystem::path document(const std::string& number) {
  const char* const shared = std::getenv("TIDEGATE_SHARED");
  const std::filesystem::path root =
      shared != nullptr ? std::filesystem::path(shared)
                        : std::filesystem::path(TIDEGATE_SOURCE_DIR).parent_path() / "shared";
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(root / "seeds", ignored)) {
    if (entry.path().filename().string().starts_with(number)) return entry.path();
  }
  return {};
}

}  // namespace tidegate
