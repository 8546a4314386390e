// SPDX-License-Identifier: Apache-2.0
#include "protocol/influx/line_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <deque>
#include <limits>
#include <random>

#include "protocol/influx/parse_for_test.h"

namespace tidegate::influx {
namespace {

using ::testing::HasSubstr;

std::string written(const Point& point, WriterOptions options = {}) {
  std::string out;
  const Status status = LineWriter(options, out).write(point);
  return status.ok() ? out : "refused";
}

std::string refusal(const Point& point, WriterOptions options = {}) {
  std::string out = "kept\n";
  const Status status = LineWriter(options, out).write(point);
  EXPECT_EQ(out, status.ok() ? out : "kept\n") << "a refused line leaves no trace";
  if (status.ok()) return "written";
  EXPECT_EQ(status.error().code, ErrorCode::kUnrepresentable);
  return status.error().detail;
}

Point with_measurement(std::string_view name) {
  return {name, {}, {{"f", true}}, 0};
}
Point with_tag(std::string_view key, std::string_view value) {
  return {"m", {{key, value}}, {{"f", true}}, 0};
}
Point with_field(std::string_view key, FieldValue value) {
  return {"m", {}, {{key, value}}, 0};
}

TEST(LineWriter, WritesTheFiveTypesSortedTagsAndTheTime) {
  const Point point{"m",
                    {{"b", "2"}, {"a", "1"}},
                    {{"f", 1.5}, {"i", std::int64_t{-3}}, {"u", std::uint64_t{7}}, {"t", true}, {"s", "x"}},
                    -5};
  EXPECT_EQ(written(point), "m,a=1,b=2 f=1.5,i=-3i,u=7i,t=true,s=\"x\" -5\n");
}

TEST(LineWriter, EscapesOnlyWhatMustBeEscaped) {
  const Point point{"m,a b=c", {{"k,= x\\y", "v,= \"x"}}, {{"f,= \"\\z", "a\"b\\c\nd,e"}}, 1};
  EXPECT_EQ(written(point),
            "m\\,a\\ b=c,k\\,\\=\\ x\\y=v\\,\\=\\ \"x f\\,\\=\\ \"\\z=\"a\\\"b\\\\c\nd,e\" 1\n");
}

TEST(LineWriter, FloatsAreShortestAndNeverInAFormThatSomeServerRefuses) {
  const std::vector<std::pair<double, std::string>> cases = {
      {1.0, "1"},      {0.5, "0.5"},    {-0.0, "-0"},      {0.1, "0.1"},
      {1e-7, "1e-07"}, {1e22, "1e+22"}, {5e-324, "5e-324"}};
  for (const auto& [value, text] : cases) EXPECT_EQ(written(with_field("f", value)), "m f=" + text + " 0\n");
}

TEST(LineWriter, RefusesWhatHasNoFormInLineProtocol) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THAT(refusal(with_field("f", nan)), HasSubstr("\"f\" is NaN"));
  EXPECT_THAT(refusal(with_field("f", -std::numeric_limits<double>::infinity())), HasSubstr("infinite"));
  EXPECT_THAT(refusal(with_field("f", "\xff")), HasSubstr("not UTF-8"));
  Point late = with_field("f", 1.0);
  late.time = INT64_MAX;
  EXPECT_THAT(refusal(late), HasSubstr("outside"));
  late.time = 9223372037;
  EXPECT_THAT(refusal(late, {.unit = Unit::kSecond}), HasSubstr("outside"));
}

TEST(LineWriter, RefusesNamesThatSomeServerWouldMisread) {
  const std::vector<std::pair<std::string_view, std::string_view>> names = {
      {"", "is empty"},
      {"a\nb", "control"},
      {"a\tb", "control"},
      {"a\x7f", "control"},
      {"a\\", "ends in a backslash"},
      {"a\\,b", "backslash before a comma"},
      {"a\\ b", "backslash before"},
      {"a\\=b", "backslash before"},
      {"a\\\\b", "two backslashes"},
      {"a\xff", "not UTF-8"}};
  for (const auto& [name, why] : names) {
    EXPECT_THAT(refusal(with_measurement(name)), HasSubstr(why));
    EXPECT_THAT(refusal(with_tag(name, "v")), HasSubstr(why));
    EXPECT_THAT(refusal(with_tag("k", name)), HasSubstr(why));
    EXPECT_THAT(refusal(with_field(name, 1.0)), HasSubstr(why));
  }
  EXPECT_THAT(refusal(with_measurement("#m")), HasSubstr("comment"));
  EXPECT_THAT(refusal(with_tag("time", "v")), HasSubstr("reserved"));
  EXPECT_THAT(refusal(with_field("time", 1.0)), HasSubstr("reserved"));
  EXPECT_THAT(refusal(with_field("a\\\"b", 1.0)), HasSubstr("before a quote"));
}

TEST(LineWriter, BackslashPairsFollowTheTarget) {
  const Point point = with_tag("k", "a\\\\b\\c");
  EXPECT_EQ(written(point, {.target = WriterTarget::kV1}), "m,k=a\\\\b\\c f=true 0\n");
  EXPECT_EQ(written(point, {.target = WriterTarget::kV3}), "m,k=a\\\\\\\\b\\c f=true 0\n");
}

TEST(LineWriter, OnlyTheV1TargetTakesBrokenUtf8AndOnlyInValues) {
  const WriterOptions v1{.target = WriterTarget::kV1};
  EXPECT_EQ(written(with_tag("k", "\xff"), v1), "m,k=\xff f=true 0\n");
  EXPECT_EQ(written(with_field("f", "\xff"), v1), "m f=\"\xff\" 0\n");
  EXPECT_THAT(refusal(with_field("\xff", 1.0), v1), HasSubstr("not UTF-8"));
}

TEST(LineWriter, UnsignedIntegersFollowThePolicy) {
  const WriterOptions native{.unsigned_policy = UnsignedPolicy::kNative};
  EXPECT_EQ(written(with_field("f", std::uint64_t{INT64_MAX})), "m f=9223372036854775807i 0\n");
  EXPECT_THAT(refusal(with_field("f", std::uint64_t{1} << 63)), HasSubstr("9223372036854775808"));
  EXPECT_EQ(written(with_field("f", std::uint64_t{1} << 63), native), "m f=9223372036854775808u 0\n");
}

TEST(LineWriter, AKeyMayHaveAsManyBytesAsTheServersAllow) {
  const std::string name(65535 - 4 - 1, 'm');
  EXPECT_NE(written(with_measurement(name)), "refused");
  EXPECT_THAT(refusal(with_measurement(name + "m")), HasSubstr("65536 bytes"));
}

TEST(LineWriter, APointNeedsFieldsAndATime) {
  std::string out;
  LineWriter writer({}, out);
  EXPECT_EQ(writer.write({"m", {}, {}, 0}).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(writer.write({"m", {}, {{"f", 1.0}}, std::nullopt}).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(out, "");
}

TEST(LineWriter, PiecewiseTagsMustAscend) {
  std::string out;
  LineWriter writer({}, out);
  ASSERT_TRUE(writer.begin("m").ok());
  ASSERT_TRUE(writer.tag("b", "1").ok());
  EXPECT_EQ(writer.tag("b", "2").error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(out, "");
}

TEST(LineWriter, ASeriesIsEncodedOnceAndUsedForManyLines) {
  std::string out;
  LineWriter writer({}, out);
  ASSERT_TRUE(writer.begin("m x").ok());
  ASSERT_TRUE(writer.tag("k", "v w").ok());
  const std::string series(writer.series());
  ASSERT_TRUE(writer.field("f", 1.0).ok());
  ASSERT_TRUE(writer.end(1).ok());
  writer.begin_series(series);
  ASSERT_TRUE(writer.field("f", 2.0).ok());
  ASSERT_TRUE(writer.end(2).ok());
  EXPECT_EQ(out, "m\\ x,k=v\\ w f=1 1\nm\\ x,k=v\\ w f=2 2\n");
}

// Draws points out of the characters that matter to the format.
class PointMaker {
 public:
  explicit PointMaker(std::uint64_t seed) : random_(seed) {}

  Point next() {
    texts_.clear();
    Point point{text(), {}, {}, static_cast<std::int64_t>(random_())};
    for (std::size_t n = random_() % 4; n > 0; --n) {
      const Tag tag{text(), text()};
      const auto same = [&](const Tag& other) { return other.key == tag.key; };
      if (std::none_of(point.tags.begin(), point.tags.end(), same)) point.tags.push_back(tag);
    }
    std::sort(point.tags.begin(), point.tags.end(), [](auto& a, auto& b) { return a.key < b.key; });
    for (std::size_t n = 1 + random_() % 4; n > 0; --n)
      point.fields.push_back(
          {std::string_view(texts_.emplace_back(std::string(text()) + std::to_string(n))), value()});
    return point;
  }

 private:
  std::string_view text() {
    static constexpr std::string_view kPieces[] = {"a", ",", "=", " ",  "\\",   "\"",
                                                   "é", "#", "n", "\n", "\xff", "1"};
    std::string& out = texts_.emplace_back();
    for (std::size_t n = random_() % 6; n > 0; --n)
      out += kPieces[random_() % (random_() % 16 == 0 ? std::size(kPieces) : 9)];
    return out;
  }

  FieldValue value() {
    switch (random_() % 5) {
      case 0:
        return std::bit_cast<double>(random_());
      case 1:
        return static_cast<std::int64_t>(random_());
      case 2:
        return random_() >> (random_() % 2);
      case 3:
        return random_() % 2 == 0;
      default:
        return text();
    }
  }

  std::mt19937_64 random_;
  std::deque<std::string> texts_;
};

// Reads one line back; every difference to `point` is a test failure.
void expect_reads_back(Dialect dialect, const Point& point, const std::string& line) {
  ParserOptions options;
  options.dialect = dialect;
  LineParser parser(options);
  parser.feed(line);
  parser.finish();
  ASSERT_EQ(parser.next(), LineParser::Step::kPoint) << line << parser.error().reason;
  EXPECT_TRUE(parser.point() == point) << line << testing::show(parser.point()) << "\n"
                                       << testing::show(point);
  EXPECT_EQ(parser.next(), LineParser::Step::kEnd) << line;
}

int count_round_trips(WriterTarget target, const std::vector<Dialect>& dialects) {
  PointMaker maker(42);
  int done = 0;
  for (int i = 0; i < 20000; ++i) {
    const Point point = maker.next();
    const std::string line = written(point, {.target = target, .unsigned_policy = UnsignedPolicy::kNative});
    if (line == "refused") continue;
    ++done;
    for (const Dialect dialect : dialects) expect_reads_back(dialect, point, line);
    if (::testing::Test::HasFailure()) break;
  }
  return done;
}

TEST(LineWriter, WhatIsWrittenPortablyReadsBackEqualInBothDialects) {
  EXPECT_GT(count_round_trips(WriterTarget::kPortable, {Dialect::kV1, Dialect::kStandard}), 1000);
}

TEST(LineWriter, WhatIsWrittenForV1ReadsBackEqual) {
  EXPECT_GT(count_round_trips(WriterTarget::kV1, {Dialect::kV1}), 1000);
}

}  // namespace
}  // namespace tidegate::influx
