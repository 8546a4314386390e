// SPDX-License-Identifier: Apache-2.0
#include "pipe/connect/influx/influx_sink.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <deque>
#include <limits>
#include <map>
#include <set>

#include "base/log.h"
#include "base/sim_env.h"
#include "pipe/engine/engine_test_support.h"

namespace tidegate {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::number_batch;
using Kind = DeliverResult::Kind;

std::string gunzip(std::string_view packed) {
  std::string out(1 << 22, '\0');
  z_stream stream{};
  inflateInit2(&stream, 16 + MAX_WBITS);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  const int end = inflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  inflateEnd(&stream);
  return end == Z_STREAM_END && stream.avail_in == 0 ? out : "not one gzip member";
}

struct Sent {
  std::string method, target, body, authorization;
  bool gzip = false;
};

// Answers from a script; behind its end with 204.
class FakeClient final : public HttpClient {
 public:
  explicit FakeClient(std::deque<Result<HttpResponse>>* script, std::vector<Sent>* sent)
      : script_(*script), sent_(*sent) {}
  Result<HttpResponse> send(const HttpRequest& request, Nanos, const std::function<bool()>&) override {
    Sent sent;
    sent.method = request.method;
    sent.target = request.target;
    sent.body = as_text(request.body);
    for (const auto& [name, value] : request.headers) {
      if (name == "Authorization") sent.authorization = value;
      if (name == "Content-Encoding") sent.gzip = value == "gzip";
    }
    if (sent.gzip) sent.body = gunzip(sent.body);
    sent_.push_back(sent);
    if (script_.empty()) return HttpResponse{204, "", ""};
    auto response = std::move(script_.front());
    script_.pop_front();
    return response;
  }
  void close() override {}

 private:
  std::deque<Result<HttpResponse>>& script_;
  std::vector<Sent>& sent_;
};

class InfluxSinkTest : public ::testing::Test {
 protected:
  InfluxSinkTest() { options_.url = "http://db:8086"; }

  DeliverResult deliver(const std::vector<Batch>& batches) {
    if (sink_ == nullptr || !keep_sink_) {
      sink_ = std::make_unique<InfluxSink>(sim_.env(), options_, make_client());
    }
    const Status opened = sink_->open(0, {});
    EXPECT_TRUE(opened.ok()) << opened.error().text();
    std::vector<DeliverableBatch> deliverable;
    static const RecordMeta kRecord;
    for (const Batch& batch : batches) {
      deliverable.push_back({deliverable.size() + 1, batch.canonical, batch.summary, &kRecord});
    }
    return sink_->deliver(deliverable, [] { return false; });
  }
  virtual std::unique_ptr<HttpClient> make_client() { return std::make_unique<FakeClient>(&script_, &sent_); }
  static Batch row_in(const std::string& database) {
    BatchBuilder builder("s", TimeUnit::kMillisecond);
    FieldView field{"v", ColumnRole::kField, {}};
    field.value.f64 = 0.5;
    RowView row;
    row.database = database;
    row.table = "m";
    row.fields = {&field, 1};
    row.time = 2;
    (void)builder.add(row);
    return builder.build();
  }
  static HttpResponse error(int status, const std::string& message, const std::string& retry_after = "") {
    return {status, retry_after, "{\"error\":\"" + message + "\"}"};
  }
  Status open() { return InfluxSink(sim_.env(), options_).open(0, {}); }

