// SPDX-License-Identifier: Apache-2.0
// One simulated plant: senders, the device, the receiver, an operator who does what the system asks for, and
// the oracle.
#pragma once

#include <string>
#include <vector>

#include "tests/sim/machines.h"

namespace tidegate::sim {

struct WorldSetup {
  std::vector<SenderSetup> senders;
  ReceiverSetup receiver;
  DeviceTiming device;
  bool slow_device = false;  // with big frames
  std::uint64_t seed = 1;
  std::function<void(const std::string& line)> trace;  // one line of the timeline; empty: none
};

class World {
 public:
  explicit World(const WorldSetup& setup);

  void run_until(Nanos time);
  void run_for(Nanos duration) { run_until(queue.now() + duration); }
  // Runs until every sender has everything confirmed, or `bound` has passed; the operator acts meanwhile.
  // True: quiet.
  bool settle(Nanos bound);
  // Faults are over: the device is transparent, disks have room, machines start.
  void heal();
  // After settle(): is the far journal right? Adds to the violations.
  void check();
  // Nothing went wrong in this run: did every sender keep its first session? Adds to the violations.
  void check_undisturbed();
  // heal, settle, check. True: no violation.
  bool finish(Nanos bound = 3 * 3600 * kSecond);

  void at(Nanos time, std::function<void()> task) { queue.at(time, kWorld, std::move(task)); }
  SenderMachine& sender(std::size_t i = 0) { return *senders.at(i); }
  // A second box with the disk of the first at an earlier moment.
  SenderMachine& add_twin(SenderMachine& original, const Machine::Image& image);
  // What an operator does who reads states and messages: adopt, accept, declare, fork.
  void operate();
  void violation(const std::string& text);
  const std::vector<std::string>& violations() const { return oracle.violations(); }
  void say(const std::string& text) { site.say(text); }

  EventQueue queue;
  SimRandom random;
  Site site;
  Oracle oracle;
  Gatekeeper device;
  std::unique_ptr<ReceiverMachine> receiver;
  std::vector<std::unique_ptr<SenderMachine>> senders;
  std::vector<bool> is_twin;
  std::uint64_t operator_actions = 0;
  bool healed = false;  // no fault comes any more

 private:
  void operate_link(SenderMachine& sender, bool twin);
  void operate_streams(SenderMachine& sender);
  void operate_without_questions(SenderMachine& sender, const SenderStreamView& stream);
  void step(Nanos end, bool* more);
  std::string state_text() const;

  bool stuck_ = false;  // the run is given up
};

}  // namespace tidegate::sim
