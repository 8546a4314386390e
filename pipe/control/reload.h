// SPDX-License-Identifier: Apache-2.0
// Reload: what a daemon answers when its configuration was read again (LOAD CONFIGURATION, SIGHUP).
//
// It compares values, not texts: a default that is written out, or 60s for 1m, is no change. What waits for a
// restart is named again each time, until the restart or until the file says again what the daemon runs with.
// Thread rules: any thread; loads wait for one another.
#pragma once

#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "pipe/control/daemon_config.h"

namespace tidegate {

// Full names of the settings that differ; of a list ("sinks[1].url") only the list ("sinks").
std::vector<std::string> changed_settings(const YamlValues& before, const YamlValues& now);

class Reload {
 public:
  // Settings whose name is one of `at_once`, or stands below one, apply while the daemon runs.
  Reload(YamlValues started, std::vector<std::string> at_once);

  // `load` reads the file and applies what can be applied; what it refuses has changed nothing, and says why.
  // Warnings of the file are logged.
  Result<std::string> run(const std::function<Result<DaemonConfig>()>& load);

 private:
  bool applies_at_once(const std::string& setting) const;
  std::string outcome(const DaemonConfig& fresh);

  std::mutex mutex_;
  const YamlValues started_;
  const std::vector<std::string> at_once_;
  YamlValues last_;  // of the file that was taken last
};

}  // namespace tidegate
