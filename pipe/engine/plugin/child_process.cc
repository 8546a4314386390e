// SPDX-License-Identifier: Apache-2.0
#include "pipe/engine/plugin/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "pipe/engine/plugin/plugin_protocol.h"

extern "C" {  // glibc 2.36 forgets it
#include <sys/pidfd.h>
}

namespace tidegate::tgplugin {
namespace {

// Descriptors that are handed over stand above all those that the child gets, so that no dup2 overwrites one.
constexpr int kFirstFree = 10;

Error system_error(const std::string& what, int number) {
  return make_error(ErrorCode::kIo, what + ": " + std::strerror(number));
}

Result<Descriptor> raised(Descriptor low) {
  Descriptor high(::fcntl(low.get(), F_DUPFD_CLOEXEC, kFirstFree));
  if (!high) return system_error("no descriptor for the process of a plugin", errno);
  return high;
}

struct Ends {
  Descriptor ours, theirs;
};

Result<Ends> make_ends(bool socket) {
  int fds[2];
  const int made =
      socket ? ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) : ::pipe2(fds, O_CLOEXEC);
  if (made != 0) return system_error("no connection to the process of a plugin", errno);
  Descriptor first(fds[0]);
  TG_TRY(Descriptor theirs, raised(Descriptor(fds[1])));
  TG_TRY(Descriptor ours, raised(std::move(first)));
  // Only this end: the host waits for its requests.
  if (::fcntl(ours.get(), F_SETFL, O_NONBLOCK) != 0) return system_error("fcntl", errno);
  return Ends{std::move(ours), std::move(theirs)};
}

// No credentials, no sockets of the service manager, no switches of the daemon.
std::vector<char*> environment_of_child() {
  constexpr std::string_view kKept[] = {"PATH=", "HOME=", "TMPDIR=", "TZ=", "LANG=", "LC_ALL="};
  std::vector<char*> kept;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    if (std::ranges::any_of(kKept, [&](std::string_view name) { return text.starts_with(name); })) {
      kept.push_back(*entry);
    }
  }
  kept.push_back(nullptr);
  return kept;
}

// What posix_spawn needs, freed at the end. Each call returns 0 or an error number; the first one is kept.
class SpawnPlan {
 public:
  SpawnPlan() {
    posix_spawn_file_actions_init(&actions_);
    posix_spawnattr_init(&attributes_);
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;
  ~SpawnPlan() {
    posix_spawn_file_actions_destroy(&actions_);
    posix_spawnattr_destroy(&attributes_);
  }

  void give_descriptors(int socket, int plugin, int errors) {
    keep(posix_spawn_file_actions_addopen(&actions_, 0, "/dev/null", O_RDONLY, 0));
    keep(posix_spawn_file_actions_adddup2(&actions_, errors, 1));
    keep(posix_spawn_file_actions_adddup2(&actions_, errors, 2));
    keep(posix_spawn_file_actions_adddup2(&actions_, socket, kSocketFd));
    keep(posix_spawn_file_actions_adddup2(&actions_, plugin, kPluginFd));
    keep(posix_spawn_file_actions_addclosefrom_np(&actions_, kPluginFd + 1));
  }
  void give_own_group_and_default_signals() {
    sigset_t all, none;
    sigfillset(&all);
    sigemptyset(&none);
    keep(posix_spawnattr_setsigdefault(&attributes_, &all));
    keep(posix_spawnattr_setsigmask(&attributes_, &none));
    keep(posix_spawnattr_setpgroup(&attributes_, 0));
    keep(posix_spawnattr_setflags(&attributes_,
                                  POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP));
  }
  // 0 or an error number.
  int run(const std::string& program, const std::vector<std::string>& arguments, pid_t* pid) {
    if (error_ != 0) return error_;
    std::vector<char*> words{const_cast<char*>(program.c_str())};
    for (const std::string& argument : arguments) words.push_back(const_cast<char*>(argument.c_str()));
    words.push_back(nullptr);
    const std::vector<char*> environment = environment_of_child();
    return posix_spawn(pid, program.c_str(), &actions_, &attributes_, words.data(), environment.data());
  }

 private:
  void keep(int result) {
    if (error_ == 0) error_ = result;
  }

  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
  int error_ = 0;
};

}  // namespace

Result<ChildProcess> ChildProcess::spawn(const std::string& program,
                                         const std::vector<std::string>& arguments,
                                         const Descriptor& plugin) {
  TG_TRY(Ends socket, make_ends(true));
  TG_TRY(Ends errors, make_ends(false));
  TG_TRY(const Descriptor file, raised(Descriptor(::fcntl(plugin.get(), F_DUPFD_CLOEXEC, kFirstFree))));
  SpawnPlan plan;
  plan.give_descriptors(socket.theirs.get(), file.get(), errors.theirs.get());
  plan.give_own_group_and_default_signals();
  pid_t pid = -1;
  if (const int failed = plan.run(program, arguments, &pid); failed != 0) {
    const bool no_program = failed == ENOENT || failed == EACCES || failed == ENOEXEC;
    const std::string text =
        std::string("the process of a plugin cannot be started: ") + std::strerror(failed);
    return make_error(no_program ? ErrorCode::kInvalidConfiguration : ErrorCode::kIo, text).at_path(program);
  }
  ChildProcess child(pid, Descriptor(::pidfd_open(pid, 0)), std::move(socket.ours), std::move(errors.ours));
  if (!child.process_) return system_error("pidfd_open", errno);
  return child;
}

ChildProcess::ChildProcess(pid_t pid, Descriptor process, Descriptor socket, Descriptor errors)
    : pid_(pid), process_(std::move(process)), socket_(std::move(socket)), errors_(std::move(errors)) {}

ChildProcess::ChildProcess(ChildProcess&& o) noexcept
    : pid_(std::exchange(o.pid_, -1)),
      process_(std::move(o.process_)),
      socket_(std::move(o.socket_)),
      errors_(std::move(o.errors_)),
      exit_status_(o.exit_status_) {}

ChildProcess::~ChildProcess() {
  end();
}

bool ChildProcess::wait_until(Clock& clock, Nanos deadline) {
  if (pid_ < 0) return true;
  for (;;) {
    const Nanos left = std::max<Nanos>(deadline - clock.now(), 0);
    pollfd process{process_.get(), POLLIN, 0};
    const int ready = ::poll(&process, 1, static_cast<int>(std::min<Nanos>(left / kMillisecond + 1, 1000)));
    if (ready > 0) return true;
    if (left == 0) return false;
  }
}

void ChildProcess::end() {
  if (pid_ < 0) return;
  // Before it is reaped: until then the number of the group cannot belong to anybody else.
  ::kill(-pid_, SIGKILL);
  while (::waitpid(pid_, &exit_status_, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
}

std::string ChildProcess::how_it_ended() const {
  if (WIFEXITED(exit_status_)) return "exited with status " + std::to_string(WEXITSTATUS(exit_status_));
  const int signal = WTERMSIG(exit_status_);
  const char* name = ::sigabbrev_np(signal);
  return "was killed by signal " + std::to_string(signal) + " (" +
         (name == nullptr ? std::string("unknown") : std::string("SIG") + name) + ")";
}

}  // namespace tidegate::tgplugin
