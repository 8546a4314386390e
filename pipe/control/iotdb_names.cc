// SPDX-License-Identifier: Apache-2.0
#include "pipe/control/iotdb_names.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace tidegate {
namespace {

using Kind = IotdbName::Kind;
using Fate = IotdbName::Fate;

constexpr auto kSender = DaemonRole::kSender;
constexpr auto kReceiver = DaemonRole::kReceiver;
constexpr std::string_view kThrift = "connectors that speak thrift to IoTDB come later";
constexpr std::string_view kSyncServer =
    "a server for IoTDB's older sync protocols comes later; what crosses the device arrives at link.listen";
constexpr std::string_view kDirectories = "a source that uploads closed files of a directory comes later";

constexpr std::array kNames = {
    // Data sync
    IotdbName{"pipe_lib_dir", Kind::kPath, "", {}, Fate::kSets, "pipe_lib_dir"},
    IotdbName{"pipe_subtask_executor_max_thread_num",
              Kind::kNumber,
              "5",
              {},
              Fate::kNone,
              "every pipe has threads of its own, so there is no pool to limit"},
    IotdbName{"pipe_connector_timeout_ms", Kind::kNumber, "900000", {}, Fate::kLater, kThrift},
    IotdbName{"pipe_async_connector_selector_number", Kind::kNumber, "1", {}, Fate::kLater, kThrift},
    IotdbName{"pipe_async_connector_core_client_number", Kind::kNumber, "8", {}, Fate::kLater, kThrift},
    IotdbName{"pipe_async_connector_max_client_number", Kind::kNumber, "16", {}, Fate::kLater, kThrift},
    IotdbName{
        "pipe_air_gap_receiver_enabled", Kind::kFlag, "false", kReceiver, Fate::kLater,
        "link.listen takes frames of tidegate-sender; those of IoTDB's own air-gap connector come later"},
    IotdbName{"pipe_air_gap_receiver_port", Kind::kPort, "9780", kReceiver, Fate::kSets, "link.listen"},
    // Edge-Cloud sync, TsFile sync
    IotdbName{"ip_white_list", Kind::kBlocks, "0.0.0.0/0", kReceiver, Fate::kSets, "link.allow"},
    IotdbName{"IP_white_list", Kind::kBlocks, "0.0.0.0/0", kReceiver, Fate::kSets, "link.allow"},
    IotdbName{"pipe_server_port", Kind::kPort, "6670", kReceiver, Fate::kLater, kSyncServer},
    IotdbName{"sync_server_port", Kind::kPort, "6670", kReceiver, Fate::kLater, kSyncServer},
    IotdbName{"is_sync_enable", Kind::kFlag, "false", kReceiver, Fate::kLater, kSyncServer},
    IotdbName{"max_number_of_sync_file_retry", Kind::kNumber, "5", kSender, Fate::kLater,
              "a limit of attempts comes later; pipes try again for ever, with growing pauses"},
    IotdbName{"server_ip", Kind::kAddress, "127.0.0.1", kSender, Fate::kSets, "link.remote"},
    IotdbName{"server_port", Kind::kPort, "5555", kSender, Fate::kSets, "link.remote"},
    IotdbName{"sync_period_in_second", Kind::kNumber, "600", kSender, Fate::kLater, kDirectories},
    IotdbName{"iotdb_schema_directory", Kind::kText, "", kSender, Fate::kLater, kDirectories},
    IotdbName{"sync_storage_groups", Kind::kText, "", kSender, Fate::kLater,
              "a pipe takes one `extractor.pattern`: say one pipe for each group"},
};

Status must(bool holds, const char* be, const std::string& value) {
  if (holds) return {};
  return make_error(ErrorCode::kInvalidArgument, std::string("must be ") + be + ", not '" + value + "'");
}

bool is_number(const std::string& text, std::uint32_t most) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && value <= most;
}

bool is_default(const IotdbName& name, const std::string& value) {
  // The two documents that print sync_server_port disagree; both mean "left as it was".
  return value == name.fallback || (name.name == "sync_server_port" && value == "5555");
}

