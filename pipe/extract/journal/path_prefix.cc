// SPDX-License-Identifier: Apache-2.0
#include "pipe/extract/journal/path_prefix.h"

#include "pipe/model/path.h"

namespace tidegate {
namespace {

Error refuse(std::string_view pattern, const std::string& why) {
  return make_error(ErrorCode::kInvalidArgument,
                    "'extractor.pattern'='" + std::string(pattern) + "': " + why);
}

// The text of the node in back-quotes that begins at `*at`, which moves behind it.
Result<std::string> quoted_node(std::string_view pattern, std::size_t* at) {
  std::string node;
  for (std::size_t i = *at + 1; i < pattern.size(); ++i) {
    if (pattern[i] != '`') {
      node += pattern[i];
    } else if (i + 1 < pattern.size() && pattern[i + 1] == '`') {
      node += pattern[i++];
    } else {
      *at = i + 1;
      return node;
    }
  }
  return refuse(pattern, "the back-quote at column " + std::to_string(*at + 1) + " is not closed");
}

}  // namespace

Result<PathPrefix> PathPrefix::parse(std::string_view pattern) {
  PathPrefix out;
  for (std::size_t at = 0; at <= pattern.size();) {
    if (at < pattern.size() && pattern[at] == '`') {
      TG_TRY(const std::string node, quoted_node(pattern, &at));
      append_node(&out.text_, node);
      if (at < pattern.size() && pattern[at] != '.')
        return refuse(pattern, "'.' expected behind the back-quote before column " + std::to_string(at + 1));
    } else {
      const std::size_t end = std::min(pattern.find('.', at), pattern.size());
      const std::string_view node = pattern.substr(at, end - at);
      if (node.find('`') != std::string_view::npos)
        return refuse(pattern, "a back-quote inside the node " + std::string(node));
      if (node.empty() && end != pattern.size())
        return refuse(pattern, "a node without a name at column " + std::to_string(at + 1));
      out.text_ += node;
      at = end;
    }
    if (at == pattern.size()) break;
    out.text_ += '.';
    ++at;
  }
  if (out.text_ != "root" && !out.text_.starts_with("root."))
    return refuse(pattern, "a pattern begins with root");
  return out;
}

bool PathPrefix::takes_all_below(std::string_view canonical_path) const {
  return takes_all() || takes(canonical_path) || (std::string(canonical_path) + ".").starts_with(text_);
}

bool PathPrefix::takes_some_below(std::string_view canonical_path) const {
  return takes_all_below(canonical_path) || text_.starts_with(std::string(canonical_path) + ".");
}

}  // namespace tidegate
