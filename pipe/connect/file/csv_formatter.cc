// SPDX-License-Identifier: Apache-2.0
#include <charconv>
#include <cmath>

#include "pipe/connect/event_text.h"
#include "pipe/connect/file/formatter.h"

namespace tidegate {
namespace {

// RFC 4180: in quotes where a comma, a quote or a line end is inside; a quote is doubled.
void append_cell(std::string& out, std::string_view text, bool always_quoted = false) {
  if (!always_quoted && text.find_first_of(",\"\r\n") == std::string_view::npos) {
    out += text;
    return;
  }
  out += '"';
  for (const char c : text) {
    if (c == '"') out += '"';
    out += c;
  }
  out += '"';
}

template <class T>
void append_number(std::string& out, T value) {
  char digits[32];
  out.append(digits, std::to_chars(digits, digits + sizeof(digits), value).ptr);
}

// A NaN that is not the usual one keeps its bits: NaN(0x7ff8000000000001).
template <class T, class Bits>
void append_float(std::string& out, T value, Bits usual_nan) {
  const auto bits = std::bit_cast<Bits>(value);
  if (std::isinf(value)) {
    out += value < 0 ? "-Infinity" : "Infinity";
  } else if (!std::isnan(value)) {
    append_number(out, value);
  } else {
    out += "NaN";
    if (bits == usual_nan) return;
    char digits[32];
    out += "(0x";
    out.append(digits, std::to_chars(digits, digits + sizeof(digits), bits, 16).ptr);
    out += ')';
  }
}

std::string_view type_name(ValueType type) {
  switch (type) {
    case ValueType::kBool:
      return "bool";
    case ValueType::kInt32:
      return "int32";
    case ValueType::kInt64:
      return "int64";
    case ValueType::kUint64:
      return "uint64";
    case ValueType::kFloat:
      return "float";
    case ValueType::kDouble:
      return "double";
    case ValueType::kText:
      return "text";
    case ValueType::kBlob:
      return "blob";
    case ValueType::kDate:
      return "date";
    case ValueType::kTimestamp:
      return "timestamp";
  }
  return "unknown";
}

void append_escaped(std::string& out, std::string_view text) {
  for (const char c : text) {
    if (c == '\\' || c == ',' || c == '=') out += '\\';
    out += c;
  }
}

class CsvFormatter final : public Formatter {
 public:
  std::string_view extension() const override { return "csv"; }
  std::string_view header() const override { return "time,database,table,tags,field,type,value\r\n"; }
  const std::string& context() const override { return context_; }
  void set_context(std::string context) override { context_ = std::move(context); }

  std::uint64_t append(const DeliverableBatch& batch, std::string& out,
                       std::vector<DeadLetter>* dead) override {
    return batch.summary.kind == EventKind::kRows ? append_rows(batch, out, dead)
                                                  : append_events(batch, out, dead);
  }

 private:
  std::uint64_t append_rows(const DeliverableBatch& batch, std::string& out, std::vector<DeadLetter>* dead) {
    tracker_.reset();
    unit_ = batch.summary.unit;
    std::uint64_t written = 0;
    const Status read = for_each_row(batch.canonical, [&](const RowView& row) {
      written += append_row(batch.lsn, row, out, dead) ? 1 : 0;
      return true;
    });
    if (!read.ok()) dead->push_back({batch.lsn, read.error().text(), "0x" + to_hex(batch.canonical)});
    return written;
  }

  bool append_row(Lsn lsn, const RowView& row, std::string& out, std::vector<DeadLetter>* dead) {
    if (!tracker_.same_as_last(row)) begin_series(row);
    const auto time = time_in_ns(row.time, unit_);
    if (!time.has_value()) {
      dead->push_back({lsn, "the time does not fit into nanoseconds of an int64", readable_row(row, unit_),
                       database_of(row)});
      return false;
    }
    for (const FieldView& field : row.fields) {
      const std::size_t start = out.size();
      append_number(out, *time);
      out += series_;
      append_cell(out, field.name);
      out += field.role == ColumnRole::kAttribute ? ",attribute:" : ",";
      if (field.value.presence == Presence::kNull) out += "null:";
      out += type_name(field.value.type);
      out += ',';
      if (field.value.presence == Presence::kValue && !append_value(field.value, out)) {
        out.resize(start);
        dead->push_back({lsn, "the timestamp does not fit into nanoseconds of an int64",
                         readable_row(row, unit_, &field), database_of(row)});
        continue;
      }
      out += "\r\n";
    }
    return true;
  }

  // ",database,table,tags," of the series.
  void begin_series(const RowView& row) {
    std::string tags;
    for (const TagView& tag : row.tags) {
      if (!tags.empty()) tags += ',';
      append_escaped(tags, tag.key);
      tags += '=';
      append_escaped(tags, tag.value);
    }
    series_ = ",";
    append_cell(series_, row.database);
    series_ += ',';
    append_cell(series_, row.addressing == Addressing::kTree ? row.device : row.table);
    series_ += ',';
    append_cell(series_, tags);
    series_ += ',';
  }

  bool append_value(const ValueView& value, std::string& out) const {
    switch (value.type) {
      case ValueType::kBool:
        out += value.b ? "true" : "false";
        break;
      case ValueType::kInt32:
      case ValueType::kDate:
        append_number(out, value.i32);
        break;
      case ValueType::kInt64:
        append_number(out, value.i64);
        break;
      case ValueType::kUint64:
        append_number(out, value.u64);
        break;
      case ValueType::kFloat:
        append_float(out, value.f32, std::uint32_t{0x7fc00000});
        break;
      case ValueType::kDouble:
        append_float(out, value.f64, std::uint64_t{0x7ff8000000000000});
        break;
      case ValueType::kText:
        append_cell(out, value.text, true);
        break;
      case ValueType::kBlob:
        out += to_hex(as_bytes(value.text));
        break;
      case ValueType::kTimestamp: {
        const auto time = time_in_ns(value.i64, unit_);
        if (!time.has_value()) return false;
        append_number(out, *time);
      }
    }
    return true;
  }

  std::uint64_t append_events(const DeliverableBatch& batch, std::string& out,
                              std::vector<DeadLetter>* dead) {
    const auto events = events_as_json(batch);
    if (!events.ok()) {
      dead->push_back({batch.lsn, events.error().text(), "0x" + to_hex(batch.canonical)});
      return 0;
    }
    for (const std::string& event : *events) {
      out += ",,,,,event:";
      out += kind_name(batch.summary.kind);
      out += ',';
      append_cell(out, event);
      out += "\r\n";
    }
    return events->size();
  }

  SeriesTracker tracker_;
  TimeUnit unit_ = TimeUnit::kNanosecond;
  std::string series_;
  std::string context_;  // CSV needs none: every row names everything
};

}  // namespace

std::unique_ptr<Formatter> make_csv_formatter() {
  return std::make_unique<CsvFormatter>();
}

}  // namespace tidegate
