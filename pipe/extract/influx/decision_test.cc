// SPDX-License-Identifier: Apache-2.0
// Request heads and what is decided on them, without sockets. Bodies are those of influxd 1.6.7 (run) and 2.x
// (source).
#include "pipe/extract/influx/decision.h"

#include <gmock/gmock.h>

namespace tidegate {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pair;

InfluxHttpOptions closed_options() {
  InfluxHttpOptions out;
  out.tokens = {Secret("first-token"), Secret("second-token")};
  out.users = {{"agent", Secret("pa:ss")}};
  return out;
}

Decision decide_on(const RequestHead& head, const InfluxHttpOptions& options = {}) {
  return decide(options, Credentials(options), head);
}

RequestHead post_to(std::string_view target) {
  RequestHead out;
  out.method = "POST";
  out.target = target;
  return out;
}

HttpReply refused(const Decision& decision) {
  const auto* reply = std::get_if<HttpReply>(&decision);
  EXPECT_NE(reply, nullptr) << "the request was taken";
  return reply == nullptr ? HttpReply{} : *reply;
}

WriteRequest taken(const Decision& decision) {
  const auto* request = std::get_if<WriteRequest>(&decision);
  EXPECT_NE(request, nullptr) << "refused: " << std::get<HttpReply>(decision).body;
  return request == nullptr ? WriteRequest{} : *request;
}

struct Refusal {
  std::string_view method, target;
  int status;
  std::string_view body;
};

class Refusals : public ::testing::TestWithParam<Refusal> {};

TEST_P(Refusals, AreThoseOfTheServers) {
  RequestHead head = post_to(GetParam().target);
  head.method = GetParam().method;
  const HttpReply reply = refused(decide_on(head));
  EXPECT_EQ(reply.status, GetParam().status);
  EXPECT_EQ(reply.body, GetParam().body);
}

INSTANTIATE_TEST_SUITE_P(
    Open, Refusals,
    ::testing::Values(
        Refusal{"POST", "/write", 400, "{\"error\":\"database is required\"}\n"},
        Refusal{"POST", "/write?db=", 400, "{\"error\":\"database is required\"}\n"},
        Refusal{"POST", "/write?db=a&precision=us2", 400,
                "{\"error\":\"invalid precision \\\"us2\\\" (use n, u, ms, s, m or h)\"}\n"},
        Refusal{"POST", "/api/v2/write", 404, "{\"code\":\"not found\",\"message\":\"bucket not found\"}"},
        Refusal{"POST", "/api/v2/write?db=a", 404,
                "{\"code\":\"not found\",\"message\":\"bucket not found\"}"},
        Refusal{"POST", "/api/v2/write?bucket=a&precision=m", 400,
                "{\"code\":\"invalid\",\"message\":\"invalid precision \\\"m\\\" (use ns, us, ms or s)\"}"},
        Refusal{"GET", "/write?db=a", 405, "Method Not Allowed\n"},
        Refusal{"PUT", "/write?db=a", 405, "Method Not Allowed\n"},
        Refusal{"DELETE", "/ping", 405, "Method Not Allowed\n"},
        Refusal{"GET", "/api/v2/write?bucket=a", 405,
                "{\"code\":\"method not allowed\",\"message\":\"Method not allowed; use POST\"}"},
        Refusal{"GET", "/nope", 404, "404 page not found\n"},
        Refusal{"POST", "/writes?db=a", 404, "404 page not found\n"},
        Refusal{"POST", "", 404, "404 page not found\n"}));

TEST(Decision, NamesWhatIsNotServedHere) {
  EXPECT_THAT(refused(decide_on(post_to("/query?q=SHOW+DATABASES"))).body, HasSubstr("only takes writes"));
  EXPECT_THAT(refused(decide_on(post_to("/api/v3/write_lp?db=x"))).body, HasSubstr("/api/v2/write"));
  EXPECT_EQ(refused(decide_on(post_to("/api/v2/query"))).status, 404);
}

TEST(Query, CreateDatabaseIsAnsweredAsIfItWereDone) {
  for (const char* statement :
       {"CREATE DATABASE plant", "create database plant_1", " Create  Database \"a b\" ; ",
        "CREATE DATABASE \"a\\\"b\"", "CREATE DATABASE\n\"\xe5\x8e\x82\""}) {
    const HttpReply reply = query_reply(statement);
    EXPECT_EQ(reply.status, 200) << statement;
    EXPECT_EQ(reply.body, "{\"results\":[{\"statement_id\":0}]}\n");
  }
}

TEST(Query, EverythingElseIsRefused) {
  for (const char* statement :
       {"", ";", "CREATE DATABASE", "CREATE DATABASE ", "CREATEDATABASE a", "CREATE DATABASE a b",
        "CREATE DATABASE a; DROP DATABASE a", "CREATE DATABASE 1a", "CREATE DATABASE \"a",
        "CREATE DATABASE \"\"", "CREATE DATABASE a WITH DURATION 1d", "CREATE DATABASE \"a\" ; SELECT 1",
        "SELECT * FROM m", "CREATE RETENTION POLICY a ON b", "CREATE DATABASE a-b"})
    EXPECT_EQ(query_reply(statement).status, 404) << statement;
}

TEST(Query, MayStandInTheTargetOrInAForm) {
  for (const char* method : {"GET", "POST"}) {
    RequestHead head = post_to("/query?db=x&q=CREATE+DATABASE+%22plant%22");
    head.method = method;
    EXPECT_EQ(refused(decide_on(head)).status, 200) << method;
  }
  RequestHead form = post_to("/query");
  EXPECT_THAT(refused(decide_on(form)).body, HasSubstr("missing required parameter \\\"q\\\""));
  form.content_type = "application/x-www-form-urlencoded; charset=utf-8";
  EXPECT_TRUE(std::holds_alternative<QueryRequest>(decide_on(form)));
  form.content_length = kLargestForm + 1;
  EXPECT_EQ(refused(decide_on(form)).status, 413);
  EXPECT_EQ(form_reply("a=b&q=CREATE%20DATABASE%20plant").status, 200);
  EXPECT_EQ(form_reply("a=b").status, 400);
}

TEST(Query, NeedsTheSameLoginAsAWrite) {
  EXPECT_EQ(refused(decide_on(post_to("/query?q=CREATE+DATABASE+a"), closed_options())).status, 401);
  EXPECT_EQ(
      refused(decide_on(post_to("/query?q=CREATE+DATABASE+a&u=agent&p=pa%3Ass"), closed_options())).status,
      200);
}

TEST(Decision, SaysWhichMethodsAreAllowed) {
  RequestHead head = post_to("/write?db=a");
  head.method = "GET";
  EXPECT_THAT(refused(decide_on(head)).headers, Contains(Pair("Allow", "OPTIONS, POST")));
}

struct Naming {
  std::string_view target, database;
};

TEST(Decision, NamesTheDatabaseAsTheRequestDoes) {
  for (const auto& [target, database] : {
           Naming{"/write?db=plant", "plant"},
           Naming{"/write?db=plant&rp=autogen", "plant"},
           Naming{"/write?db=plant&rp=default", "plant"},
           Naming{"/write?db=plant&rp=", "plant"},
           Naming{"/write?db=plant&rp=week", "plant/week"},
           Naming{"/write?db=a%20b+c%C3%A9", "a b c\xC3\xA9"},
           Naming{"/write?%64b=x", "x"},
           Naming{"/write?db=%zz&db=second", "second"},
           Naming{"/write?precision=s&db=first&db=second", "first"},
           Naming{"/api/v2/write?org=o&bucket=tele/autogen", "tele/autogen"},
           Naming{"http://gateway:8086/write?db=absolute", "absolute"},
       })
    EXPECT_EQ(taken(decide_on(post_to(target))).database, database) << target;
}

TEST(Decision, AForcedDatabaseWins) {
  InfluxHttpOptions options;
  options.database = "forced";
  EXPECT_EQ(taken(decide_on(post_to("/write?db=other&rp=week"), options)).database, "forced");
  EXPECT_EQ(taken(decide_on(post_to("/api/v2/write"), options)).database, "forced");
}

TEST(Decision, KeepsTheUnitOfThePrecision) {
  using influx::Unit;
  EXPECT_EQ(taken(decide_on(post_to("/write?db=a"))).precision, (influx::Precision{Unit::kNanosecond, 1}));
  EXPECT_EQ(taken(decide_on(post_to("/write?db=a&precision=u"))).precision.unit, Unit::kMicrosecond);
  EXPECT_EQ(taken(decide_on(post_to("/write?db=a&precision=m"))).precision,
            (influx::Precision{Unit::kSecond, 60}));
  EXPECT_EQ(taken(decide_on(post_to("/api/v2/write?bucket=a&precision=us"))).precision.unit,
            Unit::kMicrosecond);
}

TEST(Decision, UnknownEncodingsAreRefusedAndNotTakenForPlain) {
  RequestHead head = post_to("/write?db=a");
  for (const std::string_view encoding : {"deflate", "br", "zstd", "gzip, gzip"}) {
    head.content_encoding = encoding;
    EXPECT_EQ(refused(decide_on(head)).status, 415) << encoding;
  }
  for (const std::string_view encoding : {"gzip", "GZip", "x-gzip"}) {
    head.content_encoding = encoding;
    EXPECT_TRUE(taken(decide_on(head)).gzip) << encoding;
  }
  head.content_encoding = "identity";
  EXPECT_FALSE(taken(decide_on(head)).gzip);
}

TEST(Decision, ABodyTooLongByItsHeaderIsRefusedUnread) {
  RequestHead head = post_to("/api/v2/write?bucket=a");
  head.content_length = 25'000'000;
  taken(decide_on(head));
  head.content_length = 25'000'001;
  EXPECT_EQ(
      refused(decide_on(head)).body,
      "{\"code\":\"request too large\",\"message\":\"unable to read data: points batch is too large\"}");
  head.target = "/write?db=a";
  EXPECT_EQ(refused(decide_on(head)).status, 413);
}

TEST(Decision, AKeyHasOneTo255Characters) {
  RequestHead head = post_to("/write?db=a");
  const std::string longest(255, 'k'), longer(256, 'k');
  head.idempotency_key = longest;
  EXPECT_EQ(taken(decide_on(head)).idempotency_key, longest);
  head.idempotency_key = longer;
  EXPECT_EQ(refused(decide_on(head)).status, 400);
  head.idempotency_key = "";
  EXPECT_EQ(refused(decide_on(head)).status, 400);
}

TEST(Decision, OnlyOneExpectationIsKnown) {
  RequestHead head = post_to("/write?db=a");
  head.expect = "100-Continue";
  EXPECT_TRUE(taken(decide_on(head)).expects_continue);
  head.expect = "a miracle";
  EXPECT_EQ(refused(decide_on(head)).status, 417);
}

struct Login {
  std::string_view target, authorization, who;  // who: empty: 401
};

class Logins : public ::testing::TestWithParam<Login> {};

TEST_P(Logins, AreTakenInEveryFormThatTheServersTake) {
  RequestHead head = post_to(GetParam().target);
  if (!GetParam().authorization.empty()) head.authorization = GetParam().authorization;
  const Decision decision = decide_on(head, closed_options());
  if (GetParam().who.empty())
    EXPECT_EQ(refused(decision).status, 401);
  else
    EXPECT_EQ(taken(decision).credential, GetParam().who);
}

constexpr std::string_view kV1 = "/write?db=a", kV2 = "/api/v2/write?bucket=a";

INSTANTIATE_TEST_SUITE_P(
    Closed, Logins,
    ::testing::Values(
        Login{kV2, "Token first-token", "token 1"}, Login{kV2, "Bearer second-token", "token 2"},
        Login{kV2, "token   second-token ", "token 2"}, Login{kV1, "Token agent:pa:ss", "user agent"},
        Login{kV2, "Token agent:pa:ss", "user agent"}, Login{kV1, "Token first-token", "token 1"},
        Login{kV1, "Basic YWdlbnQ6cGE6c3M=", "user agent"},   // agent:pa:ss
        Login{kV1, "basic eDpmaXJzdC10b2tlbg==", "token 1"},  // x:first-token
        Login{"/write?db=a&u=agent&p=pa%3Ass", "", "user agent"},
        Login{"/write?db=a&p=first-token", "", "token 1"}, Login{kV1, "", ""}, Login{kV2, "", ""},
        Login{kV2, "Token wrong", ""}, Login{kV2, "Token first-token2", ""},
        Login{kV2, "Token first-toke", ""}, Login{kV2, "Token", ""}, Login{kV2, "Token ", ""},
        Login{kV2, "first-token", ""}, Login{kV1, "Basic agent:pa:ss", ""},
        Login{kV1, "Basic YWdlbnQ6cGE6c3M", ""},  // cut base64
        Login{kV1, "Basic YWdlbnQ6", ""}, Login{kV1, "Token other:pa:ss", ""}, Login{kV1, "Token pa:ss", ""},
        Login{kV1, "Digest first-token", ""}, Login{"/write?db=a&u=agent&p=wrong", "Token first-token", ""},
        Login{"/api/v2/write?bucket=a&u=agent&p=pa%3Ass", "", ""}));

TEST(Decision, A401HasTheBodiesOfTheServers) {
  const HttpReply none = refused(decide_on(post_to(kV1), closed_options()));
  EXPECT_EQ(none.body, "{\"error\":\"unable to parse authentication credentials\"}\n");
  EXPECT_THAT(none.headers, Contains(Pair("WWW-Authenticate", "Basic realm=\"InfluxDB\"")));
  RequestHead wrong = post_to(kV1);
  wrong.authorization = "Token nobody:x";
  EXPECT_EQ(refused(decide_on(wrong, closed_options())).body, "{\"error\":\"authorization failed\"}\n");
  const HttpReply v2 = refused(decide_on(post_to(kV2), closed_options()));
  EXPECT_EQ(v2.body, "{\"code\":\"unauthorized\",\"message\":\"unauthorized access\"}");
  EXPECT_THAT(v2.headers, Contains(Pair("WWW-Authenticate", "Token realm=\"InfluxDB\"")));
}

TEST(Decision, PingAndHealthNeedNoLogin) {
  RequestHead head;
  head.method = "HEAD";
  head.target = "/ping?verbose=true";
  EXPECT_EQ(refused(decide_on(head, closed_options())).status, 204);
  head.method = "GET";
  head.target = "/health";
  EXPECT_TRUE(std::holds_alternative<HealthRequest>(decide_on(head, closed_options())));
}

TEST(Health, SaysWhyItFails) {
  EXPECT_EQ(health_reply({}, "1").body,
            "{\"name\":\"tidegate\",\"message\":\"ready for "
            "writes\",\"checks\":[],\"status\":\"pass\",\"version\":\"1\","
            "\"commit\":\"\"}\n");
  const HttpReply ill = health_reply(make_error(ErrorCode::kPoisoned, "journal"), "1");
  EXPECT_EQ(ill.status, 503);
  EXPECT_THAT(ill.body, HasSubstr("\"status\":\"fail\""));
}

TEST(Health, AClientIsToldNoPaths) {
  for (const ErrorCode code : {ErrorCode::kNoSpace, ErrorCode::kPoisoned, ErrorCode::kBusy, ErrorCode::kIo}) {
    const std::string detail = code == ErrorCode::kBusy ? "7 bytes wait" : "write /secret/journal/1.tgj";
    const Error error = make_error(code, detail).at_path("/secret/journal");
    EXPECT_THAT(told_to_client(error), Not(HasSubstr("/secret"))) << error_name(code);
    EXPECT_THAT(health_reply(error, "1").body, Not(HasSubstr("/secret"))) << error_name(code);
  }
  EXPECT_THAT(told_to_client(make_error(ErrorCode::kBusy, "7 bytes wait")), HasSubstr("7 bytes wait"));
}

TEST(Reply, NothingThatAClientWroteCanEndAHeader) {
  const HttpReply reply = error_reply(influx::Api::kV1, 400, "bad\r\nSet-Cookie: x\x7f");
  const std::string bytes = render(reply, {.server_version = "1"});
  EXPECT_EQ(bytes.find("\r\nSet-Cookie"), std::string::npos);
  EXPECT_THAT(bytes, HasSubstr("X-Influxdb-Error: bad  Set-Cookie: x \r\n"));
}

TEST(Reply, IsWrittenAsRfc9112Says) {
  HttpReply reply{200, "ab", "text/plain", {{"Allow", "GET"}}};
  EXPECT_EQ(render(reply, {.version = 10,
                           .keep_alive = true,
                           .wall_micros = 784111777000000,
                           .server_version = "v",
                           .request_id = "r\n1"}),
            "HTTP/1.0 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nX-Influxdb-Build: Tidegate\r\n"
            "X-Influxdb-Version: v\r\nRequest-Id: r 1\r\nX-Request-Id: r 1\r\nAllow: GET\r\nContent-Type: "
            "text/plain\r\nContent-Length: 2\r\n"
            "Connection: keep-alive\r\n\r\nab");
}

}  // namespace
}  // namespace tidegate
