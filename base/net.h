// SPDX-License-Identifier: Apache-2.0
// The network part of Env: one event loop with timers, outgoing connections and listeners.
//
// The air-gap connector and the air-gap listener are written against this header only, so the same code runs
// over kernel sockets (base/asio_loop.h) and in the simulator, in virtual time. Thread rules: everything here
// belongs to the loop's thread; only post() may be called from elsewhere. Handlers are called from the loop,
// never from inside a call to this interface.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/env.h"

namespace tidegate {

struct Endpoint {
  std::string host;  // name or address; IPv6 without brackets
  std::uint16_t port = 0;
  std::string text() const;  // host:port, [v6]:port
};

// Receives the events of one connection. Must outlive the connection or call Connection::close() first.
class ConnectionHandler {
 public:
  virtual ~ConnectionHandler() = default;
  virtual void on_connected() = 0;            // outgoing connections only
  virtual void on_bytes(ByteView bytes) = 0;  // valid during the call
  virtual void on_written() = 0;              // all bytes given to write() so far have left this process
  virtual void on_drained() = 0;  // ... and the peer's TCP has acknowledged them (SIOCOUTQ == 0); only
                                  // for connections opened with want_drained
  virtual void on_closed(
      const Error& reason) = 0;  // end of stream, reset, failed connect; the last event; not after close()
};

class Connection {
 public:
  virtual ~Connection() = default;  // closes
  // Queues bytes; TCP_NODELAY is on. on_written() follows.
  virtual void write(Bytes bytes) = 0;
  // No event follows. With `reset` the peer sees RST instead of FIN.
  virtual void close(bool reset) = 0;
  virtual std::string peer() const = 0;  // "address:port"
};

struct ConnectionOptions {
  bool want_drained = false;
  Nanos user_timeout = 0;            // TCP_USER_TIMEOUT, 0: the system's
  std::size_t unsent_low_water = 0;  // TCP_NOTSENT_LOWAT in bytes, 0: the system's
};

class Listener {
 public:
  virtual ~Listener() = default;  // stops listening
  virtual std::uint16_t port() const = 0;
};

class Loop {
 public:
  using Task = std::function<void()>;
  // Gets a new connection and returns its handler (nullptr: refuse). The connection is owned by the receiver.
  using Accept = std::function<ConnectionHandler*(std::unique_ptr<Connection>)>;

  virtual ~Loop() = default;
  virtual Nanos now() = 0;
  // Runs `task` at or soon after `at`. Returns an id for cancel(); 0 is never used.
  virtual std::uint64_t call_at(Nanos at, Task task) = 0;
  virtual void cancel(std::uint64_t id) = 0;  // unknown ids are ignored
  // Any thread. Runs `task` in the loop's thread, in order of posting.
  virtual void post(Task task) = 0;
  // Starts to connect; on_connected() or on_closed() follows.
  virtual std::unique_ptr<Connection> connect(const Endpoint& to, const ConnectionOptions& options,
                                              ConnectionHandler* handler) = 0;
  virtual Result<std::unique_ptr<Listener>> listen(const Endpoint& at, const ConnectionOptions& options,
                                                   Accept accept) = 0;
};

}  // namespace tidegate
