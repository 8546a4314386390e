// SPDX-License-Identifier: Apache-2.0
// Ledger: the durable list of what an operator must be able to look up: gaps, forks, duplicates, dead
// letters, damage, lowered confirmed positions; and hourly counts for reconciliation. Part of the fold
// (stream_state.h): entries are notes of the journal, the most recent ones, the counters and the hours are in
// every checkpoint. Pure, no lock of its own.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <vector>

#include "pipe/stream/notes.h"

namespace tidegate {

struct LedgerEntry {
  static constexpr NoteType kType = NoteType::kLedger;
  std::uint64_t number = 0;  // dense from 1 per journal; an entry folded twice is recognised by it
  std::int64_t wall_micros = 0;
  std::string kind;     // stable text: one of ledger_kind, or a link's own
  Id journal;           // of the stream; zeros: this journal
  StreamId stream = 0;  // 0: not of a stream, from and to are LSNs
  std::uint64_t from = 0, to = 0;
  std::uint64_t amount = 1;  // what it adds to the counter of its kind (aggregated entries: more)
  std::string text;          // what happened and what to do; at most kMaxLedgerText bytes
  static constexpr auto fields() {
    using N = LedgerEntry;
    return std::tuple(&N::number, &N::wall_micros, &N::kind, &N::journal, &N::stream, &N::from, &N::to,
                      &N::amount, &N::text);
  }
  bool operator==(const LedgerEntry&) const = default;
};

namespace ledger_kind {
constexpr const char* kGap = "gap";
constexpr const char* kFork = "fork";
constexpr const char* kDuplicates = "duplicates";
constexpr const char* kDeadLetter = "dead-letter";
constexpr const char* kDamage = "damage";
constexpr const char* kStreamEnded = "stream-ended";
constexpr const char* kLoop = "loop";
}  // namespace ledger_kind

// Batches by the hour of their arrival in this journal.
struct HourCount {
  std::int64_t hour = 0;  // hours since the epoch, UTC
  std::uint64_t batches = 0, events = 0, values = 0;
  std::uint64_t hash_sum = 0;  // sum mod 2^64 of the first 8 bytes (little-endian) of the content hashes
  static constexpr auto fields() {
    using N = HourCount;
    return std::tuple(&N::hour, &N::batches, &N::events, &N::values, &N::hash_sum);
  }
  bool operator==(const HourCount&) const = default;
};

// Damage of this journal as an entry, and whether it is among these already.
LedgerEntry damage_entry(const DamagedRange& range, std::int64_t wall_micros);
bool knows_damage(const std::vector<LedgerEntry>& entries, const DamagedRange& range);

constexpr std::size_t kMaxLedgerText = 1024;
constexpr std::size_t kMaxLedgerEntries = 256;  // the most recent ones are kept
constexpr std::size_t kMaxLedgerKinds = 64;     // further ones count as "other"
constexpr std::size_t kMaxHours = 72;

class Ledger {
 public:
  void add(const LedgerEntry& entry);
  void count(const RecordMeta& meta);

  std::uint64_t last_number() const { return last_number_; }
  std::vector<LedgerEntry> recent() const { return {entries_.begin(), entries_.end()}; }  // oldest first
  const std::map<std::string, std::uint64_t>& counters() const { return counters_; }
  std::vector<HourCount> hours() const;  // ascending

  void save(stream_codec::PutFields& put) const;
  void load(stream_codec::GetFields& get);

 private:
  std::uint64_t last_number_ = 0;
  std::deque<LedgerEntry> entries_;
  std::map<std::string, std::uint64_t> counters_;
  std::map<std::int64_t, HourCount> hours_;
};

}  // namespace tidegate
