// SPDX-License-Identifier: Apache-2.0
#include "pipe/extract/influx/repeats.h"

#include <utility>

namespace tidegate {

template <class Name, class Hasher>
void Repeats::finish(Table<Name, Hasher>& table, const Name& name, const HttpReply& reply, Nanos now) {
  Entry& entry = table.entries[name];
  entry.reply = reply;
  entry.since = now;
  entry.number = next_number_++;
  table.order.push_back({name, entry.number, now});
  trim(table, now);
}

template <class Name, class Hasher>
void Repeats::trim(Table<Name, Hasher>& table, Nanos now) {
  while (!table.order.empty()) {
    const auto& oldest = table.order.front();
    const auto it = table.entries.find(oldest.name);
    const bool stale = it == table.entries.end() || it->second.number != oldest.number;
    if (!stale && table.order.size() <= capacity_ && now - oldest.since < age_) return;
    if (!stale) table.entries.erase(it);
    table.order.pop_front();
  }
}

Repeats::Found Repeats::begin_key(const std::string& sender, const std::string& key, const Hash128& content,
                                  Nanos now, Waiter waiter) {
  const std::lock_guard lock(mutex_);
  auto& table = keys_[sender];
  trim(table, now);
  const auto [it, added] = table.entries.try_emplace(key);
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
    auto& table = keys_[sender];
    const auto it = table.entries.find(key);
    if (it == table.entries.end()) return;
    waiters = std::exchange(it->second.waiters, {});
    if (final)
      finish(table, key, reply, now);
    else
      table.entries.erase(it);
  }
  for (const Waiter& waiter : waiters) waiter(reply);
}

Repeats::Found Repeats::begin_content(const Hash128& content, Nanos now, Waiter waiter) {
  const std::lock_guard lock(mutex_);
  trim(contents_, now);
  const auto it = contents_.entries.find(content);
  if (it == contents_.entries.end()) return {};
  if (it->second.reply) return {Verdict::kRepeated, *it->second.reply};
  it->second.waiters.push_back(std::move(waiter));
  return {Verdict::kWait, {}};
}

void Repeats::orphaned(const Hash128& content, Nanos now) {
  const std::lock_guard lock(mutex_);
  contents_.entries[content].since = now;
}

void Repeats::undelivered(const Hash128& content, const HttpReply& reply, Nanos now) {
  std::vector<Waiter> waiters;
  {
    const std::lock_guard lock(mutex_);
    waiters = std::exchange(contents_.entries[content].waiters, {});
    finish(contents_, content, reply, now);
  }
  for (const Waiter& waiter : waiters) waiter(reply);
}

void Repeats::forget(const Hash128& content) {
  std::vector<Waiter> waiters;
  {
    const std::lock_guard lock(mutex_);
    const auto it = contents_.entries.find(content);
    if (it == contents_.entries.end()) return;
    waiters = std::exchange(it->second.waiters, {});
    contents_.entries.erase(it);
  }
  for (const Waiter& waiter : waiters) waiter(std::nullopt);
}

}  // namespace tidegate
