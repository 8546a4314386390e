// SPDX-License-Identifier: Apache-2.0
// PipeThread: runs one pipe in a thread of its own.
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>

#include "pipe/engine/pipe.h"

namespace tidegate {

// What keeps a pipe going: a thread, or a test in virtual time.
class PipeRunner {
 public:
  virtual ~PipeRunner() = default;
  // Any thread: the durable LSN of the journal has moved. Cheap.
  virtual void notify() = 0;
  // Any thread: takes the pipe out of STOPPED.
  virtual void start() = 0;
  // Any thread. Asks the pipe to end, waits at most `limit` of real time. kTimeout: it is still at it (a
  // target that does not let go); else what closing the pipe said.
  virtual Status stop(Nanos limit) = 0;
};

class PipeThread final : public PipeRunner {
 public:
  // `pipe` is open and outlives this. Starts at once.
  PipeThread(Env env, Pipe& pipe);
  // Stops and waits without a limit.
  ~PipeThread() override;
  PipeThread(const PipeThread&) = delete;
  PipeThread& operator=(const PipeThread&) = delete;

  void notify() override;
  void start() override;
  Status stop(Nanos limit) override;

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
