// SPDX-License-Identifier: Apache-2.0
// tidegate-receiver: the outer side of the gateway.
#include <CLI/CLI.hpp>
#include <cstdio>

#include "base/crash_point.h"
#include "base/log.h"
#include "base/real_env.h"
#include "pipe/control/version.h"
#include "receiver/receiver_daemon.h"

int main(int argc, char** argv) {
  CLI::App app{
      "tidegate-receiver: takes what crosses the isolation device, keeps it in its journal, delivers it to "
      "its sinks"};
  std::string path = "/etc/tidegate/receiver.yaml";
  bool check = false;
  app.add_option("config", path, "configuration file")->capture_default_str();
  app.add_flag("--check", check, "read the configuration, report every mistake, exit");
  app.set_version_flag("--version", std::string(tidegate::kVersion));
  CLI11_PARSE(app, argc, argv);

  tidegate::Env& env = tidegate::real_env();
  auto config = tidegate::load_receiver_config(*env.files, path);
  if (!config.ok()) {
    std::fprintf(stderr, "%s\n", config.error().text().c_str());
    return 2;
  }
  if (check) {
    std::printf("%s: ok\n", path.c_str());
    return 0;
  }
  tidegate::arm_crash_points();
  tidegate::log_to_stderr(tidegate::LogFormat::kAuto);
  tidegate::set_log_level(config->daemon.log_level);
  tidegate::ReceiverDaemon daemon(env, std::move(config).value());
  if (const tidegate::Status status = daemon.start(); !status.ok()) {
    tidegate::log_error("receiver", "cannot start: " + status.error().text());
    return 1;
  }
  return daemon.run();
}
