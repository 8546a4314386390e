// SPDX-License-Identifier: Apache-2.0
#include "pipe/connect/influx/influx_sink_plugin.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "pipe/connect/line_attributes.h"

namespace tidegate {
namespace {

constexpr PluginKind kKind = PluginKind::kConnector;
constexpr std::int64_t kMostLines = 1'000'000;

std::vector<AttributeSpec> target_attributes() {
  return {{.name = "url",
           .description = "http or https, with the path before /write where there is one",
           .required = true},
          {.name = "version",
           .type = AttributeType::kInteger,
           .default_value = "1",
           .description = "of InfluxDB: 1 writes to /write, 2 to /api/v2/write",
           .min = 1,
           .max = 2},
          {.name = "database", .description = "1.x: where all rows go; without it each row's own database"},
          {.name = "retention-policy", .description = "1.x; without it the row's, else the server's default"},
          {.name = "bucket", .description = "2.x: where all rows go; without it each row's own database"},
          {.name = "org", .description = "2.x: whose buckets they are; needed there"},
          {.name = "create-database",
           .type = AttributeType::kBool,
           .default_value = "false",
           .description = "create what the server does not know; data is kept there for ever"},
          {.name = "missing-target-timeout",
           .type = AttributeType::kDuration,
           .default_value = "10m",
           .description = "how long rows wait for a database that only they name; then the dead letters",
           .min = 0}};
}

std::vector<AttributeSpec> access_attributes() {
  return {{.name = "user", .description = "basic authentication; with password", .aliases = {"username"}},
          {.name = "password",
           .description = "of the user: the text itself, file:/path, env:NAME or credential:NAME",
           .secret = true},
          {.name = "token",
           .description = "instead of a user: the text itself, file:/path, env:NAME or credential:NAME",
           .secret = true},
          {.name = "timeout",
           .type = AttributeType::kDuration,
           .default_value = "30s",
           .description = "of one request",
           .min = kMillisecond},
          {.name = "verify-tls",
           .type = AttributeType::kBool,
           .default_value = "true",
           .description = "https: whether the server's certificate must be good"},
          {.name = "ca-file", .description = "https: the authorities, PEM; without it those of the system"}};
}

std::vector<AttributeSpec> body_attributes() {
  return {
      {.name = "gzip",
       .type = AttributeType::kBool,
       .default_value = "true",
       .description = "whether bodies are compressed"},
      {.name = "request.max-lines",
       .type = AttributeType::kInteger,
       .default_value = "5000",
       .description = "lines of one request",
       .min = 1,
       .max = kMostLines},
      {.name = "request.max-bytes",
       .type = AttributeType::kBytes,
       .default_value = "2500000",
       .description = "its body before compression; a longer line goes alone",
       .min = 1,
       .max = kLargestGather},
      {.name = "unsigned",
       .type = AttributeType::kChoice,
       .default_value = "by-version",
       .description = "unsigned integers: 5u (native), or 5i while they fit (integer); by-version: integer "
                      "for 1.x, native for 2.x",
       .choices = {"by-version", "integer", "native"}},
      tree_level_attribute(),
      tree_tag_attribute()};
}

std::vector<AttributeSpec> influx_sink_attributes() {
  std::vector<AttributeSpec> out = target_attributes();
  for (auto part : {access_attributes(), body_attributes(), gather_attributes(InfluxSinkOptions{}.gather)})
    std::ranges::move(part, std::back_inserter(out));
  return out;
}

Result<std::int64_t> read_version(const Attributes& attributes) {
  return read_integer(attributes, kKind, "version", 1, 1, 2);
}

void check_version(const Attributes& attributes, std::vector<Misfit>* to) {
  const auto version = read_version(attributes);
  const auto belongs_to = [&](const char* name, const std::string& why) {
    if (is_given(attributes, name)) to->push_back({name, why});
  };
  if (version.ok() && *version == 1) {
    belongs_to("bucket", "is of InfluxDB 2.x: 1.x has a database; or set version to 2");
    belongs_to("org", "is of InfluxDB 2.x: set version to 2");
    return;
  }
  belongs_to("database", "is of InfluxDB 1.x: 2.x has a bucket");
  belongs_to("retention-policy", "is of InfluxDB 1.x: 2.x keeps it with the bucket");
  if (!is_given(attributes, "org"))
    to->push_back({"org", "is required: the buckets of InfluxDB 2.x are of one"});
}

std::vector<Misfit> find_influx_sink_misfits(const Attributes& attributes, const ConnectorContext&) {
  std::vector<Misfit> out;
  const std::string url = read_text(attributes, "url");
  if (const auto target = parse_http_url(url); !target.ok() && attributes.values.contains("url"))
    out.push_back({"url", "is refused: " + target.error().detail});
  check_version(attributes, &out);
  const bool user = is_given(attributes, "user");
  if (user && is_given(attributes, "token")) out.push_back({"token", "and user exclude each other"});
  if (!user && is_given(attributes, "password")) out.push_back({"password", "is given without a user"});
  return out;
}

Status read_body_options(const Attributes& attributes, InfluxSinkOptions* o) {
  TG_TRY(o->gzip, read_bool(attributes, kKind, "gzip", o->gzip));
  TG_TRY(const std::int64_t lines, read_integer(attributes, kKind, "request.max-lines",
                                                static_cast<std::int64_t>(o->limits.lines), 1, kMostLines));
  o->limits.lines = static_cast<std::size_t>(lines);
  TG_TRY(o->limits.bytes, read_bytes(attributes, kKind, "request.max-bytes", o->limits.bytes));
  if (is_choice(attributes, "unsigned", "integer")) o->unsigned_policy = influx::UnsignedPolicy::kAsInteger;
  if (is_choice(attributes, "unsigned", "native")) o->unsigned_policy = influx::UnsignedPolicy::kNative;
  TG_TRY(o->tree_level, read_tree_level(attributes));
  o->tree_tag = read_text(attributes, "tree-tag", o->tree_tag);
  TG_TRY(o->gather, read_gather_options(attributes, o->gather));
  return {};
}

Result<std::unique_ptr<Connector>> make_influx_sink(Env env, const Attributes& attributes,
                                                    const ConnectorContext&) {
  TG_TRY(InfluxSinkOptions options, read_influx_sink_options(*env.files, attributes));
  return std::unique_ptr<Connector>(std::make_unique<InfluxSink>(env, std::move(options)));
}

}  // namespace

Result<InfluxSinkOptions> read_influx_sink_options(FileSystem& files, const Attributes& attributes) {
  InfluxSinkOptions o;
  o.url = read_text(attributes, "url");
  TG_TRY(const std::int64_t version, read_version(attributes));
  o.version = version == 1 ? InfluxVersion::kV1 : InfluxVersion::kV2;
  o.database = read_text(attributes, version == 1 ? "database" : "bucket");
  o.retention_policy = read_text(attributes, "retention-policy");
  o.org = read_text(attributes, "org");
  TG_TRY(o.create_database, read_bool(attributes, kKind, "create-database", o.create_database));
  TG_TRY(o.missing_target_timeout,
         read_duration(attributes, kKind, "missing-target-timeout", o.missing_target_timeout));
  o.user = read_text(attributes, "user");
  TG_TRY(o.password, read_secret_attribute(files, attributes, "password"));
  TG_TRY(o.token, read_secret_attribute(files, attributes, "token"));
  TG_TRY(o.timeout, read_duration(attributes, kKind, "timeout", o.timeout));
  TG_TRY(o.verify_tls, read_bool(attributes, kKind, "verify-tls", o.verify_tls));
  o.ca_file = read_text(attributes, "ca-file");
  TG_CHECK(read_body_options(attributes, &o));
  return o;
}

ConnectorPlugin influx_sink_plugin() {
  return {
      .info = builtin_connector("influxdb-sink", {"influxdb-connector", "influx-sink", "influx-connector"},
                                "InfluxSink", influx_sink_attributes()),
      .find_misfits = find_influx_sink_misfits,
      .make = make_influx_sink};
}

}  // namespace tidegate
