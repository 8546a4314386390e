// SPDX-License-Identifier: Apache-2.0
#include "pipe/connect/influx/http_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pipe/connect/influx/fake_http_server_for_test.h"

namespace tidegate {
namespace {

using testing::FakeHttpServer;
using ::testing::HasSubstr;

TEST(HttpTargetTest, UrlsAreTakenApart) {
  const HttpTarget plain = parse_http_url("http://db.plant:8087/influx/").value();
  EXPECT_EQ(plain.host, "db.plant");
  EXPECT_EQ(plain.port, 8087);
  EXPECT_EQ(plain.base_path, "/influx");
  EXPECT_FALSE(plain.tls);
  const HttpTarget v6 = parse_http_url("https://[::1]").value();
  EXPECT_EQ(v6.host, "::1");
  EXPECT_EQ(v6.port, 8086);
  EXPECT_TRUE(v6.tls);
  EXPECT_EQ(v6.text(), "https://[::1]:8086");
}

TEST(HttpTargetTest, WhatIsNoUrlOfATargetIsRefusedWithoutRepeatingIt) {
  for (const char* url :
       {"", "db:8086", "ftp://db", "http://", "http://db:0", "http://db:70000", "http://db:x", "http://[::1",
        "http://user:secret@db", "http://db/?q=1", "http://db /"}) {
    const auto target = parse_http_url(url);
    ASSERT_FALSE(target.ok()) << url;
    EXPECT_EQ(target.error().code, ErrorCode::kInvalidConfiguration);
    EXPECT_THAT(target.error().text(), ::testing::Not(HasSubstr("secret")));
  }
}

TEST(HttpTargetTest, EverythingThatIsNotPlainIsPercentEncoded) {
  EXPECT_EQ(percent_encode("a b&c=/\xc3\xa9~"), "a%20b%26c%3D%2F%C3%A9~");
}

class HttpClientTest : public ::testing::Test {
 protected:
  HttpClientTest() { client_ = make_http_client({parse_http_url(server_.url()).value()}).value(); }
  Result<HttpResponse> send(Nanos timeout = 10 * kSecond, const std::string& body = "hello") {
    HttpRequest request;
    request.target = "/write?db=x";
    request.headers = {{"X-Key", "value"}};
    request.body = as_bytes(body);
    return client_->send(request, timeout, [this] { return stop_.load(); });
  }

