// SPDX-License-Identifier: Apache-2.0
// A line as influxd 1.x and 2.x read it. The order of the checks is theirs, so that the first error is the
// same.
#include "protocol/influx/line_grammar.h"

namespace tidegate::influx {
namespace {

constexpr ByteSet kMeasurementStop{", \\"};
constexpr ByteSet kMeasurementDelimiter{", "};
constexpr ByteSet kTagStop{",= \\"};
constexpr ByteSet kTagDelimiter{",= "};
constexpr ByteSet kNameEscapes{",\" ="};  // of measurements and field keys; tags know no \" escape
constexpr ByteSet kStringStop{"\"\\"};
constexpr ByteSet kStringEscapes{"\"\\"};
constexpr ByteSet kTailStop{"\"\\,= "};
constexpr ByteSet kValueStop{", "};

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\0';
}
bool is_digit_or_dot(char c) {
  return (c >= '0' && c <= '9') || c == '.';
}

// Why the servers refuse a token that starts like a number: a byte or form that no number has, or a float
// that cannot be read.
std::string_view number_fault(std::string_view token) {
  std::size_t digits = 0;
  std::size_t dots = 0;
  for (std::size_t i = token.starts_with('-') ? 1 : 0; i < token.size(); ++i) {
    const char c = token[i];
    if (i > 0 && (c == 'e' || c == 'E')) {
      ++digits;
    } else if (c == '+' || c == '-') {
      if (i == 0 || (token[i - 1] != 'e' && token[i - 1] != 'E')) return "invalid number";
    } else if (!is_digit_or_dot(c)) {
      return "invalid number";
    } else {
      ++(c == '.' ? dots : digits);
    }
  }
  return digits == 0 || dots > 1 ? "invalid number" : "invalid float";
}

class V1Grammar final : public LineGrammar {
 public:
  using LineGrammar::LineGrammar;

 protected:
  Start read_start() override;
  bool read_key() override;
  bool read_fields() override;
  bool read_time() override;

