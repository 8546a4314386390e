// SPDX-License-Identifier: Apache-2.0
// SpaceWatch: the one place that decides whether the journal is full, since when, when it will be at the
// present speed, and how loudly that is said: alarms at 60, 80 and 90 % of quota and disk, FAILED when
// nothing is taken in any more. One thread at a time.
#pragma once

#include <string>
#include <vector>

#include "pipe/control/status_conditions.h"
#include "pipe/control/trend.h"
#include "pipe/journal/journal.h"

namespace tidegate {

class SpaceWatch {
 public:
  struct View {
    JournalSpace space;
    std::uint64_t min_free = 0;  // of the disk: below it nothing is taken in
    Status accepts;              // Journal::accepts()
    bool waiting = false;        // something is kept because it waits: only then the quota fills for good
  };
  // `outside`: what a full journal means to those who write into it, and where to look.
  explicit SpaceWatch(std::string outside) : outside_(std::move(outside)) {}

  void look(View view, Nanos now);
  // used, quota, disk, disk_full_in_s, full_for_s.
  void fill(StatusReport& report, Nanos now) const;
  void add_conditions(std::vector<Condition>& to) const;
  bool full() const { return full_since_.has_value(); }

 private:
  std::string outside_;
  View view_;
  Trend used_{300 * kSecond, 30 * kSecond}, free_{300 * kSecond, 30 * kSecond};
  std::optional<Nanos> full_since_;
  unsigned quota_percent_ = 0, disk_percent_ = 0;
  unsigned quota_level_ = 0, disk_level_ = 0;  // 0, 60, 80, 90
};

}  // namespace tidegate
