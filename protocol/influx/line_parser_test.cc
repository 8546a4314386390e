// SPDX-License-Identifier: Apache-2.0
#include "protocol/influx/line_parser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "protocol/influx/parse_for_test.h"

namespace tidegate::influx {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::parse;
using testing::parse_pieces;
using testing::Parsed;
using ::testing::SizeIs;

constexpr Dialect kDialects[] = {Dialect::kV1, Dialect::kStandard};

ParserOptions standard() {
  ParserOptions options;
  options.dialect = Dialect::kStandard;
  return options;
}

ParserOptions with_precision(Precision precision, bool keep_unit = true) {
  ParserOptions options;
  options.precision = precision;
  options.keep_unit = keep_unit;
  return options;
}

std::string error_of(const ParserOptions& options, std::string_view body) {
  const Parsed parsed = parse(options, body);
  return parsed.errors.size() == 1 && parsed.points.empty() ? parsed.errors.front().reason : "not one error";
}

std::string point_of(const ParserOptions& options, std::string_view body) {
  const Parsed parsed = parse(options, body);
  return parsed.points.size() == 1 && parsed.errors.empty() ? parsed.points.front() : "not one point";
}

// Everything that makes a line end hard to find, and errors in between.
constexpr std::string_view kMixedBody =
    "# a comment with \" and \\\n"
    "m,t=a\\ b f=1,g=\"x\ny\" 5\n"
    "\n"
    "garbage\n"
    "m f=\"a\\\"b\\\\\",h=t,i=-3i 6\n"
    "  m\\,n,b=2,a=1 f=2.5e3 -7\n"
    "m f=\"open\n";

TEST(LineParser, PiecesCutAtAnyByteGiveWhatTheWholeBodyGives) {
  for (const Dialect dialect : kDialects) {
    ParserOptions options;
    options.dialect = dialect;
    const Parsed whole = parse(options, kMixedBody);
    ASSERT_THAT(whole.steps, SizeIs(5));
    for (std::size_t a = 0; a <= kMixedBody.size(); ++a)
      for (std::size_t b = a; b <= kMixedBody.size(); ++b) {
        const Parsed cut = parse_pieces(
            options, {kMixedBody.substr(0, a), kMixedBody.substr(a, b - a), kMixedBody.substr(b)});
        ASSERT_EQ(cut.steps, whole.steps) << "cut at " << a << " and " << b;
      }
  }
}

TEST(LineParser, PiecesOfOneByteGiveWhatTheWholeBodyGives) {
  std::vector<std::string_view> bytes;
  for (std::size_t i = 0; i < kMixedBody.size(); ++i) bytes.push_back(kMixedBody.substr(i, 1));
  EXPECT_EQ(parse_pieces({}, bytes).steps, parse({}, kMixedBody).steps);
}

TEST(LineParser, NamesThePhysicalLineOnWhichAPointStarts) {
  EXPECT_THAT(
      parse({}, kMixedBody).steps,
      ElementsAre("2: m{t=a b} f=float:1,g=string:x\ny @5", "5: unable to parse 'garbage': missing fields",
                  "6: m{} f=string:a\"b\\,h=boolean:true,i=integer:-3 @6", "7: m,n{a=1,b=2} f=float:2500 @-7",
                  "8: unable to parse 'm f=\"open\n': unbalanced quotes"));
}

TEST(LineParser, ABadLineCostsOnlyItself) {
  const Parsed parsed = parse({}, "m f=1 1\nm f=x 2\nm,t f=1 3\nm f=2 4");
  EXPECT_THAT(parsed.points, ElementsAre("m{} f=float:1 @1", "m{} f=float:2 @4"));
  ASSERT_THAT(parsed.errors, SizeIs(2));
  EXPECT_EQ(parsed.errors[0].line, 2U);
  EXPECT_EQ(parsed.errors[1].line, 3U);
}

TEST(LineParser, AnErrorNamesTheColumnWhereReadingStopped) {
  const Parsed parsed = parse({}, "  m,t f=1");
  ASSERT_THAT(parsed.errors, SizeIs(1));
  EXPECT_EQ(parsed.errors[0].column, 4U);
  EXPECT_EQ(parsed.errors[0].text, "m,t f=1");
}

TEST(LineParser, AnOddQuoteInACommentDoesNotSwallowTheLinesBehindIt) {
  for (const Dialect dialect : kDialects) {
    ParserOptions options;
    options.dialect = dialect;
    EXPECT_EQ(point_of(options, "# x=\"\nm f=1 5"), "m{} f=float:1 @5");
  }
}

TEST(LineParser, ABlankBodyHasNoPointAndNoError) {
  for (const std::string_view body : {"", "\n", "  \n\t\n", "# only\n#comments", " # x"}) {
    const Parsed parsed = parse({}, body);
    EXPECT_THAT(parsed.steps, IsEmpty()) << body;
  }
}

TEST(LineParser, TagsComeSortedByKeyAndTwiceTheSameKeyIsRefused) {
  EXPECT_EQ(point_of({}, "m,c=3,b\\ x=2,a=1 f=1"), "m{a=1,b x=2,c=3} f=float:1");
  EXPECT_EQ(error_of({}, "m,b=1,a=2,b=3 f=1"), "duplicate tags");
  EXPECT_EQ(error_of(standard(), "m,b=1,a=2,b=3 f=1"), "duplicate tags");
}

TEST(LineParser, TheLastValueOfARepeatedFieldWins) {
  EXPECT_EQ(point_of({}, "m a=1,b=2i,a=\"x\",a=t"), "m{} a=boolean:true,b=integer:2");
}

TEST(LineParser, TheLastValueOfARepeatedFieldWinsInWideLinesToo) {
  std::string line = "m ";
  std::string expected = "m{} ";
  for (int i = 0; i < 100; ++i) {
    const std::string key = "f" + std::to_string(i);
    line += key + "=" + std::to_string(i) + "i,";
    expected += (i == 0 ? "" : ",") + key + "=integer:" + std::to_string(i == 7 ? 3 : i);
  }
  EXPECT_EQ(point_of({}, line + "f7=1i,f7=2i,f7=3i"), expected);
}

TEST(LineParser, UnsignedIntegersAreTakenUnlessSwitchedOff) {
  EXPECT_EQ(point_of({}, "m f=18446744073709551615u"), "m{} f=unsigned:18446744073709551615");
  EXPECT_THAT(error_of({}, "m f=18446744073709551616u"), HasSubstr("value out of range"));
  EXPECT_EQ(error_of({}, "m f=-1u"), "invalid number");
}

TEST(LineParser, TextBehindAStringIsRefusedOnRequest) {
  ParserOptions options;
  options.accept_string_tail = false;
  EXPECT_EQ(error_of(options, "m f=\"a\"b"), "text after the closing quote of a string");
  EXPECT_EQ(error_of(options, "m f=\"a\"\r"), "text after the closing quote of a string");
  EXPECT_EQ(point_of(options, "m f=\"a\""), "m{} f=string:a");
}

TEST(LineParser, LinesThatMakeAServerCrashAreRefused) {
  EXPECT_EQ(error_of({}, "0 \\\\=\"=\""), "invalid field format");
  EXPECT_EQ(error_of({}, std::string_view("m \0=\",\"=3,\"=\"\0", 14)), "missing field key");
}

TEST(LineParser, AFieldNamedTimeIsRefusedEvenBesideOthers) {
  EXPECT_THAT(error_of({}, "m a=1,time=2"), HasSubstr("input field \"time\""));
  EXPECT_EQ(point_of(standard(), "m time=1"), "m{} time=float:1");
}

TEST(LineParser, BrokenUtf8IsTakenInValuesAndRefusedInNames) {
  EXPECT_EQ(point_of({}, "m,t=\xff f=\"\xfe\""), "m{t=\xff} f=string:\xfe");
  EXPECT_EQ(error_of({}, "m\xff f=1"), "measurement contains invalid UTF-8");
  EXPECT_EQ(error_of({}, "m \xc0\x80=1"), "field name contains invalid UTF-8");
  EXPECT_EQ(error_of(standard(), "m,t=\xff f=1"), "invalid UTF-8");
  EXPECT_EQ(error_of(standard(), "m f=\"\xff\""), "invalid UTF-8");
}

TEST(LineParser, NulIsBlankBeforeAPointAndAByteLikeAnyOtherInside) {
  EXPECT_EQ(point_of({}, std::string_view("\0m f=1", 6)), "m{} f=float:1");
  const std::string_view inside("m,t=a\0b f=\"\0\"", 13);
  EXPECT_EQ(point_of({}, inside), std::string("m{t=a\0b} f=string:\0", 19));
  EXPECT_EQ(error_of(standard(), inside), "invalid tag format");
}

TEST(LineParser, TheStandardDialectTakesCrLfAndTheV1DialectDoesNot) {
  const std::string_view body = "m f=1 5\r\nm f=\"a\"\r\n\r\n# c\r\nm f=2 \r";
  EXPECT_THAT(parse(standard(), body).steps,
              ElementsAre("1: m{} f=float:1 @5", "2: m{} f=string:a", "5: m{} f=float:2"));
  EXPECT_EQ(error_of({}, "m f=1 5\r\n"), "bad timestamp");
}

TEST(LineParser, OnlyTheStandardDialectDecodesControlEscapesInStrings) {
  EXPECT_EQ(point_of(standard(), R"(m f="a\n\t\r\\\"\x")"), "m{} f=string:a\n\t\r\\\"\\x");
  EXPECT_EQ(point_of({}, R"(m f="a\n\t\r\\\"\x")"), R"(m{} f=string:a\n\t\r\"\x)");
}

TEST(LineParser, ATimeStaysInTheDeclaredUnitOrBecomesNanoseconds) {
  const Precision ms{Unit::kMillisecond};
  EXPECT_EQ(point_of(with_precision(ms), "m f=1 1500"), "m{} f=float:1 @1500");
  EXPECT_EQ(point_of(with_precision(ms, false), "m f=1 1500"), "m{} f=float:1 @1500000000");
  EXPECT_EQ(LineParser(with_precision(ms)).unit(), Unit::kMillisecond);
  EXPECT_EQ(LineParser(with_precision(ms, false)).unit(), Unit::kNanosecond);
}

TEST(LineParser, MinutesAndHoursBecomeSeconds) {
  const Precision hours = parse_precision(Api::kV1, "h").value();
  EXPECT_EQ(point_of(with_precision(hours), "m f=1 -2"), "m{} f=float:1 @-7200");
  EXPECT_EQ(LineParser(with_precision(hours)).unit(), Unit::kSecond);
}

TEST(LineParser, ATimeThatNanosecondsCannotHoldIsRefusedInEveryUnit) {
  const std::string_view reason = "time outside range -9223372036854775806 - 9223372036854775806";
  EXPECT_EQ(point_of(with_precision({Unit::kSecond}), "m f=1 9223372036"), "m{} f=float:1 @9223372036");
  EXPECT_EQ(error_of(with_precision({Unit::kSecond}), "m f=1 9223372037"), reason);
  EXPECT_EQ(error_of(with_precision({Unit::kSecond, 3600}), "m f=1 9223372036854775807"), reason);
  EXPECT_EQ(error_of(with_precision({Unit::kMillisecond}), "m f=1 -9223372036855"), reason);
}

TEST(LineParser, ALineThatIsTooLongIsRefusedAndDoesNotGrowTheBuffer) {
  ParserOptions options;
  options.max_line_bytes = 64;
  const std::string fits = "m f=\"" + std::string(64 - 6, 'x') + "\"";
  const std::string long_line = "m f=\"" + std::string(5000, '\n') + "\"";
  const Parsed parsed = parse(options, fits + "\n" + long_line + "\nm f=1 5");
  EXPECT_THAT(parsed.points, ElementsAre(HasSubstr("xxx"), "m{} f=float:1 @5"));
  ASSERT_THAT(parsed.errors, SizeIs(1));
  EXPECT_EQ(parsed.errors[0].fault, LineFault::kLimit);
  EXPECT_EQ(parsed.errors[0].reason, "the line has more than 64 bytes");

  const std::string body = fits + "\n" + long_line + "\nm f=1 5";
  std::vector<std::string_view> bytes;
  for (std::size_t i = 0; i < body.size(); ++i) bytes.push_back(std::string_view(body).substr(i, 1));
  EXPECT_EQ(parse_pieces(options, bytes).points, parsed.points);
}

TEST(LineParser, AKeyMayHaveAsManyBytesAsTheServersAllow) {
  const std::string name(65535 - 4 - 1, 'm');
  EXPECT_EQ(point_of({}, name + " f=1"), name + "{} f=float:1");
  EXPECT_EQ(error_of({}, name + " fg=1"), "max key length exceeded: 65536 > 65535");
  EXPECT_EQ(error_of({}, name + "mmmmmm f=1"), "max key length exceeded: 65536 > 65535");
}

TEST(LineParser, ALineMayHaveAsManyFieldsAsTheLimitSays) {
  ParserOptions options;
  options.max_fields = 2;
  EXPECT_EQ(point_of(options, "m a=1,b=2"), "m{} a=float:1,b=float:2");
  EXPECT_EQ(error_of(options, "m a=1,b=2,c=3"), "more than 2 fields");
}

TEST(LineParser, TheQuotedTextOfAnErrorIsCut) {
  ParserOptions options;
  options.max_error_text = 5;
  EXPECT_EQ(parse(options, "garbage").errors.at(0).message(), "unable to parse 'garba': missing fields");
}

struct NumberCase {
  std::string_view token;
  std::string_view v1;
  std::string_view standard;
};

TEST(LineParser, NumbersThatAreNoneAreRefusedWithTheServersReason) {
  constexpr NumberCase kCases[] = {
      {"-", "invalid number", "invalid float"},     {".", "invalid number", "invalid float"},
      {"-.", "invalid number", "invalid float"},    {"-i", "invalid number", "invalid number"},
      {"1.5i", "invalid number", "invalid number"}, {"1e5i", "invalid number", "invalid number"},
      {"9i10", "invalid number", "invalid float"},  {"1.1.1", "invalid number", "invalid float"},
      {"1ee5", "invalid float", "invalid float"},   {"-inf", "invalid number", "invalid float"},
      {"-nan", "invalid number", "invalid float"},  {"0x10", "invalid number", "invalid float"},
      {"1_000", "invalid number", "invalid float"}, {"1-", "invalid number", "invalid float"},
      {"-1e999", "invalid float", "invalid float"}, {"1e-", "invalid float", "invalid float"},
      {"nan", "invalid number", "invalid boolean"}, {"1\t", "invalid number", "invalid float"},
  };
  for (const NumberCase& number : kCases) {
    const std::string line = "m f=" + std::string(number.token);
    EXPECT_EQ(error_of({}, line), number.v1) << line;
    EXPECT_EQ(error_of(standard(), line), number.standard) << line;
  }
}

TEST(LineParser, FloatsAreReadToTheNearestDouble) {
  const std::vector<std::pair<std::string_view, double>> cases = {
      {"0.1", 0.1},
      {"1e-400", 0.0},
      {"5e-324", 5e-324},
      {"1.7976931348623157e308", 1.7976931348623157e308},
      {"123456789012345678901234567890", 123456789012345678901234567890.0},
      {"-0.", -0.0},
      {"1.e5", 1e5}};
  for (const auto& [token, value] : cases)
    for (const Dialect dialect : kDialects) {
      ParserOptions options;
      options.dialect = dialect;
      LineParser parser(options);
      const std::string line = "m f=" + std::string(token);
      parser.feed(line);
      parser.finish();
      ASSERT_EQ(parser.next(), LineParser::Step::kPoint) << token;
      const double read = std::get<double>(parser.point().fields.at(0).value);
      EXPECT_EQ(std::bit_cast<std::uint64_t>(read), std::bit_cast<std::uint64_t>(value)) << token;
    }
}

TEST(Precision, NamesAreThoseOfTheApi) {
  EXPECT_EQ(parse_precision(Api::kV1, ""), Precision{});
  EXPECT_EQ(parse_precision(Api::kV1, "m"), (Precision{Unit::kSecond, 60}));
  EXPECT_EQ(parse_precision(Api::kV1, "u"), Precision{Unit::kMicrosecond});
  EXPECT_EQ(parse_precision(Api::kV2, "us"), Precision{Unit::kMicrosecond});
  EXPECT_EQ(parse_precision(Api::kV2, "h"), std::nullopt);
  EXPECT_EQ(parse_precision(Api::kV3, "auto"), std::nullopt);
  EXPECT_EQ(parse_precision(Api::kV1, "bogus"), std::nullopt);
}

TEST(Precision, EveryNameThatIsSentIsUnderstood) {
  for (const Api api : {Api::kV1, Api::kV2, Api::kV3})
    for (const Unit unit : {Unit::kSecond, Unit::kMillisecond, Unit::kMicrosecond, Unit::kNanosecond})
      EXPECT_EQ(parse_precision(api, precision_name(api, unit)), Precision{unit});
}

}  // namespace
}  // namespace tidegate::influx
