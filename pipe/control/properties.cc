// SPDX-License-Identifier: Apache-2.0
#include "pipe/control/properties.h"

#include <optional>

#include "protocol/influx/text_scan.h"

namespace tidegate {
namespace {

constexpr std::string_view kBlanks = " \t\f";

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(kBlanks);
  return first == std::string_view::npos ? std::string_view() : text.substr(first);
}

bool is_continued(std::string_view line) {
  const std::size_t last = line.find_last_not_of('\\');
  return (line.size() - (last == std::string_view::npos ? 0 : last + 1)) % 2 == 1;
}

void append_utf8(std::string& out, std::uint32_t code) {
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xC0 | code >> 6);
    out += static_cast<char>(0x80 | (code & 0x3F));
  } else {
    out += static_cast<char>(0xE0 | code >> 12);
    out += static_cast<char>(0x80 | (code >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (code & 0x3F));
  }
}

// Four hexadecimal digits. Halves of surrogate pairs and control characters are no text of a setting.
std::optional<std::uint32_t> code_point(std::string_view digits) {
  std::uint32_t code = 0;
  if (digits.size() != 4) return {};
  for (const char c : digits) {
    const std::size_t digit = std::string_view("0123456789abcdef").find(static_cast<char>(c | 0x20));
    if (digit == std::string_view::npos || (c < 'A' && digit > 9)) return {};
    code = code * 16 + static_cast<std::uint32_t>(digit);
  }
  const bool is_text = code >= 0x20 && code != 0x7F && (code < 0xD800 || code > 0xDFFF);
  return is_text ? std::optional(code) : std::nullopt;
}

std::optional<std::string> unescaped(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || i + 1 == text.size()) {
      out += text[i];
      continue;
    }
    const char c = text[++i];
    if (c == 'u') {
      const auto code = code_point(text.substr(i + 1, 4));
      if (!code) return {};
      append_utf8(out, *code);
      i += 4;
    } else {
      out += c == 't' ? '\t' : c == 'n' ? '\n' : c == 'r' ? '\r' : c == 'f' ? '\f' : c;
    }
  }
  return out;
}

// Where the key ends: the first '=', ':' or blank that no backslash protects.
std::size_t end_of_key(std::string_view line) {
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '\\') {
      ++i;
    } else if (std::string_view("=: \t\f").find(line[i]) != std::string_view::npos) {
      return i;
    }
  }
  return line.size();
}

bool has_control(std::string_view text) {
  for (const char c : text)
    if ((static_cast<unsigned char>(c) < 0x20 && c != '\t' && c != '\f') || c == 0x7F) return true;
  return false;
}

class PropertiesReader {
 public:
  PropertiesReader(std::string_view text, const std::string& path) : text_(text), path_(path) {}

  Result<std::vector<Property>> read() {
    while (!text_.empty()) {
      const std::string_view first = trimmed(next_line());
      if (first.empty() || first.front() == '#' || first.front() == '!') continue;
      const std::uint32_t began = line_;
      std::string whole(first);
      while (is_continued(whole) && !text_.empty()) {
        whole.pop_back();
        whole += trimmed(next_line());
      }
      add(whole, began);
    }
    if (errors_) return std::move(*errors_);
    return std::move(out_);
  }

 private:
  std::string_view next_line() {
    ++line_;
    const std::size_t end = text_.find_first_of("\r\n");
    const std::string_view line = text_.substr(0, end);
    const bool both = end != std::string_view::npos && text_.substr(end, 2) == "\r\n";
    text_.remove_prefix(end == std::string_view::npos ? text_.size() : end + (both ? 2 : 1));
    return line;
  }

  void refuse(std::uint32_t line, const std::string& why) {
    if (errors_) {
      errors_->detail += "\n" + path_ + ":" + std::to_string(line) + ": " + why;
    } else {
      errors_ = Error(ErrorCode::kInvalidConfiguration, why).at_path(path_).at_line(line, 1);
    }
  }

  void add(std::string_view line, std::uint32_t at) {
    if (!influx::is_utf8(line))
      return refuse(at, "this is not UTF-8: convert the file, e.g. with iconv -f latin1");
    if (has_control(line)) return refuse(at, "a control character stands here: this is no properties file");
    const std::size_t end = end_of_key(line);
    std::string_view rest = trimmed(line.substr(end));
    if (end == 0 || rest.empty() || (rest.front() != '=' && rest.front() != ':'))
      return refuse(at, "expected name=value");
    rest = trimmed(rest.substr(1));
    rest = rest.substr(0, rest.find_last_not_of(kBlanks) + 1);
    const auto key = unescaped(line.substr(0, end));
    const auto value = unescaped(rest);
    if (!key || !value) return refuse(at, "\\u must be followed by four hexadecimal digits of a character");
    if (key->empty() || has_control(*key)) return refuse(at, "a name has no control characters");
    out_.push_back({*key, *value, at});
  }

  std::string_view text_;
  const std::string& path_;
  std::uint32_t line_ = 0;
  std::vector<Property> out_;
  std::optional<Error> errors_;
};

}  // namespace

Result<std::vector<Property>> parse_properties(std::string_view text, const std::string& path) {
  return PropertiesReader(text, path).read();
}

}  // namespace tidegate
