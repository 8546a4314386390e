// SPDX-License-Identifier: Apache-2.0
// The device between the zones, as a model: tunnels between inner connections (of senders) and outer ones (of
// the receiver), transparent by default, and everything that such a device has been seen or is feared to do.
//
// What a socket does is as over TCP: bytes in order, a close behind them, a reset that may overtake them; the
// machine that loses power says nothing any more. A violation of the one-byte rule is told to the oracle.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/net.h"
#include "base/sim_env.h"
#include "tests/sim/event_queue.h"
#include "tests/sim/repetitions.h"

namespace tidegate::sim {

struct DeviceTiming {
  Nanos delay = 2 * kMillisecond;   // one way, half before and half behind the device
  std::uint64_t rate = 10'000'000;  // bytes per second, all inner connections together
  Nanos dead_peer = 60 * kSecond;   // until writing to a machine without power is noticed
};

// What the device does wrong at the moment. All off: transparent.
struct DeviceFaults {
  bool down = false;             // nothing connects, nothing passes
  bool inverted = false;         // 00 <-> FF
  int stuck = -1;                // every answer becomes this value
  bool answers_itself = false;   // `ok` to every piece of a frame; real answers vanish
  bool buffers = false;          // takes connections and bytes while the receiver is down, and swallows them
  bool pools = false;            // outer connections stay open and are used again
  bool hides_closes = false;     // a close on one side is not shown on the other
  bool reset_overtakes = false;  // a close of the receiver overtakes its answers
  bool stalls = false;           // takes bytes and lets none through
  std::size_t frame_limit = 0;   // a larger frame cuts the connection; 0: none
};

// One-shot faults: how many of the next things they hit.
struct DeviceOneShots {
  std::uint32_t lose_answers = 0;
  std::uint32_t delay_answers = 0;
  Nanos answer_delay = 0;
  std::uint32_t duplicate_answers = 0;
  std::uint32_t stray_at_frame =
      0;  // the n-th small frame from now; a byte comes in front of its answer. 0: none
  std::uint8_t stray = 0x00;
  std::uint32_t lose_bytes = 0;
  std::uint32_t flip_bits = 0;
  std::uint32_t cut_in_frame = 0;
  std::uint32_t flip_answer = 0;   // the n-th answer from now has the other value; 0: none
  std::uint32_t invert_after = 0;  // the polarity turns after this many answers; 0: not
};

class Gatekeeper {
 public:
  using Violation = std::function<void(const std::string&)>;
  Gatekeeper(EventQueue* queue, std::uint64_t seed, Violation violation);
  ~Gatekeeper();

  DeviceTiming timing;
  DeviceFaults faults;
  DeviceOneShots once;
  std::function<void(const std::string&)> trace;  // empty: no timeline wanted
  Repetitions repetitions;                        // heard between the device and the receiver

  // A byte out of nowhere to a sender; false when no connection is there.
  bool invent_answer(std::uint8_t value);
  // Every tunnel is closed towards both ends.
  void cut_all(bool reset);
  // The device lets go of what it keeps: pooled connections, buffered ones.
  void forget();

  // Answers that reached this process on its open connections as the receiver gave them.
  std::uint64_t true_answers(ProcessId process) const;
  // Says so (as a violation) where a sender has waited for an answer for longer than `most`.
  void check_waiting(Nanos most);

  // ---- for SimLoop
  struct End;
  struct Tunnel;
  class Socket;
  struct Server;
  class ServerHandle;
  std::unique_ptr<Connection> connect(ProcessId process, const ConnectionOptions& options,
                                      ConnectionHandler* handler);
  std::unique_ptr<Listener> listen(ProcessId process, const Endpoint& at, const ConnectionOptions& options,
                                   Loop::Accept accept);
  // The process is dead: its sockets are closed by its kernel (FIN or RST), or, without power, say nothing
  // any more.
  void process_died(ProcessId process, bool silent);

 private:
  friend class Socket;
  friend class ServerHandle;
  using EndPtr = std::shared_ptr<End>;
  using TunnelPtr = std::shared_ptr<Tunnel>;

  void say(const std::string& text) const {
    if (trace) trace("device: " + text);
  }
  void write(const EndPtr& from, Bytes bytes);
  void write_forward(const EndPtr& from, Bytes bytes);
  void write_reverse(const EndPtr& from, Bytes bytes);
  void close(const EndPtr& end, bool reset);
  void forward(const TunnelPtr& tunnel, Bytes bytes);
  bool damage(Bytes& bytes);  // true: something was done to them
  void reverse(const TunnelPtr& tunnel, const EndPtr& from, std::uint8_t byte);
  void give_answer(const TunnelPtr& tunnel, std::uint8_t byte);
  bool lies() const { return faults.inverted || faults.stuck >= 0 || faults.answers_itself; }
  void drained(const EndPtr& end);
  void arrive_connect(const TunnelPtr& tunnel);
  bool open_outer(const TunnelPtr& tunnel);
  bool reuse_pooled(const TunnelPtr& tunnel);
  void show_close(const EndPtr& end, const char* why);
  void inner_closed(const TunnelPtr& tunnel);
  void outer_closed(const TunnelPtr& tunnel);
  void cut(const TunnelPtr& tunnel, bool reset);
  Nanos half() const { return timing.delay / 2; }
  // Delivers in order: not before what was sent to this end earlier.
  void deliver(const EndPtr& end, Nanos when, std::function<void(ConnectionHandler&)> what);

  EventQueue* queue_;
  SimRandom random_;
  Violation violation_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  Nanos busy_until_ = 0;
  std::uint64_t next_number_ = 1;
  std::shared_ptr<Server> server_;
  std::vector<TunnelPtr> tunnels_;
  std::deque<TunnelPtr> pool_;
};

// The event loop of one simulated process.
class SimLoop final : public Loop {
 public:
  SimLoop(EventQueue* queue, Gatekeeper* device, ProcessId process)
      : queue_(queue), device_(device), process_(process) {}
  Nanos now() override { return queue_->now(); }
  std::uint64_t call_at(Nanos at, Task task) override { return queue_->at(at, process_, std::move(task)); }
  void cancel(std::uint64_t id) override { queue_->cancel(id); }
  void post(Task task) override { queue_->at(queue_->now(), process_, std::move(task)); }
  std::unique_ptr<Connection> connect(const Endpoint&, const ConnectionOptions& options,
                                      ConnectionHandler* handler) override {
    return device_->connect(process_, options, handler);
  }
  Result<std::unique_ptr<Listener>> listen(const Endpoint& at, const ConnectionOptions& options,
                                           Accept accept) override {
    return device_->listen(process_, at, options, std::move(accept));
  }

 private:
  EventQueue* queue_;
  Gatekeeper* device_;
  ProcessId process_;
};

}  // namespace tidegate::sim
