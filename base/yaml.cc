// SPDX-License-Identifier: Apache-2.0
#include "base/yaml.h"

#include <yaml-cpp/anchor.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <set>
#include <sstream>

#include "base/hash.h"
#include "base/nearest.h"
#include "base/yaml_lines.h"

namespace tidegate {

struct YamlNode {
  enum class Type : std::uint8_t { kNull, kScalar, kList, kMap };
  struct Entry {
    std::string key;
    YamlMark mark;
    std::unique_ptr<YamlNode> value;
  };

  Type type = Type::kNull;
  YamlMark mark;
  std::string text;
  std::vector<std::unique_ptr<YamlNode>> items;
  std::vector<Entry> entries;

  const Entry* find(std::string_view key) const {
    const auto it =
        std::find_if(entries.begin(), entries.end(), [&](const Entry& e) { return e.key == key; });
    return it == entries.end() ? nullptr : &*it;
  }
};

struct YamlMap::State {
  const YamlNode* node;  // nullptr: absent
  std::string name;      // "a.b[2]", empty for the root
  YamlMark mark;
  std::vector<std::string> known;
};

namespace {

using Type = YamlNode::Type;

YamlMark mark_of(const YAML::Mark& mark) {
  return {static_cast<std::uint32_t>(mark.line + 1), static_cast<std::uint32_t>(mark.column + 1)};
}

// Builds the tree from the parser's events; the library's own tree forgets the marks of keys and the
// duplicates.
class TreeBuilder final : public YAML::EventHandler {
 public:
  explicit TreeBuilder(std::string_view text) : text_(text) {}
  std::unique_ptr<YamlNode> take() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override { refuse(mark, "aliases are not allowed"); }
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    refuse_extras(mark, kPlain, anchor);
    add(Type::kNull, mark, {});
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    refuse_extras(mark, tag, anchor);
    if (!is_on_one_line(mark, tag == kQuoted, value))
      refuse(mark, "a text must end on the line where it begins; is a colon, a comma or a bracket missing?");
    const bool is_null = tag == kPlain && (value.empty() || value == "~" || value == "null");
    add(is_null ? Type::kNull : Type::kScalar, mark, value);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    refuse_extras(mark, tag, anchor);
    push(add(Type::kList, mark, {}), mark);
  }
  void OnSequenceEnd() override { open_.pop_back(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    refuse_extras(mark, tag, anchor);
    push(add(Type::kMap, mark, {}), mark);
  }
  void OnMapEnd() override { open_.pop_back(); }

 private:
  [[noreturn]] static void refuse(const YAML::Mark& mark, const std::string& why) {
    throw YAML::ParserException(mark, why);
  }
  // The library's names for what has no tag: "?" plain, "!" in quotes.
  void refuse_extras(const YAML::Mark& mark, std::string_view tag, YAML::anchor_t anchor) const {
    if (anchor != YAML::NullAnchor) refuse(mark, "anchors are not allowed");
    const bool written = text_at(mark).starts_with('!');
    if (written || (tag != kPlain && tag != kQuoted)) refuse(mark, "tags (!) are not allowed");
  }
  std::string_view text_at(const YAML::Mark& mark) const {
    const auto at = static_cast<std::size_t>(std::max(mark.pos, 0));
    return at < text_.size() ? text_.substr(at) : std::string_view();
  }
  // Also what check_yaml_lines() should have seen: two readers of one text may disagree where it begins.
  bool is_on_one_line(const YAML::Mark& mark, bool is_quoted, const std::string& value) const {
    const std::string_view line = text_at(mark).substr(0, text_at(mark).find('\n'));
    if (is_quoted)
      return !line.empty() && is_quote(line[0]) && end_of_quoted(line, 0) != std::string_view::npos;
    return line.starts_with(value);  // the library joins the lines of a plain text with blanks
  }
  static bool is_quote(char c) { return c == '\'' || c == '"'; }

  void push(YamlNode* node, const YAML::Mark& mark) {
    if (open_.size() >= YamlFile::kMaxDepth) refuse(mark, "the nesting is too deep");
    open_.push_back(node);
  }

  YamlNode* add(Type type, const YAML::Mark& mark, const std::string& text) {
    const bool is_key = !open_.empty() && open_.back()->type == Type::kMap &&
                        (open_.back()->entries.empty() || open_.back()->entries.back().value != nullptr);
    if (is_key) {
      if (type != Type::kScalar) refuse(mark, "a key must be a plain word");
      open_.back()->entries.push_back({text, mark_of(mark), nullptr});
      return nullptr;
    }
    auto node = std::make_unique<YamlNode>();
    node->type = type;
    node->mark = mark_of(mark);
    node->text = text;
    YamlNode* const raw = node.get();
    if (open_.empty()) {
      root_ = std::move(node);
    } else if (open_.back()->type == Type::kList) {
      open_.back()->items.push_back(std::move(node));
    } else {
      open_.back()->entries.back().value = std::move(node);
    }
    return raw;
  }

  static constexpr std::string_view kPlain = "?", kQuoted = "!";

  std::string_view text_;
  std::unique_ptr<YamlNode> root_;
  std::vector<YamlNode*> open_;
};

std::string hint_for(std::string_view key, const std::vector<std::string>& known) {
  if (known.empty()) return "; no keys are known here";
  if (const std::string* nearest = nearest_word(key, known)) return ", did you mean '" + *nearest + "'?";
  std::string list;
  for (const std::string& word : known) list += (list.empty() ? "" : ", ") + word;
  return "; known here: " + list;
}

std::string quoted(const std::string& text) {
  constexpr std::size_t kLongest = 60;
  return "'" + (text.size() > kLongest ? text.substr(0, kLongest) + "…" : text) + "'";
}

std::string describe(const YamlNode& node) {
  switch (node.type) {
    case Type::kNull:
      return "nothing";
    case Type::kScalar:
      return quoted(node.text);
    case Type::kList:
      return "a list";
    case Type::kMap:
      return "a map";
  }
  return {};
}

template <class T>
Result<T> parse_number(std::string_view text) {
  T value{};
  const char* const end = text.data() + text.size();
  const auto [at, ec] = std::from_chars(text.data(), end, value);
  if (ec == std::errc() && at == end) return value;
  return Error(ErrorCode::kInvalidArgument, "not a number");
}

std::string show_double(double value) {
  std::ostringstream out;
  out << value;
  return out.str();
}

std::string show_rate(std::uint64_t bytes) {
  return show_byte_size(bytes) + "/s";
}

Result<std::string> read_secret_file(FileSystem* files, const std::string& path) {
  constexpr std::uint64_t kLimit = 64 * 1024;
  if (files == nullptr) return Error(ErrorCode::kInvalidArgument, "no files can be read here");
  TG_TRY(const Bytes content, read_file(*files, path, kLimit));
  std::string text(as_text(content));
  if (text.ends_with('\n')) text.pop_back();
  return text;
}

constexpr std::string_view kCredential = "credential:";
constexpr const char* kCredentialsFolder = "CREDENTIALS_DIRECTORY";

Result<std::string> read_credential(FileSystem* files, const std::string& name) {
  const char* const folder = std::getenv(kCredentialsFolder);
  if (folder == nullptr) {
    return Error(ErrorCode::kNotFound,
                 "systemd gave no credentials to this process (LoadCredential= in the unit)");
  }
  if (name.empty() || name.find('/') != std::string::npos) {
    return Error(ErrorCode::kInvalidArgument, "a credential has a name without '/'");
  }
  return read_secret_file(files, std::string(folder) + "/" + name);
}

bool is_left_to_systemd(const std::string& text) {
  return text.starts_with(kCredential) && std::getenv(kCredentialsFolder) == nullptr;
}

}  // namespace

Result<std::string> read_secret(FileSystem* files, const std::string& text) {
  if (text.starts_with("file:")) return read_secret_file(files, text.substr(5));
  if (text.starts_with(kCredential)) return read_credential(files, text.substr(kCredential.size()));
  if (!text.starts_with("env:")) return text;
  const std::string name = text.substr(4);
  if (const char* const value = std::getenv(name.c_str())) return std::string(value);
  return Error(ErrorCode::kNotFound, "the environment has no variable " + name);
}

template <class T>
struct YamlMap::Kind {
  std::string name;
  Result<T> (*parse)(std::string_view);
  std::string (*show)(T);
  T lowest = std::numeric_limits<T>::lowest();  // that the type itself allows
};

template <class T>
T YamlMap::ranged(std::string_view key, T min, T max, const Default<T>& fallback, const Kind<T>& kind) {
  using Limits = std::numeric_limits<T>;
  const bool has_min = min != kind.lowest;
  std::string expected = kind.name;
  if (has_min && max != Limits::max()) {
    expected += " from " + kind.show(min) + " to " + kind.show(max);
  } else if (has_min) {
    expected += " of at least " + kind.show(min);
  } else if (max != Limits::max()) {
    expected += " of at most " + kind.show(max);
  }
  const auto text = scalar(key, !fallback.has_value(), expected);
  T out = fallback.value_or(T{});
  if (text) {
    const Result<T> value = kind.parse(*text);
    // Written so that NaN is outside of every range.
    if (value.ok() && *value >= min && *value <= max) {
      out = *value;
    } else {
      wrong(key, quoted(*text), expected);
    }
  }
  keep(key, kind.show(out));
  return out;
}

std::int64_t YamlMap::integer(std::string_view key, IntRange range, Default<std::int64_t> fallback) {
  static const Kind<std::int64_t> kKind{"an integer", parse_number<std::int64_t>, std::to_string};
  return ranged(key, range.min, range.max, fallback, kKind);
}

double YamlMap::number(std::string_view key, DoubleRange range, Default<double> fallback) {
  static const Kind<double> kKind{"a number", parse_number<double>, show_double};
  return ranged(key, range.min, range.max, fallback, kKind);
}

Nanos YamlMap::duration(std::string_view key, NanosRange range, Default<Nanos> fallback) {
  static const Kind<Nanos> kKind{"a duration like 250ms, 5s or 24h", parse_duration, show_duration, 0};
  return ranged(key, range.min, range.max, fallback, kKind);
}

std::uint64_t YamlMap::bytes(std::string_view key, BytesRange range, Default<std::uint64_t> fallback) {
  static const Kind<std::uint64_t> kKind{"a byte size like 500k, 1 MB or 64MiB", parse_byte_size,
                                         show_byte_size};
  return ranged(key, range.min, range.max, fallback, kKind);
}

std::uint64_t YamlMap::rate(std::string_view key, BytesRange range, Default<std::uint64_t> fallback) {
  static const Kind<std::uint64_t> kKind{"a rate like 94Mbit/s or 12MB/s", parse_rate, show_rate};
  return ranged(key, range.min, range.max, fallback, kKind);
}

std::string YamlMap::string(std::string_view key, Default<std::string> fallback) {
  std::string text = scalar(key, !fallback.has_value(), "a text").value_or(fallback.value_or(""));
  keep(key, text);
  return text;
}

bool YamlMap::boolean(std::string_view key, Default<bool> fallback) {
  static constexpr std::string_view kExpected = "true or false";
  const auto text = scalar(key, !fallback.has_value(), std::string(kExpected));
  if (text && *text != "true" && *text != "false") wrong(key, quoted(*text), std::string(kExpected));
  const bool value = text ? *text == "true" : fallback.value_or(false);
  keep(key, value ? "true" : "false");
  return value;
}

Secret YamlMap::secret(std::string_view key, Default<Secret> fallback) {
  const auto text = scalar(key, !fallback.has_value(), "a text, file:, env: or credential:");
  if (!text) return fallback.value_or(Secret());
  Result<std::string> value = read_secret(file_->files_, *text);
  keep(key, xxh3_128(as_bytes(value.ok() ? *value : *text)).hex());
  if (value.ok()) return Secret(std::move(*value));
  if (file_->use_ == YamlUse::kCheck && is_left_to_systemd(*text)) {
    warns(key, "is given by systemd to the unit only (LoadCredential=): it is not checked here");
  } else {
    file_->report(mark(key), "cannot read the secret '" + full_name(key) + "': " + value.error().text());
  }
  return Secret(*text);
}

std::optional<std::size_t> YamlMap::choice(std::string_view key, const std::vector<std::string_view>& allowed,
                                           bool required) {
  std::string expected = "one of";
  for (std::size_t i = 0; i < allowed.size(); ++i)
    expected += (i == 0 ? " " : ", ") + std::string(allowed[i]);
  const auto text = scalar(key, required, expected);
  if (!text) return {};
  const auto it = std::find(allowed.begin(), allowed.end(), *text);
  if (it != allowed.end()) return static_cast<std::size_t>(it - allowed.begin());
  wrong(key, quoted(*text), expected);
  return {};
}

const YamlNode* YamlMap::find(std::string_view key, bool required, const std::string& expected) {
  std::vector<std::string>& known = state_->known;
  if (std::find(known.begin(), known.end(), key) == known.end()) known.emplace_back(key);
  const YamlNode::Entry* const entry = state_->node == nullptr ? nullptr : state_->node->find(key);
  if (entry != nullptr) return entry->value.get();
  if (required) file_->report(state_->mark, "the key '" + full_name(key) + "' is required: " + expected);
  return nullptr;
}

std::optional<std::string> YamlMap::scalar(std::string_view key, bool required, const std::string& expected) {
  const YamlNode* const node = find(key, required, expected);
  if (node == nullptr) return {};
  if (node->type == Type::kScalar) return node->text;
  wrong(key, describe(*node), expected);
  return {};
}

const YamlNode* YamlMap::list(std::string_view key, bool required, const std::string& expected) {
  const YamlNode* const node = find(key, required, expected);
  if (node == nullptr || node->type == Type::kList) return node;
  if (node->type == Type::kNull && !required) return nullptr;
  wrong(key, describe(*node), expected);
  return nullptr;
}

std::vector<std::string> YamlMap::strings(std::string_view key, bool required) {
  const YamlNode* const node = list(key, required, "a list of texts");
  std::vector<std::string> out;
  if (node == nullptr) return out;
  for (const auto& item : node->items) {
    if (item->type == Type::kScalar) {
      out.push_back(item->text);
    } else {
      file_->report(item->mark, "an item of '" + full_name(key) + "' must be a text, not " + describe(*item));
    }
  }
  for (std::size_t i = 0; i < out.size(); ++i) keep(std::string(key) + "[" + std::to_string(i) + "]", out[i]);
  return out;
}

YamlMap YamlMap::map(std::string_view key) {
  const YamlNode* node = find(key, false, "a map");
  if (node != nullptr && node->type != Type::kMap) {
    if (node->type != Type::kNull) wrong(key, describe(*node), "a map");
    node = nullptr;
  }
  return file_->map_at(node, full_name(key), mark(key));
}

std::vector<YamlMap> YamlMap::maps(std::string_view key, bool required) {
  const YamlNode* const node = list(key, required, "a list of maps");
  std::vector<YamlMap> out;
  if (node == nullptr) return out;
  for (std::size_t i = 0; i < node->items.size(); ++i) {
    const YamlNode& item = *node->items[i];
    const std::string name = full_name(key) + "[" + std::to_string(i) + "]";
    if (item.type == Type::kMap) {
      out.push_back(file_->map_at(&item, name, item.mark));
    } else {
      file_->report(item.mark, "'" + name + "' must be a map, not " + describe(item));
    }
  }
  return out;
}

std::vector<std::pair<std::string, std::string>> YamlMap::pairs(std::string_view key) {
  std::vector<std::pair<std::string, std::string>> out;
  YamlMap inner = map(key);
  for (const std::string& name : inner.keys()) out.emplace_back(name, inner.string(name));
  return out;
}

bool YamlMap::has(std::string_view key) const {
  return state_->node != nullptr && state_->node->find(key) != nullptr;
}

std::optional<std::string> YamlMap::text(std::string_view key) const {
  const YamlNode::Entry* const entry = state_->node == nullptr ? nullptr : state_->node->find(key);
  if (entry == nullptr || entry->value->type != Type::kScalar) return {};
  return entry->value->text;
}

std::vector<std::string> YamlMap::keys() const {
  std::vector<std::string> out;
  if (state_->node == nullptr) return out;
  for (const YamlNode::Entry& entry : state_->node->entries) {
    if (std::find(out.begin(), out.end(), entry.key) == out.end()) out.push_back(entry.key);
  }
  return out;
}

YamlMark YamlMap::mark(std::string_view key) const {
  const YamlNode::Entry* const entry = state_->node == nullptr ? nullptr : state_->node->find(key);
  return entry == nullptr ? state_->mark : entry->mark;
}

void YamlMap::violates(std::string_view key, const std::string& sentence) {
  file_->report(mark(key), "'" + full_name(key) + "' " + sentence);
}

void YamlMap::warns(std::string_view key, const std::string& sentence) {
  const YamlMark at = mark(key);
  file_->warnings_.push_back(file_->path_ + ":" + std::to_string(at.line) + ":" + std::to_string(at.column) +
                             ": warning: '" + full_name(key) + "' " + sentence);
}

std::string YamlMap::full_name(std::string_view key) const {
  return state_->name.empty() ? std::string(key) : state_->name + "." + std::string(key);
}

void YamlMap::keep(std::string_view key, std::string text) {
  file_->values_[full_name(key)] = std::move(text);
}

void YamlMap::wrong(std::string_view key, const std::string& got, const std::string& expected) {
  file_->report(mark(key), "'" + full_name(key) + "' must be " + expected + ", not " + got);
}

YamlFile::YamlFile(std::unique_ptr<YamlNode> tree, std::string path, FileSystem* files, YamlUse use)
    : tree_(std::move(tree)), path_(std::move(path)), files_(files), use_(use) {}
YamlFile::~YamlFile() = default;

Result<std::unique_ptr<YamlFile>> YamlFile::parse(std::string_view text, const std::string& path,
                                                  FileSystem* files, YamlUse use) {
  const auto refused = [&](const YamlMark& mark, const std::string& why) {
    return Error(ErrorCode::kInvalidConfiguration, why).at_path(path).at_line(mark.line, mark.column);
  };
  if (Status status = check_yaml_lines(text); !status.ok()) return Error(status.error()).at_path(path);
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  TreeBuilder builder(text);
  TreeBuilder further(text);
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    parser.HandleNextDocument(builder);
    if (parser.HandleNextDocument(further)) return refused({1, 1}, "the file must hold one document");
  } catch (const YAML::Exception& e) {
    return refused(mark_of(e.mark), e.msg);
  }
  std::unique_ptr<YamlNode> tree = builder.take();
  if (tree == nullptr || tree->type == Type::kNull) {
    tree = std::make_unique<YamlNode>();
    tree->type = Type::kMap;
    tree->mark = {1, 1};
  }
  if (tree->type != Type::kMap)
    return refused(tree->mark, "the file must hold a map, not " + describe(*tree));
  std::unique_ptr<YamlFile> file(new YamlFile(std::move(tree), path, files, use));
  file->report_duplicates(*file->tree_);
  return file;
}

