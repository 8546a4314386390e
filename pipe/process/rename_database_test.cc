// SPDX-License-Identifier: Apache-2.0
#include "pipe/process/rename_database.h"

#include "pipe/process/process_test_rig.h"

namespace tidegate {
namespace {

using test::real;
using test::table_row;
using test::tree_row;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

std::unique_ptr<Processor> make(const std::string& name = "new") {
  return make_rename_database_processor(name).value();
}

TEST(RenameDatabase, TableRowsGetTheNewDatabaseAndKeepEverythingElse) {
  test::OwnedRow wanted = table_row("t", 1, {real("a", 1), test::null("b")});
  const test::OwnedRow row = wanted;
  wanted.database = "new";
  EXPECT_THAT(test::pass(*make(), {row}), ElementsAre(wanted));
}

TEST(RenameDatabase, OfATreeRowTheSecondNodeIsRenamed) {
  const auto out = test::pass(
      *make("n-1"), {tree_row("root.p.d1", 1, {real("a", 1)}),
                     tree_row("root.`x.y`.`z.1`", 1, {real("a", 1)}), tree_row("root", 1, {real("a", 1)})});
  EXPECT_THAT(out, UnorderedElementsAre(tree_row("root.`n-1`.d1", 1, {real("a", 1)}),
                                        tree_row("root.`n-1`.`z.1`", 1, {real("a", 1)}),
                                        tree_row("root", 1, {real("a", 1)})));
}

TEST(RenameDatabase, ADevicePathThatCannotBeReadStopsThePipe) {
  EXPECT_THAT(test::refusal(*make(), test::batch_of({tree_row("root..d", 1, {real("a", 1)})})),
              HasSubstr("an empty node at column 6 of the path \"root..d\""));
}

TEST(RenameDatabase, DeletionsReachAtTheTargetWhatTheyMeantAtTheSource) {
  const auto renamed = [](const char* pattern) { return rename_pattern(pattern, "new").value(); };
  EXPECT_THAT(renamed("root.p.d1.s"), ElementsAre("root.new.d1.s"));
  EXPECT_THAT(renamed("root.`a.b`.`*`.**"), ElementsAre("root.new.`*`.**"));
  EXPECT_THAT(renamed("root.*.d1"), ElementsAre("root.new.d1"));
  EXPECT_THAT(renamed("root.pl*"), ElementsAre("root.new"));
  EXPECT_THAT(renamed("root.**"), ElementsAre("root.new.**"));
  EXPECT_THAT(renamed("root.**.s"), ElementsAre("root.new.s", "root.new.**.s"));
  EXPECT_THAT(renamed("root.`**`.s"), ElementsAre("root.new.s"));
  EXPECT_THAT(renamed("root.`a``.b`.s"), ElementsAre("root.new.s"));
  EXPECT_THAT(renamed("root"), ElementsAre("root"));

  const BatchHead head{TimeUnit::kMicrosecond, 1, "s"};
  const Batch made =
      test::pass(*make(), make_batch(head, std::vector<Deletion>{{{"root.a.**", "root.**.x"}, -5, 9}})).at(0);
  EXPECT_EQ(made.canonical,
            make_batch(head, std::vector<Deletion>{{{"root.new.**", "root.new.x", "root.new.**.x"}, -5, 9}})
                .canonical);
}

TEST(RenameDatabase, NamesThatNoDatabaseCanHaveAreRefused) {
  for (const std::string& name :
       {std::string(), std::string("a.b"), std::string("`a`"), std::string(65, 'a')}) {
    const auto made = make_rename_database_processor(name);
    ASSERT_FALSE(made.ok()) << name;
    EXPECT_THAT(made.error().text(), HasSubstr("'new-db-name'"));
  }
}

TEST(RenameDatabase, OutputIsSoundAndRepeatable) {
  for (const std::uint64_t seed : {4, 5}) {
    test::expect_repeatable([] { return make(); }, seed);
    test::expect_sound_output([] { return make(); }, seed);
  }
  test::expect_other_kinds_unchanged([] { return make(); });
}

}  // namespace
}  // namespace tidegate
