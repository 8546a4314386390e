// SPDX-License-Identifier: Apache-2.0
// The Loop over kernel sockets: TCP over IPv4 and IPv6, on Boost.Asio.
//
// now() is the monotonic clock of real_env(). Connections, listeners and the handlers of both end before the
// loop does. close() drops what the kernel has not yet accepted; without `reset` the bytes that it has
// accepted still go out. Errors: kUnreachable (name or connect), kClosed (end of stream, reset), kTimeout
// (TCP gave up), kIo; all name the peer.
#pragma once

#include "base/net.h"

namespace boost::asio {
class io_context;
}

namespace tidegate {

class AsioLoop final : public Loop {
 public:
  AsioLoop();
  ~AsioLoop() override;
  AsioLoop(const AsioLoop&) = delete;
  AsioLoop& operator=(const AsioLoop&) = delete;

  // Runs in the calling thread until stop(); may be called again afterwards. What a handler throws comes out
  // of it.
  void run();
  // Any thread. A stop() before run() is remembered.
  void stop();
  // From now on SIGTERM, SIGINT and SIGHUP call `handler` in the loop's thread instead of ending the process.
  void on_signal(std::function<void(int)> handler);
  // For the few .cc files that speak another protocol over Asio in the same thread.
  boost::asio::io_context& context();

  Nanos now() override;
  std::uint64_t call_at(Nanos at, Task task) override;
  void cancel(std::uint64_t id) override;
  void post(Task task) override;
  std::unique_ptr<Connection> connect(const Endpoint& to, const ConnectionOptions& options,
                                      ConnectionHandler* handler) override;
  // An empty host or "*" listens on all addresses of both families.
  Result<std::unique_ptr<Listener>> listen(const Endpoint& at, const ConnectionOptions& options,
                                           Accept accept) override;

 private:
  struct Core;
  std::unique_ptr<Core> core_;
};

}  // namespace tidegate
