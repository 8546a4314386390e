// SPDX-License-Identifier: Apache-2.0
#include "pipe/model/series_store.h"

#include <xxhash.h>

#include <algorithm>

namespace tidegate {
namespace {

// Up to here the slots of a series are searched one by one.
constexpr std::size_t kSlotsSearched = 16;
// So many unused series are kept for their memory in any case.
constexpr std::size_t kSeriesKept = 256;

std::uint64_t hash_of(std::string_view bytes) {
  return XXH3_64bits(bytes.data(), bytes.size());
}

std::uint64_t hash_of_pair(std::uint32_t series, std::uint32_t column) {
  const std::uint32_t pair[] = {series, column};
  return XXH3_64bits(pair, sizeof(pair));
}

// Empties it and keeps the memory, unless the last use needed less than a quarter of it.
template <class Container>
void clear_bounded(Container& container) {
  if (container.capacity() > 4 * container.size() + 4096) Container().swap(container);
  container.clear();
}

char* put(char* at, std::string_view text) {
  const auto size = static_cast<std::uint32_t>(text.size());
  std::memcpy(at, &size, sizeof(size));
  if (size != 0) std::memcpy(at + sizeof(size), text.data(), size);
  return at + sizeof(size) + size;
}

}  // namespace

void SeriesStore::encode_key(const RowView& row) {
  const bool tree = row.addressing == Addressing::kTree;
  std::size_t size = 1 + 4 + 4 + 4 + row.database.size() + row.table.size() + row.device.size();
  for (const TagView& tag : row.tags) size += 4 + 4 + tag.key.size() + tag.value.size();
  if (scratch_.size() < size) scratch_.resize(std::max(size, 2 * scratch_.size()));
  char* at = scratch_.data();
  *at++ = static_cast<char>(row.addressing);
  at = put(put(at, row.database), row.table);
  scratch_scope_ = static_cast<std::size_t>(at - scratch_.data());
  if (tree) {
    scratch_size_ = static_cast<std::size_t>(put(at, row.device) - scratch_.data());
    return;
  }
  const auto count = static_cast<std::uint32_t>(row.tags.size());
  std::memcpy(at, &count, sizeof(count));
  at += sizeof(count);
  for (const TagView& tag : row.tags) at = put(put(at, tag.key), tag.value);
  scratch_size_ = static_cast<std::size_t>(at - scratch_.data());
}

SeriesStore::Series& SeriesStore::series_of(const RowView& row) {
  encode_key(row);
  const std::string_view key(scratch_.data(), scratch_size_);
  const std::uint64_t hash = hash_of(key);
  const std::uint32_t found = series_index_.find(hash, [&](std::uint32_t number) {
    const Series& series = series_[number];
    return std::string_view(keys_.data() + series.key_at, series.key_size) == key;
  });
  return found == KeyIndex::kNone ? new_series(hash) : series_[found];
}

SeriesStore::Series& SeriesStore::new_series(std::uint64_t hash) {
  const auto number = static_cast<std::uint32_t>(series_count_);
  if (series_count_ == series_.size()) series_.emplace_back();
  Series& series = series_[series_count_++];
  series.hash = hash;
  series.key_at = keys_.size();
  series.key_size = static_cast<std::uint32_t>(scratch_size_);
  series.scope_size = static_cast<std::uint32_t>(scratch_scope_);
  series.rows = 0;
  series.written = 0;
  keys_.append(scratch_.data(), scratch_size_);
  series.scope = scope_of(scope_bytes(series), number);
  series_index_.insert(hash, number, [&](std::uint32_t n) { return series_[n].hash; });
  return series;
}

std::uint32_t SeriesStore::scope_of(std::string_view scope, std::uint32_t series) {
  const std::uint64_t hash = hash_of(scope);
  const std::uint32_t found = scope_index_.find(hash, [&](std::uint32_t number) {
    return scope_bytes(series_[scopes_[number].first_series]) == scope;
  });
  if (found != KeyIndex::kNone) return found;
  const auto number = static_cast<std::uint32_t>(scopes_.size());
  scopes_.push_back({hash, series});
  scope_index_.insert(hash, number, [&](std::uint32_t n) { return scopes_[n].hash; });
  return number;
}

std::uint32_t SeriesStore::column_of(const FieldView& field) {
  const std::uint64_t hash = XXH3_64bits_withSeed(
      field.name.data(), field.name.size(),
      static_cast<std::uint64_t>(field.value.type) << 8 | static_cast<unsigned>(field.role));
  const std::uint32_t found = column_index_.find(hash, [&](std::uint32_t number) {
    const Column& column = columns_[number];
    return column.type == field.value.type && column.role == field.role && name(column) == field.name;
  });
  if (found != KeyIndex::kNone) return found;
  const auto number = static_cast<std::uint32_t>(columns_.size());
  columns_.push_back({hash, static_cast<std::uint32_t>(names_.size()),
                      static_cast<std::uint32_t>(field.name.size()), field.value.type, field.role});
  names_.append(field.name);
  column_index_.insert(hash, number, [&](std::uint32_t n) { return columns_[n].hash; });
  return number;
}

std::uint32_t SeriesStore::slot_of(Series& series, const FieldView& field, std::size_t hint) {
  if (hint < series.slots.size() && matches(series.slots[hint], field))
    return static_cast<std::uint32_t>(hint);
  if (const std::uint32_t found = find_slot(series, field, hint); found != KeyIndex::kNone) return found;
  const auto number = static_cast<std::uint32_t>(series.slots.size());
  const std::uint32_t column = column_of(field);
  series.slots.push_back({.column = column,
                          .name_at = columns_[column].name_at,
                          .name_size = columns_[column].name_size,
                          .type = field.value.type,
                          .role = field.role});
  if (number == kSlotsSearched) {
    for (std::uint32_t i = 0; i < number; ++i) index_slot(series, i);
  }
  if (number >= kSlotsSearched) index_slot(series, number);
  return number;
}

std::uint32_t SeriesStore::find_slot(const Series& series, const FieldView& field, std::size_t hint) {
  const std::size_t count = series.slots.size();
  if (count <= kSlotsSearched) {
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t at = (hint + i) % count;
      if (matches(series.slots[at], field)) return static_cast<std::uint32_t>(at);
    }
    return KeyIndex::kNone;
  }
  const std::uint32_t column = column_of(field);
  const std::uint32_t self = index_of(series);
  const std::uint32_t found = slot_index_.find(hash_of_pair(self, column), [&](std::uint32_t number) {
    const auto [owner, slot] = indexed_slots_[number];
    return owner == self && series.slots[slot].column == column;
  });
  return found == KeyIndex::kNone ? KeyIndex::kNone : indexed_slots_[found].second;
}

