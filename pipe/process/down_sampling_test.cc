// SPDX-License-Identifier: Apache-2.0
#include "pipe/process/down_sampling.h"

#include <cmath>
#include <limits>

#include "pipe/process/process_test_rig.h"

namespace tidegate {
namespace {

using test::integer;
using test::null;
using test::number_field;
using test::OwnedField;
using test::OwnedRow;
using test::real;
using test::table_row;
using test::tree_row;
using test::words;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::int64_t kMilli = 1'000'000;  // all batches below have times in ms

DownSamplingOptions ten(Aggregate aggregate = Aggregate::kLast) {
  DownSamplingOptions options;
  options.interval = 10 * kMilli;
  options.aggregate = aggregate;
  return options;
}
std::unique_ptr<Processor> make(const DownSamplingOptions& options = ten()) {
  return make_down_sampling_processor(options);
}

// What becomes of these fields at times 0, 1, 2 ... when the row at 10 closes their window.
OwnedRow aggregated(Aggregate aggregate, const std::vector<std::vector<OwnedField>>& rows) {
  const auto processor = make(ten(aggregate));
  std::vector<OwnedRow> in;
  for (const auto& fields : rows) in.push_back(table_row("m", static_cast<std::int64_t>(in.size()), fields));
  in.push_back(table_row("m", 10, {number_field("closes", ValueType::kFloat, 1.0F)}));
  const std::vector<OwnedRow> out = test::pass(*processor, in);
  EXPECT_EQ(out.size(), 1U);
  return out.empty() ? OwnedRow{} : out[0];
}

TEST(DownSampling, EachAggregateIsThatOfTheWindowAtItsStart) {
  const std::vector<std::vector<OwnedField>> rows{
      {integer("i", 3), real("d", 0.5)}, {integer("i", 1), real("d", 2.5)}, {integer("i", 4), null("d")}};
  const auto with = [](OwnedField i, OwnedField d) {
    return table_row("m", 0, {std::move(d), std::move(i)});
  };
  EXPECT_EQ(aggregated(Aggregate::kFirst, rows), with(integer("i", 3), real("d", 0.5)));
  EXPECT_EQ(aggregated(Aggregate::kLast, rows), with(integer("i", 4), real("d", 2.5)));
  EXPECT_EQ(aggregated(Aggregate::kMin, rows), with(integer("i", 1), real("d", 0.5)));
  EXPECT_EQ(aggregated(Aggregate::kMax, rows), with(integer("i", 4), real("d", 2.5)));
  EXPECT_EQ(aggregated(Aggregate::kMean, rows), with(real("i", 8.0 / 3), real("d", 1.5)));
  EXPECT_EQ(aggregated(Aggregate::kSum, rows), with(integer("i", 8), real("d", 3.0)));
  EXPECT_EQ(aggregated(Aggregate::kCount, rows), with(integer("i", 3), integer("d", 2)));
}

TEST(DownSampling, FirstAndLastGoByEventTimeAndTiesByArrival) {
  for (const auto& [aggregate, wanted] : {std::pair{Aggregate::kFirst, 2.0}, {Aggregate::kLast, 5.0}}) {
    const auto processor = make(ten(aggregate));
    const auto out =
        test::pass(*processor, {table_row("m", 5, {real("v", 1)}), table_row("m", 1, {real("v", 2)}),
                                table_row("m", 1, {real("v", 3)}), table_row("m", 9, {real("v", 4)}),
                                table_row("m", 9, {real("v", 5)}), table_row("m", 3, {real("v", 6)}),
                                table_row("m", 11, {real("v", 7)})});
    EXPECT_THAT(out, ElementsAre(table_row("m", 0, {real("v", wanted)})));
  }
}

TEST(DownSampling, ASumOfIntegersIsExactAndADoubleWhereItDoesNotFit) {
  const std::int64_t top = INT64_MAX;
  EXPECT_EQ(
      aggregated(Aggregate::kSum, {{integer("v", top)}, {integer("v", 5)}, {integer("v", -5)}}).fields[0],
      integer("v", top));
  EXPECT_EQ(aggregated(Aggregate::kSum, {{integer("v", top)}, {integer("v", 1)}}).fields[0],
            real("v", 9223372036854775808.0));
  EXPECT_EQ(aggregated(Aggregate::kSum, {{number_field("v", ValueType::kUint64, UINT64_MAX)}}).fields[0],
            real("v", 18446744073709551616.0));
  EXPECT_EQ(aggregated(Aggregate::kSum, {{number_field("v", ValueType::kInt32, std::int32_t{-7})}}).fields[0],
            integer("v", -7));
  EXPECT_EQ(aggregated(Aggregate::kMean, {{integer("v", top)}, {integer("v", top)}}).fields[0],
            real("v", 9223372036854775807.0));
}

TEST(DownSampling, MinAndMaxKeepTheTypeAndANanLosesAgainstEveryNumber) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const Aggregate aggregate : {Aggregate::kMin, Aggregate::kMax}) {
    EXPECT_EQ(aggregated(aggregate, {{real("v", nan)}, {real("v", 1)}, {real("v", nan)}}).fields[0],
              real("v", 1));
    EXPECT_EQ(aggregated(aggregate, {{real("v", nan)}, {real("v", nan)}}).fields[0], real("v", nan));
    const OwnedField date = number_field("v", ValueType::kDate, std::int32_t{20240229});
    EXPECT_EQ(aggregated(aggregate, {{date}}).fields[0], date);
    const OwnedField time = number_field("v", ValueType::kTimestamp, std::int64_t{-3});
    EXPECT_EQ(aggregated(aggregate, {{time}}).fields[0], time);
  }
  const auto unsigned_field = [](std::uint64_t v) { return number_field("v", ValueType::kUint64, v); };
  EXPECT_EQ(aggregated(Aggregate::kMax, {{unsigned_field(UINT64_MAX)}, {unsigned_field(1)}}).fields[0],
            unsigned_field(UINT64_MAX));
}