bool is_address(const std::string& text) {
  return !text.empty() && text.find_first_of(" \t,/") == std::string::npos;
}

std::uint16_t port_of(const std::string& text) {
  return static_cast<std::uint16_t>(std::stoul(text));
}

void take_white_list(YamlMap& root, const IotdbName& name, const std::string& value, IotdbSettings& out) {
  if (!out.white_list_name.empty())
    root.violates(name.name, "stands beside '" + out.white_list_name + "': keep one of them");
  out.white_list_name = name.name;
  if (auto list = parse_white_list(value); list.ok()) out.white_list = std::move(list).value();
  for (const std::string& doubt : white_list_doubts(value)) root.warns(name.name, doubt);
}

}  // namespace

std::string_view role_name(DaemonRole role) {
  return role == kSender ? "sender" : "receiver";
}

std::span<const IotdbName> iotdb_names() {
  return kNames;
}

const IotdbName* find_iotdb_name(std::string_view name) {
  const auto* const found = std::ranges::find(kNames, name, &IotdbName::name);
  return found == kNames.end() ? nullptr : found;
}

Status check_iotdb_value(const IotdbName& name, const std::string& value) {
  switch (name.kind) {
    case Kind::kText:
      return {};
    case Kind::kPath:
      return must(value.empty() || value.starts_with('/'), "an absolute path", value);
    case Kind::kFlag:
      return must(value == "true" || value == "false", "true or false", value);
    case Kind::kNumber:
      return must(is_number(value, 2147483647), "an integer from 0 to 2147483647", value);
    case Kind::kPort:
      return must(is_number(value, 65535), "a port from 0 to 65535", value);
    case Kind::kAddress:
      return must(is_address(value), "an address or the name of a host", value);
    case Kind::kBlocks: {
      const auto list = parse_white_list(value);
      return list.ok() ? Status() : Status(list.error());
    }
  }
  return {};
}

std::string iotdb_note(const IotdbName& name, const std::string& value, DaemonRole role) {
  if (name.only_of && *name.only_of != role)
    return "is a setting of the " + std::string(role_name(*name.only_of)) + ": it does nothing here";
  if (name.fate == Fate::kNone) return "does nothing: " + std::string(name.meaning);
  if (name.fate == Fate::kLater && !is_default(name, value))
    return "does nothing yet: " + std::string(name.meaning);
  return {};
}

IotdbSettings read_iotdb_names(YamlMap& root, DaemonRole role) {
  IotdbSettings out;
  std::optional<std::string> host, port;
  for (const IotdbName& name : kNames) {
    const std::string value = root.string(name.name, std::string(name.fallback));
    if (!root.has(name.name)) continue;
    if (const Status fits = check_iotdb_value(name, value); !fits.ok()) {
      root.violates(name.name, fits.error().detail);
      continue;
    }
    if (const std::string note = iotdb_note(name, value, role); !note.empty()) root.warns(name.name, note);
    if (name.only_of && *name.only_of != role) continue;
    if (name.kind == Kind::kBlocks) take_white_list(root, name, value, out);
    if (name.name == "pipe_air_gap_receiver_port") out.receiver_port = port_of(value);
    if (name.name == "server_ip") host = value;
    if (name.name == "server_port") port = value;
  }
  if (host || port) out.server = sync_server(host, port);
  return out;
}

std::string sync_server(const std::optional<std::string>& host, const std::optional<std::string>& port) {
  const std::string at = host.value_or(std::string(find_iotdb_name("server_ip")->fallback));
  return (at.find(':') == std::string::npos ? at : "[" + at + "]") + ":" +
         port.value_or(std::string(find_iotdb_name("server_port")->fallback));
}

YamlValues without_idle_names(YamlValues values) {
  for (const IotdbName& name : kNames)
    if (name.fate != Fate::kSets) values.erase(std::string(name.name));
  return values;
}

}  // namespace tidegate
