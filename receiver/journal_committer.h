// SPDX-License-Identifier: Apache-2.0
// JournalCommitter: the Committer of the real receiver: one thread that appends whatever has been submitted,
// syncs once, and reports in the loop's thread. The slower the disk, the more requests share a sync.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "base/net.h"
#include "pipe/stream/far_store.h"
#include "receiver/air_gap_listener.h"

namespace tidegate {

class JournalCommitter final : public Committer {
 public:
  // All outlive the committer; `on_durable` is called in its thread after each sync that succeeded.
  JournalCommitter(Loop* loop, Journal* journal, FarStore* store, std::function<void(Lsn)> on_durable);
  ~JournalCommitter() override;  // finishes what was submitted

  // Loop's thread.
  void submit(StoreRequest request, std::function<void(Status)> done) override;
  // Finishes what was submitted, ends the thread.
  void stop();

 private:
  struct Entry {
    StoreRequest request;
    std::function<void(Status)> done;
    Status status;
  };
  void run();

  Loop* loop_;
  Journal* journal_;
  FarStore* store_;
  std::function<void(Lsn)> on_durable_;
  std::mutex mutex_;
  std::condition_variable work_;
  std::deque<Entry> queue_;
  bool stopping_ = false;
  std::jthread thread_;
};

}  // namespace tidegate
