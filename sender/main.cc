// SPDX-License-Identifier: Apache-2.0
// tidegate-sender: the inner side of the gateway.
#include <CLI/CLI.hpp>
#include <cstdio>

#include "base/crash_point.h"
#include "base/exit_code.h"
#include "base/log.h"
#include "base/real_env.h"
#include "base/version.h"
#include "sender/sender_daemon.h"

int main(int argc, char** argv) {
  CLI::App app{
      "tidegate-sender: takes events, keeps them in its journal and carries them across the isolation "
      "device"};
  std::string path = "/etc/tidegate/sender.yaml";
  bool check = false;
  app.add_option("config", path, "configuration file")->capture_default_str();
  app.add_flag("--check", check, "read the configuration, report every mistake, exit");
  app.set_version_flag("--version", std::string(tidegate::kVersion));
  app.footer(
      "Exit codes: 0 ended as asked, 1 could not start or finish, 2 command line or configuration refused.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? tidegate::kExitOk : tidegate::kExitUsage;
  }

  tidegate::Env& env = tidegate::real_env();
  auto config = tidegate::load_sender_config(*env.files, path,
                                             check ? tidegate::YamlUse::kCheck : tidegate::YamlUse::kRun);
  if (!config.ok()) {
    std::fprintf(stderr, "%s\n", config.error().text().c_str());
    return tidegate::kExitUsage;
  }
  const std::vector<std::string>& warnings = config->daemon.warnings;
  if (check) {
    for (const std::string& warning : warnings) std::fprintf(stderr, "%s\n", warning.c_str());
    std::printf("%s: ok\n", path.c_str());
    return tidegate::kExitOk;
  }
  tidegate::arm_crash_points();
  tidegate::log_to_stderr(tidegate::LogFormat::kAuto);
  tidegate::set_log_level(config->daemon.log_level);
  for (const std::string& warning : warnings) tidegate::log_warning("configuration", warning);
  tidegate::SenderDaemon daemon(env, std::move(config).value());
  if (const tidegate::Status status = daemon.start(); !status.ok()) {
    tidegate::log_error("sender", "cannot start: " + status.error().text());
    return tidegate::kExitNo;
  }
  return daemon.run();
}
