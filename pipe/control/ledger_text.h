// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "pipe/stream/ledger.h"

namespace tidegate {

// "2026-05-01T08:00:00Z gap stream 1: 6..10: declared to the receiver"
std::string ledger_line(const LedgerEntry& entry);

// For the log, when the entry for damage that a background check found cannot be written.
std::string damage_not_in_ledger(const std::string& journal_directory, const Error& why);

}  // namespace tidegate