  SimEnv sim_;
  InfluxSinkOptions options_;
  std::unique_ptr<InfluxSink> sink_;
  bool keep_sink_ = false;  // else each delivery is that of a new one
  std::deque<Result<HttpResponse>> script_;
  std::vector<Sent> sent_;
};

TEST_F(InfluxSinkTest, WritesToTheDatabaseOfEachRowWithNanoseconds) {
  const DeliverResult result = deliver({row_in("a b"), row_in("plant/week"), row_in("a b")});
  EXPECT_EQ(result.kind, Kind::kDelivered);
  EXPECT_EQ(result.written_events, 3u);
  ASSERT_EQ(sent_.size(), 2u);
  EXPECT_EQ(sent_[0].target, "/write?db=a%20b&precision=ns");
  EXPECT_EQ(sent_[0].body, "m v=0.5 2000000\nm v=0.5 2000000\n");
  EXPECT_EQ(sent_[1].target, "/write?db=plant&rp=week&precision=ns");
}

TEST_F(InfluxSinkTest, VersionTwoWritesToABucketOfAnOrg) {
  options_.version = InfluxVersion::kV2;
  options_.org = "my org";
  options_.database = "plant/week";
  options_.token = "t0k";
  EXPECT_EQ(deliver({row_in("x")}).kind, Kind::kDelivered);
  EXPECT_EQ(sent_[0].target, "/api/v2/write?org=my%20org&bucket=plant%2Fweek&precision=ns");
  EXPECT_EQ(sent_[0].authorization, "Token t0k");
}

TEST_F(InfluxSinkTest, BasicAuthenticationIsSentAndNoSecretIsEverShown) {
  options_.user = "u";
  options_.password = "geheim";
  script_ = {HttpResponse(error(401, "authorization failed"))};
  const DeliverResult result = deliver({row_in("x")});
  EXPECT_EQ(sent_[0].authorization, "Basic dTpnZWhlaW0=");
  EXPECT_EQ(result.kind, Kind::kStop);
  EXPECT_THAT(result.message, HasSubstr("check the credentials"));
  EXPECT_THAT(result.message + sink_->describe(), Not(HasSubstr("geheim")));
}

TEST_F(InfluxSinkTest, LargeBodiesAreOneGzipMember) {
  EXPECT_EQ(deliver({number_batch(1, 3000)}).written_events, 3000u);
  EXPECT_TRUE(sent_[0].gzip);
  EXPECT_THAT(sent_[0].body, HasSubstr("m,s=1 v=3000i 3000\n"));
  EXPECT_EQ(std::ranges::count(sent_[0].body, '\n'), 3000);
}

TEST_F(InfluxSinkTest, RequestsHoldAtMostTheConfiguredLines) {
  options_.limits.lines = 1000;
  EXPECT_EQ(deliver({number_batch(1, 2500)}).written_events, 2500u);
  EXPECT_EQ(sent_.size(), 3u);
}

TEST_F(InfluxSinkTest, ALineThatIsRefusedForGoodDoesNotHoldTheOthers) {
  script_ = {HttpResponse(error(400, "partial write: unable to parse 'm,s=1 v=2i 2': strange dropped=0"))};
  const DeliverResult result = deliver({number_batch(1), number_batch(2), number_batch(3)});
  EXPECT_EQ(result.kind, Kind::kDelivered);
  ASSERT_EQ(result.dead.size(), 1u);
  EXPECT_EQ(result.dead[0].lsn, 2u);
  EXPECT_EQ(result.dead[0].line, "m,s=1 v=2i 2");
  EXPECT_EQ(result.dead[0].database, "plant");
  EXPECT_EQ(result.dead[0].precision, "ns") << "it can be written again as it is";
  EXPECT_THAT(result.dead[0].reason, HasSubstr("strange"));
  EXPECT_EQ(sent_[1].body, "m,s=1 v=1i 1\nm,s=1 v=3i 3\n");
  EXPECT_EQ(result.written_events, 2u);
}

TEST_F(InfluxSinkTest, ABusyServerIsObeyed) {
  script_ = {HttpResponse(error(503, "timeout", "12"))};
  const DeliverResult result = deliver({row_in("x")});
  EXPECT_EQ(result.kind, Kind::kRetry);
  EXPECT_EQ(result.retry_after, 12 * kSecond);
}

TEST_F(InfluxSinkTest, TroubleOfTheServerOrTheNetIsRetried) {
  for (const Result<HttpResponse>& trouble :
       {Result<HttpResponse>(error(500, "engine")), Result<HttpResponse>(HttpResponse{302, "", ""}),
        Result<HttpResponse>(make_error(ErrorCode::kUnreachable, "refused")),
        Result<HttpResponse>(error(429, "slow down"))}) {
    script_ = {trouble};
    const DeliverResult result = deliver({row_in("x")});
    EXPECT_EQ(result.kind, Kind::kRetry);
    EXPECT_THAT(result.message, HasSubstr("http://db:8086"));
  }
}

TEST_F(InfluxSinkTest, APageThatIsNoInfluxIsNotTakenForSuccess) {
  script_ = {HttpResponse{200, "", "<html>please log in</html>"}};
  const DeliverResult result = deliver({row_in("x")});
  EXPECT_EQ(result.kind, Kind::kRetry);
  EXPECT_THAT(result.message, HasSubstr("instead of 204"));
}

TEST_F(InfluxSinkTest, AnAddressThatIsNoWriteAddressIsRetriedForEverAndNothingIsSetAside) {
  keep_sink_ = true;
  for (int i = 0; i < 5; ++i) {
    script_ = {HttpResponse{404, "", "404 page not found"}};
    const DeliverResult result = deliver({row_in("x")});
    EXPECT_EQ(result.kind, Kind::kRetry);
    EXPECT_THAT(result.message, HasSubstr("Check url"));
    sim_.clock.advance(3600 * kSecond);
  }
}

TEST_F(InfluxSinkTest, EventsThatAreNoDataAreCountedAndOthersBecomeDeadLetters) {
  const DeliverResult result = deliver({make_batch({}, std::vector{GapEvent{}}),
                                        make_batch({}, std::vector{Statistic{"a", "b"}, Statistic{"c", "d"}}),
                                        make_batch({}, std::vector{Deletion{{"root.**"}, 0, 9}}),
                                        make_batch({}, EventKind::kOpaque, {{"p", {1}}})});
  EXPECT_EQ(result.kind, Kind::kDelivered);
  EXPECT_EQ(result.skipped_events, 3u);
  ASSERT_EQ(result.dead.size(), 2u);
  EXPECT_THAT(result.dead[0].reason, HasSubstr("deletion"));
  EXPECT_THAT(result.dead[0].line, HasSubstr("root.**"));
  EXPECT_TRUE(sent_.empty());
}

TEST_F(InfluxSinkTest, ARowWithoutADatabaseIsADeadLetterUnlessOneIsConfigured) {
  EXPECT_EQ(deliver({row_in("")}).dead.size(), 1u);
  options_.database = "d";
  EXPECT_EQ(deliver({row_in("")}).written_events, 1u);
}

TEST_F(InfluxSinkTest, AConfigurationThatCannotWorkIsRefusedAtOpen) {
  options_.url = "db:8086";
  EXPECT_EQ(open().error().code, ErrorCode::kInvalidConfiguration);
  options_.url = "http://db";
  options_.version = InfluxVersion::kV2;
  EXPECT_THAT(open().error().text(), HasSubstr("org"));
  options_.org = "o";
  EXPECT_TRUE(open().ok());
  options_.user = options_.token = "x";
  EXPECT_THAT(open().error().text(), HasSubstr("not both"));
}

// A server that knows some databases (1.x: "db" or "db/rp", 2.x: buckets) and keeps what it took.
class FakeInflux final : public HttpClient {
 public:
  struct State {
    std::set<std::string> known;
    std::map<std::string, std::string> taken;
    std::vector<std::string> queries;
    bool may_create = true;
    std::optional<HttpResponse> trouble;  // the answer to whatever creates
  };
  explicit FakeInflux(State* state) : state_(*state) {}

