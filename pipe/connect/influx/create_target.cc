// SPDX-License-Identifier: Apache-2.0
#include "pipe/connect/influx/create_target.h"

#include "protocol/influx/http_errors.h"
#include "protocol/influx/json_text.h"

namespace tidegate {
namespace {

using influx::JsonValue;
using Kind = Creation::Kind;

std::string quoted_identifier(std::string_view name) {
  std::string out = "\"";
  for (const char c : name) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  return out + '"';
}

// What an answer other than success means for a creation.
Creation judge(const HttpResponse& response) {
  const auto answer = influx::parse_error_body(response.status, response.body);
  switch (answer.verdict) {
    case influx::Verdict::kStored:
      return {Kind::kCreated, ""};
    case influx::Verdict::kRetry:
      return {Kind::kTrouble, answer.message};
    default:
      return {Kind::kRefused, answer.message};
  }
}

// Errors of a statement come with status 200.
Creation judge_statements(const HttpResponse& response) {
  if (Creation out = judge(response); out.kind != Kind::kCreated) return out;
  const auto body = influx::parse_json(response.body);
  const JsonValue* results = body.has_value() ? body->find("results") : nullptr;
  if (results == nullptr) return {Kind::kTrouble, "the answer to a statement is none of an InfluxDB"};
  for (const JsonValue& result : results->members) {
    if (const std::string_view error = result.string("error"); !error.empty())
      return {Kind::kRefused, std::string(error)};
  }
  return {Kind::kCreated, ""};
}

Result<std::string> find_org(const SendRequest& send, const std::string& org, Creation* failure) {
  HttpRequest request;
  request.method = "GET";
  request.target = "/api/v2/orgs?org=" + percent_encode(org);
  TG_TRY(const HttpResponse response, send(request));
  *failure = judge(response);
  if (failure->kind != Kind::kCreated) return std::string();
  const auto body = influx::parse_json(response.body);
  const JsonValue* orgs = body.has_value() ? body->find("orgs") : nullptr;
  if (orgs != nullptr) {
    for (const JsonValue& each : orgs->members)
      if (each.string("name") == org && !each.string("id").empty()) return std::string(each.string("id"));
  }
  *failure = {Kind::kRefused, "the token shows no organization \"" + org + "\""};
  return std::string();
}

}  // namespace

TargetName split_policy(std::string_view name) {
  const std::size_t slash = name.find('/');
  if (slash == std::string_view::npos) return {std::string(name), ""};
  return {std::string(name.substr(0, slash)), std::string(name.substr(slash + 1))};
}

std::string create_statements(const TargetName& name) {
  std::string out = "CREATE DATABASE " + quoted_identifier(name.database);
  if (!name.policy.empty()) {
    out += "; CREATE RETENTION POLICY " + quoted_identifier(name.policy) + " ON " +
           quoted_identifier(name.database) + " DURATION INF REPLICATION 1";
  }
  return out;
}

Creation create_database(const SendRequest& send, const TargetName& name) {
  HttpRequest request;
  request.target = "/query?q=" + percent_encode(create_statements(name));
  const auto response = send(request);
  if (!response.ok()) return {Kind::kTrouble, response.error().text()};
  return judge_statements(*response);
}

Creation create_bucket(const SendRequest& send, const std::string& org, const std::string& bucket) {
  Creation failure;
  const auto id = find_org(send, org, &failure);
  if (!id.ok()) return {Kind::kTrouble, id.error().text()};
  if (id->empty()) return failure;
  std::string body = "{\"orgID\":";
  influx::append_json_string(body, *id);
  body += ",\"name\":";
  influx::append_json_string(body, bucket);
  body += ",\"retentionRules\":[]}";
  HttpRequest request;
  request.target = "/api/v2/buckets";
  request.headers.emplace_back("Content-Type", "application/json");
  request.body = as_bytes(body);
  const auto response = send(request);
  if (!response.ok()) return {Kind::kTrouble, response.error().text()};
  return judge(*response);
}

}  // namespace tidegate
