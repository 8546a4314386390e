// SPDX-License-Identifier: Apache-2.0
// The grammar of doc/statements.md, one function per rule. For the parser and completion only.
#pragma once

#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/result.h"
#include "pipe/statement/parser_core.h"
#include "pipe/statement/statement.h"

namespace tidegate {

inline constexpr std::size_t kMaxAttributes = 4096;

// A Result that every kind of statement converts to.
class ParsedStatement : public Result<Statement> {
 public:
  template <class T>
    requires std::is_constructible_v<Statement, T>
  ParsedStatement(T statement) : Result(Statement(std::move(statement))) {}  // NOLINT: implicit by design
  ParsedStatement(Error error) : Result(std::move(error)) {}                 // NOLINT
};

class Grammar {
 public:
  Grammar(std::string_view text, Dialect dialect, Mark start) : in_(text, start), dialect_(dialect) {}

  // One statement and the end of the text. After an error, or at the end, core() says what was wanted there.
  ParsedStatement statement();

  const ParserCore& core() const { return in_; }
  // The WITH clause that is being read, as far as it was read, and the attribute whose value is next.
  struct OpenClause {
    PluginKind kind = PluginKind::kConnector;
    Clause clause;
    std::string attribute;  // "" is the plugin's name
  };
  const OpenClause& open_clause() const { return open_; }

 private:
  using Parsed = ParsedStatement;

  Parsed verb();
  Parsed create();
  Parsed alter();
  Parsed start();
  Parsed stop();
  Parsed drop();
  Parsed show();
  Parsed load();
  Parsed list();
  Parsed select();

  // Pipes and plugins: grammar_pipes.cc
  Parsed create_pipe();
  Parsed create_pipe_to(Name pipe, bool if_not_exists);
  Parsed create_plugin();
  Parsed show_pipes();
  Result<PluginKind> part_name();
  Result<Clause> clause(PluginKind kind, Mark mark);
  Status attribute(PluginKind kind, Clause* clause);
  Result<std::string> bare_attribute_name(PluginKind kind, const std::string& written, Mark mark) const;
  Status keep_attribute(PluginKind kind, Clause* clause, const std::string& name, Mark mark,
                        std::string value);
  Result<std::string> attribute_value();

  // Sinks: grammar_sinks.cc
  Parsed create_sink();
  Status sink_attributes(CreatePipeSink* sink);
  Status from_select(CreatePipeTo* pipe);
  Result<StartTime> start_time();
  Result<bool> boolean();

  // Users and privileges: grammar_users.cc
  Parsed create_user();
  Parsed change_privileges(bool grant);
  Result<std::vector<Privilege>> privileges();
  Status any_path();

  Result<bool> if_not_exists();
  Result<bool> if_exists();
  Result<Name> pipe_name() { return in_.expect_name(Wanted::kPipe, "the name of a pipe"); }
  Result<Name> user_name() { return in_.expect_name(Wanted::kUser, "the name of a user"); }
  // The current token does not fit behind `verb`: a statement of the database, or a mistake.
  Error unexpected_behind(std::string_view verb) const;

  ParserCore in_;
  Dialect dialect_;
  std::size_t attributes_ = 0;
  OpenClause open_;
};

}  // namespace tidegate
