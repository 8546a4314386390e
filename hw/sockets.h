// SPDX-License-Identifier: Apache-2.0
// Thin handles over Linux sockets for the gatekeeper emulator: descriptors that close themselves, addresses,
// and the kernel's own counters. The emulator works below base/net.h on purpose: it must see segments, not
// streams.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "base/net.h"
#include "base/result.h"

namespace tidegate {

class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& o) noexcept : fd_(std::exchange(o.fd_, -1)) {}
  Fd& operator=(Fd&& o) noexcept {
    std::swap(fd_, o.fd_);
    return *this;
  }
  ~Fd() { reset(); }
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  void reset();
  // Closes so that the peer sees RST; what is queued is lost.
  void reset_connection();

 private:
  int fd_ = -1;
};

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = sizeof(sockaddr_storage);

  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  std::uint16_t port() const;
  std::string host() const;  // numeric
  std::string text() const;  // host:port, [v6]:port
};

// kUnreachable where the name does not resolve. Blocks.
Result<SocketAddress> resolve(const Endpoint& endpoint, bool to_listen);

// A listening TCP socket, not blocking.
Result<Fd> listen_tcp(const SocketAddress& address);
// Starts to connect, not blocking; TCP_NODELAY on.
Result<Fd> connect_tcp(const SocketAddress& address);
// A file of this name is replaced only where it is a socket.
Result<Fd> listen_unix(const std::string& path);
SocketAddress local_address(int fd);
// What a finished connect attempt ended with: 0 or an errno.
int connect_error(int fd);
std::string errno_text(int error);
Error io_error(const std::string& what);  // kIo with errno

// Segments with data that this socket has received, repetitions included (tcpi_data_segs_in). Nothing where
// the kernel does not say (before Linux 4.6).
std::optional<std::uint64_t> data_segments_in(int fd);
// Bytes written here that the peer's TCP has not acknowledged (SIOCOUTQ).
std::uint64_t unacknowledged(int fd);

}  // namespace tidegate
