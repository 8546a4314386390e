// SPDX-License-Identifier: Apache-2.0
#include "pipe/process/series_key.h"

#include "pipe/model/value_type.h"

namespace tidegate {

void write_head_key(ByteWriter& writer, const BatchHead& head) {
  writer.str32(head.source);
  writer.u8(static_cast<std::uint8_t>(head.unit));
  writer.u8(head.flags);
}

void read_head_key(ByteReader& reader, BatchHead* head) {
  head->source = reader.str32();
  const std::uint8_t unit = reader.u8();
  head->flags = reader.u8();
  if (unit > static_cast<std::uint8_t>(TimeUnit::kNanosecond) || head->flags > kFlagByPipeProtocol) {
    return reader.fail();
  }
  head->unit = static_cast<TimeUnit>(unit);
}

void write_series_key(ByteWriter& writer, const RowView& row) {
  writer.u8(static_cast<std::uint8_t>(row.addressing));
  if (row.addressing == Addressing::kTree) return writer.str32(row.device);
  writer.str32(row.database);
  writer.str32(row.table);
  writer.u32(static_cast<std::uint32_t>(row.tags.size()));
  for (const TagView& tag : row.tags) {
    writer.str32(tag.key);
    writer.str32(tag.value);
  }
}

void read_series_key(ByteReader& reader, SeriesAddress* address) {
  *address = {};
  const std::uint8_t addressing = reader.u8();
  if (addressing > static_cast<std::uint8_t>(Addressing::kTable)) return reader.fail();
  address->addressing = static_cast<Addressing>(addressing);
  if (address->addressing == Addressing::kTree) {
    address->device = reader.str32();
    return;
  }
  address->database = reader.str32();
  address->table = reader.str32();
  const std::uint32_t count = reader.count32(8);
  for (std::uint32_t i = 0; i < count && reader.ok(); ++i) {
    TagView tag;
    tag.key = reader.str32();
    tag.value = reader.str32();
    if (i > 0 && address->tags.back().key >= tag.key) reader.fail();
    address->tags.push_back(tag);
  }
}

RowView SeriesAddress::row(std::int64_t time, std::span<const FieldView> fields) const {
  return {addressing, database, table, device, tags, fields, time};
}

void write_column_id(ByteWriter& writer, const ColumnId& column) {
  writer.str32(column.name);
  writer.u8(static_cast<std::uint8_t>(column.type));
  writer.u8(static_cast<std::uint8_t>(column.role));
}

ColumnId read_column_id(ByteReader& reader) {
  ColumnId column;
  column.name = reader.str32();
  column.type = static_cast<ValueType>(reader.u8());
  column.role = static_cast<ColumnRole>(reader.u8());
  if (is_known(column.type) && column.role <= ColumnRole::kAttribute) return column;
  reader.fail();
  return {};
}

}  // namespace tidegate
