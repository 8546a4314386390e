// SPDX-License-Identifier: Apache-2.0
// Characters of UTF-8 and the cells they take on a terminal. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tidegate {

struct Utf8Char {
  char32_t code = 0;
  std::uint8_t size = 0;  // bytes; 0: the text is empty or its first byte begins no character
};

// The character at the front. Overlong forms, surrogates and codes above U+10FFFF are none.
Utf8Char first_char(std::string_view text);

// The offset of the first byte that is not UTF-8, or npos.
std::size_t find_broken_utf8(std::string_view text);

// 0 for marks that combine, 2 for wide East Asian characters and emoji, else 1.
int cell_width(char32_t code);
std::size_t cell_width(std::string_view text);

// On one line and harmless to a terminal: control characters as \n, \t, \x1b ..., broken bytes as \xff.
std::string printable(std::string_view text);

}  // namespace tidegate
