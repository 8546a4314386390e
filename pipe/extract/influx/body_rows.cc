// SPDX-License-Identifier: Apache-2.0
#include "pipe/extract/influx/body_rows.h"

#include <cstring>
#include <functional>

namespace tidegate {
namespace {

constexpr std::size_t kBlock = 64 << 10;

ValueView to_value(const influx::FieldValue& value) {
  ValueView out;
  switch (value.index()) {
    case 0:
      out.type = ValueType::kDouble;
      out.f64 = *std::get_if<0>(&value);
      break;
    case 1:
      out.type = ValueType::kInt64;
      out.i64 = *std::get_if<1>(&value);
      break;
    case 2:
      out.type = ValueType::kUint64;
      out.u64 = *std::get_if<2>(&value);
      break;
    case 3:
      out.type = ValueType::kBool;
      out.b = *std::get_if<3>(&value);
      break;
    default:
      out.type = ValueType::kText;
      out.text = *std::get_if<4>(&value);
  }
  return out;
}

std::int64_t floor_to(std::int64_t value, std::int64_t step) {
  const std::int64_t rest = value % step;
  return value - (rest < 0 ? rest + step : rest);
}

}  // namespace

TimeUnit time_unit(influx::Unit unit) {
  switch (unit) {
    case influx::Unit::kSecond:
      return TimeUnit::kSecond;
    case influx::Unit::kMillisecond:
      return TimeUnit::kMillisecond;
    case influx::Unit::kMicrosecond:
      return TimeUnit::kMicrosecond;
    default:
      return TimeUnit::kNanosecond;
  }
}

std::int64_t time_of(std::int64_t wall_micros, const influx::Precision& precision) {
  if (precision.unit == influx::Unit::kNanosecond) return wall_micros * 1000;
  const std::int64_t micros = influx::nanoseconds_per(precision.unit) / 1000;
  return floor_to(wall_micros, micros * precision.scale) / micros;
}

void BodyRows::start(std::string_view body, std::string_view database, const influx::ParserOptions& options,
                     std::int64_t default_time) {
  body_ = body;
  database_ = database;
  default_time_ = default_time;
  parser_.emplace(options);
  parser_->feed(body);
  parser_->finish();
  rows_.clear();
  rows_before_ = 0;
  errors_.clear();
  error_count_ = 0;
  all_timed_ = true;
  at_end_ = false;
}

std::optional<influx::LineParser::Step> BodyRows::step() {
  const auto step = parser_->next();
  if (step == influx::LineParser::Step::kError) keep_error();
  if (step != influx::LineParser::Step::kEnd) return step;
  at_end_ = true;
  return std::nullopt;
}

void BodyRows::keep_error() {
  if (++error_count_ <= kErrorSamples) errors_.push_back(parser_->error());
}

bool BodyRows::next_slice() {
  rows_before_ += rows_.size();
  rows_.clear();
  extents_.clear();
  tags_.clear();
  fields_.clear();
  large_.clear();
  block_ = block_used_ = copied_ = 0;
  while (!at_end_ && tags_.size() + fields_.size() < kSliceFields && copied_ < kSliceText) {
    if (step() == influx::LineParser::Step::kPoint) add_row(parser_->point());
  }
  bind_views();
  return !rows_.empty();
}

void BodyRows::skim_rest() {
  while (!at_end_) {
    if (step() == influx::LineParser::Step::kPoint && !parser_->point().time) all_timed_ = false;
  }
}

void BodyRows::add_row(const influx::Point& point) {
  RowView& row = rows_.emplace_back();
  row.database = database_;
  row.table = kept(point.measurement);
  row.time = point.time.value_or(default_time_);
  if (!point.time) all_timed_ = false;
  for (const influx::Tag& tag : point.tags) tags_.push_back({kept(tag.key), kept(tag.value)});
  for (const influx::Field& field : point.fields) {
    FieldView& out = fields_.emplace_back();
    out.name = kept(field.key);
    out.value = to_value(field.value);
    if (out.value.type == ValueType::kText) out.value.text = kept(out.value.text);
  }
  extents_.push_back({tags_.size(), fields_.size()});
}

// The vectors have grown while rows were added: only now do their addresses stand.
void BodyRows::bind_views() {
  Extent from;
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    const Extent& to = extents_[i];
    rows_[i].tags = std::span(tags_).subspan(from.tags, to.tags - from.tags);
    rows_[i].fields = std::span(fields_).subspan(from.fields, to.fields - from.fields);
    from = to;
  }
}

// A view into the body stays valid; what the parser has unescaped is overwritten by its next line.
std::string_view BodyRows::kept(std::string_view text) {
  const std::less_equal<const char*> before;
  if (text.empty()) return {};
  if (before(body_.data(), text.data()) && before(text.data() + text.size(), body_.data() + body_.size()))
    return text;
  char* const copy = scratch(text.size());
  copied_ += text.size();
  std::memcpy(copy, text.data(), text.size());
  return {copy, text.size()};
}

char* BodyRows::scratch(std::size_t size) {
  if (size > kBlock) return large_.emplace_back(std::make_unique_for_overwrite<char[]>(size)).get();
  if (block_ < blocks_.size() && kBlock - block_used_ < size) {
    ++block_;
    block_used_ = 0;
  }
  if (block_ == blocks_.size()) blocks_.push_back(std::make_unique_for_overwrite<char[]>(kBlock));
  char* const out = blocks_[block_].get() + block_used_;
  block_used_ += size;
  return out;
}

}  // namespace tidegate
