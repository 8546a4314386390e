// SPDX-License-Identifier: Apache-2.0
// What can be set for the HTTP source, how it is read from YAML, and what is refused.
//
//   influx:
//     listen: 127.0.0.1:8086      # host:port; beyond loopback only with tokens or users
//     database: plant             # optional: all rows go there, whatever the request names
//     tokens: [{secret: "credential:telegraf-token"}]
//     users: [{name: agent, password: "file:/etc/tidegate/agent.secret"}]
//     max_body: 25 MB             # of a body as sent
//     max_decompressed: 50 MB     # of a body after gzip
//     memory: 64 MiB              # of all bodies together; above it: 503
//     max_connections: 256
//     threads: 1                  # they parse, too
//     max_header: 16 KiB          # request line and headers
//     header_timeout: 10s         # from the first byte of a request to the end of its headers
//     body_timeout: 10s           # without a byte of the body, or for the client to take an answer
//     body_rate: 4 kB/s           # slower on average (after body_timeout): 408, the connection is closed
//     idle_timeout: 2m            # between two requests
//     idempotency_keys: 4096      # remembered per token or user, for idempotency_age
//     idempotency_age: 15m
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/env.h"
#include "base/net.h"
#include "base/yaml.h"

namespace tidegate {

struct InfluxHttpUser {
  std::string name;
  Secret password;
};

struct InfluxHttpOptions {
  Endpoint listen{"127.0.0.1", 8086};  // port 0: any free one
  std::string source = "influx";       // the source that batches name
  std::string version = "0";           // of the program, for /ping and /health
  std::string database;                // empty: as the request says
  std::vector<Secret> tokens;
  std::vector<InfluxHttpUser> users;
  std::uint64_t max_body = 25'000'000;
  std::uint64_t max_decompressed = 50'000'000;
  std::uint64_t memory = 64ULL << 20;
  unsigned max_connections = 256;
  unsigned threads = 1;
  std::uint64_t max_header = 16 << 10;
  Nanos header_timeout = 10 * kSecond;
  Nanos body_timeout = 10 * kSecond;
  std::uint64_t body_rate = 4000;  // bytes per second
  Nanos idle_timeout = 120 * kSecond;
  std::size_t idempotency_keys = 4096;
  Nanos idempotency_age = 15 * 60 * kSecond;
};

// kInvalidConfiguration with a sentence that says what to change: an address beyond loopback without tokens
// or users, limits that contradict each other, an empty or doubled secret.
Status check(const InfluxHttpOptions& options);

// Reads the keys above and reports what check() refuses at the place of the map. `source` and `version` are
// left to the caller.
InfluxHttpOptions read_influx_http(YamlMap& map);

// 127.0.0.0/8, ::1 and "localhost".
bool is_loopback(const std::string& host);

}  // namespace tidegate
