// SPDX-License-Identifier: Apache-2.0
#include "pipe/engine/plugin/batch_unpacker.h"

namespace tidegate::tgplugin {
namespace {

// The numbers of the interface are those of the format: nothing is translated.
static_assert(TG_KIND_ROWS == static_cast<int>(EventKind::kRows) &&
              TG_KIND_STATISTICS == static_cast<int>(EventKind::kStatistics));
static_assert(TG_UNIT_SECOND == static_cast<int>(TimeUnit::kSecond) &&
              TG_UNIT_NANOSECOND == static_cast<int>(TimeUnit::kNanosecond));
static_assert(TG_TREE == static_cast<int>(Addressing::kTree) &&
              TG_TABLE == static_cast<int>(Addressing::kTable));
static_assert(TG_TYPE_BOOL == static_cast<int>(ValueType::kBool) &&
              TG_TYPE_TIMESTAMP == static_cast<int>(ValueType::kTimestamp));
static_assert(TG_VALUE == static_cast<int>(Presence::kValue) &&
              TG_NULL == static_cast<int>(Presence::kNull) &&
              TG_ABSENT == static_cast<int>(Presence::kAbsent));
static_assert(TG_ROLE_FIELD == static_cast<int>(ColumnRole::kField) &&
              TG_ROLE_ATTRIBUTE == static_cast<int>(ColumnRole::kAttribute));
// Structs that never change: plugins that are compiled rely on it.
static_assert(sizeof(tg_str) == 16 && sizeof(tg_bytes) == 16 && sizeof(tg_tag) == 32 &&
              sizeof(tg_column) == 40 && sizeof(tg_series) == 104 && sizeof(tg_setting) == 32);

bool has_value(const RowsReader::Column& column, std::size_t row) {
  return column.presence == nullptr || column.presence[row] == TG_VALUE;
}

}  // namespace

Result<const tg_batch*> BatchUnpacker::unpack(ByteView canonical, std::uint64_t number) {
  ByteReader reader(canonical);
  EventKind kind{};
  TG_TRY(const BatchHead head, canonical::parse_head(reader, &kind));
  auto* source = make<char>(head.source.size() + 1);
  std::memcpy(source, head.source.c_str(), head.source.size() + 1);
  auto* batch = make<tg_batch>(1);
  *batch = {};
  batch->struct_size = sizeof(tg_batch);
  batch->kind = static_cast<std::uint32_t>(kind);
  batch->unit = static_cast<std::uint32_t>(head.unit);
  batch->flags = head.flags;
  batch->number = number;
  batch->source = {source, head.source.size()};
  batch->content = as_tg(canonical);
  if (kind == EventKind::kRows) {
    TG_CHECK(unpack_rows(reader, batch));
  } else {
    TG_TRY(const BatchSummary summary, summarize(canonical));
    batch->events = summary.events;
  }
  return static_cast<const tg_batch*>(batch);
}

Status BatchUnpacker::unpack_rows(ByteReader& reader, tg_batch* batch) {
  RowsReader rows(reader);
  std::vector<tg_series> all;
  while (rows.next()) {
    all.push_back(unpack_series(rows));
    batch->events += all.back().row_count;
  }
  TG_CHECK(rows.status());
  auto* series = make<tg_series>(all.size());
  std::ranges::copy(all, series);
  batch->series = series;
  batch->series_count = all.size();
  return {};
}

tg_series BatchUnpacker::unpack_series(const RowsReader& rows) {
  const RowsReader::Section& section = rows.section();
  const RowsReader::Series& from = rows.series();
  tg_series series{};
  series.addressing = static_cast<std::uint32_t>(section.addressing);
  series.database = as_tg(section.database);
  series.table = as_tg(section.table);
  series.device = as_tg(from.device);
  auto* tags = make<tg_tag>(from.tags.size());
  std::ranges::transform(from.tags, tags,
                         [](const TagView& tag) -> tg_tag { return {as_tg(tag.key), as_tg(tag.value)}; });
  series.tags = tags;
  series.tag_count = from.tags.size();
  series.row_count = from.rows;
  auto* times = make<std::int64_t>(from.rows);
  std::memcpy(times, from.times, from.rows * sizeof(std::int64_t));
  series.times = times;
  auto* columns = make<tg_column>(section.columns.size());
  for (std::size_t i = 0; i < section.columns.size(); ++i) {
    columns[i] = unpack_column(section.columns[i], from.columns[i], from.rows);
  }
  series.columns = columns;
  series.column_count = section.columns.size();
  return series;
}

// One aligned entry for each row, also where there is no value: a plugin then needs no arithmetic of its own.
tg_column BatchUnpacker::unpack_column(const RowsReader::ColumnHead& head, const RowsReader::Column& column,
                                       std::size_t rows) {
  tg_column out{};
  out.name = as_tg(head.name);
  out.type = static_cast<std::uint32_t>(head.type);
  out.role = static_cast<std::uint32_t>(head.role);
  out.presence = column.presence;
  const std::uint8_t* from = column.values;
  if (is_text(head.type)) {
    auto* texts = make<tg_str>(rows);
    for (std::size_t row = 0; row < rows; ++row) {
      texts[row] = {};
      if (!has_value(column, row)) continue;
      std::uint32_t size;
      std::memcpy(&size, from, sizeof(size));
      texts[row] = {reinterpret_cast<const char*>(from) + sizeof(size), size};
      from += sizeof(size) + size;
    }
    out.values = texts;
    return out;
  }
  const std::size_t width = width_of(head.type);
  auto* values = static_cast<std::uint8_t*>(memory_.allocate(rows * width, width));
  for (std::size_t row = 0; row < rows; ++row) {
    const bool there = has_value(column, row);
    if (there) std::memcpy(values + row * width, from, width);
    if (!there) std::memset(values + row * width, 0, width);
    from += there ? width : 0;
  }
  out.values = values;
  return out;
}

}  // namespace tidegate::tgplugin
