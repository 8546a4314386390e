// SPDX-License-Identifier: Apache-2.0
#include "pipe/statement/parser.h"

#include <algorithm>
#include <vector>

#include "pipe/statement/grammar.h"
#include "pipe/statement/lexer.h"
#include "pipe/statement/utf8.h"

namespace tidegate {
namespace {

constexpr std::size_t kShownCells = 96;  // of the line of a caret

// Where the byte at `offset` stands.
Mark mark_at(std::string_view text, std::size_t offset, Mark start) {
  for (const char c : text.substr(0, offset)) {
    if (c == '\n') {
      ++start.line;
      start.column = 1;
    } else if ((static_cast<unsigned char>(c) & 0xC0) != 0x80) {
      ++start.column;
    }
  }
  return start;
}

Status check_bytes(std::string_view text, Mark start) {
  const auto refuse = [&](std::size_t offset, const char* what) {
    const Mark mark = mark_at(text, offset, start);
    return make_error(ErrorCode::kMalformed, what).at_line(mark.line, mark.column);
  };
  if (text.size() > kMaxStatementBytes) {
    return make_error(ErrorCode::kTooLarge, "a statement of " + std::to_string(text.size()) +
                                                " bytes, the most is " + std::to_string(kMaxStatementBytes))
        .at_line(start.line, start.column);
  }
  const std::size_t nul = text.find('\0');
  const std::size_t broken = find_broken_utf8(text);
  if (nul != std::string_view::npos && nul < broken) return refuse(nul, "a NUL character stands here");
  if (broken != std::string_view::npos) return refuse(broken, "bytes that are not UTF-8 stand here");
  return {};
}

std::string_view line_of(std::string_view text, std::uint32_t line) {
  for (; line > 1; --line) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) return {};
    text.remove_prefix(end + 1);
  }
  return text.substr(0, text.find('\n'));
}

// One character of a shown line: as it is, or what stands for it.
struct Shown {
  std::string text;
  std::size_t cells;
};

std::vector<Shown> shown_characters(std::string_view line) {
  std::vector<Shown> out;
  while (!line.empty()) {
    const std::size_t size = std::max<std::size_t>(first_char(line).size, 1);
    std::string character = line[0] == '\t' ? " " : line[0] == '\r' ? "" : printable(line.substr(0, size));
    const std::size_t cells = cell_width(character);
    out.push_back({std::move(character), cells});
    line.remove_prefix(size);
  }
  return out;
}

// The line and the caret below it; the line is cut so that the caret stays in view.
std::string with_caret(std::string_view line, std::size_t column) {
  const std::vector<Shown> all = shown_characters(line);
  const std::size_t caret = std::min(column - 1, all.size());
  std::size_t from = caret;
  std::size_t cells = 0;
  while (from > 0 && cells + all[from - 1].cells <= kShownCells / 2) cells += all[--from].cells;
  std::string text = from > 0 ? "…" : "";
  std::string below(cells + (from > 0 ? 1 : 0), ' ');
  std::size_t to = from;
  for (cells = 0; to < all.size() && cells + all[to].cells <= kShownCells; ++to) {
    text += all[to].text;
    cells += all[to].cells;
  }
  if (to < all.size()) text += "…";
  return "  " + text + "\n  " + below + "^";
}

}  // namespace

Result<Statement> parse_statement(std::string_view text, Dialect dialect, Mark start) {
  TG_CHECK(check_bytes(text, start));
  return Grammar(text, dialect, start).statement();
}

std::string explain_error(std::string_view text, const Error& error, Mark start) {
  if (!error.line || !error.column || *error.line < start.line) return error.detail;
  std::string out = "line " + std::to_string(*error.line) + ", column " + std::to_string(*error.column) +
                    ": " + error.detail;
  const std::uint32_t line = *error.line - start.line + 1;
  const std::uint32_t shift = line == 1 ? start.column - 1 : 0;
  if (*error.column <= shift) return out;
  return out + "\n" + with_caret(line_of(text, line), *error.column - shift);
}

}  // namespace tidegate
