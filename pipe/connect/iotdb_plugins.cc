// SPDX-License-Identifier: Apache-2.0
// The connectors that IoTDB has, with the attributes of its manual. The air gap is carried by the link of the
// sender; those that speak thrift can be created, and wait for a version that makes them.
#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

#include "pipe/connect/connector_plugin.h"
#include "pipe/connect/gather_options.h"
#include "pipe/connect/node_urls.h"

namespace tidegate {
namespace {

constexpr GatherOptions kThriftGather{.bytes = 16 << 20, .delay = kSecond};
constexpr const char* kNoThrift = "this version cannot speak thrift to IoTDB yet";

std::vector<AttributeSpec> joined(std::vector<AttributeSpec> a, std::vector<AttributeSpec> b) {
  std::ranges::move(b, std::back_inserter(a));
  return a;
}

ConnectorPlugin thrift_plugin(std::string name, std::vector<std::string> aliases,
                              const std::string& class_name) {
  ConnectorPlugin plugin;
  plugin.info = builtin_connector(std::move(name), std::move(aliases), class_name,
                                  joined(address_attributes("thrift."), gather_attributes(kThriftGather)));
  plugin.info.unavailable = kNoThrift;
  plugin.find_misfits = find_address_misfits;
  return plugin;
}

}  // namespace

ConnectorPlugin iotdb_thrift_plugin() {
  return thrift_plugin("iotdb-thrift-connector",
                       {"iotdb-thrift-sink", "iotdb-thrift-sync-connector", "iotdb-thrift-sync-sink"},
                       "IoTDBThriftSyncConnector");
}

ConnectorPlugin iotdb_thrift_async_plugin() {
  return thrift_plugin("iotdb-thrift-async-connector", {"iotdb-thrift-async-sink"},
                       "IoTDBThriftAsyncConnector");
}

ConnectorPlugin iotdb_legacy_pipe_plugin() {
  std::vector<AttributeSpec> attributes = address_attributes();
  attributes.pop_back();  // it knows no node-urls
  for (AttributeSpec& spec : attributes) spec.required = true;
  attributes = joined(
      std::move(attributes),
      {{.name = "user", .default_value = "root", .description = "may write and load TsFiles at the target"},
       {.name = "password",
        .default_value = "root",
        .description = "of the user: the text itself, file:/path, env:NAME or credential:NAME",
        .secret = true},
       {.name = "version",
        .default_value = "1.1",
        .description = "what it says to be, so the target takes it"}});
  ConnectorPlugin plugin;
  plugin.info = builtin_connector("iotdb-legacy-pipe-connector", {"iotdb-legacy-pipe-sink"},
                                  "IoTDBLegacyPipeConnector", std::move(attributes));
  plugin.info.unavailable = kNoThrift;
  return plugin;
}

// Without an address it is the link of the configuration.
ConnectorPlugin iotdb_air_gap_plugin() {
  ConnectorPlugin plugin;
  plugin.info = builtin_connector(
      "iotdb-air-gap-connector", {"iotdb-air-gap-sink", "air-gap-connector", "air-gap-sink"},
      "AirGapConnector",
      joined(address_attributes(),
             {{.name = "dialect",
               .type = AttributeType::kChoice,
               .default_value = "native",
               .description = "native: to a tidegate-receiver; iotdb: to the air-gap port of an IoTDB",
               .choices = {"native", "iotdb"}},
              {.name = "air-gap.handshake-timeout-ms",
               .type = AttributeType::kInteger,
               .default_value = "5000",
               .description = "how long connecting and the handshake may take, in milliseconds",
               .min = 1,
               .max = 3'600'000,
               .aliases = {"handshake-timeout-ms"}},
              {.name = "air-gap.e-language.enable",
               .type = AttributeType::kBool,
               .default_value = "false",
               .description = "wrap every frame as E language, which reverse devices want",
               .aliases = {"e-language.enable"}}}));
  plugin.find_misfits = [](const Attributes& attributes, const ConnectorContext& context) {
    const bool none = std::ranges::none_of(std::array{"ip", "port", "node-urls"}, [&](const char* name) {
      return attributes.values.contains(name);
    });
    return none ? std::vector<Misfit>() : find_address_misfits(attributes, context);
  };
  return plugin;
}

}  // namespace tidegate
