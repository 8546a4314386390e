// SPDX-License-Identifier: Apache-2.0
// Small byte-level tools shared by the parser and the writer of line protocol.
#pragma once

#include <array>
#include <string>
#include <string_view>

namespace tidegate::influx {

// A set of bytes, tested by one table look-up.
class ByteSet {
 public:
  constexpr explicit ByteSet(std::string_view members, bool with_controls = false) {
    for (const char c : members) table_[static_cast<unsigned char>(c)] = true;
    if (!with_controls) return;
    for (std::size_t c = 0; c < 0x20; ++c) table_[c] = true;
    table_[0x7f] = true;
  }
  constexpr bool has(char c) const { return table_[static_cast<unsigned char>(c)]; }

 private:
  std::array<bool, 256> table_{};
};

bool is_ascii(std::string_view text);
// Well-formed UTF-8 as Unicode defines it: no surrogates, no overlong forms, nothing above U+10FFFF.
bool is_utf8(std::string_view text);
// The bytes of the well-formed sequence that `text` starts with, 0 when there is none.
std::size_t utf8_length(std::string_view text);

// Appends `raw` without the backslashes that stand before a member of `escapable`.
void append_unescaped(std::string& out, std::string_view raw, const ByteSet& escapable);

}  // namespace tidegate::influx
