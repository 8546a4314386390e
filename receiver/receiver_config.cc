// SPDX-License-Identifier: Apache-2.0
#include "receiver/receiver_config.h"

#include <set>

#include "base/yaml_net.h"
#include "pipe/engine/pipe_name.h"

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
  if (link.has("allow") && link.strings("allow").empty())
    link.warns("allow", "names nobody: no device may connect");
}

// Files that the daemon itself reads, removes or counts must stay apart from those that others take away.
void check_directory(YamlMap& sink, const std::string& directory, const ReceiverConfig& c) {
  if (directory.empty()) return;
  if (!directory.starts_with('/')) return sink.violates("directory", "must be an absolute path");
  const std::string& data = c.daemon.data_dir;
  for (const std::string& own : {data + "/journal", data + "/dead-letters"})
    if (is_within(directory, own))
      return sink.violates("directory", "lies in " + own + ", which is the daemon's own");
  if (is_within(data, directory))
    sink.violates("directory",
                  "holds the daemon's data_dir (" + data + "): give the files a folder of their own");
  for (const ReceiverConfig::Sink& other : c.sinks) {
    const auto* file = std::get_if<FileSinkOptions>(&other.target);
    if (file != nullptr && is_within(directory, file->directory) && is_within(file->directory, directory))
      sink.violates("directory", "is used by the sink '" + other.name + "': each needs a folder of its own");
  }
}

void read_sinks(YamlMap& root, ReceiverConfig& c) {
  std::set<std::string> names;
  for (YamlMap& map : root.maps("sinks")) {
    ReceiverConfig::Sink sink;
    sink.name = map.string("name");
    if (const Status status = check_pipe_name(sink.name); !status.ok() && map.has("name"))
      map.violates("name", "is refused: " + status.error().detail);
    if (!names.insert(sink.name).second) map.violates("name", "is used by another sink");
    sink.holds = map.one_of<bool>("retention", {{"essential", true}, {"best-effort", false}}, true);
    const int type = map.one_of<int>("type", {{"file", 0}, {"influx", 1}});
    if (type == 0) {
      FileSinkOptions options = read_file_sink(map, sink.name);
      check_directory(map, options.directory, c);
      sink.target = std::move(options);
    } else {
      sink.target = read_influx_sink(map);
    }
    c.sinks.push_back(std::move(sink));
  }
  if (c.sinks.empty())
    root.warns("sinks", "names no sink: what arrives is kept in the journal and delivered to nobody");
}

}  // namespace

Result<ReceiverConfig> load_receiver_config(FileSystem& files, const std::string& path, YamlUse use) {
  TG_TRY(const auto file, YamlFile::load(files, path, use));
  YamlMap root = file->root();
  ReceiverConfig c;
  Listeners listeners;
  c.daemon = read_daemon(files, root, path, &listeners);
  YamlMap link = root.map("link");
  c.link = read_link(files, link);
  c.listen = read_endpoint(link, "listen", "0.0.0.0:9780");
  listeners.add(link, "listen", c.listen, "the link");
  c.receiver_id = read_id(link, "receiver_id");
  if (c.receiver_id.is_zero()) c.receiver_id = id_of_instance("receiver", c.daemon.instance);
  c.accept_new_senders = link.one_of<bool>("new_senders", {{"accept", true}, {"ask-operator", false}}, true);
  c.accept_new_journals =
      link.one_of<bool>("new_journals", {{"accept", true}, {"ask-operator", false}}, false);
  if (c.daemon.journal.quota_bytes < 4 * c.link.profile.frame_limit)
    link.violates("frame_limit", "is more than a quarter of journal.quota: a frame might never find room");
  read_allow(link, c);
  read_sinks(root, c);
  TG_CHECK(file->finish());
  c.daemon.warnings = file->warnings();
  return c;
}

}  // namespace tidegate
