// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/faults.h"

#include <algorithm>

namespace tidegate::sim {
namespace {

struct KindText {
  const char* name;
  std::uint32_t weight;
  const char* text;
};
constexpr KindText kKinds[] = {
#define TIDEGATE_X(name, weight, text) {#name, weight, text},
    TIDEGATE_FAULT_LIST(TIDEGATE_X)
#undef TIDEGATE_X
};

Nanos between(SimRandom& random, Nanos least, Nanos most) {
  return least + static_cast<Nanos>(random.below(static_cast<std::uint64_t>(most - least)));
}
// Mostly short, sometimes long.
Nanos some_while(SimRandom& random) {
  switch (random.below(3)) {
    case 0:
      return between(random, kMillisecond, kSecond);
    case 1:
      return between(random, kSecond, 40 * kSecond);
    default:
      return between(random, 30 * kSecond, 400 * kSecond);
  }
}

}  // namespace

const char* fault_name(FaultKind kind) {
  return kKinds[static_cast<std::size_t>(kind)].name + 1;
}
const char* fault_text(FaultKind kind) {
  return kKinds[static_cast<std::size_t>(kind)].text;
}
std::uint32_t fault_weight(FaultKind kind) {
  return kKinds[static_cast<std::size_t>(kind)].weight;
}

SenderMachine* FaultInjector::some_sender(SimRandom& random) {
  std::vector<SenderMachine*> there;
  for (const auto& s : world_->senders)
    if (!s->retired()) there.push_back(s.get());
  return there.empty() ? nullptr : there[random.below(there.size())];
}

void FaultInjector::take_images() {
  sender_images_.resize(world_->senders.size());
  for (std::size_t i = 0; i < world_->senders.size(); ++i)
    if (world_->senders[i]->up()) sender_images_[i].push_back(world_->senders[i]->image());
  if (world_->receiver->up()) receiver_images_.push_back(world_->receiver->image());
}

bool FaultInjector::inject(FaultKind kind, SimRandom& random) {
  world_->say(std::string("FAULT: ") + fault_text(kind));
  const bool hit = at_device(kind, random) || at_machine(kind, random) || at_disk(kind, random);
  if (hit) ++hits_[static_cast<std::size_t>(kind)];
  return hit;
}

template <class T>
void FaultInjector::for_a_while(T DeviceFaults::* flag, T value, T after, SimRandom& random) {
  world_->device.faults.*flag = value;
  world_->at(world_->queue.now() + some_while(random),
             [w = world_, flag, after] { w->device.faults.*flag = after; });
}

bool FaultInjector::at_device(FaultKind kind, SimRandom& random) {
  Gatekeeper& d = world_->device;
  const auto few = static_cast<std::uint32_t>(1 + random.below(3));
  using enum FaultKind;
  switch (kind) {
    case kAnswerLost:
      d.once.lose_answers = few;
      return true;
    case kAnswerDelayed:
      d.once.delay_answers = few;
      d.once.answer_delay = some_while(random) / 4;
      return true;
    case kAnswerDuplicated:
      d.once.duplicate_answers = few;
      return true;
    case kAnswerInvented: {
      if (random.chance(1, 2)) {
        d.once.stray_at_frame = 1 + static_cast<std::uint32_t>(random.below(40));
        d.once.stray = static_cast<std::uint8_t>(random.chance(2, 3) ? 0x00 : 0xFF);
        return true;
      }
      bool any = false;
      for (std::uint32_t i = 0; i < few; ++i) {
        const auto value = static_cast<std::uint8_t>(random.chance(2, 3) ? 0x00 : 0xFF);
        any |= d.invent_answer(value);
      }
      return any;
    }
    case kForeignByte:
      return d.invent_answer(static_cast<std::uint8_t>(1 + random.below(254)));
    case kSelfAnswering:
      for_a_while(&DeviceFaults::answers_itself, true, false, random);
      return true;
    case kPolarityTurned:
      if (random.chance(1, 2)) {
        d.once.invert_after = static_cast<std::uint32_t>(1 + random.below(30));
      } else {
        d.faults.inverted = !d.faults.inverted;
      }
      return true;
    case kStuck:
      for_a_while(&DeviceFaults::stuck, random.chance(1, 2) ? 0x00 : 0xFF, -1, random);
      return true;
    case kBytesLost:
      d.once.lose_bytes = few;
      return true;
    case kBitFlipped:
      d.once.flip_bits = few;
      return true;
    case kCutInFrame:
      d.once.cut_in_frame = 1;
      return true;
    case kCutAll:
      d.cut_all(random.chance(1, 2));
      return true;
    case kLinkDown:
      for_a_while(&DeviceFaults::down, true, false, random);
      if (random.chance(1, 2)) d.cut_all(true);
      return true;
    case kStalled:
      for_a_while(&DeviceFaults::stalls, true, false, random);
      return true;
    case kBuffering:
      for_a_while(&DeviceFaults::buffers, true, false, random);
      world_->receiver->crash(some_while(random));
      return true;
    case kPooling:
      for_a_while(&DeviceFaults::pools, true, false, random);
      return true;
    case kFrameLimit:
      for_a_while(&DeviceFaults::frame_limit, std::size_t{500} + random.below(1500), std::size_t{0}, random);
      return true;
    case kHidesCloses:
      for_a_while(&DeviceFaults::hides_closes, true, false, random);
      d.once.lose_answers = few - 1;
      return true;
    case kResetOvertakes:
      for_a_while(&DeviceFaults::reset_overtakes, true, false, random);
      return true;
    default:
      return false;
  }
}

bool FaultInjector::at_machine(FaultKind kind, SimRandom& random) {
  SenderMachine* sender = some_sender(random);
  if (sender == nullptr) return false;
  ReceiverMachine& receiver = *world_->receiver;
  const Nanos down = between(random, kSecond / 2, random.chance(1, 4) ? 200 * kSecond : 10 * kSecond);
  const std::uint64_t effects = 1 + random.below(random.chance(1, 2) ? 6 : 60);
  using enum FaultKind;
  switch (kind) {
    case kSenderCrash:
      if (!sender->up()) return false;
      sender->crash_at_effect(effects, down);
      return true;
    case kReceiverCrash:
      if (!receiver.up()) return false;
      receiver.crash_at_effect(effects, down);
      return true;
    case kSenderPowerCut:
      sender->power_cut(down);
      return true;
    case kReceiverPowerCut:
      receiver.power_cut(down);
      return true;
    default:
      return false;
  }
}

void FaultInjector::disk_error(Machine& machine, SimRandom& random) {
  SimFault fault;
  fault.kind = random.chance(1, 2) ? EffectKind::kSync : EffectKind::kWrite;
  fault.skip = random.below(6);
  fault.code = ErrorCode::kIo;
  fault.lose_unsynced = fault.kind == EffectKind::kSync && random.chance(2, 3);
  fault.written = fault.kind == EffectKind::kWrite ? random.below(100) : 0;
  machine.files().inject(fault);
  if (random.chance(1, 3)) return;
  // What was lost shows when the page cache goes.
  world_->at(world_->queue.now() + between(random, kMillisecond, 30 * kSecond),
             [&machine] { machine.power_cut(5 * kSecond); });
}

void FaultInjector::full(Machine& machine, SimRandom& random) {
  machine.files().set_capacity(machine.files().used() + random.below(6000));
  world_->at(world_->queue.now() + some_while(random),
             [&machine] { machine.files().set_capacity(std::uint64_t{1} << 50); });
}

bool FaultInjector::at_disk(FaultKind kind, SimRandom& random) {
  SenderMachine* sender = some_sender(random);
  if (sender == nullptr) return false;
  ReceiverMachine& receiver = *world_->receiver;
  const Nanos down = between(random, kSecond, 20 * kSecond);
  const auto index = static_cast<std::size_t>(sender->number());
  const auto pick = [&](std::vector<Machine::Image>& images) -> Machine::Image* {
    return images.empty() ? nullptr : &images[random.below(images.size())];
  };
  using enum FaultKind;
  switch (kind) {
    case kSenderDiskError:
      return disk_error(*sender, random), true;
    case kReceiverDiskError:
      return disk_error(receiver, random), true;
    case kSenderFull:
      return full(*sender, random), true;
    case kReceiverFull:
      return full(receiver, random), true;
    case kSenderRot:
      if (!sender->up() || !sender->rot()) return false;
      if (random.chance(1, 2)) sender->power_cut(down);
      return true;
    case kReceiverRot:
      if (!receiver.up() || !receiver.rot()) return false;
      if (random.chance(1, 2)) receiver.power_cut(down);
      return true;
    case kSenderRolledBack:
    case kTwin: {
      Machine::Image* image = index < sender_images_.size() ? pick(sender_images_[index]) : nullptr;
      if (image == nullptr || sender->journal_id() != image->journal) return false;
      if (kind == kSenderRolledBack) {
        sender->roll_back(*image, down);
      } else {
        if (world_->senders.size() >= 5) return false;
        world_->add_twin(*sender, *image).produce(static_cast<std::uint32_t>(1 + random.below(20)), 300);
      }
      return true;
    }
    case kReceiverRolledBack: {
      Machine::Image* image = pick(receiver_images_);
      if (image == nullptr) return false;
      receiver.roll_back(*image, down);
      // What is asked next has another answer than before: now a wrong one does most.
      if (random.chance(1, 3)) {
        const auto answers = static_cast<std::uint32_t>(5 + random.below(30));
        world_->at(world_->queue.now() + down, [w = world_, answers] {
          if (!w->healed) w->device.once.invert_after = answers;
        });
      }
      return true;
    }
    case kSenderReplaced:
      if (index < sender_images_.size()) sender_images_[index].clear();
      sender->replace_disk(down);
      return true;
    case kReceiverReplaced:
      receiver_images_.clear();
      receiver.replace_disk(down);
      return true;
    default:
      return false;
  }
}

}  // namespace tidegate::sim
