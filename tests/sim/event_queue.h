// SPDX-License-Identifier: Apache-2.0
// Virtual time: one queue of events for all simulated machines, processes and the device between them.
//
// Every event belongs to a process; when the process dies its events go with it, so nothing reaches dead
// objects. Events of one moment run in the order in which they were made: a run is a function of its seed
// alone. One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "base/env.h"

namespace tidegate::sim {

using ProcessId = std::uint32_t;
constexpr ProcessId kWorld = 0;  // never dies: the device, the schedule, the operator

class EventQueue {
 public:
  using Task = std::function<void()>;

  Nanos now() const { return now_; }
  ProcessId spawn();
  // The process's events are dropped, those to come are refused.
  void kill(ProcessId process);
  bool alive(ProcessId process) const { return alive_[process]; }

  // Returns an id for cancel(), never 0. A moment in the past means now.
  std::uint64_t at(Nanos when, ProcessId process, Task task);
  std::uint64_t after(Nanos delay, ProcessId process, Task task) {
    return at(now_ + delay, process, std::move(task));
  }
  void cancel(std::uint64_t id);

  // Runs the next event when it is due by `end`; false when there is none (the time is then `end`). What a
  // task throws goes through; running() then says whose task it was.
  bool run_next(Nanos end);
  // Calls `task` now on behalf of a process.
  template <class F>
  void run_as(ProcessId process, F task) {
    const ProcessId before = running_;
    running_ = process;
    task();
    running_ = before;
  }
  ProcessId running() const { return running_; }
  std::uint64_t events() const { return events_; }

 private:
  struct Slot {
    std::uint32_t use = 0;  // counts uses of the slot: an id of an earlier one is stale
    ProcessId process = kWorld;
    bool taken = false;
    Task task;
  };
  struct Due {
    Nanos when;
    std::uint64_t order;
    std::uint32_t slot;
    std::uint32_t use;
    bool operator<(const Due& other) const {  // for a heap with the earliest on top
      return when != other.when ? when > other.when : order > other.order;
    }
  };
  void release(std::uint32_t slot);

  Nanos now_ = kSecond;
  std::uint64_t order_ = 0;
  std::uint64_t events_ = 0;
  ProcessId running_ = kWorld;
  std::vector<bool> alive_{true};
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_;
  std::vector<Due> heap_;
};

// A machine's clock: the queue's time; the wall clock may be moved.
class SimMachineClock final : public Clock {
 public:
  explicit SimMachineClock(const EventQueue* queue) : queue_(queue) {}
  Nanos now() override { return queue_->now(); }
  std::int64_t wall_micros() override { return 1'700'000'000'000'000 + queue_->now() / kMicrosecond; }

 private:
  const EventQueue* queue_;
};

}  // namespace tidegate::sim
