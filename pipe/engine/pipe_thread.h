// SPDX-License-Identifier: Apache-2.0
// PipeThread: runs one pipe in a thread of its own.
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>

#include "pipe/engine/pipe.h"

namespace tidegate {

class PipeThread {
 public:
  // `pipe` is open and outlives this. Starts at once.
  PipeThread(Env env, Pipe& pipe);
  // Stops and waits without a limit.
  ~PipeThread();
  PipeThread(const PipeThread&) = delete;
  PipeThread& operator=(const PipeThread&) = delete;

  // Any thread: the durable LSN of the journal has moved. Cheap.
  void notify();
  // Any thread: takes the pipe out of STOPPED.
  void start();
  // Any thread. Asks the pipe to end, waits at most `limit` of real time. kTimeout: it is still at it (a
  // target that does not let go); else what closing the pipe said.
  Status stop(Nanos limit);

 private:
  void run();
  void wait(const Wake& wake, std::uint64_t seen);

  const Env env_;
  Pipe& pipe_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t signals_ = 0;  // of notify()
  bool start_wanted_ = false;
  bool stop_wanted_ = false;
  bool ended_ = false;
  std::optional<Error> end_error_;
  std::jthread thread_;  // last: uses all of the above
};

}  // namespace tidegate
