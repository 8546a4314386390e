// SPDX-License-Identifier: Apache-2.0
// Ingest: takes rows from sources, makes batches of them and tells each source when its rows are durable.
//
// The durability contract: `ok` to a producer means that the event is synced in the sender's journal. A Done
// is called with success only after the sync that covers every row of its call.
//
// A batch is closed when the last journal sync completes (whatever arrived meanwhile is the next batch), or
// at a size. One thread inside builds, encodes, appends and syncs, so the slower the disk the larger the
// batches. Thread rules: submit() from any thread. Done and on_durable are called from the inner thread and
// must not block.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "base/env.h"
#include "base/memory_budget.h"
#include "pipe/journal/journal.h"
#include "pipe/model/batch.h"
#include "pipe/model/container.h"

namespace tidegate {

struct IngestOptions {
  std::size_t batch_bytes = 512 << 10;   // canonical bytes at which a batch is closed before the next sync
  std::size_t pending_bytes = 32 << 20;  // canonical bytes that may wait for a sync; above it: kBusy
  Codec codec = Codec::kZstd;
  int level = 1;
};

struct IngestCounters {
  std::uint64_t rows = 0, values = 0, batches = 0, records = 0, syncs = 0, refused = 0, failed = 0;
  std::int64_t newest_event_ns = 0;  // newest event time that is durable; 0: none yet
};

class Ingest {
 public:
  using Done = std::function<void(const Status&)>;
  // Which rows may share a batch.
  struct Key {
    std::string source;
    std::string database;
    TimeUnit unit = TimeUnit::kNanosecond;
    auto operator<=>(const Key&) const = default;
  };

  // `on_durable` gets the journal's durable LSN after each sync. All that is given outlives the ingest.
  Ingest(Env env, Journal* journal, IngestOptions options, std::function<void(Lsn)> on_durable);
  ~Ingest();  // stop()
  Ingest(const Ingest&) = delete;
  Ingest& operator=(const Ingest&) = delete;

  // Adds all rows in order; `done` follows when they are durable or have failed. Errors at once (then `done`
  // is not called and no row was taken): kBusy when too much waits, kClosed after stop(), kInvalidArgument
  // for a first row that the model cannot hold (a later one fails the whole call through `done`).
  // `mark` (not zeros): noted in the same sync as the rows, so that this part of a request is recognised when
  // it comes again after a crash (pipe/stream/request_marks.h).
  Status submit(const Key& key, std::span<const RowView> rows, Done done, const Hash128& mark = {});
  // The producer knows that these parts are stored: their marks are forgotten with the next sync, or at
  // stop().
  void answered(const std::vector<Hash128>& marks);

  // Writes what waits, calls every Done, ends the thread.
  void stop();
  IngestCounters counters() const;
  std::size_t pending_bytes() const;

 private:
  struct Ticket {
    Done done;
    Status status;
  };
  struct Sealed {
    Key key;
    BatchBuilder builder;
  };
  struct Round {  // what one sync covers
    std::vector<Sealed> sealed;
    std::vector<Ticket> tickets;
    Bytes marks;  // of the requests, 16 bytes each
    std::size_t bytes = 0;
  };

  void run();
  Status write(Round& round, std::int64_t* newest);
  Status append(const std::vector<Batch>& batches);
  Status note_requests(Bytes stored, Lsn rows_lsn);
  BatchBuilder take_builder(const Key& key);

  Env env_;
  Journal* journal_;
  IngestOptions options_;
  std::function<void(Lsn)> on_durable_;
  mutable std::mutex mutex_;
  std::condition_variable work_;
  std::map<Key, BatchBuilder> open_;
  std::map<Key, std::vector<BatchBuilder>> spare_;  // builders that keep their memory
  Round next_;
  std::size_t in_work_bytes_ = 0;
  bool stopping_ = false;
  Bytes answered_;  // marks that may be forgotten
  IngestCounters counters_;
  std::jthread thread_;
};

}  // namespace tidegate
