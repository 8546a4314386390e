// SPDX-License-Identifier: Apache-2.0
#include "pipe/control/status_conditions.h"

#include "pipe/engine/pipe.h"  // kHistoryFinished

#include <algorithm>
#include <functional>
#include <set>
#include <utility>

#include "base/log.h"

namespace tidegate {
namespace {

constexpr Nanos kReminder = 600 * kSecond;
constexpr Nanos kCalm = 60 * kSecond;       // gone for so long: when it comes again, it is news
constexpr Nanos kStays = 10 * kSecond;      // held for so long, it is told although it came again soon
constexpr Nanos kOtherText = 60 * kSecond;  // at most so often a line because the reason is another one
constexpr std::size_t kMostEnded = 20;
constexpr std::size_t kMostEntries = 1000;
constexpr std::size_t kMostEvents = 1000;

std::string without_numbers(const std::string& text) {
  std::string out;
  for (const char c : text) {
    const bool digit = c >= '0' && c <= '9';
    if (!digit) {
      out += c;
    } else if (out.empty() || out.back() != '#') {
      out += '#';
    }
  }
  return out;
}

LogLevel level_of(const Condition& condition) {
  if (condition.health == Health::kFailed || condition.critical) return LogLevel::kError;
  return condition.alarm ? LogLevel::kWarning : LogLevel::kInfo;
}

// How bad it is, for "it got worse".
int severity(const Condition& condition) {
  return 4 * static_cast<int>(condition.health) + (condition.critical ? 2 : 0) + (condition.alarm ? 1 : 0);
}

bool is_critical(const Condition& condition) {
  return condition.critical || condition.health == Health::kFailed;
}

}  // namespace

Condition housekeeping_trouble(const std::string& text) {
  Condition c;
  c.key = "journal-housekeeping";
  c.area = "journal";
  c.text = text;
  c.over = "the journal's housekeeping works again";
  return c;
}

void add_stream_conditions(const StatusReport& report, std::vector<Condition>& to) {
  for (const StatusStream& s : report.streams) {
    const bool stopped = s.state.starts_with("STOPPED");
    if (!stopped && s.message.empty()) continue;
    Condition c;
    c.key = "stream/" + std::to_string(s.stream);
    c.area = "link";
    c.health = stopped ? Health::kFailed : Health::kDegraded;
    c.text = "stream " + std::to_string(s.stream) + (stopped ? " is " + s.state + ": " : ": ") + s.message;
    c.over = "stream " + std::to_string(s.stream) + " goes on";
    to.push_back(std::move(c));
  }
}

void add_pipe_conditions(const StatusReport& report, std::vector<Condition>& to) {
  for (const StatusPipe& p : report.pipes) {
    Condition c;
    c.area = "pipe";
    c.log = false;  // the pipe does
    c.key = "pipe/" + p.name;
    if (p.state == "STOPPED") {
      if (p.message.empty() || p.message == kHistoryFinished) continue;  // as somebody wanted
      c.health = Health::kFailed;
      c.text = "pipe " + p.name + " is STOPPED: " + p.message + "; mend it, then START PIPE " + p.name;
      to.push_back(c);
    } else if (!p.message.empty()) {
      c.text = "pipe " + p.name + ": " + p.message;
      to.push_back(c);
    }
    if (p.warning.empty()) continue;
    c.key = "pipe-loss/" + p.name;
    c.health = Health::kDegraded;
    c.text = "pipe " + p.name + ": " + p.warning;
    to.push_back(c);
  }
}

void ConditionBook::update(const std::vector<Condition>& holding, Nanos now, std::int64_t wall_micros) {
  std::set<std::string> held;
  order_.clear();
  for (const Condition& condition : holding) {
    if (!held.insert(condition.key).second) continue;
    order_.push_back(condition.key);
    begin_or_renew(condition, now, wall_micros);
  }
  for (auto& [key, entry] : entries_)
    if (entry.holds && !held.contains(key)) end(entry, now, wall_micros);
  std::erase_if(entries_, [&](const auto& item) {
    const Entry& entry = item.second;
    return !entry.holds && (now - entry.ended > kReminder || entries_.size() > kMostEntries);
  });
}

void ConditionBook::begin_or_renew(const Condition& condition, Nanos now, std::int64_t wall_micros) {
  const bool is_new = !entries_.contains(condition.key);
  Entry& entry = entries_[condition.key];
  const bool worse = entry.holds && severity(condition) > severity(entry.now);
  const bool returns = !entry.holds && !is_new && now - entry.ended < kCalm;
  if (!entry.holds) {
    entry.holds = true;
    entry.since_micros = wall_micros;
    entry.began = now;
    ++entry.times;
  }
  entry.now = condition;
  const bool other_text =
      entry.told && now - entry.logged >= kOtherText && without_numbers(condition.text) != entry.logged_text;
  const bool stays = !entry.told && now - entry.began >= kStays;
  const bool news = entry.began == now && !returns;
  if (news || worse || other_text || stays || now - entry.logged >= kReminder) tell(entry, now);
}

void ConditionBook::tell(Entry& entry, Nanos now) {
  const bool again = entry.times > 1;
  if (entry.now.log)
    log_at(level_of(entry.now), entry.now.area,
           entry.now.text + (again ? " (came " + std::to_string(entry.times) + " times)" : ""));
  entry.told = true;
  entry.times = 0;
  entry.logged = now;
  entry.logged_text = without_numbers(entry.now.text);
}

void ConditionBook::end(Entry& entry, Nanos now, std::int64_t wall_micros) {
  entry.holds = false;
  entry.ended = now;
  entry.ended_micros = wall_micros;
  if (entry.told && entry.now.log && !entry.now.over.empty()) log_info(entry.now.area, entry.now.over);
  entry.told = false;
  if (entry.now.alarm)
    remember({entry.now.key, is_critical(entry.now), entry.now.text, entry.since_micros, wall_micros});
}

void ConditionBook::event(bool alarm, const std::string& area, const std::string& text, Nanos now,
                          std::int64_t wall_micros) {
  const std::string key = "event/" + without_numbers(text);
  if (alarm) remember({key, true, text, wall_micros, wall_micros});
  if (events_.size() >= kMostEvents && !events_.contains(key)) events_.clear();
  const auto [it, is_new] = events_.try_emplace(key);
  Event& event = it->second;
  if (!is_new && now - event.logged < kReminder) {
    ++event.held_back;
    return log_debug(area, text);
  }
  const std::string more =
      event.held_back == 0 ? "" : " (and " + std::to_string(event.held_back) + " times before)";
  log_at(alarm ? LogLevel::kError : LogLevel::kInfo, area, text + more);
  event = {now, 0};
}

void ConditionBook::remember(StatusAlarm alarm) {
  std::erase_if(ended_, [&](const StatusAlarm& old) { return old.key == alarm.key; });
  ended_.push_back(std::move(alarm));
  if (ended_.size() > kMostEnded) ended_.pop_front();
}

void ConditionBook::fill(StatusReport& report) const {
  report.health = Health::kOk;
  report.message.clear();
  report.alarms.clear();
  report.ended_alarms.clear();
  for (const std::string& key : order_) {
    const Entry& entry = entries_.at(key);
    if (entry.now.health > report.health) {
      report.health = entry.now.health;
      report.message = entry.now.text;
    }
    if (entry.now.alarm)
      report.alarms.push_back({key, is_critical(entry.now), entry.now.text, entry.since_micros, {}});
  }
  std::ranges::sort(report.alarms, std::greater<>(), [this](const StatusAlarm& a) {
    return std::pair(severity(entries_.at(a.key).now), a.since_micros);
  });
  for (const StatusAlarm& alarm : ended_) {
    const auto it = entries_.find(alarm.key);
    if (it == entries_.end() || !it->second.holds) report.ended_alarms.push_back(alarm);
  }
}

}  // namespace tidegate
