// SPDX-License-Identifier: Apache-2.0
// Against a real influxd 1.x; skipped where none is installed (Debian package influxdb).
#include <arpa/inet.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "base/real_env.h"
#include "pipe/connect/influx/influx_sink.h"
#include "pipe/engine/engine_test_support.h"
#include "pipe/engine/pipe.h"

namespace tidegate {
namespace {

using ::testing::HasSubstr;
using testing::MemoryPositions;
using testing::MemoryRecords;
using testing::number_batch;

std::uint16_t free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  if (::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0)
    ADD_FAILURE() << "no free port";
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  ::close(fd);
  return ntohs(address.sin_port);
}

// A server of its own: loopback, fresh folder, stopped by its process id.
class Influxd {
 public:
  static std::string binary() {
    for (const char* path : {"/usr/bin/influxd", "/usr/local/bin/influxd"}) {
      if (std::filesystem::exists(path)) return path;
    }
    return "";
  }
  Influxd() : port_(free_port()) {
    char name[] = "/tmp/tidegate-influxd-XXXXXX";
    folder_ = ::mkdtemp(name);
    std::ofstream conf(folder_ + "/influx.conf");
    conf << "reporting-disabled = true\nbind-address = \"127.0.0.1:" << free_port() << "\"\n[meta]\ndir = \""
         << folder_ << "/meta\"\n[data]\ndir = \"" << folder_ << "/data\"\nwal-dir = \"" << folder_
         << "/wal\"\n[http]\nbind-address = \"127.0.0.1:" << port_
         << "\"\nlog-enabled = false\n[monitor]\nstore-enabled = false\n[subscriber]\nenabled = false\n";
  }
  ~Influxd() {
    kill();
    std::filesystem::remove_all(folder_);
  }
  void start() {
    const std::string conf = folder_ + "/influx.conf", log = folder_ + "/log", program = binary();
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 1, log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    posix_spawn_file_actions_adddup2(&actions, 1, 2);
    const char* arguments[] = {program.c_str(), "run", "-config", conf.c_str(), nullptr};
    ASSERT_EQ(posix_spawn(&pid_, program.c_str(), &actions, nullptr, const_cast<char**>(arguments), environ),
              0);
    posix_spawn_file_actions_destroy(&actions);
    for (int i = 0; i < 600 && query("SHOW DATABASES").empty(); ++i) ::usleep(50'000);  // poll
    ASSERT_FALSE(query("SHOW DATABASES").empty()) << "influxd does not answer";
  }
  void kill() {
    if (pid_ == 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  // The JSON answer; empty where there is none.
  std::string query(const std::string& q, const std::string& database = "plant") {
    auto client = make_http_client({parse_http_url(url()).value()}).value();
    HttpRequest request;
    request.target = "/query?epoch=ns&db=" + percent_encode(database) + "&q=" + percent_encode(q);
    auto response = client->send(request, 10 * kSecond, [] { return false; });
    return response.ok() ? response->body : "";
  }

 private:
  std::uint16_t port_;
  std::string folder_;
  pid_t pid_ = 0;
};

class InfluxdTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (Influxd::binary().empty()) GTEST_SKIP() << "influxd is not installed (Debian package influxdb)";
    server_ = std::make_unique<Influxd>();
    server_->start();
    options_.url = server_->url();
    options_.create_database = true;
    char name[] = "/tmp/tidegate-dead-XXXXXX";
    dead_ = ::mkdtemp(name);
  }
  void TearDown() override {
    if (!dead_.empty()) std::filesystem::remove_all(dead_);
  }
  void start() {
    sink_ = std::make_unique<InfluxSink>(real_env(), options_);
    PipeOptions options;
    options.name = "p";
    options.dead_letters.directory = dead_;
    options.first_backoff = options.longest_backoff = 20 * kMillisecond;
    pipe_ = std::make_unique<Pipe>(real_env(), std::move(options), source_, positions_, *sink_);
    ASSERT_TRUE(pipe_->open().ok());
  }
  void step_until(const std::function<bool()>& reached) {
    const Nanos deadline = real_env().clock->now() + 60 * kSecond;
    while (!reached() && real_env().clock->now() < deadline) {
      if (pipe_->step().at > real_env().clock->now()) ::usleep(1000);  // poll
    }
  }
  // Steps until everything is delivered.
  void run() {
    if (pipe_ == nullptr) start();
    step_until([this] { return pipe_->status().lag_lsns == 0; });
    ASSERT_EQ(pipe_->status().lag_lsns, 0u) << pipe_->status().message;
  }
  Batch row(std::string_view table, const std::vector<FieldView>& fields, std::int64_t time,
            std::string_view database = "plant") {
    BatchBuilder builder("s", TimeUnit::kNanosecond);
    RowView row;
    row.database = database;
    row.table = table;
    row.fields = fields;
    row.time = time;
    EXPECT_TRUE(builder.add(row).ok());
    return builder.build();
  }
  static FieldView field(std::string_view name, ValueType type) {
    FieldView out{name, ColumnRole::kField, {}};
    out.value.type = type;
    return out;
  }
  std::string dead_letters() {
    std::ifstream in(dead_ + "/p.dead-000001.jsonl");
    return {std::istreambuf_iterator<char>(in), {}};
  }

  std::unique_ptr<Influxd> server_;
  InfluxSinkOptions options_;
  std::string dead_;
  MemoryRecords source_;
  MemoryPositions positions_;
  std::unique_ptr<InfluxSink> sink_;
  std::unique_ptr<Pipe> pipe_;
};

TEST_F(InfluxdTest, EveryTypeArrivesWithItsExactValue) {
  std::vector<FieldView> fields{field("b", ValueType::kBool),  field("d", ValueType::kDouble),
                                field("f", ValueType::kFloat), field("i", ValueType::kInt32),
                                field("l", ValueType::kInt64), field("t", ValueType::kText),
                                field("u", ValueType::kUint64)};
  fields[0].value.b = true;
  fields[1].value.f64 = 0.1 + 0.2;
  fields[2].value.f32 = 0.1F;
  fields[3].value.i32 = INT32_MIN;
  fields[4].value.i64 = INT64_MAX;
  fields[5].value.text = "say \"hi\\\nthere\xc3\xa9";
  fields[6].value.u64 = INT64_MAX;
  source_.append(row("all types", fields, 1'700'000'000'123'456'789));
  run();
  const std::string got = server_->query("SELECT b,d,f,i,l,t,u FROM \"all types\"");
  EXPECT_THAT(got, HasSubstr("[1700000000123456789,true,0.30000000000000004,0.10000000149011612,-2147483648,"
                             "9223372036854775807,\"say \\\"hi\\\\\\nthere\xc3\xa9\",9223372036854775807]"));
}

TEST_F(InfluxdTest, AConflictOfTypesCostsOnlyThePointsThatHaveIt) {
  FieldView number = field("v", ValueType::kDouble);
  number.value.f64 = 1.5;
  source_.append(row("m", {number}, 1));
  run();
  std::vector<Batch> batches;
  for (int i = 2; i < 400; ++i) {
    FieldView value = i % 4 == 0 ? field("v", ValueType::kInt64) : number;
    if (i % 4 == 0) value.value.i64 = i;
    batches.push_back(row("m", {value}, i));
  }
  source_.append(batches);
  run();
  EXPECT_THAT(server_->query("SELECT count(v) FROM m"), HasSubstr(",300]"));
  EXPECT_EQ(pipe_->status().counters.dead_letters, 99u);
  EXPECT_THAT(dead_letters(), HasSubstr("field type conflict"));
  EXPECT_THAT(dead_letters(), HasSubstr("\"line\":\"m v=396i 396\""));
}

TEST_F(InfluxdTest, TwoNewTypesInOneRequestAreToldApart) {
  FieldView number = field("v", ValueType::kDouble), integer = field("v", ValueType::kInt64);
  integer.value.i64 = 1;
  source_.append({row("fresh", {number}, 1), row("fresh", {integer}, 2), row("fresh", {number}, 3),
                  row("other", {integer}, 4)});
  run();
  const auto counters = pipe_->status().counters;
  EXPECT_EQ(counters.written_events + counters.dead_letters, 4u);
  EXPECT_GE(counters.dead_letters, 1u);
  EXPECT_THAT(server_->query("SELECT count(v) FROM other"), HasSubstr(",1]"));
}

TEST_F(InfluxdTest, PointsOlderThanTheRetentionBecomeDeadLetters) {
  server_->query("CREATE DATABASE plant WITH DURATION 1d");
  FieldView number = field("v", ValueType::kDouble);
  const std::int64_t now = real_env().clock->wall_micros() * 1000;
  source_.append({row("m", {number}, 1), row("m", {number}, now), row("m", {number}, 2)});
  run();
  EXPECT_EQ(pipe_->status().counters.dead_letters, 2u);
  EXPECT_THAT(server_->query("SELECT count(v) FROM m"), HasSubstr(",1]"));
  EXPECT_THAT(dead_letters(), HasSubstr("retention"));
}

TEST_F(InfluxdTest, AServerThatIsKilledAndComesBackHasEveryPointOnce) {
  constexpr int kBatches = 40, kRows = 500;
  options_.limits.lines = 700;
  for (int i = 0; i < kBatches / 3; ++i) source_.append(number_batch(1 + i * kRows, kRows));
  run();
  server_->kill();
  for (int i = kBatches / 3; i < kBatches; ++i) source_.append(number_batch(1 + i * kRows, kRows));
  step_until([this] { return pipe_->status().counters.retries > 0; });
  EXPECT_GT(pipe_->status().counters.retries, 0u);
  EXPECT_EQ(pipe_->status().state, PipeState::kRunning);
  server_->start();
  run();
  EXPECT_THAT(server_->query("SELECT count(v), sum(v), min(v), max(v) FROM m"),
              HasSubstr(",20000,200010000,1,20000]"));
  EXPECT_EQ(pipe_->status().counters.dead_letters, 0u);
}

TEST_F(InfluxdTest, AWrongDatabaseDoesNotHoldTheOthersAndItsLinesCanBeWrittenAgain) {
  options_.create_database = false;
  options_.missing_target_timeout = 200 * kMillisecond;
  server_->query("CREATE DATABASE plant");
  FieldView number = field("v", ValueType::kDouble);
  number.value.f64 = 1.5;
  source_.append({row("m", {number}, 1), row("m", {number}, 2, "wrong"), row("m", {number}, 3, "plant/nope"),
                  row("m", {number}, 4)});
  run();
  EXPECT_THAT(server_->query("SELECT count(v) FROM m"), HasSubstr(",2]"));
  EXPECT_GT(pipe_->status().counters.retries, 0u) << "it waits first";
  EXPECT_EQ(pipe_->status().counters.dead_letters, 2u);
  EXPECT_THAT(dead_letters(), HasSubstr(R"("database":"wrong","precision":"ns","line":"m v=1.5 2")"));
  EXPECT_THAT(
      dead_letters(),
      HasSubstr(R"("database":"plant","retention_policy":"nope","precision":"ns","line":"m v=1.5 3")"));
}

TEST_F(InfluxdTest, DatabasesAndRetentionPoliciesAreCreatedWhereThatIsAllowed) {
  FieldView number = field("v", ValueType::kDouble);
  number.value.f64 = 1.5;
  source_.append(
      {row("m", {number}, 1), row("m", {number}, 2, "plant/week \"7\""), row("m", {number}, 3, "a/b")});
  run();
  EXPECT_EQ(pipe_->status().counters.dead_letters, 0u);
  EXPECT_THAT(server_->query("SELECT count(v) FROM m"), HasSubstr(",1]"));
  EXPECT_THAT(server_->query(R"(SELECT count(v) FROM "week \"7\"".m)"), HasSubstr(",1]"));
  EXPECT_THAT(server_->query("SHOW RETENTION POLICIES ON a", "a"), HasSubstr(R"(["b","0s")"));
  EXPECT_THAT(server_->query("SELECT count(v) FROM b.m", "a"), HasSubstr(",1]"));
}

}  // namespace
}  // namespace tidegate
