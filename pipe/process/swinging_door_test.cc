// SPDX-License-Identifier: Apache-2.0
#include "pipe/process/swinging_door.h"

#include <cmath>
#include <limits>

#include "pipe/process/process_test_rig.h"

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

using Point = std::pair<std::int64_t, std::int64_t>;  // time, value
using Points = std::vector<Point>;

std::unique_ptr<Processor> make(double deviation, TimeSpan min = {0}, TimeSpan max = {INT64_MAX}) {
  return make_swinging_door_processor({deviation, min, max, kDefaultStateBytes});
}

// In one batch per point.
Points sampled(Processor& processor, const Points& in) {
  Points out;
  for (const auto& [time, value] : in) {
    for (const OwnedRow& row : test::pass(processor, {tree_row("root.d", time, {integer("v", value)})})) {
      out.emplace_back(row.time, test::view_of(row.fields.at(0)).i64);
    }
  }
  return out;
}
Points sampled(double deviation, const Points& in) {
  const auto processor = make(deviation);
  return sampled(*processor, in);
}

TEST(SwingingDoor, OfAStraightLineOnlyTheFirstValueAndTheCornerComeOut) {
  EXPECT_EQ(sampled(0, {{0, 0}, {1, 2}, {2, 4}, {3, 6}, {4, 0}, {5, -6}, {6, 1}}),
            (Points{{0, 0}, {3, 6}, {5, -6}}));
}

TEST(SwingingDoor, NoiseOfHalfTheDeviationStaysOut) {
  EXPECT_EQ(sampled(2, {{0, 10}, {1, 11}, {2, 10}, {3, 9}, {4, 9}, {5, 11}, {6, 50}, {7, 50}}),
            (Points{{0, 10}, {5, 11}, {6, 50}}));
}

TEST(SwingingDoor, AValueAsFarAsTheMaximumComesOut) {
  const auto processor = make(5, {0}, {10});
  EXPECT_EQ(sampled(*processor, {{0, 1}, {4, 1}, {9, 1}, {10, 1}, {15, 1}, {30, 1}}),
            (Points{{0, 1}, {10, 1}, {30, 1}}));
}

TEST(SwingingDoor, AValueNotFartherThanTheMinimumIsLeftOutWhateverItIs) {
  const auto processor = make(0, {5});
  EXPECT_EQ(sampled(*processor, {{0, 1}, {3, 900}, {5, 900}, {6, 1}, {7, 50}, {13, 2}}),
            (Points{{0, 1}, {6, 1}}));
}

TEST(SwingingDoor, AValueThatIsNotNewerComesOutAndTheLineBeginsThereAgain) {
  EXPECT_EQ(sampled(0, {{0, 0}, {10, 0}, {20, 0}, {5, 7}, {15, 7}, {25, 7}, {26, 0}}),
            (Points{{0, 0}, {20, 0}, {5, 7}, {25, 7}}));
  EXPECT_EQ(sampled(0, {{0, 0}, {10, 0}, {10, 3}, {11, 3}}), (Points{{0, 0}, {10, 3}}))
      << "a correction takes the place of the value that was held back";
  EXPECT_EQ(sampled(0, {{0, 0}, {0, 0}}), (Points{{0, 0}, {0, 0}}));
}

TEST(SwingingDoor, NanAndInfinityComeOutAndSoDoTheirNeighbours) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const auto processor = make(1);
  std::vector<OwnedRow> rows;
  for (const double value : {1.0, 1.0, 1.0, nan, nan, 1.0, 1.0, 1.0, HUGE_VAL, 1.0}) {
    rows.push_back(tree_row("root.d", static_cast<std::int64_t>(rows.size()), {real("v", value)}));
  }
  std::vector<std::int64_t> times;
  for (const OwnedRow& row : test::pass(*processor, rows)) times.push_back(row.time);
  EXPECT_THAT(times, ElementsAre(0, 2, 3, 4, 5, 7, 8, 9));
}

