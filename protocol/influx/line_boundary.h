// SPDX-License-Identifier: Apache-2.0
// Where a line of line protocol ends: a newline inside a string field does not end it.
//
// Resumable: a line may arrive in any number of pieces, each byte is looked at once (twice on the fast path).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tidegate::influx {

enum class Dialect : std::uint8_t {
  kV1,        // what InfluxDB 1.x and 2.x servers take
  kStandard,  // the published grammar (line-protocol.ebnf): stricter, no server implements exactly this
};

class LineBoundary {
 public:
  static constexpr std::size_t kNotFound = static_cast<std::size_t>(-1);

  explicit LineBoundary(Dialect dialect) : dialect_(dialect) {}

  // The index in `data` of the newline that ends the line, and the scanner is ready for the next line; or
  // kNotFound: the line goes on behind `data`. `data` continues where the last call stopped.
  std::size_t find_end(std::string_view data);

  // Newlines inside the line found last (in strings or behind a backslash).
  std::uint64_t embedded_newlines() const { return embedded_newlines_; }

 private:
  // kName: measurement and tags. kKey: a field key. kRest: nothing that can hide a newline follows.
  enum class State : std::uint8_t { kStart, kName, kKey, kValueStart, kValue, kString, kRest };

  std::size_t scan(std::string_view data);
  bool step_v1(char c);
  bool step_standard(char c);
  bool step_standard_text(char c);

  Dialect dialect_;
  State state_ = State::kStart;
  bool fresh_ = true;  // no byte of this line was seen
  bool escape_ = false;
  bool in_fields_ = false;
  bool quoted_ = false;
  std::int64_t open_equals_ = 0;  // '=' minus ',' since the first blank: above 0 a quote opens a string
  std::uint64_t embedded_newlines_ = 0;
};

}  // namespace tidegate::influx
