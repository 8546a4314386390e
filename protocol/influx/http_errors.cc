// SPDX-License-Identifier: Apache-2.0
#include "protocol/influx/http_errors.h"

#include <charconv>

#include "protocol/influx/json_text.h"

namespace tidegate::influx {
namespace {

constexpr std::string_view kUnableToParse = "unable to parse '";

// The messages of the lines, one below the other as the servers join them.
std::string joined(std::span<const LineError> errors, std::size_t error_count) {
  std::string out;
  for (const LineError& error : errors) {
    if (!out.empty()) out.push_back('\n');
    out += error.message();
  }
  if (error_count > errors.size())
    out += "\nand " + std::to_string(error_count - errors.size()) + " more lines that could not be parsed";
  return out;
}

std::string_view v2_code(int status) {
  switch (status) {
    case 400:
      return "invalid";
    case 401:
      return "unauthorized";
    case 403:
      return "forbidden";
    case 404:
      return "not found";
    case 405:
      return "method not allowed";
    case 413:
      return "request too large";
    case 422:
      return "unprocessable entity";
    case 429:
      return "too many requests";
    case 503:
      return "unavailable";
    default:
      return "internal error";
  }
}

HttpAnswer with_retry(HttpAnswer answer, std::uint32_t seconds) {
  answer.retry_after = seconds;
  return answer;
}

template <class T>
std::optional<T> whole_number(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

// Cuts " dropped=N" off the end.
std::optional<std::uint64_t> take_dropped(std::string_view& message) {
  constexpr std::string_view kWord = " dropped=";
  const std::size_t at = message.rfind(kWord);
  if (at == std::string_view::npos) return std::nullopt;
  const auto count = whole_number<std::uint64_t>(message.substr(at + kWord.size()));
  if (count) message = message.substr(0, at);
  return count;
}

// "unable to parse '<line>': <reason>", several joined with newlines. A line may hold newlines and quotes
// itself, so an entry ends only where the next one begins.
void take_named_lines(std::string_view message, std::vector<RefusedLine>& lines) {
  std::size_t at = message.find(kUnableToParse);
  while (at != std::string_view::npos) {
    const std::string next_mark = "\n" + std::string(kUnableToParse);
    const std::size_t next = message.find(next_mark, at);
    const std::string_view entry = message.substr(
        at + kUnableToParse.size(),
        next == std::string_view::npos ? std::string_view::npos : next - at - kUnableToParse.size());
    const std::size_t close = entry.rfind("': ");
    if (close != std::string_view::npos)
      lines.push_back(
          {std::nullopt, std::string(entry.substr(0, close)), std::string(entry.substr(close + 3))});
    at = next == std::string_view::npos ? next : next + 1;
  }
}

// The `data` of 3.x: one object, or an array of them.
void take_v3_line(const JsonValue& entry, std::vector<RefusedLine>& lines) {
  if (entry.kind != JsonValue::Kind::kObject) return;
  RefusedLine line;
  line.text = entry.string("original_line");
  line.reason = entry.string("error_message");
  if (const JsonValue* number = entry.find("line_number"))
    line.number = whole_number<std::uint64_t>(number->text);
  lines.push_back(std::move(line));
}

void take_v3_lines(const JsonValue& body, std::vector<RefusedLine>& lines) {
  const JsonValue* data = body.find("data");
  if (data == nullptr) return;
  if (data->kind == JsonValue::Kind::kObject) return take_v3_line(*data, lines);
  for (const JsonValue& entry : data->members) take_v3_line(entry, lines);
}

// What the body says, whatever the status is.
void read_body(std::string_view body, TargetAnswer& answer) {
  const std::optional<JsonValue> json = parse_json(body);
  if (!json) return answer.message = trimmed(body), void();
  const std::string_view error = json->string("error");
  answer.message = error.empty() ? json->string("message") : error;
  if (answer.message.empty()) answer.message = trimmed(body);
  std::string_view rest = answer.message;
  answer.dropped = take_dropped(rest);
  take_named_lines(rest, answer.lines);
  take_v3_lines(*json, answer.lines);
}

// The target's own words: what comes before the first quote. Behind it stands what a client wrote, which may
// say anything, "partial write" included.
std::string_view own_words(std::string_view message) {
  return message.substr(0, message.find_first_of("'\""));
}

bool names_what_is_missing(std::string_view message) {
  const std::string_view words = own_words(message);
  return words.starts_with("database not found") || words.find("retention policy not found") != words.npos;
}

// 2.x: bucket "x" not found.
bool names_bucket(std::string_view message) {
  return own_words(message) == "bucket " && message.ends_with(" not found");
}

// 4xx that speak of the data: is it all of the request or some lines, and what became of the others?
void judge_refusal(TargetAnswer& answer) {
  answer.others_stored = own_words(answer.message).find("partial write") != std::string_view::npos;
  answer.verdict = answer.others_stored || !answer.lines.empty() ? Verdict::kSomeLines : Verdict::kAllLines;
}

Verdict verdict_of_status(int status) {
  if (status >= 200 && status < 300) return Verdict::kStored;
  switch (status) {
    case 401:
    case 403:
    case 407:
      return Verdict::kUnauthorized;
    case 404:
    case 405:
      return Verdict::kNotFound;
    case 413:
      return Verdict::kTooLarge;
    case 408:
    case 425:
    case 429:
      return Verdict::kRetry;
    default:
      return status >= 400 && status < 500 ? Verdict::kAllLines : Verdict::kRetry;
  }
}

}  // namespace

namespace v1 {

HttpAnswer error(int status, std::string_view message) {
  HttpAnswer out{status, "{\"error\":", std::nullopt};
  append_json_string(out.body, message);
  out.body += "}\n";
  return out;
}

HttpAnswer bad_lines(std::span<const LineError> errors, std::size_t error_count, std::size_t stored) {
  std::size_t reserved = 0;
  for (const LineError& each : errors) reserved += each.fault == LineFault::kReservedName ? 1 : 0;
  const std::string message = joined(errors, error_count);
  // With nothing stored the servers speak of a partial write only where a good line was dropped later.
  if (stored == 0 && reserved == 0) return error(400, message);
  return error(400, "partial write: " + message + " dropped=" + std::to_string(reserved));
}

HttpAnswer database_missing() {
  return error(400, "database is required");
}
HttpAnswer database_not_found(std::string_view database) {
  return error(404, "database not found: \"" + std::string(database) + "\"");
}
HttpAnswer bad_precision(std::string_view precision) {
  return error(400, "invalid precision \"" + std::string(precision) + "\" (use n, u, ms, s, m or h)");
}
HttpAnswer unauthorized(std::string_view why) {
  return error(401, why);
}
HttpAnswer too_large() {
  return error(413, "Request Entity Too Large");
}
HttpAnswer unavailable(std::string_view why, std::uint32_t retry_after_seconds) {
  return with_retry(error(503, why), retry_after_seconds);
}

}  // namespace v1

namespace v2 {

HttpAnswer error(int status, std::string_view message) {
  HttpAnswer out{status, "{\"code\":", std::nullopt};
  append_json_string(out.body, v2_code(status));
  out.body += ",\"message\":";
  append_json_string(out.body, message);
  out.body += "}";
  return out;
}

HttpAnswer bad_lines(std::span<const LineError> errors, std::size_t error_count) {
  return error(400, joined(errors, error_count));
}
HttpAnswer bucket_not_found(std::string_view bucket) {
  return error(404, "bucket \"" + std::string(bucket) + "\" not found");
}
HttpAnswer bad_precision(std::string_view precision) {
  return error(400, "invalid precision \"" + std::string(precision) + "\" (use ns, us, ms or s)");
}
HttpAnswer unauthorized() {
  return error(401, "unauthorized access");
}
HttpAnswer too_large() {
  return error(413, "unable to read data: points batch is too large");
}
HttpAnswer rejected(std::string_view why, std::size_t dropped) {
  return error(422, "failure writing points to database: partial write: " + std::string(why) +
                        " dropped=" + std::to_string(dropped));
}
HttpAnswer unavailable(std::string_view why, std::uint32_t retry_after_seconds) {
  return with_retry(error(503, why), retry_after_seconds);
}

}  // namespace v2

TargetAnswer parse_error_body(int status, std::string_view body, std::string_view retry_after) {
  TargetAnswer answer;
  answer.verdict = verdict_of_status(status);
  answer.retry_after = whole_number<std::uint32_t>(trimmed(retry_after));
  if (answer.verdict == Verdict::kStored) return answer;
  read_body(body, answer);
  if (answer.verdict == Verdict::kAllLines) judge_refusal(answer);
  if (names_what_is_missing(answer.message)) answer.verdict = Verdict::kNotFound;
  answer.names_missing = answer.verdict == Verdict::kNotFound &&
                         (names_what_is_missing(answer.message) || names_bucket(answer.message));
  if (answer.message.empty()) answer.message = "status " + std::to_string(status) + " without a message";
  return answer;
}

}  // namespace tidegate::influx
