// SPDX-License-Identifier: Apache-2.0
// The processors that every daemon has, and how one is made from what the operator wrote. doc/processors.md
// describes them for the operator; a test holds that page and this list together.
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "base/result.h"
#include "pipe/engine/attributes.h"
#include "pipe/engine/processor.h"

namespace tidegate {

// Valid for the life of the program. Any thread.
std::span<const PluginInfo> processor_plugins();
// By name or alias, lower case; null: there is none.
const PluginInfo* find_processor_plugin(std::string_view name);

// Checks every attribute. `attributes.plugin`: a name, an alias, or a chain of them (chain.h); empty: the
// do-nothing-processor. kInvalidArgument, kUnsupported: what the operator is to change.
Result<std::unique_ptr<Processor>> make_processor(const Attributes& attributes);

}  // namespace tidegate
