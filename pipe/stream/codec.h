// SPDX-License-Identifier: Apache-2.0
// Inside pipe/stream: one description of a value's fields serves to write and to read it.
//
// A struct says `static constexpr auto fields()`: a tuple of pointers to its members in their order on disk.
// Integers are little-endian of their own width, text and bytes have a length u32 before them, lists a count
// u32.
#pragma once

#include <string>
#include <tuple>
#include <type_traits>

#include "base/bytes.h"
#include "base/hash.h"

namespace tidegate::stream_codec {

class PutFields {
 public:
  static constexpr bool kReading = false;
  explicit PutFields(Bytes& out) : writer_(out) {}
  bool ok() const { return true; }

  template <class T>
  void operator()(const T& v) {
    if constexpr (requires { v.save(*this); })
      v.save(*this);
    else if constexpr (std::is_same_v<T, Bytes16>)
      writer_.bytes(v.view());
    else if constexpr (std::is_same_v<T, std::string>)
      writer_.str32(v);
    else if constexpr (std::is_same_v<T, Bytes>)
      writer_.bytes32(v);
    else if constexpr (sizeof(T) == 1)
      writer_.u8(static_cast<std::uint8_t>(v));
    else if constexpr (sizeof(T) == 2)
      writer_.u16(static_cast<std::uint16_t>(v));
    else if constexpr (sizeof(T) == 4)
      writer_.u32(static_cast<std::uint32_t>(v));
    else
      writer_.u64(static_cast<std::uint64_t>(v));
  }

 private:
  ByteWriter writer_;
};

class GetFields {
 public:
  static constexpr bool kReading = true;
  explicit GetFields(ByteView input, std::size_t text_limit) : reader_(input), text_limit_(text_limit) {}
  bool ok() const { return reader_.ok(); }
  bool finished() const { return reader_.ok() && reader_.at_end(); }
  void fail() { reader_.fail(); }

  template <class T>
  void operator()(T& v) {
    if constexpr (requires { v.load(*this); })
      v.load(*this);
    else if constexpr (std::is_same_v<T, Bytes16>)
      v = read16(reader_);
    else if constexpr (std::is_same_v<T, std::string>)
      v = std::string(as_text(text()));
    else if constexpr (std::is_same_v<T, Bytes>)
      v = to_bytes(text());
    else if constexpr (std::is_same_v<T, bool>)
      v = flag();
    else if constexpr (sizeof(T) == 1)
      v = static_cast<T>(reader_.u8());
    else if constexpr (sizeof(T) == 2)
      v = static_cast<T>(reader_.u16());
    else if constexpr (sizeof(T) == 4)
      v = static_cast<T>(reader_.u32());
    else
      v = static_cast<T>(reader_.u64());
  }
  // A count u32 of items that take at least `least` bytes each.
  std::uint32_t count(std::size_t least) { return reader_.count32(least); }

 private:
  ByteView text() {
    const ByteView view = reader_.bytes32();
    if (view.size() > text_limit_) reader_.fail();
    return reader_.ok() ? view : ByteView{};
  }
  bool flag() {
    const std::uint8_t v = reader_.u8();
    if (v > 1) reader_.fail();
    return v == 1;
  }

  ByteReader reader_;
  std::size_t text_limit_;
};

template <class A, class T>
void all(A& a, T& v) {
  std::apply([&](auto... member) { (a(v.*member), ...); }, std::remove_const_t<T>::fields());
}

// A list of structs that have fields(). `List` needs push_back.
template <class List>
void put_list(PutFields& put, const List& list) {
  put(static_cast<std::uint32_t>(list.size()));
  for (const auto& item : list) all(put, item);
}
template <class List>
void get_list(GetFields& get, List& list, std::size_t least) {
  const std::uint32_t count = get.count(least);
  for (std::uint32_t i = 0; i < count && get.ok(); ++i) {
    typename List::value_type item;
    all(get, item);
    list.push_back(std::move(item));
  }
}

}  // namespace tidegate::stream_codec
