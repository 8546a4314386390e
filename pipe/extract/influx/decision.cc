// SPDX-License-Identifier: Apache-2.0
#include "pipe/extract/influx/decision.h"

#include <algorithm>

#include "protocol/influx/json_text.h"

namespace tidegate {
namespace {

using influx::Api;

constexpr std::size_t kLongestKey = 255;
constexpr std::size_t kLongestName = 4096;  // of a database or bucket

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::optional<std::string> decoded(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out.push_back(text[i] == '+' ? ' ' : text[i]);
      continue;
    }
    if (i + 2 >= text.size() || hex_digit(text[i + 1]) < 0 || hex_digit(text[i + 2]) < 0) return std::nullopt;
    out.push_back(static_cast<char>(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2])));
    i += 2;
  }
  return out;
}

bool same_word(std::string_view a, std::string_view lower) {
  return std::ranges::equal(a, lower,
                            [](char x, char y) { return (x >= 'A' && x <= 'Z' ? x + 32 : x) == y; });
}

HttpReply plain_text(int status, std::string body) {
  HttpReply out{status, std::move(body), "text/plain; charset=utf-8", {}};
  out.headers.emplace_back("X-Content-Type-Options", "nosniff");
  return out;
}

HttpReply not_allowed(Api api, std::string_view allow) {
  HttpReply out = api == Api::kV1 ? plain_text(405, "Method Not Allowed\n")
                                  : error_reply(api, 405, "Method not allowed; use " + std::string(allow));
  out.headers.emplace_back("Allow", allow);
  return out;
}

// What this source is not, said in the words of the server that has it.
HttpReply not_here(std::string_view path) {
  if (path.starts_with("/api/v3/"))
    return error_reply(Api::kV1, 404,
                       "the 3.x API is not served here: use POST /api/v2/write or POST /write");
  if (path.starts_with("/api/v2/"))
    return error_reply(Api::kV2, 404, "path not found: of the 2.x API only /api/v2/write is served");
  return plain_text(404, "404 page not found\n");
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n";
  text.remove_prefix(std::min(text.find_first_not_of(kBlanks), text.size()));
  return text.substr(0, text.find_last_not_of(kBlanks) + 1);
}

// Takes `lower` and the blanks behind it off the front.
bool take_word(std::string_view& text, std::string_view lower) {
  if (text.size() <= lower.size() || !same_word(text.substr(0, lower.size()), lower)) return false;
  const std::string_view rest = text.substr(lower.size());
  if (!trimmed(rest.substr(0, 1)).empty()) return false;
  text = trimmed(rest);
  return true;
}

// An identifier of InfluxQL: a word, or anything in double quotes.
bool is_identifier(std::string_view text) {
  if (text.empty()) return false;
  if (text[0] != '"') {
    const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
    return letter(text[0]) &&
           std::ranges::all_of(text, [&](char c) { return letter(c) || (c >= '0' && c <= '9'); });
  }
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (text[i] == '\\')
      ++i;
    else if (text[i] == '"')
      return i > 1 && i + 1 == text.size();
  }
  return false;
}

bool creates_database(std::string_view statement) {
  std::string_view rest = trimmed(statement);
  if (rest.ends_with(';')) rest = trimmed(rest.substr(0, rest.size() - 1));
  return take_word(rest, "create") && take_word(rest, "database") && is_identifier(rest);
}

struct Route {
  std::string_view path;
  std::string_view query;
};

Route split_target(std::string_view target) {
  // The absolute form of RFC 9112 3.2.2, which a client sends to a proxy.
  if (!target.starts_with('/')) {
    const std::size_t scheme = target.find("://");
    if (scheme != std::string_view::npos) {
      const std::size_t slash = target.find('/', scheme + 3);
      target = slash == std::string_view::npos ? std::string_view("/") : target.substr(slash);
    }
  }
  const std::size_t mark = target.find('?');
  if (mark == std::string_view::npos) return {target, {}};
  return {target.substr(0, mark), target.substr(mark + 1)};
}

std::optional<Presented> presented(Api api, std::string_view query, const RequestHead& head) {
  if (api == Api::kV1) {
    const auto password = query_parameter(query, "p");
    if (password && !password->empty()) return Presented{query_parameter(query, "u").value_or(""), *password};
  }
  if (!head.authorization) return std::nullopt;
  return parse_authorization(*head.authorization);
}

