// SPDX-License-Identifier: Apache-2.0
#include "sender/sender_config.h"

#include <set>

#include "base/yaml_net.h"
#include "pipe/control/version.h"

namespace tidegate {
namespace {

void read_sources(YamlMap& root, SenderConfig& c) {
  std::set<std::string> names;
  for (YamlMap& source : root.maps("sources")) {
    SenderConfig::HttpSource http;
    http.name = source.string("name");
    if (!names.insert(http.name).second) source.violates("name", "is used by another source");
    source.one_of<int>("type", {{"influx-http", 0}});
    http.options = read_influx_http(source);
    http.options.source = http.name;
    http.options.version = kVersion;
    c.http_sources.push_back(std::move(http));
  }
}

}  // namespace

Result<SenderConfig> load_sender_config(FileSystem& files, const std::string& path) {
  TG_TRY(const auto file, YamlFile::load(files, path));
  YamlMap root = file->root();
  SenderConfig c;
  c.daemon = read_daemon(files, root, path);
  YamlMap link = root.map("link");
  c.link = read_link(files, link);
  c.remote = read_endpoint(link, "remote");
  if (c.remote.port == 0) link.violates("remote", "must name the device's inner address and port, host:port");
  c.sender_id = read_id(link, "sender_id");
  if (c.sender_id.is_zero()) c.sender_id = id_of_instance("sender", c.daemon.instance);
  c.receiver_expected = read_id(link, "receiver_id");
  c.declare_gaps = link.one_of<bool>("on_gap", {{"stop", false}, {"declare", true}}, false);
  c.link.profile.rate = link.rate("rate", {}, c.link.profile.rate);
  c.frame_level = static_cast<int>(link.integer("compression_level", {1, 19}, 3));
  YamlMap ingest = root.map("ingest");
  c.ingest.batch_bytes = ingest.bytes("batch", {4 << 10, 8 << 20}, c.ingest.batch_bytes);
  c.ingest.pending_bytes = ingest.bytes("pending", {64 << 10, 4ULL << 30}, c.ingest.pending_bytes);
  c.ingest.level = static_cast<int>(ingest.integer("compression_level", {1, 19}, 1));
  read_sources(root, c);
  TG_CHECK(file->finish());
  return c;
}

}  // namespace tidegate
