// SPDX-License-Identifier: Apache-2.0
// Any text is either read or refused with a place; nothing is read outside the input. No text swallows the
// line behind it: that line is read as the key it is, or the file is refused.
#include <cstdlib>

#include "base/yaml.h"

namespace {

void ask_everything(tidegate::YamlMap map, int depth) {
  using namespace tidegate;
  static const YamlMap::Names<int> kNames = {{"a", 1}, {"b", 2}};
  for (const std::string& key : map.keys()) {
    map.integer(key, {-5, 5}, 0);
    map.number(key, {}, 0.0);
    map.boolean(key, false);
    map.duration(key, {}, Nanos{0});
    map.bytes(key, {}, std::uint64_t{0});
    map.rate(key, {}, std::uint64_t{0});
    map.one_of(key, kNames);
    map.strings(key);
    if (depth > 3) continue;
    ask_everything(map.map(key), depth + 1);
    for (const YamlMap& item : map.maps(key)) ask_everything(item, depth + 1);
  }
}

void expect_not_swallowed(std::string_view text) {
  const auto longer = tidegate::YamlFile::parse(std::string(text) + "\nzzkey: 1\n", "fuzz.yaml");
  if (longer.ok() && !(*longer)->root().has("zzkey")) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  expect_not_swallowed(text);
  const auto file = tidegate::YamlFile::parse(text, "fuzz.yaml");
  if (!file.ok()) {
    if (file.error().text().empty()) std::abort();
    return 0;
  }
  tidegate::YamlMap root = (*file)->root();
  if (size % 2 == 0) ask_everything(root, 0);
  if (const auto status = (*file)->finish(); !status.ok() && !status.error().line) std::abort();
  return 0;
}