// The name of who sends, or the 401.
std::variant<std::string, HttpReply> authenticate(Api api, const Credentials& credentials,
                                                  std::string_view query, const RequestHead& head) {
  if (credentials.open()) return std::string();
  const std::optional<Presented> shown = presented(api, query, head);
  if (shown)
    if (auto who = credentials.find(*shown)) return *std::move(who);
  if (api == Api::kV2) return make_reply(api, influx::v2::unauthorized());
  return make_reply(api, influx::v1::unauthorized(shown ? "authorization failed"
                                                        : "unable to parse authentication credentials"));
}

// 1.x: db and rp. 2.x: bucket.
std::variant<std::string, HttpReply> database_of(Api api, const InfluxHttpOptions& options,
                                                 std::string_view query) {
  std::string name = query_parameter(query, api == Api::kV1 ? "db" : "bucket").value_or("");
  if (!options.database.empty()) return options.database;
  if (name.empty())
    return make_reply(
        api, api == Api::kV1 ? influx::v1::database_missing() : influx::v2::error(404, "bucket not found"));
  if (api == Api::kV1) {
    const std::string policy = query_parameter(query, "rp").value_or("");
    if (!policy.empty() && policy != "autogen" && policy != "default") name += "/" + policy;
  }
  if (name.size() > kLongestName)
    return error_reply(api, 400,
                       "the name of the database is longer than " + std::to_string(kLongestName) + " bytes");
  return name;
}

std::optional<HttpReply> read_encoding(const RequestHead& head, WriteRequest& out) {
  const std::string_view encoding = head.content_encoding.value_or("");
  out.gzip = same_word(encoding, "gzip") || same_word(encoding, "x-gzip");
  if (out.gzip || encoding.empty() || same_word(encoding, "identity")) return std::nullopt;
  HttpReply refused = error_reply(
      out.api, 415, "Content-Encoding '" + std::string(encoding) + "' is not supported: use gzip or none");
  refused.headers.emplace_back("Accept-Encoding", "gzip");
  return refused;
}

std::optional<HttpReply> read_expect(const RequestHead& head, WriteRequest& out) {
  if (!head.expect) return std::nullopt;
  out.expects_continue = same_word(*head.expect, "100-continue");
  if (out.expects_continue) return std::nullopt;
  return error_reply(out.api, 417, "only Expect: 100-continue is known");
}

std::optional<HttpReply> read_key(const RequestHead& head, WriteRequest& out) {
  if (!head.idempotency_key) return std::nullopt;
  out.idempotency_key = *head.idempotency_key;
  if (!out.idempotency_key.empty() && out.idempotency_key.size() <= kLongestKey) return std::nullopt;
  return error_reply(out.api, 400,
                     "an Idempotency-Key has 1 to " + std::to_string(kLongestKey) + " characters");
}

Decision decide_write(Api api, const InfluxHttpOptions& options, const Credentials& credentials,
                      std::string_view query, const RequestHead& head) {
  if (head.method == "OPTIONS" && api == Api::kV1)
    return HttpReply{204, {}, {}, {{"Allow", "OPTIONS, POST"}}};
  if (head.method != "POST") return not_allowed(api, api == Api::kV1 ? "OPTIONS, POST" : "POST");
  WriteRequest out;
  out.api = api;
  out.target = head.target;
  auto who = authenticate(api, credentials, query, head);
  if (auto* refused = std::get_if<HttpReply>(&who)) return std::move(*refused);
  out.credential = std::get<std::string>(std::move(who));

  const std::string precision = query_parameter(query, "precision").value_or("");
  const auto known = influx::parse_precision(api, precision);
  if (!known)
    return make_reply(
        api, api == Api::kV1 ? influx::v1::bad_precision(precision) : influx::v2::bad_precision(precision));
  out.precision = *known;
  auto database = database_of(api, options, query);
  if (auto* refused = std::get_if<HttpReply>(&database)) return std::move(*refused);
  out.database = std::get<std::string>(std::move(database));

  if (auto refused = read_encoding(head, out)) return *std::move(refused);
  if (auto refused = read_expect(head, out)) return *std::move(refused);
  if (auto refused = read_key(head, out)) return *std::move(refused);
  if (head.content_length.value_or(0) > options.max_body) return too_large_reply(api);
  return out;
}

