// SPDX-License-Identifier: Apache-2.0
// Profile: what one model of isolation device allows, as read from hw/profiles/<name>.yaml.
//
// Each figure stands in the file beside its origin, "value" and "source"; a figure that nobody has measured
// says "assumed". The profiles of hw/profiles are compiled in; a path in place of a name reads another file.
// Plain values; immutable after loading, so free to share between threads.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/env.h"
#include "base/result.h"

namespace tidegate {

// Who makes the answer byte. kDevice: an answer proves nothing, nothing may be released because of it.
enum class AnswerSource : std::uint8_t { kReceiver, kDevice };

struct Profile {
  std::string name;
  std::string description;

  // The answer.
  std::uint8_t answer_ok = 0x00;
  std::uint8_t answer_fail = 0xFF;
  AnswerSource answers_from = AnswerSource::kReceiver;
  bool only_answer_values = true;    // a reverse byte of another value does not pass
  bool one_byte_per_segment = true;  // a reverse TCP segment of more bytes does not pass

  // The frame.
  std::uint64_t frame_limit = 1'000'000;  // all bytes on the wire: outer header and E wrap included
  bool e_language = false;                // frames must be wrapped in E language

  // Parallelism and speed.
  std::uint32_t window = 1;               // frames without an answer on one lane
  std::uint32_t lanes_max = 1;            // connections at the same time
  std::uint64_t rate = 0;                 // bytes per second over all lanes; 0: not limited
  std::uint64_t lowest_rate = 1'000'000;  // bytes per second that timeouts reckon with
  Nanos delay_forward = 0;                // one way
  Nanos delay_reverse = 0;

  // Connections.
  Nanos idle_timeout = 0;            // the device cuts a connection that is silent for so long; 0: never
  Nanos reconnect_min_interval = 0;  // more than lanes_max connects within it are refused; 0: no rule
  Nanos reconnect_quiet = kSecond;   // the sender's pause after a doubt, doubling to ...
  Nanos reconnect_quiet_max = 60 * kSecond;

  // Timers of both ends. Answer timeout = base + frame bytes / lowest rate.
  Nanos answer_timeout_base = 10 * kSecond;
  Nanos answer_timeout_max = 15 * 60 * kSecond;
  Nanos handshake_timeout = 5 * kSecond;
  Nanos frame_stall = 3 * kSecond;
  Nanos beat_interval = 10 * kSecond;

  // Key of the YAML file -> its source text, for status pages and reports.
  std::map<std::string, std::string> sources;

  // The answer timeout for a full frame.
  Nanos answer_timeout() const {
    return answer_timeout_base + static_cast<Nanos>(frame_limit * 1'000'000'000 / lowest_rate);
  }
};

// Names of the compiled-in profiles, sorted.
std::vector<std::string> builtin_profile_names();
// The YAML text of one; empty where there is none of this name.
std::string_view builtin_profile_text(std::string_view name);

// Reads a profile from YAML text. `path` is only named in errors. Every figure must be there, with a source.
// kInvalidConfiguration or kMalformed with line and column.
Result<Profile> parse_profile(std::string_view text, const std::string& path);

// `name_or_path`: a compiled-in name, or a path (contains '/' or ends in ".yaml").
Result<Profile> load_profile(FileSystem& files, const std::string& name_or_path);
// The same for compiled-in profiles alone.
Result<Profile> builtin_profile(const std::string& name);

}  // namespace tidegate
