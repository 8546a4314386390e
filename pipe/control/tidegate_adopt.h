// SPDX-License-Identifier: Apache-2.0
// `tidegate adopt` for a sender, offline: this box takes over a journal that was restored from a backup,
// moved to another machine or cloned.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "pipe/journal/journal.h"

namespace tidegate {

struct AdoptReport {
  Id journal;  // from now on
  std::uint64_t session = 0;
  struct Stream {
    std::uint16_t was = 0, is = 0;  // equal unless adopted as new
    std::string label;
    std::uint32_t generation = 0;
    std::uint64_t base = 0;  // last number that is not sent again
  };
  std::vector<Stream> streams;
};

// `options` as the daemon opens the journal; its machine_id is the one the journal is bound to. The daemon
// must not run (kLocked).
//
// Plain: every stream forks at its confirmed position and the session is max(session + 1, Unix time in ms),
// so the receiver takes this box for the newer one and any twin for fenced. As new: the journal gets another
// id, and each stream is followed by a new one that starts behind its confirmed position (chains begin with
// the journal's id, so the old numbers mean nothing under the new one); both are in the ledger. Repeating it
// after a crash or an error is right: nothing is lost, at worst numbers are spent.
Result<AdoptReport> adopt_sender(Env env, const JournalOptions& options, bool as_new);

}  // namespace tidegate
