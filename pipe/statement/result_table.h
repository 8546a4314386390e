// SPDX-License-Identifier: Apache-2.0
// What a statement answers: a table, a message, or both; as IoTDB's shell draws it, or as JSON.
//
// Cells are data from elsewhere: control characters never reach a terminal (they stand as \n, \x1b ...).
#pragma once

#include <string>
#include <vector>

namespace tidegate {

struct ResultTable {
  std::vector<std::string> columns;            // none: there is only the message
  std::vector<std::vector<std::string>> rows;  // each with as many cells as there are columns
  std::string message;                         // below the table; one line or several; may be empty
  bool operator==(const ResultTable&) const = default;
};

enum class RowLines : bool { kNone, kBetween };  // kBetween: a border behind every row

// Columns as wide as their widest cell, cells at their right end, a character of East Asia counts two. Every
// line ends with a newline.
std::string draw_table(const ResultTable& table, RowLines lines = RowLines::kNone);

// {"columns":[...],"rows":[[...],...],"message":"..."} without line breaks. Bytes that are not UTF-8 stand as
// they do in the drawn table.
std::string table_json(const ResultTable& table);

}  // namespace tidegate
