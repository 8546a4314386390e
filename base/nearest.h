// SPDX-License-Identifier: Apache-2.0
// Which of the known words someone probably meant. Pure.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace tidegate {

// Edits (insert, delete, replace, swap neighbours) that turn one word into the other. Costs the product of
// the lengths in time and space.
std::size_t edit_distance(std::string_view a, std::string_view b);

// The first of the nearest words, or null where none is near: more than a third of the word (and more than
// two) would have to change, or as much as the known word is long. Words above 64 bytes are near to nothing.
const std::string* nearest_word(std::string_view word, std::span<const std::string> known);

}  // namespace tidegate