  FakeHttpServer server_;
  std::unique_ptr<HttpClient> client_;
  std::atomic<bool> stop_{false};
};

TEST_F(HttpClientTest, ARequestArrivesAsItWasMeant) {
  ASSERT_EQ(send().value().status, 204);
  const auto requests = server_.requests();
  ASSERT_EQ(requests.size(), 1u);
  EXPECT_THAT(requests[0].head, HasSubstr("POST /write?db=x HTTP/1.1\r\n"));
  EXPECT_THAT(requests[0].head, HasSubstr("X-Key: value\r\n"));
  EXPECT_EQ(requests[0].body, "hello");
}

TEST_F(HttpClientTest, OneConnectionServesManyRequests) {
  for (int i = 0; i < 5; ++i) ASSERT_EQ(send().value().status, 204);
  EXPECT_EQ(server_.requests().back().connection, 1);
}

TEST_F(HttpClientTest, StatusBodyAndRetryAfterAreGiven) {
  server_.script({{FakeHttpServer::answer(503, "later", "Retry-After: 7\r\n")}});
  const HttpResponse response = send().value();
  EXPECT_EQ(response.status, 503);
  EXPECT_EQ(response.body, "later");
  EXPECT_EQ(response.retry_after, "7");
}

TEST_F(HttpClientTest, AKeptConnectionThatTheServerClosedIsReplacedUnnoticed) {
  server_.script({{FakeHttpServer::answer(204, ""), true}});
  ASSERT_EQ(send().value().status, 204);
  ASSERT_EQ(send().value().status, 204);
  EXPECT_EQ(server_.requests().back().connection, 2);
}

TEST_F(HttpClientTest, ACloseInTheMiddleOfTheFirstAnswerIsAnError) {
  server_.script({{"HTTP/1.1 204 No Con", true}});
  const auto response = send();
  ASSERT_FALSE(response.ok());
  EXPECT_EQ(response.error().code, ErrorCode::kClosed);
  EXPECT_EQ(send().value().status, 204) << "the next request connects anew";
}

TEST_F(HttpClientTest, ACloseInTheMiddleOfTheBodyIsAnError) {
  server_.script({{"HTTP/1.1 400 Bad\r\nContent-Length: 100\r\n\r\nhalf", true}});
  EXPECT_FALSE(send().ok());
}

TEST_F(HttpClientTest, GarbageIsNoHttp) {
  server_.script({{"\x01garbage that is no HTTP at all\r\n\r\n", true}});
  const auto response = send();
  ASSERT_FALSE(response.ok());
  EXPECT_EQ(response.error().code, ErrorCode::kMalformed) << response.error().text();
}

TEST_F(HttpClientTest, AnAnswerWithoutEndIsNotCollectedForEver) {
  server_.script(
      {{"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n" + std::string(2 << 20, 'x'), true}});
  EXPECT_FALSE(send().ok());
}

TEST_F(HttpClientTest, AServerThatSaysNothingEndsInATimeout) {
  server_.script({{"", false, true}});
  const auto response = send(100 * kMillisecond);
  ASSERT_FALSE(response.ok());
  EXPECT_EQ(response.error().code, ErrorCode::kTimeout);
}

TEST_F(HttpClientTest, StopEndsARequestSoon) {
  server_.script({{"", false, true}});
  std::jthread stopper([this] {
    while (server_.requests().empty()) std::this_thread::yield();
    stop_ = true;
  });
  EXPECT_FALSE(send(600 * kSecond).ok());
}

TEST_F(HttpClientTest, AnAnswerBeforeTheWholeRequestWasReadIsStillSeen) {
  // The fake reads all of it; the client must live with a server that closes right behind its answer.
  server_.script({{FakeHttpServer::answer(413, "too large", "Connection: close\r\n"), true}});
  EXPECT_EQ(send(10 * kSecond, std::string(1 << 20, 'x')).value().status, 413);
}

TEST(HttpClientRefusedTest, ARefusedConnectionSaysWhere) {
  std::uint16_t port;
  {
    const FakeHttpServer gone;
    port = gone.port();
  }
  HttpTarget target = parse_http_url("http://127.0.0.1").value();
  target.port = port;
  auto client = make_http_client({target}).value();
  const auto response = client->send({}, 5 * kSecond, [] { return false; });
  ASSERT_FALSE(response.ok());
  EXPECT_EQ(response.error().code, ErrorCode::kUnreachable);
  EXPECT_THAT(response.error().text(), HasSubstr("127.0.0.1:" + std::to_string(port)));
}

TEST(HttpClientTlsTest, AServerThatDoesNotSpeakTlsIsGivenUp) {
  const FakeHttpServer server;
  HttpTarget target = parse_http_url(server.url()).value();
  target.tls = true;
  auto client = make_http_client({target}).value();
  const auto response = client->send({}, 200 * kMillisecond, [] { return false; });
  ASSERT_FALSE(response.ok());
  EXPECT_EQ(response.error().code, ErrorCode::kTimeout) << response.error().text();
}

TEST(HttpClientTlsTest, CertificatesThatCannotBeReadAreAConfigurationError) {
  const auto client = make_http_client({parse_http_url("https://db").value(), true, "/nonexistent.pem"});
  ASSERT_FALSE(client.ok());
  EXPECT_EQ(client.error().code, ErrorCode::kInvalidConfiguration);
}

}  // namespace
}  // namespace tidegate