TEST(DownSampling, ValuesThatAnAggregateSaysNothingAboutGoOnAsTheyAre) {
  const auto processor = make(ten(Aggregate::kMean));
  const auto out = test::pass(
      *processor, {table_row("m", 3, {words("t", "a"), real("v", 1)}), table_row("m", 4, {words("t", "b")})});
  EXPECT_THAT(out, ElementsAre(table_row("m", 3, {words("t", "a")}), table_row("m", 4, {words("t", "b")})));
  EXPECT_THAT(aggregated(Aggregate::kCount, {{words("t", "a")}, {words("t", "b")}}).fields,
              ElementsAre(integer("t", 2)));
  EXPECT_THAT(aggregated(Aggregate::kLast, {{words("t", "a")}, {words("t", "b")}}).fields,
              ElementsAre(words("t", "b")));
}

TEST(DownSampling, AnAttributeOfADeviceIsTakenAsItsLastValue) {
  OwnedField model = words("model", "x");
  model.role = ColumnRole::kAttribute;
  EXPECT_THAT(aggregated(Aggregate::kCount, {{model, real("v", 1)}}).fields,
              ElementsAre(model, integer("v", 1)));
}

TEST(DownSampling, ColumnsOfOneNameThatBecomeOneTypeComeOutInRowsOfTheirOwn) {
  const auto processor = make(ten(Aggregate::kMean));
  OwnedField attribute = integer("v", 9);
  attribute.role = ColumnRole::kAttribute;
  const auto out = test::pass(*processor, {table_row("m", 1, {integer("v", 2), real("v", 4), attribute}),
                                           table_row("m", 10, {real("x", 1)})});
  EXPECT_THAT(out,
              ElementsAre(table_row("m", 0, {attribute, real("v", 2)}), table_row("m", 0, {real("v", 4)})));
}

TEST(DownSampling, NullsAreNoValues) {
  const auto processor = make(ten(Aggregate::kCount));
  EXPECT_THAT(test::pass(*processor, {table_row("m", 1, {null("v")}), table_row("m", 11, {null("v")})}),
              IsEmpty());
  EXPECT_THAT(test::pass(*processor, {table_row("m", 12, {real("v", 1)}), table_row("m", 13, {null("v")}),
                                      table_row("m", 20, {real("v", 1)})}),
              ElementsAre(table_row("m", 10, {integer("v", 1)})));
}

