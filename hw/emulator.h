// SPDX-License-Identifier: Apache-2.0
// Emulator: a one-way isolation device between real sockets.
//
// It listens on the inner side and makes one connection to the receiver for each inner one. Forward bytes
// pass at the rate and with the delay of the profile; reverse bytes pass one by one and only where the
// profile allows them. It breaks the rules itself only where Faults say so, and counts every time one of the
// two ends breaks them.
//
// Thread rules: open() starts one thread that owns all sockets; every public member may be called from any
// thread. The destructor cuts what is open and joins the thread. on_violation is called in that thread.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "base/net.h"
#include "hw/gatekeeper_stats.h"
#include "hw/profile.h"

namespace tidegate {

enum class OnViolation : std::uint8_t {
  kCount,  // print and count; what a strict device would not let pass does not pass
  kCut     // and reset both sides of the connection
};

// What the device does wrong on purpose. Probabilities 0 to 1.
struct GatekeeperFaults {
  bool invert = false;                      // swaps the two answer values on their way back
  std::optional<std::uint8_t> self_answer;  // answers each frame itself; what the receiver says is dropped
  std::uint64_t buffer = 0;  // bytes; > 0: a terminating proxy that accepts while the receiver is down and
                             // goes on after it returns
  bool pool = false;         // keeps outer connections and serves later inner connections with them
  double lose_answers = 0;
  double duplicate_answers = 0;
  double stray = 0;         // a made-up answer when a frame begins
  Nanos delay_answers = 0;  // added to the reverse delay
  std::uint64_t seed = 1;   // of the dice
};

struct GatekeeperOptions {
  Profile profile;
  GatekeeperFaults faults;
  OnViolation on_violation = OnViolation::kCount;
  Endpoint inner{"127.0.0.1", 0};  // port 0: any, see port()
  Endpoint outer;
  std::string capture_interface;  // not empty: look at the packets too (CAP_NET_RAW)
  std::function<void(const Violation&)> violation_seen;
};

class EmulatorLoop;

class Emulator {
 public:
  // kIo, kUnreachable or kInvalidArgument (both answer values equal, a probability outside 0..1).
  static Result<std::unique_ptr<Emulator>> open(GatekeeperOptions options);
  ~Emulator();

  std::uint16_t port() const { return port_; }

  // Runs one line of the control language (doc/gatekeeper_emulator.md) and returns the answer, without a line
  // end.
  std::string command(const std::string& line);
  GatekeeperStats stats();  // a copy
  bool running() const { return running_; }

 private:
  Emulator();

  std::unique_ptr<EmulatorLoop> loop_;
  std::thread thread_;
  std::atomic<bool> running_{true};
  std::uint16_t port_ = 0;
};

}  // namespace tidegate
