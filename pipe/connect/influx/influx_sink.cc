// SPDX-License-Identifier: Apache-2.0
#include "pipe/connect/influx/influx_sink.h"

#include <openssl/evp.h>

#include "base/log.h"
#include "base/yaml.h"
#include "pipe/connect/event_text.h"

namespace tidegate {
namespace {

using influx::TargetAnswer;
using influx::Verdict;

constexpr std::string_view kArea = "influx-sink";
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

Error misconfigured(std::string detail) {
  return make_error(ErrorCode::kInvalidConfiguration, std::move(detail));
}

}  // namespace

InfluxSink::InfluxSink(Env env, InfluxSinkOptions options) : InfluxSink(env, std::move(options), nullptr) {}
InfluxSink::InfluxSink(Env env, InfluxSinkOptions options, std::unique_ptr<HttpClient> client)
    : env_(env),
      options_(std::move(options)),
      client_(std::move(client)),
      mapper_(mapping_of(options_), text_),
      missing_(options_.missing_target_timeout) {
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
  // The others are delivered although one waits: a wait makes the whole delivery come again, and writing a
  // point twice does no harm.
  std::string waits;
  for (const auto& body : bodies_) {
    if (body.second.lines.empty()) continue;
    if (auto ended = deliver_body(body, &result, &waits, stop)) return *ended;
  }
  if (!waits.empty()) {
    DeliverResult retry;
    retry.kind = DeliverResult::Kind::kRetry;
    retry.message = std::move(waits);
    return retry;
  }
  if (const std::string names = missing_.note(env_.clock->now()); !names.empty()) {
    result.message =
        describe() + " does not have " + names + ": lines for it go to the dead letters until it is created";
  }
  return result;
}

std::optional<DeliverResult> InfluxSink::deliver_body(const Bodies::value_type& body, DeliverResult* result,
                                                      std::string* waits, const Stop& stop) {
  const auto& [database, lines] = body;
  const std::size_t before = result->dead.size();
  LineDelivery delivery([&](std::string_view text) { return post(database, text, stop); }, &options_.limits);
  const auto ended = delivery.deliver(lines, &result->dead, &result->written_events);
  if (ended.has_value() && !ended->names_missing) return failed(*ended);
  if (ended.has_value()) {
    std::string message;
    if (keeps_waiting(database, *ended, &message, &delivery) && waits->empty()) *waits = std::move(message);
  } else if (missing_.is_there(database)) {
    log_info(kArea, describe() + ": " + shown(database) + " is there: its lines are delivered again");
  }
  name_letters(database, before, &result->dead);
  return std::nullopt;
}

// False: the lines that are left have become dead letters.
bool InfluxSink::keeps_waiting(const std::string& database, const TargetAnswer& answer, std::string* message,
                               LineDelivery* delivery) {
  const std::string limit = show_duration(options_.missing_target_timeout);
  *message = describe() + ": " + shown(database) + ": " + answer.message + ": " + what_to_create(database);
  if (waits_for_ever()) return true;
  const auto decision = missing_.is_missing(database, env_.clock->now());
  if (decision == MissingTargets::Decision::kWait) {
    *message += "; what rows name and nobody creates within " + limit + " goes to the dead letters";
    return true;
  }
  if (decision == MissingTargets::Decision::kSetAsideFromNow) {
    log_warning(kArea, *message + "; it was not there within " + limit +
                           ": from now on its lines go to the dead letters, until it is");
  }
  delivery->give_up(shown(database) + " was not there within " + limit + ": " + answer.message);
  return false;
}

void InfluxSink::name_letters(const std::string& database, std::size_t from,
                              std::vector<DeadLetter>* dead) const {
  const TargetName name = name_of(database);
  for (std::size_t i = from; i < dead->size(); ++i) {
    (*dead)[i].database = name.database;
    (*dead)[i].policy = name.policy;
    (*dead)[i].precision = "ns";
  }
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
  std::string database = options_.database.empty() ? database_of(row) : options_.database;
  body_ = database.empty() ? nullptr : &*bodies_.try_emplace(std::move(database)).first;
}

void InfluxSink::add_rows(const DeliverableBatch& batch, DeliverResult* result) {
  mapper_.next_batch(batch.summary.unit);
  tracker_.reset();
  std::vector<Refusal> refused;
  const Status read = for_each_row(batch.canonical, [&](const RowView& row) {
    if (!tracker_.same_as_last(row)) use_body(row);
    if (body_ == nullptr) {
      result->dead.push_back({batch.lsn, "the row names no database, and none is configured",
                              readable_row(row, batch.summary.unit)});
      return true;
    }
    LineBody& body = body_->second;
    text_.swap(body.text);
    if (mapper_.row(row, &refused)) body.lines.push_back({text_.size(), batch.lsn});
    text_.swap(body.text);
    if (!refused.empty()) take_refused(batch.lsn, &refused, &result->dead);
    return true;
  });
  if (!read.ok()) result->dead.push_back({batch.lsn, read.error().text(), "0x" + to_hex(batch.canonical)});
}

// What line protocol cannot hold: for people, so without a precision.
void InfluxSink::take_refused(Lsn lsn, std::vector<Refusal>* refused, std::vector<DeadLetter>* dead) const {
  const TargetName name = name_of(body_->first);
  for (Refusal& each : *refused)
    dead->push_back({lsn, std::move(each.reason), std::move(each.line), name.database, name.policy});
  refused->clear();
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

DeliverResult InfluxSink::failed(const TargetAnswer& answer) const {
  DeliverResult out;
  out.kind =
      answer.verdict == Verdict::kUnauthorized ? DeliverResult::Kind::kStop : DeliverResult::Kind::kRetry;
  out.retry_after = static_cast<Nanos>(answer.retry_after.value_or(0)) * kSecond;
  out.message = describe() + ": " + answer.message;
  if (answer.verdict == Verdict::kUnauthorized) {
    out.message += options_.token.empty() && options_.user.empty()
                       ? ": the server wants credentials, configure a user or a token"
                       : ": check the credentials and what they may write";
  } else if (answer.verdict == Verdict::kNotFound) {
    out.message +=
        is_v1() ? ": is this the address of an InfluxDB 1.x? Check url"
                : ": is this the address of an InfluxDB 2.x? Check url and org \"" + options_.org + "\"";
  }
  return out;
}

TargetName InfluxSink::name_of(const std::string& database) const {
  if (!is_v1()) return {database, ""};
  TargetName out = split_policy(database);
  if (!options_.retention_policy.empty()) out.policy = options_.retention_policy;
  return out;
}

std::string InfluxSink::shown(const std::string& database) const {
  const TargetName name = name_of(database);
  if (!is_v1()) return "bucket \"" + name.database + "\" of org \"" + options_.org + "\"";
  return "database \"" + name.database + "\"" +
         (name.policy.empty() ? "" : ", retention policy \"" + name.policy + "\"");
}

std::string InfluxSink::what_to_create(const std::string& database) const {
  std::string out = is_v1() ? "create it with " + create_statements(name_of(database)) : "create it";
  if (!options_.create_database)
    out += ", or let this sink do it with create-database (in YAML create_database: true)";
  return out;
}

std::string InfluxSink::write_target(const std::string& database) const {
  const TargetName name = name_of(database);
  if (!is_v1()) {
    return "/api/v2/write?org=" + percent_encode(options_.org) + "&bucket=" + percent_encode(name.database) +
           "&precision=ns";
  }
  return "/write?db=" + percent_encode(name.database) +
         (name.policy.empty() ? "" : "&rp=" + percent_encode(name.policy)) + "&precision=ns";
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
  if (!answer.names_missing || !options_.create_database) return answer;
  Creation created = create(database, stop);
  switch (created.kind) {
    case Creation::Kind::kCreated:
      log_info(kArea, describe() + ": created " + shown(database));
      return exchange(request, stop);
    case Creation::Kind::kRefused:
      answer.message += ", and creating it is refused: " + created.message;
      return answer;
    case Creation::Kind::kTrouble:
      answer = {};
      answer.message = "creating " + shown(database) + ": " + created.message;
      return answer;
  }
  return answer;
}

Creation InfluxSink::create(const std::string& database, const Stop& stop) {
  const auto send = [&](const HttpRequest& request) {
    HttpRequest with_credentials = request;
    for (auto& header : headers()) with_credentials.headers.push_back(std::move(header));
    return client_->send(with_credentials, options_.timeout, stop);
  };
  if (is_v1()) return tidegate::create_database(send, name_of(database));
  return create_bucket(send, options_.org, database);
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
