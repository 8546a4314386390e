// SPDX-License-Identifier: Apache-2.0
// From the head of a request to what is done with it. Pure: no sockets, no clock.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "pipe/extract/influx/credentials.h"
#include "pipe/extract/influx/options.h"
#include "pipe/extract/influx/reply.h"
#include "protocol/influx/precision.h"

namespace tidegate {

// Views into the request. A header that is absent is nullopt.
struct RequestHead {
  std::string_view method;
  std::string_view target;
  std::optional<std::string_view> authorization;
  std::optional<std::string_view> content_encoding;
  std::optional<std::string_view> idempotency_key;
  std::optional<std::string_view> expect;
  std::optional<std::string_view> content_type;
  std::optional<std::uint64_t> content_length;
};

struct WriteRequest {
  influx::Api api = influx::Api::kV1;  // kV1 or kV2
  std::string database;                // of the rows
  influx::Precision precision;
  bool gzip = false;
  bool expects_continue = false;
  std::string target;           // as sent: a part of what makes two requests identical
  std::string credential;       // empty: nobody had to say who he is
  std::string idempotency_key;  // empty: none
};

struct HealthRequest {};  // answered by health_reply()

struct QueryRequest {  // its statement is in a form body of at most kLargestForm bytes: form_reply()
  bool expects_continue = false;
};
constexpr std::uint64_t kLargestForm = 64 << 10;

using Decision = std::variant<HttpReply, WriteRequest, HealthRequest, QueryRequest>;

Decision decide(const InfluxHttpOptions& options, const Credentials& credentials, const RequestHead& head);

// What a 1.x client says before it writes: CREATE DATABASE with a name is answered as if it were done, for
// here a database needs no making. Every other statement is refused.
HttpReply query_reply(std::string_view statement);
HttpReply form_reply(std::string_view form_body);

// An error in words for a client: no paths and nothing else of the inside of this machine.
std::string told_to_client(const Error& error);

// GET /health in the form of 2.x: 200 "pass", or 503 "fail" with why.
HttpReply health_reply(const Status& health, std::string_view version);

// The first value of a parameter of a query string, decoded; nothing when it is absent. As the real servers
// (Go's url.ParseQuery) do: '+' is a blank, a pair with a bad %-escape is as if it were not there.
std::optional<std::string> query_parameter(std::string_view query, std::string_view name);

}  // namespace tidegate
