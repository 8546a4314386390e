// SPDX-License-Identifier: Apache-2.0
// The configuration of tidegate-receiver, as conf/receiver.yaml documents it. Start-up and LOAD
// CONFIGURATION.
#pragma once

#include <string>
#include <vector>

#include "base/net.h"
#include "hw/link_config.h"
#include "pipe/control/allow_list.h"
#include "pipe/control/daemon_config.h"
#include "pipe/engine/attributes.h"
#include "pipe/statement/yaml_pipes.h"

namespace tidegate {

struct ReceiverConfig {
  DaemonConfig daemon;
  LinkConfig link;
  Endpoint listen;
  Id receiver_id;
  AllowList allow;
  bool accept_new_senders = true;
  bool accept_new_journals = false;
  struct Sink {
    std::string name;
    bool holds = true;  // retention: data that this sink has not delivered is kept as long as there is room
    Attributes connector;  // with own names, without defaults, checked but for what only open() can know
    YamlMark mark;
  };
  std::vector<Sink> sinks;
  std::vector<YamlPipe> pipes;  // of the section `pipes`, and one for each sink
  std::string plugin_dir;       // pipe_lib_dir
  Dialect dialect = Dialect::kDataSync;
};

// All errors of the file at once, each with line and column.
Result<ReceiverConfig> load_receiver_config(FileSystem& files, const std::string& path,
                                            YamlUse use = YamlUse::kRun);

// What LOAD CONFIGURATION applies; all else waits for a restart.
std::vector<std::string> receiver_settings_at_once();

}  // namespace tidegate
