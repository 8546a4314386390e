// SPDX-License-Identifier: Apache-2.0
#include "pipe/engine/attributes.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <utility>

#include "base/nearest.h"
#include "base/timestamp.h"
#include "base/yaml.h"

namespace tidegate {
namespace {

constexpr std::size_t kLongestShown = 60;
constexpr std::size_t kMostShown = 12;

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return out;
}

// A value in a message: bounded, on one line, whole characters only.
std::string shown_value(std::string_view value) {
  std::size_t size = std::min(value.size(), kLongestShown);
  while (size < value.size() && size > 0 && (static_cast<unsigned char>(value[size]) & 0xC0) == 0x80) --size;
  std::string out = "'";
  for (const char c : value.substr(0, size))
    out += static_cast<unsigned char>(c) < 0x20 || c == 0x7F ? '?' : c;
  return out + (size < value.size() ? "…'" : "'");
}

Error wrong(PluginKind kind, std::string_view name, std::string_view expected, std::string_view value,
            bool secret) {
  return make_error(ErrorCode::kInvalidArgument, shown_attribute(kind, name) + " must be " +
                                                     std::string(expected) +
                                                     (secret ? "" : ", not " + shown_value(value)));
}

template <class T>
std::optional<T> whole_number(std::string_view text) {
  T value{};
  const char* const end = text.data() + text.size();
  const auto [at, ec] = std::from_chars(text.data(), end, value);
  if (text.empty() || ec != std::errc() || at != end) return {};
  return value;
}

std::optional<bool> as_bool(std::string_view text) {
  const std::string word = lower(text);
  if (word == "true") return true;
  if (word == "false") return false;
  return {};
}

std::optional<double> as_number(std::string_view text) {
  const auto value = whole_number<double>(text);
  return value && std::isfinite(*value) ? value : std::nullopt;
}

struct DurationUnit {
  std::string_view name;
  std::int64_t nanos;
};
constexpr std::int64_t kSecondNanos = 1'000'000'000;
constexpr std::array kDurationUnits = {
    DurationUnit{"ns", 1},
    DurationUnit{"us", 1'000},
    DurationUnit{"ms", 1'000'000},
    DurationUnit{"s", kSecondNanos},
    DurationUnit{"m", 60 * kSecondNanos},
    DurationUnit{"min", 60 * kSecondNanos},
    DurationUnit{"h", 3'600 * kSecondNanos},
    DurationUnit{"d", 86'400 * kSecondNanos},
    DurationUnit{"w", 604'800 * kSecondNanos},
};

std::size_t digits_at_front(std::string_view text) {
  return static_cast<std::size_t>(
      std::ranges::find_if_not(text, [](char c) { return c >= '0' && c <= '9'; }) - text.begin());
}

std::optional<std::int64_t> as_duration(std::string_view text) {
  if (text.empty()) return {};
  std::string rest = lower(text);
  if (digits_at_front(rest) == rest.size()) rest += "s";
  std::int64_t total = 0;
  while (!rest.empty()) {
    const std::size_t digits = digits_at_front(rest);
    const auto count = whole_number<std::int64_t>(std::string_view(rest).substr(0, digits));
    rest.erase(0, digits);
    const auto name_end = std::ranges::find_if(rest, [](char c) { return c >= '0' && c <= '9'; });
    const std::string name(rest.begin(), name_end);
    rest.erase(rest.begin(), name_end);
    const auto* const unit = std::ranges::find(kDurationUnits, name, &DurationUnit::name);
    std::int64_t part = 0;
    if (!count || unit == kDurationUnits.end() || __builtin_mul_overflow(*count, unit->nanos, &part) ||
        __builtin_add_overflow(total, part, &total)) {
      return {};
    }
  }
  return total;
}

std::string expected_integer(std::int64_t min, std::int64_t max) {
  if (min == INT64_MIN && max == INT64_MAX) return "an integer";
  if (max == INT64_MAX) return "an integer of at least " + std::to_string(min);
  if (min == INT64_MIN) return "an integer of at most " + std::to_string(max);
  return "an integer from " + std::to_string(min) + " to " + std::to_string(max);
}

std::string expected_bounds(const AttributeSpec& spec, std::string (*show)(std::int64_t)) {
  std::string out;
  if (spec.min > 0 || (spec.min != INT64_MIN && spec.type == AttributeType::kNumber))
    out += " of at least " + show(spec.min);
  if (spec.max != INT64_MAX) out += (out.empty() ? " of at most " : " and at most ") + show(spec.max);
  return out;
}

std::string show_integer(std::int64_t value) {
  return std::to_string(value);
}
std::string show_nanos(std::int64_t value) {
  return show_duration(value);
}
std::string show_bytes(std::int64_t value) {
  return show_byte_size(static_cast<std::uint64_t>(value));
}

std::string expected(const AttributeSpec& spec) {
  switch (spec.type) {
    case AttributeType::kText:
      return "a text";
    case AttributeType::kBool:
      return "true or false";
    case AttributeType::kInteger:
      return expected_integer(spec.min, spec.max);
    case AttributeType::kNumber:
      return "a number" + expected_bounds(spec, show_integer);
    case AttributeType::kChoice: {
      std::string out = "one of";
      for (const std::string& choice : spec.choices) out += (out == "one of" ? " " : ", ") + choice;
      return out;
    }
    case AttributeType::kTime:
      return "a time: an integer in the unit of the data, or a date like 2022-03-30T20:58:30+08:00";
    case AttributeType::kDuration:
      return "a duration like 250ms, 10s, 5min or 1h" + expected_bounds(spec, show_nanos);
    case AttributeType::kBytes:
      return "a number of bytes like 4096, 500k or 16MiB" + expected_bounds(spec, show_bytes);
  }
  std::unreachable();
}

template <class T>
bool within(const AttributeSpec& spec, std::optional<T> value) {
  return value && std::cmp_greater_equal(*value, spec.min) && std::cmp_less_equal(*value, spec.max);
}

bool fits(const AttributeSpec& spec, const std::string& value) {
  switch (spec.type) {
    case AttributeType::kText:
      return true;
    case AttributeType::kBool:
      return as_bool(value).has_value();
    case AttributeType::kInteger:
      return within(spec, whole_number<std::int64_t>(value));
    case AttributeType::kNumber: {
      const auto number = as_number(value);
      return number && *number >= static_cast<double>(spec.min) && *number <= static_cast<double>(spec.max);
    }
    case AttributeType::kChoice:
      return std::ranges::any_of(spec.choices, [&](const auto& c) { return lower(c) == lower(value); });
    case AttributeType::kTime:
      return parse_event_time(value, TimeZone(), 1).ok();
    case AttributeType::kDuration:
      return within(spec, as_duration(value));
    case AttributeType::kBytes: {
      const auto bytes = parse_byte_size(value);
      return bytes.ok() && within(spec, std::optional(*bytes));
    }
  }
  std::unreachable();
}

const AttributeSpec* find_spec(const PluginInfo& plugin, std::string_view name) {
  for (const AttributeSpec& spec : plugin.attributes) {
    if (spec.name == name || std::ranges::find(spec.aliases, name) != spec.aliases.end()) return &spec;
  }
  return nullptr;
}

Error unknown(const std::string& name, const PluginInfo& plugin) {
  std::vector<std::string> known;
  for (const AttributeSpec& spec : plugin.attributes) {
    known.push_back(spec.name);
    known.insert(known.end(), spec.aliases.begin(), spec.aliases.end());
  }
  std::string detail =
      shown_attribute(plugin.kind, shown_value(name).size() == name.size() + 2 ? std::string_view(name)
                                                                               : std::string_view("…")) +
      " is not known to " + plugin.name;
  if (const std::string* near = nearest_word(name, known)) {
    detail += ", did you mean " + shown_attribute(plugin.kind, *near) + "?";
  } else if (plugin.attributes.empty()) {
    detail += ", which has no attributes";
  } else {
    detail += "; it knows";
    for (std::size_t i = 0; i < std::min(plugin.attributes.size(), kMostShown); ++i)
      detail += (i == 0 ? " " : ", ") + shown_attribute(plugin.kind, plugin.attributes[i].name);
    if (plugin.attributes.size() > kMostShown) detail += " …";
  }
  return make_error(ErrorCode::kInvalidArgument, detail);
}

// Reads a value by `as`, or says that it must be `what`.
template <class T, class As>
Result<T> read(const Attributes& from, PluginKind kind, const std::string& name, T fallback,
               std::string_view what, As as) {
  const auto found = from.values.find(name);
  if (found == from.values.end()) return fallback;
  if (const std::optional<T> value = as(found->second)) return *value;
  return wrong(kind, name, what, found->second, is_secret_attribute(name, nullptr));
}

}  // namespace

std::string_view plugin_kind_name(PluginKind kind) {
  switch (kind) {
    case PluginKind::kExtractor:
      return "extractor";
    case PluginKind::kProcessor:
      return "processor";
    case PluginKind::kConnector:
      return "connector";
  }
  std::unreachable();
}

std::string shown_attribute(PluginKind kind, std::string_view name) {
  return "'" + std::string(plugin_kind_name(kind)) + "." + std::string(name) + "'";
}

bool is_secret_attribute(std::string_view name, const PluginInfo* plugin) {
  static constexpr std::array<std::string_view, 7> kEndings = {"password", "passwd",     "token", "secret",
                                                               "api-key",  "access-key", "apikey"};
  const std::string folded = lower(name);
  if (std::ranges::any_of(kEndings, [&](std::string_view ending) { return folded.ends_with(ending); }))
    return true;
  if (plugin == nullptr) return false;
  if (const AttributeSpec* const spec = find_spec(*plugin, folded)) return spec->secret;
  // In a chain of processors the attribute stands behind the name of its processor: 'a#1.key'.
  return std::ranges::any_of(plugin->attributes, [&](const AttributeSpec& spec) {
    return spec.secret && folded.ends_with("." + spec.name);
  });
}

Result<bool> read_bool(const Attributes& from, PluginKind kind, const std::string& name, bool fallback) {
  return read<bool>(from, kind, name, fallback, "true or false", as_bool);
}

Result<std::int64_t> read_integer(const Attributes& from, PluginKind kind, const std::string& name,
                                  std::int64_t fallback, std::int64_t min, std::int64_t max) {
  return read<std::int64_t>(from, kind, name, fallback, expected_integer(min, max),
                            [&](std::string_view text) {
                              const auto value = whole_number<std::int64_t>(text);
                              return value && *value >= min && *value <= max ? value : std::nullopt;
                            });
}

Result<double> read_number(const Attributes& from, PluginKind kind, const std::string& name,
                           double fallback) {
  return read<double>(from, kind, name, fallback, "a number", as_number);
}

Result<std::int64_t> read_duration(const Attributes& from, PluginKind kind, const std::string& name,
                                   std::int64_t fallback) {
  return read<std::int64_t>(from, kind, name, fallback, "a duration like 250ms, 10s, 5min or 1h",
                            as_duration);
}

Result<std::uint64_t> read_bytes(const Attributes& from, PluginKind kind, const std::string& name,
                                 std::uint64_t fallback) {
  return read<std::uint64_t>(from, kind, name, fallback, "a number of bytes like 4096, 500k or 16MiB",
                             [](std::string_view text) {
                               const auto bytes = parse_byte_size(text);
                               return bytes.ok() ? std::optional(*bytes) : std::nullopt;
                             });
}

std::string read_text(const Attributes& from, const std::string& name, std::string fallback) {
  const auto found = from.values.find(name);
  return found == from.values.end() ? std::move(fallback) : found->second;
}

Result<Attributes> with_own_names(const Attributes& attributes, const PluginInfo& plugin) {
  Attributes out;
  const bool named = std::ranges::find(plugin.aliases, attributes.plugin) != plugin.aliases.end();
  out.plugin = named ? plugin.name : attributes.plugin;
  for (const auto& [name, value] : attributes.values) {
    const AttributeSpec* const spec = find_spec(plugin, name);
    const std::string& own = spec == nullptr ? name : spec->name;
    if (!out.values.emplace(own, value).second) {
      return make_error(ErrorCode::kInvalidArgument, shown_attribute(plugin.kind, own) +
                                                         " is given twice: its other name is " +
                                                         shown_attribute(plugin.kind, name));
    }
  }
  return out;
}

std::optional<AttributeFault> find_fault(const Attributes& attributes, const PluginInfo& plugin) {
  std::vector<const AttributeSpec*> given;
  for (const auto& [name, value] : attributes.values) {
    const AttributeSpec* const spec = find_spec(plugin, name);
    if (spec == nullptr) return AttributeFault{name, unknown(name, plugin)};
    if (std::ranges::find(given, spec) != given.end()) {
      return AttributeFault{name, with_own_names(attributes, plugin).error()};
    }
    given.push_back(spec);
    if (!fits(*spec, value)) {
      const bool secret = is_secret_attribute(name, &plugin);
      return AttributeFault{name, wrong(plugin.kind, name, expected(*spec), value, secret)};
    }
  }
  for (const AttributeSpec& spec : plugin.attributes) {
    if (!spec.required || std::ranges::find(given, &spec) != given.end()) continue;
    return AttributeFault{{},
                          make_error(ErrorCode::kInvalidArgument,
                                     plugin.name + " needs " + shown_attribute(plugin.kind, spec.name) +
                                         ": " + spec.description)};
  }
  return {};
}

Status check_attributes(const Attributes& attributes, const PluginInfo& plugin) {
  if (auto fault = find_fault(attributes, plugin)) return std::move(fault->error);
  return {};
}

}  // namespace tidegate