  Result<HttpResponse> send(const HttpRequest& request, Nanos, const std::function<bool()>&) override {
    const std::string_view target = request.target;
    if (target.starts_with("/write?db="))
      return write(parameter(target, "db"), parameter(target, "rp"), request);
    if (target.starts_with("/api/v2/write?")) return write(parameter(target, "bucket"), "", request);
    state_.queries.push_back(request.target);
    if (state_.trouble.has_value()) return *state_.trouble;
    if (target.starts_with("/api/v2/orgs?org=plant"))
      return HttpResponse{200, "", R"({"orgs":[{"id":"0f","name":"plant"}]})"};
    if (!state_.may_create)
      return HttpResponse{403, "", R"({"message":"insufficient permissions","error":"not an admin"})"};
    return create(request);
  }
  void close() override {}

 private:
  static std::string parameter(std::string_view target, const std::string& name) {
    const std::size_t at = target.find(name + "=");
    if (at == std::string_view::npos) return "";
    const std::string_view rest = target.substr(at + name.size() + 1);
    return std::string(rest.substr(0, rest.find('&')));
  }
  HttpResponse write(const std::string& database, const std::string& policy, const HttpRequest& request) {
    const std::string name = policy.empty() ? database : database + "/" + policy;
    if (request.target.starts_with("/api") && !state_.known.contains(name))
      return {404, "", R"({"code":"not found","message":"bucket \")" + name + R"(\" not found"})"};
    if (!state_.known.contains(database))
      return {404, "", R"({"error":"database not found: \")" + database + R"(\""})"};
    if (!state_.known.contains(name))
      return {500, "", R"({"error":"retention policy not found: )" + policy + "\"}"};
    state_.taken[name] += as_text(request.body);
    return {204, "", ""};
  }
  HttpResponse create(const HttpRequest& request) {
    if (request.target == "/api/v2/buckets") {
      state_.queries.back() += " " + std::string(as_text(request.body));
      state_.known.insert("hall");
      return {201, "", "{}"};
    }
    state_.known.insert("hall");
    if (request.target.find("week") != std::string::npos) state_.known.insert("hall/week");
    return {200, "", R"({"results":[{"statement_id":0}]})"};
  }

  State& state_;
};

