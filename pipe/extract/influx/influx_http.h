// SPDX-License-Identifier: Apache-2.0
// InfluxHttpSource: an HTTP/1.1 server that takes line protocol as InfluxDB 1.x and 2.x do and gives it to
// Ingest.
//
//   POST /write            1.x: db, rp, precision, u, p
//   POST /api/v2/write     2.x: bucket, precision; org is not looked at
//   GET|POST /query        CREATE DATABASE with a name: 200 and nothing else happens; all else is refused
//   GET|HEAD /ping         204
//   GET|HEAD /health       200 "pass" or 503 "fail"
//
// The durability contract: 204 means that every line is synced in the journal. 400 on /write means that the
// good lines are. 503 with Retry-After means that the request may be sent again; nothing is ever dropped
// silently. Repetitions: repeats.h. Limits and keys: options.h.
//
// Threads: its own (options.threads); they read, decompress, parse and call Ingest::submit(). All member
// functions from any thread but those.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/env.h"
#include "base/hash.h"
#include "base/result.h"
#include "pipe/engine/ingest.h"
#include "pipe/extract/influx/counters.h"
#include "pipe/extract/influx/options.h"

namespace tidegate {

class InfluxHttpSource {
 public:
  struct Core;  // opaque
  // Asked for each GET /health, from the source's threads; must not block. Empty: always well.
  using Health = std::function<Status()>;

  // Listens and starts. Fails where check() does, and with kUnreachable or kIo where the address cannot be
  // had. `env` and `ingest` outlive the source, and `env` outlives the ingest.
  static Result<std::unique_ptr<InfluxHttpSource>> start(Env env, InfluxHttpOptions options, Ingest* ingest,
                                                         Health health = {},
                                                         const std::vector<Hash128>& stored = {});
  ~InfluxHttpSource();  // stop(0)
  InfluxHttpSource(const InfluxHttpSource&) = delete;
  InfluxHttpSource& operator=(const InfluxHttpSource&) = delete;

  // Accepts no more, closes idle connections, lets requests in progress finish for at most `limit`, then
  // closes what is left and ends the threads. Call it while the ingest still runs. True when every request
  // was answered.
  bool stop(Nanos limit);

  std::uint16_t port() const;  // that it listens on
  InfluxHttpCounters counters() const;

 private:
  explicit InfluxHttpSource(std::shared_ptr<Core> core);
  std::shared_ptr<Core> core_;
};

}  // namespace tidegate
