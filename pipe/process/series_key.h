// SPDX-License-Identifier: Apache-2.0
// A series and a column outside of a batch: as keys of a processor's state.
#pragma once

#include <algorithm>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "pipe/model/batch.h"

namespace tidegate {

// source str32, unit u8, flags u8.
void write_head_key(ByteWriter& writer, const BatchHead& head);
// addressing u8, then device str32; or database str32, table str32, count u32, (key str32, value str32) of
// tags.
void write_series_key(ByteWriter& writer, const RowView& row);

// Views into the key.
struct SeriesAddress {
  Addressing addressing = Addressing::kTable;
  std::string_view database, table, device;
  std::vector<TagView> tags;

  RowView row(std::int64_t time, std::span<const FieldView> fields) const;
};
// Fails the reader where the bytes are no such key, tags not ascending included.
void read_series_key(ByteReader& reader, SeriesAddress* address);
void read_head_key(ByteReader& reader, BatchHead* head);

struct ColumnId {
  std::string name;
  ValueType type = ValueType::kDouble;
  ColumnRole role = ColumnRole::kField;

  static ColumnId of(const FieldView& field) {
    return {std::string(field.name), field.value.type, field.role};
  }
  auto operator<=>(const ColumnId&) const = default;
};
void write_column_id(ByteWriter& writer, const ColumnId& column);
ColumnId read_column_id(ByteReader& reader);

// Columns of a series with what is kept for each, ascending; fields of a row come in the same order, so that
// a row is looked up in one walk.
template <class Value>
class ColumnTable {
 public:
  struct Entry {
    ColumnId id;
    Value value;
  };

  // The entry of the field, made where it is new. `hint`: 0 for the first field of a row; moves on.
  Entry& at(const FieldView& field, std::size_t* hint, bool* is_new) {
    std::size_t i = *hint;
    if (i < entries_.size() && !is_it(entries_[i].id, field)) i = lower_bound(field);
    *is_new = i == entries_.size() || !is_it(entries_[i].id, field);
    if (*is_new)
      entries_.insert(entries_.begin() + static_cast<std::ptrdiff_t>(i), {ColumnId::of(field), {}});
    *hint = i + 1;
    return entries_[i];
  }
  // False when the column is not above the last one.
  bool append(ColumnId id, Value value) {
    if (!entries_.empty() && entries_.back().id >= id) return false;
    entries_.push_back({std::move(id), std::move(value)});
    return true;
  }
  std::vector<Entry>& entries() { return entries_; }
  const std::vector<Entry>& entries() const { return entries_; }

 private:
  static bool is_it(const ColumnId& id, const FieldView& field) {
    return id.type == field.value.type && id.role == field.role && id.name == field.name;
  }
  std::size_t lower_bound(const FieldView& field) const {
    const auto place =
        std::ranges::partition_point(entries_, [&](const Entry& entry) { return is_below(entry.id, field); });
    return static_cast<std::size_t>(place - entries_.begin());
  }
  static bool is_below(const ColumnId& id, const FieldView& field) {
    if (const int order = std::string_view(id.name).compare(field.name); order != 0) return order < 0;
    return id.type != field.value.type ? id.type < field.value.type : id.role < field.role;
  }

  std::vector<Entry> entries_;
};

}  // namespace tidegate
