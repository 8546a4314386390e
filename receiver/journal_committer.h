// SPDX-License-Identifier: Apache-2.0
// JournalCommitter: the Committer of the real receiver. Requests are appended in the loop's thread as they
// come; one thread does nothing but sync. Whatever is appended while the disk works shares the next sync, so
// the slower the disk, the more requests share one.
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "base/net.h"
#include "pipe/stream/far_store.h"
#include "receiver/air_gap_listener.h"

namespace tidegate {

class JournalCommitter final : public Committer {
 public:
  // All outlive the committer. `on_durable` is called in the loop's thread after each sync that succeeded.
  JournalCommitter(Loop* loop, Journal* journal, FarStore* store, std::function<void(Lsn)> on_durable);
  ~JournalCommitter() override;  // waits for the sync under way; its requests get no answer

  void submit(StoreRequest request, std::function<void(Status)> done) override;

 private:
  struct Entry {
    std::function<void(Status)> done;
    Status status;
  };
  void start_sync();
  void finish_sync(std::uint64_t mark, const Status& status);
  void run();

  Loop* loop_;
  Journal* journal_;
  FarStore* store_;
  std::function<void(Lsn)> on_durable_;
  std::vector<Entry> appended_;  // wait for the next sync
  std::vector<Entry> syncing_;   // wait for the one under way
  bool busy_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);

  std::mutex mutex_;
  std::condition_variable wake_;
  bool wanted_ = false;
  std::uint64_t mark_ = 0;
  bool stopping_ = false;
  std::jthread thread_;
};

}  // namespace tidegate