TEST(DownSampling, WindowsCountFromTheEpochBackwardsToo) {
  const auto processor = make();
  const auto out =
      test::pass(*processor, {table_row("m", -11, {real("v", 1)}), table_row("m", -10, {real("v", 2)}),
                              table_row("m", -1, {real("v", 3)}), table_row("m", 0, {real("v", 4)}),
                              table_row("m", 10, {real("v", 5)})});
  EXPECT_THAT(out, ElementsAre(table_row("m", -20, {real("v", 1)}), table_row("m", -10, {real("v", 3)}),
                               table_row("m", 0, {real("v", 4)})));
}

TEST(DownSampling, TheEndsOfTimeAreNoTrouble) {
  const auto processor = make();
  const auto out = test::pass(
      *processor, {table_row("m", INT64_MIN, {real("v", 1)}), table_row("m", INT64_MAX, {real("v", 2)})});
  EXPECT_THAT(out, ElementsAre(table_row("m", INT64_MIN, {real("v", 1)})));
}

TEST(DownSampling, AWindowClosesByItsOwnSeriesOrByTheNewestTimePlusTheDelay) {
  DownSamplingOptions options = ten();
  options.max_delay = 5 * kMilli;
  const auto processor = make(options);
  EXPECT_THAT(
      test::pass(*processor, {table_row("a", 1, {real("v", 1)}), tree_row("root.b", 2, {real("v", 2)})}),
      IsEmpty());
  EXPECT_THAT(test::pass(*processor, {table_row("a", 14, {real("v", 3)})}),
              ElementsAre(table_row("a", 0, {real("v", 1)})));
  EXPECT_THAT(test::pass(*processor, {table_row("a", 15, {real("v", 4)})}),
              ElementsAre(tree_row("root.b", 0, {real("v", 2)})));
}

TEST(DownSampling, OneBatchMayBringSeriesThatAreFarApartInTime) {
  const auto processor = make();
  const auto out =
      test::pass(*processor, {table_row("a", 1000, {real("v", 1)}), table_row("b", 1, {real("v", 2)}),
                              table_row("b", 2, {real("v", 3)})});
  EXPECT_THAT(out, ElementsAre(table_row("b", 0, {real("v", 3)})));
}

TEST(DownSampling, ALateValuePassesAtItsOwnTimeAsTheAggregateOfItselfAndIsCounted) {
  const auto processor = make(ten(Aggregate::kMean));
  test::pass(*processor, {table_row("m", 1, {integer("v", 1)}), table_row("m", 12, {integer("v", 2)})});
  EXPECT_THAT(test::pass(*processor, {table_row("m", 5, {integer("v", 7), null("w")})}),
              ElementsAre(table_row("m", 5, {real("v", 7)})));
  EXPECT_THAT(test::pass(*processor, {table_row("n", 5, {integer("v", 8)})}),
              ElementsAre(table_row("n", 5, {real("v", 8)})))
      << "late by the newest time of the stream";
  EXPECT_THAT(processor->describe(), HasSubstr("2 late values"));
}

TEST(DownSampling, OrIsDroppedAndCounted) {
  DownSamplingOptions options = ten();
  options.drop_late = true;
  const auto processor = make(options);
  test::pass(*processor, {table_row("m", 12, {real("v", 2)})});
  EXPECT_THAT(test::pass(*processor, {table_row("m", 5, {real("v", 7), real("w", 1)})}), IsEmpty());
  EXPECT_THAT(processor->describe(), HasSubstr("2 late values"));
}

