// SPDX-License-Identifier: Apache-2.0
#include "hw/profile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/real_env.h"

namespace tidegate {
namespace {

using testing::HasSubstr;

// The text of a built-in profile with one piece of it replaced.
std::string changed(const std::string& from, const std::string& to,
                    const std::string& name = "syskeeper-2000") {
  std::string text(builtin_profile_text(name));
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

std::string refusal(const std::string& text) {
  const Result<Profile> profile = parse_profile(text, "x.yaml");
  return profile.ok() ? "accepted" : profile.error().text();
}

TEST(Profile, EveryBuiltInFileParsesAndCarriesItsName) {
  EXPECT_THAT(builtin_profile_names(), testing::ElementsAre("none", "syskeeper-2000"));
  for (const std::string& name : builtin_profile_names()) {
    const Result<Profile> profile = builtin_profile(name);
    ASSERT_TRUE(profile.ok()) << profile.error().text();
    EXPECT_EQ(profile->name, name);
  }
}

TEST(Profile, EveryFigureHasASource) {
  for (const std::string& name : builtin_profile_names()) {
    const Profile profile = builtin_profile(name).value();
    EXPECT_EQ(profile.sources.size(), 22u);
    for (const auto& [key, source] : profile.sources) EXPECT_GE(source.size(), 7u) << name << " " << key;
  }
}

TEST(Profile, TheSyskeeperHasTheFiguresOfTheField) {
  const Profile p = builtin_profile("syskeeper-2000").value();
  EXPECT_EQ(p.answer_ok, 0x00);
  EXPECT_EQ(p.answer_fail, 0xFF);
  EXPECT_TRUE(p.only_answer_values);
  EXPECT_TRUE(p.one_byte_per_segment);
  EXPECT_EQ(p.frame_limit, 1'000'000u);
  EXPECT_EQ(p.rate, 94'000'000u / 8);
  EXPECT_EQ(p.window, 1u);
  EXPECT_EQ(p.answer_timeout(), 11 * kSecond);
}

TEST(Profile, AFigureThatNobodyMeasuredSaysSo) {
  const Profile p = builtin_profile("syskeeper-2000").value();
  for (const char* key : {"delay_forward", "idle_timeout", "lanes_max", "reconnect_min_interval"}) {
    EXPECT_TRUE(p.sources.at(key).starts_with("assumed")) << key;
  }
  EXPECT_TRUE(p.sources.at("rate").starts_with("measured"));
}

TEST(Profile, AFigureWithoutASourceIsRefusedWithItsPlace) {
  const std::string text = refusal(changed("  source: \"assumed; no connection limit is published\"\n", ""));
  EXPECT_THAT(text, HasSubstr("source"));
  EXPECT_THAT(text, HasSubstr("x.yaml:"));
}

TEST(Profile, AnEmptySourceIsRefused) {
  EXPECT_THAT(refusal(changed("\"assumed; no connection limit is published\"", "\"\"")), HasSubstr("origin"));
}

TEST(Profile, AMissingFigureIsRefused) {
  EXPECT_THAT(refusal(changed("  value: 94Mbit/s\n", "")), HasSubstr("value"));
}

TEST(Profile, AnUnknownKeyIsRefused) {
  EXPECT_THAT(refusal(changed("window:", "windows:")), HasSubstr("windows"));
}

TEST(Profile, AnswerValuesAreBytesAndDiffer) {
  EXPECT_THAT(refusal(changed("value: 0xFF", "value: 255")), HasSubstr("must be a byte like 0x00"));
  EXPECT_THAT(refusal(changed("value: 0xFF", "value: 0xGG")), HasSubstr("must be a byte like 0x00"));
  EXPECT_THAT(refusal(changed("value: 0xFF", "value: 0x00")), HasSubstr("must differ"));
}

TEST(Profile, TimersInTheWrongOrderAreRefused) {
  EXPECT_THAT(refusal(changed("frame_stall:\n  value: 3s", "frame_stall:\n  value: 5s")),
              HasSubstr("must be below handshake_timeout"));
  EXPECT_THAT(refusal(changed("idle_timeout:\n  value: 60s", "idle_timeout:\n  value: 10s")),
              HasSubstr("must be below idle_timeout"));
  EXPECT_THAT(refusal(changed("lowest_rate:\n  value: 1MB/s", "lowest_rate:\n  value: 200kB/s")),
              HasSubstr("full frames"));
  EXPECT_THAT(refusal(changed("lowest_rate:\n  value: 1MB/s", "lowest_rate:\n  value: 99MB/s")),
              HasSubstr("must not be above rate"));
}

TEST(Profile, RateMayBeUnlimitedButNotZero) {
  EXPECT_EQ(builtin_profile("none").value().rate, 0u);
  EXPECT_NE(refusal(changed("value: unlimited", "value: 0MB/s", "none")), "accepted");
}

TEST(Profile, AnUnknownNameNamesTheKnownOnes) {
  const Result<Profile> profile = load_profile(*real_env().files, "syskeeper");
  ASSERT_FALSE(profile.ok());
  EXPECT_EQ(profile.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(profile.error().text(), HasSubstr("none, syskeeper-2000"));
}

TEST(Profile, APathReadsAFile) {
  const std::string path = std::string(TIDEGATE_SOURCE_DIR) + "/hw/profiles/none.yaml";
  const Result<Profile> profile = load_profile(*real_env().files, path);
  ASSERT_TRUE(profile.ok()) << profile.error().text();
  EXPECT_EQ(profile->name, "none");
  EXPECT_FALSE(load_profile(*real_env().files, "/nowhere/x.yaml").ok());
}

}  // namespace
}  // namespace tidegate
