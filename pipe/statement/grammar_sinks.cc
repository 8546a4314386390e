// SPDX-License-Identifier: Apache-2.0
// Sinks and pipes of Edge-Cloud.
#include "base/timestamp.h"
#include "pipe/statement/grammar.h"

namespace tidegate {
namespace {

bool is_plain_value(TokenKind kind) {
  return kind == TokenKind::kWord || kind == TokenKind::kNumber || kind == TokenKind::kLiteral;
}

std::string plain_value(const Token& token) {
  return token.kind == TokenKind::kText ? text_value(token) : std::string(token.text);
}

}  // namespace

ParsedStatement Grammar::create_sink() {
  CreatePipeSink out;
  TG_TRY(out.sink, in_.expect_name(Wanted::kNewName, "the name of the new sink"));
  TG_CHECK(in_.expect("AS"));
  in_.want(Wanted::kKeyword, "IoTDB");
  TG_TRY(out.type, in_.expect_name(Wanted::kNewName, "the type of the sink"));
  if (in_.accept_symbol("(")) TG_CHECK(sink_attributes(&out));
  return out;
}

// (IP='127.0.0.1', PORT=6670): behind '('. Names without quotes or with, either separator, also at the end.
Status Grammar::sink_attributes(CreatePipeSink* sink) {
  while (!in_.accept_symbol(")")) {
    const Token name = in_.token();
    in_.want(Wanted::kKeyword, "IP");
    in_.want(Wanted::kKeyword, "PORT");
    if (name.kind != TokenKind::kWord && name.kind != TokenKind::kText) return in_.unexpected();
    in_.advance();
    TG_CHECK(in_.expect_symbol("="));
    in_.want(Wanted::kText, "a value");
    if (in_.token().kind != TokenKind::kText && !is_plain_value(in_.token().kind)) return in_.unexpected();
    std::string value = plain_value(in_.token());
    in_.advance();
    if (++attributes_ > kMaxAttributes) {
      return in_.refuse(ErrorCode::kTooLarge, name.mark,
                        "more than " + std::to_string(kMaxAttributes) + " attributes in one statement");
    }
    const std::string key = fold_name(plain_value(name));
    const auto [at, is_new] = sink->attributes.emplace(key, SinkAttribute{name.mark, std::move(value)});
    if (!is_new) {
      return in_.refuse(ErrorCode::kInvalidArgument, name.mark,
                        "the attribute " + shown_token(name) + " is given twice: first in line " +
                            std::to_string(at->second.mark.line) + ", column " +
                            std::to_string(at->second.mark.column));
    }
    if (!in_.accept_symbol(",") && !in_.accept_symbol(";")) return in_.expect_symbol(")");
  }
  return {};
}

ParsedStatement Grammar::create_pipe_to(Name pipe, bool unless_exists) {
  CreatePipeTo out{std::move(pipe), unless_exists, {}, {}, {}};
  TG_TRY(out.sink, in_.expect_name(Wanted::kSink, "the name of a sink"));
  if (in_.accept("FROM")) TG_CHECK(from_select(&out));
  if (!in_.accept("WITH")) return out;
  TG_CHECK(in_.expect("SYNCDELOP"));
  TG_CHECK(in_.expect_symbol("="));
  TG_TRY(out.sync_del_op, boolean());
  return out;
}

// (select ** from root [where time >= value]): behind FROM. Redundant parentheses do no harm.
Status Grammar::from_select(CreatePipeTo* pipe) {
  int open = 0;
  TG_CHECK(in_.expect_symbol("("));
  for (open = 1; in_.accept_symbol("(");) ++open;
  TG_CHECK(in_.expect("SELECT"));
  if (!in_.accept_symbol("**")) {
    Error error = in_.unexpected();
    error.detail += ": a pipe sends every series, SELECT **";
    return error;
  }
  TG_CHECK(in_.expect("FROM"));
  TG_CHECK(in_.expect("ROOT"));
  if (in_.accept("WHERE")) {
    TG_CHECK(in_.expect("TIME"));
    TG_TRY(pipe->start, start_time());
  }
  for (; open > 0; --open) TG_CHECK(in_.expect_symbol(")"));
  return {};
}

Result<StartTime> Grammar::start_time() {
  StartTime out;
  if (!in_.accept_symbol(">=")) {
    out.exclusive = in_.accept_symbol(">");
    if (!out.exclusive) {
      Error error = in_.unexpected();
      error.detail += ": a pipe has a start time and no end";
      return error;
    }
  }
  const Token& token = in_.token();
  out.mark = token.mark;
  in_.want(Wanted::kTime, "a time");
  if (token.kind != TokenKind::kText && !is_plain_value(token.kind)) return in_.unexpected();
  out.text = plain_value(token);
  if (const auto time = parse_event_time(out.text, TimeZone(), 1); !time.ok())
    return in_.refuse(ErrorCode::kInvalidArgument, out.mark, time.error().detail);
  in_.advance();
  return out;
}

Result<bool> Grammar::boolean() {
  in_.want(Wanted::kBool, "true");
  in_.want(Wanted::kBool, "false");
  const std::string word = in_.token().kind == TokenKind::kText || is_plain_value(in_.token().kind)
                               ? fold_name(plain_value(in_.token()))
                               : std::string();
  if (word != "true" && word != "false") return in_.unexpected();
  in_.advance();
  return word == "true";
}

}  // namespace tidegate