Decision decide_query(const Credentials& credentials, std::string_view query, const RequestHead& head) {
  if (head.method != "GET" && head.method != "POST") return not_allowed(Api::kV1, "GET, POST");
  auto who = authenticate(Api::kV1, credentials, query, head);
  if (auto* refused = std::get_if<HttpReply>(&who)) return std::move(*refused);
  if (const auto statement = query_parameter(query, "q")) return query_reply(*statement);
  const std::string_view type = head.content_type.value_or("");
  const bool form = head.method == "POST" &&
                    same_word(trimmed(type.substr(0, type.find(';'))), "application/x-www-form-urlencoded");
  if (!form) return form_reply("");
  WriteRequest expectation;
  if (auto refused = read_expect(head, expectation)) return *std::move(refused);
  if (head.content_length.value_or(0) > kLargestForm) return too_large_reply(Api::kV1);
  return QueryRequest{expectation.expects_continue};
}

}  // namespace

HttpReply form_reply(std::string_view form_body) {
  const auto statement = query_parameter(form_body, "q");
  if (!statement) return error_reply(Api::kV1, 400, "missing required parameter \"q\"");
  return query_reply(*statement);
}

HttpReply query_reply(std::string_view statement) {
  if (!creates_database(statement))
    return error_reply(
        Api::kV1, 404,
        "queries are not answered here: this gateway only takes writes. CREATE DATABASE with a "
        "name alone is accepted, and needs not be said");
  HttpReply out;
  out.status = 200;
  out.body = "{\"results\":[{\"statement_id\":0}]}\n";
  return out;
}

std::string told_to_client(const Error& error) {
  switch (error.code) {
    case ErrorCode::kNoSpace:
      return "the gateway's journal is full: it takes more when there is room again";
    case ErrorCode::kPoisoned:
      return "the disk of the gateway has failed: its operator must look at it";
    case ErrorCode::kBusy:
    case ErrorCode::kClosed:
    case ErrorCode::kTooLarge:
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kOutOfMemoryBudget: {
      Error shown = error;
      shown.path.clear();
      return shown.text();
    }
    default:
      return std::string(error_sentence(error.code));
  }
}

std::optional<std::string> query_parameter(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    const std::size_t end = std::min(query.find('&'), query.size());
    const std::string_view pair = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    if (pair.find(';') != std::string_view::npos) continue;  // Go refuses such a pair, too
    const std::size_t equals = std::min(pair.find('='), pair.size());
    if (decoded(pair.substr(0, equals)) != name) continue;
    auto value = decoded(pair.substr(std::min(equals + 1, pair.size())));
    if (value) return value;
  }
  return std::nullopt;
}

Decision decide(const InfluxHttpOptions& options, const Credentials& credentials, const RequestHead& head) {
  const auto [path, query] = split_target(head.target);
  const bool reads = head.method == "GET" || head.method == "HEAD";
  if (path == "/write") return decide_write(Api::kV1, options, credentials, query, head);
  if (path == "/api/v2/write") return decide_write(Api::kV2, options, credentials, query, head);
  if (path == "/query") return decide_query(credentials, query, head);
  if (path == "/ping") return reads ? HttpReply{} : not_allowed(Api::kV1, "GET, HEAD");
  if (path == "/health") return reads ? Decision(HealthRequest{}) : not_allowed(Api::kV2, "GET, HEAD");
  return not_here(path);
}

HttpReply health_reply(const Status& health, std::string_view version) {
  HttpReply out;
  out.status = health.ok() ? 200 : 503;
  out.body = "{\"name\":\"tidegate\",\"message\":";
  influx::append_json_string(out.body, health.ok() ? "ready for writes" : told_to_client(health.error()));
  out.body += health.ok() ? R"(,"checks":[],"status":"pass","version":)"
                          : R"(,"checks":[],"status":"fail","version":)";
  influx::append_json_string(out.body, version);
  out.body += ",\"commit\":\"\"}\n";
  return out;
}

}  // namespace tidegate
