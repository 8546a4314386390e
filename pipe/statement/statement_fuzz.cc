// SPDX-License-Identifier: Apache-2.0
// Any text is a statement or an error with a place; what was read is printed and read back as the same.
// The splitter cuts any text into pieces that are in it and in order; completion and masking end for any
// text and cursor. The first byte of the input chooses the dialect and the cursor.
#include <cstdint>
#include <cstdlib>

#include "pipe/statement/completion.h"
#include "pipe/statement/parser.h"
#include "pipe/statement/print.h"
#include "pipe/statement/result_table.h"
#include "pipe/statement/split.h"
#include "pipe/statement/utf8.h"

namespace {

using namespace tidegate;

void require(bool holds) {
  if (!holds) std::abort();
}

void check_parser(std::string_view text, Dialect dialect) {
  const auto statement = parse_statement(text, dialect);
  if (!statement.ok()) {
    const Error& error = statement.error();
    require(error.line && error.column && !error.detail.empty());
    require(find_broken_utf8(explain_error(text, error)) == std::string_view::npos);
    return;
  }
  for (const Dialect other : {Dialect::kDataSync, Dialect::kEdgeCloud}) {
    const auto back = parse_statement(print_statement(*statement), other);
    // Printing may double the size and so pass the limits; nothing else may go wrong.
    require(back.ok() ? *back == *statement : back.error().code == ErrorCode::kTooLarge);
  }
  (void)print_masked(*statement);
}

void check_splitter(std::string_view text) {
  const SplitResult split = split_statements(text);
  std::size_t behind = 0;
  for (const StatementPiece& piece : split.complete) {
    require(piece.offset >= behind && piece.text.ends_with(';'));
    require(text.substr(piece.offset, piece.text.size()) == piece.text);
    behind = piece.offset + piece.text.size();
  }
  require(split.rest.text.empty() || split.rest.offset >= behind);
}

void check_completion(std::string_view text, std::size_t cursor, Dialect dialect) {
  static const PluginInfo plugin{.kind = PluginKind::kConnector,
                                 .name = "x",
                                 .attributes = {{.name = "ip"}, {.name = "mode", .choices = {"a", "b"}}}};
  CompletionNames names;
  names.plugins = {&plugin, 1};
  names.pipes = {"a2b", "a b"};
  const Completion completion = complete_statement(text, cursor, dialect, names);
  require(completion.from <= cursor);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Dialect dialect = data[0] % 2 == 0 ? Dialect::kDataSync : Dialect::kEdgeCloud;
  check_parser(text, dialect);
  check_splitter(text);
  check_completion(text, text.size() * data[0] / 255, dialect);
  (void)mask_source(text);
  const ResultTable table{{"a", "b"}, {{std::string(text), ""}}, std::string(text)};
  (void)draw_table(table);
  require(find_broken_utf8(table_json(table)) == std::string_view::npos);
  return 0;
}
