// SPDX-License-Identifier: Apache-2.0
#include "pipe/engine/json_text.h"

#include "base/bytes.h"
#include "protocol/influx/json_text.h"
#include "protocol/influx/text_scan.h"

namespace tidegate {
void append_json_string(std::string& out, std::string_view text) {
  influx::append_json_string(out, text);
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
