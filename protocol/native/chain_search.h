// SPDX-License-Identifier: Apache-2.0
// ChainSearch: finds the last common seq b of a list of known chains by questions, as the "Sender" rules of
// the link say.
//
// Pure: next() gives the question to ask, answer() takes its verdict. Pairs lead the search (along the list
// the answers are: not kept ... yes ... no); with `prove` the result is then proven: chain at b yes, chain at
// the next one that was answered no: no.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "protocol/native/messages.h"
#include "protocol/native/question.h"

namespace tidegate {

struct Question {
  QuestionKind kind = QuestionKind::kPair;
  StreamId stream = 0;
  Ask ask;
};

// The seqs whose chain the sender may know: single points below, then every number of a range.
struct KnownSeqs {
  std::vector<Seq> points;  // ascending, all below range_first
  Seq range_first = 1;
  Seq range_last = 0;  // < range_first: no range
  std::size_t size() const {
    return points.size() +
           (range_last >= range_first ? static_cast<std::size_t>(range_last - range_first + 1) : 0);
  }
  Seq at(std::size_t i) const { return i < points.size() ? points[i] : range_first + (i - points.size()); }
};

class ChainSearch {
 public:
  enum class State : std::uint8_t { kAsking, kFound, kNotNow };
  // A known chain, or nothing where it is not known (trimmed or damaged): the search goes around it.
  using ChainOf = std::function<std::optional<Hash128>(Seq)>;

  // `base`: what is tried when no chain of the list is answered yes; then 0.
  ChainSearch(StreamId stream, KnownSeqs list, Seq base, bool prove);

  std::optional<Question> next(const ChainOf& chain_of);
  void answer(Verdict verdict);  // kDoubt is not passed on: the link goes to doubt itself
  State state() const { return state_; }
  Seq result() const { return result_; }

 private:
  enum class Step : std::uint8_t {
    kChoose,
    kPairChain,
    kPairPosition,
    kProveCommon,
    kProveNotKept,
    kProveBase,
    kProveBaseAgain,
    kProveZero,
    kProveNext
  };
  bool choose(const ChainOf& chain_of);
  void found(Seq b);
  void start_proof();
  void fall_back();

  StreamId stream_;
  KnownSeqs list_;
  Seq base_;
  bool prove_;
  State state_ = State::kAsking;
  Step step_ = Step::kChoose;
  std::int64_t low_ = -1;  // index of the last one that lies at or below b
  std::int64_t high_ = 0;  // index of the first one answered no
  bool low_is_yes_ = false;
  bool high_was_asked_ = false;
  std::int64_t middle_ = 0;
  Seq seq_ = 0;  // what the current question is about
  Seq result_ = 0;
};

}  // namespace tidegate
