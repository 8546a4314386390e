// SPDX-License-Identifier: Apache-2.0
#include "protocol/influx/http_errors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "protocol/influx/json_text.h"
#include "protocol/influx/parse_for_test.h"

namespace tidegate::influx {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

HttpAnswer v1_answer_to(std::string_view body) {
  const testing::Parsed parsed = testing::parse({}, body);
  return v1::bad_lines(parsed.errors, parsed.errors.size(), parsed.points.size());
}

TEST(HttpErrors, V1WordsAPartialWriteAsTheServerDoes) {
  EXPECT_EQ(v1_answer_to("m f=1 5\ngarbage\nm f=2 6").body,
            "{\"error\":\"partial write: unable to parse 'garbage': missing fields dropped=0\"}\n");
  EXPECT_EQ(v1_answer_to("m f=1 5\ngarbage").status, 400);
}

TEST(HttpErrors, V1DoesNotSpeakOfAPartialWriteWhenNothingWasStored) {
  EXPECT_EQ(v1_answer_to("garbage").body, "{\"error\":\"unable to parse 'garbage': missing fields\"}\n");
}

TEST(HttpErrors, V1CountsAPointWithAReservedNameAsDropped) {
  EXPECT_EQ(
      v1_answer_to("m time=1").body,
      "{\"error\":\"partial write: invalid field name: input field \\\"time\\\" on measurement \\\"m\\\" is "
      "invalid dropped=1\"}\n");
}

TEST(HttpErrors, V1NamesTheDatabaseThatIsMissing) {
  EXPECT_EQ(v1::database_not_found("x").status, 404);
  EXPECT_EQ(v1::database_not_found("x").body, "{\"error\":\"database not found: \\\"x\\\"\"}\n");
}

TEST(HttpErrors, V2BodiesCarryTheCodeOfTheirStatus) {
  EXPECT_EQ(v2::unauthorized().body, "{\"code\":\"unauthorized\",\"message\":\"unauthorized access\"}");
  EXPECT_THAT(v2::bucket_not_found("b").body, HasSubstr("\"code\":\"not found\""));
  EXPECT_THAT(v2::rejected("field type conflict", 2).body,
              HasSubstr("partial write: field type conflict dropped=2"));
  EXPECT_EQ(v2::rejected("x", 1).status, 422);
  EXPECT_EQ(v2::unavailable("busy", 7).retry_after, 7U);
  const testing::Parsed parsed = testing::parse({}, "garbage");
  EXPECT_EQ(v2::bad_lines(parsed.errors, 1).body,
            "{\"code\":\"invalid\",\"message\":\"unable to parse 'garbage': missing fields\"}");
}

TEST(HttpErrors, ASampleOfTheErrorsSaysHowManyAreNotShown) {
  const testing::Parsed parsed = testing::parse({}, "garbage");
  EXPECT_THAT(v1::bad_lines(parsed.errors, 10, 1).body, HasSubstr("and 9 more lines"));
}

TEST(HttpErrors, OurOwnV1AnswerIsReadBack) {
  const HttpAnswer ours = v1_answer_to("m f=1 5\nm,t=a'b f=1 x\nm f=\"a\nb\" y");
  const TargetAnswer read = parse_error_body(ours.status, ours.body);
  EXPECT_EQ(read.verdict, Verdict::kSomeLines);
  EXPECT_TRUE(read.others_stored);
  EXPECT_EQ(read.dropped, 0U);
  ASSERT_THAT(read.lines, SizeIs(2));
  EXPECT_EQ(read.lines[0].text, "m,t=a'b f=1 x");
  EXPECT_EQ(read.lines[1].text, "m f=\"a\nb\" y");
  EXPECT_EQ(read.lines[1].reason, "bad timestamp");
}

TEST(HttpErrors, APartialWriteWithoutLinesStillSaysHowManyWereDropped) {
  const TargetAnswer read = parse_error_body(
      400,
      R"({"error":"partial write: field type conflict: input field \"f\" on measurement \"m\" is type float, already exists as type integer dropped=3"})");
  EXPECT_EQ(read.verdict, Verdict::kSomeLines);
  EXPECT_TRUE(read.others_stored);
  EXPECT_EQ(read.dropped, 3U);
  EXPECT_THAT(read.lines, IsEmpty());
}

TEST(HttpErrors, ATypeConflictOfAWholeBatchRefusesAllOfIt) {
  const TargetAnswer read = parse_error_body(400, R"({"error":"field type conflict"})");
  EXPECT_EQ(read.verdict, Verdict::kAllLines);
  EXPECT_EQ(read.message, "field type conflict");
}

TEST(HttpErrors, V2StoresNothingWhenALineCannotBeParsed) {
  const TargetAnswer read =
      parse_error_body(400, R"({"code":"invalid","message":"unable to parse 'garbage': missing fields"})");
  EXPECT_EQ(read.verdict, Verdict::kSomeLines);
  EXPECT_FALSE(read.others_stored);
  ASSERT_THAT(read.lines, SizeIs(1));
  EXPECT_EQ(read.lines[0].text, "garbage");
}

