// SPDX-License-Identifier: Apache-2.0
// BatchBuilder in two steps. add() finds the series and its columns and copies the row to the end of one flat
// log. build() knows from the counts where everything stands in the canonical bytes, writes the heads, and
// then drops each logged value straight into its place: one pass over the rows, one allocation, the result.
#include <algorithm>
#include <cassert>
#include <limits>
#include <string>

#include "pipe/model/canonical.h"
#include "pipe/model/series_layout.h"
#include "pipe/model/series_store.h"

namespace tidegate {
namespace {

using Series = SeriesStore::Series;
using Slot = SeriesStore::Slot;

// A logged row. Dense: fields are slots 0..count-1 and all have values, which follow one after another. Else
// each value has a slot number in front, with kNullBit when it is a null and nothing follows.
struct LoggedRow {
  std::uint32_t series;
  std::uint32_t fields;  // kDenseBit or'ed in
  std::int64_t time;
};
constexpr std::uint32_t kDenseBit = 1U << 31;
constexpr std::uint32_t kNullBit = 1U << 31;

// Lengths and counts of the canonical form are u32, and so is the decoded size of a container.
constexpr std::uint64_t kMostBytes = std::numeric_limits<std::uint32_t>::max() / 2;

Error refuse(const RowView& row, std::string what) {
  const std::string_view table = row.addressing == Addressing::kTree ? row.device : row.table;
  return make_error(ErrorCode::kInvalidArgument,
                    std::move(what) + " in a row of \"" + std::string(table) + "\"");
}

Status check_key(const RowView& row) {
  if (row.addressing == Addressing::kTree) {
    if (row.database.empty() && row.table.empty() && row.tags.empty()) return {};
    return refuse(row, "database, table or tags beside a device path");
  }
  if (row.addressing != Addressing::kTable) return refuse(row, "unknown addressing");
  if (!row.device.empty()) return refuse(row, "a device path beside a table");
  for (std::size_t i = 1; i < row.tags.size(); ++i) {
    if (row.tags[i - 1].key < row.tags[i].key) continue;
    return refuse(row, "tag \"" + std::string(row.tags[i].key) + "\" not after \"" +
                           std::string(row.tags[i - 1].key) + "\": tags must ascend");
  }
  return {};
}

Status check_fields(const RowView& row) {
  bool any = false;
  for (const FieldView& field : row.fields) {
    if (!is_known(field.value.type) || field.role > ColumnRole::kAttribute ||
        field.value.presence > Presence::kAbsent) {
      return refuse(row, "unknown type, role or presence of field \"" + std::string(field.name) + "\"");
    }
    any = any || field.value.presence != Presence::kAbsent;
  }
  if (!any) return refuse(row, "no field");
  return {};
}

std::uint64_t logged_size(const RowView& row) {
  std::uint64_t size = sizeof(LoggedRow);
  for (const FieldView& field : row.fields) size += 4 + 8 + field.value.text.size();
  return size;
}

std::uint64_t key_size(const RowView& row) {
  std::uint64_t size = row.database.size() + row.table.size() + row.device.size();
  for (const TagView& tag : row.tags) size += 8 + tag.key.size() + tag.value.size();
  for (const FieldView& field : row.fields) size += 8 + field.name.size();
  return size;
}

// Moves one logged value behind the last one of its column. Returns what follows it in the log.
const std::uint8_t* move_value(const std::uint8_t* from, Slot* slot) {
  if (is_text(slot->type)) {
    std::uint32_t size;
    std::memcpy(&size, from, sizeof(size));
    std::memcpy(slot->next, from, 4 + std::size_t{size});
    slot->next += 4 + std::size_t{size};
    return from + 4 + size;
  }
  const std::size_t size = width_of(slot->type);
  switch (size) {
    case 8:
      std::memcpy(slot->next, from, 8);
      break;
    case 4:
      std::memcpy(slot->next, from, 4);
      break;
    default:
      *slot->next = *from;
  }
  slot->next += size;
  return from + size;
}

}  // namespace

struct BatchBuilder::Impl {
  BatchHead head;
  SeriesStore store;
  RowLog log;
  SeriesLayout layout;
  std::vector<std::uint32_t> slots;  // of the row at hand
  BatchSummary summary;
  std::uint64_t adds = 0;
  std::size_t bytes = 0;  // estimate of the canonical form, without header
  std::size_t counted_columns = 0;
  std::size_t counted_scopes = 0;

