// SPDX-License-Identifier: Apache-2.0
// The pages that describe the language hold what it accepts.
#include <regex>

#include "pipe/statement/doc_for_tests.h"
#include "pipe/statement/keywords.h"
#include "pipe/statement/split.h"
#include "pipe/statement/statement_for_tests.h"

namespace tidegate {
namespace {

using testing::HasSubstr;

class StatementsPage : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Languages, StatementsPage, testing::ValuesIn(kStatementPages));

TEST_P(StatementsPage, EveryExampleParses) {
  const std::string examples = blocks(page(GetParam()), "sql");
  const SplitResult split = split_statements(examples);
  EXPECT_EQ(split.rest.text, "");
  EXPECT_GE(split.complete.size(), 30U);
  std::vector<bool> seen(std::variant_size_v<Statement>);
  for (const StatementPiece& piece : split.complete) seen[parsed(piece.text).index()] = true;
  for (std::size_t i = 0; i < seen.size(); ++i) EXPECT_TRUE(seen[i]) << "no example of alternative " << i;
}

TEST(StatementsPages, HaveTheSameExamples) {
  for (const char* language : {"sql", "yaml"}) {
    const auto without_comments = [&](const char* name) {
      return std::regex_replace(blocks(page(name), language), std::regex(" +# .*"), "");
    };
    EXPECT_EQ(without_comments(kStatementPages[0]), without_comments(kStatementPages[1]));
  }
}

TEST_P(StatementsPage, TheGrammarNamesEveryKeyword) {
  const std::string text = page(GetParam());
  for (const std::string_view word : keywords()) {
    const std::regex whole("\\b" + std::string(word) + "\\b", std::regex::icase);
    EXPECT_TRUE(std::regex_search(text, whole)) << word;
  }
}

TEST_P(StatementsPage, TheErrorIsTheOneThatIsPrinted) {
  const std::string text = "create pipe a2b wiht connector ('connector'='x')";
  const auto statement = parse_statement(text, Dialect::kDataSync);
  ASSERT_FALSE(statement.ok());
  EXPECT_THAT(page(GetParam()), HasSubstr(explain_error(text, statement.error())));
}

}  // namespace
}  // namespace tidegate
