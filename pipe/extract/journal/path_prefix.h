// SPDX-License-Identifier: Apache-2.0
// PathPrefix: the pattern of an extractor. A string prefix of the canonical path (pipe/model/path.h); it need
// not end at a node: root.aligned.1 takes root.aligned.1TS and root.aligned.100TS.x, and not
// root.aligned.`1`, whose canonical path has the quotes. Quotes that a node does not need may be written:
// root.`a` is root.a.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace tidegate {

class PathPrefix {
 public:
  // kInvalidArgument: a back-quote that is not closed, a pattern that does not begin with root, an empty
  // node.
  static Result<PathPrefix> parse(std::string_view pattern);

  const std::string& text() const { return text_; }  // canonical
  bool takes_all() const { return text_ == "root" || text_ == "root."; }
  bool takes(std::string_view canonical_path) const { return canonical_path.starts_with(text_); }
  // Everything below this path (a node boundary follows it) is taken.
  bool takes_all_below(std::string_view canonical_path) const;
  // Something below this path may be taken.
  bool takes_some_below(std::string_view canonical_path) const;

 private:
  std::string text_;
};

}  // namespace tidegate
