// SPDX-License-Identifier: Apache-2.0
// The names that IoTDB's properties files give to settings of its data sync, Edge-Cloud sync and TsFile sync:
// what each sets here, or why it has no counterpart. Both daemons accept them in the root of their YAML file,
// with IoTDB's types and defaults, and `tidegate import-properties` turns a properties file into YAML by the
// same table. doc/configuration.md shows it; a test holds both together.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/yaml.h"
#include "pipe/control/allow_list.h"

namespace tidegate {

enum class DaemonRole : std::uint8_t { kSender, kReceiver };
std::string_view role_name(DaemonRole role);  // "sender", "receiver"

struct IotdbName {
  enum class Kind : std::uint8_t { kText, kPath, kFlag, kNumber, kPort, kAddress, kBlocks };
  enum class Fate : std::uint8_t {
    kSets,   // `meaning` is the key that it sets
    kLater,  // its default holds; `meaning` says what is missing for another value
    kNone,   // never has an effect; `meaning` says why
  };
  std::string_view name;
  Kind kind;
  std::string_view fallback;          // IoTDB's default
  std::optional<DaemonRole> only_of;  // nothing: of both daemons
  Fate fate;
  std::string_view meaning;
};

std::span<const IotdbName> iotdb_names();
const IotdbName* find_iotdb_name(std::string_view name);  // null: not one of them
// kInvalidArgument: what the value must be.
Status check_iotdb_value(const IotdbName& name, const std::string& value);
// What an operator should know of it in the configuration of `role`; empty: nothing.
std::string iotdb_note(const IotdbName& name, const std::string& value, DaemonRole role);

// What the names of a file set that a daemon reads in a section of its own.
struct IotdbSettings {
  std::string white_list_name;  // as it stands in the file; empty: neither of both
  AllowList white_list;
  std::optional<std::uint16_t> receiver_port;
  std::optional<std::string> server;  // host:port of the sync receiver
};

// Reads all of them. Wrong values are reported at their key; what has no effect is a warning there.
IotdbSettings read_iotdb_names(YamlMap& root, DaemonRole role);
// The device address that server_ip and server_port name, one of them perhaps by its default: host:port.
std::string sync_server(const std::optional<std::string>& host, const std::optional<std::string>& port);
// Without the names that set nothing: no change of them matters.
YamlValues without_idle_names(YamlValues values);

}  // namespace tidegate
