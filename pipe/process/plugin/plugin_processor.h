// SPDX-License-Identifier: Apache-2.0
// PluginProcessor: a processor that is a plugin, in a process of its own. For its author:
// pipe/engine/tg_plugin_v1.h and doc/plugins.md.
//
// A crash, a hang or a refusal is an error of process() (kRefused: the pipe stops) and ends the process. The
// object then has the state of before that batch: a further process(), after an operator's START, begins a
// new process with it. What comes out is held to the rules before it is believed: canonical rows with source,
// unit and flags of the batch that came in. State: processor_state.h, then the plugin's bytes; those of other
// attributes are refused.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "pipe/engine/plugin/plugin_host.h"
#include "pipe/engine/processor.h"

namespace tidegate {

// Checks the attributes, starts the process and creates the instance. `pipe`: for the log. kInvalidArgument:
// what the operator is to change, also in the plugin's own words; else as PluginHost::start().
Result<std::unique_ptr<Processor>> make_plugin_processor(const PluginRuntime& runtime,
                                                         const ExternalPlugin& plugin,
                                                         const Attributes& attributes,
                                                         const std::string& pipe);

}  // namespace tidegate
