// SPDX-License-Identifier: Apache-2.0
#include "pipe/statement/statement_service.h"

#include <algorithm>

#include "pipe/engine/json_text.h"
#include "pipe/statement/utf8.h"

namespace tidegate {
namespace {

constexpr unsigned kWrong = 400, kForbidden = 403, kRefusedHere = 409;

unsigned http_status(const Error& error) {
  switch (error.code) {
    case ErrorCode::kMalformed:
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kTooLarge:
    case ErrorCode::kUnsupported:
      return kWrong;
    case ErrorCode::kUnauthorized:
      return kForbidden;
    default:
      return kRefusedHere;
  }
}

// JSON is UTF-8; what was quoted from a broken statement may not be.
std::string utf8_text(const std::string& text) {
  return find_broken_utf8(text) == std::string_view::npos ? text : printable(text);
}

std::string error_json(const Error& error, const std::string& explanation) {
  std::string out;
  JsonObject object(out);
  object.text("code", error_name(error.code));
  object.text("text", utf8_text(error.detail));
  if (error.line) object.number("line", *error.line);
  if (error.column) object.number("column", *error.column);
  object.text("explanation", utf8_text(explanation));
  object.end();
  return out;
}

std::string execution_json(const Execution& done) {
  std::string results = "[";
  for (const ResultTable& table : done.results)
    results += (results.size() > 1 ? "," : "") + table_json(table);
  std::string out;
  JsonObject object(out);
  object.raw("results", results + "]");
  object.raw("error", done.error ? error_json(*done.error, done.explanation) : "null");
  object.end();
  return out + "\n";
}

std::string execution_text(const Execution& done) {
  std::string out;
  for (const ResultTable& table : done.results) out += draw_table(table);
  if (done.error) out += draw_table({{}, {}, done.explanation});
  return out;
}

std::string completion_json(const Completion& completion) {
  std::string list = "[";
  for (const std::string& candidate : completion.candidates) {
    if (list.size() > 1) list += ",";
    append_json_string(list, utf8_text(candidate));
  }
  std::string out;
  JsonObject object(out);
  object.number("from", completion.from);
  object.raw("candidates", list + "]");
  object.end();
  return out + "\n";
}

Caller caller_of(const ControlPeer& peer) {
  return {peer.user, peer.uid, peer.pid, peer.socket, peer.is_admin};
}

}  // namespace

std::optional<Dialect> parse_dialect_name(std::string_view name) {
  for (const Dialect dialect : {Dialect::kDataSync, Dialect::kEdgeCloud})
    if (fold_name(name) == dialect_name(dialect)) return dialect;
  return {};
}

ControlAnswer answer_statement(Executor& executor, Dialect otherwise, const ControlStatement& asked) {
  const auto dialect = asked.dialect.empty() ? otherwise : parse_dialect_name(asked.dialect);
  if (!dialect)
    return {kWrong, "text/plain; charset=utf-8",
            "there is no dialect '" + printable(asked.dialect) + "': there are data-sync and edge-cloud\n"};
  const Caller caller = caller_of(asked.peer);
  if (asked.cursor)
    return {200, "application/json",
            completion_json(
                executor.complete(caller, asked.text, std::min(*asked.cursor, asked.text.size()), *dialect))};
  const Execution done = executor.execute(caller, asked.text, *dialect);
  const unsigned status = done.error ? http_status(*done.error) : 200;
  if (asked.accept.starts_with("text/plain"))
    return {status, "text/plain; charset=utf-8", execution_text(done)};
  return {status, "application/json", execution_json(done)};
}

StatementHandler statement_handler(Executor& executor, Dialect otherwise) {
  return [&executor, otherwise](const ControlStatement& asked) {
    return answer_statement(executor, otherwise, asked);
  };
}

}  // namespace tidegate
