// SPDX-License-Identifier: Apache-2.0
// Addresses as text in a YAML configuration and on command lines. Start-up only.
#pragma once

#include <optional>
#include <string>

#include "base/net.h"
#include "base/yaml.h"

namespace tidegate {

// "host:port", "[v6]:port" or ":port". kInvalidArgument.
Result<Endpoint> parse_endpoint(const std::string& text);
// Reports at `key` what is no address. An empty text reads as an empty endpoint (port 0).
Endpoint read_endpoint(YamlMap& map, std::string_view key, std::optional<std::string> fallback = {});
bool is_loopback(const Endpoint& endpoint);

}  // namespace tidegate
