// SPDX-License-Identifier: Apache-2.0
#include "receiver/journal_committer.h"

namespace tidegate {

JournalCommitter::JournalCommitter(Loop* loop, Journal* journal, FarStore* store,
                                   std::function<void(Lsn)> on_durable)
    : loop_(loop), journal_(journal), store_(store), on_durable_(std::move(on_durable)) {
  thread_ = std::jthread([this] { run(); });
}

JournalCommitter::~JournalCommitter() {
  stop();
}

void JournalCommitter::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  work_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void JournalCommitter::submit(StoreRequest request, std::function<void(Status)> done) {
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back({std::move(request), std::move(done), {}});
  }
  work_.notify_one();
}

void JournalCommitter::run() {
  for (;;) {
    auto round = std::make_shared<std::deque<Entry>>();
    {
      std::unique_lock lock(mutex_);
      work_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      if (queue_.empty()) return;
      round->swap(queue_);
    }
    for (Entry& entry : *round) {
      entry.status = store_->append(entry.request);
      entry.request = StoreEnd{};  // gives the container's memory back before the disk is waited for
    }
    const Status synced = journal_->sync();
    if (synced.ok()) {
      store_->on_synced();
      on_durable_(journal_->durable_lsn());
    }
    loop_->post([round, synced] {
      for (Entry& entry : *round) entry.done(entry.status.ok() ? synced : entry.status);
    });
  }
}

}  // namespace tidegate
