// SPDX-License-Identifier: Apache-2.0
#include "pipe/statement/parser_core.h"

#include <algorithm>

#include "base/nearest.h"
#include "pipe/statement/utf8.h"

namespace tidegate {
namespace {

constexpr std::size_t kLongestShown = 40;  // bytes

}  // namespace

std::string upper_word(std::string_view word) {
  std::string out(word);
  std::ranges::transform(out, out.begin(),
                         [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
  return out;
}

std::string shown_token(const Token& token) {
  std::string_view text = token.text;
  if (text.size() <= kLongestShown) return printable(text);
  std::size_t size = kLongestShown;
  while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xC0) == 0x80) --size;
  return printable(text.substr(0, size)) + "…";
}

void ParserCore::advance() {
  if (token_.kind == TokenKind::kSymbol && token_.text == ")") --depth_;
  token_ = lexer_.next();
  wanted_.clear();
  if (token_.kind != TokenKind::kSymbol || token_.text != "(" || ++depth_ <= kMaxDepth) return;
  token_.kind = TokenKind::kBad;
  token_.problem = "parentheses nested deeper than 32";
}

void ParserCore::want(Wanted wanted, std::string_view word) {
  const bool known = std::ranges::any_of(
      wanted_, [&](const Expectation& e) { return e.wanted == wanted && e.word == word; });
  if (!known) wanted_.push_back({wanted, word});
}

bool ParserCore::at_keyword(std::string_view keyword) const {
  return token_.kind == TokenKind::kWord && token_.text.size() == keyword.size() &&
         upper_word(token_.text) == keyword;
}

bool ParserCore::accept(std::string_view keyword) {
  want(Wanted::kKeyword, keyword);
  if (!at_keyword(keyword)) return false;
  advance();
  return true;
}

bool ParserCore::accept_symbol(std::string_view symbol) {
  want(Wanted::kSymbol, symbol);
  if (token_.kind != TokenKind::kSymbol || token_.text != symbol) return false;
  advance();
  return true;
}

Status ParserCore::expect(std::string_view keyword) {
  if (accept(keyword)) return {};
  return unexpected();
}

Status ParserCore::expect_symbol(std::string_view symbol) {
  if (accept_symbol(symbol)) return {};
  return unexpected();
}

Result<Name> ParserCore::expect_name(Wanted wanted, std::string_view called) {
  want(wanted, called);
  if (token_.kind != TokenKind::kWord && token_.kind != TokenKind::kQuoted) return unexpected();
  Name name{name_value(token_), token_.mark};
  advance();
  return name;
}

Result<std::string> ParserCore::expect_text(std::string_view called) {
  want(Wanted::kText, called);
  if (token_.kind != TokenKind::kText) return unexpected();
  std::string value = text_value(token_);
  advance();
  return value;
}

Error ParserCore::refuse(ErrorCode code, Mark mark, std::string detail) const {
  return make_error(code, std::move(detail)).at_line(mark.line, mark.column);
}

std::string ParserCore::expected_list() const {
  std::vector<std::string> words;
  for (const Expectation& e : wanted_) {
    std::string word = e.wanted == Wanted::kSymbol ? "'" + std::string(e.word) + "'" : std::string(e.word);
    if (std::ranges::find(words, word) == words.end()) words.push_back(std::move(word));
  }
  std::string list;
  for (std::size_t i = 0; i < words.size(); ++i)
    list += (i == 0 ? "" : i + 1 == words.size() ? " or " : ", ") + words[i];
  return list;
}

std::string ParserCore::nearest() const {
  if (token_.kind != TokenKind::kWord) return {};
  std::vector<std::string> known;
  for (const Expectation& e : wanted_) {
    if (e.wanted == Wanted::kKeyword) known.emplace_back(e.word);
  }
  const std::string* const word = nearest_word(upper_word(token_.text), known);
  return word == nullptr ? "" : ", did you mean " + *word + "?";
}

Error ParserCore::unexpected() const {
  if (token_.kind == TokenKind::kBad) {
    const std::string problem = token_.problem;
    const bool too_large = problem.contains("longer than") || problem.contains("deeper than");
    if (too_large) return refuse(ErrorCode::kTooLarge, token_.mark, problem);
    return refuse(ErrorCode::kMalformed, token_.mark,
                  token_.unfinished ? problem + " begins here" : problem + " stands here");
  }
  const std::string found =
      token_.kind == TokenKind::kEnd ? "the end of the statement" : "'" + shown_token(token_) + "'";
  return refuse(ErrorCode::kMalformed, token_.mark,
                "expected " + expected_list() + ", found " + found + nearest());
}

}  // namespace tidegate
