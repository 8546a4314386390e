// SPDX-License-Identifier: Apache-2.0
// What the daemon and tidegate-plugin-host say to each other over a socketpair: the numbers. The page is
// doc/plugin_protocol.md, with a worked example that a test reads.
//
// Both ends are of one build and one machine; the version is there so that a mixed installation is told, not
// misread. The daemon trusts nothing that comes back: code of the plugin runs at the other end.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tidegate::tgplugin {

constexpr std::uint16_t kProtocolVersion = 1;

// A frame: length of the body u32, type u16, version u16, body. Little-endian.
constexpr std::size_t kFrameHead = 8;
static_assert(kFrameHead == sizeof(std::uint32_t) + 2 * sizeof(std::uint16_t));

enum class FrameType : std::uint16_t {
  // daemon to host; each but kStop is answered by one frame
  kCreate = 1,
  kRestore = 2,
  kProcess = 3,
  kOpen = 4,
  kDeliver = 5,
  kClose = 6,
  kStop = 7,  // stop what is under way soon; not answered
  // host to daemon
  kInfo = 64,  // unasked, once, at the start
  kDone = 65,  // the body is that of the request
  kFailed = 66,
  kRetry = 67
};

// What the file descriptors are that the host starts with; 1 and 2 go to the daemon's log.
constexpr int kSocketFd = 3;
constexpr int kPluginFd = 4;  // the plugin's file: what was checked is what is loaded
static_assert(kSocketFd == 3 && kPluginFd == kSocketFd + 1, "every other descriptor is closed above these");

// Limits. Lengths beyond them are refused before anything is allocated.
constexpr std::uint32_t kMostRequest = 1U << 30;       // bytes of a body to the host
constexpr std::uint32_t kMostOutput = 256U << 20;      // bytes of all batches that come out of one
constexpr std::uint32_t kMostOutputs = 4096;           // batches that come out of one
constexpr std::uint32_t kMostState = 64U << 20;        // bytes that a plugin remembers
constexpr std::uint32_t kMostText = 4096;              // bytes of a message
constexpr std::uint32_t kMostLetters = 100'000;        // dead letters of one delivery
constexpr std::uint32_t kMostLetterBytes = 64U << 20;  // of all their texts
constexpr std::uint32_t kMostAnswer = 448U << 20;      // bytes of a body to the daemon
constexpr std::uint32_t kMostAttributes = 256;
static_assert(kMostAnswer > kMostOutput + kMostState + kMostLetterBytes + kMostText);

enum class Output : std::uint8_t { kInput = 0, kBatch = 1 };

}  // namespace tidegate::tgplugin
