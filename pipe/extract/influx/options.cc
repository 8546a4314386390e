// SPDX-License-Identifier: Apache-2.0
#include "pipe/extract/influx/options.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <optional>

namespace tidegate {
namespace {

Error refuse(std::string detail) {
  return make_error(ErrorCode::kInvalidConfiguration, std::move(detail));
}

// host:port or [v6]:port
std::optional<Endpoint> parse_listen(const std::string& text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos || colon == 0) return std::nullopt;
  Endpoint out{text.substr(0, colon), 0};
  if (out.host.front() == '[' && out.host.back() == ']')
    out.host = out.host.substr(1, out.host.size() - 2);
  else if (out.host.find(':') != std::string::npos)
    return std::nullopt;
  const char* const end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data() + colon + 1, end, out.port);
  if (error != std::errc() || at != end || out.host.empty()) return std::nullopt;
  return out;
}

Status check_secrets(const InfluxHttpOptions& options) {
  if (std::ranges::any_of(options.tokens, [](const Secret& token) { return token.empty(); }))
    return refuse("a token is empty");
  for (const InfluxHttpUser& user : options.users) {
    if (user.name.empty() || user.password.empty()) return refuse("a user has no name or no password");
    const auto same = [&](const InfluxHttpUser& other) { return other.name == user.name; };
    if (std::ranges::count_if(options.users, same) > 1)
      return refuse("user '" + user.name + "' stands twice");
  }
  if (is_loopback(options.listen.host) || !options.tokens.empty() || !options.users.empty()) return {};
  return refuse("the HTTP source would listen on " + options.listen.text() +
                " for everybody: add tokens or users, or listen on 127.0.0.1");
}

}  // namespace

bool is_loopback(const std::string& host) {
  in_addr v4{};
  in6_addr v6{};
  if (inet_pton(AF_INET, host.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  if (inet_pton(AF_INET6, host.c_str(), &v6) == 1) return IN6_IS_ADDR_LOOPBACK(&v6);
  return host == "localhost";
}

Status check(const InfluxHttpOptions& options) {
  TG_CHECK(check_secrets(options));
  const std::uint64_t largest = std::max(options.max_body, options.max_decompressed);
  if (options.memory < largest)
    return refuse("memory (" + show_byte_size(options.memory) +
                  ") must hold the largest body that is allowed (" + show_byte_size(largest) +
                  "), else such a request would be told to come back for ever");
  if (options.threads == 0 || options.max_connections == 0 || options.max_body == 0 || options.body_rate == 0)
    return refuse("threads, max_connections, max_body and body_rate must be at least 1");
  return {};
}

InfluxHttpOptions read_influx_http(YamlMap& map) {
  InfluxHttpOptions out;
  const std::string listen = map.string("listen", "127.0.0.1:8086");
  if (const auto endpoint = parse_listen(listen))
    out.listen = *endpoint;
  else
    map.violates("listen", "must be host:port or [IPv6 address]:port, such as 127.0.0.1:8086");
  out.database = map.string("database", "");
  for (YamlMap& token : map.maps("tokens")) out.tokens.push_back(token.secret("secret"));
  for (YamlMap& user : map.maps("users")) {
    std::string name = user.string("name");
    out.users.push_back({std::move(name), user.secret("password")});
  }
  out.max_body = map.bytes("max_body", {.min = 1024, .max = 1ULL << 30}, out.max_body);
  out.max_decompressed =
      map.bytes("max_decompressed", {.min = 1024, .max = 1ULL << 30}, out.max_decompressed);
  out.memory = map.bytes("memory", {.min = 1 << 20}, out.memory);
  out.max_connections =
      static_cast<unsigned>(map.integer("max_connections", {1, 100'000}, out.max_connections));
  out.threads = static_cast<unsigned>(map.integer("threads", {1, 64}, out.threads));
  out.max_header = map.bytes("max_header", {.min = 1024, .max = 1 << 20}, out.max_header);
  out.header_timeout = map.duration("header_timeout", {.min = 100 * kMillisecond}, out.header_timeout);
  out.body_timeout = map.duration("body_timeout", {.min = 100 * kMillisecond}, out.body_timeout);
  out.body_rate = map.rate("body_rate", {.min = 1}, out.body_rate);
  out.idle_timeout = map.duration("idle_timeout", {.min = 100 * kMillisecond}, out.idle_timeout);
  out.idempotency_keys = static_cast<std::size_t>(
      map.integer("idempotency_keys", {0, 10'000'000}, static_cast<std::int64_t>(out.idempotency_keys)));
  out.idempotency_age = map.duration("idempotency_age", {.min = kSecond}, out.idempotency_age);
  if (const Status status = check(out); !status.ok()) map.violates("listen", status.error().detail);
  return out;
}

}  // namespace tidegate
