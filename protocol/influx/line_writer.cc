// SPDX-License-Identifier: Apache-2.0
#include "protocol/influx/line_writer.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "protocol/influx/precision.h"
#include "protocol/influx/text_scan.h"

namespace tidegate::influx {
namespace {

constexpr std::size_t kMaxKeyBytes = 65535;
constexpr std::size_t kKeySeparatorBytes = 4;  // the servers count it between series key and field key
constexpr std::size_t kQuotedBytes = 80;       // of a refused name in a message

constexpr ByteSet kControls{"", true};
constexpr ByteSet kMeasurementSpecial{", \\"};
constexpr ByteSet kNameSpecial{",= \\"};
constexpr ByteSet kDelimiters{",= "};

template <class T>
void append_number(std::string& out, T value) {
  char digits[32];
  const auto end = std::to_chars(digits, digits + sizeof(digits), value).ptr;
  out.append(digits, end);
}

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text.substr(0, kQuotedBytes)) out.push_back(kControls.has(c) ? '?' : c);
  return out + (text.size() > kQuotedBytes ? "...\"" : "\"");
}

}  // namespace

Status LineWriter::refuse(ErrorCode code, std::string detail) {
  out_.resize(line_start_);
  return make_error(code, std::move(detail));
}

Status LineWriter::write(const Point& point) {
  line_start_ = out_.size();
  if (!point.time)
    return refuse(ErrorCode::kInvalidArgument, "a point of " + quoted(point.measurement) + " has no time");
  TG_CHECK(begin(point.measurement));
  TG_CHECK(write_tags(point.tags));
  for (const Field& each : point.fields) TG_CHECK(field(each.key, each.value));
  return end(*point.time);
}

Status LineWriter::write_tags(const std::vector<Tag>& tags) {
  const auto by_key = [](const Tag& a, const Tag& b) { return a.key < b.key; };
  const std::vector<Tag>* ordered = &tags;
  if (!std::is_sorted(tags.begin(), tags.end(), by_key)) {
    sorted_ = tags;
    std::sort(sorted_.begin(), sorted_.end(), by_key);
    ordered = &sorted_;
  }
  for (const Tag& each : *ordered) TG_CHECK(tag(each.key, each.value));
  return {};
}

Status LineWriter::begin(std::string_view measurement) {
  line_start_ = out_.size();
  field_count_ = 0;
  last_tag_.clear();
  return add_name(Part::kMeasurement, measurement);
}

void LineWriter::begin_series(std::string_view series) {
  line_start_ = out_.size();
  field_count_ = 0;
  out_.append(series);
}

Status LineWriter::tag(std::string_view key, std::string_view value) {
  if (!last_tag_.empty() && key <= last_tag_)
    return refuse(ErrorCode::kInvalidArgument,
                  "tag " + quoted(key) + " comes after " + quoted(last_tag_) + ": keys must ascend");
  out_.push_back(',');
  TG_CHECK(add_name(Part::kTagKey, key));
  out_.push_back('=');
  TG_CHECK(add_name(Part::kTagValue, value));
  last_tag_ = key;
  return {};
}

Status LineWriter::field(std::string_view key, const FieldValue& value) {
  if (field_count_ == 0) series_bytes_ = out_.size() - line_start_;
  out_.push_back(field_count_++ == 0 ? ' ' : ',');
  const std::size_t key_start = out_.size();
  TG_CHECK(add_name(Part::kFieldKey, key));
  const std::size_t key_bytes = series_bytes_ + kKeySeparatorBytes + out_.size() - key_start;
  if (key_bytes > kMaxKeyBytes)
    return refuse(ErrorCode::kUnrepresentable, "the key of field " + quoted(key) + " has " +
                                                   std::to_string(key_bytes) + " bytes, more than " +
                                                   std::to_string(kMaxKeyBytes));
  out_.push_back('=');
  return add_value(key, value);
}

Status LineWriter::end(std::int64_t time) {
  if (field_count_ == 0) return refuse(ErrorCode::kInvalidArgument, "a point without fields");
  if (!to_nanoseconds(time, options_.unit))
    return refuse(ErrorCode::kUnrepresentable,
                  "the time " + std::to_string(time) + " is outside what nanoseconds can hold");
  out_.push_back(' ');
  append_number(out_, time);
  out_.push_back('\n');
  line_start_ = out_.size();
  return {};
}

