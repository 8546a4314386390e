// SPDX-License-Identifier: Apache-2.0
// Retention: up to where a journal may be trimmed when everything up to `pinned` has been delivered.
//
// Delivered data is kept a further safety window: a time or a share of the quota, whichever is smaller. Whole
// segments go, so the unit of both is the segment; the newest segment never goes.
#pragma once

#include <functional>
#include <set>

#include "pipe/stream/stream_state.h"

namespace tidegate {

struct SafetyWindow {
  std::int64_t micros = 24LL * 3600 * 1'000'000;  // since arrival, by the wall clock
  std::uint32_t quota_percent = 20;  // of JournalSpace::quota; a journal without quota goes by time alone
};

// The last LSN of the newest segment that may go; 0: none may. `pinned`: last LSN that nobody needs any more.
Result<Lsn> releasable(const Journal& journal, Lsn pinned, std::int64_t now_wall_micros,
                       const SafetyWindow& window);

struct RetentionPolicy {
  SafetyWindow window;
  // Does the position of this local pipe pin what lies behind it?
  std::function<bool(const std::string& pipe)> holds = [](const std::string&) { return false; };
  // Does this stream of our own pin what is not confirmed?
  std::function<bool(StreamId)> is_essential = [](StreamId) { return true; };
  // The last LSN that readers whose positions stand elsewhere (outboxes) no longer need; nothing: there are
  // none.
  std::function<std::optional<Lsn>()> read_elsewhere = [] { return std::optional<Lsn>(); };
};

// `holds` for a fixed list of pipes.
std::function<bool(const std::string&)> these_pipes(std::set<std::string> names);

// The last LSN that no essential stream and no holding pipe needs any more; 0 where there is neither: data
// that nobody reads is kept until somebody says otherwise. A holding pipe without a position (never started)
// pins nothing.
Lsn pinned_lsn(const Journal& journal, const StreamState& state, const RetentionPolicy& policy);
Result<Lsn> releasable_lsn(const Journal& journal, const StreamState& state, const RetentionPolicy& policy,
                           std::int64_t now_wall_micros);
// Trims what may go, and keeps of it what must outlive it: far chains, and what a gap would have to say.
// Returns the bytes freed. The one way to trim a journal that has streams.
Result<std::uint64_t> apply_retention(Journal& journal, const StreamState& state,
                                      const RetentionPolicy& policy, std::int64_t now_wall_micros);

// What the segments up to `up_to` hold of LSNs from `from` on: events and the range of their times.
struct SpanContent {
  std::uint64_t events = 0;
  std::int64_t time_min = 0, time_max = -1;  // min > max: no time
};
SpanContent content_of(const Journal& journal, Lsn from, Lsn up_to);

}  // namespace tidegate
