// SPDX-License-Identifier: Apache-2.0
#include "pipe/process/window_value.h"

#include <array>
#include <bit>
#include <cmath>

namespace tidegate {
namespace {

bool adds_up(Aggregate aggregate) {
  return aggregate == Aggregate::kMean || aggregate == Aggregate::kSum;
}

ValueView of_double(double number) {
  ValueView out;
  out.type = ValueType::kDouble;
  out.f64 = number;
  return out;
}

ValueView of_integer(std::int64_t number) {
  ValueView out;
  out.type = ValueType::kInt64;
  out.i64 = number;
  return out;
}

Int128 exact_integer(const ValueView& value) {
  if (value.type == ValueType::kInt32) return value.i32;
  if (value.type == ValueType::kUint64) return value.u64;
  return value.i64;
}

void write_exact(ByteWriter& writer, Int128 sum) {
  writer.u64(static_cast<std::uint64_t>(sum));
  writer.i64(static_cast<std::int64_t>(sum >> 64));
}

Int128 read_exact(ByteReader& reader) {
  const std::uint64_t low = reader.u64();
  return static_cast<Int128>(reader.i64()) << 64 | low;
}

}  // namespace

std::string_view aggregate_name(Aggregate aggregate) {
  constexpr std::array<std::string_view, 7> kNames{"first", "last", "min", "max", "mean", "sum", "count"};
  return kNames.at(static_cast<std::size_t>(aggregate));
}

std::optional<Aggregate> aggregate_of(Aggregate wanted, ValueType type, ColumnRole role) {
  if (role == ColumnRole::kAttribute) return Aggregate::kLast;
  switch (wanted) {
    case Aggregate::kMin:
    case Aggregate::kMax:
      if (!is_number(type) && type != ValueType::kDate) return std::nullopt;
      return wanted;
    case Aggregate::kMean:
    case Aggregate::kSum:
      if (!is_integer(type) && !is_floating(type)) return std::nullopt;
      return wanted;
    default:
      return wanted;
  }
}

bool WindowValue::is_chosen(Aggregate aggregate, std::int64_t time, const ValueView& value) const {
  if (count_ == 0) return true;
  switch (aggregate) {
    case Aggregate::kFirst:
      return time < time_;
    case Aggregate::kLast:
      return time >= time_;
    case Aggregate::kMin:
      return is_less(value, chosen_.view(value.type));
    default: {  // kMax: a NaN is above every number in is_less(), but does not win here either
      const ValueView chosen = chosen_.view(value.type);
      if (std::isnan(as_double(value))) return false;
      return std::isnan(as_double(chosen)) || is_less(chosen, value);
    }
  }
}

void WindowValue::add(Aggregate aggregate, std::int64_t time, const ValueView& value) {
  if (adds_up(aggregate)) {
    if (is_floating(value.type)) {
      sum_ += as_double(value);
    } else {
      exact_sum_ += exact_integer(value);
    }
  } else if (aggregate != Aggregate::kCount && is_chosen(aggregate, time, value)) {
    time_ = time;
    chosen_.assign(value);
  }
  ++count_;
}

ValueView WindowValue::result(Aggregate aggregate, ValueType type) const {
  if (aggregate == Aggregate::kCount) return of_integer(static_cast<std::int64_t>(count_));
  if (!adds_up(aggregate)) return chosen_.view(type);
  if (aggregate == Aggregate::kMean) {
    const double sum = is_floating(type) ? sum_ : static_cast<double>(exact_sum_);
    return of_double(sum / static_cast<double>(count_));
  }
  if (is_floating(type)) return of_double(sum_);
  if (exact_sum_ < INT64_MIN || exact_sum_ > INT64_MAX) return of_double(static_cast<double>(exact_sum_));
  return of_integer(static_cast<std::int64_t>(exact_sum_));
}

void WindowValue::write(ByteWriter& writer, Aggregate aggregate, ValueType type) const {
  writer.u64(count_);
  if (aggregate == Aggregate::kCount) return;
  if (!adds_up(aggregate)) {
    writer.i64(time_);
    write_value(writer, type, chosen_);
  } else if (is_floating(type)) {
    writer.u64(std::bit_cast<std::uint64_t>(sum_));
  } else {
    write_exact(writer, exact_sum_);
  }
}

WindowValue WindowValue::read(ByteReader& reader, Aggregate aggregate, ValueType type) {
  WindowValue out;
  out.count_ = reader.u64();
  if (out.count_ == 0) reader.fail();
  if (aggregate == Aggregate::kCount) return out;
  if (!adds_up(aggregate)) {
    out.time_ = reader.i64();
    out.chosen_ = read_value(reader, type);
  } else if (is_floating(type)) {
    out.sum_ = std::bit_cast<double>(reader.u64());
  } else {
    out.exact_sum_ = read_exact(reader);
  }
  return out;
}

}  // namespace tidegate
