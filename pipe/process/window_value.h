// SPDX-License-Identifier: Apache-2.0
// WindowValue: what becomes of the values of one column in one window.
//
// first, last: by event time; of equal times the one that came first, or last. min, max: of equal values the
// one that came first; a NaN only where there is nothing else. mean: a double. sum: of integers an int64,
// exact, or a double where it does not fit; of floating values a double, added up in the order of arrival.
// count: an int64.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "pipe/process/event_time.h"
#include "pipe/process/stored_value.h"

namespace tidegate {

enum class Aggregate : std::uint8_t { kFirst, kLast, kMin, kMax, kMean, kSum, kCount };
std::string_view aggregate_name(Aggregate aggregate);

// What the aggregate is for a column; nothing where the type has no such aggregate. An attribute of a device
// is no measurement: its last value is taken.
std::optional<Aggregate> aggregate_of(Aggregate wanted, ValueType type, ColumnRole role);

class WindowValue {
 public:
  // `value` is present and always of one type; `aggregate` is one that the type has.
  void add(Aggregate aggregate, std::int64_t time, const ValueView& value);
  // Precondition: add() was called. `type` is that of the values. Valid as long as this.
  ValueView result(Aggregate aggregate, ValueType type) const;

  std::size_t text_bytes() const { return chosen_.text.size(); }
  void write(ByteWriter& writer, Aggregate aggregate, ValueType type) const;
  static WindowValue read(ByteReader& reader, Aggregate aggregate, ValueType type);

 private:
  bool is_chosen(Aggregate aggregate, std::int64_t time, const ValueView& value) const;

  std::uint64_t count_ = 0;
  std::int64_t time_ = 0;  // first, last: of the chosen value
  StoredValue chosen_;     // first, last, min, max
  Int128 exact_sum_ = 0;   // mean, sum of integers
  double sum_ = 0;         // mean, sum of floating values
};

}  // namespace tidegate
