// SPDX-License-Identifier: Apache-2.0
// ChainRuns: the chains of a stream for some of its numbers, kept as runs of consecutive ones (16 bytes
// each).
#pragma once

#include <deque>
#include <optional>

#include "pipe/stream/codec.h"
#include "protocol/native/format.h"

namespace tidegate {

class ChainRuns {
 public:
  // n is above everything kept (a hole in between starts a new run); a repetition of the last is ignored.
  void push(Seq n, const Hash128& chain);
  void drop_above(Seq n);
  void drop_below(Seq n);
  void clear() { runs_.clear(); }
  std::optional<Hash128> at(Seq n) const;
  bool empty() const { return runs_.empty(); }
  Seq last() const { return runs_.empty() ? 0 : runs_.back().first + runs_.back().chains.size() - 1; }
  std::size_t size() const;
  template <class F>
  void for_each(F f) const {
    for (const Run& run : runs_) {
      for (std::size_t i = 0; i < run.chains.size(); ++i) f(run.first + i, run.chains[i]);
    }
  }

  void save(stream_codec::PutFields& put) const;
  void load(stream_codec::GetFields& get);

 private:
  struct Run {
    Seq first = 0;
    std::deque<Hash128> chains;
  };
  std::deque<Run> runs_;
};

}  // namespace tidegate
