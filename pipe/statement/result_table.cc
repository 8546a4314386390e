// SPDX-License-Identifier: Apache-2.0
#include "pipe/statement/result_table.h"

#include <algorithm>
#include <string_view>

#include "pipe/engine/json_text.h"
#include "pipe/statement/utf8.h"

namespace tidegate {
namespace {

using Cells = std::vector<std::string>;

Cells printable_cells(const Cells& cells, std::size_t count) {
  Cells out(count);
  for (std::size_t i = 0; i < std::min(count, cells.size()); ++i) out[i] = printable(cells[i]);
  return out;
}

std::string draw_row(const Cells& cells, const std::vector<std::size_t>& widths) {
  std::string out = "|";
  for (std::size_t i = 0; i < widths.size(); ++i)
    out += std::string(widths[i] - cell_width(cells[i]), ' ') + cells[i] + "|";
  return out + "\n";
}

std::string draw_border(const std::vector<std::size_t>& widths) {
  std::string out = "+";
  for (const std::size_t width : widths) out += std::string(width, '-') + "+";
  return out + "\n";
}

std::string draw_grid(const ResultTable& table, RowLines lines) {
  std::vector<Cells> all = {printable_cells(table.columns, table.columns.size())};
  for (const Cells& row : table.rows) all.push_back(printable_cells(row, table.columns.size()));
  std::vector<std::size_t> widths(table.columns.size());
  for (const Cells& row : all) {
    for (std::size_t i = 0; i < widths.size(); ++i) widths[i] = std::max(widths[i], cell_width(row[i]));
  }
  const std::string border = draw_border(widths);
  std::string out = border + draw_row(all[0], widths) + border;
  for (std::size_t i = 1; i < all.size(); ++i) {
    out += draw_row(all[i], widths);
    if (lines == RowLines::kBetween) out += border;
  }
  if (lines == RowLines::kNone || all.size() == 1) out += border;
  return out;
}

void append_text(std::string& out, std::string_view text) {
  if (find_broken_utf8(text) == std::string_view::npos) return append_json_string(out, text);
  append_json_string(out, printable(text));
}

void append_list(std::string& out, const Cells& cells) {
  out += '[';
  for (std::size_t i = 0; i < cells.size(); ++i) {
    if (i != 0) out += ',';
    append_text(out, cells[i]);
  }
  out += ']';
}

// A message keeps its lines.
std::string printable_lines(std::string_view text) {
  std::string out;
  for (;;) {
    const std::size_t end = text.find('\n');
    out += printable(text.substr(0, end)) + "\n";
    if (end == std::string_view::npos || end + 1 == text.size()) return out;
    text.remove_prefix(end + 1);
  }
}

}  // namespace

std::string draw_table(const ResultTable& table, RowLines lines) {
  std::string out = table.columns.empty() ? "" : draw_grid(table, lines);
  if (!table.message.empty()) out += printable_lines(table.message);
  return out;
}

std::string table_json(const ResultTable& table) {
  std::string out = R"({"columns":)";
  append_list(out, table.columns);
  out += R"(,"rows":[)";
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    if (i != 0) out += ',';
    append_list(out, table.rows[i]);
  }
  out += R"(],"message":)";
  append_text(out, table.message);
  return out + "}";
}

}  // namespace tidegate
