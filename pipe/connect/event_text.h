// SPDX-License-Identifier: Apache-2.0
// Events that are not rows, as one JSON object each: for sinks that write text, and for dead letters.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "pipe/engine/connector.h"

namespace tidegate {

// "rows", "deletion", "schema", "opaque", "file", "piece", "gap", "fork", "statistics"; "unknown" for any
// other.
std::string_view kind_name(EventKind kind);

// One object per event of the batch, on one line, without newline. Everything that the event holds is in it;
// bytes stand in hex. A batch of an unknown kind is one object with its canonical bytes. Precondition: not
// rows.
Result<std::vector<std::string>> events_as_json(const DeliverableBatch& batch);

}  // namespace tidegate