class MissingDatabaseTest : public InfluxSinkTest {
 protected:
  MissingDatabaseTest() {
    keep_sink_ = true;
    server_.known = {"plant"};
    set_log_sink([this](LogLevel, std::string_view, std::string_view line) { log_.emplace_back(line); });
  }
  ~MissingDatabaseTest() override { set_log_sink({}); }
  std::unique_ptr<HttpClient> make_client() override { return std::make_unique<FakeInflux>(&server_); }

  static constexpr std::string_view kLine = "m v=0.5 2000000\n";
  FakeInflux::State server_;
  std::vector<std::string> log_;
};

TEST_F(MissingDatabaseTest, TheOtherDatabasesAreDeliveredWhileOneWaits) {
  const DeliverResult result = deliver({row_in("hall"), row_in("plant")});
  EXPECT_EQ(result.kind, Kind::kRetry);
  EXPECT_EQ(server_.taken["plant"], kLine);
}

TEST_F(MissingDatabaseTest, TheWaitNamesDatabaseAndPolicyWhatToCreateTheKeyAndTheLimit) {
  const std::string message = deliver({row_in("hall/week")}).message;
  for (const char* part :
       {"http://db:8086", "database \"hall\", retention policy \"week\"", "CREATE DATABASE \"hall\"; ",
        "CREATE RETENTION POLICY \"week\" ON \"hall\" DURATION INF", "create_database: true", "within 10m"}) {
    EXPECT_THAT(message, HasSubstr(part));
  }
}

TEST_F(MissingDatabaseTest, AfterTheTimeoutItsLinesAreDeadLettersAndTheRestGoesOn) {
  EXPECT_EQ(deliver({row_in("hall/week"), row_in("plant")}).kind, Kind::kRetry);
  sim_.clock.advance(599 * kSecond);
  EXPECT_EQ(deliver({row_in("hall/week"), row_in("plant")}).kind, Kind::kRetry);
  EXPECT_TRUE(log_.empty());
  sim_.clock.advance(kSecond);
  const DeliverResult result = deliver({row_in("hall/week"), row_in("plant")});
  EXPECT_EQ(result.kind, Kind::kDelivered);
  EXPECT_EQ(result.written_events, 1u);
  ASSERT_EQ(result.dead.size(), 1u);
  EXPECT_EQ(result.dead[0].line, "m v=0.5 2000000");
  EXPECT_EQ(result.dead[0].database, "hall");
  EXPECT_EQ(result.dead[0].policy, "week");
  EXPECT_EQ(result.dead[0].precision, "ns");
  EXPECT_THAT(result.dead[0].reason, HasSubstr("was not there within 10m"));
  EXPECT_THAT(result.message, HasSubstr("hall/week"));
  EXPECT_EQ(deliver({row_in("hall/week")}).kind, Kind::kDelivered) << "no wait for the next ones";
  EXPECT_THAT(log_, ElementsAre(HasSubstr("from now on its lines go to the dead letters")));
}

