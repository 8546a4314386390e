// SPDX-License-Identifier: Apache-2.0
#include "pipe/process/down_sampling.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "pipe/engine/row_output.h"
#include "pipe/process/series_key.h"

namespace tidegate {
namespace {

constexpr const char* kName = "down-sampling-processor";
// What an entry is counted with beside its names and texts.
constexpr std::uint64_t kStreamBytes = 256;
constexpr std::uint64_t kSeriesBytes = 256;
constexpr std::uint64_t kColumnBytes = 160;

using Columns = ColumnTable<WindowValue>;

struct OpenWindow {
  std::int64_t number = 0;  // the window is [number * interval, (number + 1) * interval)
  Columns columns;
};
using Series = std::map<std::string, OpenWindow, std::less<>>;  // by series key

// All of one source, unit and flags.
struct Stream {
  bool has_newest = false;
  std::int64_t newest = 0;
  Series open;
  std::set<std::pair<std::int64_t, std::string_view>> by_window;  // of `open`, whose keys it points into
};

class DownSampling final : public Processor {
 public:
  explicit DownSampling(const DownSamplingOptions& options)
      : options_(options), budget_(kName, options.max_state_bytes) {}

  std::string describe() const override;
  Status process(const BatchView& batch, std::vector<Batch>* out) override;
  Bytes state() const override;
  Status restore(ByteView state) override;

 private:
  Status take_units(TimeUnit unit);
  Status choose_stream();
  Status add(const RowView& row);
  Status add_to_window(const RowView& row, std::int64_t window);
  Status add_late(const RowView& row);
  Status pass_others(const RowView& row);
  Status open(std::int64_t window);
  Status close(Series::iterator series, const SeriesAddress& address);
  Status emit_results(const SeriesAddress& address, std::int64_t time, const Columns& columns);
  Status expire();
  bool has_passed(std::int64_t window) const;
  bool has_window_value(const RowView& row) const;
  std::int64_t start_of(std::int64_t window) const;
  static std::uint64_t weight(const Columns::Entry& column) {
    return kColumnBytes + column.id.name.size() + column.value.text_bytes();
  }
  std::string meaning() const;
  void write_stream(ByteWriter& writer, const Stream& stream) const;
  Status read_stream(ByteReader& reader, Stream* stream);
  Status read_window(ByteReader& reader, OpenWindow* window);

  DownSamplingOptions options_;
  StateBudget budget_;
  std::map<std::string, Stream, std::less<>> streams_;  // by head key
  std::uint64_t late_ = 0;                              // values

