// SPDX-License-Identifier: Apache-2.0
// Bodies: gzip and limits, rows and slices, repetitions, options. Without sockets.
#include <gmock/gmock.h>

#include "pipe/extract/influx/body_reader.h"
#include "pipe/extract/influx/body_rows.h"
#include "pipe/extract/influx/http_test_rig.h"
#include "pipe/extract/influx/repeats.h"
#include "pipe/extract/influx/stored_parts.h"

namespace tidegate {
namespace {

using testing::gzip;
using ::testing::HasSubstr;

constexpr std::uint64_t kMiB = 1 << 20;

struct Read {
  Status status;
  std::string text;
};

Read read_in_pieces(BodyReader reader, std::string_view bytes, std::size_t piece) {
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    const Status status = reader.add(bytes.substr(at, piece));
    if (!status.ok()) return {status, {}};
  }
  return {reader.finish(), std::string(reader.text())};
}

TEST(BodyReader, GzipOfSeveralMembersIsOneBodyAtEverySplit) {
  MemoryBudget budget(kMiB);
  const std::string bytes = gzip("m f=1 1\n") + gzip("") + gzip("m f=2 2\n");
  for (std::size_t piece = 1; piece <= bytes.size(); ++piece) {
    const Read got = read_in_pieces(BodyReader(&budget, {kMiB, kMiB}, true), bytes, piece);
    ASSERT_TRUE(got.status.ok()) << got.status.error().text();
    ASSERT_EQ(got.text, "m f=1 1\nm f=2 2\n");
  }
  EXPECT_EQ(budget.used(), 0U);
}

TEST(BodyReader, DamagedOrCutGzipIsMalformed) {
  MemoryBudget budget(kMiB);
  const std::string good = gzip("m f=1 1\n");
  std::string wrong_sum = good;
  wrong_sum[good.size() - 8] ^= 1;
  for (const std::string& bytes : {std::string("notgzip"), good.substr(0, good.size() - 1), good.substr(0, 5),
                                   wrong_sum, good + "rest", std::string()}) {
    const Read got = read_in_pieces(BodyReader(&budget, {kMiB, kMiB}, true), bytes, 3);
    ASSERT_FALSE(got.status.ok()) << bytes.size();
    EXPECT_EQ(got.status.error().code, ErrorCode::kMalformed);
  }
}

TEST(BodyReader, ABombCostsNoMoreThanTheLimit) {
  MemoryBudget budget(64 * kMiB);
  const std::string bomb = gzip(std::string(32 * kMiB, 'x'));
  BodyReader reader(&budget, {kMiB, kMiB}, true);
  const Status status = reader.add(bomb);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, ErrorCode::kTooLarge);
  EXPECT_LE(budget.used(), kMiB);
}

