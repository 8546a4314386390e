// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>

#include "pipe/control/status_render.h"
#include "protocol/influx/json_text.h"
#include "protocol/influx/text_scan.h"

namespace tidegate {
namespace {

constexpr std::size_t kColumn = 12;  // where the values stand
constexpr std::size_t kWidth = 100;
constexpr std::size_t kLinesOfLists = 5;

// Texts from elsewhere: no control character (C0, DEL, C1) and no broken UTF-8 gets to a terminal.
std::string clean(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t n = influx::utf8_length(text);
    const auto c = static_cast<unsigned char>(text[0]);
    const bool c1 = n == 2 && c == 0xc2 && static_cast<unsigned char>(text[1]) < 0xa0;
    if (n == 0 || c < 0x20 || c == 0x7f || c1) {
      out += c == '\n' ? ' ' : '?';
    } else {
      out += text.substr(0, n);
    }
    text.remove_prefix(std::max<std::size_t>(n, 1));
  }
  return out;
}

template <class... Values>
std::string printed(const char* format, Values... values) {
  char text[128];
  std::snprintf(text, sizeof(text), format, values...);
  return text;
}

std::string show_bytes(double bytes) {
  static constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  std::size_t unit = 0;
  for (; bytes >= 1024 && unit + 1 < std::size(kUnits); ++unit) bytes /= 1024;
  return printed(unit == 0 || bytes >= 100 ? "%.0f %s" : "%.1f %s", bytes, kUnits[unit]);
}
std::string show_bytes(std::uint64_t bytes) {
  return show_bytes(static_cast<double>(bytes));
}

std::string show_seconds(double s) {
  if (!std::isfinite(s)) return "?";
  if (s < 0) return "-" + show_seconds(-s);
  if (s < 9.95) return printed("%.1f s", s);
  if (s >= 100.0 * 365 * 86400) return "more than 100 years";
  const auto n = static_cast<std::uint64_t>(std::llround(s));
  const auto two = [](std::uint64_t a, const char* au, std::uint64_t b, const char* bu) {
    return std::to_string(a) + au + (b == 0 ? "" : " " + std::to_string(b) + bu);
  };
  if (n < 60) return std::to_string(n) + " s";
  if (n < 3600) return two(n / 60, " min", n % 60, " s");
  if (n < 86400) return two(n / 3600, " h", n % 3600 / 60, " min");
  return two(n / 86400, " d", n % 86400 / 3600, " h");
}

std::string show_time(std::int64_t wall_micros) {
  const std::time_t seconds = wall_micros / 1'000'000;
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  char text[32];
  std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &utc);
  return text;
}

std::string plural(std::uint64_t n, const char* word) {
  return std::to_string(n) + " " + word +
         (n == 1                                           ? ""
          : word[std::string_view(word).size() - 1] == 'h' ? "es"
                                                           : "s");
}

class TextPage {
 public:
  // A line with its heading in the first column; the next lines of the same section have none.
  void section(std::string_view heading) { heading_ = heading; }
  void line(const std::string& text) {
    if (text.empty()) return;
    out_ += heading_ + std::string(kColumn - std::min(kColumn, heading_.size()), ' ') + text + "\n";
    heading_.clear();
  }
  void items(const std::vector<std::string>& list) {
    std::string text;
    for (const std::string& item : list) {
      if (!text.empty() && kColumn + text.size() + 2 + item.size() > kWidth) {
        line(text);
        text.clear();
      }
      text += (text.empty() ? "" : "  ") + item;
    }
    line(text);
  }
  void raw(const std::string& text) { out_ += text + "\n"; }
  std::string take() { return std::move(out_); }

 private:
  std::string out_, heading_;
};

std::string spoken(std::string name) {
  std::replace(name.begin(), name.end(), '_', ' ');
  return clean(name);
}

void counts(TextPage& page, const std::map<std::string, std::uint64_t>& values) {
  std::vector<std::string> list;
  for (const auto& [name, value] : values) {
    if (name.ends_with("_bytes")) {
      list.push_back(spoken(name.substr(0, name.size() - 6)) + " " + show_bytes(value));
    } else {
      list.push_back(spoken(name) + " " + std::to_string(value));
    }
  }
  page.items(list);
}

// ---- the three questions

std::string newest(const StatusReport& r) {
  std::string out = "nothing yet";
  if (r.newest_outside_age_s && *r.newest_outside_age_s < -1) {
    out = show_seconds(-*r.newest_outside_age_s) + " in the future: the clock of its source is ahead of ours";
  } else if (r.newest_outside_age_s) {
    out = show_seconds(std::max(0.0, *r.newest_outside_age_s)) + " old";
  }
  if (r.future_records > 0)
    out += "; " + plural(r.future_records, "record") + " with times more than a day ahead left out";
  return out;
}

