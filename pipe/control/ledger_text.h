// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "pipe/stream/ledger.h"

namespace tidegate {

// "2026-05-01T08:00:00Z gap stream 1: 6..10: declared to the receiver"
std::string ledger_line(const LedgerEntry& entry);

}  // namespace tidegate
