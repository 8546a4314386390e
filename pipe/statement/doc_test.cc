// SPDX-License-Identifier: Apache-2.0
// The pages that describe the language hold what it accepts.
#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>

#include "pipe/statement/keywords.h"
#include "pipe/statement/split.h"
#include "pipe/statement/statement_for_tests.h"

namespace tidegate {
namespace {

using testing::HasSubstr;

std::string page(const std::string& name) {
  std::ifstream file(std::filesystem::path(TIDEGATE_SOURCE_DIR) / "doc" / name);
  return {std::istreambuf_iterator<char>(file), {}};
}

// The text of all blocks of one language, one behind the other.
std::string blocks(const std::string& markdown, const std::string& language) {
  std::string out;
  bool inside = false;
  std::istringstream stream(markdown);
  for (std::string line; std::getline(stream, line);) {
    if (line.starts_with("```")) {
      inside = !inside && line == "```" + language;
      continue;
    }
    if (inside) out += line + "\n";
  }
  return out;
}

TEST(StatementsPage, EveryExampleParses) {
  const std::string examples = blocks(page("statements.md"), "sql");
  const SplitResult split = split_statements(examples);
  EXPECT_EQ(split.rest.text, "");
  EXPECT_GE(split.complete.size(), 30U);
  std::vector<bool> seen(std::variant_size_v<Statement>);
  for (const StatementPiece& piece : split.complete) seen[parsed(piece.text).index()] = true;
  for (std::size_t i = 0; i < seen.size(); ++i) EXPECT_TRUE(seen[i]) << "no example of alternative " << i;
}

TEST(StatementsPage, TheGrammarNamesEveryKeyword) {
  const std::string text = page("statements.md");
  for (const std::string_view word : keywords()) {
    const std::regex whole("\\b" + std::string(word) + "\\b", std::regex::icase);
    EXPECT_TRUE(std::regex_search(text, whole)) << word;
  }
}

TEST(StatementsPage, TheErrorIsTheOneThatIsPrinted) {
  const std::string text = "create pipe a2b wiht connector ('connector'='x')";
  const auto statement = parse_statement(text, Dialect::kDataSync);
  ASSERT_FALSE(statement.ok());
  EXPECT_THAT(page("statements.md"), HasSubstr(explain_error(text, statement.error())));
}

}  // namespace
}  // namespace tidegate
