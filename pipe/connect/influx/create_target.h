// SPDX-License-Identifier: Apache-2.0
// Creates what a server does not have: a database and its retention policy (1.x), a bucket (2.x). Nothing
// that is there is changed, so it may be repeated. No sockets: what sends is given to it.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "pipe/connect/influx/http_client.h"

namespace tidegate {

// Where a row goes. 1.x: a database and a retention policy, empty: the default one. 2.x: a bucket.
struct TargetName {
  std::string database;
  std::string policy;
};
// 1.x: "db/rp" is database and retention policy.
TargetName split_policy(std::string_view name);

// The statements that create it, data kept for ever; for the server, and for an operator to copy.
std::string create_statements(const TargetName& name);

struct Creation {
  enum class Kind {
    kCreated,
    kRefused,  // not allowed, or no such name is possible: asking again does not help
    kTrouble   // the server is busy, down or in trouble
  };
  Kind kind = Kind::kTrouble;
  std::string message;  // kRefused, kTrouble: the server's own words
};

// `send` adds the credentials.
using SendRequest = std::function<Result<HttpResponse>(const HttpRequest&)>;
Creation create_database(const SendRequest& send, const TargetName& name);
// `org`: by its name.
Creation create_bucket(const SendRequest& send, const std::string& org, const std::string& bucket);

}  // namespace tidegate
