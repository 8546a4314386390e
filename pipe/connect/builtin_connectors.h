// SPDX-License-Identifier: Apache-2.0
// The connectors that every daemon knows, and how one is made from what the operator wrote, in a statement or
// in YAML. doc/connectors.md describes them for the operator; a test holds that page and this list together.
#pragma once

#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "pipe/connect/connector_plugin.h"
#include "pipe/engine/attributes.h"
#include "pipe/engine/connector.h"

namespace tidegate {

// Valid for the life of the program. Any thread.
std::span<const PluginInfo> connector_plugins();
// By name or alias, lower case; null: there is none.
const PluginInfo* find_connector_plugin(std::string_view name);
// iotdb-air-gap-connector: one of connector_plugins(). The link of the sender carries it; the addresses it
// goes to are read_addresses() (node_urls.h).
const PluginInfo& air_gap_plugin();

// What is wrong with attributes that are good one by one and have their own names; the plugin is a known one.
std::vector<Misfit> find_misfits(const Attributes& attributes, const ConnectorContext& context);

// Everything that can be known without doing anything: plugin, attributes, how they go together. The same
// attributes with own names. kInvalidArgument: what the operator is to change. Takes connectors that cannot
// be made here too.
Result<Attributes> check_connector(const Attributes& attributes, const ConnectorContext& context);

// Checks, reads the secrets, makes. kInvalidArgument; kUnsupported: the air gap, which is carried by the
// link, and what this version cannot make (PluginInfo::unavailable); an error of reading a secret. Does not
// connect and creates no file: that is Connector::open().
Result<std::unique_ptr<Connector>> make_connector(Env env, const Attributes& attributes,
                                                  const ConnectorContext& context);

}  // namespace tidegate
