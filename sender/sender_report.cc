// SPDX-License-Identifier: Apache-2.0
// What tidegate-sender shows of itself; renewed every second in the loop's thread.
#include <algorithm>

#include "pipe/control/ledger_text.h"
#include "pipe/control/process_figures.h"
#include "pipe/control/version.h"
#include "pipe/engine/json_text.h"
#include "sender/sender_daemon.h"

namespace tidegate {

// Newest event time of the record that holds the batch; one read of its envelope.
std::optional<std::int64_t> SenderDaemon::newest_event_at(Seq seq) {
  const auto info = store_->info(stream_);
  if (!info || seq == 0) return std::nullopt;
  auto reader = journal_->reader(info->first_lsn + seq - 1);
  const auto meta = reader.next_meta();
  if (!meta.ok() || !*meta || (*meta)->time_min > (*meta)->time_max) return std::nullopt;
  return (*meta)->time_max;
}

void SenderDaemon::fill_link(StatusReport& report) const {
  const SenderLink& link = connector_->link();
  const SenderLinkCounters& n = link.counters();
  StatusLink out;
  out.state = link_state_name(link.state());
  out.message = link.message();
  out.peer = config_.remote.text();
  out.profile = config_.link.profile.name;
  out.delivery_proven = connector_->link().proves();
  out.session = store_->session();
  out.counters = {{"sessions", n.sessions},
                  {"doubts", n.doubts},
                  {"frames", n.frames},
                  {"wire_bytes", n.wire_bytes},
                  {"batches", n.batches},
                  {"resent_batches", n.resent_batches},
                  {"parts", n.parts},
                  {"answers_ok", n.answers_ok},
                  {"answers_fail", n.answers_fail},
                  {"questions", n.questions},
                  {"reverse_bits_disclosed", n.bits_disclosed},
                  {"forks", n.forks},
                  {"gaps", n.gaps},
                  {"confirms", n.confirms}};
  report.link = std::move(out);
}

void SenderDaemon::fill_streams(StatusReport& report, Nanos now) {
  for (const SenderStreamView& s : connector_->link().streams()) {
    StatusStream out;
    out.stream = s.stream;
    out.label = s.label;
    out.state = s.state;
    out.message = s.message;
    out.generation = s.generation;
    out.head = s.head;
    out.soft = s.soft;
    out.confirmed = s.confirmed;
    out.trimmed = s.trimmed;
    report.streams.push_back(out);
    if (s.stream != stream_) continue;
    report.waiting_batches = s.head - std::min(s.head, s.soft);
    sent_.sample(now, static_cast<double>(s.soft));
    const auto speed = sent_.per_second();
    if (report.waiting_batches == 0) {
      report.waiting_s = 0;
    } else if (speed && *speed > 0) {
      report.waiting_s = static_cast<double>(report.waiting_batches) / *speed;
    }
    if (const auto newest = newest_event_at(s.soft))
      report.newest_outside_age_s =
          static_cast<double>(env_.clock->wall_micros()) / 1e6 - static_cast<double>(*newest) / 1e9;
  }
}

void SenderDaemon::fill_journal(StatusReport& report, Nanos now) {
  const JournalSpace space = journal_->space();
  report.journal_id = journal_->id().hex();
  report.journal_head = journal_->head();
  report.journal_durable = journal_->durable_lsn();
  report.journal_first = journal_->first_lsn();
  report.journal_used_bytes = space.used;
  report.journal_quota_bytes = space.quota;
  report.disk_free_bytes = space.disk.free;
  report.disk_total_bytes = space.disk.total;
  const Lsn retained = report.journal_head + 1 - std::min(report.journal_first, report.journal_head + 1);
  if (retained > 0)
    report.waiting_bytes = space.used / retained * std::min<Lsn>(report.waiting_batches, retained);
  used_.sample(now, static_cast<double>(space.used));
  free_.sample(now, -static_cast<double>(space.disk.free));
  report.disk_full_in_s = seconds_until(static_cast<double>(space.disk.free), free_.per_second());
  if (space.quota == 0) return;
  const auto quota =
      seconds_until(static_cast<double>(space.quota - std::min(space.quota, space.used)), used_.per_second());
  // A journal that is full of confirmed data is not filling up: the oldest goes when room is needed.
  if (quota && report.waiting_batches > 0 && (!report.disk_full_in_s || *quota < *report.disk_full_in_s))
    report.disk_full_in_s = quota;
}

void SenderDaemon::fill_health(StatusReport& report) const {
  const auto worse = [&report](Health health, const std::string& message) {
    if (static_cast<int>(health) <= static_cast<int>(report.health)) return;
    report.health = health;
    report.message = message;
  };
  const LinkState state = connector_->link().state();
  if (state == LinkState::kFenced) worse(Health::kFailed, connector_->link().message());
  for (const StatusStream& s : report.streams)
    if (s.state.starts_with("STOPPED")) worse(Health::kFailed, s.message);
  if (state != LinkState::kRun)
    worse(Health::kDegraded, "the link is not up: " + connector_->link().message());
  if (report.journal_quota_bytes == 0) return;
  const std::uint64_t percent = report.journal_used_bytes * 100 / report.journal_quota_bytes;
  if (percent >= 90 && report.waiting_batches > 0)
    worse(Health::kDegraded, "the journal is " + std::to_string(percent) + " % full and " +
                                 std::to_string(report.waiting_batches) + " batches wait for the link");
}

void SenderDaemon::fill_source(StatusReport& report, const HttpSource& source) {
  const InfluxHttpCounters n = source.server->counters();
  const std::pair<const char*, std::uint64_t> counts[] = {{"requests", n.requests},
                                                          {"stored", n.stored},
                                                          {"partly_stored", n.partly_stored},
                                                          {"refused", n.refused},
                                                          {"unauthorized", n.unauthorized},
                                                          {"unavailable", n.unavailable},
                                                          {"repeated", n.repeated},
                                                          {"unanswered", n.unanswered},
                                                          {"lines", n.lines},
                                                          {"values", n.values},
                                                          {"refused_lines", n.refused_lines},
                                                          {"body_bytes", n.body_bytes},
                                                          {"timed_out", n.timed_out},
                                                          {"accepted", n.accepted}};
  for (const auto& [name, value] : counts) report.counters["source_" + source.name + "_" + name] = value;
}

void SenderDaemon::refresh_report(Nanos now) {
  StatusReport report;
  report.program = "tidegate-sender";
  report.version = kVersion;
  report.instance = config_.daemon.instance;
  report.uptime_s = static_cast<double>(now - started_at_) / 1e9;
  fill_link(report);
  fill_streams(report, now);
  fill_journal(report, now);
  const ProcessFigures process = process_figures();
  report.anonymous_memory_bytes = process.anonymous_bytes;
  report.cpu_seconds = process.cpu_seconds;
  const IngestCounters n = ingest_->counters();
  report.counters = {{"ingest_rows", n.rows},       {"ingest_values", n.values},
                     {"ingest_batches", n.batches}, {"ingest_records", n.records},
                     {"ingest_syncs", n.syncs},     {"ingest_refused", n.refused},
                     {"ingest_failed", n.failed},   {"ingest_pending_bytes", ingest_->pending_bytes()}};
  for (const HttpSource& source : sources_) fill_source(report, source);
  report.ledger_counts = state_.ledger_counters();
  for (const LedgerEntry& entry : state_.ledger_recent()) report.ledger_recent.push_back(ledger_line(entry));
  report.alarms = alarms_;
  fill_health(report);
  const std::lock_guard lock(report_mutex_);
  report_ = std::move(report);
}

// The sender's own figures for the other side: what an operator outside wants to know of the inside.
std::string SenderDaemon::beat_json() {
  StatusReport r;
  {
    const std::lock_guard lock(report_mutex_);
    r = report_;
  }
  const auto number = [](std::optional<double> v) { return v ? std::to_string(*v) : std::string("null"); };
  std::string out;
  JsonObject json(out);
  json.text("instance", r.instance);
  json.text("version", r.version);
  json.raw("uptime_s", number(r.uptime_s));
  json.number("head", r.journal_head);
  json.number("waiting_batches", r.waiting_batches);
  json.number("waiting_bytes", r.waiting_bytes);
  json.number("journal_used_bytes", r.journal_used_bytes);
  json.number("disk_free_bytes", r.disk_free_bytes);
  json.raw("disk_full_in_s", number(r.disk_full_in_s));
  std::string streams = "[";
  for (const StatusStream& s : r.streams) {
    if (streams.size() > 1) streams += ',';
    JsonObject stream(streams);
    stream.number("stream", s.stream);
    stream.text("state", s.state);
    stream.number("head", s.head);
    stream.number("soft", s.soft);
    stream.number("confirmed", s.confirmed);
    stream.end();
  }
  json.raw("streams", streams + "]");
  json.end();
  return out;
}

}  // namespace tidegate
