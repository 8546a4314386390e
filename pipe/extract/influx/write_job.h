// SPDX-License-Identifier: Apache-2.0
// One write request from its body to its answer: parse, submit, wait for the sync. No sockets.
//
//   1.x  good lines are stored, bad ones are reported (400, "partial write").
//   2.x  all lines are stored or none: a bad line refuses the request before anything is submitted.
//
// 204 only after the sync that covers every line. A large body goes to Ingest in parts. The first part may be
// refused (503: nothing is stored); a later one is offered again until Ingest takes it, at most kPatience;
// then 503 is answered though some parts are stored, as its text says.
//
// Each part has a mark: a digest of what makes the request identical (or of its Idempotency-Key, too) and of
// where the part lies in it. It is noted in the journal with the rows, until the client has its answer; a
// part whose mark is known is not stored again. A request without a key has marks only when all of its lines
// carry times.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/env.h"
#include "pipe/engine/ingest.h"
#include "pipe/extract/influx/body_reader.h"
#include "pipe/extract/influx/body_rows.h"
#include "pipe/extract/influx/counters.h"
#include "pipe/extract/influx/decision.h"
#include "pipe/extract/influx/stored_parts.h"

namespace tidegate {

// Row memory that is not in use. Any thread.
class RowsPool {
 public:
  std::unique_ptr<BodyRows> take();
  void give(std::unique_ptr<BodyRows> rows);

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<BodyRows>> free_;
};

class WriteJob : public std::enable_shared_from_this<WriteJob> {
 public:
  static constexpr Nanos kRetryDelay = 20 * kMillisecond;
  static constexpr Nanos kPatience = 10 * kSecond;

  struct Uses {  // outlive every job, also one that waits for Ingest
    Env env;
    Ingest* ingest = nullptr;
    std::shared_ptr<InfluxHttpCounts> counts;
    std::shared_ptr<RowsPool> pool;
    std::shared_ptr<StoredParts> parts;
    std::string source;
  };
  enum class Progress : std::uint8_t {
    kFinished,  // reply() is there
    kWaiting,   // `wake` will be called, then call run() again
    kLater,     // call run() again after kRetryDelay
  };

  // `identity`: of target, sender, key and body. `wake` is called from any thread, also inside run(); it must
  // not block.
  WriteJob(Uses uses, WriteRequest request, const Hash128& identity, BodyReader body,
           std::function<void()> wake);
  ~WriteJob();

  // Calls must not overlap.
  Progress run();

  // After kFinished.
  const HttpReply& reply() const { return reply_; }
  // The same request would get the same answer: 204, or 400 because of its lines.
  bool is_final() const { return reply_.status < 500; }
  // The body has been read to its end, and every line carries a time.
  bool all_timed() const { return parsed_ && all_timed_; }
  // The client has the answer: the same request is a new one from now on, unless it has a key.
  void delivered();
  // The answer is lost: the same request finds its parts stored.
  void undelivered();

 private:
  enum class Phase : std::uint8_t { kStart, kSubmitting, kSyncing, kFinished };
  void start();
  void begin_rows();
  void look_ahead();
  bool refuses_whole() const;
  std::optional<Hash128> mark_of_part() const;
  Status submit(const std::optional<Hash128>& mark);
  std::optional<Progress> submit_slices();
  Progress refused(const Error& error);
  Progress finish(HttpReply reply);
  Progress conclude();
  HttpReply bad_lines_reply();
  HttpReply failure_reply(const Error& error, bool part_is_stored);
  void on_done(const Status& status, std::uint64_t lines, std::uint64_t values,
               const std::optional<Hash128>& mark);
  bool waits_for_ingest() const;
  void free_memory();

  Uses uses_;
  WriteRequest request_;
  Hash128 identity_;
  BodyReader body_;
  std::function<void()> wake_;
  Phase phase_ = Phase::kStart;
  std::unique_ptr<BodyRows> rows_;
  std::int64_t default_time_ = 0;
  influx::ParserOptions parser_options_;
  HttpReply reply_;
  bool parsed_ = false;
  bool all_timed_ = false;
  bool slice_pending_ = false;   // rows_ holds one that Ingest has not taken
  std::size_t lines_ = 0;        // given to Ingest, or known to be stored
  std::size_t lines_known_ = 0;  // of those, known to be stored
  std::size_t error_count_ = 0;
  std::vector<influx::LineError> errors_;
  Nanos patience_ends_ = 0;

  mutable std::mutex mutex_;  // guards what Done changes
  std::size_t in_flight_ = 0;
  std::optional<Error> failure_;
  std::vector<Hash128> marks_;  // of the parts that are durable
};

}  // namespace tidegate
