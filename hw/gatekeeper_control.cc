// SPDX-License-Identifier: Apache-2.0
#include "hw/gatekeeper_control.h"

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>

#include "hw/device.h"

namespace tidegate {
namespace {

constexpr std::size_t kLongestLine = 4096;
constexpr Nanos kLookForEnd = 200 * kMillisecond;  // how late an emulator that ended by itself is noticed

// Control peers are local and read what they asked for; one that does not for so long is dropped.
constexpr int kReplyPatienceMs = 1000;

bool send_all(int fd, const std::string& text) {
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t sent = send(fd, text.data() + done, text.size() - done, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0) {
      done += sent;
      continue;
    }
    pollfd writable{fd, POLLOUT, 0};
    if (errno != EAGAIN || poll(&writable, 1, kReplyPatienceMs) != 1) return false;
  }
  return true;
}

Status write_stats(const std::string& path, Emulator& emulator, FileSystem& files) {
  if (path.empty()) return {};
  const std::string json = emulator.stats().to_json() + '\n';
  return replace_file(files, path, as_bytes(json));
}

}  // namespace

Result<std::unique_ptr<ControlServer>> ControlServer::open(GatekeeperControlOptions options) {
  std::unique_ptr<ControlServer> server(new ControlServer(std::move(options)));
  server->stdin_open_ = server->options_.use_stdin;
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  server->signals_ = Fd(signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
  if (!server->signals_) return io_error("signals cannot be received");
  if (server->options_.socket_path.empty()) return server;
  TG_TRY(server->listener_, listen_unix(server->options_.socket_path));
  return server;
}

ControlServer::~ControlServer() {
  if (listener_) unlink(options_.socket_path.c_str());
}

Status ControlServer::serve(Emulator& emulator, FileSystem& files) {
  Nanos next_stats = options_.stats_interval == 0 ? kNever : monotonic_now() + options_.stats_interval;
  while (!quit_ && emulator.running()) {
    std::vector<pollfd> waits = {{signals_.get(), POLLIN, 0},
                                 {listener_.get(), POLLIN, 0},
                                 {stdin_open_ ? STDIN_FILENO : -1, POLLIN, 0}};
    for (const auto& client : clients_) waits.push_back({client->fd.get(), POLLIN, 0});
    const Nanos wait = std::clamp<Nanos>(next_stats - monotonic_now(), 0, kLookForEnd);
    poll(waits.data(), waits.size(), static_cast<int>(wait / kMillisecond));
    if (waits[0].revents != 0) quit_ = true;
    if (waits[2].revents != 0) read_stdin(emulator);
    for (std::size_t i = 3; i < waits.size(); ++i) {
      if (waits[i].revents != 0) read_client(*clients_[i - 3], emulator);
    }
    std::erase_if(clients_, [](const auto& client) { return client->gone; });
    if (waits[1].revents != 0) {
      Fd fd(accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (fd) clients_.push_back(std::make_unique<Client>(Client{std::move(fd), {}, false}));
    }
    if (monotonic_now() >= next_stats) {
      next_stats += options_.stats_interval;
      TG_CHECK(write_stats(options_.stats_file, emulator, files));
    }
  }
  return write_stats(options_.stats_file, emulator, files);
}

template <class Reply>
void ControlServer::run_lines(std::string& pending, Emulator& emulator, Reply reply) {
  for (std::size_t end; !quit_ && (end = pending.find('\n')) != std::string::npos;) {
    std::string line = pending.substr(0, end);
    pending.erase(0, end + 1);
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (line == "quit") {
      quit_ = true;  // the emulator stays until its last counters are written
      reply("ok");
    } else {
      reply(emulator.command(line));
    }
  }
}

void ControlServer::read_client(Client& client, Emulator& emulator) {
  std::array<char, kLongestLine> buffer;
  const ssize_t size = recv(client.fd.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (size < 0 && errno == EAGAIN) return;
  if (size > 0) client.pending.append(buffer.data(), size);
  run_lines(client.pending, emulator, [&client](const std::string& answer) {
    if (!send_all(client.fd.get(), answer + (answer.ends_with('\n') ? "\n" : "\n\n"))) client.gone = true;
  });
  if (size <= 0 || client.pending.size() > kLongestLine) client.gone = true;
}

void ControlServer::read_stdin(Emulator& emulator) {
  std::array<char, kLongestLine> buffer;
  const ssize_t size = read(STDIN_FILENO, buffer.data(), buffer.size());
  if (size > 0) stdin_pending_.append(buffer.data(), size);
  run_lines(stdin_pending_, emulator, [](const std::string& answer) {
    std::fputs((answer + (answer.ends_with('\n') ? "" : "\n")).c_str(), stdout);
    std::fflush(stdout);
  });
  if (size <= 0 || stdin_pending_.size() > kLongestLine) stdin_open_ = false;
}

}  // namespace tidegate
