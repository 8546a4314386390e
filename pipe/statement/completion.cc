// SPDX-License-Identifier: Apache-2.0
#include "pipe/statement/completion.h"

#include <algorithm>
#include <set>

#include "pipe/statement/grammar.h"
#include "pipe/statement/lexer.h"
#include "pipe/statement/split.h"

namespace tidegate {
namespace {

// The word at the cursor that is still being typed: of what kind, and where it begins.
struct Partial {
  std::size_t from = 0;
  std::string_view text;  // as typed so far, with an opening quote
  char quote = '\0';      // ' or " or ` where the word began with one
  bool nothing = false;   // the cursor stands where nothing can be completed
};

Partial partial_word(std::string_view text) {
  Lexer lexer(text);
  Token last;
  for (Token token = lexer.next(); token.kind != TokenKind::kEnd; token = lexer.next()) last = token;
  const bool open = last.kind == TokenKind::kBad && last.unfinished;
  if (open && last.text[0] == '/') return {text.size(), {}, '\0', true};
  if (open) return {last.offset, last.text, last.text[0], false};
  const bool touches = last.size != 0 && last.offset + last.size == text.size();
  if (touches && last.kind == TokenKind::kWord) return {last.offset, last.text, '\0', false};
  const std::size_t line = text.rfind('\n') + 1;  // npos + 1 is 0
  const std::size_t behind = std::max(line, last.offset + last.size);
  return {text.size(), {}, '\0', text.find("--", behind) != std::string_view::npos};
}

bool is_lower(std::string_view word) {
  return !word.empty() && word[0] >= 'a' && word[0] <= 'z';
}

class Candidates {
 public:
  Candidates(const Partial& partial, const Grammar& grammar, const CompletionNames& names)
      : partial_(partial), open_(grammar.open_clause()), names_(names) {}

  void add(const Expectation& wanted) {
    switch (wanted.wanted) {
      case Wanted::kKeyword:
      case Wanted::kBool:
        return add_word(wanted.word);
      case Wanted::kSymbol:
        if (partial_.text.empty() && wanted.word != ";") found_.insert(std::string(wanted.word));
        return;
      case Wanted::kPath:
        return add_word("ROOT.**");
      case Wanted::kPipe:
        return add_names(names_.pipes);
      case Wanted::kSink:
        return add_names(names_.sinks);
      case Wanted::kUser:
        return add_names(names_.users);
      case Wanted::kPlugin:
        return add_names(names_.external_plugins);
      case Wanted::kAttributeName:
        return add_attribute_names();
      case Wanted::kAttributeValue:
        return add_attribute_values();
      case Wanted::kNewName:
      case Wanted::kText:
      case Wanted::kNumber:
      case Wanted::kTime:
      case Wanted::kEnd:
        return;
    }
  }

  std::vector<std::string> take() { return {found_.begin(), found_.end()}; }

 private:
  void add_word(std::string_view word) {
    if (partial_.quote != '\0') return;
    const std::string folded = fold_name(word);
    if (!folded.starts_with(fold_name(partial_.text))) return;
    found_.insert(is_lower(partial_.text) ? folded : std::string(word));
  }

  void add_names(const std::vector<std::string>& names) {
    if (partial_.quote != '\0' && partial_.quote != '`') return;
    const std::string_view typed = partial_.quote == '`' ? partial_.text.substr(1) : partial_.text;
    for (const std::string& name : names) {
      if (name.empty() || !fold_name(name).starts_with(fold_name(typed))) continue;
      const std::string quoted = quote_name(name);
      found_.insert(partial_.quote == '`' && quoted == name ? "`" + name + "`" : quoted);
    }
  }

  void add_text(const std::string& value) {
    if (partial_.quote == '`' || (partial_.quote == '\0' && !partial_.text.empty())) return;
    const std::string_view typed = partial_.quote == '\0' ? "" : partial_.text.substr(1);
    if (!fold_name(value).starts_with(fold_name(typed))) return;
    std::string quoted = quote_text(value);
    if (partial_.quote == '"') quoted = "\"" + quoted.substr(1, quoted.size() - 2) + "\"";
    found_.insert(std::move(quoted));
  }

  // The plugin of the clause; before it is named, what is known to any of its kind.
  std::vector<const PluginInfo*> plugins() const {
    std::vector<const PluginInfo*> out;
    for (const PluginInfo& plugin : names_.plugins) {
      if (plugin.kind != open_.kind) continue;
      const std::string& wanted = open_.clause.attributes.plugin;
      const bool named =
          plugin.name == wanted || std::ranges::find(plugin.aliases, wanted) != plugin.aliases.end();
      if (wanted.empty() || named) out.push_back(&plugin);
    }
    return out;
  }

  // 'sink' and 'source' for who begins so, else the first names.
  std::string prefix() const {
    const std::string typed = fold_name(partial_.text.substr(std::min<std::size_t>(1, partial_.text.size())));
    const bool is_new = typed.starts_with(open_.kind == PluginKind::kConnector ? "si" : "so");
    if (is_new && open_.kind == PluginKind::kConnector) return "sink";
    if (is_new && open_.kind == PluginKind::kExtractor) return "source";
    return std::string(plugin_kind_name(open_.kind));
  }

  void add_attribute_names() {
    const auto& given = open_.clause.marks;
    if (!given.contains("")) add_text(prefix());
    for (const PluginInfo* const plugin : plugins()) {
      for (const AttributeSpec& spec : plugin->attributes) {
        if (!given.contains(spec.name)) add_text(prefix() + "." + spec.name);
      }
    }
  }

  void add_attribute_values() {
    for (const PluginInfo* const plugin : plugins()) {
      if (open_.attribute.empty()) {
        add_text(plugin->name);
        continue;
      }
      const auto spec = std::ranges::find(plugin->attributes, open_.attribute, &AttributeSpec::name);
      if (spec == plugin->attributes.end()) continue;
      for (const std::string& choice : spec->choices) add_text(choice);
      if (spec->type == AttributeType::kBool) {
        add_text("true");
        add_text("false");
      } else if (spec->choices.empty() && !spec->default_value.empty() && !spec->secret) {
        add_text(spec->default_value);
      }
    }
  }

  const Partial& partial_;
  const Grammar::OpenClause& open_;
  const CompletionNames& names_;
  std::set<std::string> found_;
};

}  // namespace

Completion complete_statement(std::string_view text, std::size_t cursor, Dialect dialect,
                              const CompletionNames& names) {
  text = text.substr(0, cursor);
  const StatementPiece rest = split_statements(text).rest;
  const std::size_t begin = rest.text.empty() ? text.size() : rest.offset;
  const Partial partial = partial_word(text.substr(begin));
  Completion out{begin + partial.from, {}};
  const bool in_comment = rest.text.empty() && text.substr(text.rfind('\n') + 1).contains("--");
  if (partial.nothing || in_comment) return out;
  const std::string_view before = text.substr(begin, partial.from);
  Grammar grammar(before, dialect, {1, 1});
  (void)grammar.statement();
  if (grammar.core().token().kind != TokenKind::kEnd) return out;  // a mistake stands in front of the cursor
  Candidates candidates(partial, grammar, names);
  for (const Expectation& wanted : grammar.core().wanted()) candidates.add(wanted);
  out.candidates = candidates.take();
  return out;
}

}  // namespace tidegate
