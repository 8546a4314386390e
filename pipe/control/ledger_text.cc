// SPDX-License-Identifier: Apache-2.0
#include "pipe/control/ledger_text.h"

#include <ctime>

namespace tidegate {

std::string ledger_line(const LedgerEntry& entry) {
  const std::time_t seconds = entry.wall_micros / 1'000'000;
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  char when[32];
  std::strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &utc);
  std::string out = std::string(when) + " " + entry.kind;
  if (entry.stream != 0) out += " stream " + std::to_string(entry.stream);
  if (!entry.journal.is_zero()) out += " of journal " + entry.journal.hex();
  if (entry.to != 0)
    out += (entry.stream != 0 ? ": batches " : ": LSN ") + std::to_string(entry.from) + ".." +
           std::to_string(entry.to);
  if (entry.amount != 1) out += " (" + std::to_string(entry.amount) + ")";
  return entry.text.empty() ? out : out + ": " + entry.text;
}

std::string damage_not_in_ledger(const std::string& journal_directory, const Error& why) {
  return "the damage is not in the ledger of the journal " + journal_directory + ": " + why.text() +
         "; the next background check tries again. Make room there or replace the disk; `tidegate journal "
         "verify " +
         journal_directory + " --hash` shows what is damaged";
}

}  // namespace tidegate
