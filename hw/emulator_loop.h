// SPDX-License-Identifier: Apache-2.0
// The inside of Emulator: one epoll loop in one thread. Only run_in_loop() may be called from other threads.
#pragma once

#include <deque>
#include <future>
#include <memory>
#include <mutex>
#include <vector>

#include "hw/device.h"
#include "hw/segment_capture.h"
#include "hw/sockets.h"
#include "hw/tunnel.h"

namespace tidegate {

class EmulatorLoop {
 public:
  static Result<std::unique_ptr<EmulatorLoop>> open(GatekeeperOptions options);

  std::uint16_t port() const { return port_; }
  // Returns after stop(). What is still open is cut.
  void run();

  using Task = std::function<std::string(EmulatorLoop&)>;
  // Any thread: runs `task` in the loop and waits for what it returns; empty once the loop has ended.
  std::string run_in_loop(Task task);
  // Any thread but the loop's.
  void shut_down();

  // The rest belongs to the loop's thread.
  Device& device() { return device_; }
  std::size_t cut_all();
  std::size_t make_up_answers(std::uint8_t value);
  void stop() { stopping_ = true; }

 private:
  explicit EmulatorLoop(GatekeeperOptions options) : device_(std::move(options)) {}
  Status set_up();
  Status add(int fd, std::uint64_t key, std::uint32_t events);
  void wait(Nanos until);
  void on_event(std::uint64_t key, std::uint32_t events);
  void run_tasks();
  void accept_all();
  void accept_one(Fd inner, const SocketAddress& from);
  bool may_connect(std::uint64_t number, const SocketAddress& from);
  Tunnel& tunnel_for_new_connection();
  void pump_all();
  Nanos next_wake() const;
  void read_capture();

  Device device_;
  SocketAddress outer_address_;
  Fd epoll_;
  Fd timer_;
  Fd wake_up_;
  Fd listener_;
  std::unique_ptr<SegmentCapture> capture_;
  std::uint16_t port_ = 0;
  bool accept_ready_ = false;
  bool stopping_ = false;

  struct Slot {
    std::uint64_t key;
    std::unique_ptr<Tunnel> tunnel;
  };
  std::vector<Slot> tunnels_;
  std::uint64_t next_key_ = 16;  // smaller ones are the loop's own descriptors
  std::size_t first_ = 0;        // whose turn it is to be served first
  Nanos armed_for_ = kNever;

  struct Arrival {
    Nanos at;
    std::string host;
  };
  std::deque<Arrival> arrivals_;  // within the reconnect interval

  struct Waiting {
    Task task;
    std::promise<std::string> answer;
  };
  std::mutex mutex_;  // guards the two below
  std::deque<Waiting> waiting_;
  bool ended_ = false;
};

// Runs one line of the control language in the loop's thread.
std::string run_command(EmulatorLoop& loop, const std::string& line);

}  // namespace tidegate
