// SPDX-License-Identifier: Apache-2.0
// The batch.* attributes: how much of the journal one delivery may gather, and how long it may wait for more.
// Batches themselves are never cut anew.
#pragma once

#include <vector>

#include "base/env.h"
#include "base/result.h"
#include "pipe/engine/attributes.h"

namespace tidegate {

constexpr std::int64_t kLargestGather = 64 << 20;  // it is all in memory at once, and as text once more

struct GatherOptions {
  std::size_t bytes = 4 << 20;  // of canonical batches; one record of the journal at least
  Nanos delay = 0;              // 0: what is there goes at once
  bool operator==(const GatherOptions&) const = default;
};

// batch.enable, batch.max-delay-seconds, batch.size-bytes.
std::vector<AttributeSpec> gather_attributes(const GatherOptions& defaults);
// batch.enable = false: record by record, at once.
Result<GatherOptions> read_gather_options(const Attributes& attributes, GatherOptions defaults);

}  // namespace tidegate
