// SPDX-License-Identifier: Apache-2.0
#include <charconv>

#include "pipe/connect/influx/http_client.h"

namespace tidegate {
namespace {

constexpr std::uint16_t kDefaultPort = 8086;

Error refuse(std::string_view why) {
  // The URL itself is not repeated: it may hold a password.
  return make_error(ErrorCode::kInvalidConfiguration,
                    "the URL of the target " + std::string(why) +
                        "; it looks like http://host:8086 or https://host:8086/prefix");
}

Status take_authority(std::string_view authority, HttpTarget* out) {
  if (authority.find('@') != std::string_view::npos)
    return refuse("holds credentials, which belong into their own keys");
  std::string_view port;
  if (authority.starts_with('[')) {
    const std::size_t close = authority.find(']');
    if (close == std::string_view::npos) return refuse("has an IPv6 address without ']'");
    out->host = authority.substr(1, close - 1);
    port = authority.substr(close + 1);
  } else {
    const std::size_t colon = authority.find(':');
    out->host = authority.substr(0, colon);
    if (colon != std::string_view::npos) port = authority.substr(colon);
  }
  if (out->host.empty()) return refuse("names no host");
  out->port = kDefaultPort;
  if (port.empty()) return {};
  const auto [end, error] = std::from_chars(port.data() + 1, port.data() + port.size(), out->port);
  if (port.front() != ':' || error != std::errc() || end != port.data() + port.size() || out->port == 0) {
    return refuse("has a port that is not a number from 1 to 65535");
  }
  return {};
}

}  // namespace

std::string HttpTarget::text() const {
  const std::string shown = host.find(':') == std::string::npos ? host : "[" + host + "]";
  return (tls ? "https://" : "http://") + shown + ":" + std::to_string(port) + base_path;
}

Result<HttpTarget> parse_http_url(std::string_view url) {
  HttpTarget out;
  if (url.starts_with("https://")) {
    out.tls = true;
    url.remove_prefix(8);
  } else if (url.starts_with("http://")) {
    url.remove_prefix(7);
  } else {
    return refuse("begins with neither http:// nor https://");
  }
  if (url.find_first_of("?# \t\r\n") != std::string_view::npos)
    return refuse("holds a query, a fragment or a blank");
  const std::size_t slash = url.find('/');
  TG_CHECK(take_authority(url.substr(0, slash), &out));
  if (slash != std::string_view::npos) out.base_path = url.substr(slash);
  while (out.base_path.ends_with('/')) out.base_path.pop_back();
  return out;
}

std::string percent_encode(std::string_view text) {
  constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '.' || c == '_' || c == '~';
    if (plain) {
      out += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out += '%';
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    }
  }
  return out;
}

}  // namespace tidegate
