// SPDX-License-Identifier: Apache-2.0
// The examples of the pages are carried out as they stand there.
#include <fstream>

#include "base/yaml.h"
#include "pipe/statement/doc_for_tests.h"
#include "pipe/statement/executor_for_tests.h"
#include "pipe/statement/yaml_pipes.h"

namespace tidegate {
namespace {

class ExecutorPageTest : public ExecutorTest, public ::testing::WithParamInterface<const char*> {
 protected:
  void SetUp() override {
    ExecutorTest::SetUp();
    std::ofstream(dir_ + "/lib/scale.so") << "code";
    logs_ = std::make_unique<LogTable>(*real_env().clock);
    hooks_.logs = logs_.get();
    hooks_.reload = [] { return Result<std::string>("nothing has changed"); };
    hooks_.load_plugin = [](const PluginDefinition&) { return Status(); };
    restart();
  }
  void TearDown() override {
    ExecutorTest::TearDown();
    logs_.reset();
  }
  std::unique_ptr<LogTable> logs_;
};
INSTANTIATE_TEST_SUITE_P(Languages, ExecutorPageTest, ::testing::ValuesIn(kStatementPages));

TEST_P(ExecutorPageTest, EveryExampleRunsInTheOrderOfThePage) {
  const Execution done = execute(blocks(page(GetParam()), "sql"));
  EXPECT_FALSE(done.error) << done.explanation;
  EXPECT_GE(done.results.size(), 33U);
  EXPECT_EQ(shown("a2b", "State"), "STOPPED");
  EXPECT_THAT(shown("a2b", "PipeConnector"), ::testing::HasSubstr("connector.port=9781"));
}

TEST_P(ExecutorPageTest, TheExampleOfTheConfigurationIsReadAndMade) {
  const std::string path = dir_ + "/page.yaml";
  std::ofstream(path) << blocks(page(GetParam()), "yaml");
  const auto file = YamlFile::load(*real_env().files, path);
  ASSERT_TRUE(file.ok()) << file.error().text();
  YamlMap root = (*file)->root();
  const Status adopted = executor_->adopt_yaml(read_pipes(root, path));
  ASSERT_TRUE(adopted.ok()) << adopted.error().text();
  ASSERT_TRUE((*file)->finish().ok());
  EXPECT_EQ(shown("plant", "State") + " " + shown("spare", "State"), "RUNNING RUNNING");
}

}  // namespace
}  // namespace tidegate
