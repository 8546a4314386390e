// SPDX-License-Identifier: Apache-2.0
// What the gatekeeper emulator counts, and the violations it saw. Plain values.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

namespace tidegate {

// X(enumerator, name in output, sentence)
#define TIDEGATE_VIOLATION_LIST(X)                                                                           \
  X(kMultiByteSegment, "multi_byte_segment", "a reverse TCP segment carried more than one byte (kernel)")    \
  X(kMultiByteCaptured, "multi_byte_captured", "a reverse TCP segment carried more than one byte (capture)") \
  X(kForeignValue, "foreign_value", "a reverse byte is neither of the two answer values")                    \
  X(kUnsolicited, "unsolicited_answer", "more bytes came back than frames went forward")                     \
  X(kFrameTooLarge, "frame_too_large", "a frame is above the frame limit")                                   \
  X(kFrameMalformed, "frame_malformed", "the forward bytes are not a frame")                                 \
  X(kFrameNotWrapped, "frame_not_wrapped", "a frame is not in E language")                                   \
  X(kWindow, "window_exceeded", "more frames are unanswered than the window allows")                         \
  X(kTooManyConnections, "too_many_connections", "more connections than lanes are allowed")                  \
  X(kReconnect, "reconnect_too_fast", "connections come faster than the reconnect rule allows")

enum class ViolationKind : std::uint8_t {
#define TIDEGATE_X(name, text, sentence) name,
  TIDEGATE_VIOLATION_LIST(TIDEGATE_X)
#undef TIDEGATE_X
};
constexpr std::size_t kViolationKinds = 0
#define TIDEGATE_X(name, text, sentence) +1
    TIDEGATE_VIOLATION_LIST(TIDEGATE_X)
#undef TIDEGATE_X
    ;

std::string_view violation_name(ViolationKind kind);
std::string_view violation_sentence(ViolationKind kind);

struct Violation {
  ViolationKind kind = ViolationKind::kMultiByteSegment;
  std::int64_t wall_micros = 0;  // Unix time
  std::uint64_t connection = 0;  // number of the inner connection; 0: none
  std::string peer;              // address:port of the side that did it
  std::string detail;

  // "2026-11-20T10:00:00.123456Z violation foreign_value connection 3 peer 127.0.0.1:9780: 0x07: <sentence>"
  std::string text() const;
};

// X(member, unit or meaning)
#define TIDEGATE_GATEKEEPER_COUNTERS(X)                                          \
  X(connections, "inner connections accepted")                                   \
  X(connections_refused, "inner connections refused by a rule of the profile")   \
  X(connections_open, "inner connections now")                                   \
  X(outer_connects, "connections made to the receiver")                          \
  X(outer_failures, "connects to the receiver that failed")                      \
  X(pool_reuses, "inner connections served by a kept outer connection")          \
  X(bytes_in, "bytes taken from the inner side")                                 \
  X(bytes_forward, "bytes given to the outer side")                              \
  X(bytes_swallowed, "bytes taken from the inner side that were never given on") \
  X(frames_in, "frames complete at the inner side")                              \
  X(frames_forward, "frames complete at the outer side")                         \
  X(frame_largest, "bytes of the largest frame")                                 \
  X(frames_unanswered_max, "most frames without an answer on one connection")    \
  X(bytes_back, "bytes that came from the outer side")                           \
  X(segments_back, "TCP segments with data that came from the outer side")       \
  X(answers_ok, "ok bytes from the outer side")                                  \
  X(answers_fail, "fail bytes from the outer side")                              \
  X(answers_passed, "bytes written to the inner side")                           \
  X(answers_dropped, "reverse bytes stopped by a rule or without a receiver")    \
  X(answers_lost, "answers lost on purpose")                                     \
  X(answers_duplicated, "answers doubled on purpose")                            \
  X(answers_stray, "bytes made up on purpose")                                   \
  X(answers_self, "answers made by the device itself")                           \
  X(cuts, "connections cut on command or by policy")                             \
  X(cuts_idle, "connections cut because they were silent")

struct GatekeeperStats {
#define TIDEGATE_X(name, meaning) std::uint64_t name = 0;
  TIDEGATE_GATEKEEPER_COUNTERS(TIDEGATE_X)
#undef TIDEGATE_X

  std::array<std::uint64_t, kViolationKinds> violations_by_kind{};
  static constexpr std::size_t kKept = 1000;  // the newest; all are counted
  std::deque<Violation> violations;

  std::uint64_t count(ViolationKind kind) const { return violations_by_kind[static_cast<std::size_t>(kind)]; }
  std::uint64_t violations_total() const;
  void add(Violation violation);

  std::string to_text() const;  // "name value" lines, then the violations
  std::string to_json() const;  // one line: {"connections":1,...,"violations":{...},"violation_list":[...]}
};

}  // namespace tidegate
