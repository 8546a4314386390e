// SPDX-License-Identifier: Apache-2.0
// The parser of both dialects. Grammar: doc/statements.md. Pure: no clock, no files, no catalogue; whether a
// pipe or plugin exists is for the executor to say.
//
// Bounded whatever it is given: at most 2 MiB of statement, 1 MiB of one text, 4096 attributes, 32 nested
// parentheses; no recursion.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "pipe/statement/statement.h"

namespace tidegate {

// Exactly one statement, with or without ';' behind it. `start` is where the text stands in something larger
// (StatementPiece::start). Errors carry line and column:
//   kMalformed        what was expected, what was found, the nearest keyword
//   kInvalidArgument  an attribute given twice or in the wrong clause, a value that cannot be
//   kTooLarge         a limit
//   kUnsupported      a statement that belongs to the database, not to the gateway
Result<Statement> parse_statement(std::string_view text, Dialect dialect, Mark start = {1, 1});

// An error of parse_statement() (or any other with a line and column) for a person:
//   line 1, column 17: expected TO or WITH, found 'wiht', did you mean WITH?
//     create pipe a2b wiht connector ('connector'='x')
//                     ^
// `text` and `start` as they were given to the parser. A long line is cut around the caret. No newline at the
// end.
std::string explain_error(std::string_view text, const Error& error, Mark start = {1, 1});

}  // namespace tidegate
