// SPDX-License-Identifier: Apache-2.0
#include "protocol/influx/json_text.h"

#include <algorithm>
#include <charconv>
#include <cstdint>

#include "protocol/influx/text_scan.h"

namespace tidegate::influx {
namespace {

constexpr int kMaxDepth = 32;
constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

void append_utf8(std::string& out, std::uint32_t code) {
  const auto byte = [&out](std::uint32_t value) { out.push_back(static_cast<char>(value)); };
  if (code < 0x80) return byte(code);
  if (code < 0x800) return byte(0xC0 | code >> 6), byte(0x80 | (code & 0x3F));
  if (code < 0x10000)
    return byte(0xE0 | code >> 12), byte(0x80 | (code >> 6 & 0x3F)), byte(0x80 | (code & 0x3F));
  byte(0xF0 | code >> 18), byte(0x80 | (code >> 12 & 0x3F)), byte(0x80 | (code >> 6 & 0x3F)),
      byte(0x80 | (code & 0x3F));
}

class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  std::optional<JsonValue> document() {
    JsonValue value;
    if (!read(value, 0)) return std::nullopt;
    skip_blanks();
    return position_ == text_.size() ? std::optional(std::move(value)) : std::nullopt;
  }

 private:
  bool read(JsonValue& value, int depth) {
    skip_blanks();
    if (depth > kMaxDepth || position_ == text_.size()) return false;
    switch (text_[position_]) {
      case '"':
        value.kind = JsonValue::Kind::kString;
        return read_string(value.text);
      case '{':
        value.kind = JsonValue::Kind::kObject;
        return read_members(value, depth, '}');
      case '[':
        value.kind = JsonValue::Kind::kArray;
        return read_members(value, depth, ']');
      default:
        return read_plain(value);
    }
  }

  bool read_members(JsonValue& value, int depth, char close) {
    ++position_;
    if (skip(close)) return true;
    do {
      JsonValue& member = value.members.emplace_back();
      skip_blanks();
      if (close == '}' && (!read_string(member.name) || !skip(':'))) return false;
      if (!read(member, depth + 1)) return false;
    } while (skip(','));
    return skip(close);
  }

  bool read_plain(JsonValue& value) {
    const std::size_t end = std::min(text_.find_first_of(" \t\r\n,]}", position_), text_.size());
    value.text = text_.substr(position_, end - position_);
    position_ = end;
    if (value.text == "true" || value.text == "false" || value.text == "null") return true;
    value.kind = JsonValue::Kind::kNumber;
    return value.text.find_first_not_of("+-.0123456789eE") == std::string::npos && !value.text.empty();
  }

  bool read_string(std::string& out) {
    if (position_ == text_.size() || text_[position_] != '"') return false;
    for (++position_; position_ < text_.size();) {
      const char c = text_[position_++];
      if (c == '"') return true;
      if (c != '\\') {
        out.push_back(c);
      } else if (!read_escape(out)) {
        return false;
      }
    }
    return false;
  }

  bool read_escape(std::string& out) {
    if (position_ == text_.size()) return false;
    const char c = text_[position_++];
    if (c == 'u') return read_code(out);
    const std::size_t known = std::string_view("\"\\/bfnrt").find(c);
    if (known == std::string_view::npos) return false;
    out.push_back("\"\\/\b\f\n\r\t"[known]);
    return true;
  }

  bool read_code(std::string& out) {
    std::uint32_t code = 0;
    if (!read_hex(code)) return false;
    if (code >= 0xD800 && code < 0xDC00 && text_.substr(position_, 2) == "\\u") {
      position_ += 2;
      std::uint32_t low = 0;
      if (!read_hex(low)) return false;
      if (low < 0xDC00 || low > 0xDFFF) return out += kReplacement, true;
      code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    }
    if (code >= 0xD800 && code < 0xE000) return out += kReplacement, true;
    append_utf8(out, code);
    return true;
  }

  bool read_hex(std::uint32_t& code) {
    const std::string_view digits = text_.substr(std::min(position_, text_.size()), 4);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), code, 16);
    position_ += digits.size();
    return digits.size() == 4 && error == std::errc() && end == digits.data() + 4;
  }

  void skip_blanks() { position_ = std::min(text_.find_first_not_of(" \t\r\n", position_), text_.size()); }
  bool skip(char c) {
    skip_blanks();
    if (position_ == text_.size() || text_[position_] != c) return false;
    return ++position_, true;
  }

  std::string_view text_;
  std::size_t position_ = 0;
};

}  // namespace

void append_json_string(std::string& out, std::string_view text) {
  static constexpr char kDigits[] = "0123456789abcdef";
  out.push_back('"');
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    const char c = text.front();
    if (length == 0) {
      out += kReplacement;
    } else if (const std::size_t known = std::string_view("\"\\\n\r\t").find(c);
               known != std::string_view::npos) {
      out.push_back('\\');
      out.push_back("\"\\nrt"[known]);
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += "\\u00";
      out.push_back(kDigits[c >> 4]);
      out.push_back(kDigits[c & 15]);
    } else {
      out.append(text.substr(0, length));
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
  out.push_back('"');
}

const JsonValue* JsonValue::find(std::string_view wanted) const {
  if (kind != Kind::kObject) return nullptr;
  for (const JsonValue& member : members)
    if (member.name == wanted) return &member;
  return nullptr;
}

std::string_view JsonValue::string(std::string_view wanted) const {
  const JsonValue* member = find(wanted);
  return member != nullptr && member->kind == Kind::kString ? std::string_view(member->text)
                                                            : std::string_view();
}

std::optional<JsonValue> parse_json(std::string_view text) {
  return Reader(text).document();
}

}  // namespace tidegate::influx
