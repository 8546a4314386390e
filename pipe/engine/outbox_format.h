// SPDX-License-Identifier: Apache-2.0
// Constants of the snapshots of an outbox. Source of the format: doc/outbox.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tidegate::outbox_format {

inline constexpr std::uint32_t kMagic = 0x53424F54;  // "TOBS", little-endian
inline constexpr std::uint8_t kVersion = 1;
inline constexpr std::size_t kHeadBytes =
    4 + 1 + 3 + 8 + 8 + 8;  // magic, version, zeros, number, position, outbox LSN
inline constexpr std::size_t kHashBytes = 16;
// Head, pipe state (u32 length), processor key u64, processor state (u32 length), hash.
inline constexpr std::size_t kLeastBytes = kHeadBytes + 4 + 8 + 4 + kHashBytes;
inline constexpr std::string_view kFiles[] = {"snapshot-0", "snapshot-1"};  // written in turns
inline constexpr std::string_view kJournalFolder = "journal";
inline constexpr std::uint64_t kLargest = std::uint64_t{1} << 30;

static_assert(kHeadBytes == 32);
static_assert(kLeastBytes == 64);
static_assert(std::size(kFiles) == 2);

}  // namespace tidegate::outbox_format
