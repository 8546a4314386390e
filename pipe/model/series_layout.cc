// SPDX-License-Identifier: Apache-2.0
#include "pipe/model/series_layout.h"

#include <algorithm>
#include <numeric>
#include <tuple>

#include "pipe/model/value_type.h"

namespace tidegate {
namespace {

using Series = SeriesStore::Series;
using Slot = SeriesStore::Slot;

constexpr std::size_t kTime = 8;

std::size_t value_bytes(const Slot& slot) {
  return is_text(slot.type) ? slot.text_bytes : slot.values * width_of(slot.type);
}

bool is_used(const Slot& slot) {
  return slot.values + slot.nulls != 0;
}

std::uint8_t* put_u32(std::uint8_t* out, std::size_t value) {
  const auto v = static_cast<std::uint32_t>(value);
  std::memcpy(out, &v, sizeof(v));
  return out + sizeof(v);
}

std::uint8_t* put_bytes(std::uint8_t* out, std::string_view bytes) {
  if (!bytes.empty()) std::memcpy(out, bytes.data(), bytes.size());
  return out + bytes.size();
}

// Both keys are of the same addressing. Tags compare as pairs one by one, then the shorter list is first.
bool key_less(Addressing addressing, std::string_view a, std::string_view b) {
  ByteReader x(as_bytes(a));
  ByteReader y(as_bytes(b));
  if (addressing == Addressing::kTree) return x.str32() < y.str32();
  const std::uint32_t x_tags = x.u32();
  const std::uint32_t y_tags = y.u32();
  for (std::uint32_t i = 0; i < 2 * std::min(x_tags, y_tags); ++i) {  // tag, value, tag, value ...
    const int order = x.str32().compare(y.str32());
    if (order != 0) return order < 0;
  }
  return x_tags < y_tags;
}

bool uses_the_same(const Series& a, const Series& b) {
  return std::ranges::equal(a.slots, b.slots, [](const Slot& x, const Slot& y) {
    return x.column == y.column && is_used(x) == is_used(y);
  });
}

}  // namespace

void SeriesLayout::rank_columns(const SeriesStore& store) {
  const auto& columns = store.columns();
  const auto key = [&](std::uint32_t i) {
    return std::tuple(store.name(columns[i]), columns[i].type, columns[i].role);
  };
  column_order_.resize(columns.size());
  std::iota(column_order_.begin(), column_order_.end(), 0U);
  std::ranges::sort(column_order_, [&](std::uint32_t a, std::uint32_t b) { return key(a) < key(b); });
  column_rank_.resize(columns.size());
  for (std::uint32_t rank = 0; rank < column_order_.size(); ++rank) column_rank_[column_order_[rank]] = rank;
}

void SeriesLayout::rank_scopes(const SeriesStore& store) {
  const auto& scopes = store.scopes();
  const auto key = [&](std::uint32_t i) {
    ByteReader reader(as_bytes(store.scope_bytes(store.series(scopes[i].first_series))));
    const std::uint8_t addressing = reader.u8();
    const std::string_view database = reader.str32();
    return std::tuple(addressing, database, reader.str32());
  };
  std::vector<std::uint32_t> order(scopes.size());
  std::iota(order.begin(), order.end(), 0U);
  std::ranges::sort(order, [&](std::uint32_t a, std::uint32_t b) { return key(a) < key(b); });
  scope_rank_.resize(scopes.size());
  for (std::uint32_t rank = 0; rank < order.size(); ++rank) scope_rank_[order[rank]] = rank;
}

void SeriesLayout::add_item(const SeriesStore& store, std::uint32_t number) {
  const Series& series = store.series(number);
  const std::uint32_t scope_rank = scope_rank_[series.scope];
  if (!items_.empty() && uses_the_same(store.series(items_.back().series), series)) {
    items_.push_back({number, scope_rank, items_.back().first, items_.back().count});
    return;
  }
  const auto first = static_cast<std::ptrdiff_t>(slots_.size());
  for (std::uint32_t i = 0; i < series.slots.size(); ++i) {
    if (is_used(series.slots[i])) slots_.push_back(i);
  }
  const auto rank = [&](std::uint32_t slot) { return column_rank_[series.slots[slot].column]; };
  std::sort(slots_.begin() + first, slots_.end(), [&](auto a, auto b) { return rank(a) < rank(b); });
  std::transform(slots_.begin() + first, slots_.end(), std::back_inserter(ranks_), rank);
  const auto count = static_cast<std::uint32_t>(slots_.size() - static_cast<std::size_t>(first));
  items_.push_back({number, scope_rank, static_cast<std::size_t>(first), count});
}

bool SeriesLayout::less(const SeriesStore& store, const Item& a, const Item& b) const {
  if (a.scope_rank != b.scope_rank) return a.scope_rank < b.scope_rank;
  if (a.first != b.first) {
    const auto x = ranks(a);
    const auto y = ranks(b);
    const auto order = std::lexicographical_compare_three_way(x.begin(), x.end(), y.begin(), y.end());
    if (order != 0) return order < 0;
  }
  const Series& x = store.series(a.series);
  const Series& y = store.series(b.series);
  const auto addressing = static_cast<Addressing>(store.scope_bytes(x).front());
  return key_less(addressing, store.key_bytes(x), store.key_bytes(y));
}

bool SeriesLayout::same_section(const Item& a, const Item& b) const {
  return a.scope_rank == b.scope_rank && (a.first == b.first || std::ranges::equal(ranks(a), ranks(b)));
}

std::size_t SeriesLayout::section_head_size(const SeriesStore& store, const Item& item) const {
  std::size_t size = store.scope_bytes(store.series(item.series)).size() + 4 + 4;
  for (const std::uint32_t rank : ranks(item)) {
    size += 4 + store.columns()[column_order_[rank]].name_size + 1 + 1;
  }
  return size;
}

std::size_t SeriesLayout::series_size(const SeriesStore& store, const Item& item) const {
  const Series& series = store.series(item.series);
  std::size_t size = store.key_bytes(series).size() + 4 + series.rows * kTime;
  for (std::uint32_t i = 0; i < item.count; ++i) {
    const Slot& slot = series.slots[slots_[item.first + i]];
    size += 1 + (slot.values == series.rows ? 0 : series.rows) + value_bytes(slot);
  }
  return size;
}

std::size_t SeriesLayout::arrange(const SeriesStore& store) {
  clear();
  rank_columns(store);
  rank_scopes(store);
  for (std::uint32_t i = 0; i < store.series_count(); ++i) {
    if (store.series(i).rows != 0) add_item(store, i);
  }
  std::ranges::sort(items_, [&](const Item& a, const Item& b) { return less(store, a, b); });
  std::size_t size = 4;
  for (std::size_t i = 0; i < items_.size(); ++i) {
    if (i == 0 || !same_section(items_[i - 1], items_[i])) size += section_head_size(store, items_[i]);
    size += series_size(store, items_[i]);
  }
  return size;
}

std::uint8_t* SeriesLayout::write_section_head(const SeriesStore& store, const Item& item,
                                               std::uint8_t* out) const {
  out = put_bytes(out, store.scope_bytes(store.series(item.series)));
  out = put_u32(out, item.count);
  for (const std::uint32_t rank : ranks(item)) {
    const SeriesStore::Column& column = store.columns()[column_order_[rank]];
    out = put_u32(out, column.name_size);
    out = put_bytes(out, store.name(column));
    *out++ = static_cast<std::uint8_t>(column.type);
    *out++ = static_cast<std::uint8_t>(column.role);
  }
  return out;
}

std::uint8_t* SeriesLayout::write_series(SeriesStore& store, const Item& item, std::uint8_t* out) const {
  Series& series = store.series(item.series);
  out = put_bytes(out, store.key_bytes(series));
  out = put_u32(out, series.rows);
  series.times = out;
  series.written = 0;
  out += series.rows * kTime;
  for (std::uint32_t i = 0; i < item.count; ++i) {
    Slot& slot = series.slots[slots_[item.first + i]];
    slot.presence = nullptr;
    const bool gaps = slot.values != series.rows;
    *out++ = gaps ? 1 : 0;
    if (gaps) {
      slot.presence = out;
      std::memset(out, static_cast<int>(Presence::kAbsent), series.rows);
      out += series.rows;
    }
    slot.next = out;
    out += value_bytes(slot);
  }
  return out;
}

void SeriesLayout::write(SeriesStore& store, std::uint8_t* out) const {
  std::uint8_t* const sections_at = out;
  std::uint8_t* series_at = nullptr;
  std::size_t sections = 0;
  std::size_t series = 0;
  out += 4;
  for (std::size_t i = 0; i < items_.size(); ++i) {
    if (i == 0 || !same_section(items_[i - 1], items_[i])) {
      out = write_section_head(store, items_[i], out);
      series_at = out;
      out += 4;
      series = 0;
      ++sections;
    }
    put_u32(series_at, ++series);
    out = write_series(store, items_[i], out);
  }
  put_u32(sections_at, sections);
}

void SeriesLayout::clear() {
  slots_.clear();
  ranks_.clear();
  items_.clear();
}

}  // namespace tidegate
