// SPDX-License-Identifier: Apache-2.0
#include "pipe/control/reload.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tidegate {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class ReloadTest : public ::testing::Test {
 protected:
  static YamlValues values(const std::string& text) {
    auto file = YamlFile::parse(text, "/c.yaml");
    EXPECT_TRUE(file.ok());
    YamlMap root = (*file)->root();
    YamlMap link = root.map("link");
    link.string("remote", std::string("a:1"));
    link.duration("beat", {}, 10 * kSecond);
    link.strings("allow");
    root.one_of<int>("level", {{"info", 1}, {"debug", 2}}, 1);
    root.secret("token", Secret("none"));
    for (YamlMap& sink : root.maps("sinks")) sink.string("name");
    return (*file)->values();
  }
  std::string load(const std::string& text, std::vector<std::string> warnings = {}) {
    const auto said = reload_.run([&]() -> Result<DaemonConfig> {
      DaemonConfig fresh;
      fresh.path = "/c.yaml";
      fresh.values = values(text);
      fresh.warnings = std::move(warnings);
      return fresh;
    });
    return said.ok() ? *said : said.error().text();
  }

  Reload reload_{values(""), {"level", "link.allow", "sinks"}};
};

TEST_F(ReloadTest, ADefaultThatIsWrittenOutOrAValueInAnotherFormIsNoChange) {
  EXPECT_THAT(changed_settings(values(""), values("level: info\nlink: {beat: 10000ms, remote: 'a:1'}")),
              IsEmpty());
  EXPECT_EQ(load("link: {beat: 10s}"), "/c.yaml: nothing to apply");
}

TEST_F(ReloadTest, ChangedItemsOfAListAreNamedByTheList) {
  EXPECT_THAT(changed_settings(values("sinks: [{name: a}, {name: b}]"), values("sinks: [{name: c}]")),
              ElementsAre("sinks"));
  EXPECT_THAT(changed_settings(values("link: {allow: [10.0.0.0/8]}"), values("")), ElementsAre("link.allow"));
}

TEST_F(ReloadTest, ASecretThatChangesIsNoticedAndNotKept) {
  const YamlValues kept = values("token: hunter2");
  EXPECT_THAT(changed_settings(values(""), kept), ElementsAre("token"));
  for (const auto& [name, value] : kept) EXPECT_THAT(value, ::testing::Not(HasSubstr("hunter2"))) << name;
}

TEST_F(ReloadTest, WhatIsAppliedIsSaidOnceAndWhatNeedsARestartUntilThen) {
  EXPECT_EQ(load("level: debug\nlink: {remote: 'b:1'}\nsinks: [{name: a}]"),
            "/c.yaml: applied: level, sinks; restart needed for: link.remote");
  EXPECT_EQ(load("level: debug\nlink: {remote: 'b:1'}\nsinks: [{name: a}]"),
            "/c.yaml: nothing to apply; restart needed for: link.remote");
  EXPECT_EQ(load("sinks: [{name: a}]"), "/c.yaml: applied: level");
}

TEST_F(ReloadTest, ARefusedFileChangesNothingAndItsErrorIsTheAnswer) {
  const auto refused = reload_.run([]() -> Result<DaemonConfig> {
    return make_error(ErrorCode::kInvalidConfiguration, "no such key").at_path("/c.yaml").at_line(7, 3);
  });
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().detail, "nothing is changed: /c.yaml:7:3: no such key");
  EXPECT_FALSE(refused.error().line) << "the statement has no such line";
  EXPECT_EQ(load("level: debug"), "/c.yaml: applied: level");
}

TEST_F(ReloadTest, WarningsOfTheFileAreCounted) {
  EXPECT_EQ(load("", {"/c.yaml:1:1: warning: hardly meant"}),
            "/c.yaml: nothing to apply; warnings in the log: 1");
}

}  // namespace
}  // namespace tidegate