TEST_F(MissingDatabaseTest, ADatabaseThatAppearsGetsItsLinesAndTheNoteGoes) {
  options_.missing_target_timeout = 0;
  EXPECT_EQ(deliver({row_in("hall")}).dead.size(), 1u) << "0: at once";
  server_.known.insert("hall");
  const DeliverResult result = deliver({row_in("hall")});
  EXPECT_EQ(result.written_events, 1u);
  EXPECT_EQ(result.message, "");
  ASSERT_EQ(log_.size(), 2u);
  EXPECT_THAT(log_[1], HasSubstr("is there"));
}

TEST_F(MissingDatabaseTest, OneThatTheConfigurationNamesIsWaitedForAsLongAsItTakes) {
  options_.database = "hall";
  for (int day = 0; day < 3; ++day) {
    const DeliverResult result = deliver({row_in("x")});
    EXPECT_EQ(result.kind, Kind::kRetry);
    EXPECT_THAT(result.message, Not(HasSubstr("dead letters")));
    sim_.clock.advance(24 * 3600 * kSecond);
  }
}

TEST_F(MissingDatabaseTest, ItIsCreatedWithItsRetentionPolicyWhereThatIsAllowed) {
  options_.create_database = true;
  EXPECT_EQ(deliver({row_in("hall/week")}).kind, Kind::kDelivered);
  EXPECT_THAT(server_.queries,
              ElementsAre("/query?q=" + percent_encode("CREATE DATABASE \"hall\"; CREATE RETENTION POLICY "
                                                       "\"week\" ON \"hall\" DURATION INF REPLICATION 1")));
  EXPECT_EQ(server_.taken["hall/week"], kLine);
}

TEST_F(MissingDatabaseTest, ARetentionPolicyThatIsMissingAloneIsCreatedToo) {
  options_.create_database = true;
  options_.retention_policy = "week";
  server_.known.insert("hall");
  EXPECT_EQ(deliver({row_in("hall")}).kind, Kind::kDelivered);
  EXPECT_EQ(server_.taken["hall/week"], kLine);
}

TEST_F(MissingDatabaseTest, ABucketIsCreatedInItsOrganization) {
  options_.version = InfluxVersion::kV2;
  options_.org = "plant";
  options_.token = "t";
  options_.create_database = true;
  EXPECT_EQ(deliver({row_in("hall")}).kind, Kind::kDelivered);
  EXPECT_THAT(server_.queries,
              ElementsAre("/api/v2/orgs?org=plant",
                          R"(/api/v2/buckets {"orgID":"0f","name":"hall","retentionRules":[]})"));
  EXPECT_EQ(server_.taken["hall"], kLine);
}

TEST_F(MissingDatabaseTest, AMissingBucketIsSetAsideLikeADatabase) {
  options_.version = InfluxVersion::kV2;
  options_.org = "plant";
  options_.missing_target_timeout = 0;
  const DeliverResult result = deliver({row_in("hall"), row_in("plant")});
  EXPECT_EQ(result.kind, Kind::kDelivered);
  EXPECT_EQ(result.dead.size(), 1u);
  EXPECT_THAT(result.dead[0].reason, HasSubstr("bucket \"hall\" of org \"plant\""));
}

TEST_F(MissingDatabaseTest, CredentialsThatMayNotCreateItDoNotStopThePipe) {
  options_.create_database = true;
  server_.may_create = false;
  for (const InfluxVersion version : {InfluxVersion::kV1, InfluxVersion::kV2}) {
    keep_sink_ = false;
    options_.version = version;
    options_.org = "plant";
    const DeliverResult result = deliver({row_in("hall")});
    EXPECT_EQ(result.kind, Kind::kRetry);
    EXPECT_THAT(result.message, HasSubstr("creating it is refused: "));
  }
}