TEST(BodyReader, TheLimitItselfIsAllowed) {
  MemoryBudget budget(kMiB);
  const std::string text(100'000, 'x');
  for (const bool packed : {false, true}) {
    const std::string bytes = packed ? gzip(text) : text;
    EXPECT_EQ(read_in_pieces(BodyReader(&budget, {bytes.size(), 100'000}, packed), bytes, 777).text, text);
    EXPECT_FALSE(
        read_in_pieces(BodyReader(&budget, {bytes.size() - 1, 100'000}, packed), bytes, 777).status.ok());
  }
  EXPECT_FALSE(read_in_pieces(BodyReader(&budget, {kMiB, 99'999}, true), gzip(text), 777).status.ok());
}

TEST(BodyReader, TakesCreditsBeforeMemoryAndGivesThemBack) {
  MemoryBudget budget(100'000);
  BodyReader first(&budget, {kMiB, kMiB}, false);
  EXPECT_TRUE(first.add(std::string(60'000, 'x')).ok());
  BodyReader second(&budget, {kMiB, kMiB}, false);
  const Status status = second.add(std::string(60'000, 'x'));
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, ErrorCode::kOutOfMemoryBudget);
  first.release();
  EXPECT_EQ(budget.used(), 0U);
}

// ---- rows ----

struct Collected {
  std::size_t rows = 0, slices = 0;
  std::string text;
};

Collected collect(BodyRows& rows) {
  Collected out;
  while (rows.next_slice()) {
    ++out.slices;
    out.rows += rows.rows().size();
    for (const RowView& row : rows.rows()) {
      out.text += std::string(row.database) + "/" + std::string(row.table);
      for (const TagView& tag : row.tags)
        out.text += "," + std::string(tag.key) + "=" + std::string(tag.value);
      for (const FieldView& field : row.fields)
        out.text += " " + std::string(field.name) + "=" + std::string(field.value.text);
      out.text += " " + std::to_string(row.time) + ";";
    }
  }
  return out;
}

TEST(BodyRows, TextThatWasUnescapedStaysUntilTheSliceIsUsed) {
  BodyRows rows;
  const std::string body =
      "a\\ b,t\\ 1=v\\ 1 f\\ 1=\"x\\\"1\" 1\na\\ b,t\\ 2=v\\ 2 f\\ 2=\"x\\\"2\" 2\nlast f=\"y\" 3";
  rows.start(body, "db", {}, 0);
  EXPECT_EQ(collect(rows).text, "db/a b,t 1=v 1 f 1=x\"1 1;db/a b,t 2=v 2 f 2=x\"2 2;db/last f=y 3;");
}

TEST(BodyRows, ABodyOfShortLinesComesInSlices) {
  std::string body;
  for (int i = 0; i < 100'000; ++i) body += "m f=1\n";
  BodyRows rows;
  rows.start(body, "db", {}, 7);
  const Collected got = collect(rows);
  EXPECT_EQ(got.rows, 100'000U);
  EXPECT_EQ(got.slices, 100'000 / BodyRows::kSliceFields + 1);
  EXPECT_FALSE(rows.all_timed());
}

TEST(BodyRows, EscapedTextIsBoundedPerSlice) {
  std::string body;
  for (int i = 0; i < 64; ++i) body += "m f=\"" + std::string(100'000, 'x') + "\\\"\" 1\n";
  BodyRows rows;
  rows.start(body, "db", {}, 7);
  const Collected got = collect(rows);
  EXPECT_EQ(got.rows, 64U);
  EXPECT_GE(got.slices, 5U);
}

TEST(BodyRows, KeepsASampleOfTheErrorsAndCountsAll) {
  std::string body;
  for (int i = 0; i < 1000; ++i) body += "garbage\n";
  BodyRows rows;
  rows.start(body, "db", {}, 7);
  EXPECT_FALSE(rows.next_slice());
  EXPECT_EQ(rows.error_count(), 1000U);
  EXPECT_EQ(rows.errors().size(), BodyRows::kErrorSamples);
}

TEST(BodyRows, TheClockIsCutToThePrecision) {
  using influx::Unit;
  constexpr std::int64_t kWall = 1'700'003'599'999'999;
  EXPECT_EQ(time_of(kWall, {Unit::kNanosecond, 1}), kWall * 1000);
  EXPECT_EQ(time_of(kWall, {Unit::kMicrosecond, 1}), kWall);
  EXPECT_EQ(time_of(kWall, {Unit::kMillisecond, 1}), 1'700'003'599'999);
  EXPECT_EQ(time_of(kWall, {Unit::kSecond, 1}), 1'700'003'599);
  EXPECT_EQ(time_of(kWall, {Unit::kSecond, 60}), 1'700'003'580);
  EXPECT_EQ(time_of(kWall, {Unit::kSecond, 3600}), 1'700'002'800);
  EXPECT_EQ(time_of(-1, {Unit::kSecond, 1}), -1);
}

// ---- repetitions ----

Hash128 content(std::uint8_t n) {
  Hash128 out;
  out.bytes[0] = n;
  return out;
}

class RepeatsTest : public ::testing::Test {
 protected:
  Repeats::Verdict key(const std::string& name, std::uint8_t body, Nanos now = 0,
                       const std::string& sender = "a") {
    return repeats_.begin_key(sender, name, content(body), now, waiter()).verdict;
  }
  Repeats::Waiter waiter() {
    return [this](const std::optional<HttpReply>& reply) { told_.push_back(reply ? reply->status : 0); };
  }
  Repeats repeats_{3, 100};
  std::vector<int> told_;
};

using Verdict = Repeats::Verdict;

TEST_F(RepeatsTest, TheFirstAnswerIsGivenAgain) {
  EXPECT_EQ(key("k", 1), Verdict::kNew);
  repeats_.key_finished("a", "k", {400, "first", "", {}}, true, 0);
  const auto found = repeats_.begin_key("a", "k", content(1), 99, waiter());
  EXPECT_EQ(found.verdict, Verdict::kRepeated);
  EXPECT_EQ(found.reply.body, "first");
}

TEST_F(RepeatsTest, WhileTheFirstIsInProgressTheSecondWaits) {
  EXPECT_EQ(key("k", 1), Verdict::kNew);
  EXPECT_EQ(key("k", 1), Verdict::kWait);
  EXPECT_TRUE(told_.empty());
  repeats_.key_finished("a", "k", HttpReply{}, true, 0);
  EXPECT_THAT(told_, ::testing::ElementsAre(204));
}

TEST_F(RepeatsTest, AnotherBodyIsToldApartAlsoWhileTheFirstIsInProgress) {
  EXPECT_EQ(key("k", 1), Verdict::kNew);
  EXPECT_EQ(key("k", 2), Verdict::kOtherContent);
  repeats_.key_finished("a", "k", HttpReply{}, true, 0);
  EXPECT_EQ(key("k", 2), Verdict::kOtherContent);
}

TEST_F(RepeatsTest, AFailureFreesTheKey) {
  EXPECT_EQ(key("k", 1), Verdict::kNew);
  repeats_.key_finished("a", "k", {503, "", "", {}}, false, 0);
  EXPECT_EQ(key("k", 2), Verdict::kNew);
}

TEST_F(RepeatsTest, KeysOfAnotherSenderAreOthers) {
  EXPECT_EQ(key("k", 1, 0, "a"), Verdict::kNew);
  EXPECT_EQ(key("k", 2, 0, "b"), Verdict::kNew);
}

TEST_F(RepeatsTest, AgeAndNumberBoundTheMemory) {
  for (const char* name : {"1", "2", "3", "4"}) {
    EXPECT_EQ(key(name, 1), Verdict::kNew);
    repeats_.key_finished("a", name, HttpReply{}, true, 0);
  }
  EXPECT_EQ(key("2", 1, 50), Verdict::kRepeated);
  EXPECT_EQ(key("1", 1, 50), Verdict::kNew);   // the oldest of four
  EXPECT_EQ(key("2", 1, 100), Verdict::kNew);  // too old
}

TEST_F(RepeatsTest, WhatIsInProgressIsNeverForgotten) {
  EXPECT_EQ(key("slow", 1), Verdict::kNew);
  for (int i = 0; i < 10; ++i) {
    key(std::to_string(i), 1, i);
    repeats_.key_finished("a", std::to_string(i), HttpReply{}, true, i);
  }
  EXPECT_EQ(key("slow", 1, 1000), Verdict::kWait);
}

TEST_F(RepeatsTest, WhoSendsAnOrphanAgainWaitsUntilItIsSettled) {
  EXPECT_FALSE(repeats_.waits_for_orphan(content(1), waiter()));
  repeats_.orphaned(content(1));
  EXPECT_TRUE(repeats_.waits_for_orphan(content(1), waiter()));
  EXPECT_FALSE(repeats_.waits_for_orphan(content(2), waiter()));
  EXPECT_TRUE(told_.empty());
  repeats_.orphan_settled(content(1));
  EXPECT_THAT(told_, ::testing::ElementsAre(0));
  EXPECT_FALSE(repeats_.waits_for_orphan(content(1), waiter()));
}

TEST(StoredParts, AreBoundedAndForgotten) {
  StoredParts parts({content(1)});
  EXPECT_TRUE(parts.contains(content(1)));
  parts.forget({content(1), content(2)});
  EXPECT_FALSE(parts.contains(content(1)));
  for (std::uint64_t i = 0; i <= kMaxRequestMarks; ++i)
    parts.add({xxh3_128({reinterpret_cast<const std::uint8_t*>(&i), sizeof i})});
  const std::uint64_t first = 0, last = kMaxRequestMarks;
  EXPECT_FALSE(parts.contains(xxh3_128({reinterpret_cast<const std::uint8_t*>(&first), sizeof first})));
  EXPECT_TRUE(parts.contains(xxh3_128({reinterpret_cast<const std::uint8_t*>(&last), sizeof last})));
}

// ---- options ----

InfluxHttpOptions read(const std::string& yaml, Status* status) {
  auto file = YamlFile::parse(yaml, "x.yaml");
  YamlMap root = (*file)->root();
  YamlMap map = root.map("influx");
  InfluxHttpOptions out = read_influx_http(map);
  *status = (*file)->finish();
  return out;
}

TEST(Options, AreReadFromYaml) {
  Status status;
  const InfluxHttpOptions got = read(
      "influx:\n  listen: \"[::]:9000\"\n  database: plant\n  tokens: [{secret: t1}]\n"
      "  users: [{name: agent, password: pw}]\n  max_body: 1MB\n  max_decompressed: 2MB\n  memory: 8MiB\n"
      "  max_connections: 7\n  threads: 2\n  max_header: 8KiB\n  header_timeout: 1s\n  body_timeout: 2s\n"
      "  body_rate: 10kB/s\n  idle_timeout: 3s\n  idempotency_keys: 5\n  idempotency_age: 1m\n",
      &status);
  ASSERT_TRUE(status.ok()) << status.error().text();
  EXPECT_EQ(got.listen.host, "::");
  EXPECT_EQ(got.listen.port, 9000);
  EXPECT_EQ(got.tokens.at(0).reveal(), "t1");
  EXPECT_EQ(got.users.at(0).password.reveal(), "pw");
  EXPECT_EQ(got.max_decompressed, 2'000'000U);
  EXPECT_EQ(got.body_rate, 10'000U);
  EXPECT_EQ(got.idempotency_age, 60 * kSecond);
}

TEST(Options, AnOpenDoorToTheNetworkIsRefused) {
  for (const char* host : {"0.0.0.0", "192.168.1.5", "\"[::]\"", "gateway.local"}) {
    Status status;
    read("influx:\n  listen: " + (host[0] == '"' ? "\"[::]:8086\"" : std::string(host) + ":8086") + "\n",
         &status);
    ASSERT_FALSE(status.ok()) << host;
    EXPECT_THAT(status.error().text(), HasSubstr("add tokens or users"));
  }
  for (const char* host : {"127.0.0.1", "127.9.9.9", "localhost", "::1"}) {
    InfluxHttpOptions options;
    options.listen.host = host;
    EXPECT_TRUE(check(options).ok()) << host;
  }
}

TEST(Options, AMemoryThatCannotHoldOneBodyIsRefused) {
  InfluxHttpOptions options;
  options.memory = options.max_decompressed - 1;
  EXPECT_FALSE(check(options).ok());
  options.memory = options.max_decompressed;
  EXPECT_TRUE(check(options).ok());
}

TEST(Options, BadAddressesAndEmptySecretsAreNamed) {
  for (const char* listen : {"8086", ":8086", "h:", "h:70000", "::1:8086", "h:80x"}) {
    Status status;
    read("influx:\n  listen: \"" + std::string(listen) + "\"\n", &status);
    ASSERT_FALSE(status.ok()) << listen;
    EXPECT_THAT(status.error().text(), HasSubstr("x.yaml:2:")) << listen;
  }
  InfluxHttpOptions options;
  options.tokens = {Secret("")};
  EXPECT_FALSE(check(options).ok());
}

}  // namespace
}  // namespace tidegate
