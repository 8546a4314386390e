// SPDX-License-Identifier: Apache-2.0
#include "pipe/control/status_render.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <limits>
#include <set>
#include <sstream>

#include "protocol/influx/json_text.h"

namespace tidegate {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

void add_journal(StatusReport& r) {
  r.journal_id = "0123456789abcdef0123456789abcdef";
  r.journal_first = 3;
  r.journal_head = 120;
  r.journal_durable = 119;
  r.journal_used_bytes = 3'355'443'200;
  r.journal_quota_bytes = 21'474'836'480;
  r.disk_free_bytes = 44'023'414'784;
  r.disk_total_bytes = 64'424'509'440;
  r.anonymous_memory_bytes = 29'360'128;
  r.cpu_seconds = 812.5;
}

StatusReport sender_report() {
  StatusReport r;
  r.program = "tidegate-sender";
  r.version = "0.1.0";
  r.instance = "pump-hall";
  r.health = Health::kDegraded;
  r.message = "the link is not up: quiet time";
  r.uptime_s = 11'100;
  r.newest_outside_age_s = 1.24;
  r.waiting_batches = 12;
  r.waiting_bytes = 3'565'158;
  r.waiting_s = 75;
  r.disk_full_in_s = 187'200;
  add_journal(r);
  StatusLink link;
  link.state = "QUIET";
  link.message = "no answer for 11 s";
  link.peer = "10.1.0.2:9780";
  link.profile = "syskeeper-2000";
  link.delivery_proven = false;
  link.session = 1'746'000'000'000;
  link.counters = {{"frames", 900}, {"wire_bytes", 104'857'600}, {"doubts", 1}};
  r.link = link;
  StatusStream stream;
  stream.stream = 1;
  stream.label = "air-gap";
  stream.state = "refused";
  stream.message = "waits 8 s";
  stream.generation = 2;
  stream.head = 118;
  stream.soft = 106;
  stream.confirmed = 100;
  stream.trimmed = 50;
  r.streams = {stream};
  r.counters = {{"ingest_rows", 5000}, {"ingest_pending_bytes", 2048}, {"source_a b_requests", 7}};
  r.ledger_counts = {{"gap", 2}};
  r.ledger_recent = {"2026-05-01T08:00:00Z gap stream 1: batches 6..10: declared to the receiver"};
  r.future_records = 1;
  r.alarms = {
      {"link", true, "the device answers by itself: look at its settings", 1'777'622'400'000'000, {}}};
  r.ended_alarms = {
      {"journal-full", true, "full, nothing more is taken in", 1'777'618'800'000'000, 1'777'620'000'000'000}};
  return r;
}

StatusReport receiver_report() {
  StatusReport r;
  r.program = "tidegate-receiver";
  r.version = "0.1.0";
  r.instance = "office";
  r.uptime_s = 59;
  add_journal(r);
  StatusLink link;
  link.state = "LISTENING";
  link.peer = "0.0.0.0:9780";
  link.profile = "syskeeper-2000";
  link.encrypted = true;
  r.link = link;
  StatusStream stream;
  stream.sender = "pump-hall";
  stream.stream = 1;
  stream.state = "stored";
  stream.confirmed = 106;
  r.streams = {stream};
  StatusSender sender;
  sender.label = "pump-hall";
  sender.journal = "0123456789abcdef0123456789abcdef";
  sender.sender_id = "fedcba9876543210fedcba9876543210";
  sender.peer = "10.2.0.1:40000";
  sender.session = 9;
  sender.lanes = 1;
  sender.last_heard_s = 2;
  sender.beat_age_s = 4.2;
  sender.clock_skew_s = -0.31;
  sender.figures_json =
      R"({"head":118,"waiting_bytes":4096,"disk_full_in_s":null,"uptime_s":90,"streams":[{"stream":1,"state":"RUN"}]})";
  r.senders = {sender};
  StatusPipe pipe;
  pipe.name = "files";
  pipe.connector = "file /srv/telemetry";
  pipe.state = "RUNNING";
  pipe.warning = "disk is slow";
  pipe.position = 118;
  pipe.lag_batches = 1;
  pipe.lag_bytes = 300;
  pipe.delivered_events = 40;
  pipe.delivered_values = 400;
  pipe.retries = 1;
  pipe.newest_event_ns = 1'777'622'400'500'000'000;
  r.pipes = {pipe};
  return r;
}

// Compares with a file of testdata; TIDEGATE_UPDATE_GOLDEN=1 writes it instead, to be looked at and
// committed.
void expect_golden(const std::string& name, const std::string& text) {
  const std::string path = std::string(TIDEGATE_SOURCE_DIR) + "/pipe/control/testdata/" + name;
  if (std::getenv("TIDEGATE_UPDATE_GOLDEN") != nullptr) std::ofstream(path) << text;
  std::stringstream expected;
  expected << std::ifstream(path).rdbuf();
  EXPECT_EQ(text, expected.str()) << path;
}

TEST(StatusText, SenderPageIsAsInTheGoldenFile) {
  expect_golden("sender_status.txt", status_text(sender_report()));
}
TEST(StatusText, ReceiverPageIsAsInTheGoldenFile) {
  expect_golden("receiver_status.txt", status_text(receiver_report()));
}
TEST(StatusJson, SenderReportIsAsInTheGoldenFile) {
  expect_golden("sender_status.json", status_json(sender_report()));
}
TEST(StatusJson, ReceiverReportIsAsInTheGoldenFile) {
  expect_golden("receiver_status.json", status_json(receiver_report()));
}
TEST(StatusMetrics, SenderMetricsAreAsInTheGoldenFile) {
  expect_golden("sender_metrics.txt", status_metrics(sender_report()));
}
TEST(StatusMetrics, ReceiverMetricsAreAsInTheGoldenFile) {
  expect_golden("receiver_metrics.txt", status_metrics(receiver_report()));
}

TEST(StatusText, PagesFitOneScreen) {
  for (const StatusReport& report : {sender_report(), receiver_report()}) {
    const std::string text = status_text(report);
    EXPECT_LE(std::count(text.begin(), text.end(), '\n'), 40);
  }
}

TEST(StatusText, WhatIsNotEncryptedOrNotProvenIsSaidAndOnlyThen) {
  StatusReport r = sender_report();
  EXPECT_THAT(status_text(r), HasSubstr("not encrypted"));
  EXPECT_THAT(status_text(r), HasSubstr("delivery not proven"));
  r.link->encrypted = true;
  r.link->delivery_proven = true;
  EXPECT_THAT(status_text(r), Not(HasSubstr("not encrypted")));
  EXPECT_THAT(status_text(r), Not(HasSubstr("not proven")));
}

TEST(StatusText, AnEmptyReportHasAnswersToTheThreeQuestions) {
  const std::string text = status_text(StatusReport());
  EXPECT_THAT(text, HasSubstr("nothing yet"));
  EXPECT_THAT(text, HasSubstr("nothing\n"));
  EXPECT_THAT(text, HasSubstr("not filling"));
}

TEST(StatusText, AStandstillAndAFutureTimeAreSaid) {
  StatusReport r = sender_report();
  r.waiting_s.reset();
  r.newest_outside_age_s = -90;
  EXPECT_THAT(status_text(r), HasSubstr("nothing moves"));
  EXPECT_THAT(status_text(r), HasSubstr("1 min 30 s in the future"));
}

TEST(StatusText, TextsFromElsewhereCannotControlTheTerminal) {
  StatusReport r = receiver_report();
  r.senders[0].label = "a\x1b[2Jb\x7f\xc2\x9b\xff";
  r.senders[0].figures_json = "{\"x\":\"\\u001b[31m\"}";
  r.pipes[0].message = "line 1\nline 2\r";
  const std::string text = status_text(r);
  EXPECT_THAT(text, HasSubstr("a?[2Jb???: heard"));
  EXPECT_THAT(text, HasSubstr("x ?[31m"));
  EXPECT_THAT(text, HasSubstr("line 1 line 2?"));
  EXPECT_THAT(text, Not(HasSubstr("\x1b")));
}

TEST(StatusText, FiguresThatAreNoJsonAreShownAsSuch) {
  StatusReport r = receiver_report();
  r.senders[0].figures_json = "{oops";
  EXPECT_THAT(status_text(r), HasSubstr("cannot be read: {oops"));
  EXPECT_THAT(status_json(r), HasSubstr("\"figures\":\"{oops\""));
}

TEST(StatusJson, IsWellFormedWhateverTheTextsHold) {
  StatusReport r = receiver_report();
  r.message = "a\"b\\c\n\x01\xff";
  r.waiting_s = std::numeric_limits<double>::infinity();
  r.disk_full_in_s = std::nan("");
  r.senders[0].figures_json = "{\"a\":[1,{\"b\":null}],\"c\":\"\xff\"}";
  const auto json = influx::parse_json(status_json(r));
  ASSERT_TRUE(json.has_value());
  EXPECT_EQ(json->find("message")->text, "a\"b\\c\n\x01\xef\xbf\xbd");
  EXPECT_EQ(json->find("waiting_s")->text, "null");
  EXPECT_EQ(json->find("senders")->members[0].find("figures")->find("a")->members[0].text, "1");
}

TEST(StatusMetrics, LabelsAreEscaped) {
  StatusReport r = sender_report();
  r.instance = "a\"b\\c\nd";
  EXPECT_THAT(status_metrics(r), HasSubstr("instance=\"a\\\"b\\\\c\\nd\""));
}

TEST(StatusMetrics, EachFamilyStandsOnceAndCountersEndInTotal) {
  StatusReport r = sender_report();
  r.counters["source_a_b_requests"] = 3;  // the same name as "source_a b_requests" once it is one
  std::istringstream lines(status_metrics(r));
  std::set<std::string> families;
  for (std::string line, word, name, type; std::getline(lines, line);) {
    if (!line.starts_with("# TYPE ")) continue;
    std::istringstream(line) >> word >> word >> name >> type;
    EXPECT_TRUE(families.insert(name).second) << name;
    EXPECT_EQ(name.ends_with("_total"), type == "counter") << name;
  }
  EXPECT_TRUE(families.contains("tidegate_source_a_b_requests_total"));
  EXPECT_THAT(status_metrics(r), HasSubstr("tidegate_source_a_b_requests_total 10\n"));
}

TEST(StatusMetrics, WhatIsNotKnownIsAbsent) {
  EXPECT_THAT(status_metrics(receiver_report()), Not(HasSubstr("disk_full_in_seconds")));
  EXPECT_THAT(status_metrics(sender_report()), HasSubstr("tidegate_disk_full_in_seconds 187200.000"));
}

TEST(StatusHealth, OnlyFailedIs503) {
  StatusReport r = sender_report();
  EXPECT_EQ(status_health(r).http_status, 200);
  EXPECT_EQ(status_health(r).body,
            R"({"status":"degraded","message":"the link is not up: quiet time","program":"tidegate-sender",)"
            R"("instance":"pump-hall"})"
            "\n");
  r.health = Health::kFailed;
  EXPECT_EQ(status_health(r).http_status, 503);
}

}  // namespace
}  // namespace tidegate
