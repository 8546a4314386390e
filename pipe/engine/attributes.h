// SPDX-License-Identifier: Apache-2.0
// Attributes: what the operator wrote about one part of a pipe, and what a plugin says it understands.
//
// Names compare without case and are kept in lower case, without the prefix of their part: 'Sink.IP' and
// 'connector.ip' are both "ip" of a connector; the plugin's own name ('connector'='...') stands beside them.
// Values are kept as written. All types are values; no thread rules.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
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
  kDuration,  // 10s, 5min, 1h30m, 2d, 3w, 250ms; a bare integer counts seconds; min and max in nanoseconds
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
  std::vector<std::string> aliases;  // other names of it, lower case, without the prefix
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

// '<kind>.<name>' in quotes, as messages show it.
std::string shown_attribute(PluginKind kind, std::string_view name);
// True for what must be masked wherever it is shown: what `plugin` (may be null) declares secret, and any
// name that ends like one (password, token, secret ...), also of plugins that are not known here.
bool is_secret_attribute(std::string_view name, const PluginInfo* plugin);
inline constexpr std::string_view kMaskedValue = "******";

// The same attributes with every alias replaced by the name it stands for, and the plugin by its own name.
// kInvalidArgument where one attribute is given by two of its names.
Result<Attributes> with_own_names(const Attributes& attributes, const PluginInfo& plugin);

struct AttributeFault {
  std::string name;  // of the attribute that is wrong; empty: something is missing
  Error error;       // kInvalidArgument
};
// The first thing check_attributes() would complain about, with the attribute's name apart.
std::optional<AttributeFault> find_fault(const Attributes& attributes, const PluginInfo& plugin);

// Every attribute against what the plugin knows: unknown ones (with the nearest known name), wrong types,
// values out of range, required ones that are missing. Aliases are as good as the names they stand for. The
// first error, kInvalidArgument; a secret value is never part of it.
Status check_attributes(const Attributes& attributes, const PluginInfo& plugin);

}  // namespace tidegate
