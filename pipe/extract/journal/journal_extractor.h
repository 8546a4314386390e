// SPDX-License-Identifier: Apache-2.0
// iotdb-extractor: the data of the daemon's own journal. Attributes and their meaning: doc/extractor.md.
#pragma once

#include <optional>
#include <string>

#include "base/timestamp.h"
#include "pipe/engine/attributes.h"
#include "pipe/engine/selector.h"

namespace tidegate {

// Valid for the life of the program. Any thread.
const PluginInfo& journal_extractor_plugin();

// kInvalidArgument names the attribute and what to change. `zone`: of dates without an offset. `boundary`:
// head of the journal when the pipe was created.
Result<ExtractPlan> make_extract_plan(const Attributes& attributes, Lsn boundary, const TimeZone& zone);

}  // namespace tidegate
