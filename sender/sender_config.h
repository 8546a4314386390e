// SPDX-License-Identifier: Apache-2.0
// The configuration of tidegate-sender, as conf/sender.yaml documents it. Start-up and LOAD CONFIGURATION.
#pragma once

#include <string>
#include <vector>

#include "base/net.h"
#include "hw/link_config.h"
#include "pipe/control/daemon_config.h"
#include "pipe/engine/ingest.h"
#include "pipe/extract/influx/influx_http.h"
#include "pipe/statement/yaml_pipes.h"

namespace tidegate {

struct SenderConfig {
  DaemonConfig daemon;
  LinkConfig link;
  Endpoint remote;
  Id sender_id;
  Id receiver_expected;       // zeros: any
  bool declare_gaps = false;  // on_gap: declare
  int frame_level = 3;        // zstd level of catch-up frames
  IngestOptions ingest;
  struct HttpSource {
    std::string name;
    InfluxHttpOptions options;
  };
  std::vector<HttpSource> http_sources;
  std::vector<YamlPipe> pipes;  // of the section `pipes`; without it one over the link that takes everything
  std::string plugin_dir;       // pipe_lib_dir
  Dialect dialect = Dialect::kDataSync;
};

// All errors of the file at once, each with line and column.
Result<SenderConfig> load_sender_config(FileSystem& files, const std::string& path,
                                        YamlUse use = YamlUse::kRun);

// What LOAD CONFIGURATION applies; all else waits for a restart.
std::vector<std::string> sender_settings_at_once();

}  // namespace tidegate
