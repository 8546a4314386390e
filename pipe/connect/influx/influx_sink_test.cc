// SPDX-License-Identifier: Apache-2.0
#include "pipe/connect/influx/influx_sink.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <deque>

#include "pipe/engine/engine_test_support.h"

namespace tidegate {
namespace {

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
  std::string target, body, authorization;
  bool gzip = false;
};

// Answers from a script; behind its end with 204.
class FakeClient final : public HttpClient {
 public:
  explicit FakeClient(std::deque<Result<HttpResponse>>* script, std::vector<Sent>* sent)
      : script_(*script), sent_(*sent) {}
  Result<HttpResponse> send(const HttpRequest& request, Nanos, const std::function<bool()>&) override {
    Sent sent;
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
    InfluxSink sink(options_, std::make_unique<FakeClient>(&script_, &sent_));
    const Status opened = sink.open(0, {});
    EXPECT_TRUE(opened.ok()) << opened.error().text();
    std::vector<DeliverableBatch> deliverable;
    static const RecordMeta kRecord;
    for (const Batch& batch : batches) {
      deliverable.push_back({deliverable.size() + 1, batch.canonical, batch.summary, &kRecord});
    }
    return sink.deliver(deliverable, [] { return false; });
  }
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
  Status open() { return InfluxSink(options_).open(0, {}); }

  InfluxSinkOptions options_;
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
  EXPECT_THAT(result.message + InfluxSink(options_).describe(), Not(HasSubstr("geheim")));
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

TEST_F(InfluxSinkTest, AMissingDatabaseSaysWhatToCreate) {
  script_ = {HttpResponse(error(404, R"(database not found: \"plant\")"))};
  const DeliverResult result = deliver({row_in("plant")});
  EXPECT_EQ(result.kind, Kind::kRetry);
  EXPECT_THAT(result.message, HasSubstr("CREATE DATABASE \"plant\""));
}

TEST_F(InfluxSinkTest, AMissingDatabaseIsCreatedWhereThatIsAllowed) {
  options_.create_database = true;
  script_ = {HttpResponse(error(404, R"(database not found: \"pl\")")),
             HttpResponse{200, "", R"({"results":[{}]})"}};
  EXPECT_EQ(deliver({row_in("pl")}).kind, Kind::kDelivered);
  ASSERT_EQ(sent_.size(), 3u);
  EXPECT_EQ(sent_[1].target, "/query?q=CREATE%20DATABASE%20%22pl%22");
  EXPECT_EQ(sent_[2].target, sent_[0].target);
}

TEST_F(InfluxSinkTest, ADatabaseThatCannotBeCreatedIsRetriedWithTheServersWords) {
  options_.create_database = true;
  script_ = {HttpResponse(error(404, "database not found")),
             HttpResponse{200, "", R"({"results":[{"error":"no way"}]})"}};
  const DeliverResult result = deliver({row_in("pl")});
  EXPECT_EQ(result.kind, Kind::kRetry);
  EXPECT_THAT(result.message, HasSubstr("no way"));
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

}  // namespace
}  // namespace tidegate
