// SPDX-License-Identifier: Apache-2.0
// The file `identity` of a journal folder: whose journal it is. Text, so that an operator can read it.
//
//   tidegate-journal 1
//   journal <32 hex>      name of this journal on the link; `adopt --as-new` gives it another one
//   birth <32 hex>        the id at creation; never changes, seeds the checksums of record headers
//   machine <text>        the machine that may open it; may be empty
//   crc <8 hex>           CRC-32 of the lines above, line ends included
#pragma once

#include <string>

#include "base/env.h"
#include "base/hash.h"

namespace tidegate {

struct JournalIdentity {
  Id journal;
  Id birth;
  std::string machine;
};

std::string identity_path(const std::string& directory);
// kNotFound, kDamaged (with what to do).
Result<JournalIdentity> read_identity(FileSystem& files, const std::string& directory);
Status write_identity(FileSystem& files, const std::string& directory, const JournalIdentity& identity);

// `tidegate adopt`: binds the journal to this machine, under a new journal id when `as_new`. Also repairs a
// damaged identity file from the birth id in the segments (then only as new). The journal must be closed:
// kLocked. Returns the identity from now on. Raising sessions and forking streams is the caller's part.
Result<JournalIdentity> adopt_journal(Env env, const std::string& directory, const std::string& machine_id,
                                      bool as_new);

}  // namespace tidegate
