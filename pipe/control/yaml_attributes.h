// SPDX-License-Identifier: Apache-2.0
// The attributes of a plugin read from a map of a YAML configuration, as strictly as everything else there.
// Start-up only.
//
// A key is the attribute's own name with '_' for '-' and '.': rotate_bytes, batch_size_bytes. Types, bounds
// and choices are those of the plugin, written as YAML writes them: a duration with its unit, a choice in
// lower case.
#pragma once

#include <string>
#include <string_view>

#include "base/yaml.h"
#include "pipe/engine/attributes.h"

namespace tidegate {

std::string yaml_key(std::string_view attribute);

// Asks `map` for every attribute of the plugin; what is wrong is reported there and left out of what returns,
// and so is what says the default. A secret must be readable; what returns holds its reference, not the
// secret itself.
Attributes read_attributes(YamlMap& map, const PluginInfo& plugin);

}  // namespace tidegate
