// SPDX-License-Identifier: Apache-2.0
#include "pipe/extract/journal/journal_extractor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "pipe/extract/journal/path_prefix.h"

namespace tidegate {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Values = std::map<std::string, std::string>;

Batch rows(const std::vector<std::pair<std::string, std::int64_t>>& given,
           TimeUnit unit = TimeUnit::kMillisecond, std::uint8_t flags = 0) {
  BatchBuilder builder("test", unit, flags);
  for (const auto& [device, time] : given) {
    FieldView fields[2] = {{"a", ColumnRole::kField, {}}, {"b", ColumnRole::kField, {}}};
    RowView row;
    row.addressing = Addressing::kTree;
    row.device = device;
    row.fields = fields;
    row.time = time;
    EXPECT_TRUE(builder.add(row).ok());
  }
  return builder.build();
}

struct ExtractorTest : ::testing::Test {
  static Attributes given(Values values) { return {"iotdb-extractor", std::move(values)}; }
  static std::string refusal(Values values) {
    const auto plan = make_extract_plan(given(std::move(values)), 10, TimeZone());
    return plan.ok() ? "" : plan.error().text();
  }
  static ExtractPlan plan(Values values, Lsn boundary = 10) {
    auto made = make_extract_plan(given(std::move(values)), boundary, TimeZone());
    EXPECT_TRUE(made.ok()) << (made.ok() ? "" : made.error().text());
    return std::move(*made);
  }
  // "device.field@time" of what is taken of the batch.
  static std::vector<std::string> taken(const ExtractPlan& plan, Lsn lsn, const Batch& batch) {
    std::vector<Batch> out;
    EXPECT_TRUE(plan.selector->select(lsn, {batch.canonical, batch.summary}, &out).ok());
    std::vector<std::string> text;
    for (const Batch& b : out)
      (void)for_each_row(b.canonical, [&](const RowView& row) {
        for (const FieldView& field : row.fields)
          text.push_back(std::string(row.device) + "." + std::string(field.name) + "@" +
                         std::to_string(row.time));
        return true;
      });
    return text;
  }
  static std::vector<std::string> patterns(const ExtractPlan& plan, const std::string& pattern) {
    const Batch batch =
        make_batch({TimeUnit::kMillisecond, 0, "test"}, std::vector<Deletion>{{{pattern}, 1, 2}});
    std::vector<Batch> out;
    EXPECT_TRUE(plan.selector->select(1, {batch.canonical, batch.summary}, &out).ok());
    std::vector<std::string> text;
    for (const Batch& b : out) {
      const auto deletions = read_deletions(b.canonical);
      for (const Deletion& deletion : *deletions)
        text.insert(text.end(), deletion.patterns.begin(), deletion.patterns.end());
    }
    return text;
  }
};

TEST_F(ExtractorTest, WithoutAttributesItTakesEverythingAndNeedsNoOutbox) {
  const ExtractPlan all = plan({});
  EXPECT_TRUE(all.history && all.realtime);
  EXPECT_TRUE(all.selector->passes_all());
  EXPECT_TRUE(plan({{"pattern", "root"}, {"realtime.mode", "log"}}).selector->passes_all());
}

TEST_F(ExtractorTest, ThePatternIsATextPrefixOfTheCanonicalPath) {
  const ExtractPlan one = plan({{"pattern", "root.aligned.1"}});
  EXPECT_FALSE(one.selector->passes_all());
  const Batch batch =
      rows({{"root.aligned.1TS", 1}, {"root.aligned.100TS.x", 2}, {"root.aligned.`1`", 3}, {"root.b", 4}});
  EXPECT_THAT(taken(one, 1, batch), ElementsAre("root.aligned.100TS.x.a@2", "root.aligned.100TS.x.b@2",
                                                "root.aligned.1TS.a@1", "root.aligned.1TS.b@1"));
  EXPECT_THAT(taken(plan({{"pattern", "root.b.a"}}), 1, batch), ElementsAre("root.b.a@4"));
}

TEST_F(ExtractorTest, BackQuotesMayStandWhereTheyAreNotNeededAndMustWhereTheyAre) {
  EXPECT_EQ(PathPrefix::parse("root.`a@b`")->text(), "root.a@b");
  EXPECT_EQ(PathPrefix::parse("root.`123`")->text(), "root.`123`");
  EXPECT_EQ(PathPrefix::parse("root.`a.b`.c")->text(), "root.`a.b`.c");
  EXPECT_EQ(PathPrefix::parse("root.``")->text(), "root.``");
  for (const char* wrong : {"", "a.b", "root.`a", "root.a`b", "root..a", "root.`a`b"})
    EXPECT_FALSE(PathPrefix::parse(wrong).ok()) << wrong;
  EXPECT_THAT(refusal({{"pattern", "root.`a"}}), HasSubstr("column 6 is not closed"));
}

TEST_F(ExtractorTest, TimesFilterRowsOfHistoryOnlyInTheUnitOfTheData) {
  const ExtractPlan range = plan(
      {{"history.start-time", "1970-01-01 00:00:01"}, {"history.end-time", "1970-01-01T00:00:03+00:00"}});
  EXPECT_FALSE(range.selector->passes_all());
  const Batch millis = rows({{"root.d", 999}, {"root.d", 1000}, {"root.d", 3000}, {"root.d", 3001}});
  EXPECT_THAT(taken(range, 10, millis),
              ElementsAre("root.d.a@1000", "root.d.b@1000", "root.d.a@3000", "root.d.b@3000"));
  EXPECT_EQ(taken(range, 11, millis).size(), 8U) << "realtime";
  const Batch seconds = rows({{"root.d", 0}, {"root.d", 1}, {"root.d", 3}, {"root.d", 4}}, TimeUnit::kSecond);
  EXPECT_EQ(taken(range, 10, seconds).size(), 4U);
  EXPECT_EQ(taken(plan({{"history.start-time", "3"}}), 10, seconds).size(), 4U)
      << "an integer is in the unit of the data";
}

TEST_F(ExtractorTest, ATimeBeyondWhatAUnitCanSayLiesBeyondEverything) {
  const ExtractPlan far = plan({{"history.end-time", "9999-12-31"}});
  EXPECT_EQ(taken(far, 1, rows({{"root.d", INT64_MAX}}, TimeUnit::kNanosecond)).size(), 2U);
  const ExtractPlan early = plan({{"history.start-time", "0001-01-01"}});
  EXPECT_EQ(taken(early, 1, rows({{"root.d", INT64_MIN}}, TimeUnit::kNanosecond)).size(), 2U);
}

TEST_F(ExtractorTest, WithoutForwardingWhatFirstCameByAPipeProtocolIsLeftOut) {
  const ExtractPlan own = plan({{"forwarding-pipe-requests", "false"}});
  EXPECT_THAT(taken(own, 1, rows({{"root.d", 1}}, TimeUnit::kSecond, kFlagByPipeProtocol)), IsEmpty());
  EXPECT_EQ(taken(own, 1, rows({{"root.d", 1}})).size(), 2U);
}

TEST_F(ExtractorTest, DeletionsAreNarrowedToThePatternOrLeftOut) {
  EXPECT_THAT(patterns(plan({{"pattern", "root.a"}}), "root.a.d.*"), ElementsAre("root.a.d.*"));
  EXPECT_THAT(patterns(plan({{"pattern", "root.a"}}), "root.**"), ElementsAre("root.a.**"));
  EXPECT_THAT(patterns(plan({{"pattern", "root.a"}}), "root.b.**"), IsEmpty());
  EXPECT_THAT(patterns(plan({{"pattern", "root.a"}}), "root.*.x"), IsEmpty());
  EXPECT_THAT(patterns(plan({}), "root.*.x"), ElementsAre("root.*.x"));
  EXPECT_THAT(patterns(plan({{"deletions", "false"}}), "root.**"), IsEmpty());
}

TEST_F(ExtractorTest, WhatCannotBeIsRefusedWithItsName) {
  EXPECT_THAT(refusal({{"history.enable", "false"}, {"realtime.enable", "false"}}),
              HasSubstr("nothing would be taken"));
  EXPECT_THAT(refusal({{"history.start-time", "5"}, {"history.end-time", "4"}}), HasSubstr("lies behind"));
  EXPECT_THAT(refusal({{"history.start-time", "yesterday"}}), HasSubstr("history.start-time"));
  EXPECT_THAT(refusal({{"patern", "root"}}), HasSubstr("pattern"));
  EXPECT_THAT(refusal({{"realtime.mode", "fast"}}), HasSubstr("realtime.mode"));
}

TEST(ExtractorPage, NamesEveryAttributeWithItsDefault) {
  std::ifstream file(TIDEGATE_SOURCE_DIR "/doc/extractor.md");
  std::stringstream text;
  text << file.rdbuf();
  const std::string page = text.str();
  for (const AttributeSpec& spec : journal_extractor_plugin().attributes) {
    const std::size_t at = page.find("\n| `" + spec.name + "` |");
    ASSERT_NE(at, std::string::npos) << spec.name;
    const std::string row = page.substr(at, page.find('\n', at + 1) - at);
    EXPECT_THAT(row, HasSubstr("| `" + spec.default_value + "` |")) << spec.name;
    for (const std::string& choice : spec.choices) EXPECT_THAT(row, HasSubstr("`" + choice + "`"));
  }
}

}  // namespace
}  // namespace tidegate
