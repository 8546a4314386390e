// SPDX-License-Identifier: Apache-2.0
#include "pipe/connect/line_mapping.h"

#include <algorithm>
#include <charconv>

namespace tidegate {
namespace {

bool same_view(std::string_view a, std::string_view b) {
  return a.data() == b.data() && a.size() == b.size();
}
bool same_tag(const TagView& a, const TagView& b) {
  return same_view(a.key, b.key) && same_view(a.value, b.value);
}

template <class T>
std::string number_text(T value) {
  char digits[32];
  return {digits, std::to_chars(digits, digits + sizeof(digits), value).ptr};
}

std::string value_text(const ValueView& value) {
  if (value.presence == Presence::kNull) return "null";
  switch (value.type) {
    case ValueType::kBool:
      return value.b ? "true" : "false";
    case ValueType::kInt32:
    case ValueType::kDate:
      return number_text(value.i32) + "i";
    case ValueType::kInt64:
    case ValueType::kTimestamp:
      return number_text(value.i64) + "i";
    case ValueType::kUint64:
      return number_text(value.u64) + "u";
    case ValueType::kFloat:
      return number_text(value.f32);
    case ValueType::kDouble:
      return number_text(value.f64);
    case ValueType::kText:
      return '"' + std::string(value.text) + '"';
    case ValueType::kBlob:
      return "0x" + to_hex(as_bytes(value.text));
  }
  return "?";
}

influx::WriterOptions writer_options(const LineMappingOptions& options) {
  return {options.target, options.unsigned_policy, influx::Unit::kNanosecond};
}

}  // namespace

bool SeriesTracker::same_as_last(const RowView& row) {
  const bool same = known_ && same_view(row.table, table_) && same_view(row.device, device_) &&
                    same_view(row.database, database_) && std::ranges::equal(row.tags, tags_, same_tag);
  if (same) return true;
  known_ = true;
  database_ = row.database;
  table_ = row.table;
  device_ = row.device;
  tags_.assign(row.tags.begin(), row.tags.end());
  return false;
}

std::vector<std::string> split_tree_path(std::string_view path) {
  std::vector<std::string> nodes(1);
  bool quoted = false;
  for (std::size_t i = 0; i < path.size(); ++i) {
    const char c = path[i];
    if (c == '`' && quoted && i + 1 < path.size() && path[i + 1] == '`') {
      nodes.back() += c;
      ++i;
    } else if (c == '`') {
      quoted = !quoted;
    } else if (c == '.' && !quoted) {
      nodes.emplace_back();
    } else {
      nodes.back() += c;
    }
  }
  return nodes;
}

std::string database_of(const RowView& row) {
  if (row.addressing == Addressing::kTable) return std::string(row.database);
  const std::vector<std::string> nodes = split_tree_path(row.device);
  return nodes.size() > 1 ? nodes[1] : std::string();
}

std::optional<std::int64_t> time_in_ns(std::int64_t time, TimeUnit unit) {
  constexpr std::int64_t kScale[] = {1'000'000'000, 1'000'000, 1'000, 1};
  std::int64_t out;
  if (__builtin_mul_overflow(time, kScale[static_cast<std::size_t>(unit)], &out)) return std::nullopt;
  return out;
}

std::string readable_row(const RowView& row, TimeUnit unit, const FieldView* only) {
  constexpr std::string_view kUnits[] = {"s", "ms", "us", "ns"};
  std::string out(row.addressing == Addressing::kTree ? row.device : row.table);
  for (const TagView& tag : row.tags) out += "," + std::string(tag.key) + "=" + std::string(tag.value);
  char before = ' ';
  for (const FieldView& field : row.fields) {
    if (only != nullptr && only != &field) continue;
    out += before + std::string(field.name) + "=" + value_text(field.value);
    before = ',';
  }
  return out + " " + std::to_string(row.time) +
         (unit == TimeUnit::kNanosecond ? "" : kUnits[static_cast<std::size_t>(unit)].data());
}

LineMapper::LineMapper(LineMappingOptions options, std::string& out)
    : options_(std::move(options)), out_(out), writer_(writer_options(options_), out) {}

void LineMapper::next_batch(TimeUnit unit) {
  unit_ = unit;
  tracker_.reset();
}

Status LineMapper::write_key(const RowView& row) {
  if (row.addressing == Addressing::kTable) {
    TG_CHECK(writer_.begin(row.table));
    for (const TagView& tag : row.tags) TG_CHECK(writer_.tag(tag.key, tag.value));
    return {};
  }
  std::string measurement(row.device);
  if (options_.tree_level >= 0) {
    const std::vector<std::string> nodes = split_tree_path(row.device);
    const auto level = static_cast<std::size_t>(options_.tree_level);
    if (level >= nodes.size()) {
      return make_error(
          ErrorCode::kUnrepresentable,
          "the device path has no node at level " + std::to_string(level) + ", which names the measurement");
    }
    measurement = nodes[level];
  }
  TG_CHECK(writer_.begin(measurement));
  return writer_.tag(options_.tree_tag, row.device);
}

void LineMapper::begin_series(const RowView& row) {
  const std::size_t start = out_.size();
  const Status written = write_key(row);
  series_refused_ = written.ok() ? "" : written.error().text();
  series_.assign(out_, start);
  out_.resize(start);
}

bool LineMapper::row(const RowView& row, std::vector<Refusal>* refused) {
  if (!tracker_.same_as_last(row)) begin_series(row);
  if (!series_refused_.empty()) {
    refused->push_back({series_refused_, readable_row(row, unit_)});
    return false;
  }
  const auto time = time_in_ns(row.time, unit_);
  if (!time.has_value()) {
    refused->push_back({"the time does not fit into nanoseconds of an int64", readable_row(row, unit_)});
    return false;
  }
  dropped_.assign(row.fields.size(), false);
  return write_fields(row, *time, refused);
}

// The writer gives up a line with its first bad field: then the line is begun anew without that field.
bool LineMapper::write_fields(const RowView& row, std::int64_t time_ns, std::vector<Refusal>* refused) {
  std::string why;
  const std::size_t start = out_.size();
  for (;;) {
    out_.resize(start);
    writer_.begin_series(series_);
    std::size_t written = 0;
    std::size_t bad = row.fields.size();
    std::string_view last_name;
    for (std::size_t i = 0; i < row.fields.size(); ++i) {
      const FieldView& field = row.fields[i];
      if (dropped_[i] || field.value.presence != Presence::kValue) continue;
      const bool twice = written > 0 && field.name == last_name;
      if (twice) why = "the field stands twice in the row, with another type or role; the first is written";
      if (twice || !write_field(field, &why)) {
        bad = i;
        break;
      }
      last_name = field.name;
      ++written;
    }
    if (bad == row.fields.size()) {
      if (written == 0) return out_.resize(start), false;
      const Status ended = writer_.end(time_ns);
      if (!ended.ok()) refused->push_back({ended.error().text(), readable_row(row, unit_)});
      return ended.ok();
    }
    dropped_[bad] = true;
    refused->push_back({why, readable_row(row, unit_, &row.fields[bad])});
  }
}

bool LineMapper::write_field(const FieldView& field, std::string* why) {
  influx::FieldValue value;
  switch (field.value.type) {
    case ValueType::kBool:
      value = field.value.b;
      break;
    case ValueType::kInt32:
    case ValueType::kDate:
      value = std::int64_t{field.value.i32};
      break;
    case ValueType::kInt64:
      value = field.value.i64;
      break;
    case ValueType::kUint64:
      value = field.value.u64;
      break;
    case ValueType::kFloat:
      value = double{field.value.f32};
      break;
    case ValueType::kDouble:
      value = field.value.f64;
      break;
    case ValueType::kText:
      value = field.value.text;
      break;
    case ValueType::kTimestamp: {
      const auto time = time_in_ns(field.value.i64, unit_);
      if (!time.has_value()) return *why = "the timestamp does not fit into nanoseconds of an int64", false;
      value = *time;
      break;
    }
    case ValueType::kBlob:
      return *why = "line protocol has no form for a blob", false;
  }
  const Status written = writer_.field(field.name, value);
  if (!written.ok()) *why = written.error().text();
  return written.ok();
}

}  // namespace tidegate
