// SPDX-License-Identifier: Apache-2.0
// Statements over the control socket: between ControlServer's /statement and /complete and the executor.
//
//   POST /statement   {"results":[{"columns":[..],"rows":[[..]],"message":".."}],"error":null}
//                     "error":{"code":"kNotFound","text":"..","line":1,"column":12,"explanation":".."}, line
//                     and column where it has a place; with the header `Accept: text/plain` tables as they
//                     are drawn
//   POST /complete    {"from":11,"candidates":["a2b"]}
//
// 200: all were carried out. 400: a statement is wrong, 403: not allowed, 409: refused for another reason;
// the results of those before it are in the answer all the same. Any thread.
#pragma once

#include "pipe/control/control_server.h"
#include "pipe/statement/executor.h"

namespace tidegate {

// `otherwise`: the dialect where the request names none. Lives as long as the executor.
StatementHandler statement_handler(Executor& executor, Dialect otherwise);

ControlAnswer answer_statement(Executor& executor, Dialect otherwise, const ControlStatement& asked);

std::optional<Dialect> parse_dialect_name(std::string_view name);  // "data-sync", "edge-cloud"

}  // namespace tidegate
