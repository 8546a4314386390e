// SPDX-License-Identifier: Apache-2.0
#include "base/yaml_net.h"

#include <charconv>

namespace tidegate {

Result<Endpoint> parse_endpoint(const std::string& text) {
  const std::size_t colon = text.rfind(':');
  const auto refuse = [&] {
    return make_error(ErrorCode::kInvalidArgument,
                      "'" + text + "' is not an address; write host:port or [v6]:port");
  };
  if (colon == std::string::npos) return refuse();
  Endpoint out{text.substr(0, colon), 0};
  if (out.host.size() > 1 && out.host.front() == '[' && out.host.back() == ']') {
    out.host = out.host.substr(1, out.host.size() - 2);
  } else if (out.host.find(':') != std::string::npos) {
    return refuse();
  }
  const char* end = text.data() + text.size();
  const auto [last, error] = std::from_chars(text.data() + colon + 1, end, out.port);
  if (error != std::errc() || last != end) return refuse();
  return out;
}

Endpoint read_endpoint(YamlMap& map, std::string_view key, std::optional<std::string> fallback) {
  const std::string text = map.string(key, std::move(fallback));
  if (text.empty()) return {};
  if (const auto endpoint = parse_endpoint(text); endpoint.ok()) return *endpoint;
  map.violates(key, "must be host:port, e.g. 127.0.0.1:9780 or [::1]:9780");
  return {};
}

bool is_loopback(const Endpoint& endpoint) {
  return endpoint.host == "localhost" || endpoint.host == "::1" || endpoint.host.starts_with("127.");
}

}  // namespace tidegate
