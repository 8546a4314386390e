// SPDX-License-Identifier: Apache-2.0
#include "pipe/control/daemon_config.h"

#include <sys/un.h>

#include <algorithm>

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

// A name that people read and that the identity is made of: it must be there, and be printable.
void check_instance(YamlMap& root, const std::string& name) {
  constexpr std::size_t kLongest = 200;
  const bool control = std::ranges::any_of(name, [](unsigned char c) { return c < 0x20 || c == 0x7F; });
  const bool blank = name.find_first_not_of(' ') == std::string::npos;
  if (root.has("instance") && (blank || control || name.size() > kLongest))
    root.violates("instance", "must be a name of 1 to 200 bytes, without control characters");
}

void check_path(YamlMap& map, std::string_view key, const std::string& path) {
  if (map.has(key) && !path.starts_with('/')) map.violates(key, "must be an absolute path");
}

void check_socket(YamlMap& control, const std::string& path) {
  if (path.empty()) return;
  check_path(control, "socket", path);
  constexpr std::size_t kRoom = sizeof(sockaddr_un::sun_path) - 1;
  if (path.size() > kRoom)
    control.violates("socket", "must have at most " + std::to_string(kRoom) + " bytes: Linux allows no more");
}

// How the kernel sees it: 0.0.0.0 and :: take the port on every address.
bool collide(const Endpoint& a, const Endpoint& b) {
  const auto any = [](const Endpoint& e) { return e.host == "0.0.0.0" || e.host == "::" || e.host.empty(); };
  const auto host = [](const Endpoint& e) { return e.host == "localhost" ? "127.0.0.1" : e.host; };
  return a.port == b.port && (any(a) || any(b) || host(a) == host(b));
}

}  // namespace

void Listeners::add(YamlMap& map, std::string_view key, const Endpoint& endpoint, const std::string& what) {
  if (endpoint.port == 0) return;
  for (const auto& [other, whose] : taken_)
    if (collide(endpoint, other)) map.violates(key, "is taken: " + whose + " listens on " + other.text());
  taken_.emplace_back(endpoint, what);
}

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

JournalOptions outbox_options(const DaemonConfig& config) {
  JournalOptions out = config.journal;
  out.directory.clear();
  // Room is made segment by segment: a few must fit, and a few of the largest records.
  if (out.quota_bytes != 0) out.quota_bytes = std::max<std::uint64_t>(out.quota_bytes / 4, 4 << 20);
  out.segment_bytes = std::min<std::uint64_t>(out.segment_bytes, 16 << 20);
  if (out.quota_bytes != 0) out.segment_bytes = std::min(out.segment_bytes, out.quota_bytes / 4);
  out.reserve_bytes = std::min<std::uint64_t>(out.reserve_bytes, 1 << 20);
  return out;
}

DaemonConfig read_daemon(FileSystem& files, YamlMap& root, const std::string& path, Listeners* listeners) {
  DaemonConfig c;
  c.path = path;
  c.instance = root.string("instance");
  check_instance(root, c.instance);
  c.data_dir = root.string("data_dir");
  check_path(root, "data_dir", c.data_dir);
  YamlMap log = root.map("log");
  c.log_level = log.one_of<LogLevel>("level",
                                     {{"debug", LogLevel::kDebug},
                                      {"info", LogLevel::kInfo},
                                      {"warning", LogLevel::kWarning},
                                      {"error", LogLevel::kError}},
                                     LogLevel::kInfo);
  YamlMap control = root.map("control");
  c.control = read_endpoint(control, "listen", "");
  const bool exposed = control.boolean("expose", false);
  if (!c.control.host.empty() && !is_loopback(c.control) && !exposed)
    control.violates(
        "listen",
        "is not a loopback address: status and metrics have no password; say `expose: true` if meant");
  if (listeners != nullptr) listeners->add(control, "listen", c.control, "control");
  c.control_socket = control.string("socket", "");
  check_socket(control, c.control_socket);
  YamlMap journal = root.map("journal");
  c.journal.directory = c.data_dir + "/journal";
  c.journal.segment_bytes = journal.bytes("segment", {1 << 20, 4ULL << 30}, 64ULL << 20);
  c.journal.quota_bytes = journal.bytes("quota", {.min = 4 << 20}, 20ULL << 30);
  c.journal.min_free_bytes = journal.bytes("min_free", {}, 1ULL << 30);
  c.journal.reserve_bytes = journal.bytes("reserve", {.min = 1 << 20}, 16ULL << 20);
  c.journal.machine_id = journal.boolean("bind_to_machine", true) ? machine_id(files) : "";
  // Space is freed by whole segments, and a share of the quota is kept as the safety window: with fewer, one
  // segment could hold up the producers until its window is over.
  if (c.journal.quota_bytes < 4 * c.journal.segment_bytes)
    journal.violates("quota",
                     "must be at least four segments (" + show_byte_size(4 * c.journal.segment_bytes) + ")");
  c.window.micros = journal.duration("safety_window", {}, 24 * 3600 * kSecond) / kMicrosecond;
  c.window.quota_percent = static_cast<std::uint32_t>(journal.integer("safety_window_percent", {0, 90}, 20));
  return c;
}

}  // namespace tidegate
