// SPDX-License-Identifier: Apache-2.0
// What tidegate-receiver shows of itself; renewed every second in the loop's thread.
#include <algorithm>
#include <map>

#include "base/log.h"
#include "base/version.h"
#include "pipe/control/ledger_text.h"
#include "pipe/control/process_figures.h"
#include "receiver/receiver_daemon.h"

namespace tidegate {
namespace {

constexpr Nanos kSilent = 60 * kSecond;  // six beats

std::string sender_text(const SenderView& v) {
  return "sender '" + v.label + "' (journal " + v.journal.hex() + ")";
}

// It may be on its way back; after a while somebody must look.
Condition sender_missed(const SenderView& v, Nanos silence) {
  Condition c;
  c.key = "sender/" + v.journal.hex();
  c.area = "link";
  c.over = sender_text(v) + " is connected again";
  if (silence < kSilent) {
    c.health = Health::kOk;
    c.alarm = false;
    c.text = sender_text(v) + (v.session == 0
                                   ? " is known and has not connected yet"
                                   : " has gone: its connections are closed; it connects again by itself");
    return c;
  }
  c.text = sender_text(v) + " has been silent for " + std::to_string(silence / kSecond) +
           " s: look at its status page, at the device and at the network";
  return c;
}

}  // namespace

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
  for (const PipeManager::Detail& pipe : host_->pipes().details()) {
    report.pipes.push_back(status_row(pipe));
    report.waiting_batches = std::max(report.waiting_batches, report.pipes.back().lag_batches);
    report.waiting_bytes = std::max(report.waiting_bytes, report.pipes.back().lag_bytes);
  }
}

void ReceiverDaemon::fill_journal(StatusReport& report, Nanos now) {
  report.journal_id = journal_->id().hex();
  report.journal_head = journal_->head();
  report.journal_durable = journal_->durable_lsn();
  report.journal_first = journal_->first_lsn();
  delivered_.sample(now, static_cast<double>(report.journal_durable -
                                             std::min(report.journal_durable, report.waiting_batches)));
  const auto speed = delivered_.per_second();
  if (report.waiting_batches == 0) {
    report.waiting_s = 0;
  } else if (speed && *speed > 0) {
    report.waiting_s = static_cast<double>(report.waiting_batches) / *speed;
  }
  space_.look({journal_->space(), config_.daemon.journal.min_free_bytes, journal_->accepts(),
               report.waiting_batches > 0},
              now);
  space_.fill(report, now);
  const std::int64_t wall = env_.clock->wall_micros();
  newest_.advance(*journal_, 1, report.journal_durable, wall);
  report.newest_outside_age_s = newest_.age_s(wall);
  report.future_records = newest_.future_records();
}

// ---- what is not as it should be

// A sender that is known, was not replaced and has not ended is missed when it is silent.
void ReceiverDaemon::add_sender_conditions(Nanos now, std::vector<Condition>& to) {
  std::map<Id, SenderView> senders;
  for (SenderView& v : listener_->link().senders()) senders[v.journal] = std::move(v);
  std::map<Id, bool> over;  // all its streams have ended
  for (const auto& [journal, id] : state_.far_streams()) {
    const auto stream = state_.far_stream(journal, id);
    const bool ended = !stream || stream->ended;
    const auto known = over.try_emplace(journal, true).first;
    known->second = known->second && ended;
    if (ended || senders.contains(journal)) continue;
    SenderView v;  // not heard of since the start
    v.journal = journal;
    v.label = state_.far_label(journal);
    v.last_heard = started_at_;
    senders[journal] = std::move(v);
  }
  bool connected = false;
  for (const auto& [journal, v] : senders) {
    if (const auto known = state_.far_journal(journal); known && known->superseded) continue;
    const Nanos silence = now - v.last_heard;
    const bool here = v.lanes > 0 && silence < kSilent;
    connected |= here;
    if (const auto it = over.find(journal); !here && it != over.end() && it->second) continue;
    if (here && !met_.insert(journal).second) continue;
    if (here) {
      log_info("link", sender_text(v) + " is connected: session " + std::to_string(v.session));
      continue;
    }
    to.push_back(sender_missed(v, silence));
    met_.insert(journal);
  }
  if (connected) return;
  Condition c;
  c.key = "no-sender";
  c.area = "link";
  c.alarm = c.log = false;  // one that is missed has its own
  c.text = "no sender is connected: does one run with link.remote on a device that forwards to " +
           config_.listen.text() + ", and does link.allow admit the device?";
  to.push_back(c);
}

std::vector<Condition> ReceiverDaemon::conditions(const StatusReport& report, Nanos now) {
  std::vector<Condition> out;
  space_.add_conditions(out);
  add_pipe_conditions(report, out);
  add_sender_conditions(now, out);
  for (const std::string& trouble : {marks_trouble_, retention_trouble_, host_->trouble()})
    if (!trouble.empty()) out.push_back(housekeeping_trouble(trouble));
  return out;
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
  if (!stopping_) conditions_.update(conditions(report, now), now, env_.clock->wall_micros());
  conditions_.fill(report);
  const std::lock_guard lock(report_mutex_);
  report_ = std::move(report);
}

}  // namespace tidegate