std::string waiting(const StatusReport& r) {
  if (r.waiting_batches == 0) return "nothing";
  return plural(r.waiting_batches, "batch") + ", " + show_bytes(r.waiting_bytes) + ", " +
         (r.waiting_s ? "done in " + show_seconds(*r.waiting_s) + " at the present speed" : "nothing moves");
}

std::string room(const StatusReport& r) {
  std::string out = r.full_for_s       ? "FULL for " + show_seconds(*r.full_for_s) + ": nothing is taken in"
                    : r.disk_full_in_s ? "in " + show_seconds(*r.disk_full_in_s) + " at the present speed"
                                       : "not filling";
  out += "; journal " + show_bytes(r.journal_used_bytes);
  if (r.journal_quota_bytes != 0) out += " of " + show_bytes(r.journal_quota_bytes);
  return out + ", disk " + show_bytes(r.disk_free_bytes) + " free of " + show_bytes(r.disk_total_bytes);
}

void head(TextPage& page, const StatusReport& r) {
  std::string state = health_name(r.health);
  std::transform(state.begin(), state.end(), state.begin(), [](unsigned char c) { return std::toupper(c); });
  page.raw(clean(r.program + " " + r.version + " '" + r.instance + "': ") + state +
           (r.message.empty() ? "" : ": " + clean(r.message)) + "  (up " + show_seconds(r.uptime_s) + ")");
  page.raw("");
  const bool receiver = r.program == "tidegate-receiver";
  page.raw((receiver ? "  newest value stored here   " : "  newest value outside       ") + newest(r));
  page.raw((receiver ? "  waiting for the targets    " : "  waiting to cross           ") + waiting(r));
  page.raw("  disk full                  " + room(r));
  page.raw("");
}

// ---- the sections

void link_section(TextPage& page, const StatusLink& l) {
  page.section("link");
  page.line(clean(l.state + (l.message.empty() ? "" : ": " + l.message)));
  page.line(clean(l.peer) + ", profile " + clean(l.profile) +
            (l.session != 0 ? ", session " + std::to_string(l.session) : ""));
  if (!l.encrypted) page.line("not encrypted: who can read the cable can read the data");
  if (!l.delivery_proven)
    page.line("delivery not proven: `ask` is off, only the safety window protects what was answered ok");
  counts(page, l.counters);
}

void streams_section(TextPage& page, const StatusReport& r) {
  page.section("streams");
  for (const StatusStream& s : r.streams) {
    std::string text = (s.sender.empty() ? "" : clean(s.sender) + " ") + std::to_string(s.stream);
    if (!s.label.empty()) text += " '" + clean(s.label) + "'";
    text += ": " + clean(s.state);
    if (s.sender.empty()) {
      text += ", head " + std::to_string(s.head.value_or(0)) + ", answered " +
              std::to_string(s.soft.value_or(0)) + ", confirmed " + std::to_string(s.confirmed) +
              ", released " + std::to_string(s.trimmed.value_or(0));
    } else {
      text += " to " + std::to_string(s.confirmed);
    }
    if (s.generation > 1) text += ", generation " + std::to_string(s.generation);
    page.line(text);
    if (!s.message.empty()) page.line("  " + clean(s.message));
  }
}

std::string figure(const influx::JsonValue& v);

std::string joined(const std::vector<influx::JsonValue>& members, const char* between) {
  std::string out;
  for (const influx::JsonValue& m : members) out += (out.empty() ? "" : between) + figure(m);
  return out;
}

// "waiting_bytes":4096 -> "waiting 4.0 KiB"; what is nested stands in brackets.
std::string figure(const influx::JsonValue& v) {
  using Kind = influx::JsonValue::Kind;
  std::string name = v.name;
  if (v.kind == Kind::kArray) return spoken(name) + " (" + joined(v.members, "; ") + ")";
  if (v.kind == Kind::kObject)
    return name.empty() ? joined(v.members, ", ") : spoken(name) + " (" + joined(v.members, ", ") + ")";
  const auto cut = [&name](std::string_view unit) {
    if (!name.ends_with(unit)) return false;
    name.resize(name.size() - unit.size());
    return true;
  };
  const double number = v.kind == Kind::kNumber ? std::strtod(v.text.c_str(), nullptr) : 0;
  std::string value = v.kind == Kind::kLiteral && v.text == "null" ? "-" : clean(v.text);
  if (cut("_bytes")) {
    if (v.kind == Kind::kNumber) value = show_bytes(number);
  } else if (cut("_s")) {
    if (v.kind == Kind::kNumber) value = show_seconds(number);
  }
  return name.empty() ? value : spoken(name) + " " + value;
}

