// SPDX-License-Identifier: Apache-2.0
// The one cursor for bytes: ByteReader takes a value apart, ByteWriter puts one together.
//
// Reading never throws and never reads past the end: after the first failure every further read returns zeros
// and ok() stays false, so a header parse reads like its schema and checks once at the end.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace tidegate {

using Bytes = std::vector<std::uint8_t>;
using ByteView = std::span<const std::uint8_t>;

inline ByteView as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
inline std::string_view as_text(ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
inline Bytes to_bytes(ByteView view) {
  return {view.begin(), view.end()};
}

std::string to_hex(ByteView bytes);
// Lower or upper case, no spaces. False when the text is not hex; `out` is then unspecified.
bool from_hex(std::string_view text, Bytes* out);

static_assert(std::endian::native == std::endian::little, "the codecs below assume a little-endian machine");

class ByteReader {
 public:
  explicit ByteReader(ByteView input) : input_(input) {}

  bool ok() const { return ok_; }
  bool at_end() const { return position_ == input_.size(); }
  std::size_t position() const { return position_; }
  std::size_t remaining() const { return input_.size() - position_; }
  void fail() { ok_ = false; }

  std::uint8_t u8() { return integer<std::uint8_t>(); }
  std::uint16_t u16() { return integer<std::uint16_t>(); }
  std::uint32_t u32() { return integer<std::uint32_t>(); }
  std::uint64_t u64() { return integer<std::uint64_t>(); }
  std::int32_t i32() { return static_cast<std::int32_t>(u32()); }
  std::int64_t i64() { return static_cast<std::int64_t>(u64()); }
  std::uint32_t u32_be() { return __builtin_bswap32(u32()); }
  std::uint64_t u64_be() { return __builtin_bswap64(u64()); }

  // A view into the input; empty after a failure.
  ByteView bytes(std::size_t size) {
    if (!ok_ || size > remaining()) return ok_ = false, ByteView{};
    ByteView out = input_.subspan(position_, size);
    position_ += size;
    return out;
  }
  ByteView rest() { return bytes(remaining()); }
  // length u32 + bytes, as the canonical form writes str and bytes.
  ByteView bytes32() { return bytes(u32()); }
  std::string_view str32() { return as_text(bytes32()); }
  // A count u32 of items that take at least `least` bytes each: fails before anything is allocated for them.
  std::uint32_t count32(std::size_t least) {
    const std::uint32_t count = u32();
    if (ok_ && least != 0 && count > remaining() / least) ok_ = false;
    return ok_ ? count : 0;
  }

 private:
  template <class T>
  T integer() {
    T value{};
    if (!ok_ || sizeof(T) > remaining()) return ok_ = false, value;
    std::memcpy(&value, input_.data() + position_, sizeof(T));
    position_ += sizeof(T);
    return value;
  }

  ByteView input_;
  std::size_t position_ = 0;
  bool ok_ = true;
};

// Appends to a buffer that it does not own.
class ByteWriter {
 public:
  explicit ByteWriter(Bytes& out) : out_(out) {}

  std::size_t size() const { return out_.size(); }
  void u8(std::uint8_t v) { out_.push_back(v); }
  void u16(std::uint16_t v) { integer(v); }
  void u32(std::uint32_t v) { integer(v); }
  void u64(std::uint64_t v) { integer(v); }
  void i32(std::int32_t v) { integer(v); }
  void i64(std::int64_t v) { integer(v); }
  void u32_be(std::uint32_t v) { integer(__builtin_bswap32(v)); }
  void u64_be(std::uint64_t v) { integer(__builtin_bswap64(v)); }
  void bytes(ByteView v) { out_.insert(out_.end(), v.begin(), v.end()); }
  void bytes32(ByteView v) {
    u32(static_cast<std::uint32_t>(v.size()));
    bytes(v);
  }
  void str32(std::string_view v) { bytes32(as_bytes(v)); }
  // Overwrites an earlier u32 (a length or a checksum that was not known yet).
  void patch_u32(std::size_t at, std::uint32_t v) { std::memcpy(out_.data() + at, &v, sizeof(v)); }

 private:
  template <class T>
  void integer(T v) {
    static_assert(std::is_integral_v<T>);
    const auto* p = reinterpret_cast<const std::uint8_t*>(&v);
    out_.insert(out_.end(), p, p + sizeof(T));
  }

  Bytes& out_;
};

}  // namespace tidegate
