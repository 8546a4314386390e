// SPDX-License-Identifier: Apache-2.0
#include "protocol/native/chain_search.h"

#include "protocol/native/planted.h"

namespace tidegate {

ChainSearch::ChainSearch(StreamId stream, KnownSeqs list, Seq base, bool prove)
    : stream_(stream), list_(std::move(list)), base_(base), prove_(prove) {
  high_ = static_cast<std::int64_t>(list_.size());
}

// Picks the known chain nearest to the middle of the open range. False: the range is empty.
bool ChainSearch::choose(const ChainOf& chain_of) {
  const std::int64_t centre = low_ + (high_ - low_) / 2;
  const auto known = [&](std::int64_t i) {
    return chain_of(list_.at(static_cast<std::size_t>(i))).has_value();
  };
  for (std::int64_t i = centre; i > low_; --i)
    if (known(i)) return middle_ = i, true;
  for (std::int64_t i = centre + 1; i < high_; ++i)
    if (known(i)) return middle_ = i, true;
  return false;
}

std::optional<Question> ChainSearch::next(const ChainOf& chain_of) {
  if (state_ == State::kAsking && step_ == Step::kChoose) {
    if (choose(chain_of)) {
      seq_ = list_.at(static_cast<std::size_t>(middle_));
      step_ = Step::kPairChain;
    } else {
      start_proof();
    }
  }
  if (state_ != State::kAsking) return std::nullopt;
  Question q;
  q.stream = stream_;
  if (step_ == Step::kPairPosition) {
    q.ask.predicate = Predicate::kPositionAtLeast;
    q.ask.number = seq_;
    return q;
  }
  const auto chain = chain_of(seq_);
  if (!chain) {
    state_ = State::kNotNow;
    return std::nullopt;
  }
  q.kind = step_ == Step::kPairChain || planted(Planted::kProofIsPair) ? QuestionKind::kPair
                                                                       : QuestionKind::kProof;
  q.ask.predicate = Predicate::kChainAt;
  q.ask.claims = {{stream_, seq_, *chain}};
  return q;
}

void ChainSearch::start_proof() {
  if (low_ >= 0 && low_is_yes_) {
    seq_ = list_.at(static_cast<std::size_t>(low_));
    if (!prove_) return found(seq_);
    step_ = Step::kProveCommon;
    return;
  }
  if (low_ >= 0) {  // "not kept" leads far back: it is asked once more, so that one lost answer does not
    seq_ = list_.at(static_cast<std::size_t>(low_));
    step_ = Step::kProveNotKept;
    return;
  }
  fall_back();
}

// No yes at all: base, else 0.
void ChainSearch::fall_back() {
  const bool base_not_kept = step_ == Step::kProveNotKept && seq_ == base_;
  seq_ = base_not_kept ? 0 : base_;
  step_ = seq_ == 0 ? Step::kProveZero : Step::kProveBase;
}

void ChainSearch::found(Seq b) {
  result_ = b;
  if (prove_ && high_was_asked_ && list_.at(static_cast<std::size_t>(high_)) > b) {
    seq_ = list_.at(static_cast<std::size_t>(high_));
    step_ = Step::kProveNext;
    return;
  }
  state_ = State::kFound;
}

void ChainSearch::answer(Verdict verdict) {
  switch (step_) {
    case Step::kChoose:
      return;
    case Step::kPairChain:
      if (verdict == Verdict::kNotNow) {
        step_ = Step::kPairPosition;  // not now, or not kept?
        return;
      }
      step_ = Step::kChoose;
      if (verdict == Verdict::kYes) {
        low_ = middle_;
        low_is_yes_ = true;
      } else {
        high_ = middle_;
        high_was_asked_ = true;
      }
      return;
    case Step::kPairPosition:
      if (verdict != Verdict::kYes) {
        state_ = State::kNotNow;
        return;
      }
      step_ = Step::kChoose;  // not kept: the last common one lies to the right, or there is none
      low_ = middle_;
      low_is_yes_ = false;
      return;
    case Step::kProveNotKept:
      if (verdict == Verdict::kYes) return found(seq_);
      if (verdict == Verdict::kNotNow) return fall_back();
      state_ = State::kNotNow;
      return;
    case Step::kProveBase:
      if (verdict == Verdict::kNotNow) {  // the chain of 0 tells "not kept" from "not now": it is always kept
        step_ = Step::kProveBaseAgain;
        return;
      }
      [[fallthrough]];
    case Step::kProveBaseAgain:
      if (verdict == Verdict::kYes) return found(base_);
      seq_ = 0;
      step_ = Step::kProveZero;
      return;
    case Step::kProveCommon:
    case Step::kProveZero:
      if (verdict == Verdict::kYes) return found(seq_);
      state_ = State::kNotNow;
      return;
    case Step::kProveNext:
      state_ = verdict == Verdict::kNo ? State::kFound : State::kNotNow;
      return;
  }
}

}  // namespace tidegate
