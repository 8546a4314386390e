// SPDX-License-Identifier: Apache-2.0
#include "pipe/process/builtin_processors.h"

#include <algorithm>
#include <charconv>
#include <string>
#include <utility>
#include <vector>

#include "pipe/process/chain.h"
#include "pipe/process/changing_value.h"
#include "pipe/process/do_nothing.h"
#include "pipe/process/down_sampling.h"
#include "pipe/process/filter_rename.h"
#include "pipe/process/rename_database.h"
#include "pipe/process/swinging_door.h"
#include "pipe/process/tumbling_time.h"

namespace tidegate {
namespace {

using Made = Result<std::unique_ptr<Processor>>;
constexpr PluginKind kKind = PluginKind::kProcessor;
constexpr std::int64_t kDefaultInterval = INT64_MAX;  // of max-time-interval: none

// ---- what they know

AttributeSpec text(std::string name, std::string description, std::string default_value = {}) {
  AttributeSpec spec;
  spec.name = std::move(name);
  spec.description = std::move(description);
  spec.default_value = std::move(default_value);
  return spec;
}
AttributeSpec with_alias(AttributeSpec spec, std::string alias) {
  spec.aliases.push_back(std::move(alias));
  return spec;
}
AttributeSpec required(AttributeSpec spec) {
  spec.required = true;
  return spec;
}
AttributeSpec typed(AttributeSpec spec, AttributeType type, std::int64_t min = INT64_MIN,
                    std::int64_t max = INT64_MAX) {
  spec.type = type;
  spec.min = min;
  spec.max = max;
  return spec;
}
AttributeSpec choice(AttributeSpec spec, std::vector<std::string> choices) {
  spec.type = AttributeType::kChoice;
  spec.choices = std::move(choices);
  return spec;
}

AttributeSpec state_limit() {
  return with_alias(
      typed(text("state.max-bytes", "what its series may take; over it the pipe stops", "256MiB"),
            AttributeType::kBytes, 1),
      "down-sampling.memory-limit-in-bytes");
}
AttributeSpec split_file() {
  return typed(text("down-sampling.split-file", "files are not looked into: only false", "false"),
               AttributeType::kBool);
}

PluginInfo plugin(std::string name, std::vector<std::string> aliases, std::string class_name,
                  std::vector<AttributeSpec> attributes) {
  PluginInfo info;
  info.kind = kKind;
  info.name = std::move(name);
  info.aliases = std::move(aliases);
  info.class_name = "tidegate.process." + std::move(class_name);
  info.attributes = std::move(attributes);
  return info;
}

PluginInfo filter_rename_plugin() {
  return plugin(
      "filter-rename-processor", {}, "FilterRenameProcessor",
      {text("tables", "only these tables go on: t1.t2"),
       with_alias(text("excluded-tables", "these do not: t1.t2"), "excluded_tables"),
       with_alias(text("excluded-fields", "fields left out: t1:a@b.t2:c"), "excluded_fields"),
       with_alias(text("tables-rename", "new names of tables: old1:new1.old2:new2"), "tables_rename"),
       with_alias(text("field-renames", "new names of fields: t1:oldA@newA$oldB@newB.t2:oldX@newX"),
                  "field_renames"),
       with_alias(
           typed(text("tree-level", "of tree rows: which node of the device path is the table (root is 0)",
                      "the whole device path"),
                 AttributeType::kInteger, 1, 1000),
           "tree_level"),
       choice(text("deletions", "what becomes of deletions", "pass"), {"pass", "drop"})});
}

PluginInfo down_sampling_plugin() {
  AttributeSpec interval =
      typed(text("interval", "the length of a window, e.g. 10s"), AttributeType::kDuration, 1);
  interval.aliases = {"aggregate-interval", "aggregate_interval"};
  return plugin(
      "down-sampling-processor", {}, "DownSamplingProcessor",
      {required(std::move(interval)),
       choice(text("aggregate", "what becomes of the values of a window", "last"),
              {"first", "last", "min", "max", "mean", "sum", "count"}),
       with_alias(typed(text("max-delay", "how far the newest time runs ahead before a window closes",
                             "as interval"),
                        AttributeType::kDuration, 0),
                  "max_delay"),
       choice(text("late", "values of a window that is closed", "pass"), {"pass", "drop"}), state_limit()});
}

// The three attributes that IoTDB has under one prefix.
std::vector<AttributeSpec> sampling_attributes(const std::string& prefix) {
  return {typed(text(prefix + ".compression-deviation", "how far a value may be off and be left out", "0"),
                AttributeType::kNumber, 0),
          text(prefix + ".min-time-interval",
               "values not farther than this from the last are left out; a duration, or a number in the unit "
               "of the data",
               "0"),
          text(prefix + ".max-time-interval", "a value as far away as this comes out in any case",
               "9223372036854775807"),
          state_limit(), split_file()};
}

std::vector<PluginInfo> make_plugins() {
  return {
      plugin("do-nothing-processor", {}, "DoNothingProcessor", {}),
      filter_rename_plugin(),
      plugin(
          "rename-database-processor", {}, "RenameDatabaseProcessor",
          {with_alias(with_alias(required(text("new-db-name", "the database of everything that comes out")),
                                 "new-database"),
                      "new_database")}),
      down_sampling_plugin(),
      plugin("tumbling-time-sampling-processor", {}, "TumblingTimeSamplingProcessor",
             {typed(text("tumbling-time.interval-seconds", "how far apart rows are that come out", "60"),
                    AttributeType::kInteger, 1),
              state_limit(), split_file()}),
      plugin("swinging-door-trending-sampling-processor", {"sdt-sampling-processor"},
             "SwingingDoorTrendingSamplingProcessor", sampling_attributes("sdt")),
      plugin("changing-value-sampling-processor", {}, "ChangingValueSamplingProcessor",
             sampling_attributes("changing-value")),
  };
}

// ---- how they are made

std::string folded(std::string text) {
  std::ranges::transform(text, text.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? char(c + 32) : c; });
  return text;
}

Made make_filter_rename(const Attributes& attributes) {
  FilterRenameOptions options;
  const auto value = [&](const char* name) { return read_text(attributes, name); };
  TG_TRY(options.tables, parse_names("tables", value("tables")));
  TG_TRY(options.excluded_tables, parse_names("excluded-tables", value("excluded-tables")));
  TG_TRY(options.excluded_fields, parse_table_fields("excluded-fields", value("excluded-fields")));
  TG_TRY(options.table_renames, parse_renames("tables-rename", value("tables-rename")));
  TG_TRY(options.field_renames, parse_field_renames("field-renames", value("field-renames")));
  if (attributes.values.contains("tree-level")) {
    TG_TRY(const std::int64_t level, read_integer(attributes, kKind, "tree-level", 1, 1));
    options.tree_level = static_cast<std::size_t>(level);
  }
  options.drop_deletions = folded(value("deletions")) == "drop";
  return make_filter_rename_processor(options);
}

Aggregate aggregate_called(const std::string& name) {
  for (const Aggregate aggregate : {Aggregate::kFirst, Aggregate::kMin, Aggregate::kMax, Aggregate::kMean,
                                    Aggregate::kSum, Aggregate::kCount}) {
    if (aggregate_name(aggregate) == name) return aggregate;
  }
  return Aggregate::kLast;
}

Made make_down_sampling(const Attributes& attributes) {
  DownSamplingOptions options;
  TG_TRY(options.interval, read_duration(attributes, kKind, "interval", options.interval));
  TG_TRY(options.max_delay, read_duration(attributes, kKind, "max-delay", options.interval));
  TG_TRY(options.max_state_bytes, read_bytes(attributes, kKind, "state.max-bytes", options.max_state_bytes));
  options.aggregate = aggregate_called(folded(read_text(attributes, "aggregate")));
  options.drop_late = folded(read_text(attributes, "late")) == "drop";
  return make_down_sampling_processor(options);
}

Status check_split_file(const Attributes& attributes) {
  TG_TRY(const bool split, read_bool(attributes, kKind, "down-sampling.split-file", false));
  if (!split) return {};
  return make_error(ErrorCode::kUnsupported,
                    shown_attribute(kKind, "down-sampling.split-file") +
                        " = 'true': files go on as they are, nothing looks into them. Leave it out");
}

Made make_tumbling_time(const Attributes& attributes) {
  TG_CHECK(check_split_file(attributes));
  TumblingTimeOptions options;
  TG_TRY(options.interval_seconds,
         read_integer(attributes, kKind, "tumbling-time.interval-seconds", options.interval_seconds, 1));
  TG_TRY(options.max_state_bytes, read_bytes(attributes, kKind, "state.max-bytes", options.max_state_bytes));
  return make_tumbling_time_processor(options);
}

// A bare number counts units of the data, as in IoTDB, where -1 is the default too.
Result<TimeSpan> read_span(const Attributes& attributes, const std::string& name, std::int64_t fallback) {
  const std::string value = read_text(attributes, name);
  if (value.empty() || value == "-1") return TimeSpan{fallback};
  if (value.find_first_not_of("0123456789") == std::string::npos) {
    TG_TRY(const std::int64_t units, read_integer(attributes, kKind, name, fallback, 0));
    return TimeSpan{units};
  }
  TG_TRY(const std::int64_t nanos, read_duration(attributes, kKind, name, fallback));
  return TimeSpan{nanos, true};
}

Status check_order(const std::string& prefix, const TimeSpan& min, const TimeSpan& max) {
  const bool comparable =
      min.nanoseconds == max.nanoseconds || min.amount == 0 || max == TimeSpan{kDefaultInterval};
  if (comparable && min.amount <= max.amount) return {};
  return make_error(ErrorCode::kInvalidArgument,
                    shown_attribute(kKind, prefix + ".min-time-interval") + " must not be above " +
                        shown_attribute(kKind, prefix + ".max-time-interval") +
                        (comparable ? "" : ": write both as durations, or both as numbers"));
}

// Options of swinging door and changing value.
template <class Options>
Result<Options> read_sampling(const Attributes& attributes, const std::string& prefix) {
  TG_CHECK(check_split_file(attributes));
  Options options;
  TG_TRY(options.deviation,
         read_number(attributes, kKind, prefix + ".compression-deviation", options.deviation));
  TG_TRY(options.min_interval, read_span(attributes, prefix + ".min-time-interval", 0));
  TG_TRY(options.max_interval, read_span(attributes, prefix + ".max-time-interval", kDefaultInterval));
  TG_CHECK(check_order(prefix, options.min_interval, options.max_interval));
  TG_TRY(options.max_state_bytes, read_bytes(attributes, kKind, "state.max-bytes", options.max_state_bytes));
  return options;
}

// `attributes` are checked and have their own names.
Made make_one(const Attributes& attributes) {
  const std::string& name = attributes.plugin;
  if (name == "filter-rename-processor") return make_filter_rename(attributes);
  if (name == "rename-database-processor") {
    return make_rename_database_processor(read_text(attributes, "new-db-name"));
  }
  if (name == "down-sampling-processor") return make_down_sampling(attributes);
  if (name == "tumbling-time-sampling-processor") return make_tumbling_time(attributes);
  if (name == "swinging-door-trending-sampling-processor") {
    TG_TRY(const auto options, read_sampling<SwingingDoorOptions>(attributes, "sdt"));
    return make_swinging_door_processor(options);
  }
  if (name == "changing-value-sampling-processor") {
    TG_TRY(const auto options, read_sampling<ChangingValueOptions>(attributes, "changing-value"));
    return make_changing_value_processor(options);
  }
  return make_do_nothing_processor();
}

}  // namespace

std::span<const PluginInfo> processor_plugins() {
  static const std::vector<PluginInfo> plugins = make_plugins();
  return plugins;
}

const PluginInfo* find_processor_plugin(std::string_view name) {
  for (const PluginInfo& info : processor_plugins()) {
    if (info.name == name || std::ranges::find(info.aliases, name) != info.aliases.end()) return &info;
  }
  return nullptr;
}

Result<std::unique_ptr<Processor>> make_processor(const Attributes& attributes) {
  TG_TRY(const std::vector<ChainLink> chain, split_chain(attributes, find_processor_plugin));
  std::vector<LabelledProcessor> links;
  for (const ChainLink& link : chain) {
    Made made = make_one(link.attributes);
    if (!made.ok()) {
      Error error = std::move(made).error();
      if (chain.size() > 1) error.detail = link.label + ": " + error.detail;
      return error;
    }
    links.push_back({link.label, std::move(made).value()});
  }
  return make_chain(std::move(links));
}

}  // namespace tidegate