  bool is_dense(const Series& series, const RowView& row) const;
  Status resolve(Series& series, const RowView& row);
  std::size_t log_value(Slot& slot, const ValueView& value);
  std::size_t log_dense(Series& series, const RowView& row);
  std::size_t log_sparse(Series& series, const RowView& row);
  void count_row(Series& series, const RowView& row, std::size_t value_bytes);
  Status add(const RowView& row);
  void scatter();
  void clear();
};

// The common case: the fields that the series already has, in the same order, all with values.
bool BatchBuilder::Impl::is_dense(const Series& series, const RowView& row) const {
  if (row.fields.empty() || row.fields.size() > series.slots.size()) return false;
  const Slot* slot = series.slots.data();
  for (const FieldView& field : row.fields) {
    if (field.value.presence != Presence::kValue || !store.matches(*slot++, field)) return false;
  }
  return true;
}

// Fills `slots` with the slot of each field that is not absent.
Status BatchBuilder::Impl::resolve(Series& series, const RowView& row) {
  slots.clear();
  std::size_t hint = 0;
  ++adds;
  for (const FieldView& field : row.fields) {
    if (field.value.presence == Presence::kAbsent) continue;
    const std::uint32_t number = store.slot_of(series, field, hint);
    Slot& slot = series.slots[number];
    if (slot.last_row == adds) return refuse(row, "field \"" + std::string(field.name) + "\" twice");
    slot.last_row = adds;
    slots.push_back(number);
    hint = number + 1;
  }
  return {};
}

std::size_t BatchBuilder::Impl::log_value(Slot& slot, const ValueView& value) {
  ++slot.values;
  if (is_text(value.type)) {
    log.append(static_cast<std::uint32_t>(value.text.size()));
    log.append(value.text.data(), value.text.size());
    slot.text_bytes += 4 + value.text.size();
    return 4 + value.text.size();
  }
  switch (width_of(value.type)) {
    case 8:
      log.append(value.u64);
      return 8;
    case 4:
      log.append(value.i32);
      return 4;
    default:
      log.append(static_cast<std::uint8_t>(value.b ? 1 : 0));
      return 1;
  }
}

std::size_t BatchBuilder::Impl::log_dense(Series& series, const RowView& row) {
  const auto count = static_cast<std::uint32_t>(row.fields.size());
  log.append(LoggedRow{store.index_of(series), count | kDenseBit, row.time});
  std::size_t size = 0;
  for (std::size_t i = 0; i < count; ++i) size += log_value(series.slots[i], row.fields[i].value);
  summary.values += count;
  return size + (count != series.slots.size() ? series.slots.size() : 0);
}

std::size_t BatchBuilder::Impl::log_sparse(Series& series, const RowView& row) {
  log.append(LoggedRow{store.index_of(series), static_cast<std::uint32_t>(slots.size()), row.time});
  std::size_t size = 0;
  auto next = slots.begin();
  bool gaps = slots.size() != series.slots.size();
  for (const FieldView& field : row.fields) {
    if (field.value.presence == Presence::kAbsent) continue;
    Slot& slot = series.slots[*next];
    const bool null = field.value.presence == Presence::kNull;
    log.append(*next++ | (null ? kNullBit : 0));
    if (null) {
      ++slot.nulls;
      gaps = true;
    } else {
      size += log_value(slot, field.value);
      ++summary.values;
    }
  }
  return size + (gaps ? series.slots.size() : 0);
}

// What the row adds to the canonical form. Exact for rows without gaps; presence bytes are counted for rows
// that have gaps, not for the full rows of the same columns.
void BatchBuilder::Impl::count_row(Series& series, const RowView& row, std::size_t value_bytes) {
  bytes += sizeof(row.time) + value_bytes;
  if (series.rows == 0) bytes += store.key_bytes(series).size() + 4 + series.slots.size();
  const auto& columns = store.columns();
  for (; counted_columns < columns.size(); ++counted_columns) bytes += 6 + columns[counted_columns].name_size;
  for (; counted_scopes < store.scopes().size(); ++counted_scopes)
    bytes += store.scope_bytes(series).size() + 8;
  const bool first = summary.events == 0;
  summary.time_min = first ? row.time : std::min(summary.time_min, row.time);
  summary.time_max = first ? row.time : std::max(summary.time_max, row.time);
  ++summary.events;
  ++series.rows;
}

Status BatchBuilder::Impl::add(const RowView& row) {
  TG_CHECK(check_key(row));
  const std::uint64_t most = logged_size(row);
  if (bytes + most + key_size(row) > kMostBytes) {
    return make_error(ErrorCode::kTooLarge, "the row does not fit into a batch that has " +
                                                std::to_string(bytes) + " bytes: build it first");
  }
  Series& series = store.series_of(row);
  const bool dense = is_dense(series, row);
  if (!dense) {
    Status status = check_fields(row);
    if (status.ok()) status = resolve(series, row);
    if (!status.ok()) {
      if (summary.events == 0) store.clear();  // bad rows alone must not make it grow
      return status;
    }
  }
  log.reserve(most);
  const std::size_t value_bytes = dense ? log_dense(series, row) : log_sparse(series, row);
  count_row(series, row, value_bytes);
  return {};
}

// Every logged value to its place in the canonical bytes.
void BatchBuilder::Impl::scatter() {
  const std::uint8_t* at = log.begin();
  while (at != log.end()) {
    LoggedRow row;
    std::memcpy(&row, at, sizeof(row));
    at += sizeof(row);
    Series& series = store.series(row.series);
    const std::uint32_t index = series.written++;
    std::memcpy(series.times + std::size_t{index} * sizeof(row.time), &row.time, sizeof(row.time));
    const bool dense = (row.fields & kDenseBit) != 0;
    const std::uint32_t count = row.fields & ~kDenseBit;
    for (std::uint32_t i = 0; i < count; ++i) {
      std::uint32_t number = i;
      if (!dense) {
        std::memcpy(&number, at, sizeof(number));
        at += sizeof(number);
      }
      const bool null = (number & kNullBit) != 0;
      Slot& slot = series.slots[number & ~kNullBit];
      if (slot.presence != nullptr) {
        slot.presence[index] = static_cast<std::uint8_t>(null ? Presence::kNull : Presence::kValue);
      }
      if (!null) at = move_value(at, &slot);
    }
  }
}

void BatchBuilder::Impl::clear() {
  store.clear();
  log.clear();
  layout.clear();
  summary = {};
  bytes = 0;
  counted_columns = 0;
  counted_scopes = 0;
}

BatchBuilder::BatchBuilder(std::string source, TimeUnit unit, std::uint8_t flags)
    : impl_(std::make_unique<Impl>()) {
  impl_->head = {unit, static_cast<std::uint8_t>(flags & kFlagByPipeProtocol), std::move(source)};
}
BatchBuilder::~BatchBuilder() = default;
BatchBuilder::BatchBuilder(BatchBuilder&&) noexcept = default;
BatchBuilder& BatchBuilder::operator=(BatchBuilder&&) noexcept = default;

Status BatchBuilder::add(const RowView& row) {
  return impl_->add(row);
}
std::size_t BatchBuilder::rows() const {
  return impl_->summary.events;
}
std::size_t BatchBuilder::approximate_bytes() const {
  return canonical::kHeaderFixed + impl_->head.source.size() + 4 + impl_->bytes;
}

Batch BatchBuilder::build() {
  Impl& impl = *impl_;
  assert(!empty());
  Batch batch;
  const std::size_t body = impl.layout.arrange(impl.store);
  batch.canonical.reserve(canonical::kHeaderFixed + impl.head.source.size() + body);
  ByteWriter writer(batch.canonical);
  canonical::write_head(writer, EventKind::kRows, impl.head);
  const std::size_t header = batch.canonical.size();
  batch.canonical.resize(header + body);
  impl.layout.write(impl.store, batch.canonical.data() + header);
  impl.scatter();
  batch.hash = xxh3_128(batch.canonical);
  batch.summary = impl.summary;
  batch.summary.unit = impl.head.unit;
  batch.summary.flags = impl.head.flags;
  impl.clear();
  return batch;
}

}  // namespace tidegate
