// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <map>
#include <random>

#include "pipe/model/owned_row.h"

namespace tidegate {
namespace {

using test::bits_of;
using test::OwnedField;
using test::OwnedRow;
using testing::HasSubstr;

OwnedField number(const char* name, double value) {
  return {name, ValueType::kDouble, ColumnRole::kField, Presence::kValue, bits_of(value)};
}

OwnedRow row_of(std::vector<std::pair<std::string, std::string>> tags, std::vector<OwnedField> fields,
                std::int64_t time = 1) {
  return {Addressing::kTable, "plant", "m", "", std::move(tags), std::move(fields), time};
}

class Builder : public testing::Test {
 protected:
  Status add(const OwnedRow& row) {
    return test::with_view(row, [&](const RowView& view) { return builder_.add(view); });
  }
  void add_all(const std::vector<OwnedRow>& rows) {
    for (const OwnedRow& row : rows) {
      const Status status = add(row);
      ASSERT_TRUE(status.ok()) << status.error().text();
    }
  }
  // Builds, and holds the batch against the naive writer and the reader.
  Batch build_and_check(const std::vector<OwnedRow>& rows) {
    add_all(rows);
    EXPECT_EQ(builder_.rows(), rows.size());
    const std::size_t estimate = builder_.approximate_bytes();
    Batch batch = builder_.build();
    EXPECT_GE(estimate, batch.canonical.size() / 2);
    EXPECT_LE(estimate, batch.canonical.size() * 2);
    EXPECT_TRUE(builder_.empty());
    EXPECT_EQ(to_hex(batch.canonical), to_hex(test::NaiveWriter::write(head_, rows)));
    const auto adopted = adopt_batch(batch.canonical);
    EXPECT_TRUE(adopted.ok()) << adopted.error().text();
    if (adopted.ok()) same_summary(adopted->summary, batch.summary);
    EXPECT_EQ(adopted->hash, batch.hash);
    return batch;
  }
  static void same_summary(const BatchSummary& a, const BatchSummary& b) {
    EXPECT_EQ(a.kind, b.kind);
    EXPECT_EQ(a.unit, b.unit);
    EXPECT_EQ(a.flags, b.flags);
    EXPECT_EQ(a.events, b.events);
    EXPECT_EQ(a.values, b.values);
    EXPECT_EQ(a.time_min, b.time_min);
    EXPECT_EQ(a.time_max, b.time_max);
  }
  void is_refused(const OwnedRow& row, const char* why) {
    const std::size_t rows = builder_.rows();
    const std::size_t bytes = builder_.approximate_bytes();
    const Status status = add(row);
    ASSERT_FALSE(status.ok()) << why;
    EXPECT_EQ(status.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(status.error().detail, HasSubstr(why));
    EXPECT_EQ(builder_.rows(), rows);
    EXPECT_EQ(builder_.approximate_bytes(), bytes);
  }

  BatchHead head_{TimeUnit::kMicrosecond, kFlagByPipeProtocol, "source"};
  BatchBuilder builder_{"source", TimeUnit::kMicrosecond, kFlagByPipeProtocol};
};

TEST_F(Builder, EveryTypeSurvivesToTheBit) {
  const auto field = [](const char* name, ValueType type, std::string bits) {
    return OwnedField{name, type, ColumnRole::kField, Presence::kValue, std::move(bits)};
  };
  const OwnedRow row = row_of(
      {},
      {field("a", ValueType::kBool, bits_of(true)), field("b", ValueType::kInt32, bits_of(INT32_MIN)),
       field("c", ValueType::kInt64, bits_of(INT64_MIN)), field("d", ValueType::kUint64, bits_of(UINT64_MAX)),
       field("e", ValueType::kFloat, bits_of(0xFFA00001U)),             // signalling NaN with a payload
       field("f", ValueType::kDouble, bits_of(0x7FF0000000000123ULL)),  // the same in double
       field("g", ValueType::kDouble, bits_of(-0.0)), field("h", ValueType::kText, std::string("a\0b", 3)),
       field("i", ValueType::kBlob, "\xFF\xFE"), field("j", ValueType::kDate, bits_of(20240229)),
       field("k", ValueType::kTimestamp, bits_of(INT64_MAX)), field("l", ValueType::kText, "")});
  const Batch batch = build_and_check({row});
  EXPECT_THAT(*test::rows_of(batch.canonical), testing::ElementsAre(row));
}

TEST_F(Builder, EveryTimeUnitAndExtremeTimeSurvives) {
  for (const TimeUnit unit :
       {TimeUnit::kSecond, TimeUnit::kMillisecond, TimeUnit::kMicrosecond, TimeUnit::kNanosecond}) {
    head_.unit = unit;
    builder_ = BatchBuilder(head_.source, unit, head_.flags);
    const Batch batch =
        build_and_check({row_of({}, {number("v", 1)}, INT64_MAX), row_of({}, {number("v", 2)}, INT64_MIN)});
    EXPECT_EQ(batch.summary.unit, unit);
    EXPECT_EQ(batch.summary.time_min, INT64_MIN);
    EXPECT_EQ(batch.summary.time_max, INT64_MAX);
  }
}

TEST_F(Builder, NullAndAbsentDiffer) {
  OwnedField null = number("v", 0);
  null.presence = Presence::kNull;
  null.bits.clear();
  const std::vector<OwnedRow> with_null{row_of({}, {number("u", 1), null}),
                                        row_of({}, {number("u", 1), number("v", 2)})};
  const std::vector<OwnedRow> without{row_of({}, {number("u", 1)}),
                                      row_of({}, {number("u", 1), number("v", 2)})};
  const Batch a = build_and_check(with_null);
  const Batch b = build_and_check(without);
  EXPECT_NE(a.hash, b.hash);
  EXPECT_EQ(a.summary.values, 3U);
  EXPECT_THAT(*test::rows_of(a.canonical), testing::ElementsAreArray(with_null));
  EXPECT_THAT(*test::rows_of(b.canonical), testing::ElementsAreArray(without));
}

TEST_F(Builder, AFieldMarkedAbsentIsNotThere) {
  OwnedField absent = number("w", 0);
  absent.presence = Presence::kAbsent;
  const Batch marked = build_and_check({row_of({}, {absent, number("v", 1)})});
  const Batch plain = build_and_check({row_of({}, {number("v", 1)})});
  EXPECT_EQ(marked.hash, plain.hash);
}

TEST_F(Builder, ColumnsWithNullsOnlyAreKept) {
  OwnedField null = number("v", 0);
  null.presence = Presence::kNull;
  null.bits.clear();
  const Batch batch = build_and_check({row_of({}, {null})});
  EXPECT_EQ(batch.summary.values, 0U);
}

TEST_F(Builder, OrderOfSeriesAndFieldsDoesNotMatterOrderOfRowsDoes) {
  const OwnedRow a1 = row_of({{"t", "a"}}, {number("u", 1), number("v", 2)}, 5);
  const OwnedRow a1_turned = row_of({{"t", "a"}}, {number("v", 2), number("u", 1)}, 5);
  const OwnedRow a2 = row_of({{"t", "a"}}, {number("u", 3)}, 4);
  const OwnedRow b = row_of({{"t", "b"}}, {number("v", 9)}, 1);
  const Hash128 hash = build_and_check({a1, b, a2}).hash;
  EXPECT_EQ(build_and_check({b, a1_turned, a2}).hash, hash);
  EXPECT_NE(build_and_check({a2, a1, b}).hash, hash);
}

TEST_F(Builder, RowsThatCannotBeHeldAreRefusedAndLeaveNoTrace) {
  const OwnedRow good = row_of({{"t", "a"}}, {number("v", 1)});
  add_all({good});
  is_refused(row_of({{"b", "1"}, {"a", "2"}}, {number("v", 1)}), "tags must ascend");
  is_refused(row_of({{"a", "1"}, {"a", "2"}}, {number("v", 1)}), "tags must ascend");
  is_refused(row_of({{"t", "a"}}, {number("v", 1), number("v", 2)}), "field \"v\" twice");
  is_refused(row_of({{"t", "z"}}, {number("x", 1), number("y", 2), number("x", 2)}), "field \"x\" twice");
  is_refused(row_of({{"t", "a"}}, {}), "no field");
  OwnedField odd = number("odd", 1);
  odd.type = static_cast<ValueType>(11);
  is_refused(row_of({}, {odd}), "unknown type");
  OwnedRow both = good;
  both.device = "root.d";
  is_refused(both, "device path beside a table");
  both.addressing = Addressing::kTree;
  is_refused(both, "beside a device path");
  EXPECT_EQ(to_hex(builder_.build().canonical), to_hex(test::NaiveWriter::write(head_, {good})));
}

TEST_F(Builder, SameNameWithTwoTypesIsTwoColumns) {
  OwnedField text{"v", ValueType::kText, ColumnRole::kField, Presence::kValue, "x"};
  OwnedField attribute = text;
  attribute.role = ColumnRole::kAttribute;
  const Batch batch = build_and_check({row_of({}, {text, number("v", 1), attribute})});
  EXPECT_EQ(test::rows_of(batch.canonical)->front().fields.size(), 3U);
}

TEST_F(Builder, WideRowsInAnyOrderOfFieldsAreHeld) {
  std::mt19937_64 random(3);
  std::vector<OwnedRow> rows;
  for (int i = 0; i < 20; ++i) {
    std::vector<OwnedField> fields;
    for (int f = 0; f < 200; ++f) fields.push_back(number(("f" + std::to_string(f)).c_str(), f));
    std::ranges::shuffle(fields, random);
    fields.resize(1 + random() % 200);
    rows.push_back(row_of({{"t", std::to_string(i % 3)}}, fields, i));
  }
  build_and_check(rows);
  rows.front().fields.push_back(rows.front().fields.front());
  is_refused(rows.front(), "twice");
}

TEST_F(Builder, ApproximateBytesIsCloseWithoutGaps) {
  std::vector<OwnedRow> rows;
  for (int i = 0; i < 500; ++i) {
    rows.push_back(row_of({{"t", std::to_string(i % 20)}}, {number("u", i), number("v", i)}, i));
  }
  add_all(rows);
  const std::size_t estimate = builder_.approximate_bytes();
  EXPECT_EQ(builder_.build().canonical.size(), estimate);
}

// ---- random rows

class RandomRows {
 public:
  explicit RandomRows(std::uint64_t seed) : random_(seed) {}
  std::vector<OwnedRow> rows() {
    std::vector<OwnedRow> out(1 + random_() % 60);
    for (OwnedRow& row : out) row = this->row();
    return out;
  }

