// SPDX-License-Identifier: Apache-2.0
// Inside pipe/model: what BatchBuilder knows of the series of the batch it is collecting: keys, columns,
// counts. The rows themselves lie in a RowLog. Emptied after each batch; memory is kept within bounds.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "pipe/model/batch.h"
#include "pipe/model/row_log.h"

namespace tidegate {

class SeriesStore {
 public:
  // One column of one series.
  struct Slot {
    std::uint32_t column = 0;  // index into columns()
    std::uint32_t name_at =
        0;  // a copy of the column's place in names_: the fast path needs no other look-up
    std::uint32_t name_size = 0;
    ValueType type{};
    ColumnRole role{};
    std::uint32_t values = 0;  // present
    std::uint32_t nulls = 0;
    std::uint64_t text_bytes = 0;      // of texts and blobs, lengths included
    std::uint64_t last_row = 0;        // the last add() that named it: finds fields named twice
    std::uint8_t* presence = nullptr;  // while building: where this goes in the canonical bytes
    std::uint8_t* next = nullptr;
  };
  struct Series {
    std::uint64_t hash = 0;
    std::size_t key_at = 0;  // scope and key as encode_key() writes them
    std::uint32_t key_size = 0;
    std::uint32_t scope_size = 0;  // of them addressing, database and table
    std::uint32_t scope = 0;       // index into scopes()
    std::uint32_t rows = 0;
    std::uint32_t written = 0;      // while building
    std::uint8_t* times = nullptr;  // while building
    std::vector<Slot> slots;        // in the order in which the series first used them
  };
  struct Column {
    std::uint64_t hash = 0;
    std::uint32_t name_at = 0;
    std::uint32_t name_size = 0;
    ValueType type{};
    ColumnRole role{};
  };
  // Addressing, database and table, shared by all series of a table.
  struct Scope {
    std::uint64_t hash = 0;
    std::uint32_t first_series = 0;  // whose key begins with it
  };

  // The series of the row, made if it is new. A new one has no rows and counts for nothing until it has.
  Series& series_of(const RowView& row);
  // The slot of the field in the series, made if it is new. Looks at `hint` first.
  std::uint32_t slot_of(Series& series, const FieldView& field, std::size_t hint);
  bool matches(const Slot& slot, const FieldView& field) const {
    return slot.type == field.value.type && slot.role == field.role && slot.name_size == field.name.size() &&
           std::memcmp(names_.data() + slot.name_at, field.name.data(), slot.name_size) == 0;
  }
  std::uint32_t index_of(const Series& series) const {
    return static_cast<std::uint32_t>(&series - series_.data());
  }

  std::size_t series_count() const { return series_count_; }
  Series& series(std::size_t index) { return series_[index]; }
  const Series& series(std::size_t index) const { return series_[index]; }
  const std::vector<Column>& columns() const { return columns_; }
  const std::vector<Scope>& scopes() const { return scopes_; }
  std::string_view name(const Column& column) const {
    return {names_.data() + column.name_at, column.name_size};
  }
  // addressing u8, database str, table str, as canonical.
  std::string_view scope_bytes(const Series& series) const {
    return {keys_.data() + series.key_at, series.scope_size};
  }
  // The key as canonical.
  std::string_view key_bytes(const Series& series) const {
    return {keys_.data() + series.key_at + series.scope_size, series.key_size - series.scope_size};
  }
  void clear();

 private:
  void encode_key(const RowView& row);
  Series& new_series(std::uint64_t hash);
  std::uint32_t scope_of(std::string_view scope, std::uint32_t series);
  std::uint32_t column_of(const FieldView& field);

  std::uint32_t find_slot(const Series& series, const FieldView& field, std::size_t hint);
  void index_slot(const Series& series, std::uint32_t slot);
  std::uint64_t hash_of_slot(std::uint32_t number) const;

  std::string scratch_;  // scope and key of the row at hand
  std::size_t scratch_scope_ = 0;
  std::size_t scratch_size_ = 0;
  std::string keys_;
  std::string names_;
  std::vector<Series> series_;  // the first series_count_ are in use, the others keep memory for later ones
  std::size_t series_count_ = 0;
  std::vector<Column> columns_;
  std::vector<Scope> scopes_;
  KeyIndex series_index_;
  KeyIndex column_index_;
  KeyIndex scope_index_;
  // Slots of series with many columns, as (series, slot): a row with its fields in another order stays
  // linear.
  std::vector<std::pair<std::uint32_t, std::uint32_t>> indexed_slots_;
  KeyIndex slot_index_;
};

}  // namespace tidegate
