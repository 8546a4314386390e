// SPDX-License-Identifier: Apache-2.0
// What the HTTP source counts.
#pragma once

#include <atomic>
#include <cstdint>

namespace tidegate {

// All since the start, except `connections`, `body_bytes_held` and `last_write_micros`.
struct InfluxHttpCounters {
  std::uint64_t requests = 0;       // answered, of every kind
  std::uint64_t stored = 0;         // write requests answered with 204
  std::uint64_t partly_stored = 0;  // 1.x: good lines stored, bad ones refused (400)
  std::uint64_t refused = 0;        // other 4xx, without unauthorized
  std::uint64_t unauthorized = 0;   // 401
  std::uint64_t unavailable = 0;    // 503: budget, journal busy, full or poisoned, too many connections
  std::uint64_t repeated = 0;       // requests recognised as repetitions and not stored again
  std::uint64_t left_early = 0;     // clients that closed while their request was worked on
  std::uint64_t unanswered = 0;     // stored, but the answer could not be delivered
  std::uint64_t lines = 0;          // durable
  std::uint64_t values = 0;         // durable
  std::uint64_t refused_lines = 0;
  std::uint64_t body_bytes = 0;        // of write bodies as sent
  std::uint64_t timed_out = 0;         // connections closed because the client was too slow
  std::uint64_t accepted = 0;          // connections
  std::uint64_t connections = 0;       // open now
  std::uint64_t body_bytes_held = 0;   // of the memory budget, now
  std::int64_t last_write_micros = 0;  // wall clock of the newest durable request; 0: none
};

// The same, for any thread.
struct InfluxHttpCounts {
  using Count = std::atomic<std::uint64_t>;
  Count requests{0}, stored{0}, partly_stored{0}, refused{0}, unauthorized{0}, unavailable{0}, repeated{0};
  Count left_early{0}, unanswered{0}, lines{0}, values{0}, refused_lines{0}, body_bytes{0}, timed_out{0};
  Count accepted{0}, connections{0};
  std::atomic<std::int64_t> last_write_micros{0};

  InfluxHttpCounters snapshot() const {
    InfluxHttpCounters out;
    out.requests = requests;
    out.stored = stored;
    out.partly_stored = partly_stored;
    out.refused = refused;
    out.unauthorized = unauthorized;
    out.unavailable = unavailable;
    out.repeated = repeated;
    out.left_early = left_early;
    out.unanswered = unanswered;
    out.lines = lines;
    out.values = values;
    out.refused_lines = refused_lines;
    out.body_bytes = body_bytes;
    out.timed_out = timed_out;
    out.accepted = accepted;
    out.connections = connections;
    out.last_write_micros = last_write_micros;
    return out;
  }
};

}  // namespace tidegate
