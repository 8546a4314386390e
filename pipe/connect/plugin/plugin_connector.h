// SPDX-License-Identifier: Apache-2.0
// PluginConnector: a connector that is a plugin, in a process of its own. For its author:
// pipe/engine/tg_plugin_v1.h and doc/plugins.md.
//
// A crash, a hang or a refusal ends the process and stops the pipe (kStop; of open(): kRefused) with a
// message that names plugin, file and signal, exit status or time limit. It is not started again by itself:
// the next open(), after an operator's START, starts a new one.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "pipe/engine/connector.h"
#include "pipe/engine/plugin/plugin_host.h"

namespace tidegate {

// Checks the attributes, starts the process and creates the instance. `pipe`: for the log. `runtime.clock`
// must outlive the connector. kInvalidArgument: what the operator is to change, also in the plugin's own
// words; else as PluginHost::start().
Result<std::unique_ptr<Connector>> make_plugin_connector(const PluginRuntime& runtime,
                                                         const ExternalPlugin& plugin,
                                                         const Attributes& attributes,
                                                         const std::string& pipe);

}  // namespace tidegate
