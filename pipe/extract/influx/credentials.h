// SPDX-License-Identifier: Apache-2.0
// Who sends a request: tokens and users, compared in constant time. Immutable, any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/hash.h"
#include "pipe/extract/influx/options.h"

namespace tidegate {

// What a request shows. Views into the request.
struct Presented {
  std::string user;    // empty with a bare token
  std::string secret;  // password or token
};

// Reads "Basic <base64 of user:password>", "Token <token>", "Token <user>:<password>" and "Bearer <token>";
// the schemes in any case. Nothing for another scheme or damaged base64.
std::optional<Presented> parse_authorization(std::string_view header);

class Credentials {
 public:
  explicit Credentials(const InfluxHttpOptions& options);

  // Nobody has to say who he is.
  bool open() const { return entries_.empty(); }
  // A name for whom the secret belongs to ("token 2", "user agent"; never the secret), or nothing. Also
  // allowed, as 3.x does: a token in the place of a password, whatever the user's name is.
  std::optional<std::string> find(const Presented& shown) const;

 private:
  struct Entry {
    std::string name;
    Sha256 secret;     // hashed, so that length and content of what is compared say nothing
    std::string user;  // empty: a token
  };
  std::vector<Entry> entries_;
};

}  // namespace tidegate
