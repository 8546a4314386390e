// SPDX-License-Identifier: Apache-2.0
// StatusReport: everything a daemon shows of itself, as plain values. The daemons fill it, control renders
// it: text for `tidegate status`, JSON, Prometheus, health.
//
// The three questions come first: how old is the newest value outside, how much is waiting, when is the disk
// full.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace tidegate {

enum class Health : std::uint8_t { kOk, kDegraded, kFailed };

struct StatusAlarm {
  std::string key;  // kind and what it is of; stays the same while the text changes
  bool critical = false;
  std::string text;  // what, where, what to do
  std::int64_t since_micros = 0;
  std::optional<std::int64_t> ended_micros;  // nothing: its state holds now
};

struct StatusStream {
  std::string sender;  // receiver side: label or id of the sender; empty at the sender
  std::uint16_t stream = 0;
  std::string label, state, message;
  std::uint32_t generation = 0;
  std::uint64_t confirmed = 0;                       // receiver: the position
  std::optional<std::uint64_t> head, soft, trimmed;  // sender
};

struct StatusLink {
  std::string state, message, peer, profile;
  bool delivery_proven = true;  // false: ask is off, here or there
  bool encrypted = false;
  std::uint64_t session = 0;
  std::map<std::string, std::uint64_t> counters;  // snake_case names, monotonic
};

struct StatusSender {  // receiver: a sender as known from its session and its beats
  std::string label, journal, sender_id, peer;
  std::uint64_t session = 0, lanes = 0;
  double last_heard_s = 0;
  std::optional<double> beat_age_s;    // nothing: no beat yet
  std::optional<double> clock_skew_s;  // its wall clock minus ours at the beat
  std::string figures_json;            // its own figures, as it sent them
};

struct StatusPipe {
  std::string name, connector, state, message, warning;
  std::uint64_t position = 0, lag_batches = 0, lag_bytes = 0, delivered_events = 0, delivered_values = 0,
                dead_letters = 0, retries = 0;
  std::optional<std::int64_t> newest_event_ns;
};

struct StatusReport {
  std::string program, version, instance;  // "tidegate-sender", "0.1.0", label
  Health health = Health::kOk;
  std::string message;  // one sentence when not ok
  double uptime_s = 0;
  // the three questions
  // Of the largest event time: sender: that was answered ok outside; receiver: that is stored.
  std::optional<double> newest_outside_age_s;
  std::uint64_t future_records = 0;  // left out of it: event times more than a day ahead of our clock
  std::uint64_t waiting_batches = 0, waiting_bytes = 0;
  std::optional<double> waiting_s;       // at the present speed
  std::optional<double> disk_full_in_s;  // at the present speed; nothing: not filling; 0: full
  std::optional<double> full_for_s;      // nothing is taken in since then; nothing: it is not full
  // the journal
  std::string journal_id;
  std::uint64_t journal_head = 0, journal_durable = 0, journal_first = 0, journal_used_bytes = 0,
                journal_quota_bytes = 0, disk_free_bytes = 0, disk_total_bytes = 0,
                anonymous_memory_bytes = 0;
  double cpu_seconds = 0;
  std::optional<StatusLink> link;
  std::vector<StatusStream> streams;
  std::vector<StatusSender> senders;
  std::vector<StatusPipe> pipes;
  std::map<std::string, std::uint64_t> counters;       // sources, ingest: snake_case, monotonic
  std::map<std::string, std::uint64_t> ledger_counts;  // by kind
  std::vector<std::string> ledger_recent;              // newest last, one line each
  std::vector<StatusAlarm> alarms;        // whose state holds now, the worst first, of equal ones the newest
  std::vector<StatusAlarm> ended_alarms;  // the last ones, newest last
};

}  // namespace tidegate
