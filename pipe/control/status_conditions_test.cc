// SPDX-License-Identifier: Apache-2.0
#include "pipe/control/status_conditions.h"

#include <gmock/gmock.h>

#include "base/log.h"

namespace tidegate {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class Conditions : public testing::Test {
 protected:
  Conditions() {
    set_log_sink([this](LogLevel, std::string_view, std::string_view text) { lines.emplace_back(text); });
  }
  ~Conditions() override { set_log_sink({}); }

  static Condition link_down(std::string text = "down: refused 1") {
    Condition c;
    c.key = c.area = "link";
    c.text = std::move(text);
    c.over = "up";
    return c;
  }
  // The same conditions every second for a while.
  void hold(const std::vector<Condition>& conditions, int seconds = 1) {
    for (int i = 0; i < seconds; ++i, now += kSecond) book.update(conditions, now, now / 1000);
  }
  StatusReport report() {
    StatusReport out;
    book.fill(out);
    return out;
  }

  ConditionBook book;
  Nanos now = 1000 * kSecond;
  std::vector<std::string> lines;
};

TEST_F(Conditions, OneLineWhenItBeginsAndOneWhenItEnds) {
  hold({}, 3);
  hold({link_down()}, 100);
  hold({}, 100);
  EXPECT_THAT(lines, ElementsAre("down: refused 1", "up"));
}

TEST_F(Conditions, HoursOfItAreALineEveryTenMinutes) {
  hold({link_down()}, 3 * 3600);
  EXPECT_THAT(lines, SizeIs(18));
}

TEST_F(Conditions, NumbersThatChangeMakeNeitherANewLineNorANewAlarm) {
  for (int i = 0; i < 300; ++i) hold({link_down("down: lane 0, waits " + std::to_string(i) + " s")});
  EXPECT_THAT(lines, SizeIs(1));
  ASSERT_THAT(report().alarms, SizeIs(1));
  EXPECT_EQ(report().alarms[0].text, "down: lane 0, waits 299 s");
  EXPECT_EQ(report().alarms[0].since_micros, 1'000'000'000);
}

TEST_F(Conditions, AnotherReasonIsTold) {
  hold({link_down()}, 70);
  hold({link_down("down: calibration failed")}, 70);
  EXPECT_THAT(lines, ElementsAre("down: refused 1", "down: calibration failed"));
}

TEST_F(Conditions, WhatGetsWorseIsToldAtOnce) {
  hold({link_down()});
  Condition worse = link_down("for good");
  worse.health = Health::kFailed;
  hold({worse});
  EXPECT_THAT(lines, ElementsAre("down: refused 1", "for good"));
  EXPECT_TRUE(report().alarms[0].critical);
}

TEST_F(Conditions, WhatComesAndGoesIsNotALineEachTime) {
  for (int i = 0; i < 100; ++i) hold({link_down()}, 2), hold({}, 3);
  EXPECT_THAT(lines, ElementsAre("down: refused 1", "up"));
  hold({link_down()}, 20);
  EXPECT_THAT(lines, ElementsAre("down: refused 1", "up", "down: refused 1 (came 100 times)"))
      << "it stays this time";
}

TEST_F(Conditions, AnAlarmEndsAndIsRememberedOnce) {
  hold({link_down()}, 5);
  ASSERT_THAT(report().alarms, SizeIs(1));
  EXPECT_EQ(report().alarms[0].key, "link");
  EXPECT_FALSE(report().alarms[0].ended_micros.has_value());
  hold({}, 5);
  hold({link_down()}, 5);
  EXPECT_THAT(report().ended_alarms, IsEmpty()) << "it holds again";
  hold({}, 5);
  EXPECT_THAT(report().alarms, IsEmpty());
  ASSERT_THAT(report().ended_alarms, SizeIs(1));
  EXPECT_EQ(report().ended_alarms[0].ended_micros, 1'015'000'000);
}

TEST_F(Conditions, TheHistoryIsBounded) {
  for (int i = 0; i < 100; ++i) {
    Condition c = link_down();
    c.key = "stream/" + std::to_string(i);
    hold({c});
  }
  hold({});
  EXPECT_THAT(report().ended_alarms, SizeIs(20));
  EXPECT_EQ(report().ended_alarms.back().key, "stream/99");
}

TEST_F(Conditions, TheWorstIsTheFirstLine) {
  Condition note = link_down("60 % full");
  note.key = "filling", note.health = Health::kOk;
  hold({note});
  EXPECT_EQ(report().health, Health::kOk);
  EXPECT_THAT(report().alarms, SizeIs(1)) << "an alarm need not be a fault";
  Condition stopped = link_down("pipe x is STOPPED");
  stopped.key = "pipe/x", stopped.health = Health::kFailed;
  hold({note, link_down(), stopped});
  EXPECT_EQ(report().health, Health::kFailed);
  EXPECT_EQ(report().message, "pipe x is STOPPED");
  ASSERT_THAT(report().alarms, SizeIs(3));
  EXPECT_EQ(report().alarms.front().key, "pipe/x");
  EXPECT_EQ(report().alarms.back().key, "filling");
  hold({});
  EXPECT_EQ(report().health, Health::kOk);
  EXPECT_EQ(report().message, "");
}

TEST_F(Conditions, AStreamThatWaitsWithAMessageDegradesAndAStoppedOneFails) {
  StatusReport r;
  StatusStream well, waits, stopped;
  waits.stream = 2, waits.state = "waiting", waits.message = "the receiver has no room";
  stopped.stream = 3, stopped.state = "STOPPED: gap", stopped.message = "declare the gap";
  r.streams = {well, waits, stopped};
  std::vector<Condition> found;
  add_stream_conditions(r, found);
  ASSERT_THAT(found, SizeIs(2));
  EXPECT_EQ(found[0].health, Health::kDegraded);
  EXPECT_EQ(found[0].text, "stream 2: the receiver has no room");
  EXPECT_EQ(found[1].health, Health::kFailed);
  EXPECT_EQ(found[1].text, "stream 3 is STOPPED: gap: declare the gap");
}

TEST_F(Conditions, AStoppedPipeIsACriticalAlarm) {
  StatusReport r;
  StatusPipe well, tries, stopped;
  tries.name = "b", tries.state = "RUNNING", tries.message = "refused", tries.warning = "lost 3..5";
  stopped.name = "c", stopped.state = "STOPPED", stopped.message = "401";
  r.pipes = {well, tries, stopped};
  std::vector<Condition> found;
  add_pipe_conditions(r, found);
  hold(found);
  EXPECT_EQ(report().message, found.back().text);
  EXPECT_THAT(found.back().text, HasSubstr("then START PIPE c"));
  ASSERT_THAT(report().alarms, SizeIs(3));
  EXPECT_EQ(report().alarms[0].key, "pipe/c");
  EXPECT_TRUE(report().alarms[0].critical);
  EXPECT_THAT(lines, IsEmpty()) << "the pipe logs it itself";
}

TEST_F(Conditions, AnEventIsAnEndedAlarmAndALineInTenMinutes) {
  for (int i = 0; i < 30; ++i, now += kSecond)
    book.event(true, "link", "stream 1: fork at " + std::to_string(i), now, now / 1000);
  EXPECT_THAT(lines, ElementsAre("stream 1: fork at 0"));
  EXPECT_THAT(report().alarms, IsEmpty());
  ASSERT_THAT(report().ended_alarms, SizeIs(1));
  EXPECT_EQ(report().ended_alarms[0].text, "stream 1: fork at 29");
  now += 600 * kSecond;
  book.event(true, "link", "stream 1: fork at 30", now, now / 1000);
  EXPECT_THAT(lines.back(), HasSubstr("29 times before"));
}

}  // namespace
}  // namespace tidegate
