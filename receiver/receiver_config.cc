// SPDX-License-Identifier: Apache-2.0
#include "receiver/receiver_config.h"

#include <set>

#include "base/yaml_net.h"

namespace tidegate {
namespace {

FileSinkOptions read_file_sink(YamlMap& sink, const std::string& name) {
  FileSinkOptions o;
  o.name = name;
  o.directory = sink.string("directory");
  o.format = sink.one_of<FileFormat>(
      "format", {{"line-protocol", FileFormat::kLineProtocol}, {"csv", FileFormat::kCsv}},
      FileFormat::kLineProtocol);
  o.rotate_bytes = sink.bytes("rotate_bytes", {.min = 4096}, o.rotate_bytes);
  o.rotate_interval = sink.duration("rotate_interval", {}, o.rotate_interval);
  return o;
}

InfluxSinkOptions read_influx_sink(YamlMap& sink) {
  InfluxSinkOptions o;
  o.url = sink.string("url");
  if (const auto target = parse_http_url(o.url); !o.url.empty() && !target.ok())
    sink.violates("url", target.error().detail);
  const auto version = sink.integer("version", {1, 2}, 1);
  o.version = version == 1 ? InfluxVersion::kV1 : InfluxVersion::kV2;
  o.database = sink.string(version == 1 ? "database" : "bucket", "");
  if (version == 1) {
    o.retention_policy = sink.string("retention_policy", "");
  } else {
    o.org = sink.string("org");
  }
  o.create_database = sink.boolean("create_database", false);
  o.missing_target_timeout = sink.duration("missing_target_timeout", {}, o.missing_target_timeout);
  o.user = sink.string("user", "");
  o.password = sink.secret("password", Secret()).reveal();
  o.token = sink.secret("token", Secret()).reveal();
  if (!o.user.empty() && !o.token.empty()) sink.violates("token", "and user exclude each other");
  o.gzip = sink.boolean("gzip", true);
  o.timeout = sink.duration("timeout", {.min = kMillisecond}, o.timeout);
  o.verify_tls = sink.boolean("verify_tls", true);
  o.ca_file = sink.string("ca_file", "");
  return o;
}

void read_allow(YamlMap& link, ReceiverConfig& c) {
  if (!link.has("allow")) {
    static_cast<void>(c.allow.add("0.0.0.0/0"));
    static_cast<void>(c.allow.add("::/0"));
  }
  for (const std::string& block : link.strings("allow"))
    if (const Status status = c.allow.add(block); !status.ok()) link.violates("allow", status.error().detail);
}

void read_sinks(YamlMap& root, ReceiverConfig& c) {
  std::set<std::string> names;
  for (YamlMap& map : root.maps("sinks")) {
    ReceiverConfig::Sink sink;
    sink.name = map.string("name");
    if (!names.insert(sink.name).second) map.violates("name", "is used by another sink");
    sink.holds = map.one_of<bool>("retention", {{"essential", true}, {"best-effort", false}}, true);
    const int type = map.one_of<int>("type", {{"file", 0}, {"influx", 1}});
    if (type == 0) {
      sink.target = read_file_sink(map, sink.name);
    } else {
      sink.target = read_influx_sink(map);
    }
    c.sinks.push_back(std::move(sink));
  }
}

}  // namespace

Result<ReceiverConfig> load_receiver_config(FileSystem& files, const std::string& path) {
  TG_TRY(const auto file, YamlFile::load(files, path));
  YamlMap root = file->root();
  ReceiverConfig c;
  c.daemon = read_daemon(files, root, path);
  YamlMap link = root.map("link");
  c.link = read_link(files, link);
  c.listen = read_endpoint(link, "listen", "0.0.0.0:9780");
  c.receiver_id = read_id(link, "receiver_id");
  if (c.receiver_id.is_zero()) c.receiver_id = id_of_instance("receiver", c.daemon.instance);
  c.accept_new_senders = link.one_of<bool>("new_senders", {{"accept", true}, {"ask-operator", false}}, true);
  c.accept_new_journals =
      link.one_of<bool>("new_journals", {{"accept", true}, {"ask-operator", false}}, false);
  read_allow(link, c);
  read_sinks(root, c);
  TG_CHECK(file->finish());
  return c;
}

}  // namespace tidegate
