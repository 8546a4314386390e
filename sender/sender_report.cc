// SPDX-License-Identifier: Apache-2.0
// What tidegate-sender shows of itself; renewed every second in the loop's thread.
#include <algorithm>

#include "base/version.h"
#include "pipe/control/ledger_text.h"
#include "pipe/control/process_figures.h"
#include "pipe/control/status_render.h"
#include "pipe/engine/json_text.h"
#include "sender/sender_daemon.h"

namespace tidegate {

void SenderDaemon::fill_link(StatusReport& report) const {
  const SenderLink& link = connector().link();
  const SenderLinkCounters& n = link.counters();
  StatusLink out;
  out.state = link_state_name(link.state());
  out.message = link.message();
  out.peer = config_.remote.text();
  out.profile = config_.link.profile.name;
  out.delivery_proven = connector().link().proves();
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
                  {"answers_fail_expected", n.answers_fail_expected},
                  {"questions", n.questions},
                  {"reverse_bits_disclosed", n.bits_disclosed},
                  {"forks", n.forks},
                  {"gaps", n.gaps},
                  {"confirms", n.confirms}};
  report.link = std::move(out);
}

void SenderDaemon::fill_streams(StatusReport& report) {
  for (const auto& [address, link] : links_->all())
    for (const SenderStreamView& s : link->link().streams()) {
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
    }
}

// What waits longest, waits: the pipe that is farthest behind answers the three questions.
void SenderDaemon::fill_pipes(StatusReport& report) {
  Lsn behind = journal_->durable_lsn();
  for (const PipeManager::Detail& pipe : host_->pipes().details()) {
    report.pipes.push_back(status_row(pipe));
    if (pipe.state != PipeState::kRunning) continue;
    behind = std::min(behind, report.pipes.back().position);
  }
  report.waiting_batches = journal_->durable_lsn() - behind;
  sent_.sample(env_.clock->now(), static_cast<double>(behind));
  const auto speed = sent_.per_second();
  if (report.waiting_batches == 0) {
    report.waiting_s = 0;
  } else if (speed && *speed > 0) {
    report.waiting_s = static_cast<double>(report.waiting_batches) / *speed;
  }
  look_at_newest(1, behind);
  report.newest_outside_age_s = newest_.age_s(env_.clock->wall_micros());
  report.future_records = newest_.future_records();
}

// What is trimmed was confirmed: what is known of its times counts, too.
void SenderDaemon::look_at_newest(Lsn first, Lsn upto) {
  const std::int64_t wall = env_.clock->wall_micros();
  for (const TrimSpan& span : state_.trim_spans())
    if (span.time_min <= span.time_max) newest_.know(span.time_max, wall);
  newest_.advance(*journal_, first, upto, wall);
}

void SenderDaemon::fill_journal(StatusReport& report, Nanos now) {
  const JournalSpace space = journal_->space();
  report.journal_id = journal_->id().hex();
  report.journal_head = journal_->head();
  report.journal_durable = journal_->durable_lsn();
  report.journal_first = journal_->first_lsn();
  const Lsn retained = report.journal_head + 1 - std::min(report.journal_first, report.journal_head + 1);
  if (retained > 0)
    report.waiting_bytes = space.used / retained * std::min<Lsn>(report.waiting_batches, retained);
  space_.look({space, config_.daemon.journal.min_free_bytes, journal_->accepts(), report.waiting_batches > 0},
              now);
  space_.fill(report, now);
}

// ---- what is not as it should be

// Does the status say this as long as it is so? Then its condition logs it, once.
bool SenderDaemon::holds_now(const std::string& text) const {
  const SenderLink& link = connector().link();
  const auto in_text = [&text](const std::string& message) {
    return !message.empty() && text.find(message) != std::string::npos;
  };
  const bool down = link.state() == LinkState::kDoubt || link.state() == LinkState::kFenced;
  if (down && in_text(link.message())) return true;
  const auto streams = link.streams();
  return std::ranges::any_of(streams, [&](const SenderStreamView& s) { return in_text(s.message); });
}

std::optional<Condition> SenderDaemon::link_condition() {
  const SenderLink& link = connector().link();
  if (link.state() == LinkState::kRun) {
    link_trouble_.clear();
    return std::nullopt;
  }
  const bool fenced = link.state() == LinkState::kFenced;
  if (fenced || link.state() == LinkState::kDoubt) link_trouble_ = link.message();
  const std::string where = config_.remote.text();
  Condition c;
  c.area = "link";
  c.key = link_trouble_.empty() ? "link-start" : "link";
  c.over = "the link to " + where + " is up";
  c.alarm = !link_trouble_.empty();
  if (fenced) {
    c.health = Health::kFailed;
    c.text = link_trouble_;
  } else if (link.needs_person()) {
    c.health = Health::kFailed;
    c.text = "the link to " + where + " cannot be used: " + link_trouble_ +
             "; this does not go away by itself (it is tried again all the same)";
  } else if (link_trouble_.empty()) {
    c.text = "the link to " + where + " is not up yet: " + link.message();
  } else {
    c.text = "the link to " + where + " is not up: " + link_trouble_ +
             "; it is tried again by itself, data waits in the journal; does the receiver run, and does the "
             "device forward this address to it?";
  }
  return c;
}

std::vector<Condition> SenderDaemon::conditions(const StatusReport& report) {
  std::vector<Condition> out;
  space_.add_conditions(out);
  if (auto link = link_condition()) out.push_back(*std::move(link));
  add_stream_conditions(report, out);
  // That a link is down is said once, by the link.
  StatusReport other;
  std::ranges::copy_if(report.pipes, std::back_inserter(other.pipes), [](const StatusPipe& pipe) {
    const bool by_link = pipe.connector.starts_with("stream ") || pipe.connector.starts_with("link to ");
    return !by_link || pipe.state == "STOPPED" || !pipe.warning.empty();
  });
  add_pipe_conditions(other, out);
  for (const std::string& trouble : {marks_trouble_, retention_trouble_, host_->trouble()})
    if (!trouble.empty()) out.push_back(housekeeping_trouble(trouble));
  return out;
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
  fill_streams(report);
  fill_pipes(report);
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
  if (!stopping_) conditions_.update(conditions(report), now, env_.clock->wall_micros());
  conditions_.fill(report);
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
  json.text("health", health_name(r.health));
  json.text("message", r.message.substr(0, 500));
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
    stream.number("head", s.head.value_or(0));
    stream.number("soft", s.soft.value_or(0));
    stream.number("confirmed", s.confirmed);
    stream.end();
  }
  json.raw("streams", streams + "]");
  json.end();
  return out;
}

}  // namespace tidegate
