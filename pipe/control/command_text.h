// SPDX-License-Identifier: Apache-2.0
// The body of POST /control/<verb>: one name=value per line. Pure.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tidegate {

// Blank lines and a trailing CR are ignored. kMalformed (with the line) for a line without '=', an empty or
// doubled name, a name with other than [a-z0-9_-].
Result<std::map<std::string, std::string>> parse_command_arguments(std::string_view body);
// kInvalidArgument where parse_command_arguments() would not give `arguments` back.
Result<std::string> show_command_arguments(const std::map<std::string, std::string>& arguments);

}  // namespace tidegate
