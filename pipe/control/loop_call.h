// SPDX-License-Identifier: Apache-2.0
// An operator's command is carried out in the loop's thread; the control server's thread waits for the reply.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <thread>

#include "base/net.h"
#include "pipe/control/control_server.h"

namespace tidegate {

// Runs `command` in the loop and gives its reply. A loop that does not take it within `patience` never
// carries it out: what is reported as not taken does not happen later. Not to be called from the loop's
// thread.
inline ControlReply call_in_loop(Loop& loop, std::function<ControlReply()> command,
                                 std::chrono::milliseconds patience = std::chrono::seconds(5)) {
  struct Call {
    std::mutex mutex;
    bool given_up = false;
    std::promise<ControlReply> reply;
  };
  auto call = std::make_shared<Call>();
  auto future = call->reply.get_future();
  loop.post([call, command = std::move(command)] {
    const std::scoped_lock lock(call->mutex);
    if (!call->given_up) call->reply.set_value(command());
  });
  if (future.wait_for(patience) != std::future_status::ready) {
    const std::scoped_lock lock(call->mutex);  // while the command runs, this waits for it
    if (future.wait_for(std::chrono::seconds(0)) != std::future_status::ready) {
      call->given_up = true;
      return {false, "the daemon is busy and did not take the command: nothing was done"};
    }
  }
  return future.get();
}

// For what may be asked of the loop's thread before the loop runs, from it, and from others.
class LoopGate {
 public:
  explicit LoopGate(Loop* loop) : loop_(loop) {}
  // In the loop's thread, before anybody else asks.
  void entered() { thread_ = std::this_thread::get_id(); }
  // At once before entered() and in the loop's thread; else there, waited for. kBusy: the loop did not take
  // it and never will.
  Status run(const std::function<Status()>& task) const {
    const std::thread::id thread = thread_;
    if (thread == std::thread::id() || thread == std::this_thread::get_id()) return task();
    auto status = std::make_shared<Status>();
    const ControlReply reply = call_in_loop(*loop_, [status, task] {
      *status = task();
      return ControlReply{true, {}};
    });
    if (!reply.ok) return make_error(ErrorCode::kBusy, reply.text);
    return *status;
  }

 private:
  Loop* loop_;
  std::atomic<std::thread::id> thread_{};
};

}  // namespace tidegate
