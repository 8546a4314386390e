// SPDX-License-Identifier: Apache-2.0
// What a plugin says about itself, held to the rules before anything else believes it.
#include <unistd.h>

#include <algorithm>
#include <array>
#include <set>

#include "pipe/engine/plugin/plugin_host.h"

namespace tidegate {
namespace {

constexpr std::size_t kLongestName = 64;

bool has_only(std::string_view text, std::string_view extra) {
  return !text.empty() && text.size() <= kLongestName && std::ranges::all_of(text, [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || extra.find(c) != std::string_view::npos;
  });
}

std::string wrong_attribute(const AttributeSpec& spec, std::set<std::string>* seen) {
  if (!has_only(spec.name, "._-"))
    return "an attribute is called \"" + spec.name + "\": allowed is [a-z0-9._-]";
  if (spec.name.starts_with(tgplugin::kHostPrefix)) {
    return "attribute '" + spec.name + "': names with 'plugin.' belong to the host";
  }
  if (!seen->insert(spec.name).second) return "attribute '" + spec.name + "' stands twice";
  const bool choice = spec.type == AttributeType::kChoice;
  if (choice == spec.choices.empty()) {
    return "attribute '" + spec.name + "': choices belong to type choice, and to no other";
  }
  return spec.min > spec.max ? "attribute '" + spec.name + "': its limits are the wrong way round" : "";
}

// Empty: nothing is wrong.
std::string wrong_info(const tgplugin::Info& info) {
  if (!has_only(info.name, "-")) return "its name is \"" + info.name + "\": 1 to 64 of [a-z0-9-]";
  std::set<std::string> seen;
  for (const AttributeSpec& spec : info.attributes) {
    if (std::string wrong = wrong_attribute(spec, &seen); !wrong.empty()) return wrong;
  }
  return {};
}

std::vector<AttributeSpec> attributes_of_the_host() {
  AttributeSpec time;
  time.name = "plugin.time-limit";
  time.type = AttributeType::kDuration;
  time.default_value = "30s";
  time.description = "how long a call of the plugin may take before its process is killed";
  time.min = kMillisecond;
  time.max = 3600 * kSecond;
  AttributeSpec memory;
  memory.name = "plugin.memory-limit";
  memory.type = AttributeType::kBytes;
  memory.default_value = "1GiB";
  memory.description = "address space that the process of the plugin may take";
  memory.min = 128LL << 20;
  memory.max = 1LL << 40;
  return {std::move(time), std::move(memory)};
}

}  // namespace

std::string plugin_host_program() {
  std::array<char, 4096> path{};
  const ssize_t size = ::readlink("/proc/self/exe", path.data(), path.size());
  std::string own(path.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
  return own.substr(0, own.rfind('/') + 1) + "tidegate-plugin-host";
}

Result<PluginInfo> load_plugin_info(const PluginRuntime& runtime, const std::string& path,
                                    std::string_view sha256) {
  TG_TRY(const std::unique_ptr<tgplugin::PluginHost> host,
         tgplugin::PluginHost::start(runtime, path, sha256, {}, path));
  const tgplugin::Info& said = host->info();
  if (std::string wrong = wrong_info(said); !wrong.empty()) {
    return host->error(ErrorCode::kInvalidArgument, "cannot be used: " + wrong);
  }
  PluginInfo info;
  info.kind = said.kind;
  info.name = said.name;
  info.type = "External";
  info.class_name = said.name + " " + said.version;
  info.jar = path.substr(path.rfind('/') + 1);
  info.attributes = said.attributes;
  for (AttributeSpec& spec : attributes_of_the_host()) info.attributes.push_back(std::move(spec));
  return info;
}

}  // namespace tidegate