TEST_F(MissingDatabaseTest, AStatementThatFailsIsToldInTheServersWords) {
  options_.create_database = true;
  server_.trouble = HttpResponse{200, "", R"({"results":[{"statement_id":0,"error":"invalid name"}]})"};
  EXPECT_THAT(deliver({row_in("hall")}).message, HasSubstr("creating it is refused: invalid name"));
}

TEST_F(MissingDatabaseTest, TroubleWhileCreatingIsNoReasonToSetAnythingAside) {
  options_.create_database = true;
  options_.missing_target_timeout = 0;
  server_.trouble = HttpResponse{503, "", R"({"error":"busy"})"};
  const DeliverResult result = deliver({row_in("hall")});
  EXPECT_EQ(result.kind, Kind::kRetry);
  EXPECT_THAT(result.message, HasSubstr("busy"));
}

TEST_F(MissingDatabaseTest, WhatLineProtocolCannotHoldDoesNotMakeADatabaseLookPresent) {
  options_.missing_target_timeout = 0;
  EXPECT_EQ(deliver({row_in("hall")}).dead.size(), 1u);
  BatchBuilder builder("s", TimeUnit::kMillisecond);
  FieldView field{"v", ColumnRole::kField, {}};
  field.value.f64 = std::numeric_limits<double>::quiet_NaN();
  RowView row;
  row.database = "hall/week";
  row.table = "m";
  row.fields = {&field, 1};
  ASSERT_TRUE(builder.add(row).ok());
  const DeliverResult result = deliver({builder.build()});
  ASSERT_EQ(result.dead.size(), 1u);
  EXPECT_EQ(result.dead[0].database, "hall");
  EXPECT_EQ(result.dead[0].policy, "week");
  EXPECT_EQ(result.dead[0].precision, "") << "it is no line protocol";
  EXPECT_THAT(result.message, HasSubstr("hall")) << "still missing";
}

TEST(MissingTargetsTest, EachNameIsWaitedForOnceAndForgottenWhenNobodyUsesIt) {
  using Decision = MissingTargets::Decision;
  MissingTargets missing(10);
  EXPECT_EQ(missing.is_missing("a", 0), Decision::kWait);
  EXPECT_EQ(missing.is_missing("a", 9), Decision::kWait);
  EXPECT_EQ(missing.is_missing("a", 10), Decision::kSetAsideFromNow);
  EXPECT_EQ(missing.is_missing("b", 10), Decision::kWait) << "each name has its own time";
  EXPECT_EQ(missing.is_missing("a", 11), Decision::kSetAside);
  EXPECT_EQ(missing.note(11), "a");
  EXPECT_EQ(missing.note(12 + MissingTargets::kRecent), "");
  EXPECT_EQ(missing.is_missing("a", 12 + MissingTargets::kForgetAfter), Decision::kWait);
  EXPECT_FALSE(missing.is_there("b"));
}

TEST(MissingTargetsTest, NamesThatASourceMakesUpFillNoMemoryAndStopNothing) {
  using Decision = MissingTargets::Decision;
  MissingTargets missing(10);
  for (std::size_t i = 0; i < MissingTargets::kMostNames; ++i)
    EXPECT_EQ(missing.is_missing("n" + std::to_string(i), 0), Decision::kWait);
  EXPECT_EQ(missing.is_missing("one more", 0), Decision::kSetAside);
  (void)missing.is_missing("n1", 10), (void)missing.is_missing("n2", 10), (void)missing.is_missing("n3", 10);
  (void)missing.is_missing("n4", 10), (void)missing.is_missing("n5", 10);
  EXPECT_EQ(missing.note(10), "n1, n2, n3 and 2 more");
  EXPECT_EQ(missing.is_missing("one more", 11 + MissingTargets::kForgetAfter), Decision::kWait)
      << "the old ones are forgotten";
}

}  // namespace
}  // namespace tidegate
