// SPDX-License-Identifier: Apache-2.0
#include "pipe/stream/ledger.h"

#include <algorithm>

namespace tidegate {

LedgerEntry damage_entry(const DamagedRange& range, std::int64_t wall_micros) {
  LedgerEntry entry;
  entry.wall_micros = wall_micros;
  entry.kind = ledger_kind::kDamage;
  entry.from = range.first;
  entry.to = range.last;
  entry.amount = range.last - range.first + 1;
  entry.text = range.reason + " in " + range.segment +
               (range.quarantine.empty() ? std::string() : ", copy: " + range.quarantine);
  return entry;
}

bool knows_damage(const std::vector<LedgerEntry>& entries, const DamagedRange& range) {
  return std::ranges::any_of(entries, [&](const LedgerEntry& entry) {
    return entry.kind == ledger_kind::kDamage && entry.from == range.first && entry.to == range.last;
  });
}

namespace {

constexpr std::int64_t kMicrosPerHour = 3'600'000'000;

std::uint64_t first_word(const Hash128& hash) {
  std::uint64_t word;
  std::memcpy(&word, hash.bytes.data(), sizeof(word));
  return word;
}

}  // namespace

void Ledger::add(const LedgerEntry& entry) {
  if (entry.number <= last_number_) return;
  last_number_ = entry.number;
  const bool room = counters_.contains(entry.kind) || counters_.size() < kMaxLedgerKinds;
  counters_[room ? entry.kind : "other"] += entry.amount;
  // Counts come every second where batches come again: those of an hour are one entry, so that they do not
  // push gaps and forks out.
  if (entry.kind == ledger_kind::kDuplicates || entry.kind == ledger_kind::kLoop) {
    const auto same = std::ranges::find_if(entries_.rbegin(), entries_.rend(), [&](const LedgerEntry& e) {
      return e.kind == entry.kind && e.journal == entry.journal && e.stream == entry.stream &&
             entry.wall_micros - e.wall_micros < kMicrosPerHour && e.wall_micros <= entry.wall_micros;
    });
    if (same != entries_.rend()) {
      same->amount += entry.amount;
      return;
    }
  }
  entries_.push_back(entry);
  if (entries_.size() > kMaxLedgerEntries) entries_.pop_front();
}

void Ledger::count(const RecordMeta& meta) {
  const std::int64_t hour = meta.arrival_micros / kMicrosPerHour;
  HourCount& counts = hours_[hour];
  counts.hour = hour;
  counts.batches += meta.count;
  counts.events += meta.events;
  counts.values += meta.values;
  for (std::size_t i = meta.skip; i < meta.hashes.size(); ++i) counts.hash_sum += first_word(meta.hashes[i]);
  if (hours_.size() > kMaxHours) hours_.erase(hours_.begin());
}

std::vector<HourCount> Ledger::hours() const {
  std::vector<HourCount> out;
  for (const auto& [hour, counts] : hours_) out.push_back(counts);
  return out;
}

void Ledger::save(stream_codec::PutFields& put) const {
  put(last_number_);
  stream_codec::put_list(put, entries_);
  put(static_cast<std::uint32_t>(counters_.size()));
  for (const auto& [kind, amount] : counters_) put(kind), put(amount);
  stream_codec::put_list(put, hours());
}

void Ledger::load(stream_codec::GetFields& get) {
  get(last_number_);
  stream_codec::get_list(get, entries_, 8);
  const std::uint32_t kinds = get.count(4 + 8);
  for (std::uint32_t i = 0; i < kinds && get.ok(); ++i) {
    std::string kind;
    get(kind), get(counters_[kind]);
  }
  std::vector<HourCount> hours;
  stream_codec::get_list(get, hours, 5 * 8);
  for (const HourCount& counts : hours) hours_[counts.hour] = counts;
}

}  // namespace tidegate
