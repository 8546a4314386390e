// SPDX-License-Identifier: Apache-2.0
// Several processors in a row: 'processor' = 'a,b,c', or 'a#1,a#2' where one stands twice.
//
// 'processor.<label>.x' is for the processor with that label ('a', 'a#1'). 'processor.x' is for every
// processor of the chain that knows x, except where it has an x of its own.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "pipe/engine/attributes.h"
#include "pipe/engine/processor.h"

namespace tidegate {

// By name or alias; null: there is none. What it gives must outlive the call that uses it.
using FindProcessor = std::function<const PluginInfo*(std::string_view name)>;

struct ChainLink {
  std::string label;  // as written: "a" or "a#1"
  const PluginInfo* plugin = nullptr;
  Attributes attributes;  // checked, with the names of their own (not aliases)
};

// At least one link; an empty plugin name is the do-nothing-processor. kInvalidArgument for everything that
// the operator has to change.
Result<std::vector<ChainLink>> split_chain(const Attributes& attributes, const FindProcessor& find);

struct LabelledProcessor {
  std::string label;
  std::unique_ptr<Processor> processor;
};
// One alone stays as it is. Its state is the list of theirs; nothing when none of them has one.
std::unique_ptr<Processor> make_chain(std::vector<LabelledProcessor> links);

}  // namespace tidegate
