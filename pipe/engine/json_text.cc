// SPDX-License-Identifier: Apache-2.0
#include "pipe/engine/json_text.h"

#include "base/bytes.h"
#include "protocol/influx/text_scan.h"

namespace tidegate {
namespace {

void append_escaped(std::string& out, char c) {
  constexpr char kHex[] = "0123456789abcdef";
  switch (c) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      break;
  }
  const auto byte = static_cast<unsigned char>(c);
  out += "\\u00";
  out += kHex[byte >> 4];
  out += kHex[byte & 15];
}

bool is_plain(char c) {
  return static_cast<unsigned char>(c) >= 0x20 && c != '"' && c != '\\' && c != 0x7f;
}

}  // namespace

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  std::size_t from = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (is_plain(text[i])) continue;
    out.append(text, from, i - from);
    append_escaped(out, text[i]);
    from = i + 1;
  }
  out.append(text, from);
  out += '"';
}

void JsonObject::name(std::string_view key) {
  if (!first_) out_ += ',';
  first_ = false;
  append_json_string(out_, key);
  out_ += ':';
}

void JsonObject::text(std::string_view key, std::string_view value) {
  name(key);
  append_json_string(out_, value);
}

void JsonObject::bytes(std::string_view key, std::string_view value) {
  if (influx::is_utf8(value)) {
    text(key, value);
  } else {
    text(std::string(key) + "_hex", to_hex(as_bytes(value)));
  }
}

void JsonObject::number(std::string_view key, std::uint64_t value) {
  raw(key, std::to_string(value));
}
void JsonObject::signed_number(std::string_view key, std::int64_t value) {
  raw(key, std::to_string(value));
}

void JsonObject::raw(std::string_view key, std::string_view json) {
  name(key);
  out_ += json;
}

}  // namespace tidegate
