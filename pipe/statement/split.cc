// SPDX-License-Identifier: Apache-2.0
#include "pipe/statement/split.h"

#include <optional>

#include "pipe/statement/lexer.h"

namespace tidegate {

SplitResult split_statements(std::string_view text) {
  SplitResult out;
  std::optional<StatementPiece> current;
  std::size_t depth = 0;
  Lexer lexer(text);
  for (Token token = lexer.next(); token.kind != TokenKind::kEnd; token = lexer.next()) {
    const bool is_symbol = token.kind == TokenKind::kSymbol;
    const bool is_semicolon = is_symbol && token.text == ";";
    if (is_semicolon && depth > 0 && Lexer(lexer).next().text == ")") continue;
    if (is_semicolon) {
      const std::size_t end = token.offset + token.size;
      if (current) {
        current->text = text.substr(current->offset, end - current->offset);
        out.complete.push_back(*current);
      }
      current.reset();
      depth = 0;
      continue;
    }
    if (!current) current = StatementPiece{{}, token.offset, token.mark};
    if (is_symbol && token.text == "(") ++depth;
    if (is_symbol && token.text == ")" && depth > 0) --depth;
    if (token.kind == TokenKind::kBad && token.unfinished) out.open = token.problem;
  }
  if (!current) return out;
  current->text = text.substr(current->offset);
  out.rest = *current;
  if (out.open == nullptr && depth > 0) out.open = "a '(' without its ')'";
  return out;
}

}  // namespace tidegate