Result<std::unique_ptr<YamlFile>> YamlFile::load(FileSystem& files, const std::string& path, YamlUse use) {
  TG_TRY(const Bytes content, read_file(files, path, kMaxFileBytes));
  return parse(as_text(content), path, &files, use);
}

YamlMap YamlFile::root() {
  return map_at(tree_.get(), "", tree_->mark);
}

// The same map asked for twice shares what is known of it.
YamlMap YamlFile::map_at(const YamlNode* node, std::string name, YamlMark around) {
  for (const auto& state : maps_) {
    if (node != nullptr && state->node == node) return {this, state};
  }
  maps_.push_back(std::make_shared<YamlMap::State>(YamlMap::State{node, std::move(name), around, {}}));
  return {this, maps_.back()};
}

// Kept in the order of the file, and of reporting within one place.
void YamlFile::report(YamlMark mark, std::string detail) {
  Error error = Error(ErrorCode::kInvalidConfiguration, std::move(detail))
                    .at_path(path_)
                    .at_line(mark.line, mark.column);
  const auto after =
      std::upper_bound(errors_.begin(), errors_.end(), error, [](const Error& a, const Error& b) {
        return std::pair(a.line, a.column) < std::pair(b.line, b.column);
      });
  errors_.insert(after, std::move(error));
}