TEST(HttpErrors, V3NamesTheLinesOfAPartialWrite) {
  const TargetAnswer read = parse_error_body(
      400,
      R"({"error":"partial write of line protocol occurred","data":[{"original_line":"m,t=\u00e9","line_number":2,"error_message":"no fields"}]})");
  EXPECT_EQ(read.verdict, Verdict::kSomeLines);
  EXPECT_TRUE(read.others_stored);
  ASSERT_THAT(read.lines, SizeIs(1));
  EXPECT_EQ(read.lines[0].number, 2U);
  EXPECT_EQ(read.lines[0].text, "m,t=é");
  EXPECT_EQ(read.lines[0].reason, "no fields");
}

TEST(HttpErrors, V3WithoutPartialWritesNamesOneLineAndStoresNothing) {
  const TargetAnswer read = parse_error_body(
      400,
      R"({"error":"parsing failed for write_lp endpoint","data":{"original_line":"x","line_number":1,"error_message":"e"}})");
  EXPECT_EQ(read.verdict, Verdict::kSomeLines);
  EXPECT_FALSE(read.others_stored);
  ASSERT_THAT(read.lines, SizeIs(1));
}

TEST(HttpErrors, StatusesDecideWhatTheBodyDoesNot) {
  const std::vector<std::pair<int, Verdict>> cases = {
      {204, Verdict::kStored},       {301, Verdict::kRetry},        {400, Verdict::kAllLines},
      {401, Verdict::kUnauthorized}, {403, Verdict::kUnauthorized}, {404, Verdict::kNotFound},
      {413, Verdict::kTooLarge},     {422, Verdict::kAllLines},     {429, Verdict::kRetry},
      {500, Verdict::kRetry},        {502, Verdict::kRetry},        {503, Verdict::kRetry}};
  for (const auto& [status, verdict] : cases)
    for (const std::string_view body : {"", "<html>", "{\"error\":", "null"})
      EXPECT_EQ(parse_error_body(status, body).verdict, verdict) << status << body;
}

TEST(HttpErrors, AMissingRetentionPolicyIsNotATroubleThatPasses) {
  EXPECT_EQ(parse_error_body(500, R"({"error":"retention policy not found: x"})").verdict,
            Verdict::kNotFound);
}

TEST(HttpErrors, AMissingDatabaseIsToldFromAWrongAddress) {
  for (const HttpAnswer& answer : {v1::database_not_found("x"), v2::bucket_not_found("b"),
                                   v1::error(500, "retention policy not found: week")}) {
    const TargetAnswer read = parse_error_body(answer.status, answer.body);
    EXPECT_EQ(read.verdict, Verdict::kNotFound) << answer.body;
    EXPECT_TRUE(read.names_missing) << answer.body;
  }
  for (const HttpAnswer& answer : {HttpAnswer{404, "404 page not found", {}}, HttpAnswer{405, "", {}},
                                   HttpAnswer{404, "<html>bucket shop</html>", {}},
                                   v2::error(404, "organization name \"o\" not found")}) {
    const TargetAnswer read = parse_error_body(answer.status, answer.body);
    EXPECT_EQ(read.verdict, Verdict::kNotFound) << answer.body;
    EXPECT_FALSE(read.names_missing) << answer.body;
  }
}

TEST(HttpErrors, WhatAClientWroteIntoALineDoesNotChangeTheVerdict) {
  for (const std::string_view words : {"partial write", "retention policy not found", "database not found"}) {
    const testing::Parsed parsed = testing::parse({}, "m f=\"" + std::string(words) + "\",");
    const HttpAnswer answer = v2::bad_lines(parsed.errors, 1);
    const TargetAnswer read = parse_error_body(answer.status, answer.body);
    EXPECT_EQ(read.verdict, Verdict::kSomeLines) << words;
    EXPECT_FALSE(read.others_stored) << words;
  }
}

TEST(HttpErrors, RetryAfterIsTakenAsSecondsOnly) {
  EXPECT_EQ(parse_error_body(503, "", " 30 ").retry_after, 30U);
  EXPECT_EQ(parse_error_body(503, "", "Wed, 21 Oct 2026 07:28:00 GMT").retry_after, std::nullopt);
}

TEST(JsonText, AnyStringSurvivesWritingAndReading) {
  std::string text = "\"\\/\b\f\n\r\t\x01\x1f é☃😀";
  text.push_back('\0');
  std::string json;
  append_json_string(json, text);
  const auto read = parse_json(json);
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->text, text);
}

TEST(JsonText, BrokenUtf8IsReplacedSoThatTheBodyStaysJson) {
  std::string json;
  append_json_string(json, "a\xff\xe2\x98");
  EXPECT_EQ(json, "\"a\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"");
}

TEST(JsonText, SurrogatePairsAreJoined) {
  EXPECT_EQ(parse_json(R"("\ud83d\ude00")")->text, "😀");
  EXPECT_EQ(parse_json(R"("\ud83dx")")->text, "\xEF\xBF\xBDx");
}

TEST(JsonText, BadJsonIsRefused) {
  for (const std::string_view text :
       {"", "{", "[1,", "{\"a\"}", "{\"a\":1,}", "\"\\x\"", "\"\\u12\"", "tru", "1 2", "{\"a\":1}x"})
    EXPECT_FALSE(parse_json(text).has_value()) << text;
  EXPECT_FALSE(parse_json(std::string(100, '[') + std::string(100, ']')).has_value());
}

}  // namespace
}  // namespace tidegate::influx
