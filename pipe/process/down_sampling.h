// SPDX-License-Identifier: Apache-2.0
// down-sampling-processor: one row per series and window of event time, at the start of the window, with one
// aggregated value per column. Windows count from the epoch. Only data moves time on: no clock is looked at.
//
// A window of a series closes when a value of a later window of that series comes, or at the end of a batch
// after which the newest time of its stream (source, unit, flags) has reached the window's end plus
// `max_delay`. Values that come for a window that is closed are late.
#pragma once

#include <cstdint>
#include <memory>

#include "pipe/engine/processor.h"
#include "pipe/process/processor_state.h"
#include "pipe/process/window_value.h"

namespace tidegate {

struct DownSamplingOptions {
  std::int64_t interval = 60'000'000'000;  // ns, > 0; a whole number of the unit of the data
  std::int64_t max_delay = 0;              // ns, >= 0; rounded up to the unit of the data
  Aggregate aggregate = Aggregate::kLast;
  bool drop_late = false;  // else each comes out at its own time, as the aggregate of itself alone
  std::uint64_t max_state_bytes = kDefaultStateBytes;
};

std::unique_ptr<Processor> make_down_sampling_processor(const DownSamplingOptions& options);

}  // namespace tidegate
