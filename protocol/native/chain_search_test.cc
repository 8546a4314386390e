// SPDX-License-Identifier: Apache-2.0
// ChainSearch against a model of the receiver, for every combination of small sizes.
#include "protocol/native/chain_search.h"

#include <gtest/gtest.h>

#include <ostream>

namespace tidegate {
namespace {

// Sender: chains 0..head, content gone up to `trimmed`, last confirmed and base below it kept as points.
// Receiver: same chains up to `common`, others after it up to `position`; chains kept at 0, at `far_base` and
// from `kept_from` on.
struct Model {
  Seq head = 0, trimmed = 0, base = 0, confirmed = 0;
  Seq common = 0, position = 0, kept_from = 0, far_base = 0;

  std::optional<Hash128> chain(Seq n) const {
    if (n > head || (n < trimmed && n != 0 && n != base && n != confirmed)) return std::nullopt;
    Hash128 out;
    out.bytes[0] = static_cast<std::uint8_t>(n + 1);
    return out;
  }
  KnownSeqs known() const {
    KnownSeqs list;
    for (const Seq n : {Seq{0}, base, confirmed})
      if (n < trimmed && (list.points.empty() || n > list.points.back())) list.points.push_back(n);
    std::sort(list.points.begin(), list.points.end());
    list.range_first = trimmed;
    list.range_last = head;
    return list;
  }
  bool keeps(Seq n) const { return n == 0 || n == far_base || n >= kept_from; }
  Verdict answer(const Ask& ask) const {
    if (ask.predicate == Predicate::kPositionAtLeast)
      return position >= ask.number ? Verdict::kYes : Verdict::kNo;
    const Seq n = ask.claims.at(0).seq;
    if (n > position) return Verdict::kNo;
    if (!keeps(n)) return Verdict::kNotNow;
    return n <= common ? Verdict::kYes : Verdict::kNo;
  }
  // The highest known seq whose chain the receiver would answer yes.
  Seq last_common() const {
    Seq best = 0;
    for (Seq n = 0; n <= head; ++n)
      if (chain(n) && n <= position && n <= common && keeps(n)) best = n;
    return best;
  }
};
std::ostream& operator<<(std::ostream& out, const Model& m) {
  return out << "head " << m.head << " trimmed " << m.trimmed << " base " << m.base << " confirmed "
             << m.confirmed << " common " << m.common << " position " << m.position << " kept from "
             << m.kept_from << " far base " << m.far_base;
}

struct Outcome {
  ChainSearch::State state = ChainSearch::State::kAsking;
  Seq result = 0;
  int questions = 0;
  int proofs = 0;
};
// Asks until the end; the question with this index is answered "not now".
Outcome run(const Model& m, bool prove, int not_now_at = -1) {
  ChainSearch search(1, m.known(), m.base, prove);
  Outcome out;
  while (const auto q = search.next([&](Seq n) { return m.chain(n); })) {
    if (out.questions > 100) break;
    const bool refuse = out.questions++ == not_now_at;
    out.proofs += q->kind == QuestionKind::kProof ? 1 : 0;
    search.answer(refuse ? Verdict::kNotNow : m.answer(q->ask));
  }
  out.state = search.state();
  out.result = search.result();
  return out;
}

template <class F>
void for_every_model(Seq size, F check) {
  Model m;
  for (m.head = 0; m.head <= size; ++m.head)
    for (m.confirmed = 0; m.confirmed <= m.head; ++m.confirmed)
      for (m.trimmed = 0; m.trimmed <= m.head; ++m.trimmed)
        for (m.base = 0; m.base <= m.confirmed; ++m.base)
          for (m.position = 0; m.position <= size + 1; ++m.position)
            for (m.common = 0; m.common <= m.position; ++m.common)
              for (m.kept_from = 0; m.kept_from <= m.position; ++m.kept_from)
                for (m.far_base = 0; m.far_base <= m.kept_from; m.far_base += std::max<Seq>(m.kept_from, 1)) {
                  if (testing::Test::HasFailure()) return;
                  check(m);
                }
}

TEST(ChainSearch, FindsAndProvesTheLastCommonBatchWhateverIsTrimmedForkedOrForgotten) {
  int cases = 0;
  for_every_model(5, [&](const Model& m) {
    const Outcome out = run(m, true);
    ASSERT_EQ(out.state, ChainSearch::State::kFound) << m;
    ASSERT_EQ(out.result, m.last_common()) << m;
    ASSERT_GE(out.proofs, 1) << m;
    ++cases;
  });
  EXPECT_GT(cases, 10'000);
}

TEST(ChainSearch, APairSearchFindsTheSameWithoutProofWhereThereIsAYes) {
  for_every_model(4, [&](const Model& m) {
    const Outcome out = run(m, false);
    ASSERT_EQ(out.state, ChainSearch::State::kFound) << m;
    ASSERT_EQ(out.result, m.last_common()) << m;
  });
}

// A "not now" that is not the truth may cost the search, but never makes its result too high, and a proven
// result is right.
TEST(ChainSearch, AReceiverThatCannotAnswerForAMomentGivesTheRightResultOrNotNow) {
  for_every_model(4, [&](const Model& m) {
    const int questions = run(m, true).questions;
    for (int at = 0; at < questions; ++at) {
      const Outcome out = run(m, true, at);
      if (out.state == ChainSearch::State::kNotNow) continue;
      ASSERT_EQ(out.state, ChainSearch::State::kFound) << m;
      ASSERT_EQ(out.result, m.last_common()) << m << ", not now at question " << at;
    }
  });
}

TEST(ChainSearch, AReceiverThatNeverAnswersIsNotNow) {
  Model m{.head = 9, .position = 9};
  ChainSearch search(1, m.known(), 0, true);
  while (search.next([&](Seq n) { return m.chain(n); })) search.answer(Verdict::kNotNow);
  EXPECT_EQ(search.state(), ChainSearch::State::kNotNow);
}

TEST(ChainSearch, AsksInLogarithmicTime) {
  Model m{.head = 250, .common = 100, .position = 200};
  EXPECT_LE(run(m, true).questions, 8 + 1 + 2);
}

}  // namespace
}  // namespace tidegate
