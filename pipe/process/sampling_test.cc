// SPDX-License-Identifier: Apache-2.0
// Tumbling time and changing value.
#include "pipe/process/changing_value.h"
#include "pipe/process/process_test_rig.h"
#include "pipe/process/tumbling_time.h"

namespace tidegate {
namespace {

using test::integer;
using test::OwnedRow;
using test::real;
using test::table_row;
using test::tree_row;
using test::words;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<std::int64_t> times_of(const std::vector<OwnedRow>& rows) {
  std::vector<std::int64_t> out;
  for (const OwnedRow& row : rows) out.push_back(row.time);
  return out;
}

// ---- tumbling time

std::unique_ptr<Processor> every(std::int64_t seconds) {
  return make_tumbling_time_processor({seconds, kDefaultStateBytes});
}

TEST(TumblingTime, ARowComesOutWhenTheLastOneIsAnIntervalAwayForwardsOrBackwards) {
  std::vector<OwnedRow> rows;
  for (const std::int64_t time : {0, 400, 1000, 1999, 2000, 1500, 900, 2500, 100}) {
    rows.push_back(tree_row("root.d", time, {real("v", 1)}));
  }
  EXPECT_THAT(times_of(test::pass(*every(1), rows)), ElementsAre(0, 1000, 2000, 900, 2500, 100));
}

TEST(TumblingTime, OneColumnThatIsDueTakesTheWholeRowAlong) {
  const auto processor = every(1);
  const auto out =
      test::pass(*processor, {table_row("m", 0, {real("a", 1)}),
                              table_row("m", 500, {real("a", 2), words("b", "x"), test::null("c")}),
                              table_row("m", 1200, {real("a", 3)}), table_row("m", 1300, {words("b", "y")}),
                              table_row("m", 1500, {real("a", 4), words("b", "z")})});
  EXPECT_THAT(out, ElementsAre(table_row("m", 0, {real("a", 1)}),
                               table_row("m", 500, {real("a", 2), words("b", "x"), test::null("c")}),
                               table_row("m", 1500, {real("a", 4), words("b", "z")})));
}

TEST(TumblingTime, TheIntervalIsTakenInTheUnitOfTheData) {
  for (const auto& [unit, second] : {std::pair{TimeUnit::kSecond, std::int64_t{1}},
                                     {TimeUnit::kMicrosecond, 1'000'000},
                                     {TimeUnit::kNanosecond, 1'000'000'000}}) {
    const auto processor = every(2);
    std::vector<OwnedRow> rows;
    for (const std::int64_t time : {std::int64_t{0}, 2 * second - 1, 2 * second, INT64_MIN, INT64_MAX}) {
      rows.push_back(tree_row("root.d", time, {real("v", 1)}));
    }
    const auto out = test::rows_in(test::pass(*processor, test::batch_of(rows, {unit, 0, "s"})));
    EXPECT_THAT(times_of(out), ElementsAre(0, 2 * second, INT64_MIN, INT64_MAX));
  }
}

TEST(TumblingTime, OutputIsSoundAndRepeatable) {
  const auto one = [] { return every(3); };
  for (const std::uint64_t seed : {41, 42}) {
    test::expect_repeatable(one, seed);
    test::expect_sound_output(one, seed);
  }
  test::expect_strict_restore(one, 43);
  test::expect_other_kinds_unchanged(one);
}

// ---- changing value

std::unique_ptr<Processor> changes(double deviation, TimeSpan min = {0}, TimeSpan max = {INT64_MAX}) {
  return make_changing_value_processor({deviation, min, max, kDefaultStateBytes});
}
std::vector<std::int64_t> times_of_changes(Processor& processor,
                                           const std::vector<std::pair<std::int64_t, double>>& in) {
  std::vector<OwnedRow> rows;
  for (const auto& [time, value] : in) rows.push_back(tree_row("root.d", time, {real("v", value)}));
  return times_of(test::pass(processor, rows));
}

TEST(ChangingValue, AValueComesOutWhenItIsOffByMoreThanTheDeviationFromTheLastThatDid) {
  EXPECT_THAT(times_of_changes(*changes(2), {{1, 0}, {2, 2}, {3, 1}, {4, 2.5}, {5, 4.5}, {6, 0}}),
              ElementsAre(1, 4, 6));
  EXPECT_THAT(times_of_changes(*changes(0), {{1, 0}, {2, -0.0}, {3, 1e-300}, {4, 1e-300}}),
              ElementsAre(1, 3));
}

TEST(ChangingValue, NearestAndFarthestHoldWhateverTheValueIs) {
  EXPECT_THAT(
      times_of_changes(*changes(0, {5}, {20}), {{0, 1}, {5, 9}, {6, 9}, {25, 9}, {26, 9}, {27, 1}, {47, 9}}),
      ElementsAre(0, 6, 26, 47));
}

TEST(ChangingValue, AValueThatIsNotNewerThanTheLastOneComesOut) {
  EXPECT_THAT(times_of_changes(*changes(5), {{10, 1}, {10, 2}, {5, 2}, {6, 2}, {11, 2}}),
              ElementsAre(10, 10, 5));
}

TEST(ChangingValue, IntegersAreComparedExactlyAndTextsByBytes) {
  const std::int64_t top = INT64_MAX;
  const auto out = test::pass(
      *changes(0),
      {table_row("m", 1, {integer("i", top), words("t", "a")}), table_row("m", 2, {integer("i", top - 1)}),
       table_row("m", 3, {integer("i", top - 1), words("t", "a")}), table_row("m", 4, {words("t", "A")})});
  EXPECT_THAT(out,
              ElementsAre(table_row("m", 1, {integer("i", top), words("t", "a")}),
                          table_row("m", 2, {integer("i", top - 1)}), table_row("m", 4, {words("t", "A")})));
}

TEST(ChangingValue, NanIsAValueLikeOthersAndDiffersFromThemAll) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THAT(times_of_changes(*changes(100), {{1, 0}, {2, nan}, {3, nan}, {4, 0}, {5, 1}}),
              ElementsAre(1, 2, 4));
}

TEST(ChangingValue, LeftOutColumnsAreAbsentAndNullsComeAlong) {
  const auto out = test::pass(*changes(0), {table_row("m", 1, {real("a", 1), real("b", 1)}),
                                            table_row("m", 2, {real("a", 1), real("b", 2), test::null("c")}),
                                            table_row("m", 3, {real("a", 1), test::null("c")})});
  EXPECT_THAT(out, ElementsAre(table_row("m", 1, {real("a", 1), real("b", 1)}),
                               table_row("m", 2, {real("b", 2), test::null("c")})));
}

TEST(ChangingValue, SeriesAndSourcesAreJudgedEachForItself) {
  const auto processor = changes(0);
  const auto row = [](std::int64_t time, std::string tag) {
    return table_row("m", time, {real("v", 1)}, std::move(tag));
  };
  EXPECT_EQ(test::pass(*processor, {row(1, "1"), row(2, "2"), row(3, "1")}).size(), 2U);
  EXPECT_EQ(
      test::pass(*processor, test::batch_of({row(4, "1")}, {TimeUnit::kMillisecond, 0, "other"})).size(), 1U);
  EXPECT_THAT(test::pass(*processor, {row(5, "1")}), IsEmpty());
}

TEST(ChangingValue, OutputIsSoundAndRepeatable) {
  const auto one = [] { return changes(0.5, {300}, {9000}); };
  for (const std::uint64_t seed : {51, 52, 53}) {
    test::expect_repeatable(one, seed);
    test::expect_sound_output(one, seed);
  }
  test::expect_strict_restore(one, 54);
  test::expect_other_kinds_unchanged(one);
}

TEST(ChangingValue, TooMuchStateStopsThePipeAndATextThatGrowsCounts) {
  const auto processor = make_changing_value_processor({0, {0}, {INT64_MAX}, 2000});
  test::pass(*processor, {table_row("m", 1, {words("t", "a")})});
  test::pass(*processor, {table_row("m", 2, {words("t", std::string(1000, 'b'))})});
  test::pass(*processor, {table_row("m", 3, {words("t", "c")})});
  EXPECT_THAT(
      test::refusal(*processor, test::batch_of({table_row("m", 4, {words("t", std::string(3000, 'd'))})})),
      HasSubstr("'processor.state.max-bytes' (2000 bytes): raise it"));
}

}  // namespace
}  // namespace tidegate
