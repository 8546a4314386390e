// SPDX-License-Identifier: Apache-2.0
#include "protocol/frame/outer_frame.h"

#include <algorithm>

#include "base/hash.h"

namespace tidegate {

Bytes encode_outer_frame(ByteView payload, Wrap wrap) {
  Bytes out;
  out.reserve(payload.size() + outer_overhead(wrap));
  ByteWriter writer(out);
  if (wrap == Wrap::kELanguage) writer.bytes(as_bytes(kELanguagePrefix));
  const auto length = static_cast<std::uint32_t>(payload.size() + kOuterCrcBytes);
  writer.u32_be(length);
  writer.u32_be(length);
  writer.u64_be(crc32(payload));
  writer.bytes(payload);
  if (wrap == Wrap::kELanguage) writer.bytes(as_bytes(kELanguageSuffix));
  return out;
}

bool OuterFrameDecoder::take(ByteView& input, std::size_t until) {
  if (buffer_.size() < until) {
    const std::size_t count = std::min(until - buffer_.size(), input.size());
    buffer_.insert(buffer_.end(), input.begin(), input.begin() + static_cast<std::ptrdiff_t>(count));
    input = input.subspan(count);
  }
  return buffer_.size() >= until;
}

OuterFrameDecoder::State OuterFrameDecoder::feed(ByteView& input) {
  if (failed_ != State::kMore) return failed_;
  if (done_) {
    buffer_.clear();
    wrapped_ = false;
    done_ = false;
  }
  if (!take(input, kOuterLengthBytes)) return State::kMore;
  const ByteView prefix = as_bytes(kELanguagePrefix);
  const auto starts_as_prefix = [&](std::size_t at) {
    return std::equal(prefix.begin(), prefix.begin() + kOuterLengthBytes,
                      buffer_.begin() + static_cast<std::ptrdiff_t>(at));
  };
  std::size_t start = 0;
  if (starts_as_prefix(0)) {
    wrapped_ = true;
    start = prefix.size();
    if (!take(input, start)) return State::kMore;
    if (!std::equal(prefix.begin(), prefix.end(), buffer_.begin())) return fail(State::kBadWrap);
    if (!take(input, start + kOuterLengthBytes)) return State::kMore;
    if (starts_as_prefix(start)) return fail(State::kBadWrap);
  }
  ByteReader reader(ByteView(buffer_).subspan(start));
  const std::uint32_t length = reader.u32_be();
  const std::size_t suffix = wrapped_ ? kELanguageSuffix.size() : 0;
  const std::size_t total = start + kOuterLengthBytes + std::size_t{length} + suffix;
  if (length != reader.u32_be() || length < kOuterCrcBytes || total > wire_limit_)
    return fail(State::kBadLength);
  if (buffer_.capacity() < total) buffer_.reserve(total);
  if (!take(input, total)) return State::kMore;
  return finish();
}

OuterFrameDecoder::State OuterFrameDecoder::finish() {
  done_ = true;
  const std::size_t start = wrapped_ ? kELanguagePrefix.size() : 0;
  if (wrapped_) {
    const ByteView suffix = as_bytes(kELanguageSuffix);
    if (!std::equal(suffix.begin(), suffix.end(), buffer_.end() - static_cast<std::ptrdiff_t>(suffix.size())))
      return fail(State::kBadWrap);
  }
  ByteReader reader(ByteView(buffer_).subspan(start + kOuterLengthBytes));
  const std::uint64_t stored = reader.u64_be();
  return stored == crc32(payload()) ? State::kFrame : State::kBadCrc;
}

ByteView OuterFrameDecoder::payload() const {
  const std::size_t start = (wrapped_ ? kELanguagePrefix.size() : 0) + kOuterHeaderBytes;
  const std::size_t suffix = wrapped_ ? kELanguageSuffix.size() : 0;
  return ByteView(buffer_).subspan(start, buffer_.size() - start - suffix);
}

}  // namespace tidegate
