// SPDX-License-Identifier: Apache-2.0
#include "pipe/connect/builtin_connectors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "base/sim_env.h"
#include "pipe/connect/file/file_sink_plugin.h"
#include "pipe/connect/influx/fake_http_server_for_test.h"
#include "pipe/connect/influx/influx_sink_plugin.h"
#include "pipe/connect/node_urls.h"
#include "pipe/engine/engine_test_support.h"

namespace tidegate {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using testing::FakeHttpServer;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using testing::number_batch;

using Values = std::map<std::string, std::string>;

constexpr const char* kNothing = "(nothing is refused)";

class BuiltinConnectors : public ::testing::Test {
 protected:
  Result<std::unique_ptr<Connector>> make(const std::string& name, const Values& values = {}) {
    return make_connector(sim_.env(), {name, values}, context_);
  }
  std::string refusal(const std::string& name, const Values& values = {}) {
    const auto made = make(name, values);
    return made.ok() ? kNothing : made.error().text();
  }
  // What CREATE PIPE says of it.
  std::string verdict(const std::string& name, const Values& values = {}) {
    const auto checked = check_connector({name, values}, context_);
    return checked.ok() ? kNothing : checked.error().text();
  }
  // Gives it batches with 1, 2, 3 ... at LSN 1, 2, 3 ... in one delivery.
  DeliverResult deliver(Connector& to, int batches = 1) {
    EXPECT_TRUE(to.open(0, {}).ok());
    RecordMeta meta;
    std::vector<Batch> made;
    for (int i = 1; i <= batches; ++i) made.push_back(number_batch(i));
    std::vector<DeliverableBatch> run;
    for (const Batch& batch : made) run.push_back({run.size() + 1, batch.canonical, batch.summary, &meta});
    return to.deliver(run, [] { return false; });
  }