 private:
  void skip_blanks();
  bool read_tag();
  std::string_view scan_field_key();
  bool read_field();
  bool read_value(FieldValue& value);
  bool read_string(FieldValue& value);
  bool scan_string();
  bool read_string_tail();
  bool read_number(std::string_view token, FieldValue& value);
  bool read_integer(std::string_view digits, FieldValue& value);
  bool read_unsigned(std::string_view digits, FieldValue& value);
  bool check_reserved_names();
};

void V1Grammar::skip_blanks() {
  while (p_ != end_ && is_blank(*p_)) ++p_;
}

LineGrammar::Start V1Grammar::read_start() {
  skip_blanks();
  return at_end() || at('#') ? Start::kNothing : Start::kPoint;
}

bool V1Grammar::read_key() {
  if (at(',')) return fail("missing measurement");
  const std::string_view raw = scan_name(kMeasurementStop, kMeasurementDelimiter);
  if (at_end()) return fail("missing fields");
  if (!is_utf8(raw)) return fail("measurement contains invalid UTF-8", LineFault::kEncoding);
  point_.measurement = unescaped(raw, kNameEscapes);
  while (at(',')) {
    ++p_;
    if (!read_tag()) return false;
  }
  return finish_key();
}

bool V1Grammar::read_tag() {
  if (at_end() || kTagDelimiter.has(*p_)) return fail("missing tag key");
  const std::string_view raw_key = scan_name(kTagStop, kTagDelimiter);
  if (!at('=')) return fail("missing tag value");
  const std::string_view key = unescaped(raw_key, kTagDelimiter);
  const char* const start = ++p_;
  if (at_end() || at(',') || at(' ')) return fail("missing tag value");
  if (at('=')) ++p_;  // the servers look for a stray '=' from the second byte on
  scan_name(kTagStop, kTagDelimiter);
  if (at_end()) return fail("missing fields");
  if (at('=')) return fail("invalid tag format");
  point_.tags.push_back({key, unescaped(since(start), kTagDelimiter)});
  return true;
}

bool V1Grammar::read_fields() {
  skip_blanks();
  for (;;) {
    if (!read_field()) return false;
    if (!at(',')) return true;
    ++p_;
  }
}

// In field keys the servers skip whatever follows a backslash.
std::string_view V1Grammar::scan_field_key() {
  const char* const start = p_;
  escaped_ = false;
  for (; p_ != end_; ++p_) {
    if (!kTagStop.has(*p_)) continue;
    if (*p_ != '\\') break;
    escaped_ = true;
    if (p_ + 1 != end_) ++p_;
  }
  return since(start);
}

bool V1Grammar::read_field() {
  const std::string_view raw_key = scan_field_key();
  if (!at('=')) return fail("invalid field format");
  if (raw_key.empty()) return fail("missing field key");
  // Two backslashes before the '=': the servers take this for a key at first and for an escaped '=' later.
  if (raw_key.back() == '\\') return fail("invalid field format");
  if (!is_utf8(raw_key)) return fail("field name contains invalid UTF-8", LineFault::kEncoding);
  Field field{unescaped(raw_key, kNameEscapes), {}};
  ++p_;
  return read_value(field.value) && add_field(raw_key, field);
}

bool V1Grammar::read_value(FieldValue& value) {
  if (at_end() || at(',') || at(' ')) return fail("missing field value");
  if (at('"')) return read_string(value);
  const char* const start = p_;
  while (p_ != end_ && !kValueStop.has(*p_)) ++p_;
  const std::string_view token = since(start);
  const char first = token.front();
  if (is_digit_or_dot(first) || first == '-') return read_number(token, value);
  if (first == 'n' || first == 'N') return fail("invalid number");
  bool flag = false;
  if (!read_boolean(token, flag)) return fail("invalid boolean");
  value = flag;
  return true;
}

bool V1Grammar::read_number(std::string_view token, FieldValue& value) {
  if (token.back() == 'i') return read_integer(token.substr(0, token.size() - 1), value);
  if (token.back() == 'u') return read_unsigned(token.substr(0, token.size() - 1), value);
  double number = 0;
  if (!read_float(token, number)) return fail(number_fault(token));
  value = number;
  return true;
}

bool V1Grammar::read_integer(std::string_view digits, FieldValue& value) {
  std::int64_t number = 0;
  const Digits read = read_digits(digits, number);
  if (read == Digits::kSyntax) return fail("invalid number");
  if (read == Digits::kRange)
    return fail("unable to parse integer " + std::string(digits) + ": strconv.ParseInt: parsing \"" +
                std::string(digits) + "\": value out of range");
  value = number;
  return true;
}

bool V1Grammar::read_unsigned(std::string_view digits, FieldValue& value) {
  std::uint64_t number = 0;
  const Digits read = read_digits(digits, number);
  if (!options().accept_unsigned || read == Digits::kSyntax) return fail("invalid number");
  if (read == Digits::kRange)
    return fail("unable to parse unsigned " + std::string(digits) + ": strconv.ParseUint: parsing \"" +
                std::string(digits) + "\": value out of range");
  value = number;
  return true;
}

// Behind the opening quote: goes to the closing one. Any byte may follow a backslash.
bool V1Grammar::scan_string() {
  for (; p_ != end_; ++p_) {
    if (!kStringStop.has(*p_)) continue;
    if (*p_ == '"') return true;
    escaped_ = true;
    if (p_ + 1 != end_) ++p_;
  }
  return fail("unbalanced quotes");
}

bool V1Grammar::read_string(FieldValue& value) {
  const char* const start = ++p_;
  escaped_ = false;
  if (!scan_string()) return false;
  const char* const close = p_++;
  std::string_view raw(start, static_cast<std::size_t>(close - start));
  if (!at_end() && !kValueStop.has(*p_)) {
    if (!options().accept_string_tail) return fail("text after the closing quote of a string");
    if (!read_string_tail()) return false;
    raw = since(start);
    raw.remove_suffix(1);
  }
  value = unescaped(raw, kStringEscapes);
  return true;
}

// `f="a"b`: the servers go on to the next separator and then cut one byte off at either end.
bool V1Grammar::read_string_tail() {
  for (; p_ != end_ && !kValueStop.has(*p_); ++p_) {
    if (!kTailStop.has(*p_)) continue;
    if (*p_ != '"') return fail("invalid field format");
    ++p_;
    if (!scan_string()) return false;
  }
  return true;
}

bool V1Grammar::read_time() {
  skip_blanks();
  const char* const start = p_;
  if (at('-')) ++p_;
  for (; p_ != end_ && *p_ != ' '; ++p_)
    if (*p_ < '0' || *p_ > '9') return fail("bad timestamp");
  const std::string_view digits = since(start);
  if (!digits.empty()) {
    if (!set_time(digits)) return false;
    while (at(' ')) ++p_;
    if (!at_end()) return fail("point is invalid");
  }
  return check_reserved_names();
}

// The servers refuse these when they store the point, so after everything else about the line was found good.
bool V1Grammar::check_reserved_names() {
  const auto refuse = [this](std::string_view error, std::string_view kind) {
    return fail(std::string(error) + ": input " + std::string(kind) + " \"time\" on measurement \"" +
                    std::string(point_.measurement) + "\" is invalid",
                LineFault::kReservedName);
  };
  for (const Tag& tag : point_.tags)
    if (tag.key == "time") return refuse("invalid tag key", "tag");
  for (const Field& field : point_.fields)
    if (field.key == "time") return refuse("invalid field name", "field");
  return true;
}

}  // namespace

std::unique_ptr<LineGrammar> make_v1_grammar(const ParserOptions& options) {
  return std::make_unique<V1Grammar>(options);
}

}  // namespace tidegate::influx
