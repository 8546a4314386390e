// SPDX-License-Identifier: Apache-2.0
// ControlServer: what a daemon shows and takes beside its data: status, health and metrics over HTTP on a TCP
// address and on a Unix socket; the operator's commands on the Unix socket only, from root and from the
// daemon's own user.
//
//   GET /status            text for a person          GET /status.json       the whole report
//   GET /metrics           Prometheus text            GET /health            200 when ok or degraded, 503
//   when failed POST /control/<verb>   name=value lines in the body; Unix socket only
// Own thread. `report` and `operate` are called from it.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "base/net.h"
#include "base/result.h"
#include "pipe/control/status.h"

namespace tidegate {

struct ControlOptions {
  Endpoint listen;     // port 0 and empty host: no TCP; port 0 with a host: any free port
  std::string socket;  // path; empty: none. An existing socket that nobody serves is replaced.
};

struct ControlCommand {
  std::string verb;  // "gap", "fork", "confirm", ...
  std::map<std::string, std::string> arguments;
};
struct ControlReply {
  bool ok = false;
  std::string text;  // for the operator
};

class ControlServer {
 public:
  ControlServer(ControlOptions options, std::function<StatusReport()> report,
                std::function<ControlReply(const ControlCommand&)> operate);
  ~ControlServer();  // stop()
  ControlServer(const ControlServer&) = delete;
  ControlServer& operator=(const ControlServer&) = delete;

  Status start();
  void stop();
  std::uint16_t port() const;  // of the TCP listener; 0: none

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tidegate
