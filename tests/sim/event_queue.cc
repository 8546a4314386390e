// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/event_queue.h"

#include <algorithm>

namespace tidegate::sim {

ProcessId EventQueue::spawn() {
  alive_.push_back(true);
  return static_cast<ProcessId>(alive_.size() - 1);
}

void EventQueue::kill(ProcessId process) {
  alive_[process] = false;
  for (std::uint32_t i = 0; i < slots_.size(); ++i)
    if (slots_[i].taken && slots_[i].process == process) release(i);
}

std::uint64_t EventQueue::at(Nanos when, ProcessId process, Task task) {
  if (!alive_[process]) return ~std::uint64_t{0};
  std::uint32_t index;
  if (free_.empty()) {
    index = static_cast<std::uint32_t>(slots_.size());
    slots_.emplace_back();
  } else {
    index = free_.back();
    free_.pop_back();
  }
  Slot& slot = slots_[index];
  slot.process = process;
  slot.taken = true;
  slot.task = std::move(task);
  heap_.push_back({std::max(when, now_), ++order_, index, ++slot.use});
  std::push_heap(heap_.begin(), heap_.end());
  return (std::uint64_t{index} << 32 | slot.use) + 1;
}

void EventQueue::release(std::uint32_t index) {
  Slot& slot = slots_[index];
  const Task gone = std::move(slot.task);  // its destruction may make or cancel events
  slot.task = nullptr;
  slot.taken = false;
  free_.push_back(index);
}

void EventQueue::cancel(std::uint64_t id) {
  if (id == 0 || id == ~std::uint64_t{0}) return;
  const auto index = static_cast<std::uint32_t>((id - 1) >> 32);
  if (index >= slots_.size()) return;
  const Slot& slot = slots_[index];
  if (slot.taken && slot.use == static_cast<std::uint32_t>(id - 1)) release(index);
}

bool EventQueue::run_next(Nanos end) {
  while (!heap_.empty() && heap_.front().when <= end) {
    const Due due = heap_.front();
    std::pop_heap(heap_.begin(), heap_.end());
    heap_.pop_back();
    Slot& slot = slots_[due.slot];
    if (!slot.taken || slot.use != due.use) continue;
    const Task task = std::move(slot.task);
    running_ = slot.process;
    slot.task = nullptr;
    slot.taken = false;
    free_.push_back(due.slot);
    now_ = std::max(now_, due.when);
    ++events_;
    task();
    running_ = kWorld;
    return true;
  }
  now_ = std::max(now_, end);
  return false;
}

}  // namespace tidegate::sim
