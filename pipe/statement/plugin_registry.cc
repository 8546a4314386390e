// SPDX-License-Identifier: Apache-2.0
#include "pipe/statement/plugin_registry.h"

#include "pipe/connect/builtin_connectors.h"
#include "pipe/connect/plugin/plugin_connector.h"
#include "pipe/extract/journal/journal_extractor.h"
#include "pipe/process/builtin_processors.h"
#include "pipe/process/chain.h"
#include "pipe/process/plugin/plugin_processor.h"
#include "pipe/statement/statement.h"

namespace tidegate {

Status PluginRegistry::load(const PluginDefinition& plugin) {
  const std::string name = fold_name(plugin.name);
  if (find_processor_plugin(name) != nullptr || find_connector_plugin(name) != nullptr)
    return make_error(ErrorCode::kAlreadyExists, "a plugin of this program is called '" + name + "'");
  auto external = std::make_shared<ExternalPlugin>();
  external->path = plugin.file;
  external->sha256 = plugin.sha256;
  TG_TRY(external->info, load_plugin_info(runtime_, plugin.file, plugin.sha256));
  external->info.name = name;
  const std::scoped_lock lock(mutex_);
  external_[name] = std::move(external);
  return {};
}

Status PluginRegistry::unload(const std::string& name) {
  const std::scoped_lock lock(mutex_);
  external_.erase(fold_name(name));
  return {};
}

PluginRegistry::ExternalPtr PluginRegistry::find(PluginKind kind, const std::string& name) const {
  const std::scoped_lock lock(mutex_);
  const auto it = external_.find(fold_name(name));
  return it == external_.end() || it->second->info.kind != kind ? nullptr : it->second;
}

std::vector<PluginInfo> PluginRegistry::plugins(PluginKind kind) const {
  if (kind == PluginKind::kExtractor) return {journal_extractor_plugin()};
  const std::span<const PluginInfo> builtin =
      kind == PluginKind::kProcessor ? processor_plugins() : connector_plugins();
  std::vector<PluginInfo> out(builtin.begin(), builtin.end());
  const std::scoped_lock lock(mutex_);
  for (const auto& [name, plugin] : external_)
    if (plugin->info.kind == kind) out.push_back(plugin->info);
  return out;
}

Result<std::unique_ptr<Processor>> PluginRegistry::make_processor(const Attributes& attributes,
                                                                  const std::string& pipe) const {
  std::vector<ExternalPtr> used;  // their infos are pointed to
  const auto find_one = [&](std::string_view name) -> const PluginInfo* {
    if (const PluginInfo* builtin = find_processor_plugin(name)) return builtin;
    const ExternalPtr external = find(PluginKind::kProcessor, std::string(name));
    if (!external) return nullptr;
    used.push_back(external);
    return &external->info;
  };
  TG_TRY(const std::vector<ChainLink> links, split_chain(attributes, find_one));
  if (used.empty()) return tidegate::make_processor(attributes);
  std::vector<LabelledProcessor> made;
  for (const ChainLink& link : links) {
    const ExternalPtr external = find(PluginKind::kProcessor, link.plugin->name);
    auto processor = external ? make_plugin_processor(runtime_, *external, link.attributes, pipe)
                              : tidegate::make_processor(link.attributes);
    if (!processor.ok()) return std::move(processor).error();
    made.push_back({link.label, std::move(*processor)});
  }
  return make_chain(std::move(made));
}

Result<Attributes> PluginRegistry::check_connector(const Attributes& attributes,
                                                   const ConnectorContext& context) const {
  const ExternalPtr external = find(PluginKind::kConnector, attributes.plugin);
  if (!external) return tidegate::check_connector(attributes, context);
  TG_CHECK(check_attributes(attributes, external->info));
  return with_own_names(attributes, external->info);
}

Result<std::unique_ptr<Connector>> PluginRegistry::make_connector(const Attributes& attributes,
                                                                  const ConnectorContext& context) const {
  const ExternalPtr external = find(PluginKind::kConnector, attributes.plugin);
  if (external) return make_plugin_connector(runtime_, *external, attributes, context.pipe);
  return tidegate::make_connector(env_, attributes, context);
}

}  // namespace tidegate