  SimEnv sim_;
  ConnectorContext context_{.pipe = "p", .data_dir = "/data"};
};

// ---- the list

TEST_F(BuiltinConnectors, EachIsFoundByItsNameAndItsAliasesAndNoNameIsTwoOfThem) {
  std::set<std::string> names;
  for (const PluginInfo& info : connector_plugins()) {
    EXPECT_EQ(info.kind, PluginKind::kConnector);
    EXPECT_THAT(info.class_name, HasSubstr("tidegate.connect."));
    EXPECT_EQ(find_connector_plugin(info.name), &info);
    EXPECT_TRUE(names.insert(info.name).second) << info.name;
    for (const std::string& alias : info.aliases) {
      EXPECT_EQ(find_connector_plugin(alias), &info);
      EXPECT_TRUE(names.insert(alias).second) << alias;
    }
  }
  EXPECT_EQ(find_connector_plugin("no-such-connector"), nullptr);
  EXPECT_EQ(air_gap_plugin().name, "iotdb-air-gap-connector");
}

TEST_F(BuiltinConnectors, NoAttributeHasTwoMeaningsAndEveryDefaultIsAValueOfItsType) {
  for (const PluginInfo& info : connector_plugins()) {
    std::set<std::string> names;
    for (const AttributeSpec& spec : info.attributes) {
      EXPECT_TRUE(names.insert(spec.name).second) << info.name << " " << spec.name;
      for (const std::string& alias : spec.aliases) EXPECT_TRUE(names.insert(alias).second) << alias;
      const PluginInfo alone{.name = info.name, .attributes = {spec}};
      const Attributes shown{info.name, {{spec.name, spec.default_value}}};
      EXPECT_TRUE(spec.default_value.empty() || check_attributes(shown, alone).ok()) << spec.name;
      EXPECT_FALSE(spec.required && !spec.default_value.empty()) << spec.name;
      EXPECT_FALSE(spec.description.empty()) << spec.name;
    }
  }
}

TEST_F(BuiltinConnectors, ANameThatIsNoneIsToldWithTheNearest) {
  EXPECT_THAT(refusal("iotdb-trift-sink"), HasSubstr("did you mean 'iotdb-thrift-sink'?"));
  EXPECT_THAT(refusal("kafka"), AllOf(HasSubstr("no connector called 'kafka'"), HasSubstr("influxdb-sink")));
  EXPECT_THAT(refusal(""), HasSubstr("names no connector"));
}

TEST_F(BuiltinConnectors, CheckingGivesOwnNamesAndTakesWhatCannotBeMadeHere) {
  const auto checked =
      check_connector({"influx-connector", {{"url", "http://h"}, {"username", "u"}}}, context_);
  ASSERT_TRUE(checked.ok()) << checked.error().text();
  EXPECT_EQ(*checked, (Attributes{"influxdb-sink", {{"url", "http://h"}, {"user", "u"}}}));
  EXPECT_EQ(verdict("air-gap-sink", {{"ip", "10.0.0.1"}, {"port", "9780"}}), kNothing);
  EXPECT_THAT(verdict("influx-sink", {{"url", "http://h"}, {"user", "u"}, {"username", "u"}}),
              HasSubstr("given twice"));
}

// ---- do-nothing

TEST_F(BuiltinConnectors, DoNothingTakesEverythingAndCounts) {
  const auto connector = make("do-nothing-sink").value();
  EXPECT_EQ(connector->describe(), "do-nothing-connector");
  const DeliverResult result = deliver(*connector, 3);
  EXPECT_EQ(result.kind, DeliverResult::Kind::kDelivered);
  EXPECT_EQ(result.written_events, 3U);
  EXPECT_THAT(result.dead, IsEmpty());
  EXPECT_THAT(refusal("do-nothing-connector", {{"x", "1"}}), HasSubstr("has no attributes"));
}

// ---- attributes and options

FileSinkOptions file_options(const Values& values) {
  return read_file_sink_options({"file-sink", values}, {.pipe = "p"}).value();
}
InfluxSinkOptions influx_options(Env env, const Values& values) {
  return read_influx_sink_options(*env.files, {"influxdb-sink", values}).value();
}
Values defaults_of(const char* plugin) {
  Values out;
  for (const AttributeSpec& spec : find_connector_plugin(plugin)->attributes)
    if (!spec.default_value.empty()) out[spec.name] = spec.default_value;
  return out;
}

TEST_F(BuiltinConnectors, DefaultsThatAreShownAreThoseThatHold) {
  FileSinkOptions files;
  files.name = "p";
  EXPECT_EQ(file_options({}), files);
  EXPECT_EQ(file_options(defaults_of("file-sink")), files);
  EXPECT_EQ(influx_options(sim_.env(), {}), InfluxSinkOptions{});
  EXPECT_EQ(influx_options(sim_.env(), defaults_of("influxdb-sink")), InfluxSinkOptions{});
}

// A value of the right type that is not the default.
std::string other_value(const AttributeSpec& spec) {
  switch (spec.type) {
    case AttributeType::kBool:
      return spec.default_value == "true" ? "false" : "true";
    case AttributeType::kInteger:
      return std::to_string(std::stoll(spec.default_value) + 1);
    case AttributeType::kChoice:
      return spec.choices.back() == spec.default_value ? spec.choices.front() : spec.choices.back();
    case AttributeType::kBytes:
      return "12345";
    case AttributeType::kDuration:
      return "123s";
    default:
      return "other";
  }
}

TEST_F(BuiltinConnectors, EveryAttributeReachesItsSinkUnderAnyOfItsNames) {
  for (const AttributeSpec& spec : find_connector_plugin("file-sink")->attributes)
    EXPECT_NE(file_options({{spec.name, other_value(spec)}}), file_options({})) << spec.name;
  for (const AttributeSpec& spec : find_connector_plugin("influxdb-sink")->attributes) {
    Values others;
    if (spec.name == "bucket") others["version"] = "2";
    Values with = others;
    with[spec.name] = other_value(spec);
    EXPECT_NE(influx_options(sim_.env(), with), influx_options(sim_.env(), others)) << spec.name;
  }
}

TEST_F(BuiltinConnectors, ChoicesAreReadWithoutCaseAndEachMeansItself) {
  using influx::UnsignedPolicy;
  using influx::WriterTarget;
  EXPECT_EQ(file_options({{"format", "CSV"}}).format, FileFormat::kCsv);
  EXPECT_EQ(file_options({{"line-protocol.target", "V1"}}).mapping.target, WriterTarget::kV1);
  EXPECT_EQ(file_options({{"line-protocol.target", "v3"}}).mapping.target, WriterTarget::kV3);
  EXPECT_EQ(influx_options(sim_.env(), {{"unsigned", "Native"}}).unsigned_policy, UnsignedPolicy::kNative);
  EXPECT_EQ(influx_options(sim_.env(), {{"unsigned", "integer"}}).unsigned_policy,
            UnsignedPolicy::kAsInteger);
}

TEST_F(BuiltinConnectors, WithoutBatchesOneRecordGoesAtOnce) {
  const Values values{
      {"batch.enable", "false"}, {"batch.max-delay-seconds", "2"}, {"batch.size-bytes", "1m"}};
  EXPECT_EQ(file_options(values).gather, (GatherOptions{.bytes = 1, .delay = 0}));
  EXPECT_EQ(file_options({{"batch.max-delay-seconds", "2"}}).gather.delay, 2 * kSecond);
  const auto sink =
      make("file-sink", {{"directory", "/out"}, {"batch.max-delay", "1500ms"}, {"batch.size-bytes", "64k"}})
          .value();
  EXPECT_EQ(sink->gather_delay(), 1500 * kMillisecond);
  EXPECT_EQ(sink->preferred_bytes(), 64'000U);
  EXPECT_THAT(refusal("file-sink", {{"directory", "/out"}, {"batch.size-bytes", "1GiB"}}),
              HasSubstr("at most 64 MiB"));
}

// ---- what they write

TEST_F(BuiltinConnectors, AFileSinkWritesWhatItsAttributesSay) {
  const auto plain = make("file-connector", {{"directory", "/out"}}).value();
  EXPECT_EQ(deliver(*plain).written_events, 1U);
  const auto csv =
      make("file-sink", {{"directory", "/csv"}, {"file-name", "plant"}, {"format", "csv"}}).value();
  EXPECT_EQ(deliver(*csv).written_events, 1U);
  EXPECT_THAT(sim_.files.list("/out").value(), ::testing::Contains("p-000000000001.lp.part"));
  EXPECT_THAT(sim_.files.list("/csv").value(), ::testing::Contains("plant-000000000001.csv.part"));
}

TEST_F(BuiltinConnectors, AnInfluxSinkReadsItsTokenFromAFileAndShowsItNowhere) {
  FakeHttpServer server;
  ASSERT_TRUE(replace_file(sim_.files, "/token", as_bytes("s3cret\n")).ok());
  const auto sink = make("influx-sink", {{"url", server.url()},
                                         {"version", "2"},
                                         {"org", "plant"},
                                         {"bucket", "b"},
                                         {"token", "file:/token"}})
                        .value();
  EXPECT_EQ(deliver(*sink).kind, DeliverResult::Kind::kDelivered);
  ASSERT_EQ(server.requests().size(), 1U);
  EXPECT_THAT(server.requests()[0].head,
              AllOf(HasSubstr("/api/v2/write?org=plant&bucket=b"), HasSubstr("Token s3cret")));
  EXPECT_THAT(sink->describe(), Not(HasSubstr("s3cret")));
  EXPECT_THAT(refusal("influx-sink", {{"url", server.url()}, {"token", "file:/none"}}),
              AllOf(HasSubstr("the secret of 'connector.token' cannot be read"), HasSubstr("/none")));
}

// ---- what does not go together

TEST_F(BuiltinConnectors, FilesGoToAFolderOfTheirOwn) {
  const auto told = [&](const std::string& directory) {
    return refusal("file-sink", {{"directory", directory}});
  };
  EXPECT_EQ(told("/data/files"), kNothing);
  EXPECT_THAT(told("/data/journal/x"), HasSubstr("'connector.directory' lies in /data/journal"));
  EXPECT_THAT(told("/"), HasSubstr("holds the daemon's data_dir (/data)"));
  EXPECT_THAT(told("out"), HasSubstr("must be an absolute path"));
  EXPECT_THAT(refusal("file-sink"), HasSubstr("needs 'connector.directory'"));
  context_.own_folders = {"outbox"};
  EXPECT_THAT(told("/data/outbox"), HasSubstr("which is the daemon's own"));
}

TEST_F(BuiltinConnectors, FilesHaveANameThatFilesMayHave) {
  EXPECT_THAT(refusal("file-sink", {{"directory", "/out"}, {"file-name", "../x"}}),
              HasSubstr("'connector.file-name' is refused"));
  context_.pipe = "my pipe";
  EXPECT_THAT(refusal("file-sink", {{"directory", "/out"}}), HasSubstr("'connector.file-name' is needed"));
  EXPECT_EQ(refusal("file-sink", {{"directory", "/out"}, {"file-name", "x"}}), kNothing);
}

TEST_F(BuiltinConnectors, WhatMeansNothingToAFormatOrAVersionIsRefused) {
  EXPECT_THAT(refusal("file-sink", {{"directory", "/out"}, {"format", "csv"}, {"tree-tag", "d"}}),
              HasSubstr("'connector.tree-tag' means nothing to csv"));
  const auto told = [&](Values values) {
    values["url"] = "http://h";
    return refusal("influxdb-sink", values);
  };
  EXPECT_EQ(told({{"database", "d"}, {"retention-policy", "r"}}), kNothing);
  EXPECT_THAT(told({{"bucket", "b"}}), HasSubstr("'connector.bucket' is of InfluxDB 2.x"));
  EXPECT_THAT(told({{"org", "o"}}), HasSubstr("'connector.org' is of InfluxDB 2.x"));
  EXPECT_THAT(told({{"version", "2"}}), HasSubstr("'connector.org' is required"));
  EXPECT_EQ(told({{"version", "2"}, {"org", "o"}, {"bucket", "b"}}), kNothing);
  EXPECT_THAT(told({{"version", "2"}, {"org", "o"}, {"database", "d"}}), HasSubstr("'connector.database'"));
  EXPECT_THAT(told({{"version", "2"}, {"org", "o"}, {"retention-policy", "r"}}),
              HasSubstr("'connector.retention-policy'"));
}

TEST_F(BuiltinConnectors, CredentialsAreOfOneKindAndComplete) {
  const auto told = [&](Values values) {
    values.emplace("url", "http://h");
    return refusal("influxdb-sink", values);
  };
  EXPECT_THAT(told({{"user", "u"}, {"token", "t"}}), HasSubstr("'connector.token' and user exclude"));
  EXPECT_THAT(told({{"password", "p"}}), HasSubstr("'connector.password' is given without a user"));
  EXPECT_EQ(told({{"user", "u"}, {"password", "p"}}), kNothing);
  EXPECT_THAT(told({{"url", "http://u:hidden@h"}}),
              AllOf(HasSubstr("'connector.url' is refused"), Not(HasSubstr("hidden"))));
}

// ---- IoTDB

TEST_F(BuiltinConnectors, ThoseOfIotdbAreCheckedAndSayWhatIsMissing) {
  const Values address{{"ip", "127.0.0.1"}, {"port", "6667"}};
  for (const char* name : {"iotdb-thrift-connector", "iotdb-thrift-sync-connector", "iotdb-thrift-sink",
                           "iotdb-thrift-sync-sink", "iotdb-thrift-async-connector",
                           "iotdb-thrift-async-sink", "iotdb-legacy-pipe-connector"}) {
    EXPECT_EQ(verdict(name, address), kNothing) << name;
    EXPECT_THAT(refusal(name, address), HasSubstr("cannot speak thrift to IoTDB yet")) << name;
    EXPECT_FALSE(find_connector_plugin(name)->unavailable.empty());
  }
  EXPECT_THAT(refusal("air-gap-connector", address), HasSubstr("is carried by the link"));
  EXPECT_THAT(air_gap_plugin().unavailable, IsEmpty());
  EXPECT_THAT(verdict("iotdb-legacy-pipe-connector", {{"ip", "h"}}), HasSubstr("needs 'connector.port'"));
  EXPECT_THAT(verdict("iotdb-air-gap-sink", {{"ip", "h"}, {"port", "1"}, {"dialect", "java"}}),
              HasSubstr("one of native, iotdb"));
}

TEST_F(BuiltinConnectors, AnAddressIsGivenInOneOfItsForms) {
  const auto told = [&](const Values& values) { return verdict("iotdb-thrift-connector", values); };
  EXPECT_EQ(told({{"thrift.host", "localhost"}, {"thrift.port", "9999"}}), kNothing)
      << "as in IoTDB's manual";
  EXPECT_EQ(told({{"node-urls", "127.0.0.1:6667,127.0.0.1:6668,"}}), kNothing);
  EXPECT_THAT(told({}), HasSubstr("'connector.ip' is needed, or node-urls"));
  EXPECT_THAT(told({{"port", "1"}}), HasSubstr("'connector.ip' is needed"));
  EXPECT_THAT(told({{"ip", "h"}}), HasSubstr("'connector.port' is needed beside ip"));
  EXPECT_THAT(told({{"ip", "h"}, {"port", "65536"}}), HasSubstr("from 1 to 65535"));
  EXPECT_THAT(told({{"ip", "h"}, {"node-urls", "h:1"}}), HasSubstr("give one of the two"));
  for (const char* wrong : {"", ",", "h", "h:0", ":1", "h:1,,h:2", "h:1;h:2", "h:65536"})
    EXPECT_THAT(told({{"node-urls", wrong}}), HasSubstr("'connector.node-urls' must be addresses")) << wrong;
  EXPECT_THAT(told({{"node-urls", "h:1, h:1"}}), HasSubstr("names h:1 twice"));
}

TEST_F(BuiltinConnectors, AddressesAreReadInTheOrderWritten) {
  const auto read = [](const Values& values) {
    const std::vector<Endpoint> addresses = read_addresses({"iotdb-air-gap-connector", values}).value();
    std::vector<std::string> out;
    for (const Endpoint& each : addresses) out.push_back(each.text());
    return out;
  };
  EXPECT_THAT(read({{"ip", "10.0.0.1"}, {"port", "9780"}}), ElementsAre("10.0.0.1:9780"));
  EXPECT_THAT(read({{"node-urls", "b:2, [2001:db8::1]:1 ,a:3"}}),
              ElementsAre("b:2", "[2001:db8::1]:1", "a:3"));
  EXPECT_FALSE(read_addresses({"iotdb-air-gap-connector", {}}).ok());
}

}  // namespace
}  // namespace tidegate
