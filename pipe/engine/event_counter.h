// SPDX-License-Identifier: Apache-2.0
// EventCounter: how many events lie between two LSNs of a journal. Reads the envelopes of records once, when
// first asked, and keeps sums at some of them; in between it reckons evenly. Any thread.
#pragma once

#include <mutex>
#include <vector>

#include "pipe/journal/journal.h"

namespace tidegate {

class EventCounter {
 public:
  // `journal` outlives it. `most`: sums kept; neighbours are joined above it.
  explicit EventCounter(const Journal& journal, std::size_t most = 16'384) : journal_(journal), most_(most) {}

  // Events of LSNs after+1 .. upto, as far as the journal still has them or had them when it was first asked.
  std::uint64_t between(Lsn after, Lsn upto);

 private:
  struct Sum {
    Lsn lsn = 0;
    double events = 0;  // of all LSNs up to it
  };
  void extend();
  void thin();
  double up_to(Lsn lsn) const;

  const Journal& journal_;
  const std::size_t most_;
  std::mutex mutex_;
  std::vector<Sum> sums_;  // ascending
};

}  // namespace tidegate
