// SPDX-License-Identifier: Apache-2.0
// StatementClient: statements to a daemon over its control socket, and what the answer says. Blocking.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "pipe/control/control_client.h"
#include "pipe/statement/result_table.h"

namespace tidegate {

struct StatementAnswer {
  std::vector<ResultTable> results;
  bool refused = false;
  std::string explanation;  // why; in several lines where a caret is below the text
  std::string json;         // all of it, as it came
};
struct CompletionAnswer {
  std::size_t from = 0;
  std::vector<std::string> candidates;
};

// kMalformed for what no daemon of Tidegate answers.
Result<StatementAnswer> parse_statement_answer(const std::string& json);
Result<CompletionAnswer> parse_completion_answer(const std::string& json);

class StatementClient {
 public:
  // `dialect` empty: the daemon's own.
  StatementClient(ControlTarget target, std::string dialect)
      : target_(std::move(target)), dialect_(std::move(dialect)) {}

  // kUnreachable, kTimeout, kMalformed as ask_control(); a refusal by the daemon is no error here.
  Result<StatementAnswer> execute(const std::string& text, Nanos timeout) const;
  Result<CompletionAnswer> complete(const std::string& text, std::size_t cursor) const;

 private:
  ControlRequest request(const char* path, const std::string& text) const;

  ControlTarget target_;
  std::string dialect_;
};

}  // namespace tidegate
