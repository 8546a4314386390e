// SPDX-License-Identifier: Apache-2.0
// ConditionBook: what is not as it should be, from the moment it begins to the moment it ends. Health, alarms
// and the log all speak of the same conditions, so they cannot contradict each other.
//
// Each second the daemon says which conditions hold, all of them. One that is new is logged, one that is
// missing has ended and is logged, too; one that goes on is logged again every ten minutes. A key that comes
// and goes is not a line each time: within a minute of its last end it is silent, unless it stays.
//
// One thread at a time; times are given by the caller.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <vector>

#include "base/env.h"
#include "pipe/control/status.h"

namespace tidegate {

struct Condition {
  std::string key;   // kind and what it is of ("pipe-stopped/files"): stays the same while the text changes
  std::string area;  // of the log
  std::string text;  // what, where, what to do
  std::string over;  // said when it has ended
  // kFailed: waits for a person. kOk: works all the same, but is worth an alarm.
  Health health = Health::kDegraded;
  bool critical = false;  // of the alarm; kFailed is always critical
  bool alarm = true;      // false: it may still be the usual course of things
  bool log = true;        // false: who knows of it logs it itself
};

// The journal's own upkeep failed, and is tried again.
Condition housekeeping_trouble(const std::string& text);

// Streams that wait with a message or are STOPPED; pipes that try again, are STOPPED or have lost something.
void add_stream_conditions(const StatusReport& report, std::vector<Condition>& to);
void add_pipe_conditions(const StatusReport& report, std::vector<Condition>& to);

class ConditionBook {
 public:
  void update(const std::vector<Condition>& holding, Nanos now, std::int64_t wall_micros);

  // Something that happened and has no duration. As an alarm it goes straight to those that have ended. The
  // same text, numbers aside, is logged once in ten minutes, then with how often it came.
  void event(bool alarm, const std::string& area, const std::string& text, Nanos now,
             std::int64_t wall_micros);

  // health, message, alarms, ended_alarms.
  void fill(StatusReport& report) const;

 private:
  struct Entry {
    Condition now;
    bool holds = false;
    bool told = false;  // the log says that it holds
    std::int64_t since_micros = 0, ended_micros = 0;
    Nanos began = 0, ended = 0, logged = 0;
    std::uint64_t times = 0;  // that it began since it was logged
    std::string logged_text;  // without its numbers
  };
  struct Event {
    Nanos logged = 0;
    std::uint64_t held_back = 0;
  };

  void begin_or_renew(const Condition& condition, Nanos now, std::int64_t wall_micros);
  void tell(Entry& entry, Nanos now);
  void end(Entry& entry, Nanos now, std::int64_t wall_micros);
  void remember(StatusAlarm alarm);

  std::map<std::string, Entry> entries_;
  std::vector<std::string> order_;  // keys that hold, as last given
  std::map<std::string, Event> events_;
  std::deque<StatusAlarm> ended_;  // newest last, one per key
};

}  // namespace tidegate
