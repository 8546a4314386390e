// SPDX-License-Identifier: Apache-2.0
// ChildProcess: one tidegate-plugin-host from its start until it is reaped.
//
// It starts in a process group of its own, with no descriptors but those of plugin_protocol.h, with default
// signal handling, and with only PATH, HOME, TMPDIR, TZ and the locale of the daemon's environment. The
// destructor kills the group and reaps: no zombie and no descriptor stays. Thread rules: one thread at a
// time.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/env.h"
#include "pipe/engine/plugin/descriptor.h"

namespace tidegate::tgplugin {

class ChildProcess {
 public:
  // `plugin`: open for reading. kInvalidConfiguration where the program cannot be run, kIo for the rest.
  static Result<ChildProcess> spawn(const std::string& program, const std::vector<std::string>& arguments,
                                    const Descriptor& plugin);
  ChildProcess(ChildProcess&& o) noexcept;
  ChildProcess& operator=(ChildProcess&&) = delete;
  ~ChildProcess();

  int socket() const { return socket_.get(); }  // not blocking
  int errors() const { return errors_.get(); }  // what it writes to 1 and 2; not blocking
  pid_t pid() const { return pid_; }
  // No more requests: the host ends by itself.
  void hang_up() { socket_.reset(); }
  // Waits until it has ended by itself. False: it still runs at `deadline`.
  bool wait_until(Clock& clock, Nanos deadline);
  // Kills the group and reaps. No effect on what has ended before.
  void end();
  // After end(): "exited with status 3", "was killed by signal 11 (SIGSEGV)".
  std::string how_it_ended() const;

 private:
  ChildProcess(pid_t pid, Descriptor process, Descriptor socket, Descriptor errors);

  pid_t pid_ = -1;      // -1: reaped
  Descriptor process_;  // pidfd
  Descriptor socket_;
  Descriptor errors_;
  int exit_status_ = 0;  // as waitpid() gives it
};

}  // namespace tidegate::tgplugin
