// SPDX-License-Identifier: Apache-2.0
// StoredValue: a value that outlives its batch; how values compare.
#pragma once

#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "pipe/model/batch.h"

namespace tidegate {

// Present values only. Bit-exact.
struct StoredValue {
  std::uint64_t bits = 0;  // of all types but kText and kBlob; higher bytes are 0
  std::string text;

  static StoredValue of(const ValueView& value);
  void assign(const ValueView& value);   // reuses memory
  ValueView view(ValueType type) const;  // valid as long as this
  bool operator==(const StoredValue&) const = default;
};

void write_value(ByteWriter& writer, ValueType type, const StoredValue& value);
// Fails the reader where the bytes are no value of the type.
StoredValue read_value(ByteReader& reader, ValueType type);

// With a size that differences make sense of: int32, int64, uint64, float, double, timestamp. A date is
// yyyymmdd and has none.
bool is_number(ValueType type);
bool is_integer(ValueType type);  // int32, int64, uint64
bool is_floating(ValueType type);
bool is_finite(const ValueView& value);  // true for all but infinities and NaN

// Of numbers. Exact to the last step for integers.
double as_double(const ValueView& value);
// a - b of two numbers of one type, rounded once for integers.
double difference(const ValueView& a, const ValueView& b);
// Of two values of one type that has an order: numbers and dates. Every number is below a NaN.
bool is_less(const ValueView& a, const ValueView& b);
// Bit by bit; the same type.
bool is_same(const ValueView& a, const ValueView& b);

}  // namespace tidegate
