// SPDX-License-Identifier: Apache-2.0
#include "receiver/journal_committer.h"

namespace tidegate {

JournalCommitter::JournalCommitter(Loop* loop, Journal* journal, FarStore* store,
                                   std::function<void(Lsn)> on_durable)
    : loop_(loop), journal_(journal), store_(store), on_durable_(std::move(on_durable)) {
  thread_ = std::jthread([this] { run(); });
}

JournalCommitter::~JournalCommitter() {
  *alive_ = false;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
}

void JournalCommitter::submit(StoreRequest request, std::function<void(Status)> done) {
  Status status = store_->append(request);
  appended_.push_back({std::move(done), std::move(status)});
  if (!busy_) start_sync();
}

void JournalCommitter::start_sync() {
  busy_ = true;
  syncing_.swap(appended_);
  {
    const std::lock_guard lock(mutex_);
    wanted_ = true;
    mark_ = store_->mark();
  }
  wake_.notify_one();
}

void JournalCommitter::finish_sync(std::uint64_t mark, const Status& status) {
  if (status.ok()) {
    store_->on_synced(mark);
    on_durable_(journal_->durable_lsn());
  }
  const std::vector<Entry> done = std::exchange(syncing_, {});
  busy_ = false;
  if (!appended_.empty()) start_sync();
  for (const Entry& entry : done) entry.done(entry.status.ok() ? status : entry.status);
}

void JournalCommitter::run() {
  for (;;) {
    std::uint64_t mark = 0;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return stopping_ || wanted_; });
      if (stopping_) return;
      wanted_ = false;
      mark = mark_;
    }
    Status status = journal_->sync();
    loop_->post([this, alive = alive_, mark, status = std::move(status)] {
      if (*alive) finish_sync(mark, status);
    });
  }
}

}  // namespace tidegate