void figures(TextPage& page, const std::string& json) {
  const auto value = influx::parse_json(json);
  if (!value) return page.line("  its figures cannot be read: " + clean(json.substr(0, 200)));
  std::vector<std::string> list;
  for (const influx::JsonValue& m : value->members) list.push_back(figure(m));
  page.items(list);
}

void senders_section(TextPage& page, const StatusReport& r) {
  page.section("senders");
  for (const StatusSender& s : r.senders) {
    page.line(clean(s.label) + ": heard " + show_seconds(s.last_heard_s) + " ago, " +
              plural(s.lanes, "lane") + (s.peer.empty() ? "" : " from " + clean(s.peer)) + ", session " +
              std::to_string(s.session));
    page.line("  sender_id " + clean(s.sender_id) + ", journal " + clean(s.journal));
    if (!s.beat_age_s) {
      page.line("  its own figures: none yet");
      continue;
    }
    page.line("  its own figures, " + show_seconds(*s.beat_age_s) + " old" +
              (s.clock_skew_s ? printed("; its clock is %+.1f s from ours", *s.clock_skew_s) : "") + ":");
    figures(page, s.figures_json);
  }
}

void pipes_section(TextPage& page, const StatusReport& r) {
  page.section("pipes");
  for (const StatusPipe& p : r.pipes) {
    page.line(clean(p.name) + " (" + clean(p.connector) + "): " + clean(p.state) + ", at LSN " +
              std::to_string(p.position) + ", behind " + plural(p.lag_batches, "batch") + " / " +
              show_bytes(p.lag_bytes) + ", delivered " + plural(p.delivered_values, "value") + ", " +
              plural(p.dead_letters, "dead letter") + ", " +
              (p.retries == 1 ? std::string("1 retry") : std::to_string(p.retries) + " retries"));
    if (!p.message.empty()) page.line("  " + clean(p.message));
    if (!p.warning.empty()) page.line("  warning: " + clean(p.warning));
  }
}

void journal_section(TextPage& page, const StatusReport& r) {
  page.section("journal");
  page.line(clean(r.journal_id) + ": LSN " + std::to_string(r.journal_first) + ".." +
            std::to_string(r.journal_head) + ", durable to " + std::to_string(r.journal_durable));
  page.section("process");
  page.line("memory " + show_bytes(r.anonymous_memory_bytes) + ", CPU " + show_seconds(r.cpu_seconds));
  page.section("counters");
  std::map<std::string, std::uint64_t> counted = r.counters;
  std::erase_if(counted, [](const auto& entry) { return entry.second == 0; });
  counts(page, counted);
}

void ledger_section(TextPage& page, const StatusReport& r) {
  page.section("ledger");
  if (r.ledger_counts.empty() && r.ledger_recent.empty())
    return page.line("empty: no gap, no fork, no repetition");
  counts(page, r.ledger_counts);
  const std::size_t n = r.ledger_recent.size();
  for (std::size_t i = n - std::min(n, kLinesOfLists); i < n; ++i) page.line(clean(r.ledger_recent[i]));
}

void alarms_section(TextPage& page, const StatusReport& r) {
  page.section("alarms");
  if (r.alarms.empty()) page.line("none");
  for (std::size_t i = 0; i < std::min(r.alarms.size(), kLinesOfLists); ++i)
    page.line("since " + show_time(r.alarms[i].since_micros) + (r.alarms[i].critical ? " CRITICAL " : " ") +
              clean(r.alarms[i].text));
  if (r.alarms.size() > kLinesOfLists)
    page.line("and " + std::to_string(r.alarms.size() - kLinesOfLists) + " more: `tidegate status --json`");
  const std::size_t n = r.ended_alarms.size();
  for (std::size_t i = n - std::min(n, kLinesOfLists); i < n; ++i)
    page.line("over since " + show_time(r.ended_alarms[i].ended_micros.value_or(0)) + ": " +
              clean(r.ended_alarms[i].text));
}

}  // namespace

std::string status_text(const StatusReport& r) {
  TextPage page;
  head(page, r);
  if (r.link) link_section(page, *r.link);
  streams_section(page, r);
  senders_section(page, r);
  pipes_section(page, r);
  journal_section(page, r);
  ledger_section(page, r);
  alarms_section(page, r);
  return page.take();
}

}  // namespace tidegate
