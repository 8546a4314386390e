// SPDX-License-Identifier: Apache-2.0
#include "pipe/engine/plugin/row_collector.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "pipe/engine/plugin/batch_unpacker.h"
#include "pipe/engine/plugin/plugin_protocol.h"

namespace tidegate::tgplugin {
namespace {

Error not_sound(const std::string& what) {
  return make_error(ErrorCode::kInvalidArgument, "emit(): " + what);
}

Status check_column(const tg_column& column, std::size_t rows) {
  const std::string name(from_tg(column.name));
  if (!is_known(static_cast<ValueType>(column.type)) || column.type > TG_TYPE_TIMESTAMP) {
    return not_sound("column \"" + name + "\" has the unknown type " + std::to_string(column.type));
  }
  if (column.role > TG_ROLE_ATTRIBUTE) {
    return not_sound("column \"" + name + "\" has the unknown role " + std::to_string(column.role));
  }
  bool needs_values = column.presence == nullptr;
  for (std::size_t row = 0; column.presence != nullptr && row < rows; ++row) {
    if (column.presence[row] > TG_ABSENT) {
      return not_sound("column \"" + name + "\" has the unknown presence " +
                       std::to_string(column.presence[row]));
    }
    needs_values = needs_values || column.presence[row] == TG_VALUE;
  }
  if (!needs_values || column.values != nullptr) return {};
  return not_sound("column \"" + name + "\" has no array of values");
}

Status check_series(const tg_series& series) {
  if (series.addressing > TG_TABLE) {
    return not_sound("addressing " + std::to_string(series.addressing) + " is unknown");
  }
  if (series.row_count == 0 || series.times == nullptr) return not_sound("the series has no rows");
  if (series.column_count == 0 || series.columns == nullptr) return not_sound("the series has no columns");
  if (series.tag_count != 0 && series.tags == nullptr) return not_sound("the array of tags is missing");
  for (std::size_t i = 0; i < series.column_count; ++i) {
    TG_CHECK(check_column(series.columns[i], series.row_count));
  }
  return {};
}

ValueView value_of(const tg_column& column, std::size_t row) {
  ValueView value;
  value.type = static_cast<ValueType>(column.type);
  value.presence =
      column.presence == nullptr ? Presence::kValue : static_cast<Presence>(column.presence[row]);
  if (value.presence != Presence::kValue) return value;
  if (is_text(value.type)) {
    value.text = from_tg(static_cast<const tg_str*>(column.values)[row]);
    return value;
  }
  const std::size_t width = width_of(value.type);
  const auto* bytes = static_cast<const std::uint8_t*>(column.values) + row * width;
  if (value.type == ValueType::kBool) {
    value.b = *bytes != 0;
  } else {
    std::memcpy(&value.u64, bytes, width);
  }
  return value;
}

}  // namespace

Status RowCollector::begin(ByteView input) {
  EventKind kind{};
  TG_TRY(BatchHead head, read_head(input, &kind));
  const bool same = head.unit == head_.unit && head.flags == head_.flags && head.source == head_.source;
  if (!builder_ || !same) {
    head_ = std::move(head);
    builder_.emplace(head_.source, head_.unit, head_.flags);
  }
  input_ = input;
  outputs_.clear();
  bytes_ = 0;
  return {};
}

Status RowCollector::check_size(std::size_t more) const {
  if (bytes_ + builder_->approximate_bytes() + more > kMostOutput) {
    return make_error(ErrorCode::kTooLarge,
                      "more than " + std::to_string(kMostOutput) + " bytes came out of one batch");
  }
  if (outputs_.size() < kMostOutputs - 1) return {};  // one place is for the rows that are not yet a batch
  return make_error(ErrorCode::kTooLarge,
                    "more than " + std::to_string(kMostOutputs) + " batches came out of one");
}

Status RowCollector::emit(const tg_series& series) {
  TG_CHECK(check_series(series));
  tags_.clear();
  for (std::size_t i = 0; i < series.tag_count; ++i) {
    tags_.push_back({from_tg(series.tags[i].key), from_tg(series.tags[i].value)});
  }
  for (std::size_t row = 0; row < series.row_count; ++row) {
    TG_CHECK(check_size(0));
    TG_CHECK(add_row(series, row));
  }
  return {};
}

Status RowCollector::add_row(const tg_series& series, std::size_t row) {
  fields_.clear();
  for (std::size_t i = 0; i < series.column_count; ++i) {
    const tg_column& column = series.columns[i];
    const ValueView value = value_of(column, row);
    if (value.presence == Presence::kAbsent) continue;
    fields_.push_back({from_tg(column.name), static_cast<ColumnRole>(column.role), value});
  }
  if (fields_.empty()) return {};
  RowView view;
  view.addressing = static_cast<Addressing>(series.addressing);
  view.time = series.times[row];
  view.fields = fields_;
  if (view.addressing == Addressing::kTree) {
    view.device = from_tg(series.device);
  } else {
    view.database = from_tg(series.database);
    view.table = from_tg(series.table);
    view.tags = tags_;
  }
  return builder_->add(view);
}

Status RowCollector::emit_input() {
  finish_batch();
  TG_CHECK(check_size(input_.size()));
  bytes_ += input_.size();
  outputs_.emplace_back();
  return {};
}

void RowCollector::finish_batch() {
  if (builder_->empty()) return;
  outputs_.emplace_back(builder_->build());
  bytes_ += outputs_.back()->canonical.size();
}

std::vector<std::optional<Batch>> RowCollector::take() {
  finish_batch();
  return std::move(outputs_);
}

}  // namespace tidegate::tgplugin
