// SPDX-License-Identifier: Apache-2.0
// The source over real sockets on loopback: bytes in, answers out, rows in the journal.
#include <gmock/gmock.h>

#include "pipe/extract/influx/http_test_rig.h"

namespace tidegate::testing {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

using InfluxHttp = HttpTest;

TEST_F(InfluxHttp, StoresWhatItAnswersWith204) {
  start();
  EXPECT_EQ(
      call(post("/write?db=plant&precision=ms", "m,b=2,a=1 f=1.5,i=2i,s=\"x \\\"y\\\"\",o=t 1700000000000\n"))
          .status,
      204);
  EXPECT_THAT(stored(), ElementsAre("plant m{a=1,b=2} f=1.5 i=2i o=true s=\"x \"y\"\" @1700000000000ms"));
}

TEST_F(InfluxHttp, AnswersOnlyAfterTheSync) {
  start();
  hold_syncs();
  Client client(source_->port());
  client.send(post("/write?db=plant", "m f=1 1\n"));
  ASSERT_TRUE(sync_is_held());
  EXPECT_FALSE(client.readable(100));
  EXPECT_THAT(stored(), IsEmpty());
  release_syncs();
  EXPECT_EQ(client.receive().status, 204);
  EXPECT_THAT(stored(), SizeIs(1));
}

TEST_F(InfluxHttp, TakesARequestCutAtEveryByte) {
  start();
  const std::string request =
      post("/api/v2/write?bucket=b&precision=s", "m f=1 5", "Authorization: Token x\r\n");
  for (std::size_t cut = 1; cut < request.size(); ++cut) {
    Client client(source_->port());
    client.send(request.substr(0, cut));
    std::this_thread::yield();
    client.send(request.substr(cut));
    ASSERT_EQ(client.receive().status, 204) << "cut at " << cut;
  }
  EXPECT_THAT(stored(), SizeIs(request.size() - 1));
}

TEST_F(InfluxHttp, AnswersPipelinedRequestsInTheirOrder) {
  start();
  Client client(source_->port());
  client.send(post("/write?db=a", "m f=1 1") + "GET /health HTTP/1.1\r\nHost: x\r\n\r\n" +
              post("/write", "m f=1 1") + post("/write?db=a", "m f=2 2") +
              "GET /nope HTTP/1.1\r\nHost: x\r\n\r\n");
  std::vector<int> statuses;
  for (int i = 0; i < 5; ++i) statuses.push_back(client.receive().status);
  EXPECT_THAT(statuses, ElementsAre(204, 200, 400, 204, 404));
  EXPECT_THAT(stored(), ElementsAre("a m{} f=1. @1ns", "a m{} f=2. @2ns"));
}

TEST_F(InfluxHttp, TakesChunkedBodies) {
  start();
  EXPECT_EQ(call("POST /write?db=a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                 "5\r\nm f=1\r\nA;ext=1\r\n 1\nm f=2 2\r\n1\r\n\n\r\n0\r\nTrailer: x\r\n\r\n")
                .status,
            204);
  EXPECT_THAT(stored(), ElementsAre("a m{} f=1. @1ns", "a m{} f=2. @2ns"));
}

TEST_F(InfluxHttp, TakesGzipOfSeveralMembers) {
  start();
  const std::string body = gzip("m f=1 1\n") + gzip("m f=2 2\n");
  EXPECT_EQ(call(post("/write?db=a", body, "Content-Encoding: gzip\r\n")).status, 204);
  EXPECT_THAT(stored(), SizeIs(2));
}

TEST_F(InfluxHttp, RefusesDamagedGzipAndBombs) {
  options_.max_body = 1 << 20;
  options_.max_decompressed = 1 << 20;
  start();
  const std::string head = "Content-Encoding: gzip\r\n";
  const Answer damaged = call(post("/write?db=a", "notgzip", head));
  EXPECT_EQ(damaged.status, 400);
  EXPECT_THAT(damaged.headers.at("X-Influxdb-Error"), HasSubstr("gzip"));
  const Answer bomb = call(post("/api/v2/write?bucket=a", gzip(std::string(30 << 20, '\n')), head));
  EXPECT_EQ(bomb.status, 413);
  EXPECT_THAT(stored(), IsEmpty());
  EXPECT_TRUE(eventually([this] { return source_->counters().body_bytes_held == 0; }));
}

TEST_F(InfluxHttp, RefusesABodyAboveTheLimitWithoutReadingIt) {
  options_.max_body = 1000;
  start();
  Client client(source_->port());
  client.send("POST /write?db=a HTTP/1.1\r\nHost: x\r\nContent-Length: 1000001\r\n\r\nm f=1");
  const Answer answer = client.receive();
  EXPECT_EQ(answer.status, 413);
  EXPECT_EQ(answer.body, "{\"error\":\"Request Entity Too Large\"}\n");
  EXPECT_EQ(answer.headers.at("Connection"), "close");
  EXPECT_EQ(call("POST /write?db=a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n7D0\r\n" +
                 std::string(2000, '\n') + "\r\n0\r\n\r\n")
                .status,
            413);
}

TEST_F(InfluxHttp, InvitesABodyThatWaitsForIt) {
  start();
  Client client(source_->port());
  client.send("POST /write?db=a HTTP/1.1\r\nHost: x\r\nContent-Length: 7\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.receive().status, 100);
  client.send("m f=1 1");
  EXPECT_EQ(client.receive().status, 204);
}

TEST_F(InfluxHttp, DoesNotInviteABodyThatItRefuses) {
  options_.tokens = {Secret("secret")};
  start();
  Client client(source_->port());
  client.send("POST /write?db=a HTTP/1.1\r\nHost: x\r\nContent-Length: 7\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.receive().status, 401);
  client.finish_sending();
  EXPECT_TRUE(client.at_end());
}

TEST_F(InfluxHttp, KeepsTheConnectionAfterASmallRefusedRequest) {
  options_.tokens = {Secret("secret")};
  start();
  Client client(source_->port());
  EXPECT_EQ(client.call(post("/write?db=a", "m f=1 1")).status, 401);
  EXPECT_EQ(client.call(post("/write?db=a", "m f=1 1", "Authorization: Token secret\r\n")).status, 204);
  EXPECT_THAT(stored(), SizeIs(1));
}

TEST_F(InfluxHttp, ClosesWhenAsked) {
  start();
  Client client(source_->port());
  EXPECT_EQ(client.call(post("/write?db=a", "m f=1 1", "Connection: close\r\n")).headers.at("Connection"),
            "close");
  client.finish_sending();
  EXPECT_TRUE(client.at_end());
  Client old(source_->port());
  old.send("GET /ping HTTP/1.0\r\n\r\n");
  EXPECT_EQ(old.receive().status, 204);
}

TEST_F(InfluxHttp, V1StoresTheGoodLinesAndReportsTheBadOnes) {
  start();
  const Answer answer = call(post("/write?db=a", "m f=1 1\ngarbage\nm f=2 2"));
  EXPECT_EQ(answer.status, 400);
  EXPECT_EQ(answer.body,
            "{\"error\":\"partial write: unable to parse 'garbage': missing fields dropped=0\"}\n");
  EXPECT_THAT(stored(), SizeIs(2));
  EXPECT_EQ(source_->counters().partly_stored, 1U);
  EXPECT_EQ(call(post("/write?db=a", "garbage")).body,
            "{\"error\":\"unable to parse 'garbage': missing fields\"}\n");
}

TEST_F(InfluxHttp, V2StoresAllLinesOrNone) {
  start();
  std::string body;
  for (int i = 0; i < 40'000; ++i) body += "m f=" + std::to_string(i) + " 1\n";
  const Answer answer = call(post("/api/v2/write?bucket=a", body + "garbage"));
  EXPECT_EQ(answer.status, 400);
  EXPECT_EQ(answer.body, "{\"code\":\"invalid\",\"message\":\"unable to parse 'garbage': missing fields\"}");
  EXPECT_THAT(stored(), IsEmpty());
  EXPECT_EQ(call(post("/api/v2/write?bucket=a", body)).status, 204);
  EXPECT_THAT(stored(), SizeIs(40'000));
}

TEST_F(InfluxHttp, AnEmptyBodyIsFine) {
  start();
  EXPECT_EQ(call(post("/write?db=a", "")).status, 204);
  EXPECT_EQ(call(post("/write?db=a", "# comment\n\n")).status, 204);
  EXPECT_EQ(call("POST /write?db=a HTTP/1.1\r\nHost: x\r\n\r\n").status, 204);
  EXPECT_THAT(stored(), IsEmpty());
}

TEST_F(InfluxHttp, LinesWithoutATimeGetOneTimePerRequest) {
  start();
  const std::int64_t before = real_env().clock->wall_micros() / 1000;
  EXPECT_EQ(call(post("/write?db=a&precision=ms", "m f=1\nm f=2\nm f=3 5\n")).status, 204);
  const std::int64_t after = real_env().clock->wall_micros() / 1000;
  const auto rows = stored();
  ASSERT_THAT(rows, SizeIs(3));
  const std::string stamp = rows[0].substr(rows[0].find('@'));
  EXPECT_EQ(rows[1].substr(rows[1].find('@')), stamp);
  EXPECT_EQ(rows[2].substr(rows[2].find('@')), "@5ms");
  const std::int64_t time = std::stoll(stamp.substr(1));
  EXPECT_LE(before, time);
  EXPECT_LE(time, after);
}

TEST_F(InfluxHttp, MinutesAndHoursBecomeSeconds) {
  start();
  call(post("/write?db=a&precision=h", "m f=1 2"));
  EXPECT_THAT(stored(), ElementsAre("a m{} f=1. @7200s"));
}

TEST_F(InfluxHttp, PingAndHealthAnswer) {
  std::atomic<bool> ill{false};
  health_ = [&] { return ill ? Status(make_error(ErrorCode::kPoisoned, "the journal")) : Status(); };
  start();
  Client client(source_->port());
  client.send("HEAD /ping HTTP/1.1\r\nHost: x\r\n\r\n");
  const Answer ping = client.receive();
  EXPECT_EQ(ping.status, 204);
  EXPECT_EQ(ping.headers.at("X-Influxdb-Version"), "1.8.10+test");
  client.send("HEAD /health HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(client.receive(true).status, 200);
  ill = true;
  const Answer answer = client.call("GET /health HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(answer.status, 503);
  EXPECT_THAT(answer.body, HasSubstr("fail"));
}

TEST_F(InfluxHttp, CreateDatabaseInAFormIsAnsweredAndTheConnectionGoesOn) {
  start();
  Client client(source_->port());
  const std::string form = "Content-Type: application/x-www-form-urlencoded\r\n";
  const Answer created = client.call(post("/query", "q=CREATE+DATABASE+%22plant%22", form));
  EXPECT_EQ(created.status, 200);
  EXPECT_EQ(created.body, "{\"results\":[{\"statement_id\":0}]}\n");
  EXPECT_EQ(client.call(post("/query", "q=SELECT+1", form)).status, 404);
  EXPECT_EQ(client.call(post("/write?db=plant", "m f=1 1")).status, 204);
  EXPECT_EQ(client.call(post("/query", "q=" + std::string(70'000, 'x'), form)).status, 413);
  EXPECT_THAT(stored(), SizeIs(1));
}

TEST_F(InfluxHttp, AnAnswerCarriesTheIdOfItsRequest) {
  start();
  Client client(source_->port());
  const Answer given =
      client.call(post("/write?db=a", "m f=1 1", "X-Request-Id: mine\r\nRequest-Id: other\r\n"));
  EXPECT_EQ(given.headers.at("Request-Id"), "mine");
  EXPECT_EQ(given.headers.at("X-Request-Id"), "mine");
  EXPECT_EQ(client.call(post("/write?db=a", "m f=1 2", "Request-Id: other\r\n")).headers.at("X-Request-Id"),
            "other");
  const std::string made = client.call(post("/write?db=a", "m f=1 3")).headers.at("Request-Id");
  EXPECT_THAT(made,
              ::testing::MatchesRegex("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"));
  EXPECT_NE(client.call(post("/write?db=a", "m f=1 4")).headers.at("Request-Id"), made);
}

TEST_F(InfluxHttp, RequestsInFrontOfAFinAreAllAnswered) {
  start();
  Client client(source_->port());
  client.send(post("/write?db=a", "m f=1 1") + post("/write?db=a", "m f=2 2") +
              post("/write?db=a", "m f=3 3"));
  client.finish_sending();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(client.receive().status, 204);
  EXPECT_TRUE(client.at_end());
  EXPECT_THAT(stored(), SizeIs(3));
}

// ---- too much, too slow, too many ----

TEST_F(InfluxHttp, AFullJournalIs503AndNothingIsLost) {
  quota_ = 8 << 20;
  start();
  std::string body = "m s=\"";
  std::uint64_t random = 1;
  for (int i = 0; i < 500'000; ++i) {
    random = random * 6364136223846793005ULL + 1442695040888963407ULL;
    body += static_cast<char>('a' + (random >> 60));
  }
  body += "\" ";
  std::size_t taken = 0;
  Answer answer;
  for (int i = 0; i < 100; ++i) {
    answer = call(post(i % 2 == 0 ? "/write?db=a" : "/api/v2/write?bucket=a", body + std::to_string(i)));
    if (answer.status != 204) break;
    ++taken;
  }
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.headers.at("Retry-After"), "30");
  EXPECT_THAT(answer.body, AllOf(HasSubstr("journal is full"), Not(HasSubstr("/j"))));
  EXPECT_GT(taken, 2U);
  EXPECT_THAT(stored(), SizeIs(taken));
}

TEST_F(InfluxHttp, ABusyJournalIs503) {
  ingest_options_.pending_bytes = 100;
  start();
  hold_syncs();
  Client first(source_->port());
  first.send(post("/write?db=a", "m f=\"" + std::string(200, 'x') + "\" 1"));
  ASSERT_TRUE(sync_is_held());
  const Answer answer = call(post("/api/v2/write?bucket=a", "m f=1 2"));
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.headers.at("Retry-After"), "1");
  EXPECT_THAT(answer.body, HasSubstr("\"code\":\"unavailable\""));
  release_syncs();
  EXPECT_EQ(first.receive().status, 204);
  EXPECT_THAT(stored(), SizeIs(1));
  EXPECT_EQ(source_->counters().unavailable, 1U);
}

TEST_F(InfluxHttp, ALargeRequestIsNotTornByABusyJournal) {
  ingest_options_.pending_bytes = 1000;
  start();
  std::string body;
  for (int i = 0; i < 150'000; ++i) body += "m f=1 " + std::to_string(i) + "\n";
  EXPECT_EQ(call(post("/write?db=a", body)).status, 204);
  EXPECT_THAT(stored(), SizeIs(150'000));
}

TEST_F(InfluxHttp, APoisonedJournalIs503) {
  start();
  sim_.files.inject({.kind = EffectKind::kSync, .sticky = true});
  EXPECT_EQ(call(post("/write?db=a", "m f=1 1")).status, 503);
  EXPECT_EQ(call(post("/write?db=a", "m f=1 1")).status, 503);
}

TEST_F(InfluxHttp, AKeyIsFreeAgainAfter503) {
  ingest_options_.pending_bytes = 100;
  start();
  hold_syncs();
  Client first(source_->port());
  first.send(post("/write?db=a", "m f=\"" + std::string(200, 'x') + "\" 1"));
  ASSERT_TRUE(sync_is_held());
  const std::string request = post("/write?db=a", "m f=1 2", "Idempotency-Key: k\r\n");
  EXPECT_EQ(call(request).status, 503);
  release_syncs();
  EXPECT_EQ(first.receive().status, 204);
  EXPECT_EQ(call(request).status, 204);
  EXPECT_THAT(stored(), SizeIs(2));
}

TEST_F(InfluxHttp, BodiesAboveTheMemoryBudgetAre503) {
  options_.max_body = options_.max_decompressed = options_.memory = 100'000;
  start();
  Client slow(source_->port());
  slow.send("POST /write?db=a HTTP/1.1\r\nHost: x\r\nContent-Length: 90000\r\n\r\n" +
            std::string(70'000, '\n'));
  ASSERT_TRUE(eventually([this] { return source_->counters().body_bytes_held == 90'000; }));
  const Answer answer = call(post("/write?db=a", std::string(60'000, '\n')));
  EXPECT_EQ(answer.status, 503);
  EXPECT_THAT(answer.headers, ::testing::Contains(::testing::Key("Retry-After")));
  slow.close();
  EXPECT_TRUE(eventually([this] { return source_->counters().body_bytes_held == 0; }));
  EXPECT_EQ(call(post("/write?db=a", std::string(60'000, '\n'))).status, 204);
}

TEST_F(InfluxHttp, AStuckClientDoesNotHoldItsMemoryForEver) {
  options_.body_timeout = 200 * kMillisecond;
  start();
  Client stuck(source_->port());
  stuck.send("POST /write?db=a HTTP/1.1\r\nHost: x\r\nContent-Length: 90000\r\n\r\nm f=1");
  ASSERT_TRUE(eventually([this] { return source_->counters().body_bytes_held > 0; }));
  EXPECT_TRUE(eventually([this] { return source_->counters().body_bytes_held == 0; }));
  EXPECT_TRUE(stuck.at_end());
  EXPECT_EQ(source_->counters().timed_out, 1U);
}

TEST_F(InfluxHttp, ASlowClientIsCutThoughItSendsAllTheTime) {
  options_.body_timeout = 200 * kMillisecond;
  options_.body_rate = 1'000'000;
  start();
  Client slow(source_->port());
  slow.send("POST /write?db=a HTTP/1.1\r\nHost: x\r\nContent-Length: 90000\r\n\r\n");
  for (int i = 0; i < 5000 && !slow.readable(5); ++i) slow.send("\n");
  EXPECT_EQ(slow.receive().status, 408);
}

TEST_F(InfluxHttp, SlowHeadersAndIdleConnectionsAreClosed) {
  options_.header_timeout = 200 * kMillisecond;
  options_.idle_timeout = 100 * kMillisecond;
  start();
  Client slow(source_->port()), idle(source_->port());
  slow.send("POST /wri");
  EXPECT_TRUE(idle.at_end());
  EXPECT_TRUE(slow.at_end());
  EXPECT_TRUE(eventually([this] { return source_->counters().connections == 0; }));
}

TEST_F(InfluxHttp, LongHeadersAndNonsenseAreRefused) {
  options_.max_header = 1024;
  start();
  EXPECT_EQ(call("GET /ping HTTP/1.1\r\nX: " + std::string(2000, 'x') + "\r\n\r\n").status, 431);
  EXPECT_EQ(call("this is not HTTP\r\n\r\n").status, 400);
  EXPECT_EQ(call("POST /write?db=a HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nm f=1").status,
            400);
  EXPECT_EQ(call("POST /write?db=a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n").status, 400);
  EXPECT_THAT(stored(), IsEmpty());
}

TEST_F(InfluxHttp, OneConnectionTooManyIsToldSo) {
  options_.max_connections = 2;
  start();
  Client first(source_->port()), second(source_->port());
  ASSERT_TRUE(eventually([this] { return source_->counters().connections == 2; }));
  Client third(source_->port());
  EXPECT_EQ(third.receive().status, 503);
  EXPECT_EQ(first.call(post("/write?db=a", "m f=1 1")).status, 204);
}

// ---- the end ----

TEST_F(InfluxHttp, StopLetsRequestsInProgressFinish) {
  start();
  hold_syncs();
  Client working(source_->port()), idle(source_->port());
  working.send(post("/write?db=a", "m f=1 1"));
  ASSERT_TRUE(sync_is_held());
  bool all_answered = false;
  std::jthread stopper([&] { all_answered = source_->stop(20 * kSecond); });
  EXPECT_TRUE(idle.at_end());
  release_syncs();
  const Answer answer = working.receive();
  EXPECT_EQ(answer.status, 204);
  EXPECT_EQ(answer.headers.at("Connection"), "close");
  working.close();
  stopper.join();
  EXPECT_TRUE(all_answered);
}

TEST_F(InfluxHttp, StopDoesNotWaitLongerThanItMay) {
  start();
  hold_syncs();
  Client client(source_->port());
  client.send(post("/write?db=a", "m f=1 1"));
  ASSERT_TRUE(sync_is_held());
  EXPECT_FALSE(source_->stop(10 * kMillisecond));
  EXPECT_EQ(client.receive().status, 0);
  source_.reset();  // while its Done is still to come
  release_syncs();
}

TEST_F(InfluxHttp, ManyClientsAtOnceLoseNothing) {
  options_.threads = 3;
  start();
  {
    std::vector<std::jthread> clients;
    for (int c = 0; c < 8; ++c)
      clients.emplace_back([&, c] {
        Client client(source_->port());
        for (int i = 0; i < 50; ++i) {
          const Answer answer =
              client.call(post("/write?db=a", "m,c=" + std::to_string(c) + " f=1 " + std::to_string(i)));
          ASSERT_EQ(answer.status, 204) << answer.body;
        }
      });
  }
  EXPECT_THAT(stored(), SizeIs(400));
  EXPECT_EQ(source_->counters().lines, 400U);
  EXPECT_EQ(source_->counters().values, 400U);
}

TEST_F(InfluxHttp, APortInUseIsNamed) {
  start();
  InfluxHttpOptions options;
  options.listen = {"127.0.0.1", source_->port()};
  const auto second = InfluxHttpSource::start(env(), options, ingest_.get());
  ASSERT_FALSE(second.ok());
  EXPECT_THAT(second.error().text(), HasSubstr(std::to_string(source_->port())));
}

}  // namespace
}  // namespace tidegate::testing
