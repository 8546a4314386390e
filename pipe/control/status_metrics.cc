// SPDX-License-Identifier: Apache-2.0
// Prometheus text format 0.0.4: https://prometheus.io/docs/instrumenting/exposition_formats/
#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstdio>
#include <utility>

#include "pipe/control/status_render.h"

namespace tidegate {
namespace {

using Labels = std::vector<std::pair<std::string_view, std::string>>;
using Counts = std::map<std::string, std::uint64_t>;

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\') {
      out += "\\\\";
    } else if (c == '"') {
      out += "\\\"";
    } else if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  return out;
}

template <std::unsigned_integral T>
std::string shown(T value) {
  return std::to_string(value);
}
std::string shown(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  char text[64];
  std::snprintf(text, sizeof(text), "%.3f", value);
  return text;
}

// What may stand in the name of a metric; two names can become one.
std::string metric_name(std::string_view name) {
  std::string out(name);
  for (char& c : out)
    if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))) c = '_';
  return out;
}

class Page {
 public:
  // Opens a family; samples of it follow at once.
  void family(std::string_view name, std::string_view type, std::string_view help) {
    name_ = "tidegate_" + std::string(name);
    out_ +=
        "# HELP " + name_ + " " + std::string(help) + "\n# TYPE " + name_ + " " + std::string(type) + "\n";
  }
  template <class T>
  void sample(const Labels& labels, T value) {
    out_ += name_;
    for (std::size_t i = 0; i < labels.size(); ++i)
      out_ += (i == 0 ? "{" : ",") + std::string(labels[i].first) + "=\"" + escaped(labels[i].second) + "\"";
    out_ += (labels.empty() ? " " : "} ") + shown(value) + "\n";
  }
  template <class T>
  void gauge(std::string_view name, std::string_view help, T value) {
    family(name, "gauge", help);
    sample({}, value);
  }
  void gauge(std::string_view name, std::string_view help, const std::optional<double>& value) {
    if (value) gauge(name, help, *value);
  }
  // One family over a list: f(item) gives the value, or nothing where the item has none.
  template <class Items, class Name, class F>
  void each(std::string_view name, std::string_view type, std::string_view help, const Items& items,
            Name labels, F f) {
    family(name, type, help);
    for (const auto& item : items)
      if (const auto value = f(item)) sample(labels(item), *value);
  }
  std::string take() { return std::move(out_); }

 private:
  std::string out_, name_;
};

template <class Item, class T>
auto member(T Item::* field) {
  return [field](const Item& item) { return std::optional(item.*field); };
}

void counters(Page& page, const std::string& prefix, const std::string& what, const Counts& counts) {
  Counts merged;
  for (const auto& [name, value] : counts) merged[metric_name(name)] += value;
  for (const auto& [name, value] : merged) {
    const bool level = name.ends_with("pending_bytes");  // goes down, too
    page.family(prefix + name + (level ? "" : "_total"), level ? "gauge" : "counter",
                (level ? "Now " : "Since the start, ") + what + ": " + name + ".");
    page.sample({}, value);
  }
}

void questions(Page& page, const StatusReport& r) {
  page.gauge("newest_outside_age_seconds",
             "Age of the newest value that is outside (sender) or stored here (receiver); absent: none yet.",
             r.newest_outside_age_s);
  page.gauge("future_records", "Records with times more than a day ahead, left out of that age.",
             r.future_records);
  page.gauge("waiting_batches", "Batches not yet outside (sender) or not yet delivered (receiver).",
             r.waiting_batches);
  page.gauge("waiting_bytes", "Bytes not yet outside (sender) or not yet delivered (receiver).",
             r.waiting_bytes);
  page.gauge("waiting_seconds", "Time until nothing waits at the present speed; absent: nothing moves.",
             r.waiting_s);
  page.gauge("disk_full_in_seconds",
             "Time until journal or disk are full at the present speed; 0: full; absent: not filling.",
             r.disk_full_in_s);
}

void journal(Page& page, const StatusReport& r) {
  page.gauge("journal_head_lsn", "LSN of the newest batch of the journal.", r.journal_head);
  page.gauge("journal_durable_lsn", "LSN of the newest batch that is synced.", r.journal_durable);
  page.gauge("journal_first_lsn", "LSN of the oldest batch that is kept.", r.journal_first);
  page.gauge("journal_used_bytes", "Size of the journal on the disk.", r.journal_used_bytes);
  page.gauge("journal_quota_bytes", "What the journal may use; 0: no limit.", r.journal_quota_bytes);
  page.gauge("disk_free_bytes", "Free space of the journal's file system.", r.disk_free_bytes);
  page.gauge("disk_total_bytes", "Size of the journal's file system.", r.disk_total_bytes);
  page.gauge("process_anonymous_memory_bytes", "Anonymous resident memory.", r.anonymous_memory_bytes);
  page.family("process_cpu_seconds_total", "counter", "User and system CPU time.");
  page.sample({}, r.cpu_seconds);
}

void link(Page& page, const StatusLink& l) {
  page.family("link_state", "gauge", "1 for the state that the link is in.");
  page.sample({{"state", l.state}, {"peer", l.peer}, {"profile", l.profile}}, std::uint64_t{1});
  page.gauge("link_delivery_proven", "1: delivery is proven by questions; 0: `ask` is off.",
             std::uint64_t{l.delivery_proven});
  page.gauge("link_encrypted", "1: what crosses the device is encrypted.", std::uint64_t{l.encrypted});
  page.gauge("link_session", "Number of the present session.", l.session);
  counters(page, "link_", "of the link", l.counters);
}

