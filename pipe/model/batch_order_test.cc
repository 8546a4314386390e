// SPDX-License-Identifier: Apache-2.0
// Bytes that can be read but are not canonical: each test breaks one rule of doc/batch_format.md and nothing
// else.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pipe/model/batch.h"

namespace tidegate {
namespace {

using testing::HasSubstr;

constexpr ValueType kBool = ValueType::kBool;

std::string u32(std::uint32_t value) {
  return {reinterpret_cast<const char*>(&value), 4};
}
std::string i64(std::int64_t value) {
  return {reinterpret_cast<const char*>(&value), 8};
}
std::string str(const std::string& text) {
  return u32(static_cast<std::uint32_t>(text.size())) + text;
}
std::string list(const std::vector<std::string>& items) {
  std::string out = u32(static_cast<std::uint32_t>(items.size()));
  for (const std::string& item : items) out += item;
  return out;
}
std::string byte(int value) {
  return {static_cast<char>(value)};
}
std::string head(int version, int kind, int unit, int flags) {
  return byte(version) + byte(kind) + byte(unit) + byte(flags) + str("s");
}
std::string column(const std::string& name, ValueType type = kBool, int role = 0) {
  return str(name) + byte(static_cast<int>(type)) + byte(role);
}
// A series with one row at time 0 and a bool in each column.
std::string bools(const std::string& key, std::size_t columns = 1) {
  std::string out = key + u32(1) + i64(0);
  for (std::size_t i = 0; i < columns; ++i) out += byte(0) + byte(1);
  return out;
}
std::string tag(const std::string& key, const std::string& value) {
  return str(key) + str(value);
}
std::string machine(const std::string& value) {
  return list({tag("machine", value)});
}
std::string section(const std::string& table, const std::vector<std::string>& columns,
                    const std::vector<std::string>& series, const std::string& database = "d") {
  return byte(1) + str(database) + str(table) + list(columns) + list(series);
}
std::string tree(const std::vector<std::string>& columns, const std::vector<std::string>& series) {
  return byte(0) + str("") + str("") + list(columns) + list(series);
}
std::string one_column(const std::string& name, ValueType type, std::uint32_t rows, const std::string& data) {
  std::string series = machine("1") + u32(rows);
  for (std::uint32_t i = 0; i < rows; ++i) series += i64(i);
  return section("t", {column(name, type)}, {series + data});
}

Status read(const std::string& bytes) {
  const auto summary = summarize(as_bytes(bytes));
  const Status rows = for_each_row(as_bytes(bytes), [](const RowView&) { return true; });
  EXPECT_EQ(summary.ok(), rows.ok()) << "the two readers disagree";
  return summary.ok() ? Status{} : Status{summary.error()};
}
Status read_rows(const std::vector<std::string>& sections) {
  return read(head(1, 1, 0, 0) + list(sections));
}

void accepted(const std::vector<std::string>& sections) {
  const Status status = read_rows(sections);
  EXPECT_TRUE(status.ok()) << status.error().text();
}
void refused(const std::vector<std::string>& sections, const char* why) {
  const Status status = read_rows(sections);
  ASSERT_FALSE(status.ok()) << why;
  EXPECT_EQ(status.error().code, ErrorCode::kNotCanonical) << status.error().text();
  EXPECT_THAT(status.error().detail, HasSubstr(why));
}

TEST(CanonicalOrder, TheSamePartsInOrderAreAccepted) {
  accepted({tree({column("v")}, {bools(str("root.a")), bools(str("root.b"))}),
            section("t", {column("u"), column("v")}, {bools(machine("1"), 2), bools(machine("2"), 2)}),
            section("t", {column("v")}, {bools(machine("3"))})});
}

TEST(CanonicalOrder, ColumnsAscendByNameTypeRole) {
  const auto two = [](const std::string& a, const std::string& b) {
    return std::vector{section("t", {a, b}, {bools(machine("1"), 2)})};
  };
  accepted(two(column("v", kBool, 0), column("v", kBool, 1)));
  refused(two(column("v"), column("u")), "column \"u\" is not after");
  refused(two(column("v"), column("v")), "column \"v\" is not after");
  refused(two(column("v", kBool, 1), column("v", kBool, 0)), "column \"v\" is not after");
  refused({section("t", {column("v", ValueType::kInt32), column("v")},
                   {machine("1") + u32(1) + i64(0) + byte(0) + u32(7) + byte(0) + byte(1)})},
          "column \"v\" is not after");
}

TEST(CanonicalOrder, UnknownTypesAndRolesAreRefused) {
  refused({section("t", {column("v", static_cast<ValueType>(0))}, {bools(machine("1"))})}, "type 0");
  refused({section("t", {column("v", static_cast<ValueType>(11))}, {bools(machine("1"))})}, "type 11");
  refused({section("t", {column("v", kBool, 2)}, {bools(machine("1"))})}, "role 2");
}

TEST(CanonicalOrder, SeriesAscendByKey) {
  const auto two = [](const std::string& a, const std::string& b) {
    return std::vector{section("t", {column("v")}, {bools(a), bools(b)})};
  };
  accepted(two(list({tag("a", "1")}), list({tag("a", "1"), tag("b", "1")})));
  accepted(two(list({tag("a", "10")}), list({tag("a", "2")})));
  accepted(two(list({tag("a", "a")}), list({tag("a", "\x80")})));
  accepted(two(list({}), list({tag("a", "")})));
  refused(two(machine("2"), machine("1")), "a series of table \"t\" is not after");
  refused(two(machine("1"), machine("1")), "a series of table \"t\" is not after");
  refused(two(list({tag("a", "1"), tag("b", "1")}), list({tag("a", "1")})), "is not after");
  refused(two(list({tag("b", "1")}), list({tag("a", "2")})), "is not after");
  refused({tree({column("v")}, {bools(str("root.b")), bools(str("root.a"))})},
          "device \"root.a\" is not after");
}

TEST(CanonicalOrder, TagsAscendInsideAKey) {
  refused({section("t", {column("v")}, {bools(list({tag("b", "1"), tag("a", "1")}))})},
          "tag \"a\" is not after");
  refused({section("t", {column("v")}, {bools(list({tag("a", "1"), tag("a", "2")}))})},
          "tag \"a\" is not after");
}

TEST(CanonicalOrder, SectionsAscend) {
  const auto of = [](const char* database, const char* table, const char* name, const char* value) {
    return section(table, {column(name)}, {bools(machine(value))}, database);
  };
  refused({of("d", "u", "v", "1"), of("d", "t", "v", "1")}, "section of table \"t\" is not after");
  refused({of("e", "t", "v", "1"), of("d", "u", "v", "1")}, "section of table \"u\" is not after");
  refused({of("d", "t", "v", "1"), of("d", "t", "u", "2")}, "columns of two sections");
  refused({of("d", "t", "v", "1"), of("d", "t", "v", "2")}, "columns of two sections");
  refused({of("d", "t", "v", "1"), tree({column("v")}, {bools(str("root.a"))})}, "is not after");
  accepted({of("d", "t", "v", "1"), of("d", "u", "v", "1"), of("e", "a", "v", "1")});
}

TEST(CanonicalOrder, ASeriesStandsInOneSectionOnly) {
  refused({section("t", {column("u")}, {bools(machine("1"))}),
           section("t", {column("v")}, {bools(machine("1"))})},
          "a series stands in two sections");
  refused({tree({column("u")}, {bools(str("root.a"))}), tree({column("v")}, {bools(str("root.a"))}),
           section("t", {column("v")}, {bools(machine("1"))})},
          "a series stands in two sections");
}

TEST(CanonicalOrder, NothingEmptyStandsForNothing) {
  accepted({});
  refused({section("t", {column("v")}, {}),
           section("u", {column("v")}, {bools(machine("1")), bools(machine("2"))})},
          "without series");
  refused({section("t", {}, {bools(machine("1111"), 0)})}, "without columns");
  refused({section("t", {column("v")}, {machine("1") + u32(0) + byte(0) + std::string(16, '\0')})},
          "without rows");
}

TEST(CanonicalOrder, TreeSectionsNameNoTable) {
  refused({byte(0) + str("d") + str("") + list({column("v")}) + list({bools(str("root.a"))})},
          "tree series names");
  refused({byte(0) + str("") + str("t") + list({column("v")}) + list({bools(str("root.a"))})},
          "tree series names");
  refused({byte(2) + str("") + str("t") + list({column("v")}) + list({bools(str("root.a"))})},
          "addressing 2");
}

TEST(CanonicalOrder, PresenceIsGivenExactlyWhereNeeded) {
  accepted({one_column("v", kBool, 2, byte(1) + byte(0) + byte(1) + byte(1))});
  accepted({one_column("v", kBool, 2, byte(1) + byte(1) + byte(1))});
  refused({one_column("v", kBool, 2, byte(1) + byte(0) + byte(0) + byte(1) + byte(1))},
          "presence bytes and all values");
  refused({one_column("v", kBool, 2, byte(1) + byte(2) + byte(2))}, "used by no row");
  refused({one_column("v", kBool, 2, byte(1) + byte(0) + byte(3) + byte(1))}, "other than 0, 1, 2");
  refused({one_column("v", kBool, 2, byte(2) + byte(0) + byte(1) + byte(1))}, "presence flag 2");
}

TEST(CanonicalOrder, EveryRowHasAValueOrANull) {
  refused({one_column("v", kBool, 2, byte(1) + byte(0) + byte(2) + byte(1))},
          "row 1 of a series has neither");
  const std::string times = u32(2) + i64(0) + i64(0);
  const std::string first = byte(1) + byte(0) + byte(2) + byte(1);
  const std::string second = byte(1) + byte(2) + byte(1);
  accepted({section("t", {column("u"), column("v")}, {machine("1") + times + first + second})});
  refused({section("t", {column("u"), column("v")}, {machine("1") + times + first + first})},
          "row 1 of a series");
}

TEST(CanonicalOrder, BoolsAreZeroOrOne) {
  refused({one_column("v", kBool, 1, byte(0) + byte(2))}, "neither 0 nor 1");
}

TEST(CanonicalHead, OtherVersionsAndFlagsAreUnsupported) {
  EXPECT_EQ(read(head(2, 1, 0, 0) + list({})).error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(read(head(1, 1, 0, 2) + list({})).error().code, ErrorCode::kUnsupported);
  EXPECT_TRUE(read(head(1, 1, 3, 1) + list({})).ok());
}

TEST(CanonicalHead, TimeUnitAboveNanosecondsIsMalformed) {
  EXPECT_EQ(read(head(1, 1, 4, 0) + list({})).error().code, ErrorCode::kMalformed);
}

TEST(CanonicalHead, KindsWithoutTimesHaveUnitZero) {
  for (const int kind : {3, 4, 5, 6, 8, 9}) {
    EXPECT_TRUE(summarize(as_bytes(head(1, kind, 0, 0) + list({}))).ok()) << kind;
    EXPECT_EQ(summarize(as_bytes(head(1, kind, 1, 0) + list({}))).error().code, ErrorCode::kNotCanonical)
        << kind;
  }
  for (const int kind : {1, 2, 7})
    EXPECT_TRUE(summarize(as_bytes(head(1, kind, 1, 0) + list({}))).ok()) << kind;
}

TEST(CanonicalHead, UnknownKindIsCarriedAsItIs) {
  const std::string bytes = head(1, 77, 2, 0x80) + "whatever";
  const auto batch = adopt_batch(to_bytes(as_bytes(bytes)));
  ASSERT_TRUE(batch.ok());
  EXPECT_EQ(static_cast<int>(batch->summary.kind), 77);
  EXPECT_EQ(batch->summary.events, 0U);
  EXPECT_EQ(batch->summary.unit, TimeUnit::kSecond);
  EventKind kind{};
  EXPECT_EQ(read_head(as_bytes(bytes), &kind)->source, "s");
}

TEST(CanonicalCounts, CountsBeyondTheInputAreMalformedBeforeAnyMemoryIsTaken) {
  const std::string huge = u32(0xFFFFFFFF);
  EXPECT_EQ(read(head(1, 1, 0, 0) + huge).error().code, ErrorCode::kMalformed);
  EXPECT_EQ(read_rows({byte(1) + str("d") + str("t") + huge + std::string(64, '\0')}).error().code,
            ErrorCode::kMalformed);
  EXPECT_EQ(
      read_rows({section("t", {column("v")}, {machine("1") + huge + std::string(64, '\0')})}).error().code,
      ErrorCode::kMalformed);
  for (const int kind : {2, 3, 4, 5, 6, 7, 8, 9}) {
    EXPECT_EQ(summarize(as_bytes(head(1, kind, 0, 0) + huge)).error().code, ErrorCode::kMalformed);
  }
  EXPECT_EQ(read_files(as_bytes(head(1, 5, 0, 0) + huge)).error().code, ErrorCode::kMalformed);
}

}  // namespace
}  // namespace tidegate
