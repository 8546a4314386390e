// SPDX-License-Identifier: Apache-2.0
// ControlServer: what a daemon shows and takes beside its data: status, health and metrics over HTTP on a TCP
// address and on a Unix socket; the operator's commands and statements on the Unix socket only, the commands
// from root and from the daemon's own user.
//
//   GET /status            text for a person
//   GET /status.json       the whole report
//   GET /metrics           Prometheus text
//   GET /health            200 when ok or degraded, 503 when failed
//   POST /control/<verb>   name=value lines in the body; Unix socket only
//   POST /statement        statements in the body; Unix socket only, from everyone who may open it
//   POST /complete         the same, with the header Tidegate-Cursor: what could stand there
// Own threads. `report` and `operate` are called from one of them; `execute` from two others, also from both
// at once: a statement may take its time and holds up no page.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/net.h"
#include "base/result.h"
#include "pipe/control/status.h"

namespace tidegate {

struct ControlOptions {
  Endpoint listen;     // port 0 and empty host: no TCP; port 0 with a host: any free port
  std::string socket;  // path; empty: none. An existing socket that nobody serves is replaced.
};

// Who is at the other end of a Unix socket, by the kernel's word.
struct ControlPeer {
  std::uint32_t uid = 0;
  std::int32_t pid = 0;
  std::string user;       // "uid 1001" where the system has no name for it
  bool is_admin = false;  // root or the daemon's own user
  std::string socket;     // path
};

struct ControlCommand {
  std::string verb;  // "gap", "fork", "confirm", ...
  std::map<std::string, std::string> arguments;
  ControlPeer peer = {};
};
struct ControlReply {
  bool ok = false;
  std::string text;  // for the operator
};

struct ControlStatement {
  ControlPeer peer;
  std::string text;
  std::string dialect;                // header Tidegate-Dialect; empty: not said
  std::string accept;                 // header Accept
  std::optional<std::size_t> cursor;  // POST /complete: header Tidegate-Cursor
};
struct ControlAnswer {
  unsigned status = 200;
  std::string type = "application/json";
  std::string body;
};
using StatementHandler = std::function<ControlAnswer(const ControlStatement&)>;

class ControlServer {
 public:
  // Without `execute` there are no statements.
  ControlServer(ControlOptions options, std::function<StatusReport()> report,
                std::function<ControlReply(const ControlCommand&)> operate, StatementHandler execute = {});
  ~ControlServer();  // stop()
  ControlServer(const ControlServer&) = delete;
  ControlServer& operator=(const ControlServer&) = delete;

  Status start();
  void stop();                 // waits for statements that are under way
  std::uint16_t port() const;  // of the TCP listener; 0: none

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tidegate
