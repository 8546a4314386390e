// SPDX-License-Identifier: Apache-2.0
#include "protocol/influx/line_grammar.h"

#include <fast_float/fast_float.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>

namespace tidegate::influx {
namespace {

// Up to this many fields comparing each with each is faster than sorting.
constexpr std::size_t kFewFields = 24;

template <class T>
Digits read_digits_of(std::string_view text, T& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error == std::errc::result_out_of_range && end == text.data() + text.size()) return Digits::kRange;
  return error == std::errc() && end == text.data() + text.size() ? Digits::kOk : Digits::kSyntax;
}

}  // namespace

Digits read_digits(std::string_view text, std::int64_t& out) {
  return read_digits_of(text, out);
}
Digits read_digits(std::string_view text, std::uint64_t& out) {
  return read_digits_of(text, out);
}

bool read_float(std::string_view text, double& out) {
  const std::size_t first = text.starts_with('-') ? 1 : 0;
  if (first >= text.size()) return false;
  const bool decimal = text[first] == '.' || (text[first] >= '0' && text[first] <= '9');
  if (!decimal) return false;
  const auto [end, error] = fast_float::from_chars(text.data(), text.data() + text.size(), out);
  if (error == std::errc::invalid_argument || end != text.data() + text.size()) return false;
  return std::isfinite(out);
}

bool read_boolean(std::string_view text, bool& out) {
  const bool yes = text == "t" || text == "T" || text == "true" || text == "True" || text == "TRUE";
  const bool no = text == "f" || text == "F" || text == "false" || text == "False" || text == "FALSE";
  out = yes;
  return yes || no;
}

LineGrammar::Outcome LineGrammar::read(std::string_view line) {
  begin_ = p_ = line.data();
  end_ = line.data() + line.size();
  scratch_.clear();
  scratch_.reserve(line.size());
  point_.tags.clear();
  point_.fields.clear();
  point_.time.reset();
  const Start start = read_start();
  if (start == Start::kNothing) return Outcome::kNothing;
  if (start == Start::kBad) return Outcome::kError;
  begin_ = p_;
  if (!check_line_length(line.size())) return Outcome::kError;
  if (!read_key() || !read_fields()) return Outcome::kError;
  drop_repeated_fields();
  return read_time() ? Outcome::kPoint : Outcome::kError;
}

bool LineGrammar::fail(std::string_view reason, LineFault fault) {
  const std::string_view line(begin_, static_cast<std::size_t>(end_ - begin_));
  error_.column = static_cast<std::uint64_t>(p_ - begin_) + 1;
  error_.fault = fault;
  error_.text.assign(line.substr(0, options_.max_error_text));
  error_.reason.assign(reason);
  return false;
}

std::string_view LineGrammar::scan_name(const ByteSet& stop, const ByteSet& protectable) {
  const char* const start = p_;
  escaped_ = false;
  for (; p_ != end_; ++p_) {
    if (!stop.has(*p_)) continue;
    if (*p_ != '\\') break;
    escaped_ = true;
    if (p_ + 1 != end_ && protectable.has(p_[1])) ++p_;
  }
  return since(start);
}

std::string_view LineGrammar::unescaped(std::string_view raw, const ByteSet& escapable) {
  if (!escaped_) return raw;
  const std::size_t start = scratch_.size();
  append_unescaped(scratch_, raw, escapable);
  return std::string_view(scratch_).substr(start);
}

bool LineGrammar::finish_key() {
  auto& tags = point_.tags;
  const auto by_key = [](const Tag& a, const Tag& b) { return a.key < b.key; };
  if (!std::is_sorted(tags.begin(), tags.end(), by_key)) std::sort(tags.begin(), tags.end(), by_key);
  const auto same_key = [](const Tag& a, const Tag& b) { return a.key == b.key; };
  if (std::adjacent_find(tags.begin(), tags.end(), same_key) != tags.end()) return fail("duplicate tags");
  key_end_ = p_;
  return check_length(since(begin_).size());
}

bool LineGrammar::check_line_length(std::size_t bytes) {
  if (bytes <= options_.max_line_bytes) return true;
  return fail("the line has more than " + std::to_string(options_.max_line_bytes) + " bytes",
              LineFault::kLimit);
}

bool LineGrammar::check_length(std::size_t bytes) {
  if (bytes <= options_.max_key_bytes) return true;
  return fail(
      "max key length exceeded: " + std::to_string(bytes) + " > " + std::to_string(options_.max_key_bytes),
      LineFault::kLimit);
}

bool LineGrammar::add_field(std::string_view raw_key, const Field& field) {
  constexpr std::size_t kSeparatorBytes =
      4;  // the servers count a separator between series key and field key
  const auto key_bytes = static_cast<std::size_t>(key_end_ - begin_);
  if (!check_length(key_bytes + kSeparatorBytes + raw_key.size())) return false;
  if (point_.fields.size() == options_.max_fields)
    return fail("more than " + std::to_string(options_.max_fields) + " fields", LineFault::kLimit);
  point_.fields.push_back(field);
  return true;
}

void LineGrammar::drop_repeated_fields() {
  auto& fields = point_.fields;
  if (fields.size() > kFewFields) return drop_repeated_fields_of_many();
  for (std::size_t i = 1; i < fields.size();) {
    const auto here = fields.begin() + static_cast<std::ptrdiff_t>(i);
    const auto first =
        std::find_if(fields.begin(), here, [&](const Field& field) { return field.key == here->key; });
    if (first == here) {
      ++i;
      continue;
    }
    first->value = here->value;
    fields.erase(here);
  }
}

void LineGrammar::drop_repeated_fields_of_many() {
  auto& fields = point_.fields;
  order_.resize(fields.size());
  std::iota(order_.begin(), order_.end(), 0);
  std::sort(order_.begin(), order_.end(), [&](std::uint32_t a, std::uint32_t b) {
    const int compared = fields[a].key.compare(fields[b].key);
    return compared != 0 ? compared < 0 : a < b;
  });
  bool repeated = false;
  for (std::size_t i = 1, first = 0; i < order_.size(); ++i) {
    if (fields[order_[i]].key != fields[order_[first]].key) {
      first = i;
      continue;
    }
    fields[order_[first]].value = fields[order_[i]].value;
    fields[order_[i]].key = {};  // a key is never empty: marks what goes
    order_[i] = order_[first];
    repeated = true;
  }
  if (repeated) std::erase_if(fields, [](const Field& field) { return field.key.empty(); });
}

bool LineGrammar::set_time(std::string_view digits) {
  std::int64_t value = 0;
  const auto refuse = [&](std::string_view why) {
    return fail("strconv.ParseInt: parsing \"" + std::string(digits) + "\": " + std::string(why));
  };
  switch (read_digits(digits, value)) {
    case Digits::kRange:
      return refuse("value out of range");
    case Digits::kSyntax:
      return refuse("invalid syntax");
    case Digits::kOk:
      break;
  }
  std::int64_t in_unit = 0;
  const bool overflow = __builtin_mul_overflow(value, options_.precision.scale, &in_unit);
  const auto ns = overflow ? std::nullopt : to_nanoseconds(in_unit, options_.precision.unit);
  if (!ns)
    return fail("time outside range " + std::to_string(kMinTimeNs) + " - " + std::to_string(kMaxTimeNs));
  point_.time = options_.keep_unit ? in_unit : *ns;
  return true;
}

}  // namespace tidegate::influx
