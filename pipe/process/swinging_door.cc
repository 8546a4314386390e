// SPDX-License-Identifier: Apache-2.0
#include "pipe/process/swinging_door.h"

#include <bit>
#include <limits>

#include "pipe/process/sampling.h"
#include "pipe/process/sampling_limits.h"

namespace tidegate {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

class SwingingDoor {
 public:
  static constexpr const char* kName = "swinging-door-trending-sampling-processor";
  static constexpr bool kWholeRows = false;
  struct Column {
    std::int64_t time = 0;  // of the pivot, the last value that came out
    StoredValue value;
    // The door: slopes from the pivot that pass all values since it within the deviation.
    double low = -kInfinity, high = kInfinity;
    bool is_held = false;  // a value behind the pivot that the line from the pivot may still reach over
    std::int64_t held_time = 0;
    std::uint64_t held_bits = 0;
  };

  explicit SwingingDoor(const SwingingDoorOptions& options)
      : deviation_(options.deviation), limits_("sdt", options.min_interval, options.max_interval) {}

  std::string meaning() const { return meaning_of_deviation(deviation_) + ", " + limits_.meaning(); }
  Status take_units(TimeUnit unit) { return limits_.take_units(unit); }

  bool choose(Column& column, bool fresh, std::int64_t time, const ValueView& value,
              std::optional<HeldValue>* held) const {
    if (fresh || time <= newest(column)) {
      if (!fresh && column.is_held && column.held_time != time) *held = release(column);
      return start(column, time, value);
    }
    if (!is_number(value.type)) return choose_unlike(column, time, value);
    const ValueView pivot = column.value.view(value.type);
    if (!is_finite(value) || !is_finite(pivot)) {
      if (column.is_held) *held = release(column);
      return start(column, time, value);
    }
    return choose_number(column, time, value, held);
  }

  std::size_t text_bytes(const Column& column) const { return column.value.text.size(); }
  void write(ByteWriter& writer, ValueType type, const Column& column) const;
  Column read(ByteReader& reader, ValueType type) const;

 private:
  static std::int64_t newest(const Column& column) { return column.is_held ? column.held_time : column.time; }
  static HeldValue release(const Column& column) { return {column.held_time, {column.held_bits, {}}}; }
  // The value comes out and is the new pivot.
  static bool start(Column& column, std::int64_t time, const ValueView& value) {
    column.time = time;
    column.value.assign(value);
    column.low = -kInfinity;
    column.high = kInfinity;
    column.is_held = false;
    return true;
  }

  bool choose_unlike(Column& column, std::int64_t time, const ValueView& value) const {
    const std::uint64_t away = elapsed(column.time, time);
    if (limits_.is_too_near(away)) return false;
    const bool unlike = !is_same(column.value.view(value.type), value);
    return (unlike || limits_.is_far_enough(away)) && start(column, time, value);
  }

  bool choose_number(Column& column, std::int64_t time, const ValueView& value,
                     std::optional<HeldValue>* held) const {
    if (limits_.is_too_near(elapsed(column.time, time))) return false;
    if (column.is_held && !is_within(column, time, value)) {
      *held = release(column);
      start(column, column.held_time, StoredValue{column.held_bits, {}}.view(value.type));
    }
    const std::uint64_t away = elapsed(column.time, time);
    if (limits_.is_too_near(away)) return false;
    if (limits_.is_far_enough(away)) return start(column, time, value);
    const auto span = static_cast<double>(away);
    const double rise = difference(value, column.value.view(value.type));
    column.low = std::max(column.low, (rise - deviation_) / span);
    column.high = std::min(column.high, (rise + deviation_) / span);
    column.is_held = true;
    column.held_time = time;
    column.held_bits = StoredValue::of(value).bits;
    return false;
  }

  // Does the line from the pivot to this value pass those in between?
  static bool is_within(const Column& column, std::int64_t time, const ValueView& value) {
    const double slope =
        difference(value, column.value.view(value.type)) / static_cast<double>(elapsed(column.time, time));
    return slope >= column.low && slope <= column.high;
  }

  double deviation_;
  SamplingLimits limits_;
};

void SwingingDoor::write(ByteWriter& writer, ValueType type, const Column& column) const {
  writer.i64(column.time);
  write_value(writer, type, column.value);
  if (!is_number(type)) return;
  writer.u8(column.is_held ? 1 : 0);
  if (!column.is_held) return;
  writer.u64(std::bit_cast<std::uint64_t>(column.low));
  writer.u64(std::bit_cast<std::uint64_t>(column.high));
  writer.i64(column.held_time);
  write_value(writer, type, {column.held_bits, {}});
}

SwingingDoor::Column SwingingDoor::read(ByteReader& reader, ValueType type) const {
  Column column;
  column.time = reader.i64();
  column.value = read_value(reader, type);
  if (!is_number(type)) return column;
  const std::uint8_t is_held = reader.u8();
  if (is_held > 1) reader.fail();
  column.is_held = is_held == 1;
  if (!column.is_held) return column;
  column.low = std::bit_cast<double>(reader.u64());
  column.high = std::bit_cast<double>(reader.u64());
  column.held_time = reader.i64();
  column.held_bits = read_value(reader, type).bits;
  if (column.held_time <= column.time) reader.fail();
  return column;
}

}  // namespace

std::unique_ptr<Processor> make_swinging_door_processor(const SwingingDoorOptions& options) {
  return std::make_unique<Sampling<SwingingDoor>>(SwingingDoor(options), options.max_state_bytes);
}

}  // namespace tidegate
