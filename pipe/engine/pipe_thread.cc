// SPDX-License-Identifier: Apache-2.0
#include "pipe/engine/pipe_thread.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace tidegate {

PipeThread::PipeThread(Env env, Pipe& pipe) : env_(env), pipe_(pipe), thread_([this] { run(); }) {}

PipeThread::~PipeThread() {
  pipe_.stop();
  const std::scoped_lock lock(mutex_);
  stop_wanted_ = true;
  changed_.notify_all();
}  // jthread joins

void PipeThread::notify() {
  const std::scoped_lock lock(mutex_);
  ++signals_;
  changed_.notify_all();
}

void PipeThread::start() {
  const std::scoped_lock lock(mutex_);
  start_wanted_ = true;
  changed_.notify_all();
}

Status PipeThread::stop(Nanos limit) {
  pipe_.stop();
  std::unique_lock lock(mutex_);
  stop_wanted_ = true;
  changed_.notify_all();
  if (!changed_.wait_for(lock, std::chrono::nanoseconds(limit), [this] { return ended_; })) {
    return make_error(ErrorCode::kTimeout,
                      "the pipe's target does not let go of a delivery: " + pipe_.status().connector);
  }
  if (end_error_.has_value()) return *end_error_;
  return {};
}

void PipeThread::run() {
  for (;;) {
    std::uint64_t seen;
    {
      const std::scoped_lock lock(mutex_);
      if (stop_wanted_) break;
      if (std::exchange(start_wanted_, false)) pipe_.start();
      seen = signals_;  // before the step: what becomes durable during it is not missed
    }
    wait(pipe_.step(), seen);
  }
  Status closed = pipe_.close();
  const std::scoped_lock lock(mutex_);
  if (!closed.ok()) end_error_ = std::move(closed).error();
  ended_ = true;
  changed_.notify_all();
}

void PipeThread::wait(const Wake& wake, std::uint64_t seen) {
  constexpr Nanos kLongest = 3600 * kSecond;
  const Nanos left = std::min(kLongest, wake.at == 0 ? 0 : wake.at - env_.clock->now());
  if (left <= 0) return;
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, std::chrono::nanoseconds(left),
                    [&] { return stop_wanted_ || start_wanted_ || (wake.on_data && signals_ != seen); });
}

}  // namespace tidegate
