// SPDX-License-Identifier: Apache-2.0
// Strict reading of a YAML configuration: every key is asked for, or it is an error.
//
//   auto file = YamlFile::load(*env.files, "/etc/x.yaml");        // syntax errors and duplicate keys
//   YamlMap root = file->root();
//   config.listen = root.string("listen", "0.0.0.0:9999");       // with a default, or without: required
//   YamlMap disk = root.map("disk");
//   config.quota = disk.bytes("quota", {.min = 1 << 20});
//   if (low >= high) disk.violates("low", "must be less than high (" + ... + ")");
//   TG_CHECK(file->finish());                                      // unknown keys, and all errors together
//
// A getter that fails records the error (with path, line, column and what was expected) and returns its
// default or a zero value, so one run reports every mistake of a file. Keys are known in the order in which
// they were asked for; an unknown key is reported with the nearest of them. One thread; for start-up and
// for reading a file again. A YamlMap must not outlive its YamlFile.
//
// Of YAML it takes less than there is (see also yaml_lines.h): one document, whose root is a map; every text,
// plain or in quotes, ends on the line where it begins; no anchors, aliases, tags, block texts, directives;
// no tabs in the indentation; no key twice. So a slip of the pen is an error and never another configuration.
#pragma once

#include <algorithm>
#include <compare>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/env.h"
#include "base/result.h"

namespace tidegate {

// A value that is not shown: text() of anything that holds one prints "******".
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string value) : value_(std::move(value)) {}
  const std::string& reveal() const { return value_; }
  bool empty() const { return value_.empty(); }
  std::string text() const { return value_.empty() ? "" : "******"; }

 private:
  std::string value_;
};

struct IntRange {
  std::int64_t min = std::numeric_limits<std::int64_t>::min();
  std::int64_t max = std::numeric_limits<std::int64_t>::max();
};
struct DoubleRange {
  double min = std::numeric_limits<double>::lowest();
  double max = std::numeric_limits<double>::max();
};
struct NanosRange {
  Nanos min = 0;
  Nanos max = std::numeric_limits<Nanos>::max();
};
struct BytesRange {
  std::uint64_t min = 0;
  std::uint64_t max = std::numeric_limits<std::uint64_t>::max();
};

// The texts of the typed getters, also for flags and statements. Errors: kInvalidArgument with what was
// expected. "250ms", "1.5h", "1h30m", "0"; units ns us ms s m h d. Without a unit only 0 is allowed.
Result<Nanos> parse_duration(std::string_view text);
// "64MiB", "1 MB", "500k", "4096": KiB MiB GiB TiB are powers of 1024; k kB M MB G GB T TB powers of 1000.
Result<std::uint64_t> parse_byte_size(std::string_view text);
// "94Mbit/s" or "12MB/s" -> bytes per second. Units: [k M G]bit/s, and any byte size followed by "/s".
// Without a unit only 0 is allowed.
Result<std::uint64_t> parse_rate(std::string_view text);

// What the text of a secret stands for: the content of "file:/path" (one trailing newline is cut), "env:NAME"
// or "credential:name" (given by systemd), else the text itself. Messages hold the reference, never the
// content.
Result<std::string> read_secret(FileSystem* files, const std::string& text);

// The shortest of the forms above: "1h30m", "250ms"; "64 MiB", "1500 B".
std::string show_duration(Nanos duration);
std::string show_byte_size(std::uint64_t bytes);

struct YamlMark {
  std::uint32_t line = 0;  // 1-based
  std::uint32_t column = 0;
  auto operator<=>(const YamlMark&) const = default;
};

// What a file is read for. kCheck: it is only looked at, perhaps by somebody else on another machine, so a
// credential that systemd has for the unit alone is a warning.
enum class YamlUse : std::uint8_t { kRun, kCheck };

class YamlFile;
struct YamlNode;

class YamlMap {
 public:
  template <class T>
  using Names = std::vector<std::pair<std::string_view, T>>;
  template <class T>
  using Default = std::optional<T>;

  // Without a default the key is required.
  std::string string(std::string_view key, Default<std::string> fallback = {});
  bool boolean(std::string_view key, Default<bool> fallback = {});  // true or false, nothing else
  std::int64_t integer(std::string_view key, IntRange range = {}, Default<std::int64_t> fallback = {});
  double number(std::string_view key, DoubleRange range = {}, Default<double> fallback = {});
  Nanos duration(std::string_view key, NanosRange range = {}, Default<Nanos> fallback = {});
  std::uint64_t bytes(std::string_view key, BytesRange range = {}, Default<std::uint64_t> fallback = {});
  std::uint64_t rate(std::string_view key, BytesRange range = {}, Default<std::uint64_t> fallback = {});
  // The text itself, or "file:/path" (one trailing newline is cut), "env:NAME", "credential:name" (systemd).
  // One that cannot be read is reported once: its reference stands in for it, so it does not seem empty too.
  Secret secret(std::string_view key, Default<Secret> fallback = {});

