// SPDX-License-Identifier: Apache-2.0
#include "pipe/connect/line_mapping.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "pipe/connect/event_text.h"

namespace tidegate {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

FieldView field(std::string_view name, ValueType type) {
  FieldView out{name, ColumnRole::kField, {}};
  out.value.type = type;
  return out;
}
FieldView number(std::string_view name, double value) {
  FieldView out = field(name, ValueType::kDouble);
  out.value.f64 = value;
  return out;
}
FieldView integer(std::string_view name, ValueType type, std::int64_t value) {
  FieldView out = field(name, type);
  if (type == ValueType::kInt32 || type == ValueType::kDate) {
    out.value.i32 = static_cast<std::int32_t>(value);
  } else {
    out.value.i64 = value;
  }
  return out;
}
FieldView text(std::string_view name, ValueType type, std::string_view value) {
  FieldView out = field(name, type);
  out.value.text = value;
  return out;
}

class LineMappingTest : public ::testing::Test {
 protected:
  RowView table(std::span<const FieldView> fields, std::int64_t time = 1) {
    RowView row;
    row.database = "plant";
    row.table = "m";
    row.tags = tags_;
    row.fields = fields;
    row.time = time;
    return row;
  }
  RowView tree(std::string_view device, std::span<const FieldView> fields) {
    RowView row;
    row.addressing = Addressing::kTree;
    row.device = device;
    row.fields = fields;
    row.time = 1;
    return row;
  }
  std::string map(const RowView& row, TimeUnit unit = TimeUnit::kNanosecond) {
    std::string out;
    LineMapper mapper(options_, out);
    mapper.next_batch(unit);
    refused_.clear();
    mapper.row(row, &refused_);
    return out;
  }

