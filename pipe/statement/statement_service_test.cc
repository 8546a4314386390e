// SPDX-License-Identifier: Apache-2.0
#include "pipe/statement/statement_service.h"

#include "pipe/statement/executor_for_tests.h"

namespace tidegate {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class StatementServiceTest : public ExecutorTest {
 protected:
  ControlAnswer ask(const std::string& text, const std::string& dialect = "",
                    const std::string& accept = "") {
    ControlStatement asked;
    asked.peer = {0, 1, "root", true, "/run/s"};
    asked.text = text;
    asked.dialect = dialect;
    asked.accept = accept;
    return statement_handler(*executor_, otherwise_)(asked);
  }
  Dialect otherwise_ = Dialect::kDataSync;
};

TEST_F(StatementServiceTest, ResultsAndTheErrorBehindThemAreInOneDocument) {
  const ControlAnswer answer = ask("SHOW PIPESINKTYPE; SHOW PIPE x");
  EXPECT_EQ(answer.status, 409U);
  EXPECT_EQ(
      answer.body,
      R"({"results":[{"columns":["type"],"rows":[["IoTDB"]],"message":""}],"error":{"code":"kNotFound",)"
      R"("text":"there is no pipe 'x'","line":1,"column":30,"explanation":)"
      R"("line 1, column 30: there is no pipe 'x'\n  SHOW PIPE x\n            ^"}})"
      "\n");
  EXPECT_THAT(ask("SHOW PIPESINKTYPE").body, HasSubstr("\"error\":null"));
}

TEST_F(StatementServiceTest, TheStatusSaysWhoseFaultItIs) {
  EXPECT_EQ(ask("SHOW PIPES").status, 200U);
  EXPECT_EQ(ask("SHWO PIPES").status, 400U);
  EXPECT_EQ(ask("INSERT INTO root.a(time) values(1)").status, 400U);
  ControlStatement asked;
  asked.peer = {1000, 1, "eve", false, "/run/s"};
  asked.text = "SHOW PIPES";
  EXPECT_EQ(answer_statement(*executor_, Dialect::kDataSync, asked).status, 403U);
}

TEST_F(StatementServiceTest, TheDialectIsThatOfTheRequestElseTheDaemons) {
  EXPECT_THAT(ask("SHOW PIPES").body, HasSubstr("CreationTime"));
  EXPECT_THAT(ask("SHOW PIPES", "Edge-Cloud").body, HasSubstr("create time"));
  otherwise_ = Dialect::kEdgeCloud;
  EXPECT_THAT(ask("SHOW PIPES").body, HasSubstr("create time"));
  EXPECT_THAT(ask("SHOW PIPES", "sql").body, HasSubstr("there are data-sync and edge-cloud"));
}

TEST_F(StatementServiceTest, TablesAreDrawnForThoseWhoWantText) {
  EXPECT_THAT(ask("SHOW PIPESINKTYPE; x", "", "text/plain").body, StartsWith("+-----+\n| type|\n"));
  EXPECT_THAT(ask("SHOW PIPESINKTYPE; x", "", "text/plain").body, HasSubstr("line 1, column 20"));
}

TEST_F(StatementServiceTest, WhatIsQuotedFromBrokenTextStaysReadableJson) {
  EXPECT_THAT(ask("SHOW \xff").body,
              ::testing::AllOf(HasSubstr("\"error\":{"), ::testing::Not(HasSubstr("\xff"))));
  EXPECT_THAT(ask(std::string("SHOW \0", 6)).body, HasSubstr("\"error\":{"));
}

TEST_F(StatementServiceTest, ACursorAsksForWhatMayStandThere) {
  run("CREATE PIPE boiler WITH SINK ('sink'='do-nothing-connector')");
  ControlStatement asked;
  asked.peer = {0, 1, "root", true, "/run/s"};
  asked.text = "START PIPE bo";
  asked.cursor = 1000;  // behind the end is the end
  EXPECT_EQ(answer_statement(*executor_, Dialect::kDataSync, asked).body,
            "{\"from\":11,\"candidates\":[\"boiler\"]}\n");
}

}  // namespace
}  // namespace tidegate
