// SPDX-License-Identifier: Apache-2.0
// swinging-door-trending-sampling-processor (SDT): of each numeric column only the corners of a polygon come
// out. Every value that is left out lies within `deviation` of the straight line between the values that came
// out before and after it (those that `min_interval` leaves out aside). Texts, blobs, bools and dates come
// out when they differ from the last one.
//
// A value is held back until the next one shows whether it is a corner: the last value of a column comes out
// when more of it comes.
#pragma once

#include <cstdint>
#include <memory>

#include "pipe/engine/processor.h"
#include "pipe/process/event_time.h"
#include "pipe/process/processor_state.h"

namespace tidegate {

struct SwingingDoorOptions {
  double deviation = 0;              // finite, >= 0
  TimeSpan min_interval{0};          // >= 0; values that are not farther than this from the last are left out
  TimeSpan max_interval{INT64_MAX};  // >= min_interval; a value that far away comes out in any case
  std::uint64_t max_state_bytes = kDefaultStateBytes;
};

std::unique_ptr<Processor> make_swinging_door_processor(const SwingingDoorOptions& options);

}  // namespace tidegate
