// SPDX-License-Identifier: Apache-2.0
// Retention: up to where a journal may be trimmed when everything up to `pinned` has been delivered.
//
// Delivered data is kept a further safety window: a time or a share of the quota, whichever is smaller. Whole
// segments go, so the unit of both is the segment; the newest segment never goes.
#pragma once

#include "pipe/journal/journal.h"

namespace tidegate {

struct SafetyWindow {
  std::int64_t micros = 24LL * 3600 * 1'000'000;  // since arrival, by the wall clock
  std::uint32_t quota_percent = 20;  // of JournalSpace::quota; a journal without quota goes by time alone
};

// The last LSN of the newest segment that may go; 0: none may. `pinned`: last LSN that nobody needs any more.
Result<Lsn> releasable(const Journal& journal, Lsn pinned, std::int64_t now_wall_micros,
                       const SafetyWindow& window);

// What the segments up to `up_to` hold of LSNs from `from` on: events and the range of their times.
struct SpanContent {
  std::uint64_t events = 0;
  std::int64_t time_min = 0, time_max = -1;  // min > max: no time
};
SpanContent content_of(const Journal& journal, Lsn from, Lsn up_to);

}  // namespace tidegate
