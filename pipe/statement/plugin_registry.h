// SPDX-License-Identifier: Apache-2.0
// PluginRegistry: every plugin that a daemon knows, built-in and from outside, and what is made of them.
//
// Any thread. Plugins from outside come and go by statements; what was made of one stays good.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "base/env.h"
#include "pipe/catalogue/definitions.h"
#include "pipe/connect/connector_plugin.h"
#include "pipe/engine/plugin/plugin_host.h"
#include "pipe/engine/processor.h"

namespace tidegate {

class PluginRegistry {
 public:
  explicit PluginRegistry(Env env) : env_(env), runtime_{plugin_host_program(), env.clock} {}

  // Starts the plugin once to learn what it is. kAlreadyExists: a built-in one has its name.
  Status load(const PluginDefinition& plugin);
  Status unload(const std::string& name);

  std::vector<PluginInfo> plugins(PluginKind kind) const;
  // One processor or a chain of them.
  Result<std::unique_ptr<Processor>> make_processor(const Attributes& attributes,
                                                    const std::string& pipe) const;
  // Everything that can be known without doing anything; with own names.
  Result<Attributes> check_connector(const Attributes& attributes, const ConnectorContext& context) const;
  Result<std::unique_ptr<Connector>> make_connector(const Attributes& attributes,
                                                    const ConnectorContext& context) const;

 private:
  using ExternalPtr = std::shared_ptr<const ExternalPlugin>;
  ExternalPtr find(PluginKind kind, const std::string& name) const;

  const Env env_;
  const PluginRuntime runtime_;
  mutable std::mutex mutex_;
  std::map<std::string, ExternalPtr> external_;  // by name in lower case
};

}  // namespace tidegate
