// SPDX-License-Identifier: Apache-2.0
// The names of pipes and sinks: they stand in file names, metrics, commands and the ledger.
#pragma once

#include <string_view>

#include "base/result.h"

namespace tidegate {

constexpr std::size_t kLongestPipeName = 64;

// 1 to 64 of the letters A-Z and a-z, digits, '_', '-' and '.', and no '.' at the beginning. Else
// kInvalidArgument; the detail says which rule is broken, without naming the key that the name stands in.
Status check_pipe_name(std::string_view name);

}  // namespace tidegate
