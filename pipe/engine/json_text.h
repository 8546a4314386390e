// SPDX-License-Identifier: Apache-2.0
// Writes JSON text by hand where lines of it are appended to files: strings, and objects member by member.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tidegate {

// Appends `text` in quotes. Bytes that are not UTF-8 pass unchanged: the caller makes sure of them (see
// hex_if_binary).
void append_json_string(std::string& out, std::string_view text);

// Builds one object: JsonObject o(out); o.text("a", "b"); o.number("n", 1); o.end();
class JsonObject {
 public:
  explicit JsonObject(std::string& out) : out_(out) { out_ += '{'; }
  void text(std::string_view key, std::string_view value);
  // As text() where `value` is UTF-8, else as member `<key>_hex` with its bytes in hex: nothing is lost.
  void bytes(std::string_view key, std::string_view value);
  void number(std::string_view key, std::uint64_t value);
  void signed_number(std::string_view key, std::int64_t value);
  // `json` stands as it is.
  void raw(std::string_view key, std::string_view json);
  void end() { out_ += '}'; }

 private:
  void name(std::string_view key);

  std::string& out_;
  bool first_ = true;
};

}  // namespace tidegate