TEST(SwingingDoor, TextsBoolsAndDatesComeOutWhenTheyDiffer) {
  const auto processor = make(5);
  const auto date = [](std::int32_t v) { return test::number_field("d", ValueType::kDate, v); };
  const auto out = test::pass(*processor, {table_row("m", 1, {words("t", "a"), date(20240101)}),
                                           table_row("m", 2, {words("t", "a"), date(20240101)}),
                                           table_row("m", 3, {words("t", "b"), date(20240101)}),
                                           table_row("m", 4, {words("t", "b"), date(20240102)})});
  EXPECT_THAT(out, ElementsAre(table_row("m", 1, {date(20240101), words("t", "a")}),
                               table_row("m", 3, {words("t", "b")}), table_row("m", 4, {date(20240102)})));
}

TEST(SwingingDoor, ColumnsAreJudgedEachForItselfAndCornersOfOneTimeShareARow) {
  const auto processor = make(0);
  const auto out = test::pass(*processor, {table_row("m", 1, {real("a", 0), real("b", 0), real("c", 0)}),
                                           table_row("m", 2, {real("a", 0), real("b", 0), real("c", 0)}),
                                           table_row("m", 3, {real("a", 9), real("b", 9), real("c", 0)})});
  EXPECT_THAT(out, ElementsAre(table_row("m", 1, {real("a", 0), real("b", 0), real("c", 0)}),
                               table_row("m", 2, {real("a", 0), real("b", 0)})));
}

TEST(SwingingDoor, NullsComeOutWithTheRowTheyStandInOnly) {
  const auto processor = make(0);
  const auto out = test::pass(
      *processor, {table_row("m", 1, {real("a", 0), test::null("b")}),
                   table_row("m", 2, {real("a", 0), test::null("b")}), table_row("m", 3, {test::null("b")})});
  EXPECT_THAT(out, ElementsAre(table_row("m", 1, {real("a", 0), test::null("b")})));
}

TEST(SwingingDoor, LargeIntegersAreComparedExactly) {
  const std::int64_t top = INT64_MAX;
  EXPECT_EQ(sampled(0, {{0, top}, {1, top - 1}, {2, top - 2}, {3, top - 2}, {4, top - 2}, {5, INT64_MIN}}),
            (Points{{0, top}, {2, top - 2}, {4, top - 2}}));
}

