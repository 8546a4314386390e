// SPDX-License-Identifier: Apache-2.0
#include "pipe/control/daemon_config.h"

#include "base/yaml_net.h"

namespace tidegate {
namespace {

std::string machine_id(FileSystem& files) {
  const auto content = read_file(files, "/etc/machine-id", 256);
  if (!content.ok()) return {};
  std::string id(as_text(*content));
  while (!id.empty() && (id.back() == '\n' || id.back() == ' ')) id.pop_back();
  return id;
}

}  // namespace

Id read_id(YamlMap& map, std::string_view key) {
  const std::string text = map.string(key, "");
  Bytes bytes;
  if (text.empty()) return {};
  if (text.size() != 32 || !from_hex(text, &bytes)) {
    map.violates(key, "must be 32 hexadecimal digits, as `tidegate status` of the other side shows them");
    return {};
  }
  Id id;
  std::copy(bytes.begin(), bytes.end(), id.bytes.begin());
  return id;
}

Id id_of_instance(std::string_view role, const std::string& instance) {
  return xxh3_128(as_bytes("tidegate " + std::string(role) + " " + instance));
}

DaemonConfig read_daemon(FileSystem& files, YamlMap& root, const std::string& path) {
  DaemonConfig c;
  c.path = path;
  c.instance = root.string("instance");
  c.data_dir = root.string("data_dir");
  if (!c.data_dir.empty() && c.data_dir.front() != '/') root.violates("data_dir", "must be an absolute path");
  YamlMap log = root.map("log");
  c.log_level = log.one_of<LogLevel>("level",
                                     {{"debug", LogLevel::kDebug},
                                      {"info", LogLevel::kInfo},
                                      {"warning", LogLevel::kWarning},
                                      {"error", LogLevel::kError}},
                                     LogLevel::kInfo);
  YamlMap control = root.map("control");
  c.control = read_endpoint(control, "listen", "");
  if (!c.control.host.empty() && c.control.host != "127.0.0.1" && c.control.host != "::1" &&
      c.control.host != "localhost" && !control.boolean("expose", false))
    control.violates(
        "listen",
        "is not a loopback address: status and metrics have no password; say `expose: true` if meant");
  c.control_socket = control.string("socket", "");
  YamlMap journal = root.map("journal");
  c.journal.directory = c.data_dir + "/journal";
  c.journal.segment_bytes = journal.bytes("segment", {1 << 20, 4ULL << 30}, 64ULL << 20);
  c.journal.quota_bytes = journal.bytes("quota", {.min = 4 << 20}, 20ULL << 30);
  c.journal.min_free_bytes = journal.bytes("min_free", {}, 1ULL << 30);
  c.journal.reserve_bytes = journal.bytes("reserve", {.min = 1 << 20}, 16ULL << 20);
  c.journal.machine_id = journal.boolean("bind_to_machine", true) ? machine_id(files) : "";
  if (c.journal.quota_bytes < 2 * c.journal.segment_bytes)
    journal.violates("quota",
                     "must be at least two segments (" + show_byte_size(2 * c.journal.segment_bytes) + ")");
  c.window.micros = journal.duration("safety_window", {}, 24 * 3600 * kSecond) / kMicrosecond;
  c.window.quota_percent = static_cast<std::uint32_t>(journal.integer("safety_window_percent", {0, 90}, 20));
  return c;
}

}  // namespace tidegate