  template <class T>
  T one_of(std::string_view key, const Names<T>& names, Default<T> fallback = {}) {
    std::vector<std::string_view> allowed;
    for (const auto& [name, value] : names) allowed.push_back(name);
    const std::optional<std::size_t> index = choice(key, allowed, !fallback.has_value());
    const T value = index ? names[*index].second : fallback.value_or(names.front().second);
    const auto named = std::ranges::find(names, value, [](const auto& entry) { return entry.second; });
    if (named != names.end()) keep(key, std::string(named->first));
    return value;
  }

  // Absent: an empty list, unless it is required.
  std::vector<std::string> strings(std::string_view key, bool required = false);
  // A map that is absent reads as an empty one, so defaults apply and required keys are reported.
  YamlMap map(std::string_view key);
  std::vector<YamlMap> maps(std::string_view key, bool required = false);
  // A map whose keys are names chosen by the user: name and text of each, in the order of the file.
  std::vector<std::pair<std::string, std::string>> pairs(std::string_view key);

  bool has(std::string_view key) const;
  // The text at `key` as it stands there, where one does. Reports nothing and makes the key no known one: for
  // a key that was read by its type.
  std::optional<std::string> text(std::string_view key) const;
  // The keys as they stand in the file; for maps whose keys are chosen by the user (then read each with
  // map(key)).
  std::vector<std::string> keys() const;

  // Reports at the place of `key`: "'disk.low' must be ...".
  void violates(std::string_view key, const std::string& sentence);
  // The same for what is allowed and yet hardly meant.
  void warns(std::string_view key, const std::string& sentence);
  // 1-based line and column of the key; where it is absent, of the nearest map around it.
  YamlMark mark(std::string_view key) const;

 private:
  friend class YamlFile;
  struct State;
  YamlMap(YamlFile* file, std::shared_ptr<State> state) : file_(file), state_(std::move(state)) {}

  const YamlNode* find(std::string_view key, bool required, const std::string& expected);
  const YamlNode* list(std::string_view key, bool required, const std::string& expected);
  std::optional<std::string> scalar(std::string_view key, bool required, const std::string& expected);
  std::optional<std::size_t> choice(std::string_view key, const std::vector<std::string_view>& allowed,
                                    bool required);
  std::string full_name(std::string_view key) const;
  void keep(std::string_view key, std::string text);  // in YamlFile::values()
  void wrong(std::string_view key, const std::string& got, const std::string& expected);
  template <class T>
  struct Kind;  // how a type is parsed, shown and described
  template <class T>
  T ranged(std::string_view key, T min, T max, const Default<T>& fallback, const Kind<T>& kind);

  YamlFile* file_;
  std::shared_ptr<State> state_;
};

// What was read of a file, defaults included: full names ("link.beat", "sources[0].listen") and the values, a
// value written in two ways in one form; of a secret a hash. Two files that agree in it configure the same.
using YamlValues = std::map<std::string, std::string>;

class YamlFile {
 public:
  static constexpr std::uint64_t kMaxFileBytes = 4 << 20;
  static constexpr unsigned kMaxDepth = 32;

  // `path` is for messages; without `files` a secret of the form file: or credential: is an error. Fails on
  // what is not YAML, or not one document with a map, or more of YAML than is taken here.
  static Result<std::unique_ptr<YamlFile>> parse(std::string_view text, const std::string& path,
                                                 FileSystem* files = nullptr, YamlUse use = YamlUse::kRun);
  static Result<std::unique_ptr<YamlFile>> load(FileSystem& files, const std::string& path,
                                                YamlUse use = YamlUse::kRun);
  ~YamlFile();
  YamlFile(const YamlFile&) = delete;
  YamlFile& operator=(const YamlFile&) = delete;

  YamlMap root();
  // Reports the keys that nobody asked for, then fails with all errors, one per line, in the order of the
  // file. A single error keeps its line and column; of several the first does, and detail has the others.
  Status finish();
  // After finish(): each error on its own.
  const std::vector<Error>& errors() const { return errors_; }
  // "path:line:column: warning: ...", in the order of asking.
  const std::vector<std::string>& warnings() const { return warnings_; }
  // Of the keys that were asked for by now.
  const YamlValues& values() const { return values_; }

 private:
  friend class YamlMap;
  YamlFile(std::unique_ptr<YamlNode> tree, std::string path, FileSystem* files, YamlUse use);
  YamlMap map_at(const YamlNode* node, std::string name, YamlMark around);
  void report_duplicates(const YamlNode& node);
  void report(YamlMark mark, std::string detail);
  void report_unknown_keys();

  std::unique_ptr<YamlNode> tree_;
  std::string path_;
  FileSystem* files_;
  YamlUse use_;
  std::vector<Error> errors_;
  std::vector<std::string> warnings_;
  YamlValues values_;
  std::vector<std::shared_ptr<YamlMap::State>> maps_;  // every map that was asked for
};

}  // namespace tidegate
