// SPDX-License-Identifier: Apache-2.0
// What a real influxd 1.6.7 answered and stored, line by line, each line in a fresh database. The type
// conflict between two good lines is left out: a parser cannot see it.
#include <gtest/gtest.h>

#include "protocol/influx/parse_for_test.h"

namespace tidegate::influx {
namespace {

struct Row {
  std::string_view body;
  std::string_view stored;  // points joined with "; "
  std::string_view error;   // what stands behind "partial write: " where the server says that
};

// clang-format off
constexpr Row kRows[] = {
    {"m f=1", "m{} f=float:1", ""},
    {"m f=1.", "m{} f=float:1", ""},
    {"m f=.5", "m{} f=float:0.5", ""},
    {"m f=+1", "", "unable to parse 'm f=+1': invalid boolean"},
    {"m f=1e3", "m{} f=float:1000", ""},
    {"m f=1E+3", "m{} f=float:1000", ""},
    {"m f=1e", "", "unable to parse 'm f=1e': invalid float"},
    {"m f=-0", "m{} f=float:-0", ""},
    {"m f=NaN", "", "unable to parse 'm f=NaN': invalid number"},
    {"m f=inf", "", "unable to parse 'm f=inf': invalid boolean"},
    {"m f=1i", "m{} f=integer:1", ""},
    {"m f=-1i", "m{} f=integer:-1", ""},
    {"m f=1u", "", "unable to parse 'm f=1u': invalid number"},
    {"m f=01i", "m{} f=integer:1", ""},
    {"m f=9223372036854775807i", "m{} f=integer:9223372036854775807", ""},
    {"m f=9223372036854775808i", "", "unable to parse 'm f=9223372036854775808i': unable to parse integer 9223372036854775808: strconv.ParseInt: parsing \"9223372036854775808\": value out of range"},
    {"m f=18446744073709551615u", "", "unable to parse 'm f=18446744073709551615u': invalid number"},
    {"m f=1e400", "", "unable to parse 'm f=1e400': invalid float"},
    {"m f=t", "m{} f=boolean:true", ""},
    {"m f=TRUE", "m{} f=boolean:true", ""},
    {"m f=tRUE", "", "unable to parse 'm f=tRUE': invalid boolean"},
    {"m f=Trueish", "", "unable to parse 'm f=Trueish': invalid boolean"},
    {"m f=\"a\\nb\"", "m{} f=string:a\\nb", ""},
    {"m f=\"a\nb\"", "m{} f=string:a\nb", ""},
    {"m f=\"a\\\"b\"", "m{} f=string:a\"b", ""},
    {"m f=\"a\\\\b\"", "m{} f=string:a\\b", ""},
    {"m f=\"a\\b\"", "m{} f=string:a\\b", ""},
    {"m f=\"a\\\\\"", "m{} f=string:a\\", ""},
    {"m f=\"a\\\"", "", "unable to parse 'm f=\"a\\\"': unbalanced quotes"},
    {"m f=\"\"", "m{} f=string:", ""},
    {"m f=\"a,b c=d\"", "m{} f=string:a,b c=d", ""},
    {"m f=\"a\" ", "m{} f=string:a", ""},
    {"m f=\"a\"b", "m{} f=string:a\"", ""},
    {"m f='a'", "", "unable to parse 'm f='a'': invalid boolean"},
    {"m,t=a\\b f=1", "m{t=a\\b} f=float:1", ""},
    {"m,t=a\\\\b f=1", "m{t=a\\\\b} f=float:1", ""},
    {"m,t=a\\,b f=1", "m{t=a,b} f=float:1", ""},
    {"m,t=a\\\\,b f=1", "m{t=a\\,b} f=float:1", ""},
    {"m,t=a\\=b f=1", "m{t=a=b} f=float:1", ""},
    {"m,t=a=b f=1", "", "unable to parse 'm,t=a=b f=1': invalid tag format"},
    {"m,t=a\\ b f=1", "m{t=a b} f=float:1", ""},
    {"m,t=a\\\\ f=1", "", "unable to parse 'm,t=a\\\\ f=1': invalid tag format"},
    {"m,t=a\\\\\\ b f=1", "m{t=a\\\\ b} f=float:1", ""},
    {"m,t= f=1", "", "unable to parse 'm,t= f=1': missing tag value"},
    {"m,t f=1", "", "unable to parse 'm,t f=1': missing tag value"},
    {"m, f=1", "", "unable to parse 'm, f=1': missing tag key"},
    {"m,t=a,t=b f=1", "", "unable to parse 'm,t=a,t=b f=1': duplicate tags"},
    {"m,b=1,a=2 f=1", "m{a=2,b=1} f=float:1", ""},
    {"m,t=a\tb f=1", "m{t=a\tb} f=float:1", ""},
    {"m,t=a\"b f=1", "m{t=a\"b} f=float:1", ""},
    {"m,t=\"a b\" f=1", "", "unable to parse 'm,t=\"a b\" f=1': invalid field format"},
    {"m,t=a\x01""b f=1", "m{t=a\x01""b} f=float:1", ""},
    {"m,t=é☃ f=1", "m{t=é☃} f=float:1", ""},
    {"m\\,x f=1", "m,x{} f=float:1", ""},
    {"m\\ x f=1", "m x{} f=float:1", ""},
    {"m\\=x f=1", "m=x{} f=float:1", ""},
    {"m=x f=1", "m=x{} f=float:1", ""},
    {"m\\\\x f=1", "m\\\\x{} f=float:1", ""},
    {"m\\x f=1", "m\\x{} f=float:1", ""},
    {"#m f=1", "", ""},
    {"\\#m f=1", "\\#m{} f=float:1", ""},
    {"\"m\" f=1", "\"m\"{} f=float:1", ""},
    {",t=a f=1", "", "unable to parse ',t=a f=1': missing measurement"},
    {" m f=1", "m{} f=float:1", ""},
    {"\tm f=1", "m{} f=float:1", ""},
    {"m  f=1", "m{} f=float:1", ""},
    {"m f=1  5", "m{} f=float:1 @5", ""},
    {"m f=1 5 ", "m{} f=float:1 @5", ""},
    {"m f=1 5\r", "", "unable to parse 'm f=1 5\r': bad timestamp"},
    {"m f=1\r", "", "unable to parse 'm f=1\r': invalid number"},
    {"m f=\"a\"\r", "m{} f=string:a\"", ""},
    {"m f=1 5 x", "", "unable to parse 'm f=1 5 x': point is invalid"},
    {"m f=1 -5", "m{} f=float:1 @-5", ""},
    {"m f=1 +5", "", "unable to parse 'm f=1 +5': bad timestamp"},
    {"m f=1 5.0", "", "unable to parse 'm f=1 5.0': bad timestamp"},
    {"m f=1 1e3", "", "unable to parse 'm f=1 1e3': bad timestamp"},
    {"m f=1 9223372036854775807", "", "unable to parse 'm f=1 9223372036854775807': time outside range -9223372036854775806 - 9223372036854775806"},
    {"m f=1 9223372036854775806", "m{} f=float:1 @9223372036854775806", ""},
    {"m f=1 -9223372036854775808", "", "unable to parse 'm f=1 -9223372036854775808': time outside range -9223372036854775806 - 9223372036854775806"},
    {"m f=1 -9223372036854775806", "m{} f=float:1 @-9223372036854775806", ""},
    {"m f=1 9223372036854775808", "", "unable to parse 'm f=1 9223372036854775808': strconv.ParseInt: parsing \"9223372036854775808\": value out of range"},
    {"m a=1,a=2", "m{} a=float:2", ""},
    {"m a=1,b=2,", "", "unable to parse 'm a=1,b=2,': invalid field format"},
    {"m a=1,,b=2", "", "unable to parse 'm a=1,,b=2': invalid field format"},
    {"m a=1, b=2", "", "unable to parse 'm a=1, b=2': invalid field format"},
    {"m f\\ x=1", "m{} f x=float:1", ""},
    {"m f\\,x=1", "m{} f,x=float:1", ""},
    {"m f\\=x=1", "m{} f=x=float:1", ""},
    {"m f\\x=1", "m{} f\\x=float:1", ""},
    {"m time=1", "", "invalid field name: input field \"time\" on measurement \"m\" is invalid"},
    {"m,time=a f=1", "", "invalid tag key: input tag \"time\" on measurement \"m\" is invalid"},
    {"m,f=a f=1", "m{f=a} f=float:1", ""},
    {"m", "", "unable to parse 'm': missing fields"},
    {"m f", "", "unable to parse 'm f': invalid field format"},
    {"m f=", "", "unable to parse 'm f=': missing field value"},
    {"", "", ""},
    {"\n\n", "", ""},
    {"# c\nm f=1 5\n", "m{} f=float:1 @5", ""},
    {"m f=1 5\n\nm f=2 6", "m{} f=float:1 @5; m{} f=float:2 @6", ""},
    {"m f=1 5\ngarbage\nm f=2 6", "m{} f=float:1 @5; m{} f=float:2 @6", "unable to parse 'garbage': missing fields"},
    {"m _field=1", "m{} _field=float:1", ""},
    {"m,_measurement=x f=1", "m{_measurement=x} f=float:1", ""},
    {"a.b-c/d:e f=1", "a.b-c/d:e{} f=float:1", ""},
};
// clang-format on

std::string joined(const std::vector<std::string>& points) {
  std::string out;
  for (const std::string& point : points) out += (out.empty() ? "" : "; ") + point;
  return out;
}

class InfluxdAnswers : public ::testing::TestWithParam<Row> {};

TEST_P(InfluxdAnswers, AreTheAnswersOfTheParser) {
  ParserOptions options;
  options.accept_unsigned = false;  // as official 1.x builds
  const testing::Parsed parsed = testing::parse(options, GetParam().body);
  EXPECT_EQ(joined(parsed.points), GetParam().stored);
  ASSERT_EQ(parsed.errors.size(), GetParam().error.empty() ? 0U : 1U);
  for (const LineError& error : parsed.errors) EXPECT_EQ(error.message(), GetParam().error);
}

INSTANTIATE_TEST_SUITE_P(Version1_6_7, InfluxdAnswers, ::testing::ValuesIn(kRows));

}  // namespace
}  // namespace tidegate::influx
