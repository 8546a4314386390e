// SPDX-License-Identifier: Apache-2.0
// Inside pipe/model: walks the body of a batch of rows series by series and holds it to every rule of the
// canonical form. Nothing is copied: all views point into the input. Memory: proportional to columns and
// series of the input.
#pragma once

#include <compare>
#include <optional>
#include <string_view>
#include <vector>

#include "pipe/model/canonical.h"

namespace tidegate {

class RowsReader {
 public:
  struct ColumnHead {
    std::string_view name;
    ValueType type;
    ColumnRole role;
    auto operator<=>(const ColumnHead&) const = default;  // the canonical order of columns
  };
  struct Column {
    const std::uint8_t* presence;  // one byte per row, or null: every row has a value
    const std::uint8_t* values;    // the values that are there, one after another
  };
  struct Section {
    Addressing addressing = Addressing::kTree;
    std::string_view database, table;
    std::vector<ColumnHead> columns;
  };
  struct Series {
    std::string_view device;    // kTree
    std::vector<TagView> tags;  // kTable
    std::uint32_t rows = 0;
    const std::uint8_t* times = nullptr;  // i64 per row, unaligned
    std::vector<Column> columns;          // as section().columns
  };

  // `reader` stands behind the header.
  explicit RowsReader(ByteReader& reader);

  // To the next series. False at the end of the body and after an error: then ask status().
  bool next();
  Status status() const;
  const Section& section() const { return section_; }
  const Series& series() const { return series_; }
  std::uint64_t values() const { return values_; }  // that were there in all series so far

 private:
  bool refuse(std::string detail);  // sets the error, returns false
  bool next_section();
  bool read_columns();
  bool check_section_order();
  bool read_key();
  bool check_key_order();
  bool read_column(const ColumnHead& head, Column* column);
  bool read_presence(const ColumnHead& head, Column* column, std::uint32_t* present);
  bool read_values(const ColumnHead& head, std::uint32_t count, Column* column);
  bool check_rows_not_empty();
  bool finish_table();

  ByteReader& reader_;
  std::optional<Error> error_;
  std::uint32_t sections_left_ = 0;
  std::uint32_t series_left_ = 0;
  bool first_section_ = true;
  bool first_series_ = true;  // of this section
  bool rows_may_be_empty_ = true;
  std::uint64_t values_ = 0;
  Section section_, previous_section_;
  Series series_;
  std::string_view previous_device_;
  std::vector<TagView> previous_tags_;
  std::vector<std::string_view> table_keys_;  // keys of all sections of the same table so far, as encoded
  std::size_t table_sections_ = 0;
};

}  // namespace tidegate
