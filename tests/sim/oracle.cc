// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/oracle.h"

#include <algorithm>

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

void Oracle::released(int machine, Lsn first, Nanos allowed_unproven, Lsn spare) {
  Holding& m = machines_[machine];
  for (; m.first < first && m.first <= m.facts.size(); ++m.first) {
    const Fact& fact = facts_[m.facts[m.first - 1]];
    const bool was_there = fact.far_at >= 0;
    const bool by_age = allowed_unproven >= 0 && fact.acknowledged_at <= allowed_unproven;
    if (!was_there && !by_age && m.first > spare && !fact.lost_by_rot && fact.acknowledged)
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
  for (Lsn lsn = first; lsn <= last && lsn <= m.facts.size(); ++lsn) facts_[m.facts[lsn - 1]].declared = true;
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
    // A gap is final, also when an old disk brings the batch back.
    if (fact.lost_by_rot || fact.declared || m.rotted) continue;
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

}  // namespace tidegate::sim