 private:
  std::string word() {
    static const char* const words[] = {"", "a", "b", "ab", "a\xFF", "\x80", "B", "a b"};
    return words[random_() % std::size(words)];
  }
  OwnedRow row() {
    OwnedRow out;
    out.addressing = random_() % 3 == 0 ? Addressing::kTree : Addressing::kTable;
    if (out.addressing == Addressing::kTree) {
      out.device = "root." + word();
    } else {
      out.database = word().substr(0, 1);
      out.table = word().substr(0, 1);
      std::map<std::string, std::string> tags;
      for (std::size_t n = random_() % 3; n > 0; --n) tags[word()] = word();
      out.tags.assign(tags.begin(), tags.end());
    }
    out.time = static_cast<std::int64_t>(random_() % 100) - 50;
    std::map<std::tuple<std::string, ValueType, ColumnRole>, OwnedField> fields;
    for (std::size_t n = 1 + random_() % 4; n > 0; --n) {
      OwnedField field = this->field();
      fields[field.column()] = field;
    }
    for (const auto& [column, field] : fields) out.fields.push_back(field);
    std::ranges::shuffle(out.fields, random_);
    return out;
  }
  OwnedField field() {
    OwnedField out{word(), static_cast<ValueType>(1 + random_() % 10),
                   static_cast<ColumnRole>(random_() % 8 == 0),
                   random_() % 5 == 0 ? Presence::kNull : Presence::kValue, ""};
    if (out.presence == Presence::kNull) return out;
    if (is_text(out.type)) {
      out.bits = word();
    } else if (out.type == ValueType::kBool) {
      out.bits = bits_of(random_() % 2 == 0);
    } else {
      out.bits = bits_of(random_()).substr(0, width_of(out.type));
    }
    return out;
  }

