// SPDX-License-Identifier: Apache-2.0
#include "pipe/control/yaml_attributes.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace tidegate {
namespace {

// A default that no value has: the key may be absent.
template <class T>
std::optional<T> unless_required(const AttributeSpec& spec, T value) {
  return spec.required ? std::optional<T>() : std::optional<T>(std::move(value));
}

BytesRange bytes_range(const AttributeSpec& spec) {
  BytesRange out;
  if (spec.min > 0) out.min = static_cast<std::uint64_t>(spec.min);
  if (spec.max != INT64_MAX) out.max = static_cast<std::uint64_t>(spec.max);
  return out;
}

DoubleRange number_range(const AttributeSpec& spec) {
  DoubleRange out;
  if (spec.min != INT64_MIN) out.min = static_cast<double>(spec.min);
  if (spec.max != INT64_MAX) out.max = static_cast<double>(spec.max);
  return out;
}

void ask_for_choice(YamlMap& map, const std::string& key, const AttributeSpec& spec) {
  YamlMap::Names<std::string_view> names;
  for (const std::string& choice : spec.choices) names.emplace_back(choice, choice);
  map.one_of<std::string_view>(key, names, unless_required<std::string_view>(spec, {}));
}

// Makes the key a known one and reports what is wrong with its value.
void ask(YamlMap& map, const std::string& key, const AttributeSpec& spec) {
  switch (spec.type) {
    case AttributeType::kText:
    case AttributeType::kTime:
      if (spec.secret) {
        map.secret(key, unless_required(spec, Secret()));
      } else {
        map.string(key, unless_required(spec, std::string()));
      }
      return;
    case AttributeType::kBool:
      map.boolean(key, unless_required(spec, false));
      return;
    case AttributeType::kInteger:
      map.integer(key, {spec.min, spec.max}, unless_required<std::int64_t>(spec, 0));
      return;
    case AttributeType::kNumber:
      map.number(key, number_range(spec), unless_required(spec, 0.0));
      return;
    case AttributeType::kChoice:
      return ask_for_choice(map, key, spec);
    case AttributeType::kDuration:
      map.duration(key, {std::max<std::int64_t>(spec.min, 0), spec.max}, unless_required<Nanos>(spec, 0));
      return;
    case AttributeType::kBytes:
      map.bytes(key, bytes_range(spec), unless_required<std::uint64_t>(spec, 0));
      return;
  }
  std::unreachable();
}

// The value as attributes are written; nothing where it is not there or was refused.
std::optional<std::string> value_at(const YamlMap& map, const std::string& key, const PluginInfo& plugin,
                                    const AttributeSpec& spec) {
  std::optional<std::string> text = map.text(key);
  if (!text) return {};
  if (spec.type == AttributeType::kDuration) {
    const auto duration = parse_duration(*text);
    if (!duration.ok()) return {};
    text = show_duration(*duration);
  }
  const PluginInfo alone{.kind = plugin.kind, .name = plugin.name, .attributes = {spec}};
  if (find_fault({plugin.name, {{spec.name, *text}}}, alone)) return {};
  return text;
}

}  // namespace

std::string yaml_key(std::string_view attribute) {
  std::string out(attribute);
  std::ranges::replace_if(out, [](char c) { return c == '-' || c == '.'; }, '_');
  return out;
}

Attributes read_attributes(YamlMap& map, const PluginInfo& plugin) {
  Attributes out{plugin.name, {}};
  for (const AttributeSpec& spec : plugin.attributes) {
    const std::string key = yaml_key(spec.name);
    ask(map, key, spec);
    auto value = value_at(map, key, plugin, spec);
    if (value && *value != spec.default_value) out.values.emplace(spec.name, std::move(*value));
  }
  return out;
}

}  // namespace tidegate