TEST(DownSampling, SourcesUnitsAndFlagsHaveWindowsOfTheirOwn) {
  const auto processor = make();
  const BatchHead other{TimeUnit::kMillisecond, kFlagByPipeProtocol, "t"};
  test::pass(*processor, test::batch_of({table_row("m", 1, {real("v", 1)})}));
  EXPECT_THAT(test::pass(*processor, test::batch_of({table_row("m", 50, {real("v", 2)})}, other)), IsEmpty());
  const std::vector<Batch> out =
      test::pass(*processor, test::batch_of({table_row("m", 60, {real("v", 3)})}, other));
  ASSERT_EQ(out.size(), 1U);
  EventKind kind{};
  EXPECT_EQ(read_head(out[0].canonical, &kind)->source, "t");
  EXPECT_EQ(out[0].summary.flags, kFlagByPipeProtocol);
  EXPECT_THAT(test::rows_in(out), ElementsAre(table_row("m", 50, {real("v", 2)})));
}

TEST(DownSampling, AnIntervalThatIsNoWholeNumberOfTheUnitStopsThePipe) {
  const auto processor = make();
  const Batch seconds = test::batch_of({table_row("m", 1, {real("v", 1)})}, {TimeUnit::kSecond, 0, "s"});
  EXPECT_THAT(test::refusal(*processor, seconds),
              HasSubstr("'interval' is 10000000 ns, but the data comes with "
                        "times in s"));
}

TEST(DownSampling, TooMuchStateStopsThePipeWithWhatToDo) {
  DownSamplingOptions options = ten();
  options.max_state_bytes = 3000;
  const auto processor = make(options);
  std::string why;
  for (int i = 0; i < 100 && why.find("state.max-bytes") == std::string::npos; ++i) {
    why = test::refusal(*processor, test::batch_of({table_row("m" + std::to_string(i), 1, {real("v", 1)})}));
  }
  EXPECT_THAT(why, HasSubstr("'processor.state.max-bytes' (3000 bytes): raise it"));
}

TEST(DownSampling, WindowsThatAreClosedTakeNoMemory) {
  DownSamplingOptions options = ten();
  options.max_state_bytes = 4000;
  const auto processor = make(options);
  for (int i = 0; i < 1000; ++i) {
    const OwnedRow row = table_row("m" + std::to_string(i), i * 10, {words("v", "some text of some length")});
    test::pass(*processor, {row});
    ASSERT_FALSE(testing::Test::HasFailure()) << i;
  }
}

// ---- against a naive model that keeps every value and looks at everything after every batch

using Key = std::tuple<Addressing, std::string, std::string, std::string,
                       std::vector<std::pair<std::string, std::string>>>;

class NaiveSum {  // the sum of doubles and of small integers, and late values dropped
 public:
  explicit NaiveSum(std::int64_t interval, std::int64_t delay) : interval_(interval), delay_(delay) {}

  std::vector<OwnedRow> feed(const std::vector<OwnedRow>& rows) {
    std::vector<OwnedRow> out;
    std::int64_t newest = newest_;
    for (const OwnedRow& row : rows) {
      newest = std::max(newest, row.time);
      const auto window = static_cast<std::int64_t>(
          std::floor(static_cast<double>(row.time) / static_cast<double>(interval_)));
      const Key key{row.addressing, row.database, row.table, row.device, row.tags};
      auto open = open_.find(key);
      if (open == open_.end() && (window + 1) * interval_ + delay_ <= newest_) continue;
      if (open != open_.end() && open->second.first > window) continue;
      if (open != open_.end() && open->second.first < window) {
        out.push_back(sum(open->second));
        open_.erase(open);
      }
      auto& values = open_.try_emplace(key, window, std::vector<OwnedRow>{}).first->second;
      values.second.push_back(row);
    }
    newest_ = newest;
    for (auto open = open_.begin(); open != open_.end();) {
      const bool over = (open->second.first + 1) * interval_ + delay_ <= newest_;
      if (over) out.push_back(sum(open->second));
      open = over ? open_.erase(open) : std::next(open);
    }
    return out;
  }

