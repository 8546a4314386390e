// SPDX-License-Identifier: Apache-2.0
// What the far journal must be able to show: order, content, events, and nothing missing.
#include <algorithm>

#include "pipe/model/container.h"
#include "protocol/native/format.h"
#include "tests/sim/oracle.h"

namespace tidegate::sim {
namespace {

constexpr std::uint8_t kFromGapFrame = 128;  // LINK.md: such an event says reason + 128

std::string stream_text(const Origin& origin) {
  return "stream " + std::to_string(origin.stream) + " of journal " + origin.journal.hex().substr(0, 8);
}

std::string range_text(Seq from, Seq to) {
  return std::to_string(from) + ".." + std::to_string(to);
}

}  // namespace

void Oracle::far_synced(const Hash128& hash) {
  const auto [first, last] = by_hash_.equal_range(hash);
  for (auto it = first; it != last; ++it) facts_[it->second].far_at = queue_->now();
}

// Entries that were written and not synced may be lost; their numbers are then given again.
void Oracle::far_ledger(const StreamState& state) {
  const std::vector<LedgerEntry> recent = state.ledger_recent();
  far_.ledger.erase(far_.ledger.lower_bound(recent.empty() ? 1 : recent.front().number), far_.ledger.end());
  for (const LedgerEntry& e : recent)
    if (e.kind != ledger_kind::kDuplicates) far_.ledger.emplace(e.number, e);
}

void Oracle::far_rolled_back(FarReading to) {
  far_lost_at_ = queue_->now();
  far_ = std::move(to);
}

bool Oracle::in_ledger(const char* kind, const Id& journal, StreamId stream, Seq from, Seq to) const {
  return std::ranges::any_of(far_.ledger, [&](const auto& entry) {
    const LedgerEntry& e = entry.second;
    return e.kind == kind && e.journal == journal && e.stream == stream && e.from == from && e.to == to;
  });
}

// ---- reading

// On from where the last reading ended. `each`: of records; `lost`: what cannot be read.
void Oracle::read_far(const Journal& journal, Lsn up_to, const std::function<void(const RecordMeta&)>& each,
                      LostLsns* lost) {
  if (journal.first_lsn() > far_.next && !far_rotted_)
    violation("the far journal begins at " + std::to_string(journal.first_lsn()) +
              ", but the sinks have been given nothing behind " + std::to_string(far_.next - 1));
  Journal::Reader reader = journal.reader(std::max(far_.next, journal.first_lsn()));
  while (reader.position() <= up_to) {
    const auto record = reader.next();
    if (record.ok() && !*record) return;
    if (record.ok()) {
      check_record(**record);
      each((*record)->meta);
      continue;
    }
    const auto& behind = record.error().sequence;
    if (!far_rotted_ || !behind) return violation("the far journal cannot be read: " + record.error().text());
    for (Lsn lsn = reader.position(); lsn < *behind; ++lsn)
      lost->insert(lsn);  // the reader says so: declared
    reader.skip_to(*behind);
    far_.next = *behind;
    for (auto& [key, line] : far_.lines) line.any = line.known = false;  // what follows may be anything later
  }
}

void Oracle::far_given(const Journal& journal, const StreamState& state, Lsn up_to) {
  far_ledger(state);
  LostLsns lost;
  read_far(
      journal, up_to,
      [this](const RecordMeta& meta) {
        for (std::size_t i = meta.skip; i < meta.hashes.size(); ++i) {
          const auto [first, last] = by_hash_.equal_range(meta.hashes[i]);
          for (auto it = first; it != last; ++it) facts_[it->second].delivered = true;
        }
      },
      &lost);
  far_.unreadable += lost.size();
}

void Oracle::check_far(const Journal& journal, const StreamState& state,
                       const std::vector<LiveSender>& live) {
  far_ledger(state);
  LostLsns lost;  // declared as damaged
  const auto declare = [&](Lsn first, Lsn last) {
    for (Lsn lsn = first; lsn <= last; ++lsn) lost.insert(lsn);
  };
  const std::vector<DamagedRange> damaged = journal.damaged();
  for (const DamagedRange& range : damaged) declare(range.first, range.last);
  for (const auto& [number, e] : far_.ledger)
    if (e.kind == ledger_kind::kDamage) declare(e.from, e.to);
  if (!damaged.empty() && !far_rotted_)
    violation("the far journal reports damage at " + range_text(damaged.front().first, damaged.front().last) +
              " though no bit of its disk was flipped: " + damaged.front().reason);
  read_far(journal, journal.head(), [](const RecordMeta&) {}, &lost);
  if (!far_rotted_) check_events(state);
  check_missing(live, lost.size() + far_.unreadable);
}

void Oracle::check_record(const Record& record) {
  const RecordMeta& meta = record.meta;
  if (meta.first_lsn != far_.next && !far_rotted_)
    violation("the far journal's LSN " + std::to_string(meta.first_lsn) + " follows " +
              std::to_string(far_.next - 1));
  far_.next = meta.last_lsn() + 1;
  if (!meta.origin) return violation("a record of the far journal has no origin");
  const Origin& origin = *meta.origin;
  const auto decoded = decode_container(meta.codec, meta.decoded_size, record.container, 1ULL << 30);
  if (!decoded.ok() || decoded->batches.size() != meta.hashes.size())
    return violation("a record of the far journal cannot be decoded, LSN " + std::to_string(meta.first_lsn));
  if (origin.first_seq == 0) return check_event(origin, {decoded->batches.begin(), decoded->batches.end()});
  const auto [it, is_new] = far_.lines.try_emplace({origin.journal, origin.stream});
  Line& line = it->second;
  if (is_new) line.known = !far_rotted_;
  check_place(line, meta, origin.first_seq + meta.skip);
  Hash128 chain = origin.chain_before;
  for (std::size_t i = 0; i < meta.hashes.size(); ++i) {
    const Seq seq = origin.first_seq + i;
    chain = chain_next(chain, seq, meta.hashes[i]);
    if (i < meta.skip) continue;
    check_batch(line, origin, seq, decoded->batches[i], meta.hashes[i]);
    note_gap_events(origin, decoded->batches[i]);
    line.chains[seq] = chain;
    line.last = seq;
  }
}

// ---- order
//
// In the order of LSNs stand: the old branch, the event of the fork, the new branch; what is in front of a
// gap, the event of the gap, what is behind it. A flipped bit of the far disk may have hit the note that an
// event was made from: then only order within a generation, and content, are certain.

void Oracle::check_event(const Origin& origin, const std::vector<ByteView>& batches) {
  EventKind kind{};
  if (batches.size() != 1 || !read_head(batches[0], &kind).ok())
    return violation("an event of the far journal cannot be read: " + stream_text(origin));
  if (kind == EventKind::kFork) {
    const auto forks = read_forks(batches[0]);
    if (forks.ok() && forks->size() == 1) return check_fork_event(origin, forks->front());
  }
  if (kind == EventKind::kGap) {
    const auto gaps = read_gaps(batches[0]);
    if (gaps.ok() && gaps->size() == 1) return check_gap_event(origin, gaps->front());
  }
  violation("an event of the far journal is neither a fork nor a gap: " + stream_text(origin));
}

void Oracle::check_fork_event(const Origin& origin, const ForkEvent& event) {
  far_.told.emplace(ledger_kind::kFork, origin.journal, origin.stream, event.base + 1, event.old_last);
  if (far_rotted_) return;
  Line& line = far_.lines[{origin.journal, origin.stream}];
  const std::string where = "the event of the fork of " + stream_text(origin) + " at " +
                            std::to_string(event.base) + ", generation " + std::to_string(event.generation);
  if (event.journal != origin.journal || event.stream != origin.stream ||
      event.generation != origin.generation)
    violation(where + " is about another stream than its record");
  if (event.generation <= line.generation)
    violation(where + " stands behind generation " + std::to_string(line.generation));
  if (event.old_last != line.last)
    violation(where + " ends the old branch at " + std::to_string(event.old_last) + ", and " +
              std::to_string(line.last) + " stands before it");
  if (!bases_[{origin.journal, origin.stream, event.generation}].contains(event.base))
    violation(where + ": no sender began that generation there");
  if (!in_ledger(ledger_kind::kFork, origin.journal, origin.stream, event.base + 1, event.old_last))
    violation(where + " is not in the ledger");
  line.generation = event.generation;
  line.last = event.base;
  line.shift.reset();  // a stream whose creation was lost by damage may be numbered anew, from a fork on
  line.chains.erase(line.chains.upper_bound(event.base), line.chains.end());
}

void Oracle::check_gap_event(const Origin& origin, const GapEvent& event) {
  far_.told.emplace(ledger_kind::kGap, origin.journal, origin.stream, event.from, event.to);
  if (far_rotted_) return;
  Line& line = far_.lines[{origin.journal, origin.stream}];
  const std::string where = "the event of the gap " + range_text(event.from, event.to) + " of " +
                            stream_text(origin) + ", generation " + std::to_string(origin.generation);
  if (event.reason < kFromGapFrame) violation(where + " does not say that it comes from a gap frame");
  if (line.generation != 0 && origin.generation != line.generation)
    violation(where + " stands in generation " + std::to_string(line.generation));
  if (event.from > line.last + 1 || event.to <= line.last)
    violation(where + " stands behind batch " + std::to_string(line.last));
  if (!in_ledger(ledger_kind::kGap, origin.journal, origin.stream, event.from, event.to))
    violation(where + " is not in the ledger");
  line.generation = origin.generation;
  line.last = event.to;
}

// Every gap and fork in the ledger has its event, but for those that a crash or a full disk came before.
void Oracle::check_events(const StreamState& state) {
  auto told = far_.told;
  for (const auto& owed : state.owed_events()) {
    if (const auto* fork = std::get_if<FarForkNote>(&owed))
      told.emplace(ledger_kind::kFork, fork->journal, fork->stream, fork->base + 1, fork->old_last);
    if (const auto* gap = std::get_if<FarGapNote>(&owed))
      told.emplace(ledger_kind::kGap, gap->journal, gap->stream, gap->from, gap->to);
  }
  for (const auto& [number, e] : far_.ledger) {
    if (e.stream == 0 || (e.kind != ledger_kind::kFork && e.kind != ledger_kind::kGap)) continue;
    if (!told.contains({e.kind, e.journal, e.stream, e.from, e.to}))
      violation("the ledger has a " + e.kind + " " + range_text(e.from, e.to) + " of stream " +
                std::to_string(e.stream) + ", and no event of it is in the far journal");
  }
}

// Every number of a generation once, in a row, each record chained to the one before.
void Oracle::check_place(Line& line, const RecordMeta& meta, Seq first) {
  const Origin& origin = *meta.origin;
  const std::string where = stream_text(origin) + ", generation " + std::to_string(origin.generation) +
                            ", batch " + std::to_string(first);
  if (origin.generation < line.generation)
    violation(where + ": an older generation stands behind generation " + std::to_string(line.generation));
  if (origin.generation > line.generation && line.generation != 0) {
    if (line.known && !far_rotted_) violation(where + ": no event of a fork stands before it");
    line.last = first - 1;
    line.shift.reset();
    line.chains.erase(line.chains.lower_bound(first), line.chains.end());
  }
  const Seq due = line.last + 1;
  if ((line.any || line.known) && first < due)
    violation(where + " stands a second time in the far journal, or out of order; " + std::to_string(due) +
              " was due");
  if (first > due && line.known && !far_rotted_)
    violation(where + ": " + range_text(due, first - 1) +
              " are missing before it and no event of a gap is there");
  const auto before = line.chains.find(origin.first_seq - 1);
  if (!far_rotted_ && before != line.chains.end() && before->second != origin.chain_before)
    violation(where + ": its previous chain is not the chain of what stands before it");
  if (origin.first_seq == 1 && origin.chain_before != chain_zero(origin.journal, origin.stream))
    violation(where + ": does not begin at chain(0)");
  line.any = true;
  line.generation = origin.generation;
}

void Oracle::check_batch(Line& line, const Origin& origin, Seq seq, ByteView canonical,
                         const Hash128& declared) {
  const Hash128 hash = xxh3_128(canonical);
  const std::string where =
      "stream " + std::to_string(origin.stream) + " batch " + std::to_string(seq) + " in the far journal";
  if (hash != declared) return violation(where + " does not have the content that its record declares");
  const auto [first, last] = by_hash_.equal_range(hash);
  if (first == last) return violation(where + " was never given to a sender");
  auto it = first;
  for (auto other = first; other != last; ++other) {  // of equal ones, that with the right number
    const auto lsn = static_cast<std::int64_t>(facts_[other->second].lsn);
    if (line.shift && lsn - static_cast<std::int64_t>(seq) == *line.shift) it = other;
  }
  Fact& fact = facts_[it->second];
  fact.present = true;
  if (fact.journal != origin.journal) violation(where + " carries the wrong journal: it is " + name(fact));
  const auto shift = static_cast<std::int64_t>(fact.lsn) - static_cast<std::int64_t>(seq);
  if (line.shift && *line.shift != shift)
    violation(where + " has another number than at the sender: it is " + name(fact));
  line.shift = shift;
}

void Oracle::note_gap_events(const Origin& origin, ByteView canonical) {
  EventKind kind{};
  if (!read_head(canonical, &kind).ok() || kind != EventKind::kGap) return;
  const auto gaps = read_gaps(canonical);
  if (!gaps.ok()) return violation("a gap event in the far journal cannot be read");
  for (const GapEvent& gap : *gaps) far_.gap_events.push_back({origin.journal, gap.from, gap.to});
}

bool Oracle::covered_by_any_gap(const Fact& fact) const {
  for (const FarReading::Gap& e : far_.gap_events)
    if (e.journal == fact.journal && e.from <= fact.lsn && fact.lsn <= e.to) return true;
  return std::ranges::any_of(far_.ledger, [&](const auto& entry) {
    const LedgerEntry& e = entry.second;
    if (e.kind != ledger_kind::kGap || e.journal != fact.journal) return false;
    const auto shifts = shifts_.find({e.journal, e.stream});
    return shifts != shifts_.end() && std::ranges::any_of(shifts->second, [&](Lsn shift) {
             return fact.lsn > shift && e.from <= fact.lsn - shift && fact.lsn - shift <= e.to;
           });
  });
}

// What is wrong with a batch that is not in the far journal; empty: nothing.
std::string Oracle::complaint(const Fact& fact, const std::vector<LiveSender>& live,
                              std::uint64_t lost) const {
  if (fact.far_at >= 0 && fact.far_at > far_lost_at_)
    return name(fact) + " was synced in the far journal and is not there any more; " + std::to_string(lost) +
           " are declared as damaged there";
  if (!fact.acknowledged) return {};
  // A gap is final: what was let go and declared stays declared, also when an old disk brings it back.
  const bool was_given_up = fact.released_at >= 0 || fact.declared;
  if (fact.held_by != 0 && !(was_given_up && covered_by_any_gap(fact)))
    return name(fact) + " was acknowledged, its sender still has it, and it is not in the far journal";
  // Lost by a disk that was taken away, after it was let go for good reason, or damaged: then the hole is
  // declared.
  const auto sender =
      std::find_if(live.begin(), live.end(), [&](const LiveSender& s) { return s.journal == fact.journal; });
  const bool goes_on = std::any_of(machines_.begin(), machines_.end(), [&](const auto& m) {
    return m.second.facts.size() >= fact.lsn && &facts_[m.second.facts[fact.lsn - 1]] == &fact;
  });
  if (sender == live.end() || !goes_on || covered_by_any_gap(fact)) return {};
  const bool told_there = std::any_of(sender->damage.begin(), sender->damage.end(), [&](const LsnRange& d) {
    return d.first <= fact.lsn && fact.lsn <= d.last;
  });
  if (fact.lost_by_rot && told_there) return {};
  if (far_rotted_) return {};  // the flipped bit may have hit the entry that said so
  return name(fact) + " is lost and no gap in the ledger says so";
}

void Oracle::check_missing(const std::vector<LiveSender>& live, std::uint64_t lost) {
  // Flipped bits of the far disk may have taken as many as are declared as damaged there.
  std::uint64_t may_be_damaged = far_rotted_ ? lost : 0;
  for (const Fact& fact : facts_) {
    if (fact.present || fact.delivered) continue;
    std::string text = complaint(fact, live, lost);
    if (text.empty()) continue;
    if (fact.far_at >= 0 && may_be_damaged > 0) {
      --may_be_damaged;
      continue;
    }
    violation(std::move(text));
  }
}

}  // namespace tidegate::sim
