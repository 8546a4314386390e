// SPDX-License-Identifier: Apache-2.0
// changing-value-sampling-processor: a value comes out when it differs from the last one of its column that
// came out by more than a deviation; texts, blobs, bools and dates when they differ at all.
#pragma once

#include <cstdint>
#include <memory>

#include "pipe/engine/processor.h"
#include "pipe/process/event_time.h"
#include "pipe/process/processor_state.h"

namespace tidegate {

struct ChangingValueOptions {
  double deviation = 0;              // finite, >= 0
  TimeSpan min_interval{0};          // >= 0; no value comes out that is not farther than this from the last
  TimeSpan max_interval{INT64_MAX};  // >= min_interval; a value that far away comes out in any case
  std::uint64_t max_state_bytes = kDefaultStateBytes;
};

std::unique_ptr<Processor> make_changing_value_processor(const ChangingValueOptions& options);

}  // namespace tidegate