  std::mt19937_64 random_;
};

// Rows by series, each series' rows in order; fields in canonical order.
std::map<OwnedRow, std::vector<OwnedRow>> by_series(std::vector<OwnedRow> rows) {
  std::map<OwnedRow, std::vector<OwnedRow>> out;
  for (OwnedRow& row : rows) {
    std::ranges::sort(row.fields, {}, &OwnedField::column);
    out[{row.addressing, row.database, row.table, row.device, row.tags, {}, 0}].push_back(row);
  }
  return out;
}

TEST_F(Builder, RandomRowsGiveTheNaiveBytesAndReadBackInOrder) {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    const std::vector<OwnedRow> rows = RandomRows(seed).rows();
    const Batch batch = build_and_check(rows);
    const auto back = test::rows_of(batch.canonical);
    ASSERT_TRUE(back.ok()) << seed;
    ASSERT_EQ(by_series(*back), by_series(rows)) << seed;
    if (HasFailure()) FAIL() << "seed " << seed;
  }
}

TEST_F(Builder, ManySeriesKeepTheIndexRight) {
  std::vector<OwnedRow> rows;
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 5000; ++i)
      rows.push_back(row_of({{"t", std::to_string(i)}}, {number("v", i)}, round));
  }
  build_and_check(rows);
  rows.resize(3);
  build_and_check(rows);
}

TEST(ForEachRow, StopsWhenTheCallbackSaysSo) {
  BatchBuilder builder("s", TimeUnit::kSecond);
  for (int i = 0; i < 5; ++i) {
    const OwnedRow row = row_of({}, {number("v", i)}, i);
    ASSERT_TRUE(test::with_view(row, [&](const RowView& view) { return builder.add(view); }).ok());
  }
  int seen = 0;
  EXPECT_TRUE(for_each_row(builder.build().canonical, [&](const RowView&) { return ++seen < 2; }).ok());
  EXPECT_EQ(seen, 2);
}

}  // namespace
}  // namespace tidegate
