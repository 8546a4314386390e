// SPDX-License-Identifier: Apache-2.0
// Where a connector of IoTDB's goes: 'ip' and 'port', or 'node-urls' = 'host:port,[v6]:port,...'. One of the
// two, as IoTDB's manual says.
#pragma once

#include <string>
#include <vector>

#include "base/net.h"
#include "pipe/connect/connector_plugin.h"

namespace tidegate {

constexpr std::size_t kMostNodeUrls = 64;

// ip (host), port, node-urls. `more_aliases`: of ip and port, with this in front of "host" and "port".
std::vector<AttributeSpec> address_attributes(const std::string& prefixed_alias = {});
std::vector<Misfit> find_address_misfits(const Attributes& attributes, const ConnectorContext& context);
// At least one, in the order written, each once. Of attributes without misfits; else kInvalidArgument.
Result<std::vector<Endpoint>> read_addresses(const Attributes& attributes);

}  // namespace tidegate
