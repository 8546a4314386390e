// SPDX-License-Identifier: Apache-2.0
#include "pipe/control/status_space.h"

#include <algorithm>
#include <array>

namespace tidegate {
namespace {

constexpr std::array<unsigned, 3> kLevels = {60, 80, 90};
constexpr unsigned kCalmPercent = 3;  // so far below a level its alarm ends

unsigned percent(std::uint64_t part, std::uint64_t whole) {
  if (whole == 0) return 0;
  const auto share = static_cast<double>(part) * 100 / static_cast<double>(whole);
  return static_cast<unsigned>(std::min(share, 100.0));
}

unsigned level_of(unsigned now, unsigned before) {
  unsigned level = 0;
  for (const unsigned one : kLevels)
    if (now >= (one <= before ? one - kCalmPercent : one)) level = one;
  return level;
}

Condition filling(const std::string& key, const std::string& what, unsigned level, unsigned percent,
                  const std::string& todo) {
  Condition c;
  c.key = key;
  c.area = "journal";
  c.text = "the " + what + " is " + std::to_string(percent) + " % full: " + todo;
  c.over = "the " + what + " is less than " + std::to_string(kLevels[0]) + " % full again";
  c.critical = level >= 90;
  c.health = c.critical ? Health::kDegraded : Health::kOk;
  return c;
}

}  // namespace

void SpaceWatch::look(View view, Nanos now) {
  view_ = std::move(view);
  const JournalSpace& space = view_.space;
  used_.sample(now, static_cast<double>(space.used));
  free_.sample(now, -static_cast<double>(space.disk.free));
  const bool refuses = !view_.accepts.ok() && view_.accepts.error().code != ErrorCode::kClosed;
  if (!refuses) full_since_.reset();
  if (refuses && !full_since_) full_since_ = now;
  quota_percent_ = percent(space.used, space.quota);
  const std::uint64_t usable = space.disk.total - std::min(space.disk.total, view_.min_free);
  disk_percent_ = percent(space.disk.total - std::min(space.disk.total, space.disk.free), usable);
  quota_level_ = level_of(quota_percent_, quota_level_);
  disk_level_ = level_of(disk_percent_, disk_level_);
}

void SpaceWatch::fill(StatusReport& report, Nanos now) const {
  const JournalSpace& space = view_.space;
  report.journal_used_bytes = space.used;
  report.journal_quota_bytes = space.quota;
  report.disk_free_bytes = space.disk.free;
  report.disk_total_bytes = space.disk.total;
  if (full_since_) {
    report.disk_full_in_s = 0;
    report.full_for_s = static_cast<double>(now - *full_since_) / 1e9;
    return;
  }
  const std::uint64_t room = space.disk.free - std::min(space.disk.free, view_.min_free);
  report.disk_full_in_s = seconds_until(static_cast<double>(room), free_.per_second());
  // A journal that is full of what is delivered is not filling up: the oldest goes when room is needed.
  if (space.quota == 0 || !view_.waiting) return;
  const auto quota =
      seconds_until(static_cast<double>(space.quota - std::min(space.quota, space.used)), used_.per_second());
  if (quota && (!report.disk_full_in_s || *quota < *report.disk_full_in_s)) report.disk_full_in_s = quota;
}

void SpaceWatch::add_conditions(std::vector<Condition>& to) const {
  if (full_since_) {
    const Error& error = view_.accepts.error();
    Condition c;
    c.key = "journal-full";
    c.area = "journal";
    c.health = Health::kFailed;
    c.text = error.code == ErrorCode::kNoSpace ? "full, nothing more is taken in: " + error.detail
                                               : "nothing more is taken in: " + error.text();
    c.text += "; " + outside_;
    c.over = "there is room again: data is taken in again";
    to.push_back(std::move(c));
  }
  if (quota_level_ > 0) {
    to.push_back(filling("journal-filling", "journal's quota", quota_level_, quota_percent_,
                         "raise journal.quota, or mend what the data waits for; " + outside_));
    to.back().log = !full();  // that it is full says more
  }
  if (disk_level_ > 0)
    to.push_back(filling("disk-filling", "disk of the journal", disk_level_, disk_percent_,
                         "make room on it; below min_free nothing is taken in"));
}

}  // namespace tidegate
