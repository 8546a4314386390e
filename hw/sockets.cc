// SPDX-License-Identifier: Apache-2.0
#include "hw/sockets.h"

// <linux/tcp.h> has the whole tcp_info; <netinet/tcp.h> stops before the segment counters and defines the
// same names.
#include <linux/tcp.h>

#include <arpa/inet.h>
#include <linux/sockios.h>
#include <netdb.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstring>
#include <system_error>

namespace tidegate {

void Fd::reset() {
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
}

void Fd::reset_connection() {
  if (fd_ < 0) return;
  const linger option{.l_onoff = 1, .l_linger = 0};
  setsockopt(fd_, SOL_SOCKET, SO_LINGER, &option, sizeof(option));
  reset();
}

std::uint16_t SocketAddress::port() const {
  if (storage.ss_family == AF_INET6) return ntohs(reinterpret_cast<const sockaddr_in6*>(&storage)->sin6_port);
  return ntohs(reinterpret_cast<const sockaddr_in*>(&storage)->sin_port);
}

std::string SocketAddress::host() const {
  char text[NI_MAXHOST] = "?";
  getnameinfo(get(), size, text, sizeof(text), nullptr, 0, NI_NUMERICHOST);
  return text;
}

std::string SocketAddress::text() const {
  const bool v6 = storage.ss_family == AF_INET6;
  return (v6 ? "[" + host() + "]" : host()) + ":" + std::to_string(port());
}

Result<SocketAddress> resolve(const Endpoint& endpoint, bool to_listen) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV | (to_listen ? AI_PASSIVE : 0);
  addrinfo* found = nullptr;
  const std::string port = std::to_string(endpoint.port);
  const char* host = endpoint.host.empty() ? nullptr : endpoint.host.c_str();
  if (const int error = getaddrinfo(host, port.c_str(), &hints, &found); error != 0) {
    return make_error(ErrorCode::kUnreachable,
                      "the address '" + endpoint.host + "' does not resolve: " + gai_strerror(error));
  }
  SocketAddress address;
  std::memcpy(&address.storage, found->ai_addr, found->ai_addrlen);
  address.size = found->ai_addrlen;
  freeaddrinfo(found);
  return address;
}

std::string errno_text(int error) {
  return std::generic_category().message(error);
}

Error io_error(const std::string& what) {
  const int error = errno;
  return make_error(ErrorCode::kIo, what + ": " + errno_text(error));
}

Result<Fd> listen_tcp(const SocketAddress& address) {
  Fd fd(socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return io_error("a socket cannot be made");
  const int on = 1;
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (bind(fd.get(), address.get(), address.size) != 0 || listen(fd.get(), 64) != 0) {
    return io_error("cannot listen on " + address.text());
  }
  return fd;
}

Result<Fd> connect_tcp(const SocketAddress& address) {
  Fd fd(socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return io_error("a socket cannot be made");
  const int on = 1;
  setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  if (connect(fd.get(), address.get(), address.size) != 0 && errno != EINPROGRESS) {
    return io_error("cannot connect to " + address.text());
  }
  return fd;
}

Result<Fd> listen_unix(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) {
    return make_error(ErrorCode::kInvalidArgument, "the socket path is longer than the system allows")
        .at_path(path);
  }
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  Fd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return io_error("a socket cannot be made");
  struct stat there{};
  if (stat(path.c_str(), &there) == 0 && S_ISSOCK(there.st_mode))
    unlink(path.c_str());  // left by an earlier run
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 ||
      listen(fd.get(), 8) != 0) {
    return io_error("cannot listen on the control socket").at_path(path);
  }
  return fd;
}

SocketAddress local_address(int fd) {
  SocketAddress address;
  getsockname(fd, address.get(), &address.size);
  return address;
}

int connect_error(int fd) {
  int error = 0;
  socklen_t size = sizeof(error);
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) return errno;
  return error;
}

std::optional<std::uint64_t> data_segments_in(int fd) {
  tcp_info info{};
  socklen_t size = sizeof(info);
  constexpr std::size_t kNeeded = offsetof(tcp_info, tcpi_data_segs_in) + sizeof(info.tcpi_data_segs_in);
  if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0 || size < kNeeded) return std::nullopt;
  return info.tcpi_data_segs_in;
}

std::uint64_t unacknowledged(int fd) {
  int bytes = 0;
  return ioctl(fd, SIOCOUTQ, &bytes) == 0 && bytes > 0 ? static_cast<std::uint64_t>(bytes) : 0;
}

}  // namespace tidegate
