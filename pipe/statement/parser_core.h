// SPDX-License-Identifier: Apache-2.0
// What every part of the grammar stands on: the current token, and the memory of what would have fitted in
// its place. One mechanism serves errors ("expected ..., did you mean ...") and completion.
//
// For the parser and completion only.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "pipe/statement/lexer.h"
#include "pipe/statement/statement.h"

namespace tidegate {

enum class Wanted : std::uint8_t {
  kKeyword,
  kSymbol,
  kPipe,     // the name of a pipe that exists
  kSink,     // the name of a sink that exists
  kPlugin,   // the name of an external plugin that exists
  kUser,     // the name of a user that exists
  kNewName,  // a name that does not exist yet
  kAttributeName,
  kAttributeValue,
  kText,
  kNumber,
  kTime,
  kBool,
  kPath,
  kEnd
};

struct Expectation {
  Wanted wanted = Wanted::kKeyword;
  std::string_view word;  // kKeyword, kSymbol: it; else how to call it in a message. Static storage
};

class ParserCore {
 public:
  static constexpr int kMaxDepth = 32;

  ParserCore(std::string_view text, Mark start) : lexer_(text, start) { advance(); }

  const Token& token() const { return token_; }
  Token second() const { return Lexer(lexer_).next(); }

  // True and past it when the current token is that keyword (without case) or symbol.
  bool accept(std::string_view keyword);
  bool accept_symbol(std::string_view symbol);
  Status expect(std::string_view keyword);
  Status expect_symbol(std::string_view symbol);
  // A name, quoted or not; `called` for the message: "the name of a pipe".
  Result<Name> expect_name(Wanted wanted, std::string_view called);
  Result<std::string> expect_text(std::string_view called);

  bool at_keyword(std::string_view keyword) const;
  void want(Wanted wanted, std::string_view word);
  void advance();

  // The current token does not fit: what was wanted, what stands there, the nearest keyword.
  Error unexpected() const;
  Error refuse(ErrorCode code, Mark mark, std::string detail) const;

  // What was wanted in the place of the current token so far.
  const std::vector<Expectation>& wanted() const { return wanted_; }

 private:
  std::string expected_list() const;
  std::string nearest() const;

  Lexer lexer_;
  Token token_;
  int depth_ = 0;
  std::vector<Expectation> wanted_;
};

// Short enough for a message, on one line.
std::string shown_token(const Token& token);
std::string upper_word(std::string_view word);

}  // namespace tidegate
