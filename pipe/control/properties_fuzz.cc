// SPDX-License-Identifier: Apache-2.0
// Properties files from elsewhere: whatever is read has a key and a line, and what is imported is YAML.
#include <cstdlib>

#include "pipe/control/import_properties.h"
#include "pipe/control/properties.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto properties = tidegate::parse_properties(text, "f");
  if (properties.ok())
    for (const tidegate::Property& property : *properties)
      if (property.key.empty() || property.line == 0) std::abort();
  const auto imported = tidegate::import_properties(text, "f", tidegate::DaemonRole::kReceiver);
  if (imported.ok() && !tidegate::YamlFile::parse(imported->yaml, "f").ok()) std::abort();
  return 0;
}
