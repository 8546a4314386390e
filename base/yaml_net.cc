// SPDX-License-Identifier: Apache-2.0
#include "base/yaml_net.h"

#include <charconv>

namespace tidegate {

std::optional<Endpoint> parse_endpoint(const std::string& text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos) return std::nullopt;
  Endpoint endpoint;
  endpoint.host = text.substr(0, colon);
  if (endpoint.host.size() >= 2 && endpoint.host.front() == '[' && endpoint.host.back() == ']')
    endpoint.host = endpoint.host.substr(1, endpoint.host.size() - 2);
  const char* first = text.data() + colon + 1;
  const char* last = text.data() + text.size();
  const auto [end, error] = std::from_chars(first, last, endpoint.port);
  if (error != std::errc() || end != last || first == last) return std::nullopt;
  return endpoint;
}

Endpoint read_endpoint(YamlMap& map, std::string_view key, std::optional<std::string> fallback) {
  const std::string text = map.string(key, std::move(fallback));
  if (text.empty()) return {};
  if (const auto endpoint = parse_endpoint(text)) return *endpoint;
  map.violates(key, "must be host:port, e.g. 127.0.0.1:9780 or [::1]:9780");
  return {};
}

bool is_loopback(const Endpoint& endpoint) {
  return endpoint.host == "localhost" || endpoint.host == "::1" || endpoint.host.starts_with("127.");
}

}  // namespace tidegate
