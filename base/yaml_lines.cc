// SPDX-License-Identifier: Apache-2.0
#include "base/yaml_lines.h"

#include <algorithm>
#include <string>

namespace tidegate {
namespace {

bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

class Lines {
 public:
  Status check(std::string_view text) {
    if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
    while (!text.empty()) {
      const std::size_t end = text.find('\n');
      line_ = text.substr(0, end);
      if (line_.ends_with('\r')) line_.remove_suffix(1);
      ++number_;
      TG_CHECK(check_line());
      text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    }
    return {};
  }

 private:
  Error refuse(std::size_t at, std::string why) const {
    return Error(ErrorCode::kInvalidConfiguration, std::move(why))
        .at_line(number_, static_cast<std::uint32_t>(at + 1));
  }

  // Behind "- ", ": ", "? " and the like: the indicator must stand alone.
  bool ends_word(std::size_t at) const { return at >= line_.size() || is_blank(line_[at]); }

  Status check_line() {
    for (std::size_t i = 0; i < line_.size(); ++i) {
      const auto c = static_cast<unsigned char>(line_[i]);
      if ((c < 0x20 && c != '\t') || c == 0x7F) return refuse(i, "a control character stands here");
    }
    const std::size_t first = line_.find_first_not_of(" \t");
    if (first == std::string_view::npos || line_[first] == '#') return {};
    if (const std::size_t tab = line_.substr(0, first).find('\t'); tab != std::string_view::npos)
      return refuse(tab, "a tab stands in the indentation: write blanks");
    if (first == 0 && line_[0] == '%') return refuse(0, "directives (%) are not allowed");
    if (line_.starts_with("---") && ends_word(3)) {
      if (begun_) return refuse(0, "a second document begins here: the file must hold one document");
      begun_ = true;
      return check_tokens(3);
    }
    if (line_.starts_with("...") && ends_word(3)) return {};
    begun_ = true;
    return check_tokens(first);
  }

  // Finds where texts begin: `fresh` is true where a key or a value may.
  Status check_tokens(std::size_t at) {
    for (bool fresh = true; at < line_.size();) {
      const char c = line_[at];
      if (is_blank(c)) {
        ++at;
      } else if (c == '#' && (at == 0 || is_blank(line_[at - 1]))) {
        return {};
      } else if (is_structure(at, fresh)) {
        fresh = enter(c);
        ++at;
      } else if (!fresh) {
        ++at;
      } else if (c == '\'' || c == '"') {
        const std::size_t end = end_of_quoted(line_, at);
        if (end == std::string_view::npos)
          return refuse(at, std::string("the quote (") + c + ") is not closed on this line");
        at = end;
        fresh = false;
      } else if (c == '|' || c == '>') {
        return refuse(at,
                      "texts of several lines (| and >) are not allowed: write it on one line, in quotes");
      } else if (c == '!' || c == '&') {
        at = std::min(line_.find_first_of(" \t", at),
                      line_.size());  // a tag or anchor; the text comes after it
      } else {
        fresh = false;
      }
    }
    return {};
  }

  bool is_structure(std::size_t at, bool fresh) const {
    const char c = line_[at];
    if (c == '[' || c == '{') return fresh || depth_ > 0;
    if (c == ']' || c == '}' || c == ',') return depth_ > 0;
    if (c == ':') return ends_word(at + 1) || (depth_ > 0 && !fresh && is_behind_quote(at));
    return fresh && (c == '-' || c == '?') && ends_word(at + 1);
  }
  // {"key":value}: JSON needs no blank there.
  bool is_behind_quote(std::size_t at) const {
    return at > 0 && (line_[at - 1] == '"' || line_[at - 1] == '\'');
  }

  // Returns whether a text may begin behind it.
  bool enter(char structure) {
    if (structure == '[' || structure == '{') ++depth_;
    if (structure == ']' || structure == '}') --depth_;
    return structure != ']' && structure != '}';
  }

  std::string_view line_;
  std::uint32_t number_ = 0;
  int depth_ = 0;       // of [ and {
  bool begun_ = false;  // the document has
};

}  // namespace

std::size_t end_of_quoted(std::string_view line, std::size_t at) {
  const char quote = line[at];
  for (std::size_t i = at + 1; i < line.size(); ++i) {
    if (quote == '"' && line[i] == '\\') {
      ++i;
    } else if (line[i] == quote) {
      if (quote != '\'' || i + 1 >= line.size() || line[i + 1] != '\'') return i + 1;
      ++i;  // '' stands for one quote
    }
  }
  return std::string_view::npos;
}

Status check_yaml_lines(std::string_view text) {
  return Lines().check(text);
}

}  // namespace tidegate
