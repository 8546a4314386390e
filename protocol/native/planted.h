// SPDX-License-Identifier: Apache-2.0
// Planted bugs: a test-only switch that turns one rule of the link, journal or stream code off, so that the
// simulator can be shown to find it. kNone in every program but the simulator; nothing but tests may call
// plant().
#pragma once

#include <cstdint>

namespace tidegate {

#define TIDEGATE_PLANTED_LIST(X)                                                               \
  X(kNone, "nothing is planted")                                                               \
  X(kAnswerBeforeSync, "receiver answers a batch before its sync")                             \
  X(kDuplicateBySequence, "receiver takes a known sequence for a duplicate without its chain") \
  X(kNoChainCheck, "receiver compares no chains, neither of batches nor of hellos")            \
  X(kHelloIgnoresChain, "receiver does not compare chain(confirmed) in a stream hello")        \
  X(kReleaseOnSoft, "sender confirms what is only answered ok")                                \
  X(kProofIsPair, "sender takes a pair where a proof is needed")                               \
  X(kSkipCalibration, "sender believes answers without calibration")                           \
  X(kPartSurvivesClose, "receiver keeps a part buffer across frames and connections")          \
  X(kIgnoreStrayByte, "sender ignores a byte while nothing is outstanding")                    \
  X(kNoFencing, "receiver accepts an older session")                                           \
  X(kGapWithoutLedger, "receiver takes a gap without writing it down")                         \
  X(kSessionNotDurable, "sender does not make its session durable")                            \
  X(kSoftSkipsAhead, "sender moves soft by one too many")                                      \
  X(kTornTailKept, "journal keeps a torn tail as data")                                        \
  X(kDamageCutAsTorn, "journal cuts a damaged tail as if it were torn")                        \
  X(kNoResyncAtOpen, "journal publishes what it read back without syncing it again")           \
  X(kRetryFailedSync, "journal retries a failed sync on the same file")                        \
  X(kTrimBeforeNote, "journal unlinks segments before the note is durable")                    \
  X(kForkKeepsPosition, "receiver keeps its position at a fork")                               \
  X(kAnswerTimeoutIgnored, "sender waits for ever for an answer")

enum class Planted : std::uint8_t {
#define TIDEGATE_X(name, text) name,
  TIDEGATE_PLANTED_LIST(TIDEGATE_X)
#undef TIDEGATE_X
};

namespace internal {
inline Planted g_planted = Planted::kNone;
}
inline bool planted(Planted bug) {
  return internal::g_planted == bug;
}
inline void plant(Planted bug) {
  internal::g_planted = bug;
}

}  // namespace tidegate