Status LineWriter::add_name(Part part, std::string_view text) {
  static constexpr std::string_view kPartNames[] = {"measurement", "tag key", "tag value", "field key"};
  if (const std::string_view why = obstacle(part, text); !why.empty())
    return refuse(ErrorCode::kUnrepresentable, std::string(kPartNames[static_cast<std::size_t>(part)]) + " " +
                                                   quoted(text) + " " + std::string(why));
  const ByteSet& special = part == Part::kMeasurement ? kMeasurementSpecial : kNameSpecial;
  const bool doubles = options_.target == WriterTarget::kV3;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool pair =
        c == '\\' && ((i > 0 && text[i - 1] == '\\') || (i + 1 < text.size() && text[i + 1] == '\\'));
    if (special.has(c) && (c != '\\' || (pair && doubles))) out_.push_back('\\');
    out_.push_back(c);
  }
  return {};
}

std::string_view LineWriter::obstacle(Part part, std::string_view text) const {
  if (text.empty()) return "is empty";
  if (std::any_of(text.begin(), text.end(), [](char c) { return kControls.has(c); }))
    return "holds a control character";
  const bool may_be_binary = options_.target == WriterTarget::kV1 && part == Part::kTagValue;
  if (!may_be_binary && !is_utf8(text)) return "is not UTF-8";
  if (part == Part::kMeasurement && text.front() == '#') return "starts like a comment";
  if ((part == Part::kTagKey || part == Part::kFieldKey) && text == "time") return "is reserved";
  return backslash_obstacle(part, text);
}

std::string_view LineWriter::backslash_obstacle(Part part, std::string_view text) const {
  if (text.find('\\') == std::string_view::npos) return {};
  if (text.back() == '\\') return "ends in a backslash";
  for (std::size_t i = 0; i + 1 < text.size(); ++i) {
    if (text[i] != '\\') continue;
    const char next = text[i + 1];
    if (next == '\\' && options_.target == WriterTarget::kPortable) return "holds two backslashes in a row";
    if (kDelimiters.has(next)) return "holds a backslash before a comma, an equals sign or a space";
    // 1.x reads \" in a measurement or field key as a quote.
    if (next == '"' && part != Part::kTagKey && part != Part::kTagValue)
      return "holds a backslash before a quote";
  }
  return {};
}

Status LineWriter::add_value(std::string_view key, const FieldValue& value) {
  if (const auto* number = std::get_if<double>(&value)) return add_float(key, *number);
  if (const auto* number = std::get_if<std::uint64_t>(&value)) return add_unsigned(key, *number);
  if (const auto* text = std::get_if<std::string_view>(&value)) return add_string(key, *text);
  if (const auto* flag = std::get_if<bool>(&value)) return out_.append(*flag ? "true" : "false"), Status{};
  append_number(out_, std::get<std::int64_t>(value));
  out_.push_back('i');
  return {};
}

Status LineWriter::add_float(std::string_view key, double value) {
  if (!std::isfinite(value))
    return refuse(ErrorCode::kUnrepresentable, "field " + quoted(key) + " is " +
                                                   (std::isnan(value) ? "NaN" : "infinite") +
                                                   ", which line protocol has no form for");
  append_number(out_, value);
  return {};
}

Status LineWriter::add_unsigned(std::string_view key, std::uint64_t value) {
  const bool native = options_.unsigned_policy == UnsignedPolicy::kNative;
  if (!native && value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
    return refuse(ErrorCode::kUnrepresentable, "field " + quoted(key) + " is " + std::to_string(value) +
                                                   ", more than a signed integer of the target can hold");
  append_number(out_, value);
  out_.push_back(native ? 'u' : 'i');
  return {};
}

Status LineWriter::add_string(std::string_view key, std::string_view value) {
  if (options_.target != WriterTarget::kV1 && !is_utf8(value))
    return refuse(ErrorCode::kUnrepresentable, "field " + quoted(key) + " is a string that is not UTF-8");
  out_.push_back('"');
  for (const char c : value) {
    if (c == '"' || c == '\\') out_.push_back('\\');
    out_.push_back(c);
  }
  out_.push_back('"');
  return {};
}

}  // namespace tidegate::influx
