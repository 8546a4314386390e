// SPDX-License-Identifier: Apache-2.0
// Pipes and plugins of Data Sync, and the clauses of attributes.
#include <array>
#include <span>

#include "pipe/statement/grammar.h"

namespace tidegate {
namespace {

struct PartName {
  std::string_view keyword;
  std::string_view prefix;  // of its attributes
  PluginKind kind;
};
constexpr std::array kParts = {
    PartName{"EXTRACTOR", "extractor", PluginKind::kExtractor},
    PartName{"SOURCE", "source", PluginKind::kExtractor},
    PartName{"PROCESSOR", "processor", PluginKind::kProcessor},
    PartName{"CONNECTOR", "connector", PluginKind::kConnector},
    PartName{"SINK", "sink", PluginKind::kConnector},
};

// Its full name: "'connector.ip'", of the plugin's "'connector'".
std::string shown(PluginKind kind, std::string_view name) {
  return name.empty() ? "'" + std::string(plugin_kind_name(kind)) + "'" : shown_attribute(kind, name);
}

std::string place(Mark mark) {
  return "line " + std::to_string(mark.line) + ", column " + std::to_string(mark.column);
}

std::string short_form(const std::string& text) {
  Token token;
  token.text = text;
  return shown_token(token);
}

}  // namespace

Result<PluginKind> Grammar::part_name() {
  for (const PartName& part : kParts) {
    if (in_.accept(part.keyword)) return part.kind;
  }
  return in_.unexpected();
}

ParsedStatement Grammar::create_pipe() {
  TG_TRY(const bool unless_exists, if_not_exists());
  TG_TRY(Name name, in_.expect_name(Wanted::kNewName, "the name of the new pipe"));
  if (dialect_ == Dialect::kEdgeCloud && in_.accept("TO"))
    return create_pipe_to(std::move(name), unless_exists);
  CreatePipe out{std::move(name), unless_exists, {}, {}, {}};
  Clause* const clauses[] = {&out.extractor, &out.processor, &out.connector};
  while (in_.accept("WITH")) {
    const Mark mark = in_.token().mark;
    TG_TRY(const PluginKind kind, part_name());
    Clause& target = *clauses[static_cast<std::size_t>(kind)];
    if (target.mark.line != 0) {
      return in_.refuse(ErrorCode::kInvalidArgument, mark,
                        "a second " + std::string(plugin_kind_name(kind)) + " clause: the first stands in " +
                            place(target.mark));
    }
    TG_TRY(target, clause(kind, mark));
  }
  if (out.connector.mark.line == 0) {
    const bool bare = out.extractor.mark.line == 0 && out.processor.mark.line == 0;
    if (bare && in_.accept("TO")) return create_pipe_to(std::move(out.pipe), unless_exists);
    Error error = in_.unexpected();
    if (in_.token().kind == TokenKind::kEnd || in_.token().kind == TokenKind::kSymbol)
      error.detail += ": a pipe needs WITH CONNECTOR ('connector'='...', ...)";
    return error;
  }
  if (out.connector.attributes.plugin.empty()) {
    return in_.refuse(ErrorCode::kInvalidArgument, out.connector.mark,
                      "the connector clause names no plugin: add 'connector'='...'");
  }
  return out;
}

ParsedStatement Grammar::alter() {
  if (!in_.accept("PIPE")) return unexpected_behind("ALTER");
  AlterPipe out;
  TG_TRY(out.if_exists, if_exists());
  TG_TRY(out.pipe, pipe_name());
  for (;;) {
    const bool modify = in_.accept("MODIFY");
    if (!modify && !in_.accept("REPLACE")) break;
    const Mark mark = in_.token().mark;
    TG_TRY(const PluginKind kind, part_name());
    for (const AlterPipe::Change& earlier : out.changes) {
      if (earlier.kind != kind) continue;
      return in_.refuse(ErrorCode::kInvalidArgument, mark,
                        "the " + std::string(plugin_kind_name(kind)) + " is changed twice: first in " +
                            place(earlier.clause.mark));
    }
    TG_TRY(Clause changed, clause(kind, mark));
    const auto mode = modify ? AlterPipe::Mode::kModify : AlterPipe::Mode::kReplace;
    out.changes.push_back({kind, mode, std::move(changed)});
  }
  if (out.changes.empty()) return in_.unexpected();
  return out;
}

ParsedStatement Grammar::show_pipes() {
  if (!in_.accept("WHERE")) return ShowPipes();
  if (!in_.accept("CONNECTOR") && !in_.accept("SINK")) return in_.unexpected();
  TG_CHECK(in_.expect("USED"));
  TG_CHECK(in_.expect("BY"));
  TG_TRY(Name pipe, pipe_name());
  return ShowPipes{{}, std::move(pipe)};
}

ParsedStatement Grammar::create_plugin() {
  CreatePipePlugin out;
  TG_TRY(out.if_not_exists, if_not_exists());
  TG_TRY(out.plugin, in_.expect_name(Wanted::kNewName, "the name of the new plugin"));
  TG_CHECK(in_.expect("AS"));
  TG_TRY(out.class_name, in_.expect_text("the name of its class in quotes"));
  if (!in_.accept("USING")) return out;
  in_.accept("URI");
  TG_TRY(out.uri, in_.expect_text("where its file is, in quotes"));
  return out;
}

Result<Clause> Grammar::clause(PluginKind kind, Mark mark) {
  open_ = OpenClause{kind, {}, {}};
  open_.clause.mark = mark;
  TG_CHECK(in_.expect_symbol("("));
  for (;;) {
    in_.want(Wanted::kAttributeName, "the name of an attribute in quotes");
    if (in_.accept_symbol(")")) break;
    TG_CHECK(attribute(kind, &open_.clause));
    if (in_.accept_symbol(",")) continue;
    if (in_.token().text == ";" && in_.second().text == ")") in_.advance();
    TG_CHECK(in_.expect_symbol(")"));
    break;
  }
  return std::move(open_.clause);
}

Status Grammar::attribute(PluginKind kind, Clause* clause) {
  const Mark mark = in_.token().mark;
  TG_TRY(const std::string written, in_.expect_text("the name of an attribute in quotes"));
  TG_TRY(const std::string name, bare_attribute_name(kind, written, mark));
  open_.attribute = name;
  TG_CHECK(in_.expect_symbol("="));
  TG_TRY(std::string value, attribute_value());
  return keep_attribute(kind, clause, name, mark, std::move(value));
}

Result<std::string> Grammar::attribute_value() {
  in_.want(Wanted::kAttributeValue, "a value in quotes");
  if (in_.token().kind == TokenKind::kText) {
    std::string value = text_value(in_.token());
    in_.advance();
    return value;
  }
  const TokenKind kind = in_.token().kind;
  const bool is_bare = kind == TokenKind::kWord || kind == TokenKind::kNumber || kind == TokenKind::kLiteral;
  if (!is_bare) return in_.unexpected();
  const std::string bare = shown_token(in_.token());
  return in_.refuse(ErrorCode::kMalformed, in_.token().mark,
                    "expected a value in quotes, found '" + bare + "': values stand in quotes");
}

// Without the prefix of its part and in lower case; empty is the plugin's own name.
Result<std::string> Grammar::bare_attribute_name(PluginKind kind, const std::string& written,
                                                 Mark mark) const {
  const std::string name = fold_name(written);
  if (name.empty()) return in_.refuse(ErrorCode::kInvalidArgument, mark, "an attribute without a name");
  for (const PartName& part : kParts) {
    if (!name.starts_with(part.prefix)) continue;
    const bool is_plugin = name.size() == part.prefix.size();
    if (!is_plugin && name[part.prefix.size()] != '.') continue;
    if (part.kind != kind) {
      return in_.refuse(ErrorCode::kInvalidArgument, mark,
                        "'" + short_form(written) + "' belongs to the " +
                            std::string(plugin_kind_name(part.kind)) + " clause, not to the " +
                            std::string(plugin_kind_name(kind)) + " clause");
    }
    if (is_plugin) return std::string();
    if (name.size() == part.prefix.size() + 1)
      return in_.refuse(ErrorCode::kInvalidArgument, mark, "an attribute without a name behind its prefix");
    return name.substr(part.prefix.size() + 1);
  }
  return name;
}

Status Grammar::keep_attribute(PluginKind kind, Clause* clause, const std::string& name, Mark mark,
                               std::string value) {
  if (++attributes_ > kMaxAttributes) {
    return in_.refuse(ErrorCode::kTooLarge, mark,
                      "more than " + std::to_string(kMaxAttributes) + " attributes in one statement");
  }
  if (const auto earlier = clause->marks.find(name); earlier != clause->marks.end()) {
    return in_.refuse(ErrorCode::kInvalidArgument, mark,
                      "the attribute " + short_form(shown(kind, name)) + " is given twice: first in " +
                          place(earlier->second));
  }
  clause->marks.emplace(name, mark);
  if (!name.empty()) {
    clause->attributes.values.emplace(name, std::move(value));
  } else if (value.empty()) {
    return in_.refuse(ErrorCode::kInvalidArgument, mark, "the name of the plugin is empty");
  } else {
    clause->attributes.plugin = fold_name(value);
  }
  return {};
}

}  // namespace tidegate
