// SPDX-License-Identifier: Apache-2.0
// tidegate-plugin-host MEMORY_BYTES: runs one plugin for a daemon. Started by PluginHost (plugin_host.h),
// with the descriptors of plugin_protocol.h; of no use on a command line.
#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <exception>
#include <string>
#include <thread>

#include "base/exit_code.h"
#include "pipe/engine/plugin/host_runner.h"

namespace tidegate::tgplugin {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kAddressSpaceIsOurs = false;  // a sanitizer reserves terabytes
#else
constexpr bool kAddressSpaceIsOurs = true;
#endif

bool limit(int resource, rlim_t most) {
  rlimit now{};
  if (::getrlimit(static_cast<__rlimit_resource>(resource), &now) != 0) return false;
  const rlimit next{std::min(most, now.rlim_max), std::min(most, now.rlim_max)};
  return ::setrlimit(static_cast<__rlimit_resource>(resource), &next) == 0;
}

// Before any code of the plugin runs.
bool fence_in(std::uint64_t memory) {
  constexpr rlim_t kMostFiles = 1024;
  const bool memory_set = !kAddressSpaceIsOurs || limit(RLIMIT_AS, memory);
  return memory_set && limit(RLIMIT_CORE, 0) && limit(RLIMIT_NOFILE, kMostFiles) &&
         ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

// A plugin that hangs must not outlive the daemon: kill -9 of the daemon closes its end of the socket.
void watch_daemon() {
  pollfd socket{kSocketFd, 0, 0};
  while (::poll(&socket, 1, -1) <= 0) {
  }
  ::_exit(kExitOk);
}

// The handle of what the daemon checked, by a name that dlopen() takes.
Result<LoadedPlugin> load(HostServices& services) {
  const std::string path = "/proc/self/fd/" + std::to_string(kPluginFd);
  Result<LoadedPlugin> plugin = LoadedPlugin::load(path.c_str(), services);
  ::close(kPluginFd);
  return plugin;
}

int run() {
  HostServices services;
  Result<LoadedPlugin> plugin = load(services);
  if (!plugin.ok()) {
    send_frame(FrameType::kFailed, encode_text(plugin.error().detail));
    return kExitNo;
  }
  send_frame(FrameType::kInfo, encode(plugin->info()));
  const Status served = HostRunner(*plugin, services).run();
  if (served.ok()) return kExitOk;
  std::fprintf(stderr, "<3>tidegate-plugin-host: %s\n", served.error().text().c_str());
  return kExitNo;
}

bool is_socket(int fd) {
  struct stat facts{};
  return ::fstat(fd, &facts) == 0 && S_ISSOCK(facts.st_mode);
}

int start(int argc, char** argv) {
  std::uint64_t memory = 0;
  const char* const end = argc == 2 ? argv[1] + std::strlen(argv[1]) : nullptr;
  if (end == nullptr || std::from_chars(argv[1], end, memory).ptr != end || !is_socket(kSocketFd)) {
    std::fputs("tidegate-plugin-host is started by the daemons of Tidegate only\n", stderr);
    return kExitUsage;
  }
  ::fcntl(kSocketFd, F_SETFD, FD_CLOEXEC);
  ::fcntl(kPluginFd, F_SETFD, FD_CLOEXEC);
  if (!fence_in(memory)) {
    send_frame(FrameType::kFailed,
               encode_text(std::string("its limits cannot be set: ") + std::strerror(errno)));
    return kExitNo;
  }
  std::thread(watch_daemon).detach();
  return run();
}

}  // namespace
}  // namespace tidegate::tgplugin

int main(int argc, char** argv) {
  int code = tidegate::kExitNo;
  try {
    code = tidegate::tgplugin::start(argc, argv);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "<3>tidegate-plugin-host: %s\n", e.what());
  }
  // Not exit(): destructors of the plugin have no limit, and everything is written.
  std::fflush(nullptr);
  ::_exit(code);
}
