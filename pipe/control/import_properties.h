// SPDX-License-Identifier: Apache-2.0
// `tidegate import-properties`: what a properties file of IoTDB says, as settings of a daemon.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "pipe/control/iotdb_names.h"

namespace tidegate {

struct ImportedProperties {
  // Settings that the YAML file of the daemon takes, and comments. `instance`, `data_dir` and whatever else a
  // daemon needs and IoTDB does not have are not among them.
  std::string yaml;
  std::vector<std::string> notes;  // "<path>:<line>: <name> ...": what has no counterpart, and why
};

// `role`: whose file it becomes; nothing: as the settings tell. What cannot be read, or is no value of its
// name, refuses the whole file: kInvalidConfiguration with all places.
Result<ImportedProperties> import_properties(std::string_view text, const std::string& path,
                                             std::optional<DaemonRole> role = {});

}  // namespace tidegate
