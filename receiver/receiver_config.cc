// SPDX-License-Identifier: Apache-2.0
#include "receiver/receiver_config.h"

#include <set>

#include "base/paths.h"
#include "base/yaml_net.h"
#include "pipe/connect/builtin_connectors.h"
#include "pipe/control/iotdb_names.h"
#include "pipe/control/yaml_attributes.h"
#include "pipe/engine/pipe_name.h"

namespace tidegate {
namespace {

// `link.allow`, or IoTDB's name for it.
void read_allow(YamlMap& link, const IotdbSettings& iotdb, ReceiverConfig& c) {
  const std::vector<std::string> blocks = link.strings("allow");
  c.allow = iotdb.white_list_name.empty() ? AllowList::everybody() : iotdb.white_list;
  if (!link.has("allow")) return;
  if (!iotdb.white_list_name.empty())
    link.violates("allow", "stands beside '" + iotdb.white_list_name + "': keep one of them");
  c.allow = AllowList();
  for (const std::string& block : blocks) {
    if (const Status status = c.allow.add(block); !status.ok()) link.violates("allow", status.error().detail);
    if (const std::string doubt = block_doubt(block); !doubt.empty()) link.warns("allow", doubt);
  }
  if (blocks.empty()) link.warns("allow", "names nobody: no device may connect");
}

// `link.listen`, whose port IoTDB's name may give.
void read_listen(YamlMap& link, const IotdbSettings& iotdb, ReceiverConfig& c) {
  c.listen = read_endpoint(link, "listen", "0.0.0.0:9780");
  if (!iotdb.receiver_port) return;
  if (link.has("listen") && c.listen.port != *iotdb.receiver_port)
    link.violates("listen", "names another port than 'pipe_air_gap_receiver_port': keep one of them");
  c.listen.port = *iotdb.receiver_port;
}

// Two sinks in one folder would be told apart by their names only, and by no one who takes the files away.
void check_own_folder(YamlMap& map, const Attributes& sink, const ReceiverConfig& c) {
  const auto folder = [](const Attributes& of) { return read_text(of, "directory"); };
  if (folder(sink).empty()) return;
  for (const ReceiverConfig::Sink& other : c.sinks) {
    const std::string taken = folder(other.connector);
    if (!taken.empty() && is_within(folder(sink), taken) && is_within(taken, folder(sink)))
      map.violates("directory", "is used by the sink '" + other.name + "': each needs a folder of its own");
  }
}

Attributes read_connector(YamlMap& map, const std::string& sink, const ReceiverConfig& c) {
  const auto* const plugin = find_connector_plugin(map.one_of<std::string_view>(
      "type", {{"file", "file-sink"}, {"influx", "influxdb-sink"}, {"do-nothing", "do-nothing-connector"}}));
  Attributes out = read_attributes(map, *plugin);
  ConnectorContext context;
  context.pipe = sink;
  if (!check_pipe_name(sink).ok()) context.pipe = "any";  // is reported already
  context.data_dir = c.daemon.data_dir;
  for (const Misfit& misfit : find_misfits(out, context))
    map.violates(yaml_key(misfit.attribute), misfit.sentence);
  check_own_folder(map, out, c);
  return out;
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
    sink.connector = read_connector(map, sink.name, c);
    sink.mark = map.mark("name");
    Attributes extractor;
    if (!sink.holds) extractor.values["retention.hold"] = "best-effort";
    c.pipes.push_back(yaml_pipe(sink.name, extractor, sink.connector, c.daemon.path, sink.mark));
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
  const IotdbSettings iotdb = read_iotdb_names(root, DaemonRole::kReceiver);
  read_listen(link, iotdb, c);
  listeners.add(link, "listen", c.listen, "the link");
  c.receiver_id = read_id(link, "receiver_id");
  if (c.receiver_id.is_zero()) c.receiver_id = id_of_instance("receiver", c.daemon.instance);
  c.accept_new_senders = link.one_of<bool>("new_senders", {{"accept", true}, {"ask-operator", false}}, true);
  c.accept_new_journals =
      link.one_of<bool>("new_journals", {{"accept", true}, {"ask-operator", false}}, false);
  if (c.daemon.journal.quota_bytes < 4 * c.link.profile.frame_limit)
    link.violates("frame_limit", "is more than a quarter of journal.quota: a frame might never find room");
  read_allow(link, iotdb, c);
  read_sinks(root, c);
  for (YamlPipe& pipe : read_pipes(root, path)) c.pipes.push_back(std::move(pipe));
  c.plugin_dir = root.string("pipe_lib_dir", std::string());
  c.dialect = read_dialect(root);
  TG_CHECK(file->finish());
  c.daemon.warnings = file->warnings();
  c.daemon.values = without_idle_names(file->values());
  return c;
}

std::vector<std::string> receiver_settings_at_once() {
  return {"link.allow", "ip_white_list", "IP_white_list", "log.level", "pipes", "sinks"};
}

}  // namespace tidegate