void SeriesStore::index_slot(const Series& series, std::uint32_t slot) {
  const auto number = static_cast<std::uint32_t>(indexed_slots_.size());
  indexed_slots_.emplace_back(index_of(series), slot);
  slot_index_.insert(hash_of_slot(number), number, [&](std::uint32_t n) { return hash_of_slot(n); });
}

std::uint64_t SeriesStore::hash_of_slot(std::uint32_t number) const {
  const auto [series, slot] = indexed_slots_[number];
  return hash_of_pair(series, series_[series].slots[slot].column);
}

void SeriesStore::clear() {
  for (std::size_t i = 0; i < series_count_; ++i) {
    std::vector<Slot>& slots = series_[i].slots;
    if (slots.capacity() > 4 * slots.size() + kSlotsSearched) std::vector<Slot>().swap(slots);
    slots.clear();
  }
  if (series_.size() > 4 * series_count_ + kSeriesKept) series_.resize(series_count_);
  series_count_ = 0;
  clear_bounded(keys_);
  clear_bounded(names_);
  clear_bounded(columns_);
  clear_bounded(scopes_);
  clear_bounded(indexed_slots_);
  series_index_.clear();
  column_index_.clear();
  scope_index_.clear();
  slot_index_.clear();
}

}  // namespace tidegate
