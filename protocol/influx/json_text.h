// SPDX-License-Identifier: Apache-2.0
// The little JSON that error bodies need: strings out, and a reader of small answers. Not a general library.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tidegate::influx {

// Appends `text` as a JSON string with its quotes. Bytes that are no UTF-8 become U+FFFD.
void append_json_string(std::string& out, std::string_view text);

struct JsonValue {
  enum class Kind { kString, kNumber, kLiteral, kArray, kObject };
  Kind kind = Kind::kLiteral;
  std::string text;                // the decoded string, or the number or literal as written
  std::string name;                // where the value is a member of an object
  std::vector<JsonValue> members;  // of an object or an array

  // The member of that name, nullptr when there is none.
  const JsonValue* find(std::string_view wanted) const;
  // The string of that member, empty when there is none.
  std::string_view string(std::string_view wanted) const;
};

// Nothing when the text is no JSON or nests deeper than 32.
std::optional<JsonValue> parse_json(std::string_view text);

}  // namespace tidegate::influx
