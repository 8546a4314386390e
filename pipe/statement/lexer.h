// SPDX-License-Identifier: Apache-2.0
// Tokens of a statement, one at a time, without copying and without memory of its own. The lexical rules are
// IoTDB's (doc/statements.md has them on one page), with what the documents' own samples need beside them:
// prompts at the start of a line, the full-width comma, names with dashes.
//
// A Lexer is a small value: copy it to look ahead. What cannot be read becomes a token of kind kBad that says
// why; the lexer goes on behind it, so that a splitter can still find the end of a statement.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "pipe/statement/statement.h"

namespace tidegate {

inline constexpr std::size_t kMaxStatementBytes = 2 << 20;
inline constexpr std::size_t kMaxTextBytes = 1 << 20;  // one text in quotes

enum class TokenKind : std::uint8_t {
  kEnd,
  kWord,     // a keyword or a name without quotes
  kQuoted,   // a name in back-quotes
  kText,     // in '' or ""
  kNumber,   // an integer, with or without a sign
  kLiteral,  // begins like a number and goes on: 1.5, 127.0.0.1, 2022-03-30T20:58:30.689+08:00
  kSymbol,   // ( ) , ; = < > <= >= * ** . and other punctuation
  kBad
};

struct Token {
  TokenKind kind = TokenKind::kEnd;
  std::string_view text;   // as written; of a full-width comma ","
  std::size_t offset = 0;  // bytes from the start of the text
  std::size_t size = 0;    // bytes
  Mark mark;
  const char* problem = nullptr;  // kBad: why
  bool unfinished = false;        // kBad: a quote or comment that is open at the end of the text
};

class Lexer {
 public:
  // `text` must outlive the lexer and its tokens; `start` is where it stands in something larger.
  explicit Lexer(std::string_view text, Mark start = {1, 1}) : text_(text), here_(start) {}
  Token next();
  Mark here() const { return here_; }

 private:
  bool skip_blank();
  bool skip_prompt();
  bool skip_comment(Token* bad);
  Token quoted(TokenKind kind, char quote);
  Token number_or_name();
  Token symbol();
  Token bad(std::size_t size, const char* problem);
  Token take(TokenKind kind, std::size_t size);
  void advance(std::size_t bytes);
  std::string_view rest() const { return text_.substr(at_); }

  std::string_view text_;
  std::size_t at_ = 0;
  Mark here_;
  bool line_start_ = true;  // nothing but blanks since the start of the line
};

// The value of a kText token: without its quotes, doubled quotes made one. A backslash keeps the character
// behind it from ending the text and stays where it is, as in IoTDB: paths of Windows need no doubling.
std::string text_value(const Token& token);
// The name of a kQuoted or kWord token.
std::string name_value(const Token& token);

// The inverse: `value` in single quotes. A value that ends with an odd backslash has no such form
// (IoTDB's rule again); its last backslash is then doubled.
std::string quote_text(std::string_view value);
// `name` as it is where IoTDB reads it as a name, else in back-quotes.
std::string quote_name(std::string_view name);

}  // namespace tidegate
