// SPDX-License-Identifier: Apache-2.0
// ControlServer: lets operators and tests talk to a running emulator, line by line, over a Unix socket and
// over stdin. A command is one line; its answer is one or more lines and, on the socket, ends with an empty
// line. Used from one thread, which serve() blocks.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "hw/emulator.h"
#include "hw/sockets.h"

namespace tidegate {

struct GatekeeperControlOptions {
  std::string socket_path;   // empty: no socket
  bool use_stdin = false;    // answers go to stdout
  std::string stats_file;    // empty: none; otherwise the counters as JSON, written at the end and ...
  Nanos stats_interval = 0;  // ... so often; 0: only at the end
};

class ControlServer {
 public:
  // Blocks SIGINT and SIGTERM for this thread and those it starts later, so open it before the emulator.
  // kIo, kInvalidArgument.
  static Result<std::unique_ptr<ControlServer>> open(GatekeeperControlOptions options);
  ~ControlServer();  // removes the socket

  // Returns after "quit", SIGINT or SIGTERM, or when the emulator has ended. kIo where the stats file cannot
  // be written.
  Status serve(Emulator& emulator, FileSystem& files);

 private:
  struct Client {
    Fd fd;
    std::string pending;  // bytes of an incomplete line
    bool gone = false;
  };

  explicit ControlServer(GatekeeperControlOptions options) : options_(std::move(options)) {}
  void read_client(Client& client, Emulator& emulator);
  void read_stdin(Emulator& emulator);
  // Runs the complete lines of `pending` and gives each answer to `reply`.
  template <class Reply>
  void run_lines(std::string& pending, Emulator& emulator, Reply reply);

  GatekeeperControlOptions options_;
  Fd listener_;
  Fd signals_;
  std::vector<std::unique_ptr<Client>> clients_;
  std::string stdin_pending_;
  bool stdin_open_ = false;
  bool quit_ = false;
};

}  // namespace tidegate
