// SPDX-License-Identifier: Apache-2.0
#include "pipe/model/rows_reader.h"

#include <algorithm>
#include <functional>
#include <string>
#include <tuple>

namespace tidegate {
namespace {

constexpr std::size_t kLeastSeries = 4 + 4 + 8 + 1 + 1;  // key, rows, one time, one column with one bool
constexpr std::size_t kLeastSection = 1 + 4 + 4 + 4 + 4 + kLeastSeries;
constexpr std::size_t kLeastColumn = 4 + 1 + 1;

std::strong_ordering compare_tags(const std::vector<TagView>& a, const std::vector<TagView>& b) {
  return std::lexicographical_compare_three_way(a.begin(), a.end(), b.begin(), b.end(),
                                                [](const TagView& x, const TagView& y) {
                                                  const auto by_key = x.key <=> y.key;
                                                  return by_key != 0 ? by_key : x.value <=> y.value;
                                                });
}

auto table_of(const RowsReader::Section& section) {
  return std::tie(section.addressing, section.database, section.table);
}

// Hashes first: two sections of a table may hold many series, and equal keys are the exception.
bool has_duplicates(const std::vector<std::string_view>& keys) {
  std::vector<std::pair<std::size_t, std::string_view>> sorted;
  sorted.reserve(keys.size());
  for (const std::string_view key : keys) sorted.emplace_back(std::hash<std::string_view>{}(key), key);
  std::ranges::sort(sorted);
  return std::ranges::adjacent_find(sorted) != sorted.end();
}

}  // namespace

RowsReader::RowsReader(ByteReader& reader) : reader_(reader) {
  sections_left_ = reader_.count32(kLeastSection);
}

bool RowsReader::refuse(std::string detail) {
  error_ = make_error(ErrorCode::kNotCanonical, std::move(detail) + " (near byte " +
                                                    std::to_string(reader_.position()) + " of the batch)");
  return false;
}

Status RowsReader::status() const {
  if (error_) return *error_;
  return canonical::check_end(reader_);
}

bool RowsReader::next() {
  if (error_ || !reader_.ok()) return false;
  if (series_left_ == 0) {
    if (sections_left_ == 0) return finish_table() && false;
    if (!next_section()) return false;
  }
  --series_left_;
  if (!read_key() || !check_key_order()) return false;
  series_.rows = reader_.count32(8);
  if (reader_.ok() && series_.rows == 0) return refuse("a series without rows");
  series_.times = reader_.bytes(std::size_t{series_.rows} * 8).data();
  series_.columns.resize(section_.columns.size());
  rows_may_be_empty_ = true;
  for (std::size_t i = 0; i < series_.columns.size(); ++i) {
    if (!read_column(section_.columns[i], &series_.columns[i])) return false;
  }
  return reader_.ok() && check_rows_not_empty();
}

bool RowsReader::next_section() {
  --sections_left_;
  std::swap(section_, previous_section_);
  const std::uint8_t addressing = reader_.u8();
  section_.addressing = static_cast<Addressing>(addressing);
  section_.database = reader_.str32();
  section_.table = reader_.str32();
  if (!read_columns()) return false;
  series_left_ = reader_.count32(kLeastSeries);
  if (!reader_.ok()) return false;
  if (addressing > 1) return refuse("addressing " + std::to_string(addressing));
  if (addressing == 0 && !(section_.database.empty() && section_.table.empty())) {
    return refuse("a section of tree series names a database or a table");
  }
  if (series_left_ == 0) return refuse("a section without series");
  first_series_ = true;
  return check_section_order();
}

bool RowsReader::read_columns() {
  section_.columns.resize(reader_.count32(kLeastColumn));
  for (std::size_t i = 0; i < section_.columns.size(); ++i) {
    ColumnHead& column = section_.columns[i];
    column.name = reader_.str32();
    column.type = static_cast<ValueType>(reader_.u8());
    const std::uint8_t role = reader_.u8();
    column.role = static_cast<ColumnRole>(role);
    if (!reader_.ok()) return false;
    if (!is_known(column.type) || role > 1) {
      return refuse("column \"" + std::string(column.name) + "\" of type " +
                    std::to_string(static_cast<unsigned>(column.type)) + " and role " + std::to_string(role));
    }
    if (i > 0 && !(section_.columns[i - 1] < column)) {
      return refuse("column \"" + std::string(column.name) + "\" is not after the one before it");
    }
  }
  if (reader_.ok() && section_.columns.empty()) return refuse("a section without columns");
  return reader_.ok();
}

bool RowsReader::check_section_order() {
  const bool same_table = !first_section_ && table_of(section_) == table_of(previous_section_);
  if (!same_table) {
    if (!first_section_ && table_of(section_) < table_of(previous_section_)) {
      return refuse("the section of table \"" + std::string(section_.table) +
                    "\" is not after the one before it");
    }
    if (!finish_table()) return false;
  } else if (!(previous_section_.columns < section_.columns)) {
    return refuse("the columns of two sections of table \"" + std::string(section_.table) +
                  "\" are not in order");
  }
  first_section_ = false;
  ++table_sections_;
  return true;
}

// A series belongs to one section. Inside a section the order shows it; across the sections of a table we
// look.
bool RowsReader::finish_table() {
  const bool repeated = table_sections_ > 1 && has_duplicates(table_keys_);
  table_keys_.clear();
  table_sections_ = 0;
  if (repeated) return refuse("a series stands in two sections of its table");
  return true;
}

bool RowsReader::read_key() {
  ByteReader start = reader_;
  if (section_.addressing == Addressing::kTree) {
    previous_device_ = series_.device;
    series_.device = reader_.str32();
  } else {
    std::swap(series_.tags, previous_tags_);
    series_.tags.resize(reader_.count32(4 + 4));
    for (std::size_t i = 0; i < series_.tags.size(); ++i) {
      TagView& tag = series_.tags[i];
      tag.key = reader_.str32();
      tag.value = reader_.str32();
      if (reader_.ok() && i > 0 && !(series_.tags[i - 1].key < tag.key)) {
        return refuse("tag \"" + std::string(tag.key) + "\" is not after the one before it");
      }
    }
  }
  if (!reader_.ok()) return false;
  table_keys_.push_back(as_text(start.bytes(reader_.position() - start.position())));
  return true;
}

bool RowsReader::check_key_order() {
  const bool first = std::exchange(first_series_, false);
  if (first) return true;
  if (section_.addressing == Addressing::kTree) {
    if (previous_device_ < series_.device) return true;
    return refuse("device \"" + std::string(series_.device) + "\" is not after the one before it");
  }
  if (compare_tags(previous_tags_, series_.tags) < 0) return true;
  return refuse("a series of table \"" + std::string(section_.table) + "\" is not after the one before it");
}

bool RowsReader::read_column(const ColumnHead& head, Column* column) {
  column->presence = nullptr;
  std::uint32_t present = series_.rows;
  const std::uint8_t flag = reader_.u8();
  if (flag > 1) return refuse("presence flag " + std::to_string(flag));
  if (flag == 1) {
    if (!read_presence(head, column, &present)) return false;
  } else {
    rows_may_be_empty_ = false;
  }
  values_ += present;
  return read_values(head, present, column);
}

bool RowsReader::read_presence(const ColumnHead& head, Column* column, std::uint32_t* present) {
  const ByteView presence = reader_.bytes(series_.rows);
  if (!reader_.ok()) return false;
  std::uint32_t counts[256] = {};
  for (const std::uint8_t p : presence) ++counts[p];
  const std::uint32_t nulls = counts[1];
  const std::uint32_t absent = counts[2];
  *present = counts[0];
  if (*present + nulls + absent != series_.rows) {
    return refuse("column \"" + std::string(head.name) + "\" has a presence byte other than 0, 1, 2");
  }
  if (*present == series_.rows) {
    return refuse("column \"" + std::string(head.name) + "\" has presence bytes and all values");
  }
  if (absent == series_.rows) {
    return refuse("column \"" + std::string(head.name) + "\" is used by no row of one of its series");
  }
  if (absent == 0) rows_may_be_empty_ = false;
  column->presence = presence.data();
  return true;
}

bool RowsReader::read_values(const ColumnHead& head, std::uint32_t count, Column* column) {
  if (is_text(head.type)) {
    const ByteReader start = reader_;
    for (std::uint32_t i = 0; i < count && reader_.ok(); ++i) reader_.bytes32();
    column->values = ByteReader(start).rest().data();
    return reader_.ok();
  }
  const ByteView values = reader_.bytes(std::size_t{count} * width_of(head.type));
  column->values = values.data();
  if (head.type == ValueType::kBool && std::ranges::any_of(values, [](std::uint8_t v) { return v > 1; })) {
    return refuse("a bool of column \"" + std::string(head.name) + "\" is neither 0 nor 1");
  }
  return reader_.ok();
}

bool RowsReader::check_rows_not_empty() {
  if (!rows_may_be_empty_) return true;
  for (std::uint32_t row = 0; row < series_.rows; ++row) {
    const auto absent = [&](const Column& column) {
      return static_cast<Presence>(column.presence[row]) == Presence::kAbsent;
    };
    if (std::ranges::all_of(series_.columns, absent)) {
      return refuse("row " + std::to_string(row) + " of a series has neither a value nor a null");
    }
  }
  return true;
}

Status canonical::summarize_rows(ByteReader& reader, BatchSummary* summary) {
  RowsReader rows(reader);
  while (rows.next()) {
    const RowsReader::Series& series = rows.series();
    if (summary->events == 0) std::memcpy(&summary->time_min, series.times, sizeof(std::int64_t));
    if (summary->events == 0) summary->time_max = summary->time_min;
    for (std::uint32_t row = 0; row < series.rows; ++row) {
      std::int64_t time;
      std::memcpy(&time, series.times + 8 * std::size_t{row}, sizeof(time));
      summary->time_min = std::min(summary->time_min, time);
      summary->time_max = std::max(summary->time_max, time);
    }
    summary->events += series.rows;
  }
  summary->values = rows.values();
  return rows.status();
}

}  // namespace tidegate
