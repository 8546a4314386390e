// SPDX-License-Identifier: Apache-2.0
#include "pipe/process/stored_value.h"

#include <cmath>
#include <cstring>

#include "pipe/model/value_type.h"
#include "pipe/process/event_time.h"

namespace tidegate {
namespace {

std::uint64_t bits_of(const ValueView& value) {
  if (value.type == ValueType::kBool) return value.b ? 1 : 0;
  std::uint64_t bits = 0;
  std::memcpy(&bits, &value.u64, width_of(value.type));
  return bits;
}

// Of numbers that are not floating, and of dates.
Int128 exact(const ValueView& value) {
  switch (value.type) {
    case ValueType::kInt32:
    case ValueType::kDate:
      return value.i32;
    case ValueType::kUint64:
      return value.u64;
    default:
      return value.i64;
  }
}

}  // namespace

StoredValue StoredValue::of(const ValueView& value) {
  StoredValue out;
  out.assign(value);
  return out;
}

void StoredValue::assign(const ValueView& value) {
  if (is_text(value.type)) {
    text = value.text;
  } else {
    bits = bits_of(value);
  }
}

ValueView StoredValue::view(ValueType type) const {
  ValueView out;
  out.type = type;
  if (is_text(type)) {
    out.text = text;
  } else if (type == ValueType::kBool) {
    out.b = bits != 0;
  } else {
    std::memcpy(&out.u64, &bits, width_of(type));
  }
  return out;
}

void write_value(ByteWriter& writer, ValueType type, const StoredValue& value) {
  if (is_text(type)) return writer.str32(value.text);
  Bytes bytes(width_of(type));
  std::memcpy(bytes.data(), &value.bits, bytes.size());
  writer.bytes(bytes);
}

StoredValue read_value(ByteReader& reader, ValueType type) {
  StoredValue out;
  if (is_text(type)) {
    out.text = reader.str32();
    return out;
  }
  const ByteView bytes = reader.bytes(width_of(type));
  if (!bytes.empty()) std::memcpy(&out.bits, bytes.data(), bytes.size());
  if (type == ValueType::kBool && out.bits > 1) reader.fail();
  return out;
}

bool is_floating(ValueType type) {
  return type == ValueType::kFloat || type == ValueType::kDouble;
}
bool is_integer(ValueType type) {
  return type == ValueType::kInt32 || type == ValueType::kInt64 || type == ValueType::kUint64;
}
bool is_number(ValueType type) {
  return is_integer(type) || is_floating(type) || type == ValueType::kTimestamp;
}

double as_double(const ValueView& value) {
  if (value.type == ValueType::kFloat) return static_cast<double>(value.f32);
  if (value.type == ValueType::kDouble) return value.f64;
  return static_cast<double>(exact(value));
}

bool is_finite(const ValueView& value) {
  return !is_floating(value.type) || std::isfinite(as_double(value));
}

double difference(const ValueView& a, const ValueView& b) {
  if (is_floating(a.type)) return as_double(a) - as_double(b);
  return static_cast<double>(exact(a) - exact(b));
}

bool is_less(const ValueView& a, const ValueView& b) {
  if (!is_floating(a.type)) return exact(a) < exact(b);
  const double left = as_double(a);
  const double right = as_double(b);
  if (std::isnan(left)) return false;
  return std::isnan(right) || left < right;
}

bool is_same(const ValueView& a, const ValueView& b) {
  return is_text(a.type) ? a.text == b.text : bits_of(a) == bits_of(b);
}

}  // namespace tidegate
