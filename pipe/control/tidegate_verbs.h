// SPDX-License-Identifier: Apache-2.0
// What the verbs of `tidegate` do. Each writes to `out` and `err` and returns the exit code
// (base/exit_code.h); main() reads the arguments.
#pragma once

#include <map>
#include <ostream>
#include <string>
#include <vector>

#include "base/env.h"
#include "base/exit_code.h"
#include "pipe/control/control_client.h"
#include "pipe/journal/inspect.h"

namespace tidegate {

struct Console {
  std::ostream& out;
  std::ostream& err;
};

// Where a daemon is looked for. Neither socket nor url: in `run_dir`, where the units put the sockets.
struct DaemonPlace {
  std::string socket, url;
  std::string run_dir = "/run/tidegate";
};

// kExitOk: all that were found are ok or degraded; kExitNo: one has failed; kExitUnreachable: none found, or
// one cannot be reached.
int show_status(FileSystem& files, const DaemonPlace& place, bool json, Console console);

// The daemon of that role; of either where `role` is empty. kUnreachable: there is none; kInvalidArgument:
// there are two, and nothing says which.
Result<ControlTarget> find_daemon(FileSystem& files, const DaemonPlace& place, const std::string& role);

// POST /control/<verb> to the `role` (as find_daemon). kExitNo: refused by the daemon.
int command_daemon(FileSystem& files, const DaemonPlace& place, const std::string& role,
                   const std::string& verb, const std::map<std::string, std::string>& arguments,
                   Console console);

// "tidegate-sender" or "tidegate-receiver", by what the file holds. kInvalidConfiguration: neither or both.
Result<std::string> program_of_config(FileSystem& files, const std::string& path);
// The argument vector of the check: the program beside `own_program`, else its bare name for PATH.
Result<std::vector<std::string>> check_command(FileSystem& files, const std::string& path,
                                               const std::string& own_program);

// The folder of the journal: `directory` itself, or `journal` in it (so a data_dir will do).
std::string journal_folder(FileSystem& files, const std::string& directory);

// kExitUnreachable: the folder cannot be read.
int list_segments(FileSystem& files, const std::string& directory, bool json, Console console);
int dump_folder(FileSystem& files, const std::string& directory, const DumpOptions& options, Console console);
// kExitNo: problems found (one line each); kExitUnreachable: could not be verified.
int verify_folder(FileSystem& files, const std::string& directory, bool hash, Console console);

// The folder of the audit log: `directory` itself, or `audit` in it (so a data_dir will do). `head`, which
// may be empty, is "<sequence>:<hash>" as an earlier run printed it. kExitNo: something was edited, removed
// or reordered, one line each; kExitUnreachable: it cannot be read.
int verify_audit(FileSystem& files, const std::string& directory, const std::string& head, Console console);

}  // namespace tidegate
