// SPDX-License-Identifier: Apache-2.0
// Inside pipe/model: where each series and column of a SeriesStore stands in the canonical bytes of a rows
// body.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "pipe/model/series_store.h"

namespace tidegate {

class SeriesLayout {
 public:
  // Puts all series that have rows into canonical order. Returns the size of the body in bytes.
  std::size_t arrange(const SeriesStore& store);
  // Writes everything but times, values and presence other than "absent" to `out`, which has room for the
  // body, and points the series and slots of `store` at the places for those. `store` is unchanged since
  // arrange().
  void write(SeriesStore& store, std::uint8_t* out) const;
  void clear();

 private:
  // A series and its columns in canonical order: numbers of slots, and ranks among all columns of the batch.
  struct Item {
    std::uint32_t series;
    std::uint32_t scope_rank;
    std::size_t
        first;  // in slots_ and ranks_; equal for series known to use the same columns in the same order
    std::uint32_t count;
  };

  void rank_columns(const SeriesStore& store);
  void rank_scopes(const SeriesStore& store);
  void add_item(const SeriesStore& store, std::uint32_t series);
  std::span<const std::uint32_t> ranks(const Item& item) const {
    return {ranks_.data() + item.first, item.count};
  }
  bool less(const SeriesStore& store, const Item& a, const Item& b) const;
  bool same_section(const Item& a, const Item& b) const;
  std::size_t section_head_size(const SeriesStore& store, const Item& item) const;
  std::size_t series_size(const SeriesStore& store, const Item& item) const;
  std::uint8_t* write_section_head(const SeriesStore& store, const Item& item, std::uint8_t* out) const;
  std::uint8_t* write_series(SeriesStore& store, const Item& item, std::uint8_t* out) const;

  std::vector<std::uint32_t> column_order_;  // columns of the store, sorted
  std::vector<std::uint32_t> column_rank_;
  std::vector<std::uint32_t> scope_rank_;
  std::vector<std::uint32_t> slots_;
  std::vector<std::uint32_t> ranks_;
  std::vector<Item> items_;
};

}  // namespace tidegate
