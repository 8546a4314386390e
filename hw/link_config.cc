// SPDX-License-Identifier: Apache-2.0
#include "hw/link_config.h"

namespace tidegate {
namespace {

// The order of the timers (doc/wire_format.md, "Timers, in order").
void check_timers(YamlMap& link, const LinkConfig& c) {
  const auto text = [](LinkNanos t) { return show_duration(t); };
  if (c.frame_stall >= c.handshake_timeout)
    link.violates("frame_stall",
                  "must be less than handshake_timeout (" + text(c.handshake_timeout) +
                      "): else the receiver still waits for half a frame when the sender gives up");
  const auto frame_time =
      static_cast<LinkNanos>(static_cast<double>(c.profile.frame_limit) * 1e9 /
                             static_cast<double>(std::max<std::uint64_t>(c.profile.lowest_rate, 1)));
  if (c.beat + c.lanes * frame_time >= 3 * c.beat)
    link.violates("beat", "must be long enough that a beat plus " + std::to_string(c.lanes) +
                              " frames at the lowest rate (" + text(c.lanes * frame_time) +
                              ") is less than three beats");
  if (3 * c.beat >= c.quiet_max)
    link.violates("beat", "three beats must be less than quiet_max (" + text(c.quiet_max) +
                              "): else half-used connections of a pooling device are never closed");
  const LinkNanos answer = c.answer_timeout_base + frame_time;
  if (c.sync_max + c.hold >= answer / 2)
    link.violates("hold",
                  "sync_max plus hold must be less than half the answer timeout (" + text(answer) + ")");
  if (c.profile.idle_timeout != 0 && c.beat >= c.profile.idle_timeout)
    link.violates("beat",
                  "must be less than the idle timeout of the device (" + text(c.profile.idle_timeout) + ")");
  if (c.profile.idle_timeout != 0 && c.profile.idle_timeout >= c.user_timeout)
    link.violates("user_timeout",
                  "must be more than the idle timeout of the device (" + text(c.profile.idle_timeout) + ")");
  if (c.beat >= c.user_timeout)
    link.violates("user_timeout", "must be more than a beat (" + text(c.beat) + ")");
  if (c.quiet_min > c.quiet_max)
    link.violates("quiet_min", "must be at most quiet_max (" + text(c.quiet_max) + ")");
}

}  // namespace

LinkConfig read_link(FileSystem& files, YamlMap& link) {
  LinkConfig c;
  c.profile_name = link.string("profile", "syskeeper-2000");
  auto profile = load_profile(files, c.profile_name);
  if (profile.ok()) {
    c.profile = std::move(profile).value();
  } else {
    link.violates("profile", "cannot be read: " + profile.error().text());
  }
  Profile& p = c.profile;
  c.ask = link.one_of<AskMode>("ask",
                               {{"off", AskMode::kOff},
                                {"own-position", AskMode::kOwnPosition},
                                {"diagnostics", AskMode::kDiagnostics}},
                               AskMode::kOwnPosition);
  p.frame_limit = link.bytes("frame_limit", {512, 64ULL << 20}, p.frame_limit);
  p.lowest_rate = link.rate("lowest_rate", {.min = 1}, p.lowest_rate);
  c.lanes = static_cast<std::uint8_t>(link.integer("lanes", {1, 16}, 1));
  if (c.lanes > p.lanes_max && !link.boolean("lanes_tested", false))
    link.violates("lanes", "is more than profile " + c.profile_name + " allows (" +
                               std::to_string(p.lanes_max) +
                               "); after a test of this device say `lanes_tested: true`");
  c.window = static_cast<std::uint32_t>(link.integer("window", {1, 64}, p.window));
  c.largest_part =
      static_cast<std::uint32_t>(link.bytes("largest_batch", {1 << 10, 1ULL << 30}, 16ULL << 20));
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
  check_timers(link, c);
  return c;
}

}  // namespace tidegate
