// SPDX-License-Identifier: Apache-2.0
// The verbs, and what is the same behind several of them.
#include "pipe/statement/grammar.h"

#include <charconv>

#include "pipe/statement/keywords.h"

namespace tidegate {

Error Grammar::unexpected_behind(std::string_view verb) const {
  const Token& token = in_.token();
  const std::string word = token.kind == TokenKind::kWord ? upper_word(token.text) : std::string();
  const bool is_verb = verb.empty();
  if (word.empty() || !belongs_to_database(is_verb ? word : verb, is_verb ? "" : word))
    return in_.unexpected();
  return in_.refuse(ErrorCode::kUnsupported, token.mark,
                    (is_verb ? word : std::string(verb) + " " + word) +
                        " belongs to the database, not to the gateway: send it to the database itself");
}

ParsedStatement Grammar::statement() {
  ParsedStatement parsed = verb();
  if (!parsed.ok()) return parsed;
  while (in_.accept_symbol(";")) {
  }
  in_.want(Wanted::kEnd, "the end of the statement");
  if (in_.token().kind == TokenKind::kEnd) return parsed;
  return in_.unexpected();
}

ParsedStatement Grammar::verb() {
  if (in_.accept("CREATE")) return create();
  if (in_.accept("ALTER")) return alter();
  if (in_.accept("START")) return start();
  if (in_.accept("STOP")) return stop();
  if (in_.accept("DROP")) return drop();
  if (in_.accept("SHOW")) return show();
  if (in_.accept("LOAD")) return load();
  if (in_.accept("GRANT")) return change_privileges(true);
  if (in_.accept("REVOKE")) return change_privileges(false);
  if (in_.accept("LIST")) return list();
  if (in_.accept("SELECT")) return select();
  return unexpected_behind("");
}

Result<bool> Grammar::if_not_exists() {
  if (in_.at_keyword("IF") && upper_word(in_.second().text) != "NOT") return false;  // a pipe called "if"
  if (!in_.accept("IF")) return false;
  TG_CHECK(in_.expect("NOT"));
  TG_CHECK(in_.expect("EXISTS"));
  return true;
}

Result<bool> Grammar::if_exists() {
  if (in_.at_keyword("IF") && upper_word(in_.second().text) != "EXISTS") return false;
  if (!in_.accept("IF")) return false;
  TG_CHECK(in_.expect("EXISTS"));
  return true;
}

ParsedStatement Grammar::create() {
  if (in_.accept("PIPE")) return create_pipe();
  if (in_.accept("PIPEPLUGIN")) return create_plugin();
  if (in_.accept("PIPESINK")) return create_sink();
  if (in_.accept("USER")) return create_user();
  return unexpected_behind("CREATE");
}

ParsedStatement Grammar::start() {
  if (in_.accept("PIPESERVER")) return StartPipeServer();
  if (!in_.accept("PIPE")) return unexpected_behind("START");
  TG_TRY(const bool exists, if_exists());
  TG_TRY(Name pipe, pipe_name());
  return StartPipe{std::move(pipe), exists};
}

ParsedStatement Grammar::stop() {
  if (in_.accept("PIPESERVER")) return StopPipeServer();
  if (!in_.accept("PIPE")) return unexpected_behind("STOP");
  TG_TRY(const bool exists, if_exists());
  TG_TRY(Name pipe, pipe_name());
  return StopPipe{std::move(pipe), exists};
}

ParsedStatement Grammar::drop() {
  if (in_.accept("PIPE")) {
    TG_TRY(const bool exists, if_exists());
    TG_TRY(Name pipe, pipe_name());
    return DropPipe{std::move(pipe), exists};
  }
  if (in_.accept("PIPEPLUGIN")) {
    TG_TRY(const bool exists, if_exists());
    TG_TRY(Name plugin, in_.expect_name(Wanted::kPlugin, "the name of a plugin"));
    return DropPipePlugin{std::move(plugin), exists};
  }
  if (in_.accept("PIPESINK")) {
    TG_TRY(Name sink, in_.expect_name(Wanted::kSink, "the name of a sink"));
    return DropPipeSink{std::move(sink)};
  }
  if (!in_.accept("USER")) return unexpected_behind("DROP");
  TG_TRY(Name user, user_name());
  return DropUser{std::move(user)};
}

ParsedStatement Grammar::show() {
  const auto is_name = [&] {
    return in_.token().kind == TokenKind::kWord || in_.token().kind == TokenKind::kQuoted;
  };
  if (in_.accept("PIPES")) return show_pipes();
  if (in_.accept("PIPE")) {
    in_.want(Wanted::kPipe, "the name of a pipe");
    if (!is_name()) return ShowPipes();
    TG_TRY(Name pipe, pipe_name());
    return ShowPipes{std::move(pipe), {}};
  }
  if (in_.accept("PIPEPLUGINS")) return ShowPipePlugins();
  if (in_.accept("PIPESINKTYPE")) return ShowPipeSinkTypes();
  if (in_.accept("PIPESINKS")) return ShowPipeSinks();
  if (in_.accept("PIPESINK")) {
    in_.want(Wanted::kSink, "the name of a sink");
    if (!is_name()) return ShowPipeSinks();
    TG_TRY(Name sink, in_.expect_name(Wanted::kSink, "the name of a sink"));
    return ShowPipeSinks{std::move(sink)};
  }
  if (!in_.accept("PIPESERVER")) return unexpected_behind("SHOW");
  in_.accept("STATUS");
  return ShowPipeServer();
}

ParsedStatement Grammar::load() {
  if (in_.accept("CONFIGURATION")) return LoadConfiguration();
  if (in_.token().kind != TokenKind::kText) return in_.unexpected();
  return in_.refuse(ErrorCode::kUnsupported, in_.token().mark,
                    "LOAD of a file belongs to the database, not to the gateway: send it to the database "
                    "itself, or write LOAD CONFIGURATION");
}

// Whatever else is selected is data, and that is in the database.
ParsedStatement Grammar::select() {
  const Mark mark = in_.token().mark;
  const bool ends = in_.token().kind == TokenKind::kEnd || in_.token().kind == TokenKind::kBad;
  const auto foreign = [&] {
    if (ends || in_.token().kind == TokenKind::kEnd || in_.token().kind == TokenKind::kBad)
      return in_.unexpected();
    return in_.refuse(ErrorCode::kUnsupported, mark,
                      "SELECT of data belongs to the database, not to the gateway: send it to the database "
                      "itself; what can be selected here is SELECT * FROM processing_engine_logs");
  };
  if (!in_.accept_symbol("*") || !in_.accept("FROM")) return foreign();
  if (in_.accept("SYSTEM") && !in_.accept_symbol(".")) return foreign();
  if (!in_.accept("PROCESSING_ENGINE_LOGS")) return foreign();
  if (!in_.accept("LIMIT")) return SelectLogs();
  in_.want(Wanted::kNumber, "a number of rows");
  std::uint64_t limit = 0;
  const std::string_view text = in_.token().text;
  const auto [at, ec] = std::from_chars(text.data(), text.data() + text.size(), limit);
  if (in_.token().kind != TokenKind::kNumber || ec != std::errc() || at != text.data() + text.size())
    return in_.unexpected();
  in_.advance();
  return SelectLogs{limit};
}

}  // namespace tidegate
