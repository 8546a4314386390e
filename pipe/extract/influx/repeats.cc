// SPDX-License-Identifier: Apache-2.0
#include "pipe/extract/influx/repeats.h"

#include <utility>

namespace tidegate {

// Precondition: the mutex is held.
void Repeats::trim(Sender& sender, Nanos now) const {
  while (!sender.finished.empty()) {
    const Aged& oldest = sender.finished.front();
    if (sender.finished.size() <= capacity_ && now - oldest.since < age_) return;
    const auto it = sender.entries.find(oldest.key);
    if (it != sender.entries.end() && it->second.number == oldest.number) sender.entries.erase(it);
    sender.finished.pop_front();
  }
}

Repeats::Found Repeats::begin_key(const std::string& sender, const std::string& key, const Hash128& content,
                                  Nanos now, Waiter waiter) {
  const std::lock_guard lock(mutex_);
  Sender& known = senders_[sender];
  trim(known, now);
  const auto [it, added] = known.entries.try_emplace(key);
  Entry& entry = it->second;
  if (added) {
    entry.content = content;
    return {};
  }
  if (entry.content != content) return {Verdict::kOtherContent, {}};
  if (entry.reply) return {Verdict::kRepeated, *entry.reply};
  entry.waiters.push_back(std::move(waiter));
  return {Verdict::kWait, {}};
}

void Repeats::key_finished(const std::string& sender, const std::string& key, const HttpReply& reply,
                           bool final, Nanos now) {
  std::vector<Waiter> waiters;
  {
    const std::lock_guard lock(mutex_);
    Sender& known = senders_[sender];
    const auto it = known.entries.find(key);
    if (it == known.entries.end()) return;
    Entry& entry = it->second;
    waiters = std::exchange(entry.waiters, {});
    if (final) {
      entry.reply = reply;
      entry.number = next_number_++;
      known.finished.push_back({key, entry.number, now});
      trim(known, now);
    } else {
      known.entries.erase(it);
    }
  }
  for (const Waiter& waiter : waiters) waiter(reply);
}

void Repeats::orphaned(const Hash128& content) {
  const std::lock_guard lock(mutex_);
  orphans_.try_emplace(content);
}

void Repeats::orphan_settled(const Hash128& content) {
  std::vector<Waiter> waiters;
  {
    const std::lock_guard lock(mutex_);
    const auto it = orphans_.find(content);
    if (it == orphans_.end()) return;
    waiters = std::move(it->second);
    orphans_.erase(it);
  }
  for (const Waiter& waiter : waiters) waiter(std::nullopt);
}

bool Repeats::waits_for_orphan(const Hash128& content, Waiter waiter) {
  const std::lock_guard lock(mutex_);
  const auto it = orphans_.find(content);
  if (it == orphans_.end()) return false;
  it->second.push_back(std::move(waiter));
  return true;
}

}  // namespace tidegate