 private:
  OwnedRow sum(const std::pair<std::int64_t, std::vector<OwnedRow>>& window) const {
    OwnedRow out = window.second.front();
    out.time = window.first * interval_;
    out.fields.clear();
    for (const char* name : {"d", "i"}) {
      double total = 0;
      bool any = false;
      for (const OwnedRow& row : window.second) {
        for (const OwnedField& field : row.fields) {
          if (field.name != name || field.presence != Presence::kValue) continue;
          const ValueView value = test::view_of(field);
          total += value.type == ValueType::kDouble ? value.f64 : static_cast<double>(value.i64);
          any = true;
        }
      }
      if (!any) continue;
      out.fields.push_back(*name == 'd' ? real("d", total) : integer("i", static_cast<std::int64_t>(total)));
    }
    return out;
  }

  std::int64_t interval_, delay_;
  std::int64_t newest_ = INT64_MIN / 2;
  std::map<Key, std::pair<std::int64_t, std::vector<OwnedRow>>> open_;
};

TEST(DownSampling, RandomBatchesGiveWhatANaiveModelGives) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    std::mt19937_64 random(seed);
    DownSamplingOptions options = ten(Aggregate::kSum);
    options.max_delay = 7 * kMilli;
    options.drop_late = true;
    const auto processor = make(options);
    NaiveSum model(10, 7);
    std::int64_t now = -500;
    std::size_t total = 0;
    for (int i = 0; i < 400; ++i) {
      std::vector<OwnedRow> rows;
      for (std::uint64_t n = 1 + random() % 6; n > 0; --n) {
        now += static_cast<std::int64_t>(random() % 4);
        const std::int64_t time = now - static_cast<std::int64_t>(random() % 5 == 0 ? random() % 30 : 0);
        std::vector<OwnedField> fields{real("d", static_cast<double>(random() % 100) / 4)};
        if (random() % 2 == 0) fields.push_back(integer("i", static_cast<std::int64_t>(random() % 9)));
        rows.push_back(random() % 2 == 0 ? table_row("m", time, fields, std::to_string(random() % 3))
                                         : tree_row("root.d" + std::to_string(random() % 3), time, fields));
      }
      auto wanted = model.feed(rows);
      auto got = test::pass(*processor, rows);
      std::ranges::sort(wanted);
      std::ranges::sort(got);
      ASSERT_EQ(got, wanted) << "seed " << seed << ", batch " << i;
      total += got.size();
    }
    EXPECT_GT(total, 200U);
  }
}

// ---- what every processor promises

TEST(DownSampling, OutputIsSoundAndRepeatableForEveryAggregate) {
  for (int i = 0; i <= static_cast<int>(Aggregate::kCount); ++i) {
    DownSamplingOptions options;
    options.interval = 5'000 * kMilli;
    options.max_delay = 2'500 * kMilli;
    options.aggregate = static_cast<Aggregate>(i);
    options.drop_late = i % 3 == 2;
    const auto one = [&] { return make(options); };
    test::expect_repeatable(one, 100 + static_cast<std::uint64_t>(i));
    test::expect_sound_output(one, 200 + static_cast<std::uint64_t>(i));
  }
}

TEST(DownSampling, RestoreTakesOnlyItsOwnState) {
  for (const Aggregate aggregate : {Aggregate::kLast, Aggregate::kMean, Aggregate::kCount}) {
    DownSamplingOptions options = ten(aggregate);
    options.interval = 5'000 * kMilli;
    test::expect_strict_restore([&] { return make(options); }, 9);
  }
  const Bytes state = make(ten(Aggregate::kLast))->state();
  EXPECT_THAT(make(ten(Aggregate::kMean))->restore(state).error().text(),
              HasSubstr("belongs to other attributes"));
  DownSamplingOptions larger = ten();
  larger.max_state_bytes *= 2;
  EXPECT_TRUE(make(larger)->restore(state).ok()) << "raising the limit must not lose the state";
}

TEST(DownSampling, OtherKindsPass) {
  test::expect_other_kinds_unchanged([] { return make(); });
  const Batch deletion = make_batch({TimeUnit::kSecond, 0, "s"}, std::vector<Deletion>{{{"root.**"}, 1, 2}});
  EXPECT_EQ(test::pass(*make(), deletion).at(0).canonical, deletion.canonical);
}

}  // namespace
}  // namespace tidegate
