// SPDX-License-Identifier: Apache-2.0
#include "pipe/process/changing_value.h"

#include <cmath>

#include "pipe/process/sampling.h"
#include "pipe/process/sampling_limits.h"

namespace tidegate {
namespace {

class ChangingValue {
 public:
  static constexpr const char* kName = "changing-value-sampling-processor";
  static constexpr bool kWholeRows = false;
  struct Column {  // the last value that came out
    std::int64_t time = 0;
    StoredValue value;
  };

  explicit ChangingValue(const ChangingValueOptions& options)
      : deviation_(options.deviation),
        limits_("changing-value", options.min_interval, options.max_interval) {}

  std::string meaning() const { return meaning_of_deviation(deviation_) + ", " + limits_.meaning(); }
  Status take_units(TimeUnit unit) { return limits_.take_units(unit); }
  bool choose(Column& last, bool fresh, std::int64_t time, const ValueView& value,
              std::optional<HeldValue>*) const {
    if (!fresh && time > last.time && !is_due(last, time, value)) return false;
    last.time = time;
    last.value.assign(value);
    return true;
  }
  std::size_t text_bytes(const Column& last) const { return last.value.text.size(); }
  void write(ByteWriter& writer, ValueType type, const Column& last) const {
    writer.i64(last.time);
    write_value(writer, type, last.value);
  }
  Column read(ByteReader& reader, ValueType type) const {
    const std::int64_t time = reader.i64();
    return {time, read_value(reader, type)};
  }

 private:
  bool is_due(const Column& last, std::int64_t time, const ValueView& value) const {
    const std::uint64_t away = elapsed(last.time, time);
    if (limits_.is_too_near(away)) return false;
    if (limits_.is_far_enough(away)) return true;
    const ValueView old = last.value.view(value.type);
    if (!is_number(value.type) || !is_finite(value) || !is_finite(old)) return !is_same(value, old);
    return std::fabs(difference(value, old)) > deviation_;
  }

  double deviation_;
  SamplingLimits limits_;
};

}  // namespace

std::unique_ptr<Processor> make_changing_value_processor(const ChangingValueOptions& options) {
  return std::make_unique<Sampling<ChangingValue>>(ChangingValue(options), options.max_state_bytes);
}

}  // namespace tidegate
