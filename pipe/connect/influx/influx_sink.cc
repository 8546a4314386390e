// SPDX-License-Identifier: Apache-2.0
#include "pipe/connect/influx/influx_sink.h"

#include <openssl/evp.h>

#include "pipe/connect/event_text.h"

namespace tidegate {
namespace {

using influx::TargetAnswer;
using influx::Verdict;

constexpr std::size_t kGzipFrom = 1024;  // bytes; below it is not worth a member

LineMappingOptions mapping_of(const InfluxSinkOptions& options) {
  LineMappingOptions out;
  // Both 1.x and 2.x read backslash pairs the same way.
  out.target = influx::WriterTarget::kV1;
  out.unsigned_policy = options.unsigned_policy.value_or(options.version == InfluxVersion::kV1
                                                             ? influx::UnsignedPolicy::kAsInteger
                                                             : influx::UnsignedPolicy::kNative);
  out.tree_level = options.tree_level;
  out.tree_tag = options.tree_tag;
  return out;
}

std::string base64(std::string_view text) {
  std::string out(4 * ((text.size() + 2) / 3) + 1, '\0');
  const int size =
      EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                      reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
  out.resize(static_cast<std::size_t>(size));
  return out;
}

std::pair<std::string_view, std::string_view> split_policy(std::string_view database) {
  const std::size_t slash = database.find('/');
  if (slash == std::string_view::npos) return {database, {}};
  return {database.substr(0, slash), database.substr(slash + 1)};
}

std::string quoted_identifier(std::string_view name) {
  std::string out = "\"";
  for (const char c : name) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

Error misconfigured(std::string detail) {
  return make_error(ErrorCode::kInvalidConfiguration, std::move(detail));
}

}  // namespace

InfluxSink::InfluxSink(InfluxSinkOptions options) : InfluxSink(std::move(options), nullptr) {}
InfluxSink::InfluxSink(InfluxSinkOptions options, std::unique_ptr<HttpClient> client)
    : options_(std::move(options)), client_(std::move(client)), mapper_(mapping_of(options_), text_) {
  if (auto target = parse_http_url(options_.url); target.ok()) target_ = std::move(target).value();
}
InfluxSink::~InfluxSink() = default;

std::string InfluxSink::describe() const {
  return std::string("InfluxDB ") + (is_v1() ? "1.x " : "2.x ") +
         (target_.has_value() ? target_->text() : "(bad URL)") +
         (options_.database.empty() ? "" : (is_v1() ? " database " : " bucket ") + options_.database);
}

Status InfluxSink::check_options() const {
  TG_TRY([[maybe_unused]] const HttpTarget target, parse_http_url(options_.url));
  if (!is_v1() && options_.org.empty()) return misconfigured("InfluxDB 2.x needs an org");
  if (!options_.user.empty() && !options_.token.empty())
    return misconfigured("give a user or a token for InfluxDB, not both");
  if (options_.limits.lines == 0 || options_.limits.bytes == 0)
    return misconfigured("the limits of a request must not be 0");
  if (options_.create_database && !is_v1())
    return misconfigured("create-database is for InfluxDB 1.x; create a bucket of 2.x by hand");
  return {};
}

Status InfluxSink::open(Lsn, ByteView) {
  TG_CHECK(check_options());
  if (client_ != nullptr) return {};
  TG_TRY(client_, make_http_client({*target_, options_.verify_tls, options_.ca_file}));
  return {};
}

void InfluxSink::close() {
  if (client_ != nullptr) client_->close();
}

DeliverResult InfluxSink::deliver(const std::vector<DeliverableBatch>& batches, const Stop& stop) {
  DeliverResult result;
  bodies_.clear();
  for (const DeliverableBatch& batch : batches) add(batch, &result);
  for (const auto& [database, body] : bodies_) {
    LineDelivery delivery([&](std::string_view lines) { return post(database, lines, stop); },
                          &options_.limits);
    const auto ended = delivery.deliver(body, &result.dead, &result.written_events);
    if (ended.has_value()) return failed(*ended, database);
  }
  return result;
}

void InfluxSink::add(const DeliverableBatch& batch, DeliverResult* result) {
  switch (batch.summary.kind) {
    case EventKind::kRows:
      return add_rows(batch, result);
    case EventKind::kGap:
    case EventKind::kFork:
    case EventKind::kStatistics:
      result->skipped_events += batch.summary.events;
      return;
    default:
      return add_events(batch, result);
  }
}

void InfluxSink::use_body(const RowView& row) {
  const std::string database = options_.database.empty() ? database_of(row) : options_.database;
  body_ = database.empty() ? nullptr : &bodies_[database];
}

void InfluxSink::add_rows(const DeliverableBatch& batch, DeliverResult* result) {
  mapper_.next_batch(batch.summary.unit);
  tracker_.reset();
  std::vector<Refusal> refused;
  const Status read = for_each_row(batch.canonical, [&](const RowView& row) {
    if (!tracker_.same_as_last(row)) use_body(row);
    if (body_ == nullptr) {
      refused.push_back(
          {"the row names no database, and none is configured", readable_row(row, batch.summary.unit)});
      return true;
    }
    text_.swap(body_->text);
    if (mapper_.row(row, &refused)) body_->lines.push_back({text_.size(), batch.lsn});
    text_.swap(body_->text);
    return true;
  });
  for (Refusal& each : refused)
    result->dead.push_back({batch.lsn, std::move(each.reason), std::move(each.line)});
  if (!read.ok()) result->dead.push_back({batch.lsn, read.error().text(), "0x" + to_hex(batch.canonical)});
}

void InfluxSink::add_events(const DeliverableBatch& batch, DeliverResult* result) {
  const std::string kind(kind_name(batch.summary.kind));
  auto events = events_as_json(batch);
  if (!events.ok()) {
    result->dead.push_back({batch.lsn, events.error().text(), "0x" + to_hex(batch.canonical)});
    return;
  }
  for (std::string& event : *events) {
    result->dead.push_back(
        {batch.lsn, "an event of kind " + kind + " is not applied to InfluxDB", std::move(event)});
  }
}

DeliverResult InfluxSink::failed(const TargetAnswer& answer, const std::string& database) const {
  DeliverResult out;
  out.kind =
      answer.verdict == Verdict::kUnauthorized ? DeliverResult::Kind::kStop : DeliverResult::Kind::kRetry;
  out.retry_after = static_cast<Nanos>(answer.retry_after.value_or(0)) * kSecond;
  out.message = describe() + ": " + answer.message;
  if (answer.verdict == Verdict::kUnauthorized) {
    out.message += options_.token.empty() && options_.user.empty()
                       ? ": the server wants credentials, configure a user or a token"
                       : ": check the credentials and what they may write, then start the pipe";
  }
  if (answer.verdict == Verdict::kNotFound && is_v1()) {
    const auto [name, policy] = split_policy(database);
    out.message += ": create it with CREATE DATABASE " + quoted_identifier(name) +
                   " (and its retention policy " +
                   (options_.retention_policy.empty() ? std::string(policy.empty() ? "default" : policy)
                                                      : options_.retention_policy) +
                   "), or set create-database";
  } else if (answer.verdict == Verdict::kNotFound) {
    out.message += ": create the bucket \"" + database + "\" in org \"" + options_.org + "\"";
  }
  return out;
}

std::string InfluxSink::write_target(const std::string& database) const {
  if (!is_v1()) {
    return "/api/v2/write?org=" + percent_encode(options_.org) + "&bucket=" + percent_encode(database) +
           "&precision=ns";
  }
  const auto [name, row_policy] = split_policy(database);
  const std::string policy =
      options_.retention_policy.empty() ? std::string(row_policy) : options_.retention_policy;
  return "/write?db=" + percent_encode(name) + (policy.empty() ? "" : "&rp=" + percent_encode(policy)) +
         "&precision=ns";
}

std::vector<std::pair<std::string, std::string>> InfluxSink::headers() const {
  std::vector<std::pair<std::string, std::string>> out;
  if (!options_.token.empty()) out.emplace_back("Authorization", "Token " + options_.token);
  if (!options_.user.empty())
    out.emplace_back("Authorization", "Basic " + base64(options_.user + ":" + options_.password));
  return out;
}

TargetAnswer InfluxSink::post(const std::string& database, std::string_view lines, const Stop& stop) {
  HttpRequest request;
  request.target = write_target(database);
  request.headers = headers();
  request.headers.emplace_back("Content-Type", "text/plain; charset=utf-8");
  request.body = as_bytes(lines);
  if (options_.gzip && lines.size() >= kGzipFrom) {
    if (const ByteView packed = gzip_.compress(request.body); !packed.empty()) {
      request.body = packed;
      request.headers.emplace_back("Content-Encoding", "gzip");
    }
  }
  TargetAnswer answer = exchange(request, stop);
  if (answer.verdict != Verdict::kNotFound || !options_.create_database) return answer;
  answer = create_database(database, stop);
  return answer.verdict == Verdict::kStored ? exchange(request, stop) : answer;
}

TargetAnswer InfluxSink::create_database(const std::string& database, const Stop& stop) {
  HttpRequest request;
  request.target =
      "/query?q=" + percent_encode("CREATE DATABASE " + quoted_identifier(split_policy(database).first));
  request.headers = headers();
  auto response = client_->send(request, options_.timeout, stop);
  TargetAnswer answer;
  if (!response.ok()) {
    answer.message = response.error().text();
    return answer;
  }
  answer = influx::parse_error_body(response->status, response->body, response->retry_after);
  // Errors of a statement come with status 200.
  if (response->status == 200 && response->body.find("\"error\"") != std::string::npos) {
    answer.verdict = Verdict::kRetry;
    answer.message = "CREATE DATABASE: " + response->body;
  }
  if (answer.verdict != Verdict::kStored && answer.verdict != Verdict::kUnauthorized)
    answer.verdict = Verdict::kRetry;
  return answer;
}

TargetAnswer InfluxSink::exchange(const HttpRequest& request, const Stop& stop) {
  TargetAnswer answer;
  if (stop()) {
    answer.message = "stopping";
    return answer;
  }
  auto response = client_->send(request, options_.timeout, stop);
  if (!response.ok()) {
    answer.message = response.error().text();
    return answer;
  }
  answer = influx::parse_error_body(response->status, response->body, response->retry_after);
  if (answer.verdict == Verdict::kStored && response->status != 204) {
    answer.verdict = Verdict::kRetry;
    answer.message = "answered " + std::to_string(response->status) +
                     " instead of 204: is this the write address of an InfluxDB?";
  }
  return answer;
}

}  // namespace tidegate
