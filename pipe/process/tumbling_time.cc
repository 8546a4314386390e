// SPDX-License-Identifier: Apache-2.0
#include "pipe/process/tumbling_time.h"

#include "pipe/process/event_time.h"
#include "pipe/process/sampling.h"

namespace tidegate {
namespace {

class TumblingTime {
 public:
  static constexpr const char* kName = "tumbling-time-sampling-processor";
  static constexpr bool kWholeRows = true;
  struct Column {
    std::int64_t time = 0;  // of the last row that came out
  };

  explicit TumblingTime(const TumblingTimeOptions& options) : options_(options) {}

  std::string meaning() const { return "interval " + std::to_string(options_.interval_seconds) + " s"; }
  Status take_units(TimeUnit unit) {
    interval_ =
        static_cast<Int128>(options_.interval_seconds) * nanos_per(TimeUnit::kSecond) / nanos_per(unit);
    return {};
  }
  bool choose(Column& column, bool fresh, std::int64_t time, const ValueView&,
              std::optional<HeldValue>*) const {
    if (fresh) return true;
    return elapsed(std::min(time, column.time), std::max(time, column.time)) >= interval_;
  }
  void taken(Column& column, std::int64_t time) const { column.time = time; }
  std::size_t text_bytes(const Column&) const { return 0; }
  void write(ByteWriter& writer, ValueType, const Column& column) const { writer.i64(column.time); }
  Column read(ByteReader& reader, ValueType) const { return {reader.i64()}; }

 private:
  TumblingTimeOptions options_;
  Int128 interval_ = 1;  // in the unit of the batch
};

}  // namespace

std::unique_ptr<Processor> make_tumbling_time_processor(const TumblingTimeOptions& options) {
  return std::make_unique<Sampling<TumblingTime>>(TumblingTime(options), options.max_state_bytes);
}

}  // namespace tidegate
