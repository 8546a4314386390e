// SPDX-License-Identifier: Apache-2.0
// The part of the configuration that both daemons share, read strictly from YAML, and the link settings that
// the profile of the device decides unless the file says otherwise. Start-up and LOAD CONFIGURATION.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/net.h"
#include "base/yaml.h"
#include "pipe/journal/journal.h"
#include "pipe/stream/retention.h"

namespace tidegate {

struct DaemonConfig {
  std::string path;      // of the file, for messages
  std::string instance;  // name of this box in status, logs and beats
  std::string data_dir;
  LogLevel log_level = LogLevel::kInfo;
  Endpoint control;            // status, health and metrics over HTTP; empty host: none
  std::string control_socket;  // the same on a Unix socket; empty: none
  JournalOptions journal;
  SafetyWindow window;
  std::vector<std::string> warnings;  // of the whole file, each with its place
  YamlValues values;                  // all that was read of it, to be compared when it is read again
};

// Journals of pipes that change what they read: smaller than the daemon's own, on the same disk.
JournalOptions outbox_options(const DaemonConfig& config);

// The addresses on which one box listens: no two may want the same port.
class Listeners {
 public:
  // Reported at `key` of `map` when taken. Port 0 (any free one) and an absent address never are.
  void add(YamlMap& map, std::string_view key, const Endpoint& endpoint, const std::string& what);

 private:
  std::vector<std::pair<Endpoint, std::string>> taken_;
};

// Also puts `control.listen` into `listeners`, where that is given.
DaemonConfig read_daemon(FileSystem& files, YamlMap& root, const std::string& path,
                         Listeners* listeners = nullptr);
// 32 hexadecimal digits, or empty for zeros.
Id read_id(YamlMap& map, std::string_view key);
// The identity of a sender or receiver that has none in its file: made of its role and instance name.
Id id_of_instance(std::string_view role, const std::string& instance);

}  // namespace tidegate
