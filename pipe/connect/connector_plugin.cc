// SPDX-License-Identifier: Apache-2.0
#include "pipe/connect/connector_plugin.h"

#include <algorithm>
#include <utility>

#include "base/yaml.h"

namespace tidegate {

PluginInfo builtin_connector(std::string name, std::vector<std::string> aliases,
                             const std::string& class_name, std::vector<AttributeSpec> attributes) {
  PluginInfo info;
  info.kind = PluginKind::kConnector;
  info.name = std::move(name);
  info.aliases = std::move(aliases);
  info.class_name = "tidegate.connect." + class_name;
  info.attributes = std::move(attributes);
  return info;
}

bool is_given(const Attributes& attributes, const std::string& name) {
  return !read_text(attributes, name).empty();
}

bool is_choice(const Attributes& attributes, const std::string& name, std::string_view choice) {
  const auto folded = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return std::ranges::equal(read_text(attributes, name), choice, {}, folded, folded);
}

Result<std::string> read_secret_attribute(FileSystem& files, const Attributes& attributes,
                                          const std::string& name) {
  Result<std::string> secret = read_secret(&files, read_text(attributes, name));
  if (secret.ok()) return secret;
  Error error = std::move(secret).error();
  error.detail = "the secret of " + shown_attribute(PluginKind::kConnector, name) + " cannot be read" +
                 (error.detail.empty() ? "" : ": " + error.detail);
  return error;
}

}  // namespace tidegate
