// SPDX-License-Identifier: Apache-2.0
// Cuts files and typed input into statements at ';', knowing texts, names in back-quotes and comments. Pure.
//
// A ';' directly in front of ')' ends no statement: the documents write (IP='127.0.0.1',port=6670;).
#pragma once

#include <string_view>
#include <vector>

#include "pipe/statement/statement.h"

namespace tidegate {

struct StatementPiece {
  std::string_view text;   // from its first word to its ';' inclusive
  std::size_t offset = 0;  // bytes from the start of the input
  Mark start;              // for parse_statement(): errors then speak of the whole input
};

struct SplitResult {
  std::vector<StatementPiece> complete;  // without empty ones
  StatementPiece rest;                   // behind the last ';'; its text is empty when only blanks are left
  // Why `rest` cannot be complete yet, whatever it says: an open quote, comment or parenthesis; else null.
  const char* open = nullptr;
};

// The pieces are views into `text`.
SplitResult split_statements(std::string_view text);

}  // namespace tidegate
