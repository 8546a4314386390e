// SPDX-License-Identifier: Apache-2.0
// One request to a ControlServer, for the operator's command and for tests. Blocking, any thread.
#pragma once

#include <map>
#include <string>

#include "base/env.h"
#include "base/net.h"
#include "base/result.h"

namespace tidegate {

struct ControlTarget {
  std::string socket;  // path; empty: `address`
  Endpoint address;
  std::string text() const { return socket.empty() ? "http://" + address.text() : socket; }
};

struct ControlRequest {
  std::string method = "GET";
  std::string path;
  std::string body;
  Nanos timeout = 10 * kSecond;  // of everything
  std::map<std::string, std::string> headers = {};
};

struct ControlResponse {
  unsigned status = 0;
  std::string body;
};

// kUnreachable (nobody serves there, or no permission: the message says which), kTimeout, kMalformed.
Result<ControlResponse> ask_control(const ControlTarget& target, const ControlRequest& request);

// "http://host:port" or "host:port".
Result<ControlTarget> parse_control_url(const std::string& url);

}  // namespace tidegate
