// SPDX-License-Identifier: Apache-2.0
// Example of a processor in C++: unit conversion. Multiplies the double values of one field by a factor, in
// all tables or in one; everything else comes out as it went in.
//
//   WITH PROCESSOR ('processor' = 'scale-processor', 'processor.field' = 'temperature', 'processor.factor' =
//   '1.8')
#include <charconv>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "pipe/engine/tg_plugin_v1.h"

namespace {

std::string_view view(tg_str text) {
  return {text.data, text.size};
}

struct Scale {
  const tg_host* host;
  std::string field, table;
  double factor = 1;

  bool concerns(const tg_series& series, const tg_column& column) const {
    return view(column.name) == field && column.type == TG_TYPE_DOUBLE && column.role == TG_ROLE_FIELD &&
           (table.empty() || view(series.table) == table);
  }

  // What comes in is const and lives until the call returns: only what changes is copied.
  tg_status process(const tg_batch& batch) const {
    if (batch.kind != TG_KIND_ROWS) return host->emit_input(host);
    for (std::size_t i = 0; i < batch.series_count; ++i) {
      tg_series series = batch.series[i];
      std::vector<tg_column> columns(series.columns, series.columns + series.column_count);
      std::vector<double> scaled;
      for (tg_column& column : columns) {
        if (!concerns(series, column)) continue;
        const auto* values = static_cast<const double*>(column.values);
        for (std::size_t row = 0; row < series.row_count; ++row) scaled.push_back(values[row] * factor);
        column.values = scaled.data();
      }
      series.columns = columns.data();
      if (const tg_status status = host->emit(host, &series); status != TG_OK) return status;
    }
    return TG_OK;
  }
};

// An exception that leaves is caught by the host and shown with its text.
double number(tg_str text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data, text.data + text.size, value);
  if (error != std::errc() || end != text.data + text.size)
    throw std::invalid_argument("'factor' is no number");
  return value;
}

tg_status create(const tg_host* host, const tg_setting* settings, size_t count, void** self) {
  auto scale = std::make_unique<Scale>(Scale{host, {}, {}, 1});
  for (size_t i = 0; i < count; ++i) {
    const std::string_view name = view(settings[i].name);
    if (name == "field") scale->field = view(settings[i].value);
    if (name == "table") scale->table = view(settings[i].value);
    if (name == "factor") scale->factor = number(settings[i].value);
  }
  *self = scale.release();
  return TG_OK;
}

void destroy(void* self) {
  delete static_cast<Scale*>(self);
}

void describe(void* self) {
  const auto* scale = static_cast<Scale*>(self);
  const std::string text = "scale-processor: " + scale->field + " times " + std::to_string(scale->factor);
  scale->host->set_message(scale->host, {text.data(), text.size()});
}

tg_status process(void* self, const tg_batch* batch) {
  return static_cast<Scale*>(self)->process(*batch);
}

constexpr tg_attribute attribute(uint32_t type, const char* name, const char* description, bool required) {
  return {sizeof(tg_attribute), type, name, nullptr, description, required, 0, {}, 0, 0, nullptr};
}
const tg_attribute kField = attribute(TG_ATTR_TEXT, "field", "the field to multiply", true);
const tg_attribute kFactor = attribute(TG_ATTR_NUMBER, "factor", "what to multiply it by", true);
const tg_attribute kTable = attribute(TG_ATTR_TEXT, "table", "only in this table", false);
const tg_attribute* const kAttributes[] = {&kField, &kFactor, &kTable};

const tg_processor kProcessor = {
    sizeof(tg_processor), 0, create, destroy, describe, process, nullptr, nullptr};
const tg_plugin kPlugin = {sizeof(tg_plugin),
                           TG_ABI_VERSION,
                           TG_PROCESSOR,
                           3,
                           "scale-processor",
                           "1.0",
                           "multiplies a field by a factor",
                           kAttributes,
                           &kProcessor,
                           nullptr};

}  // namespace

extern "C" const tg_plugin* tg_plugin_v1(void) {
  return &kPlugin;
}
