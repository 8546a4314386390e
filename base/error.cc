// SPDX-License-Identifier: Apache-2.0
#include "base/error.h"

#include <array>

namespace tidegate {
namespace {

struct Entry {
  std::string_view name;
  std::string_view sentence;
};

constexpr std::array kEntries = {
#define TIDEGATE_X(name, sentence) Entry{#name, sentence},
    TIDEGATE_ERROR_LIST(TIDEGATE_X)
#undef TIDEGATE_X
};

}  // namespace

std::string_view error_name(ErrorCode code) {
  return kEntries.at(static_cast<std::size_t>(code)).name;
}

std::string_view error_sentence(ErrorCode code) {
  return kEntries.at(static_cast<std::size_t>(code)).sentence;
}

std::string Error::text() const {
  std::string out;
  if (!path.empty()) {
    out += path;
    if (line) out += ":" + std::to_string(*line);
    if (line && column) out += ":" + std::to_string(*column);
    out += ": ";
  } else if (line) {
    out += "line " + std::to_string(*line);
    if (column) out += ", column " + std::to_string(*column);
    out += ": ";
  }
  const std::string_view sentence = error_sentence(code);
  const bool says_it =
      detail.find(sentence) != std::string::npos || (code == ErrorCode::kIo && !detail.empty());
  out += detail;
  if (!says_it) out += (detail.empty() ? "" : ": ") + std::string(sentence);
  std::string context;
  const auto add = [&context](std::string_view name, const std::string& value) {
    if (value.empty()) return;
    if (!context.empty()) context += ", ";
    context += name;
    context += ' ';
    context += value;
  };
  add("pipe", pipe);
  add("peer", peer);
  if (sequence) add("sequence", std::to_string(*sequence));
  if (!context.empty()) out += " (" + context + ")";
  return out;
}

}  // namespace tidegate
