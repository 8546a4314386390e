// SPDX-License-Identifier: Apache-2.0
// Every kind of fault that a schedule can draw, and what it does to a world.
#pragma once

#include <array>
#include <cstdint>

#include "tests/sim/world.h"

namespace tidegate::sim {

// X(name, weight, text)
#define TIDEGATE_FAULT_LIST(X)                                                       \
  X(kAnswerLost, 4, "the device loses answers")                                      \
  X(kAnswerDelayed, 4, "the device delays an answer")                                \
  X(kAnswerDuplicated, 4, "the device doubles an answer")                            \
  X(kAnswerInvented, 6, "the device invents an answer")                              \
  X(kForeignByte, 2, "the device invents a byte that is no answer")                  \
  X(kSelfAnswering, 4, "the device answers by itself")                               \
  X(kPolarityTurned, 6, "the polarity of the answers turns in mid-session")          \
  X(kStuck, 4, "every answer has the same value")                                    \
  X(kBytesLost, 4, "the device loses bytes of a frame")                              \
  X(kBitFlipped, 4, "a bit of a frame flips")                                        \
  X(kCutInFrame, 5, "a connection is cut in mid-frame")                              \
  X(kCutAll, 5, "all connections are cut")                                           \
  X(kLinkDown, 4, "nothing passes the device for a while")                           \
  X(kStalled, 3, "the device takes bytes and lets none through")                     \
  X(kBuffering, 3, "the device takes connections while the receiver is down")        \
  X(kPooling, 5, "the device uses outer connections again")                          \
  X(kFrameLimit, 2, "the device cuts frames above a limit")                          \
  X(kHidesCloses, 4, "the device hides closes")                                      \
  X(kResetOvertakes, 4, "a reset overtakes answers")                                 \
  X(kSenderCrash, 6, "a sender's process dies at an effect")                         \
  X(kReceiverCrash, 6, "the receiver's process dies at an effect")                   \
  X(kSenderPowerCut, 6, "a sender loses power")                                      \
  X(kReceiverPowerCut, 8, "the receiver loses power")                                \
  X(kSenderDiskError, 4, "a write or sync of a sender's disk fails")                 \
  X(kReceiverDiskError, 5, "a write or sync of the receiver's disk fails")           \
  X(kSenderFull, 3, "a sender's disk is full for a while")                           \
  X(kReceiverFull, 3, "the receiver's disk is full for a while")                     \
  X(kSenderRot, 4, "a bit of a sender's disk flips")                                 \
  X(kReceiverRot, 3, "a bit of the receiver's disk flips")                           \
  X(kSenderRolledBack, 5, "a sender's disk becomes that of an earlier moment")       \
  X(kReceiverRolledBack, 6, "the receiver's disk becomes that of an earlier moment") \
  X(kSenderReplaced, 2, "a sender's disk is replaced")                               \
  X(kReceiverReplaced, 4, "the receiver's disk is replaced")                         \
  X(kTwin, 3, "a second box with a sender's identity and an earlier disk appears")

enum class FaultKind : std::uint8_t {
#define TIDEGATE_X(name, weight, text) name,
  TIDEGATE_FAULT_LIST(TIDEGATE_X)
#undef TIDEGATE_X
};
#define TIDEGATE_X(name, weight, text) +1
constexpr std::size_t kFaultKinds = 0 TIDEGATE_FAULT_LIST(TIDEGATE_X);
#undef TIDEGATE_X
const char* fault_name(FaultKind kind);
const char* fault_text(FaultKind kind);
std::uint32_t fault_weight(FaultKind kind);

// What a run remembers for its faults: earlier images of the disks.
class FaultInjector {
 public:
  explicit FaultInjector(World* world) : world_(world) {}
  // Remembers the disks as they are now.
  void take_images();
  // Does it now; its end, where it lasts, is planned. False: there was nothing to do it to.
  bool inject(FaultKind kind, SimRandom& random);
  const std::array<std::uint64_t, kFaultKinds>& hits() const { return hits_; }

 private:
  bool at_device(FaultKind kind, SimRandom& random);
  bool at_machine(FaultKind kind, SimRandom& random);
  bool at_disk(FaultKind kind, SimRandom& random);
  // Sets a flag of the device for a while.
  template <class T>
  void for_a_while(T DeviceFaults::* flag, T value, T after, SimRandom& random);
  void disk_error(Machine& machine, SimRandom& random);
  void full(Machine& machine, SimRandom& random);
  SenderMachine* some_sender(SimRandom& random);

  World* world_;
  std::array<std::uint64_t, kFaultKinds> hits_{};
  std::vector<std::vector<Machine::Image>> sender_images_;  // by sender
  std::vector<Machine::Image> receiver_images_;
};

}  // namespace tidegate::sim
