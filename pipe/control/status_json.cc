// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <cstdio>

#include "pipe/control/status_render.h"
#include "pipe/engine/json_text.h"
#include "protocol/influx/json_text.h"

namespace tidegate {
namespace {

std::string json_number(double value) {
  if (!std::isfinite(value)) return "null";
  char text[64];
  std::snprintf(text, sizeof(text), "%.3f", value);
  return text;
}
std::string json_number(const std::optional<double>& value) {
  return value ? json_number(*value) : "null";
}

std::string json_number(const std::optional<std::uint64_t>& value) {
  return value ? std::to_string(*value) : "null";
}

// [ f(item), ... ] where f writes one object.
template <class Items, class F>
std::string array(const Items& items, F f) {
  std::string out = "[";
  for (const auto& item : items) {
    if (out.size() > 1) out += ',';
    f(out, item);
  }
  return out + "]";
}

std::string counts(const std::map<std::string, std::uint64_t>& values) {
  std::string out;
  JsonObject o(out);
  for (const auto& [name, value] : values) o.number(name, value);
  o.end();
  return out;
}

// Written anew from what was read, so that only well-formed JSON gets into the page.
void append_value(std::string& out, const influx::JsonValue& v) {
  using Kind = influx::JsonValue::Kind;
  if (v.kind == Kind::kString) return append_json_string(out, v.text);
  if (v.kind == Kind::kNumber || v.kind == Kind::kLiteral) {
    out += v.text;
    return;
  }
  const bool object = v.kind == Kind::kObject;
  out += object ? '{' : '[';
  for (std::size_t i = 0; i < v.members.size(); ++i) {
    if (i > 0) out += ',';
    if (object) {
      append_json_string(out, v.members[i].name);
      out += ':';
    }
    append_value(out, v.members[i]);
  }
  out += object ? '}' : ']';
}

std::string figures(const std::string& text) {
  std::string out;
  if (text.empty()) return "null";
  if (const auto value = influx::parse_json(text)) {
    append_value(out, *value);
  } else {
    append_json_string(out, text);
  }
  return out;
}

std::string link_json(const std::optional<StatusLink>& link) {
  if (!link) return "null";
  std::string out;
  JsonObject o(out);
  o.text("state", link->state);
  o.text("message", link->message);
  o.text("peer", link->peer);
  o.text("profile", link->profile);
  o.raw("delivery_proven", link->delivery_proven ? "true" : "false");
  o.raw("encrypted", link->encrypted ? "true" : "false");
  o.number("session", link->session);
  o.raw("counters", counts(link->counters));
  o.end();
  return out;
}

void stream_json(std::string& out, const StatusStream& s) {
  JsonObject o(out);
  o.text("sender", s.sender);
  o.number("stream", s.stream);
  o.text("label", s.label);
  o.text("state", s.state);
  o.text("message", s.message);
  o.number("generation", s.generation);
  o.raw("head", json_number(s.head));
  o.raw("soft", json_number(s.soft));
  o.number("confirmed", s.confirmed);
  o.raw("trimmed", json_number(s.trimmed));
  o.end();
}

void sender_json(std::string& out, const StatusSender& s) {
  JsonObject o(out);
  o.text("label", s.label);
  o.text("journal", s.journal);
  o.text("sender_id", s.sender_id);
  o.text("peer", s.peer);
  o.number("session", s.session);
  o.number("lanes", s.lanes);
  o.raw("last_heard_s", json_number(s.last_heard_s));
  o.raw("beat_age_s", json_number(s.beat_age_s));
  o.raw("clock_skew_s", json_number(s.clock_skew_s));
  o.raw("figures", figures(s.figures_json));
  o.end();
}

void pipe_json(std::string& out, const StatusPipe& p) {
  JsonObject o(out);
  o.text("name", p.name);
  o.text("connector", p.connector);
  o.text("state", p.state);
  o.text("message", p.message);
  o.text("warning", p.warning);
  o.number("position", p.position);
  o.number("lag_batches", p.lag_batches);
  o.number("lag_bytes", p.lag_bytes);
  o.number("delivered_events", p.delivered_events);
  o.number("delivered_values", p.delivered_values);
  o.number("dead_letters", p.dead_letters);
  o.number("retries", p.retries);
  o.raw("newest_event_ns", p.newest_event_ns ? std::to_string(*p.newest_event_ns) : "null");
  o.end();
}

void alarm_json(std::string& out, const StatusAlarm& a) {
  JsonObject o(out);
  o.text("key", a.key);
  o.raw("critical", a.critical ? "true" : "false");
  o.text("text", a.text);
  o.signed_number("since_micros", a.since_micros);
  if (a.ended_micros) o.signed_number("ended_micros", *a.ended_micros);
  o.end();
}

void journal_members(JsonObject& o, const StatusReport& r) {
  o.text("journal_id", r.journal_id);
  o.number("journal_head", r.journal_head);
  o.number("journal_durable", r.journal_durable);
  o.number("journal_first", r.journal_first);
  o.number("journal_used_bytes", r.journal_used_bytes);
  o.number("journal_quota_bytes", r.journal_quota_bytes);
  o.number("disk_free_bytes", r.disk_free_bytes);
  o.number("disk_total_bytes", r.disk_total_bytes);
  o.number("anonymous_memory_bytes", r.anonymous_memory_bytes);
  o.raw("cpu_seconds", json_number(r.cpu_seconds));
}

}  // namespace

std::string status_json(const StatusReport& r) {
  std::string out;
  JsonObject o(out);
  o.text("program", r.program);
  o.text("version", r.version);
  o.text("instance", r.instance);
  o.text("health", health_name(r.health));
  o.text("message", r.message);
  o.raw("uptime_s", json_number(r.uptime_s));
  o.raw("newest_outside_age_s", json_number(r.newest_outside_age_s));
  o.number("future_records", r.future_records);
  o.number("waiting_batches", r.waiting_batches);
  o.number("waiting_bytes", r.waiting_bytes);
  o.raw("waiting_s", json_number(r.waiting_s));
  o.raw("disk_full_in_s", json_number(r.disk_full_in_s));
  o.raw("full_for_s", json_number(r.full_for_s));
  journal_members(o, r);
  o.raw("link", link_json(r.link));
  o.raw("streams", array(r.streams, stream_json));
  o.raw("senders", array(r.senders, sender_json));
  o.raw("pipes", array(r.pipes, pipe_json));
  o.raw("counters", counts(r.counters));
  o.raw("ledger_counts", counts(r.ledger_counts));
  o.raw("ledger_recent", array(r.ledger_recent, [](std::string& to, const std::string& line) {
          append_json_string(to, line);
        }));
  o.raw("alarms", array(r.alarms, alarm_json));
  o.raw("ended_alarms", array(r.ended_alarms, alarm_json));
  o.end();
  return out + "\n";
}

HealthAnswer status_health(const StatusReport& report) {
  HealthAnswer answer;
  answer.http_status = report.health == Health::kFailed ? 503 : 200;
  JsonObject o(answer.body);
  o.text("status", health_name(report.health));
  o.text("message", report.message);
  o.text("program", report.program);
  o.text("instance", report.instance);
  o.end();
  answer.body += '\n';
  return answer;
}

const char* health_name(Health health) {
  switch (health) {
    case Health::kOk:
      return "ok";
    case Health::kDegraded:
      return "degraded";
    case Health::kFailed:
      return "failed";
  }
  return "failed";
}

}  // namespace tidegate
