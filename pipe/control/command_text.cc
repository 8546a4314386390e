// SPDX-License-Identifier: Apache-2.0
#include "pipe/control/command_text.h"

#include <algorithm>

namespace tidegate {
namespace {

bool is_name(std::string_view text) {
  return !text.empty() &&
         text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_-") == std::string_view::npos;
}

}  // namespace

Result<std::map<std::string, std::string>> parse_command_arguments(std::string_view body) {
  std::map<std::string, std::string> out;
  for (std::uint32_t line = 1; !body.empty(); ++line) {
    const std::size_t end = std::min(body.find('\n'), body.size());
    std::string_view text = body.substr(0, end);
    body.remove_prefix(std::min(end + 1, body.size()));
    if (text.ends_with('\r')) text.remove_suffix(1);
    if (text.empty()) continue;
    const std::size_t equals = text.find('=');
    if (equals == std::string_view::npos || !is_name(text.substr(0, equals)))
      return make_error(ErrorCode::kMalformed, "each line must be name=value").at_line(line);
    const auto [at, is_new] = out.emplace(text.substr(0, equals), text.substr(equals + 1));
    if (!is_new)
      return make_error(ErrorCode::kMalformed, "'" + at->first + "' stands there twice").at_line(line);
  }
  return out;
}

Result<std::string> show_command_arguments(const std::map<std::string, std::string>& arguments) {
  std::string out;
  for (const auto& [name, value] : arguments) {
    if (!is_name(name))
      return make_error(ErrorCode::kInvalidArgument, "'" + name + "' is no name of an argument");
    if (value.find_first_of("\r\n") != std::string::npos)
      return make_error(ErrorCode::kInvalidArgument, "the value of '" + name + "' holds a line break");
    out += name + "=" + value + "\n";
  }
  return out;
}

}  // namespace tidegate
