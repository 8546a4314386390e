// SPDX-License-Identifier: Apache-2.0
// rename-database-processor: everything goes on in one database of the given name. Of tree rows the database
// is the second node of the device path. Deletions are changed in the same way, so that they reach at the
// target what they meant at the source.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "pipe/engine/processor.h"

namespace tidegate {

// kInvalidArgument for an empty name, one longer than 64 bytes, or one with '.' or '`'.
Result<std::unique_ptr<Processor>> make_rename_database_processor(std::string new_name);

// The patterns that match in `database` what `pattern` matched before all databases took that name. Two where
// the pattern says "any depth" in place of the database and goes on behind it.
Result<std::vector<std::string>> rename_pattern(std::string_view pattern, std::string_view database);

}  // namespace tidegate
