// SPDX-License-Identifier: Apache-2.0
#include "pipe/process/builtin_processors.h"

#include <fstream>
#include <sstream>

#include "pipe/process/chain.h"
#include "pipe/process/process_test_rig.h"

namespace tidegate {
namespace {

using test::OwnedRow;
using test::real;
using test::table_row;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

using Values = std::map<std::string, std::string>;

std::unique_ptr<Processor> make(const std::string& name, const Values& values = {}) {
  Result<std::unique_ptr<Processor>> made = make_processor({name, values});
  EXPECT_TRUE(made.ok()) << made.error().text();
  return made.ok() ? std::move(made).value() : nullptr;
}
std::string refusal(const std::string& name, const Values& values = {}) {
  const auto made = make_processor({name, values});
  return made.ok() ? "(nothing is refused)" : made.error().text();
}
std::vector<OwnedRow> pass(const std::string& name, const Values& values, const std::vector<OwnedRow>& rows) {
  const auto processor = make(name, values);
  return test::pass(*processor, rows);
}

TEST(BuiltinProcessors, EachCanBeFoundByNameAndAlias) {
  EXPECT_EQ(find_processor_plugin("sdt-sampling-processor")->name,
            "swinging-door-trending-sampling-processor");
  EXPECT_EQ(find_processor_plugin("no-such-processor"), nullptr);
  for (const PluginInfo& info : processor_plugins()) {
    EXPECT_EQ(find_processor_plugin(info.name), &info);
    EXPECT_EQ(info.kind, PluginKind::kProcessor);
    EXPECT_FALSE(info.class_name.empty());
  }
  EXPECT_FALSE(make("")->changes_bytes()) << "no name: the do-nothing-processor";
}

TEST(BuiltinProcessors, DefaultsThatAreShownAreThoseThatHold) {
  const Values by_name{{"interval", "10s"}, {"new-db-name", "x"}};
  for (const PluginInfo& info : processor_plugins()) {
    Values needed, all;
    for (const AttributeSpec& spec : info.attributes) {
      if (spec.required) needed[spec.name] = by_name.at(spec.name);
      if (!spec.default_value.empty() && spec.name != "tree-level" && spec.name != "max-delay") {
        all[spec.name] = spec.default_value;
      }
    }
    all.insert(needed.begin(), needed.end());
    EXPECT_EQ(make(info.name, needed)->describe(), make(info.name, all)->describe()) << info.name;
    EXPECT_EQ(make(info.name, needed)->state(), make(info.name, all)->state()) << info.name;
  }
}

TEST(BuiltinProcessors, EveryNameAndAttributeIsOnItsPage) {
  std::ifstream file(std::string(TIDEGATE_SOURCE_DIR) + "/doc/processors.md");
  std::stringstream page;
  page << file.rdbuf();
  for (const PluginInfo& info : processor_plugins()) {
    EXPECT_THAT(page.str(), HasSubstr("## " + info.name));
    for (const AttributeSpec& spec : info.attributes) {
      EXPECT_THAT(page.str(), HasSubstr("`" + spec.name + "`")) << info.name;
      for (const std::string& alias : spec.aliases) {
        const bool underscored = alias.find('_') != std::string::npos;  // said once, above all of them
        EXPECT_TRUE(underscored || page.str().find("`" + alias + "`") != std::string::npos) << alias;
      }
    }
  }
}

TEST(BuiltinProcessors, FilterRenameTakesTheSeedsNamesAndStrings) {
  const Values seed{{"tables", "table1.table2"},
                    {"excluded_fields", "table1:a@b"},
                    {"tables_rename", "table1:t"},
                    {"field_renames", "table1:c@x$d@y"}};
  const auto out = pass("filter-rename-processor", seed,
                        {table_row("table1", 1, {real("a", 1), real("b", 2), real("c", 3), real("d", 4)}),
                         table_row("other", 1, {real("a", 1)})});
  EXPECT_THAT(out, ElementsAre(table_row("t", 1, {real("x", 3), real("y", 4)})));
  EXPECT_THAT(refusal("filter-rename-processor", {{"field-renames", "t:a"}}),
              HasSubstr("'field-renames', column 4"));
  EXPECT_THAT(refusal("filter-rename-processor", {{"tree-level", "0"}}), HasSubstr("'processor.tree-level'"));
}

TEST(BuiltinProcessors, RenameDatabaseTakesBothNamesOfItsAttributeButNotTogether) {
  const OwnedRow row = table_row("m", 1, {real("v", 1)});
  EXPECT_EQ(pass("rename-database-processor", {{"new-db-name", "x"}}, {row}).at(0).database, "x");
  EXPECT_EQ(pass("rename-database-processor", {{"new-database", "x"}}, {row}).at(0).database, "x");
  EXPECT_THAT(refusal("rename-database-processor", {{"new-database", "x"}, {"new-db-name", "y"}}),
              HasSubstr("given twice"));
  EXPECT_THAT(refusal("rename-database-processor"), HasSubstr("needs 'processor.new-db-name'"));
}

TEST(BuiltinProcessors, EachAttributeOfDownSamplingChangesWhatComesOut) {
  const std::vector<OwnedRow> rows{table_row("m", 1000, {real("v", 1)}), table_row("m", 2000, {real("v", 5)}),
                                   table_row("m", 10000, {real("v", 9)}),
                                   table_row("m", 3000, {real("v", 2)}),
                                   table_row("n", 1000, {real("v", 7)})};
  const auto out = [&](Values values) {
    values.emplace("interval", "10s");
    return pass("down-sampling-processor", values, rows).size();
  };
  EXPECT_EQ(out({}), 2U) << "the window at 0, and the late value";
  EXPECT_EQ(out({{"late", "DROP"}}), 1U);
  EXPECT_EQ(out({{"max-delay", "0s"}}), 3U) << "the window of n closes too";
  EXPECT_EQ(out({{"interval", "2s"}}), 4U);
  EXPECT_EQ(
      pass("down-sampling-processor", {{"aggregate_interval", "10s"}, {"aggregate", "Sum"}}, rows).at(0),
      table_row("m", 0, {real("v", 6)}));
  EXPECT_THAT(refusal("down-sampling-processor"), HasSubstr("needs 'processor.interval'"));
  EXPECT_THAT(refusal("down-sampling-processor", {{"interval", "0s"}}), HasSubstr("'processor.interval'"));
  EXPECT_THAT(refusal("down-sampling-processor", {{"interval", "1s"}, {"aggregate", "median"}}),
              HasSubstr("mean"));
  const auto small = make("down-sampling-processor", {{"interval", "1s"}, {"state.max-bytes", "100"}});
  EXPECT_THAT(test::refusal(*small, test::batch_of(rows)),
              HasSubstr("'processor.state.max-bytes' (100 bytes)"));
}

TEST(BuiltinProcessors, SamplingTakesIotdbsAttributes) {
  std::vector<OwnedRow> rows;
  for (std::int64_t i = 0; i < 6; ++i)
    rows.push_back(table_row("m", i * 1000, {real("v", static_cast<double>(i % 3))}));
  const auto out = [&](const char* name, const Values& values) { return pass(name, values, rows).size(); };
  const char* tumbling = "tumbling-time-sampling-processor";
  EXPECT_EQ(out(tumbling, {}), 1U);
  EXPECT_EQ(out(tumbling, {{"tumbling-time.interval-seconds", "2"}}), 3U);
  const char* changing = "changing-value-sampling-processor";
  EXPECT_EQ(out(changing, {}), 6U);
  EXPECT_EQ(out(changing, {{"changing-value.compression-deviation", "1"}}), 4U);
  EXPECT_EQ(out(changing, {{"changing-value.min-time-interval", "1000"}}), 3U);
  EXPECT_EQ(out(changing,
                {{"changing-value.compression-deviation", "9"}, {"changing-value.max-time-interval", "2s"}}),
            3U);
  const char* sdt = "sdt-sampling-processor";
  EXPECT_EQ(out(sdt, {}), 3U);
  EXPECT_EQ(out(sdt, {{"sdt.compression-deviation", "9"}}), 1U);
  EXPECT_EQ(out(sdt, {{"sdt.compression-deviation", "9"}, {"sdt.max-time-interval", "2000"}}), 3U);
  EXPECT_EQ(out(sdt, {{"sdt.min-time-interval", "-1"}, {"sdt.max-time-interval", "-1"}}), 3U)
      << "-1: the default";
  EXPECT_EQ(out(sdt, {{"sdt.min-time-interval", "1h"}}), 1U);
}

TEST(BuiltinProcessors, SamplingRefusesWhatMakesNoSense) {
  const char* sdt = "sdt-sampling-processor";
  EXPECT_THAT(refusal(sdt, {{"sdt.compression-deviation", "-1"}}),
              HasSubstr("'processor.sdt.compression-deviation'"));
  EXPECT_THAT(refusal(sdt, {{"sdt.min-time-interval", "5"}, {"sdt.max-time-interval", "4"}}),
              HasSubstr("must not be above 'processor.sdt.max-time-interval'"));
  EXPECT_THAT(refusal(sdt, {{"sdt.min-time-interval", "5"}, {"sdt.max-time-interval", "4s"}}),
              HasSubstr("write both as"));
  EXPECT_THAT(refusal(sdt, {{"sdt.min-time-interval", "-5"}}),
              HasSubstr("'processor.sdt.min-time-interval'"));
  EXPECT_THAT(refusal(sdt, {{"sdt.compression-deviatoin", "1"}}), HasSubstr("did you mean"));
  EXPECT_THAT(refusal(sdt, {{"down-sampling.split-file", "true"}}), HasSubstr("files go on as they are"));
  EXPECT_EQ(refusal(sdt, {{"down-sampling.split-file", "false"}}), "(nothing is refused)");
  const auto small = make(sdt, {{"down-sampling.memory-limit-in-bytes", "10"}});
  EXPECT_THAT(test::refusal(*small, test::batch_of({table_row("m", 1, {real("v", 1)})})),
              HasSubstr("(10 bytes)"));
}

// ---- chains

TEST(Chain, ProcessorsWorkInTheOrderTheyAreWritten) {
  const Values values{{"tables-rename", "m:n"}, {"new-db-name", "x"}};
  OwnedRow wanted = table_row("n", 1, {real("v", 1)});
  wanted.database = "x";
  const std::vector<OwnedRow> rows{table_row("m", 1, {real("v", 1)})};
  EXPECT_THAT(pass("filter-rename-processor, rename-database-processor", values, rows), ElementsAre(wanted));
  const std::string twice = "filter-rename-processor#1,filter-rename-processor#2";
  const Values in_turn{{"filter-rename-processor#1.tables-rename", "m:n"},
                       {"filter-rename-processor#2.tables-rename", "n:o"}};
  EXPECT_EQ(pass(twice, in_turn, rows).at(0).table, "o");
  const std::string turned = "filter-rename-processor#2,filter-rename-processor#1";
  EXPECT_EQ(pass(turned, in_turn, rows).at(0).table, "n");
}

TEST(Chain, AnAttributeIsForAllThatKnowItUnlessTheyHaveTheirOwn) {
  const std::string chain = "down-sampling-processor#1,down-sampling-processor#2";
  const Values values{{"down-sampling-processor#1.aggregate", "sum"},
                      {"aggregate", "max"},
                      {"aggregate-interval", "1s"},
                      {"down-sampling-processor#2.interval", "10s"}};
  std::vector<OwnedRow> rows;
  for (std::int64_t i = 0; i < 30; ++i)
    rows.push_back(table_row("m", i * 500, {real("v", static_cast<double>(i))}));
  EXPECT_THAT(pass(chain, values, rows), ElementsAre(table_row("m", 0, {real("v", 18 + 19)})));
}

TEST(Chain, MistakesNameTheProcessor) {
  const std::string chain = "filter-rename-processor,rename-database-processor";
  EXPECT_THAT(refusal(chain), HasSubstr("rename-database-processor: rename-database-processor needs"));
  EXPECT_THAT(refusal(chain, {{"new-db-name", "x"}, {"tabels", "t"}}),
              HasSubstr("did you mean 'processor.tables'?"));
  EXPECT_THAT(refusal(chain, {{"new-db-name", "x"}, {"tables", "a..b"}}),
              HasSubstr("filter-rename-processor: processor "));
  EXPECT_THAT(refusal("a,b"), HasSubstr("there is no processor called 'a'"));
  EXPECT_THAT(refusal("do-nothing-processor,"), HasSubstr("a name is missing"));
  EXPECT_THAT(refusal("do-nothing-processor#"), HasSubstr("no number behind its '#'"));
  EXPECT_THAT(refusal("do-nothing-processor,do-nothing-processor"), HasSubstr("stands twice: number them"));
  std::string many = "do-nothing-processor";
  for (int i = 0; i < 20; ++i) many += ",do-nothing-processor#" + std::to_string(i);
  EXPECT_THAT(refusal(many), HasSubstr("at most 16"));
}

TEST(Chain, ItChangesBytesWhenOneOfThemDoes) {
  EXPECT_FALSE(make("do-nothing-processor#1,do-nothing-processor#2")->changes_bytes());
  EXPECT_TRUE(make("do-nothing-processor,sdt-sampling-processor")->changes_bytes());
}

TEST(Chain, OutputIsSoundAndRepeatable) {
  const auto one = [] {
    return make("changing-value-sampling-processor,filter-rename-processor,down-sampling-processor",
                {{"changing-value.compression-deviation", "1"},
                 {"tables-rename", "m:n"},
                 {"interval", "5s"},
                 {"aggregate", "count"}});
  };
  for (const std::uint64_t seed : {61, 62}) {
    test::expect_repeatable(one, seed);
    test::expect_sound_output(one, seed);
  }
  test::expect_other_kinds_unchanged(one);
}

TEST(Chain, RestoreTakesOnlyItsOwnState) {
  const auto one = [] { return make("do-nothing-processor,sdt-sampling-processor"); };
  test::expect_strict_restore(one, 63);
  EXPECT_FALSE(make("sdt-sampling-processor,do-nothing-processor")->restore(one()->state()).ok());
  const auto stateless = make("do-nothing-processor#1,do-nothing-processor#2");
  EXPECT_THAT(stateless->state(), IsEmpty());
  EXPECT_TRUE(stateless->restore({}).ok());
  EXPECT_FALSE(stateless->restore(one()->state()).ok());
}

}  // namespace
}  // namespace tidegate
