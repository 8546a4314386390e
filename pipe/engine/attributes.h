// SPDX-License-Identifier: Apache-2.0
// Attributes: what the operator wrote about one part of a pipe, and what a plugin says it understands.
//
// Names compare without case and are kept in lower case, without the prefix of their part: 'Sink.IP' and
// 'connector.ip' are both "ip" of a connector; the plugin's own name ('connector'='...') stands beside them.
// Values are kept as written. All types are values; no thread rules.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tidegate {

enum class PluginKind : std::uint8_t { kExtractor, kProcessor, kConnector };
std::string_view plugin_kind_name(PluginKind kind);  // "extractor", "processor", "connector"

struct Attributes {
  std::string plugin;                         // lower case
  std::map<std::string, std::string> values;  // by name
  bool operator==(const Attributes&) const = default;
};

enum class AttributeType : std::uint8_t {
  kText,
  kBool,      // true, false
  kInteger,   // within [min, max]
  kNumber,    // a finite double within [min, max]
  kChoice,    // one of `choices`, without case
  kTime,      // event time: an integer in the unit of the data, or a date (base/timestamp.h)
  kDuration,  // 10s, 5min, 1h, 2d, 3w, 250ms; a bare integer counts seconds
  kBytes      // an integer, or one with k, m, g, KiB, MiB, GiB
};

struct AttributeSpec {
  std::string name;  // without the prefix; lower case
  AttributeType type = AttributeType::kText;
  std::string default_value;  // for show; empty: none
  std::string description;    // one line
  bool required = false;
  bool secret = false;  // masked wherever it is shown
  std::int64_t min = INT64_MIN, max = INT64_MAX;
  std::vector<std::string> choices;
};

struct PluginInfo {
  PluginKind kind = PluginKind::kConnector;
  std::string name;                  // lower case
  std::vector<std::string> aliases;  // lower case
  std::string type = "Builtin";      // or "External"
  std::string class_name;            // for SHOW PIPEPLUGINS
  std::string jar;                   // of an external one: the file
  std::vector<AttributeSpec> attributes;
  // Not empty: pipes with it can be created, what they say is checked, but START is refused with this text.
  std::string unavailable;
};

// ---- reading values; errors (kInvalidArgument) name the attribute as the operator would write it

Result<bool> read_bool(const Attributes& from, PluginKind kind, const std::string& name, bool fallback);
Result<std::int64_t> read_integer(const Attributes& from, PluginKind kind, const std::string& name,
                                  std::int64_t fallback, std::int64_t min = INT64_MIN,
                                  std::int64_t max = INT64_MAX);
Result<double> read_number(const Attributes& from, PluginKind kind, const std::string& name, double fallback);
// Nanoseconds; fallback too.
Result<std::int64_t> read_duration(const Attributes& from, PluginKind kind, const std::string& name,
                                   std::int64_t fallback);
Result<std::uint64_t> read_bytes(const Attributes& from, PluginKind kind, const std::string& name,
                                 std::uint64_t fallback);
std::string read_text(const Attributes& from, const std::string& name, std::string fallback = {});

// Every attribute against what the plugin knows: unknown ones (with the nearest known name), wrong types,
// values out of range, required ones that are missing. The first error, kInvalidArgument.
Status check_attributes(const Attributes& attributes, const PluginInfo& plugin);

}  // namespace tidegate
