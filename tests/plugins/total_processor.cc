// SPDX-License-Identifier: Apache-2.0
// Example of a processor with a state: of each row that has the double field `field`, the running total of
// the series comes out as field `total`. Nothing else comes out.
//
// The state is the totals as they are, bit by bit, in the order of the map: equal totals give equal bytes.
#include <cstring>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "pipe/engine/tg_plugin_v1.h"

namespace {

std::string_view view(tg_str text) {
  return {text.data, text.size};
}

void append(std::string* out, std::string_view text) {
  const auto size = static_cast<uint32_t>(text.size());
  out->append(reinterpret_cast<const char*>(&size), sizeof(size));
  out->append(text);
}

std::string key_of(const tg_batch& batch, const tg_series& series) {
  std::string key = std::to_string(batch.unit) + "," + std::to_string(batch.flags) + ",";
  append(&key, view(batch.source));
  for (const tg_str part : {series.database, series.table, series.device}) append(&key, view(part));
  for (size_t i = 0; i < series.tag_count; ++i) {
    append(&key, view(series.tags[i].key));
    append(&key, view(series.tags[i].value));
  }
  return key;
}

struct Total {
  const tg_host* host;
  std::string field;
  std::map<std::string, double> totals;

  tg_status process(const tg_batch& batch) {
    if (batch.kind != TG_KIND_ROWS) return host->emit_input(host);
    for (size_t i = 0; i < batch.series_count; ++i) {
      const tg_series& series = batch.series[i];
      for (size_t c = 0; c < series.column_count; ++c) {
        const tg_column& column = series.columns[c];
        if (view(column.name) != field || column.type != TG_TYPE_DOUBLE) continue;
        if (const tg_status status = add(batch, series, column); status != TG_OK) return status;
      }
    }
    return TG_OK;
  }

  tg_status add(const tg_batch& batch, const tg_series& series, const tg_column& column) {
    const auto* values = static_cast<const double*>(column.values);
    double& total = totals[key_of(batch, series)];
    std::vector<double> sums(series.row_count);
    for (size_t row = 0; row < series.row_count; ++row) {
      if (tg_has_value(&column, row)) total += values[row];
      sums[row] = total;
    }
    const tg_column sum = {{"total", 5}, TG_TYPE_DOUBLE, column.role, column.presence, sums.data()};
    tg_series out = series;
    out.columns = &sum;
    out.column_count = 1;
    return host->emit(host, &out);
  }

  tg_status save() const {
    std::string state;
    for (const auto& [key, total] : totals) {
      append(&state, key);
      state.append(reinterpret_cast<const char*>(&total), sizeof(total));
    }
    return host->set_state(host, {reinterpret_cast<const uint8_t*>(state.data()), state.size()});
  }

  tg_status load(tg_bytes state) {
    totals.clear();
    std::string_view rest(reinterpret_cast<const char*>(state.data), state.size);
    while (!rest.empty()) {
      uint32_t size = 0;
      if (rest.size() < sizeof(size)) return refuse();
      std::memcpy(&size, rest.data(), sizeof(size));
      rest.remove_prefix(sizeof(size));
      double total = 0;
      if (rest.size() < sizeof(total) || size > rest.size() - sizeof(total)) return refuse();
      std::memcpy(&total, rest.data() + size, sizeof(total));
      const bool ascends = totals.empty() || totals.rbegin()->first < rest.substr(0, size);
      if (!ascends) return refuse();
      totals.emplace(rest.substr(0, size), total);
      rest.remove_prefix(size + sizeof(total));
    }
    return TG_OK;
  }

  tg_status refuse() const {
    constexpr std::string_view kText = "this is no list of totals";
    host->set_message(host, {kText.data(), kText.size()});
    return TG_FAILED;
  }
};

Total& total(void* self) {
  return *static_cast<Total*>(self);
}

tg_status create(const tg_host* host, const tg_setting* settings, size_t count, void** self) {
  std::string field;
  for (size_t i = 0; i < count; ++i) {
    if (view(settings[i].name) == "field") field = view(settings[i].value);
  }
  *self = new Total{host, std::move(field), {}};
  return TG_OK;
}
void destroy(void* self) {
  delete &total(self);
}
tg_status process(void* self, const tg_batch* batch) {
  return total(self).process(*batch);
}
tg_status state(void* self) {
  return total(self).save();
}
tg_status restore(void* self, tg_bytes state) {
  return total(self).load(state);
}

const tg_attribute kField = {
    sizeof(tg_attribute), TG_ATTR_TEXT, "field", nullptr, "the field to add up", 1, 0, {}, 0, 0, nullptr};
const tg_attribute* const kAttributes[] = {&kField};
const tg_processor kProcessor = {sizeof(tg_processor), 0, create, destroy, nullptr, process, state, restore};
const tg_plugin kPlugin = {
    sizeof(tg_plugin),          TG_ABI_VERSION, TG_PROCESSOR, 1,      "total-processor", "1.0",
    "running total of a field", kAttributes,    &kProcessor,  nullptr};

}  // namespace

extern "C" const tg_plugin* tg_plugin_v1(void) {
  return &kPlugin;
}
