// SPDX-License-Identifier: Apache-2.0
#include "base/paths.h"

#include <algorithm>
#include <filesystem>
#include <vector>

namespace tidegate {

bool is_within(const std::string& path, const std::string& folder) {
  const auto parts = [](const std::string& text) {
    const auto normal = std::filesystem::path(text + "/").lexically_normal();
    return std::vector<std::filesystem::path>(normal.begin(), std::prev(normal.end()));
  };
  const auto inner = parts(path), outer = parts(folder);
  return std::mismatch(outer.begin(), outer.end(), inner.begin(), inner.end()).first == outer.end();
}

}  // namespace tidegate
