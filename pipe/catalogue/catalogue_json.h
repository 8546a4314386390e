// SPDX-License-Identifier: Apache-2.0
// A snapshot as one line of JSON, for the sidecar file. Written and read by this program only: the end holds
// a SHA-256, and one snapshot has exactly one form. `jq . FILE` shows it to a person.
#pragma once

#include <string>
#include <string_view>

#include "pipe/catalogue/definitions.h"

namespace tidegate {

// {"plugin":"...","attributes":{...}}
std::string attributes_json(const Attributes& attributes);
Result<Attributes> parse_attributes_json(std::string_view json);
// {"name":"value",...}
std::string text_map_json(const std::map<std::string, std::string>& map);
Result<std::map<std::string, std::string>> parse_text_map_json(std::string_view json);

std::string export_json(const CatalogueSnapshot& snapshot);
// kUnsupported for a newer version, kDamaged for everything that export_json() does not write.
Result<CatalogueSnapshot> import_json(std::string_view json);

}  // namespace tidegate
