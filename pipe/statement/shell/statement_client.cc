// SPDX-License-Identifier: Apache-2.0
#include "pipe/statement/shell/statement_client.h"

#include <charconv>

#include "protocol/influx/json_text.h"

namespace tidegate {
namespace {

using Json = influx::JsonValue;

Error strange(const std::string& json) {
  return make_error(ErrorCode::kMalformed,
                    "this is no answer of a daemon of Tidegate: " + json.substr(0, 200));
}

std::vector<std::string> texts_of(const Json* array) {
  std::vector<std::string> out;
  if (array != nullptr)
    for (const Json& member : array->members) out.push_back(member.text);
  return out;
}

ResultTable table_of(const Json& json) {
  ResultTable out;
  out.columns = texts_of(json.find("columns"));
  if (const Json* const rows = json.find("rows"))
    for (const Json& row : rows->members) out.rows.push_back(texts_of(&row));
  out.message = json.string("message");
  return out;
}

}  // namespace

Result<StatementAnswer> parse_statement_answer(const std::string& json) {
  const auto parsed = influx::parse_json(json);
  const Json* const results = parsed ? parsed->find("results") : nullptr;
  const Json* const error = parsed ? parsed->find("error") : nullptr;
  if (results == nullptr || error == nullptr) return strange(json);
  StatementAnswer out;
  out.json = json;
  for (const Json& table : results->members) out.results.push_back(table_of(table));
  out.refused = error->kind == Json::Kind::kObject;
  out.explanation = error->string("explanation");
  return out;
}

Result<CompletionAnswer> parse_completion_answer(const std::string& json) {
  const auto parsed = influx::parse_json(json);
  const Json* const from = parsed ? parsed->find("from") : nullptr;
  if (from == nullptr) return strange(json);
  CompletionAnswer out;
  const char* const end = from->text.data() + from->text.size();
  if (std::from_chars(from->text.data(), end, out.from).ptr != end) return strange(json);
  out.candidates = texts_of(parsed->find("candidates"));
  return out;
}

ControlRequest StatementClient::request(const char* path, const std::string& text) const {
  ControlRequest out;
  out.method = "POST";
  out.path = path;
  out.body = text;
  if (!dialect_.empty()) out.headers["Tidegate-Dialect"] = dialect_;
  return out;
}

Result<StatementAnswer> StatementClient::execute(const std::string& text, Nanos timeout) const {
  ControlRequest asked = request("/statement", text);
  asked.timeout = timeout;
  TG_TRY(const ControlResponse answer, ask_control(target_, asked));
  // A refusal of the server itself is a sentence.
  if (!answer.body.starts_with('{'))
    return make_error(ErrorCode::kUnsupported, answer.body.substr(0, answer.body.find('\n')))
        .from_peer(target_.text());
  auto parsed = parse_statement_answer(answer.body);
  if (!parsed.ok()) return Error(std::move(parsed).error()).from_peer(target_.text());
  return parsed;
}

Result<CompletionAnswer> StatementClient::complete(const std::string& text, std::size_t cursor) const {
  ControlRequest asked = request("/complete", text);
  asked.headers["Tidegate-Cursor"] = std::to_string(cursor);
  asked.timeout = 2 * kSecond;
  TG_TRY(const ControlResponse answer, ask_control(target_, asked));
  return parse_completion_answer(answer.body);
}

}  // namespace tidegate
