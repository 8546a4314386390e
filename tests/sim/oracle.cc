// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/oracle.h"

#include <algorithm>
#include <set>

#include "pipe/model/container.h"
#include "protocol/native/format.h"

namespace tidegate::sim {

void Oracle::violation(std::string text) {
  if (violations_.size() >= 8) return;
  if (hear_) hear_(text);
  violations_.push_back(std::move(text));
}

std::string Oracle::name(const Fact& fact) {
  return "batch " + std::to_string(fact.lsn) + " of journal " + fact.journal.hex().substr(0, 8) + " (" +
         fact.hash.hex().substr(0, 8) + ")";
}

// ---- senders

void Oracle::appended(int machine, const Id& journal, Lsn lsn, const Hash128& hash) {
  Holding& m = machines_[machine];
  if (lsn != m.facts.size() + 1)
    return violation("the journal gave LSN " + std::to_string(lsn) + " where " +
                     std::to_string(m.facts.size() + 1) + " was due");
  const auto index = static_cast<std::uint32_t>(facts_.size());
  Fact fact;
  fact.hash = hash;
  fact.journal = journal;
  fact.lsn = lsn;
  fact.held_by = 1U << machine;
  facts_.push_back(fact);
  by_hash_.emplace(hash, index);
  m.facts.push_back(index);
}

void Oracle::acknowledged(int machine, Lsn first, Lsn last) {
  const Holding& m = machines_[machine];
  for (Lsn lsn = first; lsn <= last && lsn <= m.facts.size(); ++lsn) {
    Fact& fact = facts_[m.facts[lsn - 1]];
    fact.acknowledged = true;
    fact.acknowledged_at = queue_->now();
    ++acknowledged_;
  }
}

void Oracle::let_go(int machine, Lsn lsn, bool release) {
  Fact& fact = facts_[machines_[machine].facts[lsn - 1]];
  fact.held_by &= ~(1U << machine);
  if (release) fact.released_at = queue_->now();
}

void Oracle::reopened(int machine, const Id& journal, Lsn first, Lsn head) {
  Holding& m = machines_[machine];
  if (!m.facts.empty() && facts_[m.facts.back()].journal != journal)
    violation("the journal's id changed though its disk was not replaced");
  for (Lsn lsn = m.facts.size(); lsn > head; --lsn) {
    const Fact& fact = facts_[m.facts[lsn - 1]];
    if (fact.acknowledged)
      violation(name(fact) + " was acknowledged to its producer, but the sender's journal ends at " +
                std::to_string(head) + " after a restart");
    let_go(machine, lsn, false);
  }
  if (m.facts.size() > head) m.facts.resize(head);
  if (head > m.facts.size())
    violation("the sender's journal holds batches up to " + std::to_string(head) + ", but only " +
              std::to_string(m.facts.size()) + " were ever given to it");
  if (first < m.first && !m.rotted)  // the note that let it go may be what the flipped bit hit
    violation("the sender's journal begins at " + std::to_string(first) + " again, after " +
              std::to_string(m.first));
}

void Oracle::released(int machine, Lsn first, Nanos allowed_unproven) {
  Holding& m = machines_[machine];
  for (; m.first < first && m.first <= m.facts.size(); ++m.first) {
    const Fact& fact = facts_[m.facts[m.first - 1]];
    const bool was_there = fact.far_at >= 0;
    const bool by_age = allowed_unproven >= 0 && fact.acknowledged_at <= allowed_unproven;
    if (!was_there && !by_age && !fact.lost_by_rot && fact.acknowledged)
      violation(name(fact) + " was released at the sender but was never durable in the far journal");
    let_go(machine, m.first, true);
  }
}

Oracle::Holding Oracle::holding(int machine) const {
  const auto it = machines_.find(machine);
  return it == machines_.end() ? Holding{} : it->second;
}

void Oracle::rolled_back(int machine, const Holding& to) {
  replaced(machine);
  Holding& m = machines_[machine] = to;
  for (Lsn lsn = m.first; lsn <= m.facts.size(); ++lsn) facts_[m.facts[lsn - 1]].held_by |= 1U << machine;
}

void Oracle::replaced(int machine) {
  Holding& m = machines_[machine];
  for (Lsn lsn = 1; lsn <= m.facts.size(); ++lsn) let_go(machine, lsn, false);
  m = Holding{};
}

void Oracle::numbered(const Id& journal, StreamId stream, Lsn shift) {
  shifts_[{journal, stream}].insert(shift);
}

void Oracle::forked(const Id& journal, StreamId stream, std::uint32_t generation, Seq base) {
  bases_[{journal, stream, generation}].insert(base);
}

// Behind damage the chain is taken up again at the next mark (doc/stream_state.md): what stands between may
// be declared with it. Anything else that is declared must have been let go before.
void Oracle::gap_declared(int machine, Lsn first, Lsn last) {
  Holding& m = machines_[machine];
  if (!m.rotted) return;
  bool damaged = false;
  for (Lsn lsn = std::max(first, m.first); lsn <= last && lsn <= m.facts.size(); ++lsn) {
    Fact& fact = facts_[m.facts[lsn - 1]];
    damaged |= fact.lost_by_rot;
    if (!damaged) continue;
    fact.lost_by_rot = true;
    let_go(machine, lsn, false);
  }
}

void Oracle::confirmed(int machine, Lsn up_to, bool may_ask) {
  if (!may_ask) return;
  const Holding& m = machines_[machine];
  for (Lsn lsn = std::min<Lsn>(up_to, m.facts.size()); lsn >= m.first; --lsn) {
    const Fact& fact = facts_[m.facts[lsn - 1]];
    // A proof that was answered just before the far disk was taken away may arrive after it.
    const bool late = far_lost_at_ >= 0 && queue_->now() - far_lost_at_ < 60 * kSecond;
    if (fact.delivered || (fact.far_at >= 0 && (late || fact.far_at > far_lost_at_)))
      break;  // what is before it was looked at then
    if (fact.lost_by_rot || m.rotted) continue;
    violation(name(fact) + " counts as confirmed at the sender but was never durable in the far journal");
    break;
  }
}

void Oracle::unreadable(int machine, const std::vector<LsnRange>& ranges) {
  Holding& m = machines_[machine];
  if (!m.rotted) return;  // nothing but a flipped bit makes a batch unreadable
  for (const LsnRange& range : ranges)
    for (Lsn lsn = range.first; lsn <= range.last && lsn <= m.facts.size(); ++lsn) {
      facts_[m.facts[lsn - 1]].lost_by_rot = true;
      let_go(machine, lsn, false);
    }
}

// ---- the receiver

void Oracle::far_synced(const Hash128& hash) {
  if (const auto it = by_hash_.find(hash); it != by_hash_.end()) facts_[it->second].far_at = queue_->now();
}

void Oracle::far_trimmed(const Hash128& hash) {
  if (const auto it = by_hash_.find(hash); it != by_hash_.end()) facts_[it->second].delivered = true;
}

void Oracle::far_damage(Lsn first, Lsn last) {
  far_damaged_ += last - first + 1;
}

struct Oracle::Far {
  std::map<std::pair<Id, StreamId>, Line> lines;
  std::vector<LedgerEntry> ledger;
  std::vector<DamagedRange> damaged;
  struct Event {
    Id journal;
    Lsn from = 0, to = 0;
  };
  std::vector<Event> gap_events;    // batches of kind gap: LSNs that the sender could not even number
  std::uint64_t declared_lost = 0;  // LSNs of this journal that its ledger and folder name as damaged
  std::vector<LiveSender> live;
  bool trimmed = false;
  Lsn next = 0;
};

bool Oracle::covered_by_gap(const Far& far, const Id& journal, StreamId stream, Seq from, Seq to) const {
  for (Seq n = from; n <= to; ++n) {
    const bool covered = std::any_of(far.ledger.begin(), far.ledger.end(), [&](const LedgerEntry& e) {
      return e.kind == ledger_kind::kGap && e.journal == journal && e.stream == stream && e.from <= n &&
             n <= e.to;
    });
    if (!covered) return false;
  }
  return true;
}

void Oracle::check_far(const Journal& journal, const StreamState& state,
                       const std::vector<LiveSender>& live) {
  Far far;
  far.ledger = state.ledger_recent();
  far.damaged = journal.damaged();
  far.live = live;
  std::set<Lsn> lost;
  const auto declare = [&](Lsn first, Lsn last) {
    for (Lsn lsn = first; lsn <= last; ++lsn) lost.insert(lsn);
  };
  for (const DamagedRange& range : far.damaged) declare(range.first, range.last);
  for (const LedgerEntry& e : far.ledger)
    if (e.kind == ledger_kind::kDamage) declare(e.from, e.to);
  far.trimmed = journal.first_lsn() > 1;
  far.next = journal.first_lsn();
  if (!far.damaged.empty() && !far_rotted_)
    violation("the far journal reports damage at " + std::to_string(far.damaged.front().first) + ".." +
              std::to_string(far.damaged.front().last) +
              " though no bit of its disk was flipped: " + far.damaged.front().reason);
  Journal::Reader reader = journal.reader(journal.first_lsn());
  for (;;) {
    auto record = reader.next();
    if (!record.ok()) {
      if (!far_rotted_ || !record.error().sequence) {
        violation("the far journal cannot be read: " + record.error().text());
        break;
      }
      declare(reader.position(), *record.error().sequence - 1);  // the reader says so: that is declared, too
      reader.skip_to(*record.error().sequence);
      far.next = *record.error().sequence;
      for (auto& [key, line] : far.lines) line.any = false;  // what follows may be anything later
      continue;
    }
    if (!*record) break;
    check_record(far, **record);
  }
  far.declared_lost = lost.size() + far_damaged_;
  check_missing(far);
}

void Oracle::check_record(Far& far, const Record& record) {
  const RecordMeta& meta = record.meta;
  if (meta.first_lsn != far.next)
    violation("the far journal's LSN " + std::to_string(meta.first_lsn) + " follows " +
              std::to_string(far.next - 1));
  far.next = meta.last_lsn() + 1;
  if (!meta.origin) return violation("a record of the far journal has no origin");
  const Origin& origin = *meta.origin;
  if (origin.first_seq == 0) return;  // an event about the stream: gap or fork
  const auto decoded = decode_container(meta.codec, meta.decoded_size, record.container, 1ULL << 30);
  if (!decoded.ok() || decoded->batches.size() != meta.hashes.size())
    return violation("a record of the far journal cannot be decoded, LSN " + std::to_string(meta.first_lsn));
  Line& line = far.lines[{origin.journal, origin.stream}];
  check_place(far, line, meta, origin.first_seq + meta.skip);
  Hash128 chain = origin.chain_before;
  for (std::size_t i = 0; i < meta.hashes.size(); ++i) {
    const Seq seq = origin.first_seq + i;
    chain = chain_next(chain, seq, meta.hashes[i]);
    if (i < meta.skip) continue;
    check_batch(line, origin, seq, decoded->batches[i], meta.hashes[i]);
    note_gap_events(far, origin, decoded->batches[i]);
    line.chains[seq] = chain;
    line.last = seq;
  }
}

// A later generation begins at its base: what stood behind that is another branch.
void Oracle::begin_generation(Far& far, Line& line, const Origin& origin, Seq first) {
  const std::set<Seq>& bases = bases_[{origin.journal, origin.stream, origin.generation}];
  std::optional<Seq> fits, most;
  for (auto it = bases.rbegin(); it != bases.rend() && !fits; ++it) {
    if (*it > std::min(line.last, first - 1)) continue;
    if (!most) most = *it;
    const auto chain = line.chains.find(*it);
    const bool follows =
        *it == first - 1 && (chain == line.chains.end() || chain->second == origin.chain_before);
    const bool by_gap =
        *it < first - 1 && covered_by_gap(far, origin.journal, origin.stream, *it + 1, first - 1);
    if (follows || by_gap) fits = *it;
  }
  if (!most)
    return violation("stream " + std::to_string(origin.stream) + " is in generation " +
                     std::to_string(origin.generation) + " from batch " + std::to_string(first) +
                     " on, which no sender began at or before that");
  const Seq base = fits.value_or(*most);
  const bool told =
      far_rotted_ || std::any_of(far.ledger.begin(), far.ledger.end(), [&](const LedgerEntry& e) {
        return e.kind == ledger_kind::kFork && e.journal == origin.journal && e.stream == origin.stream;
      });
  if (!told)
    violation("stream " + std::to_string(origin.stream) + " goes on in generation " +
              std::to_string(origin.generation) + " at " + std::to_string(base) +
              " and no fork is in the ledger");
  line.generation = origin.generation;
  line.shift.reset();  // a stream whose creation was lost by damage may be numbered anew, from a fork on
  line.last = base;
  line.chains.erase(line.chains.upper_bound(base), line.chains.end());
}

// Order: every number of a generation once, in a row but for declared gaps, each record chained to the one
// before.
void Oracle::check_place(Far& far, Line& line, const RecordMeta& meta, Seq first) {
  const Origin& origin = *meta.origin;
  const std::string where = "stream " + std::to_string(origin.stream) + " of journal " +
                            origin.journal.hex().substr(0, 8) + ", generation " +
                            std::to_string(origin.generation) + ", batch " + std::to_string(first);
  const bool begins = !line.any;
  if (!begins && origin.generation < line.generation)
    violation(where + ": an older generation stands behind generation " + std::to_string(line.generation));
  if (!begins && origin.generation > line.generation) begin_generation(far, line, origin, first);
  line.any = true;
  line.generation = origin.generation;
  const Seq due = line.last + 1;
  if (!begins && first < due)
    violation(where + " stands a second time in the far journal, or out of order; " + std::to_string(due) +
              " was due");
  // A flipped bit of the far disk may have hit the note of a gap or a fork: then only order and content are
  // certain.
  const bool unknown_before = (begins && far.trimmed) || far_rotted_;
  if (first > due && !unknown_before && !covered_by_gap(far, origin.journal, origin.stream, due, first - 1))
    violation(where + ": " + std::to_string(due) + ".." + std::to_string(first - 1) +
              " are missing before it and no gap is in the ledger");
  const auto before = line.chains.find(origin.first_seq - 1);
  if (!far_rotted_ && before != line.chains.end() && before->second != origin.chain_before)
    violation(where + ": its previous chain is not the chain of what stands before it");
  if (origin.first_seq == 1 && origin.chain_before != chain_zero(origin.journal, origin.stream))
    violation(where + ": does not begin at chain(0)");
}

void Oracle::check_batch(Line& line, const Origin& origin, Seq seq, ByteView canonical,
                         const Hash128& declared) {
  const Hash128 hash = xxh3_128(canonical);
  const std::string where =
      "stream " + std::to_string(origin.stream) + " batch " + std::to_string(seq) + " in the far journal";
  if (hash != declared) return violation(where + " does not have the content that its record declares");
  const auto it = by_hash_.find(hash);
  if (it == by_hash_.end()) return violation(where + " was never given to a sender");
  Fact& fact = facts_[it->second];
  fact.present = true;
  if (fact.journal != origin.journal) violation(where + " carries the wrong journal: it is " + name(fact));
  const auto shift = static_cast<std::int64_t>(fact.lsn) - static_cast<std::int64_t>(seq);
  if (line.shift && *line.shift != shift)
    violation(where + " has another number than at the sender: it is " + name(fact));
  line.shift = shift;
}

void Oracle::note_gap_events(Far& far, const Origin& origin, ByteView canonical) {
  EventKind kind{};
  if (!read_head(canonical, &kind).ok() || kind != EventKind::kGap) return;
  const auto gaps = read_gaps(canonical);
  if (!gaps.ok()) return violation("a gap event in the far journal cannot be read");
  for (const GapEvent& gap : *gaps) far.gap_events.push_back({origin.journal, gap.from, gap.to});
}

bool Oracle::covered_by_any_gap(const Far& far, const Fact& fact) const {
  for (const Far::Event& e : far.gap_events)
    if (e.journal == fact.journal && e.from <= fact.lsn && fact.lsn <= e.to) return true;
  return std::any_of(far.ledger.begin(), far.ledger.end(), [&](const LedgerEntry& e) {
    if (e.kind != ledger_kind::kGap || e.journal != fact.journal) return false;
    const auto shifts = shifts_.find({e.journal, e.stream});
    return shifts != shifts_.end() && std::ranges::any_of(shifts->second, [&](Lsn shift) {
             return fact.lsn > shift && e.from <= fact.lsn - shift && fact.lsn - shift <= e.to;
           });
  });
}

// What is wrong with a batch that is not in the far journal; empty: nothing.
std::string Oracle::complaint(const Far& far, const Fact& fact) const {
  if (fact.far_at >= 0 && fact.far_at > far_lost_at_)
    return name(fact) + " was synced in the far journal and is not there any more; " +
           std::to_string(far.declared_lost) + " are declared as damaged there";
  if (!fact.acknowledged) return {};
  // A gap is final: what was let go and declared stays declared, also when an old disk brings it back.
  const bool was_released = fact.released_at >= 0;
  if (fact.held_by != 0 && !(was_released && covered_by_any_gap(far, fact)))
    return name(fact) + " was acknowledged, its sender still has it, and it is not in the far journal";
  // Lost by a disk that was taken away, after it was let go for good reason, or damaged: then the hole is
  // declared.
  const auto sender = std::find_if(far.live.begin(), far.live.end(),
                                   [&](const LiveSender& s) { return s.journal == fact.journal; });
  const bool goes_on = std::any_of(machines_.begin(), machines_.end(), [&](const auto& m) {
    return m.second.facts.size() >= fact.lsn && &facts_[m.second.facts[fact.lsn - 1]] == &fact;
  });
  if (sender == far.live.end() || !goes_on || covered_by_any_gap(far, fact)) return {};
  const bool told_there = std::any_of(sender->damage.begin(), sender->damage.end(), [&](const LsnRange& d) {
    return d.first <= fact.lsn && fact.lsn <= d.last;
  });
  if (fact.lost_by_rot && told_there) return {};
  return name(fact) + " is lost and no gap in the ledger says so";
}

void Oracle::check_missing(const Far& far) {
  // Flipped bits of the far disk may have taken as many as are declared as damaged there.
  std::uint64_t may_be_damaged = far_rotted_ ? far.declared_lost : 0;
  for (const Fact& fact : facts_) {
    if (fact.present || fact.delivered) continue;
    std::string text = complaint(far, fact);
    if (text.empty()) continue;
    if (fact.far_at >= 0 && may_be_damaged > 0) {
      --may_be_damaged;
      continue;
    }
    violation(std::move(text));
  }
}

}  // namespace tidegate::sim
