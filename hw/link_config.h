// SPDX-License-Identifier: Apache-2.0
// The section `link` of both daemons: what the profile of the device decides unless the file says otherwise.
// The order of the timers is checked here (doc/wire_format.md): a violated inequality is refused at its key.
// Start-up only.
#pragma once

#include <string>
#include <string_view>

#include "base/yaml.h"
#include "hw/profile.h"
#include "protocol/native/settings.h"

namespace tidegate {

// What both ends read from the section `link`.
struct LinkConfig {
  std::string profile_name;
  Profile profile;
  AskMode ask = AskMode::kOwnPosition;
  std::uint8_t lanes = 1;
  std::uint32_t window = 1;
  std::uint32_t largest_part = 16U << 20;
  LinkNanos quiet_min = 0, quiet_max = 0, beat = 0, frame_stall = 0, handshake_timeout = 0,
            answer_timeout_base = 0, hold = 0, user_timeout = 0, sync_max = 0;
};

// Keys: profile, ask, frame_limit, frame_limit_tested, lowest_rate, lanes, lanes_tested, window,
// window_tested, largest_batch, quiet_min, quiet_max, beat, frame_stall, handshake_timeout, answer_timeout,
// hold, sync_max, user_timeout. A figure beyond the profile's needs its `..._tested: true`.
LinkConfig read_link(FileSystem& files, YamlMap& link);

// What the profile does not allow is done only after a test of this very device: reports `key` when it goes
// `beyond` and is not `tested`. Read `<key>_tested` in any case, so that it is a known key also where it is
// not needed. `allowed`: the profile's figure, as text.
void need_test(YamlMap& link, std::string_view key, bool beyond, bool tested, const LinkConfig& config,
               const std::string& allowed);

}  // namespace tidegate
