// SPDX-License-Identifier: Apache-2.0
// InfluxSink: rows to InfluxDB 1.x (POST /write) and 2.x (POST /api/v2/write), and to what speaks the same.
//
// Writes are idempotent by series and time, so a crash or a lost answer repeats without harm; the sink keeps
// no state. Only 204 counts as stored. Lines that the server refuses for good become dead letters with its
// words, the others are delivered (line_delivery.h). Credentials refused → the pipe stops. A database that
// rows name and the server does not have → retry for `missing_target_timeout`, then its lines become dead
// letters until it is there (missing_targets.h), the other databases go on. One that the configuration names
// is waited for as long as it takes. Everything else (busy, down, not an InfluxDB) → retry, with a message
// that says what to do. Gap, fork and
// statistics events are no data here: counted as skipped. Deletions, schema changes, opaque requests, files
// and unknown kinds become dead letters: they are not applied. VictoriaMetrics answers 204 to whatever it
// cannot read: there, stored means "taken".
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "pipe/connect/gather_options.h"
#include "pipe/connect/influx/create_target.h"
#include "pipe/connect/influx/gzip.h"
#include "pipe/connect/influx/http_client.h"
#include "pipe/connect/influx/line_delivery.h"
#include "pipe/connect/influx/missing_targets.h"
#include "pipe/connect/line_mapping.h"
#include "pipe/engine/connector.h"

namespace tidegate {

enum class InfluxVersion : std::uint8_t { kV1, kV2 };

struct InfluxSinkOptions {
  std::string url;  // http://host:8086, https://host:8086/prefix
  InfluxVersion version = InfluxVersion::kV1;
  // 1.x: database, 2.x: bucket. Empty: each row's own database (a tree row: the node after root). 1.x: a
  // row's database "db/rp" is database and retention policy.
  std::string database;
  std::string retention_policy;  // 1.x; empty: the row's, else the server's default
  std::string org;               // 2.x, required
  std::string user, password;    // basic authentication; empty user: none
  std::string token;             // `Authorization: Token …`; not together with user
  // What the server does not know: 1.x database and retention policy, 2.x bucket; data is kept for ever
  // there.
  bool create_database = false;
  // How long rows wait for a database that only they name; 0: not at all.
  Nanos missing_target_timeout = 600 * kSecond;
  BodyLimits limits;
  bool gzip = true;
  Nanos timeout = 30 * kSecond;  // of one request
  bool verify_tls = true;
  std::string ca_file;
  // Default: 1.x as integer (above int64: dead letter), 2.x native.
  std::optional<influx::UnsignedPolicy> unsigned_policy;
  int tree_level = -1;  // see line_mapping.h
  std::string tree_tag = "device";
  GatherOptions gather{.bytes = 1 << 20};
  bool operator==(const InfluxSinkOptions&) const = default;
};

class InfluxSink final : public Connector {
 public:
  InfluxSink(Env env, InfluxSinkOptions options);
  // With a client of its own, for tests.
  InfluxSink(Env env, InfluxSinkOptions options, std::unique_ptr<HttpClient> client);
  ~InfluxSink() override;

  std::string describe() const override;
  // Checks the options. Does not connect.
  Status open(Lsn position, ByteView state) override;
  DeliverResult deliver(const std::vector<DeliverableBatch>& batches,
                        const std::function<bool()>& stop) override;
  std::size_t preferred_bytes() const override { return options_.gather.bytes; }
  Nanos gather_delay() const override { return options_.gather.delay; }
  void close() override;

 private:
  using Stop = std::function<bool()>;

  Status check_options() const;
  void add(const DeliverableBatch& batch, DeliverResult* result);
  void add_rows(const DeliverableBatch& batch, DeliverResult* result);
  void take_refused(Lsn lsn, std::vector<Refusal>* refused, std::vector<DeadLetter>* dead) const;
  void add_events(const DeliverableBatch& batch, DeliverResult* result);
  void use_body(const RowView& row);
  using Bodies = std::map<std::string, LineBody, std::less<>>;  // by database, as the rows name it
  std::optional<DeliverResult> deliver_body(const Bodies::value_type& body, DeliverResult* result,
                                            std::string* waits, const Stop& stop);
  bool keeps_waiting(const std::string& database, const influx::TargetAnswer& answer, std::string* message,
                     LineDelivery* delivery);
  void name_letters(const std::string& database, std::size_t from, std::vector<DeadLetter>* dead) const;
  DeliverResult failed(const influx::TargetAnswer& answer) const;
  influx::TargetAnswer post(const std::string& database, std::string_view lines, const Stop& stop);
  influx::TargetAnswer exchange(const HttpRequest& request, const Stop& stop);
  Creation create(const std::string& database, const Stop& stop);
  TargetName name_of(const std::string& database) const;
  std::string shown(const std::string& database) const;
  std::string what_to_create(const std::string& database) const;
  bool waits_for_ever() const { return !options_.database.empty(); }
  std::string write_target(const std::string& database) const;
  std::vector<std::pair<std::string, std::string>> headers() const;
  bool is_v1() const { return options_.version == InfluxVersion::kV1; }

  Env env_;
  InfluxSinkOptions options_;
  std::optional<HttpTarget> target_;
  std::unique_ptr<HttpClient> client_;
  Gzip gzip_;
  std::string text_;  // the line being mapped
  LineMapper mapper_;
  SeriesTracker tracker_;
  MissingTargets missing_;
  Bodies bodies_;                       // of one delivery
  Bodies::value_type* body_ = nullptr;  // of the series being written; null: no database
};

}  // namespace tidegate