  // Of the batch and the row at hand.
  std::int64_t interval_ = 1, max_delay_ = 0;  // in its unit
  Stream* stream_ = nullptr;
  Series::iterator series_;
  Bytes key_;
  std::vector<FieldView> fields_;
  RowOutput output_;
};

std::string DownSampling::meaning() const {
  return "interval " + std::to_string(options_.interval) + " ns, " +
         std::string(aggregate_name(options_.aggregate)) + ", max-delay " +
         std::to_string(options_.max_delay) + " ns, late " + (options_.drop_late ? "drop" : "pass");
}

std::string DownSampling::describe() const {
  return std::string(kName) + ": " + meaning() + ", " + std::to_string(late_) + " late values";
}

Status DownSampling::take_units(TimeUnit unit) {
  TG_TRY(interval_, in_units({options_.interval, true}, unit, "interval"));
  const std::int64_t per_unit = nanos_per(unit);
  max_delay_ = options_.max_delay / per_unit + (options_.max_delay % per_unit != 0 ? 1 : 0);
  return {};
}

Status DownSampling::choose_stream() {
  key_.clear();
  ByteWriter writer(key_);
  write_head_key(writer, output_.head());
  auto found = streams_.find(as_text(key_));
  if (found == streams_.end()) {
    TG_CHECK(budget_.grow(kStreamBytes + key_.size()));
    found = streams_.try_emplace(std::string(as_text(key_))).first;
  }
  stream_ = &found->second;
  series_ = stream_->open.end();
  return {};
}

std::int64_t DownSampling::start_of(std::int64_t window) const {
  const Int128 start = static_cast<Int128>(window) * interval_;
  return start < INT64_MIN ? INT64_MIN : static_cast<std::int64_t>(start);
}

bool DownSampling::has_passed(std::int64_t window) const {
  if (!stream_->has_newest) return false;
  return (static_cast<Int128>(window) + 1) * interval_ + max_delay_ <= stream_->newest;
}

bool DownSampling::has_window_value(const RowView& row) const {
  return std::ranges::any_of(row.fields, [&](const FieldView& field) {
    return field.value.presence == Presence::kValue &&
           aggregate_of(options_.aggregate, field.value.type, field.role).has_value();
  });
}

Status DownSampling::add(const RowView& row) {
  TG_CHECK(pass_others(row));
  if (!has_window_value(row)) return {};
  key_.clear();
  ByteWriter writer(key_);
  write_series_key(writer, row);
  if (series_ == stream_->open.end() || series_->first != as_text(key_)) {
    series_ = stream_->open.find(as_text(key_));
  }
  const bool is_open = series_ != stream_->open.end();
  const std::int64_t window = floor_div(row.time, interval_);
  if (is_open ? window < series_->second.number : has_passed(window)) return add_late(row);
  if (is_open && window > series_->second.number) {
    const SeriesAddress address{
        row.addressing, row.database, row.table, row.device, {row.tags.begin(), row.tags.end()}};
    TG_CHECK(close(series_, address));
    series_ = stream_->open.end();
  }
  return add_to_window(row, window);
}

// Values that the aggregate says nothing about go on as they are.
Status DownSampling::pass_others(const RowView& row) {
  fields_.clear();
  for (const FieldView& field : row.fields) {
    if (field.value.presence != Presence::kValue) continue;
    if (!aggregate_of(options_.aggregate, field.value.type, field.role)) fields_.push_back(field);
  }
  if (fields_.empty()) return {};
  RowView passed = row;
  passed.fields = fields_;
  return output_.add(passed);
}

Status DownSampling::add_late(const RowView& row) {
  Columns alone;
  std::size_t hint = 0;
  for (const FieldView& field : row.fields) {
    if (field.value.presence != Presence::kValue) continue;
    const auto aggregate = aggregate_of(options_.aggregate, field.value.type, field.role);
    if (!aggregate) continue;
    bool is_new = false;
    alone.at(field, &hint, &is_new).value.add(*aggregate, row.time, field.value);
    ++late_;
  }
  if (options_.drop_late) return {};
  const SeriesAddress address{
      row.addressing, row.database, row.table, row.device, {row.tags.begin(), row.tags.end()}};
  return emit_results(address, row.time, alone);
}

// The series key is in key_.
Status DownSampling::open(std::int64_t window) {
  TG_CHECK(budget_.grow(kSeriesBytes + key_.size()));
  series_ = stream_->open.try_emplace(std::string(as_text(key_))).first;
  series_->second.number = window;
  stream_->by_window.emplace(window, series_->first);
  return {};
}

Status DownSampling::add_to_window(const RowView& row, std::int64_t window) {
  if (series_ == stream_->open.end()) TG_CHECK(open(window));
  std::size_t hint = 0;
  for (const FieldView& field : row.fields) {
    if (field.value.presence != Presence::kValue) continue;
    const auto aggregate = aggregate_of(options_.aggregate, field.value.type, field.role);
    if (!aggregate) continue;
    bool is_new = false;
    Columns::Entry& column = series_->second.columns.at(field, &hint, &is_new);
    const std::uint64_t before = is_new ? 0 : weight(column);
    column.value.add(*aggregate, row.time, field.value);
    TG_CHECK(budget_.resize(before, weight(column)));
  }
  return {};
}

Status DownSampling::close(Series::iterator series, const SeriesAddress& address) {
  const OpenWindow& window = series->second;
  TG_CHECK(emit_results(address, start_of(window.number), window.columns));
  budget_.shrink(kSeriesBytes + series->first.size());
  for (const Columns::Entry& column : window.columns.entries()) budget_.shrink(weight(column));
  stream_->by_window.erase({window.number, series->first});
  stream_->open.erase(series);
  return {};
}

// One row; more where columns of one name and several types become columns of one type.
Status DownSampling::emit_results(const SeriesAddress& address, std::int64_t time, const Columns& columns) {
  std::vector<FieldView> waiting;
  for (const auto& [id, value] : columns.entries()) {
    const auto aggregate = aggregate_of(options_.aggregate, id.type, id.role);
    waiting.push_back({id.name, id.role, value.result(*aggregate, id.type)});
  }
  while (!waiting.empty()) {
    std::vector<FieldView> row, later;
    for (const FieldView& field : waiting) {
      // Ascending by name, so that a twin is among the last ones.
      bool twice = false;
      for (std::size_t i = row.size(); i > 0 && row[i - 1].name == field.name; --i) {
        twice = twice || (row[i - 1].role == field.role && row[i - 1].value.type == field.value.type);
      }
      (twice ? later : row).push_back(field);
    }
    TG_CHECK(output_.add(address.row(time, row)));
    waiting = std::move(later);
  }
  return {};
}

Status DownSampling::expire() {
  while (!stream_->by_window.empty() && has_passed(stream_->by_window.begin()->first)) {
    const auto series = stream_->open.find(stream_->by_window.begin()->second);
    ByteReader reader(as_bytes(series->first));
    SeriesAddress address;
    read_series_key(reader, &address);
    TG_CHECK(close(series, address));
  }
  return {};
}

Status DownSampling::process(const BatchView& batch, std::vector<Batch>* out) {
  if (batch.summary.kind != EventKind::kRows) return out->push_back(copy_of(batch)), Status{};
  TG_CHECK(output_.begin(batch.canonical, out));
  TG_CHECK(take_units(output_.head().unit));
  TG_CHECK(choose_stream());
  TG_CHECK(try_each_row(batch.canonical, [&](const RowView& row) { return add(row); }));
  // Rows stand series by series in a batch: only its end says what time it is.
  const std::int64_t newest = batch.summary.time_max;
  stream_->newest = stream_->has_newest ? std::max(stream_->newest, newest) : newest;
  stream_->has_newest = true;
  TG_CHECK(expire());
  output_.finish();
  return {};
}

// ---- state: head, late u64, list of (head key str32, newest i64, list of (series key str32, window i64,
// list of (column, value)))

void DownSampling::write_stream(ByteWriter& writer, const Stream& stream) const {
  writer.i64(stream.newest);
  writer.u32(static_cast<std::uint32_t>(stream.open.size()));
  for (const auto& [key, window] : stream.open) {
    writer.str32(key);
    writer.i64(window.number);
    writer.u32(static_cast<std::uint32_t>(window.columns.entries().size()));
    for (const auto& [id, value] : window.columns.entries()) {
      write_column_id(writer, id);
      value.write(writer, *aggregate_of(options_.aggregate, id.type, id.role), id.type);
    }
  }
}

Bytes DownSampling::state() const {
  Bytes out;
  ByteWriter writer(out);
  write_state_head(writer, kName, meaning());
  writer.u64(late_);
  writer.u32(static_cast<std::uint32_t>(streams_.size()));
  for (const auto& [head, stream] : streams_) {
    writer.str32(head);
    write_stream(writer, stream);
  }
  return out;
}

Status DownSampling::read_window(ByteReader& reader, OpenWindow* window) {
  window->number = reader.i64();
  const std::uint32_t count = reader.count32(14);
  if (count == 0) reader.fail();
  for (std::uint32_t i = 0; i < count && reader.ok(); ++i) {
    ColumnId id = read_column_id(reader);
    const auto aggregate = reader.ok() ? aggregate_of(options_.aggregate, id.type, id.role) : std::nullopt;
    if (!aggregate) return reader.fail(), Status{};
    WindowValue value = WindowValue::read(reader, *aggregate, id.type);
    if (!window->columns.append(std::move(id), std::move(value))) return reader.fail(), Status{};
    TG_CHECK(budget_.grow(weight(window->columns.entries().back())));
  }
  return {};
}

Status DownSampling::read_stream(ByteReader& reader, Stream* stream) {
  stream->has_newest = true;
  stream->newest = reader.i64();
  const std::uint32_t count = reader.count32(16);
  for (std::uint32_t i = 0; i < count && reader.ok(); ++i) {
    std::string key(reader.str32());
    ByteReader key_reader(as_bytes(key));
    SeriesAddress address;
    read_series_key(key_reader, &address);
    const bool ascends = stream->open.empty() || stream->open.rbegin()->first < key;
    if (!key_reader.ok() || !key_reader.at_end() || !ascends) return reader.fail(), Status{};
    TG_CHECK(budget_.grow(kSeriesBytes + key.size()));
    const auto place = stream->open.try_emplace(stream->open.end(), std::move(key));
    TG_CHECK(read_window(reader, &place->second));
    stream->by_window.emplace(place->second.number, place->first);
  }
  return {};
}

Status DownSampling::restore(ByteView state) {
  streams_.clear();
  budget_.clear();
  ByteReader reader(state);
  TG_CHECK(read_state_head(reader, kName, meaning()));
  late_ = reader.u64();
  const std::uint32_t count = reader.count32(18);
  for (std::uint32_t i = 0; i < count && reader.ok(); ++i) {
    std::string key(reader.str32());
    ByteReader key_reader(as_bytes(key));
    BatchHead head;
    read_head_key(key_reader, &head);
    const bool ascends = streams_.empty() || streams_.rbegin()->first < key;
    if (!key_reader.ok() || !key_reader.at_end() || !ascends) {
      reader.fail();
      break;
    }
    TG_CHECK(budget_.grow(kStreamBytes + key.size()));
    TG_CHECK(read_stream(reader, &streams_[std::move(key)]));
  }
  if (!reader.ok() || !reader.at_end()) return bad_state(kName, "cannot be read");
  return {};
}

}  // namespace

std::unique_ptr<Processor> make_down_sampling_processor(const DownSamplingOptions& options) {
  return std::make_unique<DownSampling>(options);
}

}  // namespace tidegate
