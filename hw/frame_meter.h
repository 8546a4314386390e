// SPDX-License-Identifier: Apache-2.0
// FrameMeter: finds the frames in the forward byte stream the way a strict device would, from the length
// words alone.
//
// It knows nothing of payloads and never buffers them: it counts. Format: length u32 big-endian, the same
// again, then `length` bytes (CRC word included); optionally the E language around it, which is compared byte
// by byte. After a malformed header the start of the next frame cannot be known, so the meter reports once
// and stays silent. Pure; not thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"

namespace tidegate {

struct FrameEvent {
  enum class Kind : std::uint8_t {
    kBegin,     // the length words are complete; `size` is known
    kEnd,       // the last byte of the frame (E suffix included) has passed
    kMalformed  // `detail` says why; the last event ever
  };
  Kind kind = Kind::kBegin;
  std::uint64_t start = 0;  // offset of the frame's first byte in the stream
  std::uint64_t end =
      0;  // kBegin, kEnd: offset just behind the frame. kMalformed: just behind the offending byte
  bool wrapped = false;  // in E language
  std::string detail;

  std::uint64_t size() const { return end - start; }  // bytes on the wire: outer header and E wrap included
};

class FrameMeter {
 public:
  // Takes the next bytes of the stream and appends what they complete to `out`.
  void feed(ByteView bytes, std::vector<FrameEvent>* out);

  std::uint64_t offset() const { return offset_; }  // bytes fed so far
  bool lost() const { return part_ == Part::kLost; }
  bool inside_frame() const { return !lost() && offset_ != start_; }

 private:
  enum class Part : std::uint8_t { kHead, kPrefix, kLengths, kBody, kSuffix, kLost };

  void step(ByteView* bytes, std::vector<FrameEvent>* out);
  void head_complete(std::vector<FrameEvent>* out);
  void expect_text(std::string_view text, ByteView* bytes, std::vector<FrameEvent>* out);
  void text_complete(std::vector<FrameEvent>* out);
  void finish_frame(std::vector<FrameEvent>* out);
  void malformed(std::string detail, std::vector<FrameEvent>* out);

  Part part_ = Part::kHead;
  bool wrapped_ = false;
  std::uint8_t head_[8] = {};
  std::size_t have_ = 0;  // bytes of head_, or of the prefix or suffix, seen so far
  std::uint64_t body_left_ = 0;
  std::uint64_t offset_ = 0;
  std::uint64_t start_ = 0;
  std::uint64_t end_ = 0;
};

}  // namespace tidegate
