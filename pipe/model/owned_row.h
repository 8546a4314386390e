// SPDX-License-Identifier: Apache-2.0
// For tests and fuzz programs: a row that owns its bytes, and the canonical form written the slow and obvious
// way, from the rules of doc/batch_format.md alone, with ordered maps. It shares nothing with BatchBuilder
// but the types and their widths.
#pragma once

#include <compare>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "pipe/model/value_type.h"

namespace tidegate::test {

struct OwnedField {
  std::string name;
  ValueType type = ValueType::kDouble;
  ColumnRole role = ColumnRole::kField;
  Presence presence = Presence::kValue;
  std::string bits;  // little-endian bytes of a number, one byte of a bool, or the text
  auto operator<=>(const OwnedField&) const = default;
  std::tuple<std::string, ValueType, ColumnRole> column() const { return {name, type, role}; }
};

struct OwnedRow {
  Addressing addressing = Addressing::kTable;
  std::string database, table, device;
  std::vector<std::pair<std::string, std::string>> tags;
  std::vector<OwnedField> fields;
  std::int64_t time = 0;
  auto operator<=>(const OwnedRow&) const = default;
};

template <class T>
std::string bits_of(T value) {
  return {reinterpret_cast<const char*>(&value), sizeof(value)};
}

inline ValueView view_of(const OwnedField& field) {
  ValueView value;
  value.type = field.type;
  value.presence = field.presence;
  if (field.presence != Presence::kValue) return value;
  if (is_text(field.type)) {
    value.text = field.bits;
  } else if (field.type == ValueType::kBool) {
    value.b = field.bits[0] != 0;
  } else {
    std::memcpy(&value.u64, field.bits.data(), field.bits.size());
  }
  return value;
}

inline OwnedField own(const FieldView& field) {
  OwnedField out{std::string(field.name), field.value.type, field.role, field.value.presence, {}};
  if (out.presence != Presence::kValue) return out;
  if (is_text(out.type)) {
    out.bits = field.value.text;
  } else if (out.type == ValueType::kBool) {
    out.bits = bits_of(field.value.b);
  } else {
    out.bits.assign(reinterpret_cast<const char*>(&field.value.u64), width_of(out.type));
  }
  return out;
}

inline OwnedRow own(const RowView& row) {
  OwnedRow out;
  out.addressing = row.addressing;
  out.database = row.database;
  out.table = row.table;
  out.device = row.device;
  out.time = row.time;
  for (const TagView& tag : row.tags) out.tags.emplace_back(tag.key, tag.value);
  for (const FieldView& field : row.fields) out.fields.push_back(own(field));
  return out;
}

// Calls `use(RowView)`, whose views live as long as the call.
template <class Use>
auto with_view(const OwnedRow& row, Use use) {
  std::vector<TagView> tags;
  std::vector<FieldView> fields;
  for (const auto& [key, value] : row.tags) tags.push_back({key, value});
  for (const OwnedField& field : row.fields) fields.push_back({field.name, field.role, view_of(field)});
  return use(RowView{row.addressing, row.database, row.table, row.device, tags, fields, row.time});
}

inline Result<std::vector<OwnedRow>> rows_of(ByteView canonical) {
  std::vector<OwnedRow> rows;
  TG_CHECK(for_each_row(canonical, [&](const RowView& row) { return rows.push_back(own(row)), true; }));
  return rows;
}

// ---- the naive canonical writer
// ---------------------------------------------------------------------------------------

class NaiveWriter {
 public:
  using Column = std::tuple<std::string, ValueType, ColumnRole>;
  using Tags = std::vector<std::pair<std::string, std::string>>;
  using Key = std::pair<std::string, Tags>;  // device and tags, of which one is empty
  using Scope = std::tuple<Addressing, std::string, std::string>;
  using Rows = std::vector<const OwnedRow*>;

  static Bytes write(const BatchHead& head, const std::vector<OwnedRow>& rows) {
    std::map<std::pair<Scope, Key>, Rows> series;
    for (const OwnedRow& row : rows) {
      series[{{row.addressing, row.database, row.table}, {row.device, row.tags}}].push_back(&row);
    }
    std::map<std::pair<Scope, std::vector<Column>>, std::map<Key, Rows>> sections;
    for (const auto& [id, its_rows] : series)
      sections[{id.first, columns_of(its_rows)}][id.second] = its_rows;

    Bytes out;
    ByteWriter writer(out);
    for (const std::uint8_t byte :
         {std::uint8_t{1}, std::uint8_t{1}, static_cast<std::uint8_t>(head.unit), head.flags}) {
      writer.u8(byte);
    }
    writer.str32(head.source);
    writer.u32(static_cast<std::uint32_t>(sections.size()));
    for (const auto& [id, members] : sections) write_section(writer, id.first, id.second, members);
    return out;
  }

 private:
  static std::vector<Column> columns_of(const Rows& rows) {
    std::set<Column> columns;
    for (const OwnedRow* row : rows) {
      for (const OwnedField& field : row->fields) {
        if (field.presence != Presence::kAbsent) columns.insert(field.column());
      }
    }
    return {columns.begin(), columns.end()};
  }

  static void write_section(ByteWriter& writer, const Scope& scope, const std::vector<Column>& columns,
                            const std::map<Key, Rows>& members) {
    const auto& [addressing, database, table] = scope;
    writer.u8(static_cast<std::uint8_t>(addressing));
    writer.str32(database);
    writer.str32(table);
    writer.u32(static_cast<std::uint32_t>(columns.size()));
    for (const auto& [name, type, role] : columns) {
      writer.str32(name);
      writer.u8(static_cast<std::uint8_t>(type));
      writer.u8(static_cast<std::uint8_t>(role));
    }
    writer.u32(static_cast<std::uint32_t>(members.size()));
    for (const auto& [key, rows] : members) {
      write_key(writer, addressing, key);
      writer.u32(static_cast<std::uint32_t>(rows.size()));
      for (const OwnedRow* row : rows) writer.i64(row->time);
      for (const Column& column : columns) write_column(writer, column, rows);
    }
  }

  static void write_key(ByteWriter& writer, Addressing addressing, const Key& key) {
    if (addressing == Addressing::kTree) return writer.str32(key.first);
    writer.u32(static_cast<std::uint32_t>(key.second.size()));
    for (const auto& [tag, value] : key.second) {
      writer.str32(tag);
      writer.str32(value);
    }
  }

  static void write_column(ByteWriter& writer, const Column& column, const Rows& rows) {
    Bytes presence;
    Bytes values;
    ByteWriter value_writer(values);
    for (const OwnedRow* row : rows) {
      presence.push_back(static_cast<std::uint8_t>(Presence::kAbsent));
      for (const OwnedField& field : row->fields) {
        if (field.column() != column) continue;
        presence.back() = static_cast<std::uint8_t>(field.presence);
        if (field.presence != Presence::kValue) continue;
        if (is_text(field.type)) value_writer.u32(static_cast<std::uint32_t>(field.bits.size()));
        value_writer.bytes(as_bytes(field.bits));
      }
    }
    const bool all = presence == Bytes(rows.size(), 0);
    writer.u8(all ? 0 : 1);
    if (!all) writer.bytes(presence);
    writer.bytes(values);
  }
};

}  // namespace tidegate::test