void streams(Page& page, const std::vector<StatusStream>& list) {
  const auto labels = [](const StatusStream& s) {
    return Labels{{"sender", s.sender}, {"stream", std::to_string(s.stream)}, {"label", s.label}};
  };
  page.family("stream_state", "gauge", "1 for the state that the stream is in.");
  for (const StatusStream& s : list) {
    Labels with_state = labels(s);
    with_state.emplace_back("state", s.state);
    page.sample(with_state, std::uint64_t{1});
  }
  const auto gauge = [&](std::string_view name, std::string_view help, auto field) {
    page.each(name, "gauge", help, list, labels, member(field));
  };
  gauge("stream_generation", "Generation of the stream: how often it was forked.", &StatusStream::generation);
  const auto of_sender = [&](std::string_view name, std::string_view help, auto field) {
    if (std::ranges::any_of(list, [field](const StatusStream& s) { return (s.*field).has_value(); }))
      page.each(name, "gauge", help, list, labels, [field](const StatusStream& s) { return s.*field; });
  };
  of_sender("stream_head_sequence", "Newest batch of the stream.", &StatusStream::head);
  of_sender("stream_soft_sequence", "Last batch answered ok.", &StatusStream::soft);
  gauge("stream_confirmed_sequence", "Last batch that is in the far journal; at the receiver: stored here.",
        &StatusStream::confirmed);
  of_sender("stream_trimmed_sequence", "Last batch that is no longer kept.", &StatusStream::trimmed);
}

void senders(Page& page, const std::vector<StatusSender>& list) {
  const auto labels = [](const StatusSender& s) {
    return Labels{{"sender", s.label}, {"journal", s.journal}};
  };
  const auto gauge = [&](std::string_view name, std::string_view help, auto field) {
    page.each(name, "gauge", help, list, labels, field);
  };
  gauge("sender_lanes", "Connections that are open.", member(&StatusSender::lanes));
  gauge("sender_session", "Number of its session.", member(&StatusSender::session));
  gauge("sender_last_heard_seconds", "Time since the last frame.", member(&StatusSender::last_heard_s));
  gauge("sender_beat_age_seconds", "Age of its own figures.",
        [](const StatusSender& s) { return s.beat_age_s; });
  gauge("sender_clock_skew_seconds", "Its wall clock minus ours at its last beat.",
        [](const StatusSender& s) { return s.clock_skew_s; });
}

void pipes(Page& page, const std::vector<StatusPipe>& list) {
  const auto labels = [](const StatusPipe& p) {
    return Labels{{"pipe", p.name}, {"connector", p.connector}};
  };
  const auto add = [&](std::string_view name, std::string_view type, std::string_view help, auto field) {
    page.each(name, type, help, list, labels, field);
  };
  add("pipe_running", "gauge", "1: the pipe runs; 0: it is stopped.",
      [](const StatusPipe& p) { return std::optional<std::uint64_t>(p.state == "RUNNING"); });
  add("pipe_position_lsn", "gauge", "Last batch that the target has.", member(&StatusPipe::position));
  add("pipe_lag_batches", "gauge", "Batches that the target does not have yet.",
      member(&StatusPipe::lag_batches));
  add("pipe_lag_bytes", "gauge", "Bytes that the target does not have yet.", member(&StatusPipe::lag_bytes));
  add("pipe_newest_event_timestamp_seconds", "gauge", "Time of the newest event delivered.",
      [](const StatusPipe& p) {
        return p.newest_event_ns ? std::optional(static_cast<double>(*p.newest_event_ns) / 1e9)
                                 : std::nullopt;
      });
  add("pipe_delivered_events_total", "counter", "Events delivered since the start.",
      member(&StatusPipe::delivered_events));
  add("pipe_delivered_values_total", "counter", "Values delivered since the start.",
      member(&StatusPipe::delivered_values));
  add("pipe_dead_letters_total", "counter", "What the target refused for good, since the start.",
      member(&StatusPipe::dead_letters));
  add("pipe_retries_total", "counter", "Deliveries that were tried again, since the start.",
      member(&StatusPipe::retries));
}

void findings(Page& page, const StatusReport& r) {
  page.family("ledger_entries_total", "counter",
              "Amounts in the ledger by kind, over the life of the journal.");
  for (const auto& [kind, count] : r.ledger_counts) page.sample({{"kind", kind}}, count);
  std::uint64_t critical = 0;
  for (const StatusAlarm& alarm : r.alarms) critical += alarm.critical ? 1 : 0;
  page.family("alarms", "gauge", "Alarms whose state holds now.");
  page.sample({{"severity", "critical"}}, critical);
  page.sample({{"severity", "warning"}}, std::uint64_t{r.alarms.size()} - critical);
}

}  // namespace

std::string status_metrics(const StatusReport& r) {
  Page page;
  page.family("build_info", "gauge", "Always 1; the labels say what runs.");
  page.sample({{"program", r.program}, {"version", r.version}, {"instance", r.instance}}, std::uint64_t{1});
  page.gauge("health", "0 ok, 1 degraded, 2 failed.", static_cast<std::uint64_t>(r.health));
  page.gauge("uptime_seconds", "Time since the start.", r.uptime_s);
  questions(page, r);
  journal(page, r);
  if (r.link) link(page, *r.link);
  if (!r.streams.empty()) streams(page, r.streams);
  if (!r.senders.empty()) senders(page, r.senders);
  if (!r.pipes.empty()) pipes(page, r.pipes);
  counters(page, "", "of this daemon", r.counters);
  findings(page, r);
  return page.take();
}

}  // namespace tidegate