TEST(SwingingDoor, IntervalsAreTakenInTheUnitOfTheDataOrAsDurations) {
  const auto durations = make(0, {0}, {2'000'000'000, true});
  EXPECT_EQ(sampled(*durations, {{0, 1}, {1999, 1}, {2000, 1}}), (Points{{0, 1}, {2000, 1}}));
  const auto fine = make(0, {1'500'000, true});
  EXPECT_THAT(test::refusal(*fine, test::batch_of({tree_row("root.d", 1, {integer("v", 1)})})),
              HasSubstr("'sdt.min-time-interval' is 1500000 ns, but the data comes with times in ms"));
}

// ---- against the definition itself, in exact arithmetic: the line from the pivot to a value must pass all
// those in between within the deviation; when it does not, the value before is the next pivot

Points by_definition(const Points& in, std::int64_t deviation, std::int64_t min, std::int64_t max) {
  Points out;
  Points between;  // read since the pivot; the last one is held back
  Point pivot;
  const auto fits = [&](const Point& next) {
    const auto width = static_cast<Int128>(next.first - pivot.first);
    for (const Point& p : between) {
      const Int128 off = static_cast<Int128>(p.second - pivot.second) * width -
                         static_cast<Int128>(next.second - pivot.second) * (p.first - pivot.first);
      if (off > deviation * width || -off > deviation * width) return false;
    }
    return true;
  };
  const auto emit = [&](const Point& p) {
    out.push_back(p);
    pivot = p;
    between.clear();
  };
  for (const Point& p : in) {
    if (out.empty()) {
      emit(p);
      continue;
    }
    const std::int64_t newest = between.empty() ? pivot.first : between.back().first;
    if (p.first <= newest) {
      if (!between.empty() && between.back().first != p.first) emit(between.back());
      emit(p);
      continue;
    }
    if (p.first - pivot.first <= min) continue;
    if (!fits(p)) emit(Point(between.back()));
    if (p.first - pivot.first <= min) continue;
    if (p.first - pivot.first >= max) {
      emit(p);
    } else {
      between.push_back(p);
    }
  }
  return out;
}

TEST(SwingingDoor, RandomSeriesGiveWhatTheDefinitionGives) {
  std::mt19937_64 random(11);
  std::size_t left_out = 0;
  for (int round = 0; round < 60; ++round) {
    const auto deviation = static_cast<std::int64_t>(random() % 5);
    const std::int64_t min = round % 3 == 0 ? 3 : 0;
    const std::int64_t max = round % 4 == 0 ? 20 : INT64_MAX;
    Points in;
    std::int64_t time = -50;
    std::int64_t value = 0;
    for (int i = 0; i < 200; ++i) {
      time += 1 + static_cast<std::int64_t>(random() % 3);
      if (random() % 40 == 0) time -= static_cast<std::int64_t>(random() % 10);
      value += static_cast<std::int64_t>(random() % 5) - 2;
      in.emplace_back(time, value);
    }
    const auto processor = make(static_cast<double>(deviation), {min}, {max});
    const Points out = sampled(*processor, in);
    ASSERT_EQ(out, by_definition(in, deviation, min, max)) << "round " << round;
    left_out += in.size() - out.size();
  }
  EXPECT_GT(left_out, 1000U);
}

TEST(SwingingDoor, EveryValueThatIsLeftOutLiesWithinTheDeviationOfTheLine) {
  std::mt19937_64 random(12);
  const auto processor = make(0.25);
  std::vector<std::pair<std::int64_t, double>> in, out;
  double value = 0;
  for (std::int64_t time = 0; time < 3000; ++time) {
    value += std::sin(static_cast<double>(time) / 50) / 5 + static_cast<double>(random() % 100) / 400 - 0.125;
    in.emplace_back(time, value);
    for (const OwnedRow& row : test::pass(*processor, {tree_row("root.d", time, {real("v", value)})})) {
      out.emplace_back(row.time, test::view_of(row.fields.at(0)).f64);
    }
  }
  ASSERT_LT(out.size(), in.size() / 2);
  std::size_t corner = 0;
  for (const auto& [time, read] : in) {
    while (corner + 1 < out.size() && out[corner + 1].first < time) ++corner;
    if (corner + 1 == out.size()) break;
    const auto& [t0, v0] = out[corner];
    const auto& [t1, v1] = out[corner + 1];
    const double line = v0 + (v1 - v0) * static_cast<double>(time - t0) / static_cast<double>(t1 - t0);
    ASSERT_NEAR(read, line, 0.25 + 1e-9) << time;
  }
}

// ---- what every processor promises

TEST(SwingingDoor, OutputIsSoundAndRepeatable) {
  const auto one = [] { return make(1, {500}, {20000}); };
  for (const std::uint64_t seed : {31, 32, 33}) {
    test::expect_repeatable(one, seed);
    test::expect_sound_output(one, seed);
  }
  test::expect_other_kinds_unchanged(one);
}

TEST(SwingingDoor, RestoreTakesOnlyItsOwnState) {
  test::expect_strict_restore([] { return make(1); }, 34);
  const Bytes state = make(1)->state();
  EXPECT_THAT(make(2)->restore(state).error().text(), HasSubstr("belongs to other attributes"));
}

TEST(SwingingDoor, TooMuchStateStopsThePipeWithWhatToDo) {
  const auto processor = make_swinging_door_processor({0, {0}, {INT64_MAX}, 2000});
  std::string why;
  for (int i = 0; i < 100 && why.find("state.max-bytes") == std::string::npos; ++i) {
    why = test::refusal(*processor, test::batch_of({table_row("m" + std::to_string(i), 1, {real("v", 1)})}));
  }
  EXPECT_THAT(why, HasSubstr("'processor.state.max-bytes' (2000 bytes): raise it"));
}

}  // namespace
}  // namespace tidegate
