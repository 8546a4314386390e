// SPDX-License-Identifier: Apache-2.0
// tumbling-time-sampling-processor: a row comes out, whole, when the last row that came out with one of its
// columns is at least `interval` away in event time, forwards or backwards.
#pragma once

#include <cstdint>
#include <memory>

#include "pipe/engine/processor.h"
#include "pipe/process/processor_state.h"

namespace tidegate {

struct TumblingTimeOptions {
  std::int64_t interval_seconds = 60;  // > 0
  std::uint64_t max_state_bytes = kDefaultStateBytes;
};

std::unique_ptr<Processor> make_tumbling_time_processor(const TumblingTimeOptions& options);

}  // namespace tidegate
