// SPDX-License-Identifier: Apache-2.0
#include "base/timestamp.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

namespace tidegate {
namespace {

using testing::HasSubstr;

constexpr std::int64_t kSeconds = 1, kMillis = 1000, kMicros = 1'000'000, kNanos = 1'000'000'000;

TimeZone zone(std::string_view name) {
  auto found = TimeZone::find(name);
  EXPECT_TRUE(found.ok()) << found.error().text();
  return found.ok() ? *found : TimeZone();
}

std::int64_t utc(std::string_view text, const TimeZone& in = {}) {
  const auto time = parse_timestamp(text, in);
  EXPECT_TRUE(time.ok()) << time.error().text();
  return time.ok() ? time->seconds : -1;
}

std::string refusal(std::string_view text) {
  const auto time = parse_timestamp(text, TimeZone());
  return time.ok() ? "accepted" : time.error().detail;
}

TEST(Timestamp, EveryFormOfTheSeedsIsRead) {
  EXPECT_EQ(utc("2011-12-03T10:15:30"), 1322907330);
  EXPECT_EQ(utc("2011-12-03T10:15:30+01:00"), 1322903730);
  EXPECT_EQ(utc("2011.12.03T10:15:30+01:00"), 1322903730);
  EXPECT_EQ(utc("2022-03-30 00:00:00"), 1648598400);
  EXPECT_EQ(utc("2022/03/30 00:00:00"), 1648598400);
  EXPECT_EQ(utc("2022-03-30"), 1648598400);
  EXPECT_EQ(utc("2022-03-30t00:00:00z"), 1648598400);
  EXPECT_EQ(utc("0001-01-01T00:00:00Z"), -62135596800);
  EXPECT_EQ(utc("9999-12-31T23:59:59Z"), 253402300799);
}

TEST(Timestamp, AFractionHasUpToNineDigits) {
  EXPECT_EQ(parse_timestamp("1970-01-01T00:00:00.5Z", {})->nanos, 500'000'000U);
  EXPECT_EQ(parse_timestamp("1970-01-01T00:00:00.123456789Z", {})->nanos, 123'456'789U);
  EXPECT_THAT(refusal("1970-01-01T00:00:00.1234567890Z"), HasSubstr("at most 9 digits"));
  EXPECT_THAT(refusal("1970-01-01T00:00:00.Z"), HasSubstr("digits behind the point at column 21"));
}

TEST(Timestamp, AZoneOfTheTextBeatsTheCallersZone) {
  EXPECT_EQ(utc("2022-03-30 08:00:00", zone("+08:00")), 1648598400);
  EXPECT_EQ(utc("2022-03-30 08:00:00", zone("Asia/Shanghai")), 1648598400);
  EXPECT_EQ(utc("2022-03-30 00:00:00Z", zone("Asia/Shanghai")), 1648598400);
  EXPECT_EQ(utc("2022-03-29 19:00:00-05:00", zone("Asia/Shanghai")), 1648598400);
}

TEST(Timestamp, ARepeatedLocalTimeIsTheFirstAndASkippedOneIsReadWithTheOffsetBefore) {
  const TimeZone berlin = zone("Europe/Berlin");
  EXPECT_EQ(utc("2022-10-30T02:30:00", berlin), utc("2022-10-30T02:30:00+02:00"));
  EXPECT_EQ(utc("2022-03-27T02:30:00", berlin), utc("2022-03-27T03:30:00+02:00"));
  EXPECT_EQ(utc("2022-07-01T00:00:00", berlin), utc("2022-07-01T00:00:00+02:00"));
}

TEST(Timestamp, WhatIsNoTimeIsRefusedWithTheColumn) {
  EXPECT_THAT(refusal("2022-02-29"), HasSubstr("the day of this month from 1 to 28 at column 9"));
  EXPECT_THAT(refusal("2022-13-01"), HasSubstr("the month from 1 to 12 at column 6"));
  EXPECT_THAT(refusal("2022-03/30"), HasSubstr("expected '-' at column 8"));
  EXPECT_THAT(refusal("2022-03-30T24:00:00"), HasSubstr("the hour from 0 to 23 at column 12"));
  EXPECT_THAT(refusal("2022-03-30T23:59:60"), HasSubstr("the second from 0 to 59"));
  EXPECT_THAT(refusal("2022-03-30T10:00"), HasSubstr("':' at column 17"));
  EXPECT_THAT(refusal("2022-03-30T10:00:00+19:00"), HasSubstr("the offset"));
  EXPECT_THAT(refusal("2022-03-30T10:00:00 "), HasSubstr("the end at column 20"));
  EXPECT_THAT(refusal("yyyy-mm-dd HH:MM:SS"), HasSubstr("4 digits of the year at column 1"));
  EXPECT_THAT(refusal(""), HasSubstr("at column 1"));
  EXPECT_EQ(refusal("2024-02-29"), "accepted");
}

TEST(Timestamp, UnitsRoundDownAlsoBeforeTheEpoch) {
  EXPECT_EQ(*to_units({1, 999'999'999}, kSeconds), 1);
  EXPECT_EQ(*to_units({1, 999'999'999}, kMillis), 1999);
  EXPECT_EQ(*to_units({-1, 500'000'000}, kMillis), -500);
  EXPECT_EQ(*to_units({-1, 999'999'999}, kSeconds), -1);
  EXPECT_EQ(*to_units({1, 2'003}, kMicros), 1'000'002);
}

TEST(Timestamp, UnitsReachTheWholeRangeOf64BitsAndNoFurther) {
  EXPECT_EQ(*to_units({9'223'372'036, 854'775'807}, kNanos), INT64_MAX);
  EXPECT_EQ(*to_units({-9'223'372'037, 145'224'192}, kNanos), INT64_MIN);
  EXPECT_EQ(to_units({9'223'372'036, 854'775'808}, kNanos).error().code, ErrorCode::kUnrepresentable);
  EXPECT_EQ(to_units({-9'223'372'037, 145'224'191}, kNanos).error().code, ErrorCode::kUnrepresentable);
  EXPECT_EQ(parse_event_time("2300-01-01", {}, kNanos).error().code, ErrorCode::kUnrepresentable);
}

TEST(Timestamp, AnIntegerEventTimeIsTakenAsItIs) {
  EXPECT_EQ(*parse_event_time("-9223372036854775808", {}, kMillis), INT64_MIN);
  EXPECT_EQ(*parse_event_time("1648598400000", {}, kMillis), 1648598400000);
  EXPECT_EQ(*parse_event_time("2022-03-30 00:00:00.250", {}, kMillis), 1648598400250);
  EXPECT_EQ(parse_event_time("9223372036854775808", {}, kMillis).error().code, ErrorCode::kInvalidArgument);
  EXPECT_FALSE(parse_event_time("12x", {}, kMillis).ok());
}

TEST(Timestamp, CreationTimesAreShownAsIoTDBShowsThem) {
  EXPECT_EQ(format_timestamp({1648645110, 689'999'999}, zone("Asia/Shanghai")), "2022-03-30T20:58:30.689");
  EXPECT_EQ(format_timestamp({-1, 0}, TimeZone()), "1969-12-31T23:59:59.000");
}

TEST(Timestamp, WhatIsShownIsReadBack) {
  const TimeZone berlin = zone("Europe/Berlin");
  for (std::int64_t at = -4'000'000'000; at < 8'000'000'000; at += 86'413'577) {
    const Timestamp time{at, 7'000'000};
    const auto back = parse_timestamp(format_timestamp(time, berlin), berlin);
    ASSERT_TRUE(back.ok()) << back.error().text();
    // Within a repeated hour the first is read: an hour earlier, with the same face.
    if (*back != time) {
      EXPECT_EQ(format_timestamp(*back, berlin), format_timestamp(time, berlin));
    }
  }
}

TEST(TimeZone, IsFoundByNameOrOffsetOrRefused) {
  EXPECT_EQ(zone("Asia/Shanghai").name(), "Asia/Shanghai");
  EXPECT_EQ(zone("-03:30").name(), "-03:30");
  EXPECT_EQ(zone("Z").name(), "UTC");
  EXPECT_THAT(TimeZone::find("Mars/Olympus").error().detail, HasSubstr("'Mars/Olympus' is no time zone"));
  EXPECT_FALSE(TimeZone::find("").ok());
  EXPECT_FALSE(TimeZone::find("+8").ok());
}

TEST(TimeZone, TheEnvironmentNamesTheSystemsZone) {
  const char* const before = std::getenv("TZ");
  const std::string kept = before == nullptr ? "" : before;
  setenv("TZ", ":America/New_York", 1);
  EXPECT_EQ(TimeZone::system().name(), "America/New_York");
  before == nullptr ? unsetenv("TZ") : setenv("TZ", kept.c_str(), 1);
}

}  // namespace
}  // namespace tidegate
