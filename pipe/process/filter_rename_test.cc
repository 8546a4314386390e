// SPDX-License-Identifier: Apache-2.0
#include "pipe/process/filter_rename.h"

#include "pipe/process/process_test_rig.h"

namespace tidegate {
namespace {

using test::OwnedRow;
using test::real;
using test::table_row;
using test::tree_row;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

// The options in the words of the operator.
struct Words {
  std::string tables, excluded_tables, excluded_fields, tables_rename, field_renames;
  std::optional<std::size_t> tree_level;
  bool drop_deletions = false;
};

Result<FilterRenameOptions> parse(const Words& words) {
  FilterRenameOptions options;
  TG_TRY(options.tables, parse_names("tables", words.tables));
  TG_TRY(options.excluded_tables, parse_names("excluded-tables", words.excluded_tables));
  TG_TRY(options.excluded_fields, parse_table_fields("excluded-fields", words.excluded_fields));
  TG_TRY(options.table_renames, parse_renames("tables-rename", words.tables_rename));
  TG_TRY(options.field_renames, parse_field_renames("field-renames", words.field_renames));
  options.tree_level = words.tree_level;
  options.drop_deletions = words.drop_deletions;
  return options;
}
std::unique_ptr<Processor> make(const Words& words) {
  Result<std::unique_ptr<Processor>> made = make_filter_rename_processor(parse(words).value());
  EXPECT_TRUE(made.ok()) << made.error().text();
  return std::move(made).value();
}
std::string refusal_to_make(const Words& words) {
  const Result<FilterRenameOptions> options = parse(words);
  if (!options.ok()) return options.error().text();
  const auto made = make_filter_rename_processor(*options);
  return made.ok() ? "(nothing is refused)" : made.error().text();
}
std::vector<OwnedRow> pass(const Words& words, const std::vector<OwnedRow>& rows) {
  const auto processor = make(words);
  return test::pass(*processor, rows);
}

TEST(FilterRename, TheSeedsExampleOfTablesLetsTheseTwoThrough) {
  const auto out = pass({.tables = "table1.table2"},
                        {table_row("table1", 1, {real("a", 1)}), table_row("table2", 1, {real("a", 1)}),
                         table_row("table3", 1, {real("a", 1)})});
  EXPECT_THAT(out, UnorderedElementsAre(table_row("table1", 1, {real("a", 1)}),
                                        table_row("table2", 1, {real("a", 1)})));
}

TEST(FilterRename, ExcludedTablesGo) {
  const auto out = pass({.excluded_tables = "a.b"},
                        {table_row("a", 1, {real("x", 1)}), table_row("c", 1, {real("x", 1)})});
  EXPECT_THAT(out, ElementsAre(table_row("c", 1, {real("x", 1)})));
}

TEST(FilterRename, ExcludedFieldsGoInTheirTableOnly) {
  const std::vector<test::OwnedField> fields{real("a", 1), real("b", 2), real("c", 3)};
  const auto out = pass({.excluded_fields = "t:a@b.u:c"},
                        {table_row("t", 1, fields), table_row("u", 1, fields), table_row("v", 1, fields)});
  EXPECT_THAT(
      out, UnorderedElementsAre(table_row("t", 1, {real("c", 3)}),
                                table_row("u", 1, {real("a", 1), real("b", 2)}), table_row("v", 1, fields)));
}

TEST(FilterRename, ARowLeftWithoutFieldsIsDropped) {
  EXPECT_THAT(pass({.excluded_fields = "t:a"}, {table_row("t", 1, {real("a", 1)})}), IsEmpty());
  EXPECT_THAT(pass({.excluded_fields = "t:a"}, {table_row("t", 1, {real("a", 1), test::null("b")})}),
              ElementsAre(table_row("t", 1, {test::null("b")})));
}

TEST(FilterRename, NamesAreThoseBeforeRenaming) {
  const auto out = pass(
      {.tables = "t.u",
       .excluded_fields = "t:c",
       .tables_rename = "t:u.u:t",
       .field_renames = "t:a@b$b@a.u:a@x"},
      {table_row("t", 1, {real("a", 1), real("b", 2), real("c", 3)}), table_row("u", 1, {real("a", 1)})});
  EXPECT_THAT(out, UnorderedElementsAre(table_row("u", 1, {real("a", 2), real("b", 1)}),
                                        table_row("t", 1, {real("x", 1)})));
}

TEST(FilterRename, TwoTablesMayBecomeOneAndRowsOfEachKeepTheirOrder) {
  const auto out = pass({.tables_rename = "a:m.b:m"},
                        {table_row("a", 5, {real("x", 1)}), table_row("b", 7, {real("x", 2)}),
                         table_row("a", 3, {real("x", 3)})});
  EXPECT_THAT(out, ElementsAre(table_row("m", 5, {real("x", 1)}), table_row("m", 3, {real("x", 3)}),
                               table_row("m", 7, {real("x", 2)})));
}

TEST(FilterRename, OneNameWithTwoTypesIsRenamedAsTwoColumns) {
  const auto out =
      pass({.field_renames = "t:a@b"}, {table_row("t", 1, {test::integer("a", 1), real("a", 2)})});
  EXPECT_THAT(out, ElementsAre(table_row("t", 1, {test::integer("b", 1), real("b", 2)})));
}

TEST(FilterRename, CollisionsThatCanBeKnownAreRefusedAtCreation) {
  EXPECT_THAT(refusal_to_make({.field_renames = "t:a@x$b@x"}),
              HasSubstr("fields \"a\" and \"b\" would both become \"x\""));
  EXPECT_THAT(refusal_to_make({.excluded_fields = "t:a", .field_renames = "t:a@x"}),
              HasSubstr("both excluded and renamed"));
  EXPECT_THAT(refusal_to_make({.tables = "t.u", .excluded_tables = "u"}),
              HasSubstr("table \"u\": it is both wanted and excluded"));
}

TEST(FilterRename, ACollisionThatShowsInARowStopsThePipeAndNamesTableAndFields) {
  const auto processor = make({.field_renames = "t:a@b"});
  EXPECT_EQ(test::pass(*processor, {table_row("t", 1, {real("a", 1)})}).size(), 1U);
  const std::string why =
      test::refusal(*processor, test::batch_of({table_row("t", 2, {real("a", 1), test::integer("b", 2)})}));
  EXPECT_THAT(why, HasSubstr("table \"t\" at time 2 the fields \"a\" and \"b\" would both be called \"b\""));
}

TEST(FilterRename, OfATreeRowTheTableIsTheDevicePath) {
  const auto out = pass({.tables = "`root.p.d1`.m",
                         .tables_rename = "`root.p.d1`:`root.q.``d.2```",
                         .field_renames = "`root.p.d1`:t@temperature"},
                        {tree_row("root.p.d1", 1, {real("t", 1)}), tree_row("root.p.d2", 1, {real("t", 1)})});
  EXPECT_THAT(out, ElementsAre(tree_row("root.q.`d.2`", 1, {real("temperature", 1)})));
}

TEST(FilterRename, WithALevelTheNodeIsRenamedAndQuotedWhereNeeded) {
  const auto out =
      pass({.excluded_tables = "line2", .tables_rename = "line1:`L.1`", .tree_level = 2},
           {tree_row("root.p.line1.d1", 1, {real("t", 1)}), tree_row("root.p.line2.d1", 1, {real("t", 1)}),
            tree_row("root.p", 1, {real("t", 1)})});
  EXPECT_THAT(out, UnorderedElementsAre(tree_row("root.p.`L.1`.d1", 1, {real("t", 1)}),
                                        tree_row("root.p", 1, {real("t", 1)})));
}

TEST(FilterRename, ADeviceIsNotRenamedToSomethingThatIsNoPath) {
  EXPECT_THAT(refusal_to_make({.tables_rename = "`root.a`:`root..b`"}),
              HasSubstr("its new name is no tree path"));
  const auto processor = make({.tables_rename = "odd:`a..b`"});
  EXPECT_THAT(test::refusal(*processor, test::batch_of({tree_row("odd", 1, {real("t", 1)})})),
              HasSubstr("an empty node"));
}

TEST(FilterRename, DeletionsPassOrGoAsTheOperatorSays) {
  const Batch deletion = make_batch({TimeUnit::kSecond, 0, "s"}, std::vector<Deletion>{{{"root.**"}, 1, 2}});
  EXPECT_EQ(test::pass(*make({}), deletion).at(0).canonical, deletion.canonical);
  EXPECT_THAT(test::pass(*make({.drop_deletions = true}), deletion), IsEmpty());
  test::expect_other_kinds_unchanged([] { return make({.tables = "x", .drop_deletions = true}); });
}

TEST(FilterRename, OutputIsSoundAndRepeatable) {
  const auto one = [] {
    return make({.excluded_tables = "n", .excluded_fields = "m:f1@f3", .field_renames = "m:f0@g0$f2@f0"});
  };
  for (const std::uint64_t seed : {1, 2, 3}) {
    test::expect_repeatable(one, seed);
    test::expect_sound_output(one, seed);
  }
}

// ---- the string formats

TEST(NameLists, AllFormsOfTheSeedAreRead) {
  EXPECT_EQ(*parse_names("a", "t1.t2"), (NameSet{"t1", "t2"}));
  EXPECT_EQ(*parse_table_fields("a", "t1:f1@f2.t2:f3"), (FieldSets{{"t1", {"f1", "f2"}}, {"t2", {"f3"}}}));
  EXPECT_EQ(*parse_renames("a", "o1:n1.o2:n2"), (NameMap{{"o1", "n1"}, {"o2", "n2"}}));
  EXPECT_EQ(*parse_field_renames("a", "table1:oldA@newA$oldB@newB.table2:oldX@newX$oldY@newY"),
            (FieldMaps{{"table1", {{"oldA", "newA"}, {"oldB", "newB"}}},
                       {"table2", {{"oldX", "newX"}, {"oldY", "newY"}}}}));
  EXPECT_TRUE(parse_names("a", "")->empty());
}

TEST(NameLists, ErrorsPointAtTheColumnAndSayTheForm) {
  const auto why = [](const auto& result) { return result.ok() ? "(read)" : result.error().text(); };
  EXPECT_THAT(why(parse_names("tables", "a..b")), HasSubstr("'tables', column 3: a name is missing"));
  EXPECT_THAT(why(parse_names("tables", "a.b.")), HasSubstr("column 5: a name is missing"));
  EXPECT_THAT(why(parse_names("tables", "a.b.a")), HasSubstr("column 5: \"a\" stands twice"));
  EXPECT_THAT(why(parse_names("tables", "a.`b")), HasSubstr("column 3: a back-quote has no end"));
  EXPECT_THAT(why(parse_names("tables", "`a`b")), HasSubstr("column 4: expected '.', found 'b'"));
  EXPECT_THAT(why(parse_renames("tables-rename", "a")), HasSubstr("expected ':', but the text ends"));
  EXPECT_THAT(why(parse_renames("tables-rename", "a:b:c")), HasSubstr("column 4: expected '.', found ':'"));
  EXPECT_THAT(why(parse_field_renames("field-renames", "t:a$b")),
              HasSubstr("column 4: expected '@', found '$'"));
  EXPECT_THAT(why(parse_field_renames("field-renames", "t:a@b.t:c@d")), HasSubstr("\"t\" stands twice"));
  EXPECT_THAT(why(parse_table_fields("excluded-fields", "t")),
              HasSubstr("table1:field1@field2.table2:field3"));
}

TEST(NameLists, AnyNameCanBeWritten) {
  for (const std::string name : {"a.b", "`", "a`b", "x:y@z$", "plain", "root.sg.`1.2`", " "}) {
    EXPECT_EQ(*parse_names("a", list_name(name)), NameSet{name}) << list_name(name);
    EXPECT_EQ(*parse_renames("a", list_name(name) + ":" + list_name(name)), (NameMap{{name, name}}));
    EXPECT_EQ(*parse_field_renames("a", list_name(name) + ":" + list_name(name) + "@" + list_name(name)),
              (FieldMaps{{name, {{name, name}}}}));
  }
  EXPECT_EQ(list_name("plain"), "plain");
}

}  // namespace
}  // namespace tidegate
