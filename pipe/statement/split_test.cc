// SPDX-License-Identifier: Apache-2.0
#include "pipe/statement/split.h"

#include "pipe/statement/statement_for_tests.h"

namespace tidegate {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::string> pieces(std::string_view text) {
  std::vector<std::string> out;
  const SplitResult split = split_statements(text);
  for (const StatementPiece& piece : split.complete) out.emplace_back(piece.text);
  if (!split.rest.text.empty()) out.push_back("rest: " + std::string(split.rest.text));
  return out;
}

std::string open(std::string_view text) {
  const char* const why = split_statements(text).open;
  return why == nullptr ? "" : why;
}

TEST(SplitStatements, ASemicolonEndsAStatementButNotInTextsNamesOrComments) {
  EXPECT_THAT(
      pieces("show pipes; start pipe `a;b`;;\n-- x;\ncreate user u ';\\';''' /*;*/;show"),
      ElementsAre("show pipes;", "start pipe `a;b`;", "create user u ';\\';''' /*;*/;", "rest: show"));
  EXPECT_THAT(pieces(" \n-- nothing; here\n;; /* ; */"), ElementsAre());
}

TEST(SplitStatements, ASemicolonInFrontOfAParenthesisEndsNothing) {
  EXPECT_THAT(pieces("create pipesink s as IoTDB (IP='h',port=6670; );show pipes;"),
              ElementsAre("create pipesink s as IoTDB (IP='h',port=6670; );", "show pipes;"));
  EXPECT_THAT(pieces("create pipe p with sink ('a'='b'; show pipes;"),
              ElementsAre("create pipe p with sink ('a'='b';", "show pipes;"));
}

TEST(SplitStatements, WhatIsOpenIsSaid) {
  EXPECT_EQ(open("create user u 'abc"), "a text in quotes without its end");
  EXPECT_EQ(open("start pipe `abc;"), "a name in back-quotes without its end");
  EXPECT_EQ(open("show /* ;"), "a comment without its end '*/'");
  EXPECT_EQ(open("create pipe p with sink ("), "a '(' without its ')'");
  EXPECT_EQ(open("show pipes"), "");
  EXPECT_EQ(open("show pipes;"), "");
}

TEST(SplitStatements, APieceKnowsItsPlaceSoThatErrorsSpeakOfTheFile) {
  const std::string file = "show pipes;\n-- two\n  show\n pips;\n";
  const SplitResult split = split_statements(file);
  ASSERT_EQ(split.complete.size(), 2U);
  const StatementPiece& piece = split.complete[1];
  EXPECT_EQ(file.substr(piece.offset, 4), "show");
  const auto statement = parse_statement(piece.text, Dialect::kDataSync, piece.start);
  ASSERT_FALSE(statement.ok());
  EXPECT_THAT(explain_error(piece.text, statement.error(), piece.start),
              HasSubstr("line 4, column 2: expected PIPES"));
}

TEST(SplitStatements, ACharacterThatCannotBeReadSplitsNothing) {
  EXPECT_THAT(pieces("show \x01 \xff pipes; show pipes"),
              ElementsAre("show \x01 \xff pipes;", "rest: show pipes"));
}

}  // namespace
}  // namespace tidegate
