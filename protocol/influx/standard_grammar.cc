// SPDX-License-Identifier: Apache-2.0
// A line as the published grammar wants it (influxdata/line-protocol, line-protocol.ebnf and its test
// corpus): no control characters in names, UTF-8 everywhere, CRLF allowed, strings know \n \r \t as well.
#include "protocol/influx/line_grammar.h"

namespace tidegate::influx {
namespace {

constexpr ByteSet kMeasurementStop{", \\", true};
constexpr ByteSet kMeasurementEscapes{", "};
constexpr ByteSet kKeyStop{",= \\", true};
constexpr ByteSet kKeyEscapes{",= "};
constexpr ByteSet kControls{"", true};
constexpr ByteSet kValueStop{", \r"};

class StandardGrammar final : public LineGrammar {
 public:
  using LineGrammar::LineGrammar;

 protected:
  Start read_start() override;
  bool read_key() override;
  bool read_fields() override;
  bool read_time() override;

 private:
  Start read_comment();
  bool read_tag();
  bool read_field();
  bool read_value(FieldValue& value);
  bool read_number(std::string_view token, FieldValue& value);
  bool read_string(FieldValue& value);
  std::string_view unescape_string(std::string_view raw);
  bool check_utf8(std::string_view text) {
    return is_utf8(text) || fail("invalid UTF-8", LineFault::kEncoding);
  }
  void skip_spaces() {
    while (at(' ')) ++p_;
  }
};

LineGrammar::Start StandardGrammar::read_start() {
  if (begin_ != end_ && end_[-1] == '\r') --end_;
  skip_spaces();
  if (at_end()) return Start::kNothing;
  return at('#') ? read_comment() : Start::kPoint;
}

LineGrammar::Start StandardGrammar::read_comment() {
  begin_ = p_;
  while (p_ != end_ && !kControls.has(*p_)) ++p_;
  if (at_end()) return Start::kNothing;
  fail("invalid character in a comment");
  return Start::kBad;
}

bool StandardGrammar::read_key() {
  const std::string_view raw = scan_name(kMeasurementStop, kMeasurementEscapes);
  if (raw.empty()) return fail("missing measurement");
  if (!check_utf8(raw)) return false;
  point_.measurement = unescaped(raw, kMeasurementEscapes);
  while (at(',')) {
    ++p_;
    if (!read_tag()) return false;
  }
  if (at_end()) return fail("missing fields");
  return at(' ') ? finish_key() : fail("invalid tag format");
}

bool StandardGrammar::read_tag() {
  const std::string_view raw_key = scan_name(kKeyStop, kKeyEscapes);
  if (raw_key.empty()) return fail("missing tag key");
  if (!check_utf8(raw_key)) return false;
  if (!at('=')) return fail("missing tag value");
  const std::string_view key = unescaped(raw_key, kKeyEscapes);
  ++p_;
  const std::string_view raw_value = scan_name(kKeyStop, kKeyEscapes);
  if (raw_value.empty()) return fail("missing tag value");
  if (!check_utf8(raw_value)) return false;
  point_.tags.push_back({key, unescaped(raw_value, kKeyEscapes)});
  return true;
}

bool StandardGrammar::read_fields() {
  skip_spaces();
  if (at_end()) return fail("missing fields");
  for (;;) {
    if (!read_field()) return false;
    if (!at(',')) return at_end() || at(' ') || fail("invalid field format");
    ++p_;
  }
}

bool StandardGrammar::read_field() {
  const std::string_view raw_key = scan_name(kKeyStop, kKeyEscapes);
  if (raw_key.empty()) return fail(at('=') ? "missing field key" : "invalid field format");
  if (!check_utf8(raw_key)) return false;
  if (!at('=')) return fail("invalid field format");
  Field field{unescaped(raw_key, kKeyEscapes), {}};
  ++p_;
  return read_value(field.value) && add_field(raw_key, field);
}

bool StandardGrammar::read_value(FieldValue& value) {
  if (at('"')) return read_string(value);
  const char* const start = p_;
  while (p_ != end_ && !kValueStop.has(*p_)) ++p_;
  const std::string_view token = since(start);
  if (token.empty()) return fail("missing field value");
  const char first = token.front();
  if ((first >= '0' && first <= '9') || first == '-' || first == '.') return read_number(token, value);
  bool flag = false;
  if (!read_boolean(token, flag)) return fail("invalid boolean");
  value = flag;
  return true;
}

bool StandardGrammar::read_number(std::string_view token, FieldValue& value) {
  const std::string_view digits = token.substr(0, token.size() - 1);
  if (token.back() == 'i') {
    std::int64_t number = 0;
    const Digits read = read_digits(digits, number);
    value = number;
    return read == Digits::kOk ||
           fail(read == Digits::kRange ? "integer value out of range" : "invalid number");
  }
  if (token.back() == 'u') {
    std::uint64_t number = 0;
    const Digits read = options().accept_unsigned ? read_digits(digits, number) : Digits::kSyntax;
    value = number;
    return read == Digits::kOk ||
           fail(read == Digits::kRange ? "unsigned value out of range" : "invalid number");
  }
  double number = 0;
  const bool ok = read_float(token, number);
  value = number;
  return ok || fail("invalid float");
}

bool StandardGrammar::read_string(FieldValue& value) {
  const char* const start = ++p_;
  escaped_ = false;
  for (; p_ != end_ && *p_ != '"'; ++p_) {
    if (*p_ != '\\') continue;
    escaped_ = true;
    if (p_ + 1 != end_) ++p_;
  }
  if (at_end()) return fail("unbalanced quotes");
  const std::string_view raw = since(start);
  ++p_;
  if (!check_utf8(raw)) return false;
  value = escaped_ ? unescape_string(raw) : raw;
  return true;
}

std::string_view StandardGrammar::unescape_string(std::string_view raw) {
  std::string& out = scratch();
  const std::size_t start = out.size();
  for (std::size_t i = 0; i < raw.size(); ++i) {
    const char next = raw[i] == '\\' && i + 1 < raw.size() ? raw[i + 1] : '\0';
    const std::size_t escape = std::string_view("\"\\nrt").find(next);
    if (next == '\0' || escape == std::string_view::npos) {
      out.push_back(raw[i]);
      continue;
    }
    out.push_back("\"\\\n\r\t"[escape]);
    ++i;
  }
  return std::string_view(out).substr(start);
}

bool StandardGrammar::read_time() {
  skip_spaces();
  if (at_end()) return true;
  const char* const start = p_;
  while (p_ != end_ && *p_ != ' ') {
    if (*p_ != '-' && (*p_ < '0' || *p_ > '9')) return fail("bad timestamp");
    ++p_;
  }
  if (!set_time(since(start))) return false;
  skip_spaces();
  return at_end() || fail("text after the timestamp");
}

}  // namespace

std::unique_ptr<LineGrammar> make_standard_grammar(const ParserOptions& options) {
  return std::make_unique<StandardGrammar>(options);
}

}  // namespace tidegate::influx
