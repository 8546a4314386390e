// SPDX-License-Identifier: Apache-2.0
// What is known of each type of value.
#pragma once

#include "pipe/model/batch.h"

namespace tidegate {

constexpr bool is_known(ValueType type) {
  return type >= ValueType::kBool && type <= ValueType::kTimestamp;
}
constexpr bool is_text(ValueType type) {
  return type == ValueType::kText || type == ValueType::kBlob;
}
// Bytes of a value of a fixed width; 0 for text and blob.
constexpr std::size_t width_of(ValueType type) {
  constexpr std::uint8_t kWidths[] = {0, 1, 4, 8, 8, 4, 8, 0, 0, 4, 8};
  return kWidths[static_cast<std::uint8_t>(type)];
}

}  // namespace tidegate
