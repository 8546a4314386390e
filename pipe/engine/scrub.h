// SPDX-License-Identifier: Apache-2.0
// Scrub: reads a journal from end to end in the background, slowly, so that a bit that rots in an old segment
// is told while the data still exists somewhere else.
//
// One segment, then a pause many times as long as reading it took; after the last one nothing until the next
// pass is due. It compares checksums only and changes nothing.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>

#include "base/env.h"
#include "pipe/journal/journal.h"

namespace tidegate {

struct ScrubOptions {
  Nanos first_after = 600 * kSecond;     // real time
  Nanos period = 24LL * 3600 * kSecond;  // from the start of a pass to that of the next
  Nanos least_pause = kSecond;           // between two segments
  std::uint32_t rest = 20;               // pauses are this many times as long as the reading
};

struct ScrubFigures {
  std::uint64_t passes = 0, segments = 0, problems = 0;
};

class Scrub {
 public:
  // `journal` outlives it. `on_damage` is called in the scrub's thread, for each problem of each pass.
  Scrub(const Journal& journal, std::function<void(const DamagedRange&)> on_damage,
        ScrubOptions options = {});
  ~Scrub();  // waits for the segment under way
  ScrubFigures figures() const;

 private:
  void run();
  void pass();
  bool rest_for(Nanos duration);  // false: it is to end

  const Journal& journal_;
  const std::function<void(const DamagedRange&)> on_damage_;
  const ScrubOptions options_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;
  ScrubFigures figures_;
  std::jthread thread_;  // last: uses all of the above
};

}  // namespace tidegate
