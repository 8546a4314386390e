// SPDX-License-Identifier: Apache-2.0
// One connection of the HTTP source, and what all of them share. Only http_session.cc knows how HTTP is read.
#pragma once

#include <atomic>
#include <functional>
#include <memory>

#include "base/env.h"
#include "base/memory_budget.h"
#include "pipe/extract/influx/credentials.h"
#include "pipe/extract/influx/influx_http.h"
#include "pipe/extract/influx/repeats.h"
#include "pipe/extract/influx/write_job.h"

namespace boost::asio {
class io_context;
}

namespace tidegate {

class HttpSession;

// Lives at least as long as any session.
struct HttpShared {
  HttpShared(Env e, InfluxHttpOptions o, Ingest* ingest, InfluxHttpSource::Health h,
             const std::vector<Hash128>& stored)
      : env(e),
        options(std::move(o)),
        credentials(options),
        health(std::move(h)),
        budget(options.memory),
        repeats(options.idempotency_keys, options.idempotency_age),
        uses{e,
             ingest,
             std::make_shared<InfluxHttpCounts>(),
             std::make_shared<RowsPool>(),
             std::make_shared<StoredParts>(stored),
             options.source} {}
  virtual ~HttpShared() = default;
  // The session has closed its connection and calls nothing more. From its thread.
  virtual void remove(const std::shared_ptr<HttpSession>& session) = 0;

  const Env env;
  const InfluxHttpOptions options;
  const Credentials credentials;
  const InfluxHttpSource::Health health;
  MemoryBudget budget;
  Repeats repeats;
  const WriteJob::Uses uses;
  std::atomic<bool> stopping{false};
};

// Member functions from any thread; they return at once.
class HttpSession {
 public:
  virtual ~HttpSession() = default;
  virtual void start() = 0;
  virtual void start_refused() = 0;  // one connection too many: 503
  virtual void stop_soon() = 0;      // closes when no request is in progress
  virtual void stop_now() = 0;

  // Owns the connected socket `fd` from now on. `shared` owns `io`.
  static std::shared_ptr<HttpSession> make(std::shared_ptr<HttpShared> shared, boost::asio::io_context& io,
                                           int fd, bool v6);
};

}  // namespace tidegate
