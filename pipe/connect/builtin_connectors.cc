// SPDX-License-Identifier: Apache-2.0
#include "pipe/connect/builtin_connectors.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/nearest.h"

namespace tidegate {
namespace {

struct Registry {
  std::vector<PluginInfo> infos;
  std::vector<ConnectorPlugin> plugins;  // in the same order
};

const Registry& registry() {
  static const Registry all = [] {
    Registry out;
    out.plugins = {do_nothing_connector_plugin(), iotdb_air_gap_plugin(), file_sink_plugin(),
                   influx_sink_plugin(),          iotdb_thrift_plugin(),  iotdb_thrift_async_plugin(),
                   iotdb_legacy_pipe_plugin()};
    for (const ConnectorPlugin& plugin : out.plugins) out.infos.push_back(plugin.info);
    return out;
  }();
  return all;
}

const ConnectorPlugin* find(std::string_view name) {
  const auto& plugins = registry().plugins;
  const auto found = std::ranges::find_if(plugins, [&](const ConnectorPlugin& plugin) {
    const PluginInfo& info = plugin.info;
    return info.name == name || std::ranges::find(info.aliases, name) != info.aliases.end();
  });
  return found == plugins.end() ? nullptr : &*found;
}

Error unknown(const std::string& name) {
  if (name.empty()) return make_error(ErrorCode::kInvalidArgument, "'connector' names no connector");
  std::vector<std::string> known;
  std::string list;
  for (const PluginInfo& info : connector_plugins()) {
    list += (list.empty() ? "" : ", ") + info.name;
    known.push_back(info.name);
    known.insert(known.end(), info.aliases.begin(), info.aliases.end());
  }
  constexpr std::size_t kLongestShown = 60;
  const std::string* const near = nearest_word(name, known);
  return make_error(ErrorCode::kInvalidArgument,
                    "there is no connector called '" + name.substr(0, kLongestShown) + "'" +
                        (near != nullptr ? ", did you mean '" + *near + "'?" : "; known: " + list));
}

}  // namespace

std::span<const PluginInfo> connector_plugins() {
  return registry().infos;
}

const PluginInfo* find_connector_plugin(std::string_view name) {
  const ConnectorPlugin* const plugin = find(name);
  return plugin == nullptr ? nullptr : &registry().infos[plugin - registry().plugins.data()];
}

const PluginInfo& air_gap_plugin() {
  return *find_connector_plugin("iotdb-air-gap-connector");
}

std::vector<Misfit> find_misfits(const Attributes& attributes, const ConnectorContext& context) {
  const ConnectorPlugin* const plugin = find(attributes.plugin);
  if (plugin == nullptr || plugin->find_misfits == nullptr) return {};
  return plugin->find_misfits(attributes, context);
}

Result<Attributes> check_connector(const Attributes& attributes, const ConnectorContext& context) {
  const PluginInfo* const plugin = find_connector_plugin(attributes.plugin);
  if (plugin == nullptr) return unknown(attributes.plugin);
  TG_CHECK(check_attributes(attributes, *plugin));
  TG_TRY(Attributes own, with_own_names(attributes, *plugin));
  const std::vector<Misfit> misfits = find_misfits(own, context);
  if (misfits.empty()) return own;
  return make_error(
      ErrorCode::kInvalidArgument,
      shown_attribute(PluginKind::kConnector, misfits.front().attribute) + " " + misfits.front().sentence);
}

Result<std::unique_ptr<Connector>> make_connector(Env env, const Attributes& attributes,
                                                  const ConnectorContext& context) {
  TG_TRY(const Attributes own, check_connector(attributes, context));
  const ConnectorPlugin& plugin = *find(own.plugin);
  if (plugin.make != nullptr) return plugin.make(env, own, context);
  const std::string& why = plugin.info.unavailable;
  return make_error(ErrorCode::kUnsupported,
                    own.plugin + ": " + (why.empty() ? "it is carried by the link of tidegate-sender" : why));
}

}  // namespace tidegate
