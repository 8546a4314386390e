// SPDX-License-Identifier: Apache-2.0
#include "hw/frame_meter.h"

#include <algorithm>
#include <cstring>

#include "protocol/frame/outer_frame.h"

namespace tidegate {
namespace {

constexpr std::string_view kPrefix = kELanguagePrefix;
constexpr std::string_view kSuffix = kELanguageSuffix;
constexpr std::size_t kHeadSize = kOuterLengthBytes;
constexpr std::uint32_t kLeastLength = 8;  // the CRC word is always there

}  // namespace

void FrameMeter::feed(ByteView bytes, std::vector<FrameEvent>* out) {
  while (!bytes.empty()) step(&bytes, out);
}

void FrameMeter::step(ByteView* bytes, std::vector<FrameEvent>* out) {
  switch (part_) {
    case Part::kHead:
    case Part::kLengths: {
      const std::size_t take = std::min(kHeadSize - have_, bytes->size());
      std::memcpy(head_ + have_, bytes->data(), take);
      *bytes = bytes->subspan(take);
      have_ += take;
      offset_ += take;
      if (have_ == kHeadSize) head_complete(out);
      return;
    }
    case Part::kPrefix:
      return expect_text(kPrefix, bytes, out);
    case Part::kSuffix:
      return expect_text(kSuffix, bytes, out);
    case Part::kBody: {
      const std::uint64_t take = std::min<std::uint64_t>(body_left_, bytes->size());
      *bytes = bytes->subspan(take);
      body_left_ -= take;
      offset_ += take;
      if (body_left_ > 0) return;
      if (!wrapped_) return finish_frame(out);
      part_ = Part::kSuffix;
      have_ = 0;
      return;
    }
    case Part::kLost:
      offset_ += bytes->size();
      *bytes = {};
      return;
  }
}

void FrameMeter::head_complete(std::vector<FrameEvent>* out) {
  if (part_ == Part::kHead && as_text(head_) == kPrefix.substr(0, kHeadSize)) {
    part_ = Part::kPrefix;
    wrapped_ = true;
    return;
  }
  ByteReader reader(head_);
  const std::uint32_t length = reader.u32_be();
  const std::uint32_t again = reader.u32_be();
  if (length != again) {
    return malformed("the length words differ: " + std::to_string(length) + " and " + std::to_string(again),
                     out);
  }
  if (length < kLeastLength) return malformed("the length " + std::to_string(length) + " is below 8", out);
  body_left_ = length;
  end_ = offset_ + length + (wrapped_ ? kSuffix.size() : 0);
  part_ = Part::kBody;
  out->push_back({FrameEvent::Kind::kBegin, start_, end_, wrapped_, {}});
}

void FrameMeter::expect_text(std::string_view text, ByteView* bytes, std::vector<FrameEvent>* out) {
  const std::size_t take = std::min(text.size() - have_, bytes->size());
  const std::string_view seen = as_text(bytes->first(take));
  const std::string_view wanted = text.substr(have_, take);
  const std::size_t equal = std::mismatch(seen.begin(), seen.end(), wanted.begin()).first - seen.begin();
  if (equal < take) {
    offset_ += equal + 1;
    *bytes = bytes->subspan(equal + 1);
    return malformed(part_ == Part::kPrefix ? "the E language prefix is not the expected one"
                                            : "the E language suffix is not the expected one",
                     out);
  }
  *bytes = bytes->subspan(take);
  have_ += take;
  offset_ += take;
  if (have_ == text.size()) text_complete(out);
}

void FrameMeter::text_complete(std::vector<FrameEvent>* out) {
  if (part_ == Part::kSuffix) return finish_frame(out);
  part_ = Part::kLengths;
  have_ = 0;
}

void FrameMeter::finish_frame(std::vector<FrameEvent>* out) {
  out->push_back({FrameEvent::Kind::kEnd, start_, end_, wrapped_, {}});
  part_ = Part::kHead;
  wrapped_ = false;
  have_ = 0;
  start_ = offset_;
}

void FrameMeter::malformed(std::string detail, std::vector<FrameEvent>* out) {
  out->push_back({FrameEvent::Kind::kMalformed, start_, offset_, wrapped_, std::move(detail)});
  part_ = Part::kLost;
}

}  // namespace tidegate
