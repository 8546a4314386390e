// SPDX-License-Identifier: Apache-2.0
// ConnectorPlugin: what one folder here says about its sink, so that it can be made from attributes.
//
// The list of all (builtin_connectors.h) knows no sink by more than this, and no sink knows another. Values;
// any thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/env.h"
#include "base/result.h"
#include "pipe/engine/attributes.h"
#include "pipe/engine/connector.h"

namespace tidegate {

// The pipe and the daemon that a connector is made for.
struct ConnectorContext {
  std::string pipe;      // its name
  std::string data_dir;  // the daemon's own, absolute; empty: none
  // What in data_dir nobody else may write into.
  std::vector<std::string> own_folders = {"journal", "dead-letters", "outbox", "catalogue", "audit"};
};

// An attribute that is good by itself and wrong here: "'connector.token' and user exclude each other".
struct Misfit {
  std::string attribute;  // its own name; may be one that is not given and should be
  std::string sentence;   // what follows the name in quotes
};

struct ConnectorPlugin {
  PluginInfo info;
  // Pure. `attributes` are checked one by one and have their own names. Null: nothing can be wrong.
  std::vector<Misfit> (*find_misfits)(const Attributes& attributes,
                                      const ConnectorContext& context) = nullptr;
  // Of attributes without misfits. Null: it is made elsewhere or not yet (info.unavailable).
  Result<std::unique_ptr<Connector>> (*make)(Env env, const Attributes& attributes,
                                             const ConnectorContext& context) = nullptr;
};

ConnectorPlugin file_sink_plugin();    // file/
ConnectorPlugin influx_sink_plugin();  // influx/
ConnectorPlugin do_nothing_connector_plugin();
// What speaks to IoTDB: iotdb_plugins.cc.
ConnectorPlugin iotdb_air_gap_plugin();
ConnectorPlugin iotdb_thrift_plugin();
ConnectorPlugin iotdb_thrift_async_plugin();
ConnectorPlugin iotdb_legacy_pipe_plugin();

// ---- what several of them need

// A PluginInfo of a connector of this program.
PluginInfo builtin_connector(std::string name, std::vector<std::string> aliases,
                             const std::string& class_name, std::vector<AttributeSpec> attributes);
// Given, and not as an empty text.
bool is_given(const Attributes& attributes, const std::string& name);
// Whether the value is this choice, without case.
bool is_choice(const Attributes& attributes, const std::string& name, std::string_view choice);
// The secret that the attribute stands for (base/yaml.h: read_secret); empty where it is not given. An error
// names the attribute.
Result<std::string> read_secret_attribute(FileSystem& files, const Attributes& attributes,
                                          const std::string& name);

}  // namespace tidegate
