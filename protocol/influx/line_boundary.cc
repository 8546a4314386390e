// SPDX-License-Identifier: Apache-2.0
#include "protocol/influx/line_boundary.h"

#include <cstring>

namespace tidegate::influx {

std::size_t LineBoundary::find_end(std::string_view data) {
  if (fresh_) {
    embedded_newlines_ = 0;
    const std::size_t end = data.find('\n');
    // Without a quote and with no backslash before it, the first newline is the end in both dialects.
    if (end != kNotFound && data.substr(0, end).find('"') == kNotFound && (end == 0 || data[end - 1] != '\\'))
      return end;
  }
  const std::size_t end = scan(data);
  if (end != kNotFound) {
    const std::uint64_t embedded = embedded_newlines_;
    *this = LineBoundary(dialect_);
    embedded_newlines_ = embedded;
  }
  return end;
}

std::size_t LineBoundary::scan(std::string_view data) {
  if (!data.empty()) fresh_ = false;
  for (std::size_t i = 0; i < data.size(); ++i) {
    const bool ends = dialect_ == Dialect::kV1 ? step_v1(data[i]) : step_standard(data[i]);
    if (ends) return i;
    if (data[i] == '\n') ++embedded_newlines_;
  }
  return kNotFound;
}

// Follows the servers byte for byte, except that a comment ends at its newline: the servers look for quotes
// in comments too, and an odd one makes them drop the lines that follow without a word.
bool LineBoundary::step_v1(char c) {
  if (state_ == State::kRest) return c == '\n';
  if (escape_) return escape_ = false;
  const bool blank = c == ' ' || c == '\t' || c == '\0';
  if (state_ == State::kStart && !blank) {
    if (c == '#') return state_ = State::kRest, false;
    state_ = State::kName;
  }
  if (c == '\\') return escape_ = true, false;
  if (c == ' ') in_fields_ = true;
  if (c == '\n') return !quoted_;
  if (!in_fields_) return false;
  if (c == '"') {
    if (open_equals_ > 0) quoted_ = !quoted_;
  } else if (!quoted_) {
    open_equals_ += c == '=' ? 1 : c == ',' ? -1 : 0;
  }
  return false;
}

bool LineBoundary::step_standard(char c) {
  if (state_ == State::kString) {
    if (escape_) return escape_ = false;
    if (c == '\\') escape_ = true;
    if (c == '"') state_ = State::kValue;
    return false;
  }
  if (c == '\n') return true;
  if (state_ == State::kStart) {
    if (c == ' ') return false;
    state_ = c == '#' ? State::kRest : State::kName;
  }
  return step_standard_text(c);
}

bool LineBoundary::step_standard_text(char c) {
  switch (state_) {
    case State::kName:
    case State::kKey: {
      // In names each backslash protects the next byte, a second backslash included.
      const bool escaped = escape_;
      escape_ = c == '\\';
      if (escaped || escape_) break;
      if (state_ == State::kName && c == ' ') state_ = State::kKey;
      if (state_ == State::kKey && c == '=') state_ = State::kValueStart;
      break;
    }
    case State::kValueStart:
    case State::kValue:
      if (c == ',') {
        state_ = State::kKey;
      } else if (c == ' ') {
        state_ = State::kRest;
      } else {
        state_ = state_ == State::kValueStart && c == '"' ? State::kString : State::kValue;
      }
      break;
    default:
      break;
  }
  return false;
}

}  // namespace tidegate::influx
