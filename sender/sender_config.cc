// SPDX-License-Identifier: Apache-2.0
#include "sender/sender_config.h"

#include <set>

#include "base/version.h"
#include "base/yaml_net.h"
#include "pipe/control/iotdb_names.h"
#include "pipe/engine/pipe_name.h"

namespace tidegate {
namespace {

void read_sources(YamlMap& root, SenderConfig& c, Listeners& listeners) {
  std::set<std::string> names;
  for (YamlMap& source : root.maps("sources")) {
    SenderConfig::HttpSource http;
    http.name = source.string("name");
    if (const Status status = check_pipe_name(http.name); !status.ok() && source.has("name"))
      source.violates("name", "is refused: " + status.error().detail);
    if (!names.insert(http.name).second) source.violates("name", "is used by another source");
    source.one_of<int>("type", {{"influx-http", 0}});
    http.options = read_influx_http(source);
    listeners.add(source, "listen", http.options.listen, "source '" + http.name + "'");
    http.options.source = http.name;
    http.options.version = kVersion;
    c.http_sources.push_back(std::move(http));
  }
  if (c.http_sources.empty()) root.warns("sources", "names no source: this sender will take no data");
}

// `link.remote`, or IoTDB's names for it.
void read_remote(YamlMap& link, const IotdbSettings& iotdb, SenderConfig& c) {
  c.remote = read_endpoint(link, "remote", iotdb.server);
  if (c.remote.port == 0 || c.remote.host.empty())
    link.violates("remote", "must name the device's inner address and port, host:port");
  if (iotdb.server && c.remote.text() != *iotdb.server)
    link.violates("remote",
                  "differs from 'server_ip' and 'server_port' (" + *iotdb.server + "): keep one of them");
}

void read_rate(YamlMap& link, LinkConfig& c) {
  const std::uint64_t device = c.profile.rate;
  const std::uint64_t rate = link.rate("rate", {}, device);
  need_test(link, "rate", device != 0 && (rate == 0 || rate > device), link.boolean("rate_tested", false), c,
            show_byte_size(device) + "/s");
  if (rate != 0 && rate < c.profile.lowest_rate && link.has("rate"))
    link.violates("rate", "must be at least lowest_rate (" + show_byte_size(c.profile.lowest_rate) +
                              "/s): else the timeouts reckon with more than is sent");
  c.profile.rate = rate;
}

}  // namespace

Result<SenderConfig> load_sender_config(FileSystem& files, const std::string& path, YamlUse use) {
  TG_TRY(const auto file, YamlFile::load(files, path, use));
  YamlMap root = file->root();
  SenderConfig c;
  Listeners listeners;
  c.daemon = read_daemon(files, root, path, &listeners);
  YamlMap link = root.map("link");
  c.link = read_link(files, link);
  read_remote(link, read_iotdb_names(root, DaemonRole::kSender), c);
  c.sender_id = read_id(link, "sender_id");
  if (c.sender_id.is_zero()) c.sender_id = id_of_instance("sender", c.daemon.instance);
  c.receiver_expected = read_id(link, "receiver_id");
  c.declare_gaps = link.one_of<bool>("on_gap", {{"stop", false}, {"declare", true}}, false);
  read_rate(link, c.link);
  c.frame_level = static_cast<int>(link.integer("compression_level", {1, 19}, 3));
  YamlMap ingest = root.map("ingest");
  c.ingest.batch_bytes = ingest.bytes("batch", {4 << 10, 8 << 20}, c.ingest.batch_bytes);
  c.ingest.pending_bytes = ingest.bytes("pending", {64 << 10, 4ULL << 30}, c.ingest.pending_bytes);
  c.ingest.level = static_cast<int>(ingest.integer("compression_level", {1, 19}, 1));
  read_sources(root, c, listeners);
  c.pipes = read_pipes(root, path);
  if (!root.has("pipes"))
    c.pipes.push_back(yaml_pipe("air-gap", {}, {"iotdb-air-gap-connector", {}}, path, root.mark("link")));
  c.plugin_dir = root.string("pipe_lib_dir", std::string());
  c.dialect = read_dialect(root);
  TG_CHECK(file->finish());
  c.daemon.warnings = file->warnings();
  c.daemon.values = without_idle_names(file->values());
  return c;
}

std::vector<std::string> sender_settings_at_once() {
  return {"log.level", "pipes"};
}

}  // namespace tidegate
