// SPDX-License-Identifier: Apache-2.0
// The shell of `tidegate`: statements to a daemon, from an argument, a file or a terminal. Blocking.
#pragma once

#include <ostream>
#include <string>

#include "base/exit_code.h"
#include "pipe/control/control_client.h"

namespace tidegate {

struct ShellOptions {
  ControlTarget target;
  std::string dialect;       // empty: the daemon's own
  bool json = false;         // the answer as the daemon gave it, one object a line
  std::string history_file;  // empty: no history
};

// All statements of `text`, up to the first that is refused. kExitOk, kExitNo: one was refused (why is on
// `err`), kExitUsage: there is none in it, kExitUnreachable.
int run_statements(const ShellOptions& options, const std::string& text, std::ostream& out,
                   std::ostream& err);

// A session at the terminal that is the standard input: until quit, exit or the end of the input.
int run_session(const ShellOptions& options, std::ostream& out, std::ostream& err);

}  // namespace tidegate
