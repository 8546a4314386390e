// SPDX-License-Identifier: Apache-2.0
// The plain structs of line protocol: what the parser yields and the writer takes.
//
// Nothing here owns text: every std::string_view points into the parser's input or scratch (see line_parser.h
// for how long) or into what the caller of the writer keeps alive.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>
#include <vector>

namespace tidegate::influx {

enum class Unit : std::uint8_t { kSecond, kMillisecond, kMicrosecond, kNanosecond };

struct Tag {
  std::string_view key;
  std::string_view value;
  bool operator==(const Tag&) const = default;
};

// The five field types; the alternative held is the type.
using FieldValue = std::variant<double, std::int64_t, std::uint64_t, bool, std::string_view>;

struct Field {
  std::string_view key;
  FieldValue value;
  bool operator==(const Field&) const = default;
};

struct Point {
  std::string_view measurement;
  std::vector<Tag> tags;             // sorted by key, keys unique
  std::vector<Field> fields;         // in the order of the line, keys unique, at least one
  std::optional<std::int64_t> time;  // absent: the line names none, the caller stamps it
  bool operator==(const Point&) const = default;
};

}  // namespace tidegate::influx
