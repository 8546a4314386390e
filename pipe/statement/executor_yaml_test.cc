// SPDX-License-Identifier: Apache-2.0
// What YAML defines beside what was typed.
#include <algorithm>

#include "pipe/statement/executor_for_tests.h"

namespace tidegate {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

YamlPipe yaml(const std::string& text, std::uint32_t line = 7) {
  YamlPipe out;
  out.statements = text;
  out.file = "/etc/tidegate/sender.yaml";
  out.line = line;
  out.column = 5;
  return out;
}
std::string create(const std::string& name, const std::string& pattern = "root.a") {
  return "CREATE PIPE " + name + " WITH SOURCE ('pattern'='" + pattern +
         "') WITH CONNECTOR ('connector'='do-nothing-connector')";
}

class ExecutorYamlTest : public ExecutorTest {
 protected:
  // LOAD CONFIGURATION with this list.
  std::string load(const std::vector<YamlPipe>& list) {
    const Status adopted = executor_->adopt_yaml(list);
    return adopted.ok() ? "ok" : adopted.error().text();
  }
  std::string state(const std::string& name) { return shown(name, "State"); }
};

TEST_F(ExecutorYamlTest, PipesOfYamlAreMadeAndRunWhereYamlStartsThem) {
  restart({yaml(create("a") + "; START PIPE a"), yaml(create("b"))});
  ASSERT_TRUE(started_.ok());
  EXPECT_EQ(state("a") + " " + state("b"), "RUNNING STOPPED");
  EXPECT_THAT(run("SHOW PIPE a").message, HasSubstr("Origin: yaml (/etc/tidegate/sender.yaml)"));
}

TEST_F(ExecutorYamlTest, TheStructuredFormRunsUnlessItSaysOtherwise) {
  CreatePipe pipe;
  pipe.pipe.text = "s";
  pipe.connector.attributes.plugin = "do-nothing-connector";
  YamlPipe entry = yaml("");
  entry.structured = pipe;
  EXPECT_EQ(load({entry}), "ok");
  EXPECT_EQ(state("s"), "RUNNING");
  entry.running = false;
  EXPECT_EQ(load({entry}), "ok");
  EXPECT_EQ(state("s"), "STOPPED");
}

TEST_F(ExecutorYamlTest, AStatementNeitherAltersNorDropsWhatYamlDefines) {
  load({yaml(create("a"))});
  EXPECT_THAT(refusal("DROP PIPE a"),
              AllOf(HasSubstr("/etc/tidegate/sender.yaml"), HasSubstr("LOAD CONFIGURATION")));
  EXPECT_THAT(refusal("ALTER PIPE a MODIFY SOURCE ('pattern'='root.b')"), StartsWith("kRefused"));
}

TEST_F(ExecutorYamlTest, WhatWasTypedHoldsUntilTheTextOfThePipeChanges) {
  const std::vector<YamlPipe> first = {yaml(create("a") + "; START PIPE a")};
  restart(first);
  run("STOP PIPE a");
  restart(first);
  EXPECT_EQ(state("a"), "STOPPED");
  EXPECT_EQ(load({yaml("-- a comment\n" + create("a") + "  ;START PIPE a")}), "ok");
  EXPECT_EQ(state("a"), "STOPPED");
  EXPECT_EQ(load({yaml(create("a", "root.b") + "; START PIPE a")}), "ok");
  EXPECT_EQ(state("a"), "RUNNING");
  EXPECT_EQ(engine_->specs.at("a").extractor.values.at("pattern"), "root.b");
}

TEST_F(ExecutorYamlTest, APipeThatHasGoneFromYamlIsDroppedAndTypedOnesStay) {
  restart({yaml(create("a"))});
  run(create("typed"));
  EXPECT_EQ(load({}), "ok");
  EXPECT_EQ(engine_->specs.size(), 1U);
  EXPECT_EQ(state("typed"), "STOPPED");
  restart();
  EXPECT_EQ(executor_->definitions()->pipes.size(), 1U);
}

TEST_F(ExecutorYamlTest, ANameThatWasTypedIsRefusedWithItsPlaceAndNothingIsDone) {
  run(create("mine"));
  EXPECT_THAT(
      load({yaml(create("other")), yaml(create("MINE"), 9)}),
      AllOf(StartsWith("/etc/tidegate/sender.yaml:9:5:"), HasSubstr("'mine'"), HasSubstr("by a statement")));
  EXPECT_EQ(executor_->definitions()->pipes.size(), 1U);
}

TEST_F(ExecutorYamlTest, MistakesInYamlAreToldWithTheirPlaceAndRefuseTheStart) {
  EXPECT_THAT(load({yaml("CREATE PIPE x WIHT")}),
              HasSubstr("sender.yaml:7:5: line 1, column 15 of the statement"));
  EXPECT_THAT(load({yaml("DROP PIPE x")}), HasSubstr("DROP PIPE cannot stand in YAML"));
  EXPECT_THAT(load({yaml("START PIPE x")}), HasSubstr("no pipe of that name is defined"));
  EXPECT_THAT(load({yaml(create("x"), 3), yaml(create("X"))}), HasSubstr("in line 3 already"));
  EXPECT_THAT(load({yaml("CREATE PIPE x WITH SINK ('sink'='do-noting-connector')")}),
              HasSubstr("did you mean"));
  restart({yaml(create("a")), yaml("nonsense")});
  EXPECT_FALSE(started_.ok());
  EXPECT_THAT(engine_->specs, IsEmpty());
}

TEST_F(ExecutorYamlTest, APipeThatTheEngineCannotMakeIsThereStoppedAndTheOthersRun) {
  engine_->failing.emplace("create", make_error(ErrorCode::kIo, "no outbox"));
  EXPECT_EQ(load({yaml(create("a") + "; START PIPE a")}), "ok");
  EXPECT_EQ(state("a"), "STOPPED");
  EXPECT_THAT(shown("a", "ExceptionMessage"), HasSubstr("no outbox"));
  engine_->failing.clear();
  EXPECT_EQ(load({yaml("CREATE PIPE k WITH SINK ('sink'='kafka-connector'); START PIPE k")}), "ok");
  EXPECT_THAT(executor_->definitions()->pipes.at("k").exception_message, HasSubstr("later version"));
}

TEST_F(ExecutorYamlTest, WhatYamlChangesIsInTheAuditLogAsStatementsAndOnlyWhatItChanges) {
  const std::string secret =
      "CREATE PIPE s WITH SINK ('sink'='iotdb-thrift-connector', 'password'='hunter2')";
  restart({yaml(secret + "; START PIPE s")});
  restart({yaml(secret + "; START PIPE s")});
  load({yaml(create("a"))});
  load({yaml(create("a", "root.b"))});
  const std::string log = audit_text();
  EXPECT_THAT(log,
              AllOf(HasSubstr("\"from\":\"yaml\""), HasSubstr("'connector.password'='******'); START PIPE s"),
                    HasSubstr("DROP PIPE s"), HasSubstr("CREATE PIPE a"), HasSubstr("ALTER PIPE a REPLACE"),
                    ::testing::Not(HasSubstr("hunter2"))));
  EXPECT_EQ(std::ranges::count(log, '\n'), 4);
}

}  // namespace
}  // namespace tidegate
