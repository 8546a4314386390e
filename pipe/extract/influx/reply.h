// SPDX-License-Identifier: Apache-2.0
// An answer of the HTTP source, and its bytes. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "protocol/influx/http_errors.h"
#include "protocol/influx/precision.h"

namespace tidegate {

struct HttpReply {
  int status = 204;
  std::string body;
  std::string content_type = "application/json";
  std::vector<std::pair<std::string, std::string>> headers;
};

// Adds what the real servers add: X-Influxdb-Error (1.x) or X-Platform-Error-Code (2.x), WWW-Authenticate
// with 401, Retry-After.
HttpReply make_reply(influx::Api api, influx::HttpAnswer answer);
// The error of either API in its own form.
HttpReply error_reply(influx::Api api, int status, std::string_view message);
HttpReply unavailable_reply(influx::Api api, std::string_view why, std::uint32_t retry_after_seconds);
HttpReply too_large_reply(influx::Api api);

struct RenderOptions {
  unsigned version = 11;  // 10 or 11
  bool keep_alive = true;
  bool head = false;             // HEAD: headers only
  std::int64_t wall_micros = 0;  // for Date
  std::string_view server_version;
  std::string_view request_id;  // the client's own, or one made for it
};
// Status line, headers and body.
std::string render(const HttpReply& reply, const RenderOptions& options);

}  // namespace tidegate
