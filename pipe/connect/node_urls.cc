// SPDX-License-Identifier: Apache-2.0
#include "pipe/connect/node_urls.h"

#include <algorithm>

#include "base/yaml_net.h"

namespace tidegate {
namespace {

constexpr const char* kIp = "ip";
constexpr const char* kPort = "port";
constexpr const char* kNodeUrls = "node-urls";
constexpr const char* kForm = "must be addresses like 10.0.0.1:6667,[2001:db8::1]:6667";

std::string trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return std::string(text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1));
}

// The addresses of a list, or what is wrong with it. A comma at the end is nothing.
Result<std::vector<Endpoint>> parse_node_urls(std::string_view list) {
  std::vector<Endpoint> out;
  const auto refuse = [](const std::string& why) { return make_error(ErrorCode::kInvalidArgument, why); };
  for (std::size_t from = 0; from < list.size();) {
    const std::size_t comma = std::min(list.find(',', from), list.size());
    const std::string one = trimmed(list.substr(from, comma - from));
    const bool is_last = comma + 1 >= list.size();
    from = comma + 1;
    if (one.empty() && is_last && !out.empty()) break;
    auto endpoint = parse_endpoint(one);
    if (!endpoint.ok() || endpoint->host.empty() || endpoint->port == 0) return refuse(kForm);
    const auto same = [&](const Endpoint& e) { return e.text() == endpoint->text(); };
    if (std::ranges::any_of(out, same)) return refuse("names " + endpoint->text() + " twice");
    out.push_back(std::move(*endpoint));
  }
  if (out.empty()) return refuse(kForm);
  if (out.size() > kMostNodeUrls)
    return refuse("names more than " + std::to_string(kMostNodeUrls) + " addresses");
  return out;
}

}  // namespace

std::vector<AttributeSpec> address_attributes(const std::string& prefixed_alias) {
  std::vector<AttributeSpec> out = {{.name = kIp,
                                     .description = "where it connects to: a name or an address; with port",
                                     .aliases = {"host"}},
                                    {.name = kPort,
                                     .type = AttributeType::kInteger,
                                     .description = "the port there",
                                     .min = 1,
                                     .max = 65535},
                                    {.name = kNodeUrls,
                                     .description = "instead of ip and port: host:port,host:port; they are "
                                                    "tried in this order"}};
  if (!prefixed_alias.empty()) {
    out[0].aliases.push_back(prefixed_alias + "host");
    out[1].aliases.push_back(prefixed_alias + "port");
  }
  return out;
}

std::vector<Misfit> find_address_misfits(const Attributes& attributes, const ConnectorContext&) {
  const bool ip = is_given(attributes, kIp), port = attributes.values.contains(kPort);
  if (attributes.values.contains(kNodeUrls)) {
    if (ip || port) return {{kNodeUrls, "stands instead of ip and port: give one of the two"}};
    const auto parsed = parse_node_urls(attributes.values.at(kNodeUrls));
    if (!parsed.ok()) return {{kNodeUrls, parsed.error().detail}};
    return {};
  }
  if (!ip) return {{kIp, "is needed, or node-urls"}};
  if (!port) return {{kPort, "is needed beside ip"}};
  return {};
}

Result<std::vector<Endpoint>> read_addresses(const Attributes& attributes) {
  if (const auto misfits = find_address_misfits(attributes, {}); !misfits.empty()) {
    return make_error(
        ErrorCode::kInvalidArgument,
        shown_attribute(PluginKind::kConnector, misfits[0].attribute) + " " + misfits[0].sentence);
  }
  if (is_given(attributes, kNodeUrls)) return parse_node_urls(read_text(attributes, kNodeUrls));
  TG_TRY(const std::int64_t port, read_integer(attributes, PluginKind::kConnector, kPort, 0, 1, 65535));
  return std::vector{Endpoint{read_text(attributes, kIp), static_cast<std::uint16_t>(port)}};
}

}  // namespace tidegate
