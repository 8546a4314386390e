// SPDX-License-Identifier: Apache-2.0
#include "pipe/engine/pipe_name.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tidegate {
namespace {

using ::testing::HasSubstr;

TEST(PipeNameTest, LettersDigitsAndThreeSignsMakeAName) {
  for (const std::string& name : {std::string("a"), std::string("Files_2.hall-7"), std::string("-"),
                                  std::string("9"), std::string(kLongestPipeName, 'x')}) {
    EXPECT_TRUE(check_pipe_name(name).ok()) << name;
  }
}

TEST(PipeNameTest, ANameThatCouldLeaveItsFolderHideOrBreakALineIsRefused) {
  for (const std::string_view name :
       {"", ".", "..", "../../esc", "a/b", "/a", ".hidden", "a b", "a\nb", "a\\b", "a:b", "\xc3\xa9"}) {
    const Status status = check_pipe_name(name);
    ASSERT_FALSE(status.ok()) << name;
    EXPECT_EQ(status.error().code, ErrorCode::kInvalidArgument);
  }
  EXPECT_FALSE(check_pipe_name(std::string_view("a\0b", 3)).ok());
  EXPECT_FALSE(check_pipe_name(std::string(kLongestPipeName + 1, 'x')).ok());
}

TEST(PipeNameTest, TheMessageSaysWhichRuleIsBrokenOnOneLine) {
  EXPECT_THAT(check_pipe_name("../x").error().detail, HasSubstr("\"../x\" may hold only letters"));
  EXPECT_THAT(check_pipe_name(".x").error().detail, HasSubstr("must not begin with a dot"));
  EXPECT_THAT(check_pipe_name(std::string(70, 'x')).error().detail, HasSubstr("has 70 characters"));
  EXPECT_THAT(check_pipe_name("a\nb").error().detail, HasSubstr("a\\nb"));
}

}  // namespace
}  // namespace tidegate
