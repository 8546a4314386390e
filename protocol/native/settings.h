// SPDX-License-Identifier: Apache-2.0
// Time and settings that both ends of the link share. Time is monotonic nanoseconds given by the host; no
// clock is read.
#pragma once

#include <cstdint>
#include <limits>

namespace tidegate {

using LinkNanos = std::int64_t;
constexpr LinkNanos kLinkMillisecond = 1'000'000;
constexpr LinkNanos kLinkSecond = 1'000'000'000;
constexpr LinkNanos kNever = std::numeric_limits<LinkNanos>::max();

// Which questions may be asked across the device.
enum class AskMode : std::uint8_t {
  kOff,          // none: confirmed = soft, "delivery not proven"
  kOwnPosition,  // position, chain, reason
  kDiagnostics   // also room
};

}  // namespace tidegate