  LineMappingOptions options_;
  std::vector<TagView> tags_{{"unit", "a b"}};
  std::vector<Refusal> refused_;
};

TEST_F(LineMappingTest, EveryTypeThatLineProtocolHoldsIsWritten) {
  FieldView flag = field("b", ValueType::kBool);
  flag.value.b = true;
  FieldView single = field("f", ValueType::kFloat);
  single.value.f32 = 0.1F;
  FieldView large = field("u", ValueType::kUint64);
  large.value.u64 = UINT64_MAX;
  const std::vector fields{flag,
                           single,
                           integer("i", ValueType::kInt32, -5),
                           integer("l", ValueType::kInt64, INT64_MIN),
                           large,
                           number("d", 0.1),
                           text("t", ValueType::kText, "a\n\"b\\"),
                           integer("day", ValueType::kDate, 20260131),
                           integer("at", ValueType::kTimestamp, 7)};
  EXPECT_EQ(
      map(table(fields)),
      "m,unit=a\\ b b=true,f=0.10000000149011612,i=-5i,l=-9223372036854775808i,u=18446744073709551615u,d=0.1,"
      "t=\"a\n\\\"b\\\\\",day=20260131i,at=7i 1\n");
  EXPECT_THAT(refused_, IsEmpty());
}

TEST_F(LineMappingTest, TimesAndTimestampValuesAreScaledToNanoseconds) {
  const std::vector fields{integer("at", ValueType::kTimestamp, 2)};
  EXPECT_EQ(map(table(fields, 3), TimeUnit::kMillisecond), "m,unit=a\\ b at=2000000i 3000000\n");
}

TEST_F(LineMappingTest, ATimeThatNanosecondsCannotHoldIsRefusedWithTheWholeRow) {
  const std::vector fields{number("v", 1)};
  EXPECT_EQ(map(table(fields, INT64_MAX / 1000), TimeUnit::kSecond), "");
  ASSERT_EQ(refused_.size(), 1u);
  EXPECT_EQ(refused_[0].line, "m,unit=a b v=1 9223372036854775s");
}

TEST_F(LineMappingTest, ARefusedFieldDoesNotTakeTheOthersWithIt) {
  const std::vector fields{number("a", 1),        number("b", std::nan("")),           number("c", 3),
                           number("d", HUGE_VAL), text("e", ValueType::kBlob, "\x01"), number("f", 6)};
  EXPECT_EQ(map(table(fields)), "m,unit=a\\ b a=1,c=3,f=6 1\n");
  ASSERT_EQ(refused_.size(), 3u);
  EXPECT_EQ(refused_[0].line, "m,unit=a b b=nan 1");
  EXPECT_THAT(refused_[0].reason, HasSubstr("NaN"));
  EXPECT_EQ(refused_[2].line, "m,unit=a b e=0x01 1");
}

TEST_F(LineMappingTest, AFieldThatStandsTwiceIsWrittenOnceAndRefusedOnce) {
  const std::vector fields{integer("v", ValueType::kInt64, 1), number("v", 2), number("w", 3)};
  EXPECT_EQ(map(table(fields)), "m,unit=a\\ b v=1i,w=3 1\n");
  EXPECT_EQ(refused_.size(), 1u);
}

TEST_F(LineMappingTest, NullsLeaveNothingAndARowOfNullsLeavesNoLine) {
  FieldView null = number("v", 0);
  null.value.presence = Presence::kNull;
  EXPECT_EQ(map(table(std::vector{null})), "");
  EXPECT_THAT(refused_, IsEmpty());
  EXPECT_EQ(map(table(std::vector{null, number("w", 1)})), "m,unit=a\\ b w=1 1\n");
}

TEST_F(LineMappingTest, ANameThatServersMisreadRefusesEveryRowOfTheSeries) {
  tags_[0].value = "ends\\";
  EXPECT_EQ(map(table(std::vector{number("v", 1)})), "");
  ASSERT_EQ(refused_.size(), 1u);
  EXPECT_THAT(refused_[0].reason, HasSubstr("backslash"));
}

TEST_F(LineMappingTest, UnsignedValuesFollowThePolicyOfTheTarget) {
  options_.unsigned_policy = influx::UnsignedPolicy::kAsInteger;
  FieldView small = field("a", ValueType::kUint64), large = field("b", ValueType::kUint64);
  small.value.u64 = 5;
  large.value.u64 = 1ULL << 63;
  EXPECT_EQ(map(table(std::vector{small, large})), "m,unit=a\\ b a=5i 1\n");
  EXPECT_EQ(refused_.size(), 1u);
}

TEST_F(LineMappingTest, ATreeRowIsMeasuredByItsDevicePathAndKeepsItInATag) {
  const std::vector fields{number("v", 1)};
  EXPECT_EQ(map(tree("root.sg.d1", fields)), "root.sg.d1,device=root.sg.d1 v=1 1\n");
  options_.tree_level = 1;
  EXPECT_EQ(map(tree("root.`a.b`.d1", fields)), "a.b,device=root.`a.b`.d1 v=1 1\n");
  options_.tree_level = 7;
  EXPECT_EQ(map(tree("root.sg.d1", fields)), "");
  EXPECT_EQ(refused_.size(), 1u);
}

TEST_F(LineMappingTest, BackQuotedNodesMayHoldDotsAndBackQuotes) {
  EXPECT_THAT(split_tree_path("root.`a.b`.c.`d``e`"), ElementsAre("root", "a.b", "c", "d`e"));
  EXPECT_EQ(database_of(tree("root.sg.d1", {})), "sg");
  EXPECT_EQ(database_of(table({})), "plant");
}

TEST_F(LineMappingTest, RowsOfManySeriesInOneBatchKeepTheirOwnKeys) {
  BatchBuilder builder("s", TimeUnit::kNanosecond);
  const std::string keys[] = {"1", "2", "3"};
  for (int i = 0; i < 9; ++i) {
    const TagView tag{"s", keys[i % 3]};
    const FieldView value = number("v", i);
    RowView row = table({&value, 1}, i);
    row.tags = {&tag, 1};
    ASSERT_TRUE(builder.add(row).ok());
  }
  const Batch batch = builder.build();
  std::string out;
  LineMapper mapper(options_, out);
  mapper.next_batch(TimeUnit::kNanosecond);
  ASSERT_TRUE(for_each_row(batch.canonical, [&](const RowView& row) {
                return mapper.row(row, &refused_), true;
              }).ok());
  EXPECT_EQ(out,
            "m,s=1 v=0 0\nm,s=1 v=3 3\nm,s=1 v=6 6\nm,s=2 v=1 1\nm,s=2 v=4 4\nm,s=2 v=7 7\nm,s=3 v=2 "
            "2\nm,s=3 v=5 5\n"
            "m,s=3 v=8 8\n");
}

DeliverableBatch deliverable(const Batch& batch) {
  return {7, batch.canonical, batch.summary, nullptr};
}

TEST(EventTextTest, EveryKindIsOneJsonObjectPerEvent) {
  const BatchHead head{TimeUnit::kMillisecond, 0, "s"};
  EXPECT_THAT(
      events_as_json(deliverable(make_batch(head, std::vector{Deletion{{"root.a\"**"}, -1, 5}}))).value(),
      ElementsAre(R"({"lsn":7,"patterns":["root.a\"**"],"from":-1,"to":5,"unit":"ms"})"));
  EXPECT_THAT(
      events_as_json(deliverable(make_batch(head, EventKind::kOpaque, {{"p", {1, 255}}, {"q", {}}}))).value(),
      ElementsAre(R"({"lsn":7,"protocol":"p","body_hex":"01ff"})",
                  R"({"lsn":7,"protocol":"q","body_hex":""})"));
  EXPECT_THAT(
      events_as_json(deliverable(make_batch(head, std::vector{GapEvent{2, 3, 4, 5, 6, 7}}))).value(),
      ElementsAre(
          R"({"lsn":7,"reason":2,"from":3,"to":4,"events":5,"time_min":6,"time_max":7,"unit":"ms"})"));
  EXPECT_THAT(events_as_json(deliverable(make_batch(head, std::vector{Statistic{"n", "v\xff"}}))).value(),
              ElementsAre(R"({"lsn":7,"name":"n","value_hex":"76ff"})"));
}

TEST(EventTextTest, AKindThatIsNotKnownKeepsItsBytes) {
  Batch batch = make_batch({}, std::vector{Statistic{"n", "v"}});
  batch.summary.kind = static_cast<EventKind>(200);
  EXPECT_THAT(events_as_json(deliverable(batch)).value(),
              ElementsAre(R"({"lsn":7,"kind":200,"canonical_hex":")" + to_hex(batch.canonical) + R"("})"));
}

}  // namespace
}  // namespace tidegate
