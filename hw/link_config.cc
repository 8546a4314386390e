// SPDX-License-Identifier: Apache-2.0
#include "hw/link_config.h"

#include <algorithm>

namespace tidegate {
namespace {

// A full frame at the slowest speed of the device. Bounded, so that sums of it stay in range.
LinkNanos frame_time(const LinkConfig& c) {
  constexpr double kLongest = 1e16;
  const double nanos = static_cast<double>(c.profile.frame_limit) * 1e9 /
                       static_cast<double>(std::max<std::uint64_t>(c.profile.lowest_rate, 1));
  return static_cast<LinkNanos>(std::min(nanos, kLongest));
}

std::string text(LinkNanos time) {
  return show_duration(time);
}

// The order of the timers (doc/wire_format.md, "Timers, in order"). Each is reported at the key that the file
// holds, where several could be to blame.
void check_answer_times(YamlMap& link, const LinkConfig& c) {
  if (c.frame_stall >= c.handshake_timeout)
    link.violates("frame_stall",
                  "must be less than handshake_timeout (" + text(c.handshake_timeout) +
                      "): else the receiver still waits for half a frame when the sender gives up");
  // The smallest frame has hardly more time than the base, and waits for the same sync.
  if (c.sync_max + c.hold >= c.answer_timeout_base / 2)
    link.violates(link.has("sync_max") ? "sync_max"
                  : link.has("hold")   ? "hold"
                                       : "answer_timeout",
                  "does not fit: sync_max (" + text(c.sync_max) + ") plus hold (" + text(c.hold) +
                      ") must be less than half of answer_timeout (" + text(c.answer_timeout_base) + ")");
  const LinkNanos answer = c.answer_timeout_base + frame_time(c);
  if (answer > c.profile.answer_timeout_max)
    link.violates("answer_timeout", "plus the time of a full frame at the lowest rate is " + text(answer) +
                                        ", but must be at most " + text(c.profile.answer_timeout_max) +
                                        ": nobody would notice a dead device for so long");
}

void check_beat(YamlMap& link, const LinkConfig& c) {
  const LinkNanos frames = c.lanes * frame_time(c);
  if (c.beat + frames >= 3 * c.beat)
    link.violates("beat", "must be long enough that a beat plus " + std::to_string(c.lanes) +
                              " frames at the lowest rate (" + text(frames) + ") is less than three beats");
  if (3 * c.beat >= c.quiet_max)
    link.violates("beat", "three beats must be less than quiet_max (" + text(c.quiet_max) +
                              "): else half-used connections of a pooling device are never closed");
  const LinkNanos idle = c.profile.idle_timeout;
  if (idle != 0 && c.beat >= idle)
    link.violates("beat", "must be less than the idle timeout of the device (" + text(idle) + ")");
  if (idle != 0 && idle >= c.user_timeout)
    link.violates("user_timeout", "must be more than the idle timeout of the device (" + text(idle) + ")");
  if (c.beat >= c.user_timeout)
    link.violates("user_timeout", "must be more than a beat (" + text(c.beat) + ")");
  if (c.quiet_min > c.quiet_max)
    link.violates("quiet_min", "must be at most quiet_max (" + text(c.quiet_max) + ")");
}

void read_limits(YamlMap& link, LinkConfig& c) {
  const Profile device = c.profile;
  Profile& p = c.profile;
  // Below 4 KiB the fixed parts of hello and ask frames do not fit.
  p.frame_limit = link.bytes("frame_limit", {4096, 64ULL << 20}, device.frame_limit);
  need_test(link, "frame_limit", p.frame_limit > device.frame_limit,
            link.boolean("frame_limit_tested", false), c, show_byte_size(device.frame_limit));
  c.lanes = static_cast<std::uint8_t>(link.integer("lanes", {1, 16}, 1));
  need_test(link, "lanes", c.lanes > device.lanes_max, link.boolean("lanes_tested", false), c,
            std::to_string(device.lanes_max));
  c.window = static_cast<std::uint32_t>(link.integer("window", {1, 64}, device.window));
  need_test(link, "window", c.window > device.window, link.boolean("window_tested", false), c,
            std::to_string(device.window));
  p.lowest_rate = link.rate("lowest_rate", {.min = 1}, device.lowest_rate);
  if (device.rate != 0 && p.lowest_rate > device.rate)
    link.violates("lowest_rate",
                  "must not be above the rate of the device (" + show_byte_size(device.rate) + "/s)");
}

}  // namespace

void need_test(YamlMap& link, std::string_view key, bool beyond, bool tested, const LinkConfig& config,
               const std::string& allowed) {
  if (!beyond || tested) return;
  link.violates(key, "is more than profile " + config.profile_name + " allows (" + allowed +
                         "); after a test of this device say `" + std::string(key) + "_tested: true`");
}

LinkConfig read_link(FileSystem& files, YamlMap& link) {
  LinkConfig c;
  c.profile_name = link.string("profile", "syskeeper-2000");
  auto profile = load_profile(files, c.profile_name);
  if (profile.ok()) {
    c.profile = std::move(profile).value();
  } else {
    link.violates("profile", "cannot be read: " + profile.error().text());
  }
  c.ask = link.one_of<AskMode>("ask",
                               {{"off", AskMode::kOff},
                                {"own-position", AskMode::kOwnPosition},
                                {"diagnostics", AskMode::kDiagnostics}},
                               AskMode::kOwnPosition);
  read_limits(link, c);
  c.largest_part =
      static_cast<std::uint32_t>(link.bytes("largest_batch", {1 << 10, 1ULL << 30}, 16ULL << 20));
  const Profile& p = c.profile;
  c.quiet_min = link.duration("quiet_min", {}, p.reconnect_quiet);
  c.quiet_max = link.duration("quiet_max", {}, p.reconnect_quiet_max);
  c.beat = link.duration("beat", {.min = kMillisecond}, p.beat_interval);
  c.frame_stall = link.duration("frame_stall", {.min = kMillisecond}, p.frame_stall);
  c.handshake_timeout = link.duration("handshake_timeout", {.min = kMillisecond}, p.handshake_timeout);
  c.answer_timeout_base = link.duration("answer_timeout", {.min = kMillisecond}, p.answer_timeout_base);
  c.hold = link.duration("hold", {}, c.answer_timeout_base / 3);
  c.sync_max = link.duration("sync_max", {}, c.answer_timeout_base / 8);
  c.user_timeout =
      link.duration("user_timeout", {.min = kSecond}, std::max<Nanos>(6 * c.beat, 2 * p.idle_timeout));
  check_answer_times(link, c);
  check_beat(link, c);
  return c;
}

}  // namespace tidegate
