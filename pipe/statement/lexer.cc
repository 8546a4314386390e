// SPDX-License-Identifier: Apache-2.0
#include "pipe/statement/lexer.h"

#include <algorithm>
#include <array>

#include "pipe/statement/keywords.h"
#include "pipe/statement/utf8.h"

namespace tidegate {
namespace {

constexpr std::array<std::string_view, 2> kPrompts = {"iotdb>", "tidegate>"};

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_letter(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

// Bytes of the character at the front where it may stand in a name, else 0.
std::size_t name_char(std::string_view text) {
  if (text.empty()) return 0;
  const char c = text[0];
  if (is_digit(c) || is_letter(c) || std::string_view("_:@#${}").contains(c)) return 1;
  const Utf8Char wide = first_char(text);
  return wide.code >= 0x2E80 && wide.code <= 0x9FFF && wide.code != 0x3000 ? wide.size : 0;
}

// Bytes of the name at the front. A dash between two characters of a name belongs to it: iotdb-kafka.
std::size_t name_size(std::string_view text) {
  std::size_t size = 0;
  for (;;) {
    const std::size_t dash = size != 0 && size < text.size() && text[size] == '-' ? 1 : 0;
    const std::size_t character = name_char(text.substr(std::min(size + dash, text.size())));
    if (character == 0) return size;
    size += dash + character;
  }
}

// Bytes of what begins with a digit or a sign: numbers, dates, addresses, names like 1st-pipe.
std::size_t literal_size(std::string_view text) {
  std::size_t size = is_digit(text[0]) ? 0 : 1;
  for (;;) {
    const std::size_t run = name_size(text.substr(size));
    size += run;
    const bool joint = run != 0 && size + 1 < text.size() && std::string_view(".+-/").contains(text[size]);
    if (!joint || !is_digit(text[size + 1])) return size;
    ++size;
  }
}

bool is_full_width_comma(std::string_view text) {
  return text.starts_with("，");
}

struct Lookalike {
  std::string_view character;
  const char* problem;
};
constexpr std::array kLookalikes = {
    Lookalike{"（", "a full-width '（': write '('"}, Lookalike{"）", "a full-width '）': write ')'"},
    Lookalike{"；", "a full-width '；': write ';'"}, Lookalike{"＝", "a full-width '＝': write '='"},
    Lookalike{"‘", "a typographic quote: write '"},  Lookalike{"’", "a typographic quote: write '"},
    Lookalike{"“", "a typographic quote: write \""}, Lookalike{"”", "a typographic quote: write \""},
    Lookalike{"＞", "a full-width '＞': write '>'"},
};

const char* why_unexpected(std::string_view text) {
  for (const Lookalike& lookalike : kLookalikes) {
    if (text.starts_with(lookalike.character)) return lookalike.problem;
  }
  if (text[0] == '\0') return "a NUL character";
  if (first_char(text).size == 0) return "bytes that are not UTF-8";
  if (static_cast<unsigned char>(text[0]) < 0x20 || text[0] == 0x7F) return "a control character";
  return "a character that can stand only in quotes";
}

std::size_t blank_size(std::string_view text) {
  if (text.empty()) return 0;
  if (std::string_view(" \t\r\n\f\v").contains(text[0])) return 1;
  if (text.starts_with("\u00A0")) return 2;  // no-break space
  return text.starts_with("\u3000") || text.starts_with("\uFEFF") ? 3
                                                                  : 0;  // ideographic space, byte order mark
}

}  // namespace

// Counts characters, not bytes; `bytes` ends at a character.
void Lexer::advance(std::size_t bytes) {
  for (const char c : text_.substr(at_, bytes)) {
    if (c == '\n') {
      ++here_.line;
      here_.column = 1;
    } else if ((static_cast<unsigned char>(c) & 0xC0) != 0x80) {
      ++here_.column;
    }
  }
  at_ += bytes;
}

bool Lexer::skip_blank() {
  const std::size_t size = blank_size(rest());
  if (size == 0) return false;
  if (text_[at_] == '\n') line_start_ = true;
  advance(size);
  return true;
}

bool Lexer::skip_prompt() {
  if (!line_start_) return false;
  for (const std::string_view prompt : kPrompts) {
    if (fold_name(rest().substr(0, prompt.size())) != prompt) continue;
    advance(prompt.size());
    line_start_ = false;
    return true;
  }
  return false;
}

bool Lexer::skip_comment(Token* open) {
  if (rest().starts_with("--")) {
    advance(std::min(rest().find('\n'), rest().size()));
    return true;
  }
  if (!rest().starts_with("/*")) return false;
  const std::size_t end = rest().find("*/", 2);
  if (end == std::string_view::npos) {
    *open = bad(rest().size(), "a comment without its end '*/'");
    open->unfinished = true;
    return true;
  }
  advance(end + 2);
  return true;
}

Token Lexer::take(TokenKind kind, std::size_t size) {
  Token token{kind, text_.substr(at_, size), at_, size, here_, nullptr, false};
  advance(size);
  line_start_ = false;
  return token;
}

Token Lexer::bad(std::size_t size, const char* problem) {
  Token token = take(TokenKind::kBad, size);
  token.problem = problem;
  return token;
}

Token Lexer::quoted(TokenKind kind, char quote) {
  const std::string_view text = rest();
  std::size_t end = 1;
  for (; end < text.size(); ++end) {
    if (text[end] == '\\' && kind == TokenKind::kText) {
      ++end;
    } else if (text[end] == quote) {
      if (end + 1 >= text.size() || text[end + 1] != quote) break;
      ++end;
    }
  }
  if (end >= text.size()) {
    Token open = bad(text.size(), quote == '`' ? "a name in back-quotes without its end"
                                               : "a text in quotes without its end");
    open.unfinished = true;
    return open;
  }
  if (end - 1 > kMaxTextBytes) return bad(end + 1, "a text longer than 1 MiB");
  if (kind == TokenKind::kQuoted && end == 1) return bad(2, "an empty name");
  return take(kind, end + 1);
}

Token Lexer::number_or_name() {
  const std::size_t size = literal_size(rest());
  const std::string_view text = rest().substr(0, size);
  if (std::ranges::all_of(text.substr(1), is_digit)) return take(TokenKind::kNumber, size);
  const bool is_name = is_digit(text[0]) && name_size(text) == size && !text.contains(':') &&
                       !std::ranges::all_of(text, [](char c) { return is_digit(c) || c == '-'; });
  return take(is_name ? TokenKind::kWord : TokenKind::kLiteral, size);
}

Token Lexer::symbol() {
  const std::string_view text = rest();
  if (is_full_width_comma(text)) {
    Token comma = take(TokenKind::kSymbol, std::string_view("，").size());
    comma.text = ",";
    return comma;
  }
  for (const std::string_view two : {"**", ">=", "<=", "!=", "<>"}) {
    if (text.starts_with(two)) return take(TokenKind::kSymbol, 2);
  }
  if (std::string_view("(),;=<>*.+-/%[]!?&|~^").contains(text[0])) return take(TokenKind::kSymbol, 1);
  return bad(std::max<std::size_t>(first_char(text).size, 1), why_unexpected(text));
}

Token Lexer::next() {
  Token open;
  while (skip_blank() || skip_prompt() || skip_comment(&open)) {
    if (open.kind == TokenKind::kBad) return open;
  }
  const std::string_view text = rest();
  if (text.empty()) return take(TokenKind::kEnd, 0);
  const char c = text[0];
  if (c == '`') return quoted(TokenKind::kQuoted, c);
  if (c == '\'' || c == '"') return quoted(TokenKind::kText, c);
  const bool is_signed = (c == '-' || c == '+') && text.size() > 1 && is_digit(text[1]);
  if (is_digit(c) || is_signed) return number_or_name();
  if (const std::size_t size = name_size(text); size != 0) return take(TokenKind::kWord, size);
  return symbol();
}

std::string text_value(const Token& token) {
  const char quote = token.text[0];
  const std::string_view inner = token.text.substr(1, token.text.size() - 2);
  std::string out;
  out.reserve(inner.size());
  for (std::size_t i = 0; i < inner.size(); ++i) {
    out += inner[i];
    if (inner[i] == '\\') {
      out += inner[++i];
    } else if (inner[i] == quote) {
      ++i;
    }
  }
  return out;
}

std::string name_value(const Token& token) {
  if (token.kind != TokenKind::kQuoted) return std::string(token.text);
  const std::string_view inner = token.text.substr(1, token.text.size() - 2);
  std::string out;
  for (std::size_t i = 0; i < inner.size(); ++i) {
    out += inner[i];
    if (inner[i] == '`') ++i;
  }
  return out;
}

std::string quote_text(std::string_view value) {
  std::string out = "'";
  for (std::size_t i = 0; i < value.size(); ++i) {
    out += value[i];
    if (value[i] == '\'') {
      out += '\'';
    } else if (value[i] == '\\') {
      out += ++i < value.size() ? value[i] : '\\';
    }
  }
  return out + "'";
}

std::string quote_name(std::string_view name) {
  std::size_t plain = 0;
  for (std::size_t size = 0; (size = name_char(name.substr(plain))) != 0;) plain += size;
  if (!name.empty() && plain == name.size() && !is_digit(name[0]) && !is_keyword(name))
    return std::string(name);
  std::string out = "`";
  for (const char c : name) out += c == '`' ? "``" : std::string(1, c);
  return out + "`";
}

}  // namespace tidegate
