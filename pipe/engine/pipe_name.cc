// SPDX-License-Identifier: Apache-2.0
#include "pipe/engine/pipe_name.h"

#include <algorithm>

#include "pipe/engine/json_text.h"

namespace tidegate {
namespace {

bool is_allowed(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
         c == '.';
}

Error refuse(std::string_view name, const std::string& why) {
  std::string shown;
  append_json_string(shown, name);
  return make_error(ErrorCode::kInvalidArgument, "the name " + shown + " " + why);
}

}  // namespace

Status check_pipe_name(std::string_view name) {
  if (name.empty()) return make_error(ErrorCode::kInvalidArgument, "the name is empty");
  if (name.size() > kLongestPipeName) {
    return refuse(name.substr(0, kLongestPipeName), "… has " + std::to_string(name.size()) +
                                                        " characters, at most " +
                                                        std::to_string(kLongestPipeName) + " are allowed");
  }
  if (!std::ranges::all_of(name, is_allowed))
    return refuse(name, "may hold only letters A-Z and a-z, digits, '_', '-' and '.'");
  if (name.front() == '.') return refuse(name, "must not begin with a dot");
  return {};
}

}  // namespace tidegate