void YamlFile::report_duplicates(const YamlNode& node) {
  std::set<std::string_view> seen;
  for (const YamlNode::Entry& entry : node.entries) {
    if (!seen.insert(entry.key).second) {
      report(entry.mark, "the key '" + entry.key + "' stands twice, first in line " +
                             std::to_string(node.find(entry.key)->mark.line));
    }
    report_duplicates(*entry.value);
  }
  for (const auto& item : node.items) report_duplicates(*item);
}

void YamlFile::report_unknown_keys() {
  for (const auto& state : maps_) {
    if (state->node == nullptr) continue;
    for (const YamlNode::Entry& entry : state->node->entries) {
      const auto& known = state->known;
      if (std::find(known.begin(), known.end(), entry.key) != known.end()) continue;
      report(entry.mark, "unknown key " + quoted(entry.key) +
                             (state->name.empty() ? "" : " in '" + state->name + "'") +
                             hint_for(entry.key, known));
    }
  }
}

Status YamlFile::finish() {
  report_unknown_keys();
  if (errors_.empty()) return {};
  Error all = errors_.front();
  for (std::size_t i = 1; i < errors_.size(); ++i) {
    const Error& e = errors_[i];
    all.detail += "\n" + path_ + ":" + std::to_string(e.line.value_or(0)) + ":" +
                  std::to_string(e.column.value_or(0)) + ": " + e.detail;
  }
  return all;
}

}  // namespace tidegate
