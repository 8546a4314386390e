// SPDX-License-Identifier: Apache-2.0
// What tidegate-receiver shows of itself; renewed every second in the loop's thread.
#include <algorithm>

#include "pipe/control/ledger_text.h"
#include "pipe/control/process_figures.h"
#include "pipe/control/version.h"
#include "receiver/receiver_daemon.h"

namespace tidegate {

void ReceiverDaemon::fill_streams(StatusReport& report) const {
  for (const auto& [journal, id] : state_.far_streams()) {
    const FarStream far = store_->stream(journal, id);
    StatusStream out;
    const std::string label = state_.far_label(journal);
    out.sender = label.empty() ? journal.hex() : label;
    out.stream = id;
    out.generation = far.generation;
    out.confirmed = far.position;
    out.state = "stored";
    report.streams.push_back(std::move(out));
  }
}

void ReceiverDaemon::fill_senders(StatusReport& report, Nanos now) const {
  const auto ago = [now](LinkNanos at) { return static_cast<double>(now - at) / 1e9; };
  for (const SenderView& v : listener_->link().senders()) {
    StatusSender out;
    out.label = v.label;
    out.journal = v.journal.hex();
    out.sender_id = v.sender.hex();
    out.session = v.session;
    out.lanes = v.lanes;
    out.last_heard_s = ago(v.last_heard);
    if (v.beat_at >= 0) {
      out.beat_age_s = ago(v.beat_at);
      const auto our_clock_then = static_cast<double>(env_.clock->wall_micros()) / 1e6 - *out.beat_age_s;
      out.clock_skew_s = static_cast<double>(v.beat_clock_micros) / 1e6 - our_clock_then;
      out.figures_json = v.beat_json;
    }
    report.senders.push_back(std::move(out));
  }
}

void ReceiverDaemon::fill_pipes(StatusReport& report) {
  for (const Delivery& d : deliveries_) {
    const PipeStatus s = d.pipe->status();
    StatusPipe out;
    out.name = s.name;
    out.connector = s.connector;
    out.state = pipe_state_name(s.state);
    out.message = s.message;
    out.warning = s.warning;
    out.position = s.position;
    out.lag_batches = s.lag_lsns;
    out.lag_bytes = s.lag_bytes;
    out.delivered_events = s.counters.events;
    out.delivered_values = s.counters.values;
    out.dead_letters = s.counters.dead_letters;
    out.retries = s.counters.retries;
    out.newest_event_ns = s.newest_event_ns;
    report.waiting_batches = std::max(report.waiting_batches, s.lag_lsns);
    report.waiting_bytes = std::max(report.waiting_bytes, s.lag_bytes);
    report.pipes.push_back(std::move(out));
  }
}

void ReceiverDaemon::fill_journal(StatusReport& report, Nanos now) {
  const JournalSpace space = journal_->space();
  report.journal_id = journal_->id().hex();
  report.journal_head = journal_->head();
  report.journal_durable = journal_->durable_lsn();
  report.journal_first = journal_->first_lsn();
  report.journal_used_bytes = space.used;
  report.journal_quota_bytes = space.quota;
  report.disk_free_bytes = space.disk.free;
  report.disk_total_bytes = space.disk.total;
  used_.sample(now, static_cast<double>(space.used));
  free_.sample(now, -static_cast<double>(space.disk.free));
  delivered_.sample(now, static_cast<double>(report.journal_durable -
                                             std::min(report.journal_durable, report.waiting_batches)));
  const auto speed = delivered_.per_second();
  if (report.waiting_batches == 0) {
    report.waiting_s = 0;
  } else if (speed && *speed > 0) {
    report.waiting_s = static_cast<double>(report.waiting_batches) / *speed;
  }
  report.disk_full_in_s = seconds_until(static_cast<double>(space.disk.free), free_.per_second());
  if (space.quota != 0 && report.waiting_batches > 0) {
    const auto quota = seconds_until(static_cast<double>(space.quota - std::min(space.quota, space.used)),
                                     used_.per_second());
    if (quota && (!report.disk_full_in_s || *quota < *report.disk_full_in_s)) report.disk_full_in_s = quota;
  }
  if (report.journal_durable == 0) return;
  auto reader = journal_->reader(report.journal_durable);
  const auto meta = reader.next_meta();
  if (meta.ok() && *meta && (*meta)->time_min <= (*meta)->time_max)
    report.newest_outside_age_s =
        static_cast<double>(env_.clock->wall_micros()) / 1e6 - static_cast<double>((*meta)->time_max) / 1e9;
}

void ReceiverDaemon::fill_health(StatusReport& report) const {
  const auto worse = [&report](Health health, const std::string& message) {
    if (static_cast<int>(health) <= static_cast<int>(report.health)) return;
    report.health = health;
    report.message = message;
  };
  for (const StatusPipe& p : report.pipes) {
    if (p.state == "STOPPED") worse(Health::kFailed, "pipe " + p.name + " is stopped: " + p.message);
    if (!p.message.empty()) worse(Health::kDegraded, "pipe " + p.name + ": " + p.message);
    if (!p.warning.empty()) worse(Health::kDegraded, "pipe " + p.name + ": " + p.warning);
  }
  const double silent = 3.0 * static_cast<double>(config_.link.beat) / 1e9;
  bool heard = false;
  for (const StatusSender& s : report.senders) heard |= s.lanes > 0 && s.last_heard_s < silent;
  if (!heard) worse(Health::kDegraded, "no sender is connected");
}

void ReceiverDaemon::refresh_report(Nanos now) {
  StatusReport report;
  report.program = "tidegate-receiver";
  report.version = kVersion;
  report.instance = config_.daemon.instance;
  report.uptime_s = static_cast<double>(now - started_at_) / 1e9;
  const ReceiverLinkCounters& n = listener_->link().counters();
  StatusLink link;
  link.state = "LISTENING";
  link.peer = config_.listen.text();
  link.profile = config_.link.profile.name;
  link.delivery_proven = config_.link.ask != AskMode::kOff;
  link.counters = {{"frames", n.frames},
                   {"damaged_frames", n.damaged_frames},
                   {"batches", n.batches},
                   {"duplicate_batches", n.duplicate_batches},
                   {"parts", n.parts},
                   {"gaps", n.gaps},
                   {"forks", n.forks},
                   {"answers_ok", n.answers_ok},
                   {"answers_fail", n.answers_fail},
                   {"questions", n.questions},
                   {"reverse_bits_disclosed", n.bits_disclosed},
                   {"wire_bytes", n.wire_bytes}};
  report.link = std::move(link);
  fill_streams(report);
  fill_senders(report, now);
  fill_pipes(report);
  fill_journal(report, now);
  const ProcessFigures process = process_figures();
  report.anonymous_memory_bytes = process.anonymous_bytes;
  report.cpu_seconds = process.cpu_seconds;
  report.ledger_counts = state_.ledger_counters();
  for (const LedgerEntry& entry : state_.ledger_recent()) report.ledger_recent.push_back(ledger_line(entry));
  report.alarms = alarms_;
  fill_health(report);
  const std::lock_guard lock(report_mutex_);
  report_ = std::move(report);
}

}  // namespace tidegate
