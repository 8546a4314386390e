// SPDX-License-Identifier: Apache-2.0
// The outer frame: what one message looks like on the wire, the same as Apache IoTDB's air-gap frame, so that
// one listener serves both dialects. Format: doc/wire_format.md.
//
//   length u32 | length u32 | CRC-32 in 8 bytes (high half zero) | payload           all big-endian
//   length = 8 + payload size; the CRC is over the payload only.
//   Optionally wrapped as E language (for devices that demand it): prefix, frame, suffix. Detected by itself.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/bytes.h"

namespace tidegate {

constexpr std::size_t kOuterLengthBytes = 8;
constexpr std::size_t kOuterCrcBytes = 8;
constexpr std::size_t kOuterHeaderBytes = kOuterLengthBytes + kOuterCrcBytes;
constexpr std::string_view kELanguagePrefix =
    "<!System=IoTDB Version=1.0 Code=UTF-8 Data=1.0!>\n<block:=Free>\n";
constexpr std::string_view kELanguageSuffix = "\n</block:=Free>";
static_assert(kOuterHeaderBytes == 16);
static_assert(kELanguagePrefix.size() == 63 && kELanguageSuffix.size() == 15);

enum class Wrap : std::uint8_t { kNone, kELanguage };

// All bytes on the wire around a payload.
constexpr std::size_t outer_overhead(Wrap wrap) {
  return kOuterHeaderBytes +
         (wrap == Wrap::kELanguage ? kELanguagePrefix.size() + kELanguageSuffix.size() : 0);
}

Bytes encode_outer_frame(ByteView payload, Wrap wrap);

// Takes frames out of a byte stream that arrives in pieces of any size. Bounded: holds at most one frame of
// at most `wire_limit` bytes, and nothing is allocated before the length is known to be allowed.
class OuterFrameDecoder {
 public:
  enum class State : std::uint8_t {
    kMore,       // the frame is not complete
    kFrame,      // payload() is a frame with a right CRC
    kBadCrc,     // the frame is complete, its CRC is wrong: answer `fail`; the stream can be read on
    kBadLength,  // the length words differ or exceed the limit: the stream cannot be read on, close
    kBadWrap     // a nested or broken E-language wrap: close
  };

  // `wire_limit`: the profile's frame limit, all bytes on the wire (outer header and wrap included).
  explicit OuterFrameDecoder(std::size_t wire_limit) : wire_limit_(wire_limit) {}

  // Takes bytes from `input` up to the end of the next frame at most and advances it. After kFrame or kBadCrc
  // the next call starts the next frame; after kBadLength and kBadWrap every call returns the same again.
  State feed(ByteView& input);

  // After kFrame: valid until the next feed().
  ByteView payload() const;
  Wrap wrap() const { return wrapped_ ? Wrap::kELanguage : Wrap::kNone; }
  // True while bytes of an unfinished frame are held.
  bool inside_frame() const { return !done_ && !buffer_.empty(); }
  // Bytes of the frame on the wire so far.
  std::size_t wire_bytes() const { return buffer_.size(); }

 private:
  State finish();
  bool take(ByteView& input, std::size_t until);
  State fail(State state) { return failed_ = state; }

  std::size_t wire_limit_;
  Bytes buffer_;
  bool wrapped_ = false;
  bool done_ = false;
  State failed_ = State::kMore;
};

}  // namespace tidegate
