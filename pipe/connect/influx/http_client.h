// SPDX-License-Identifier: Apache-2.0
// HttpClient: one keep-alive HTTP/1.1 connection to one server, for a connector that blocks in its own
// thread.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/env.h"
#include "base/result.h"

namespace tidegate {

struct HttpTarget {
  bool tls = false;
  std::string host;  // IPv6 without brackets
  std::uint16_t port = 0;
  std::string base_path;     // "" or "/prefix", without a slash at the end
  std::string text() const;  // http://host:port/prefix
};
// http://host[:port][/prefix] or https://…; default port 8086. Credentials, query and fragment are refused:
// kInvalidConfiguration.
Result<HttpTarget> parse_http_url(std::string_view url);
// Every byte but letters, digits and -._~ as %XX.
std::string percent_encode(std::string_view text);

struct HttpRequest {
  std::string_view method = "POST";
  std::string target;  // path and query, percent-encoded, without the base path
  std::vector<std::pair<std::string, std::string>> headers;
  ByteView body;
};

struct HttpResponse {
  int status = 0;
  std::string retry_after;  // the header; empty: none
  std::string body;         // at most 1 MiB
};

class HttpClient {
 public:
  virtual ~HttpClient() = default;
  // Connects when needed. A request on a kept connection that the server has closed meanwhile is sent once
  // more on a new one, so requests must be repeatable. `timeout` is for the whole exchange. `stop` is asked
  // often: true ends it with kClosed. kUnreachable, kTimeout, kClosed, kMalformed (no HTTP, or too large).
  // Messages hold no header.
  virtual Result<HttpResponse> send(const HttpRequest& request, Nanos timeout,
                                    const std::function<bool()>& stop) = 0;
  virtual void close() = 0;
};

struct HttpClientOptions {
  HttpTarget target;
  bool verify_tls = true;  // https: chain and host name
  std::string ca_file;     // https: PEM; empty: the system's
};
// kInvalidConfiguration: the certificates cannot be read.
Result<std::unique_ptr<HttpClient>> make_http_client(const HttpClientOptions& options);

}  // namespace tidegate
