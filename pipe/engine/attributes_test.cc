// SPDX-License-Identifier: Apache-2.0
#include "pipe/engine/attributes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tidegate {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::Pair;
using testing::UnorderedElementsAre;

constexpr PluginKind kSink = PluginKind::kConnector;

PluginInfo plugin() {
  PluginInfo info;
  info.kind = kSink;
  info.name = "thrift-connector";
  info.aliases = {"thrift"};
  info.attributes = {
      {.name = "ip", .description = "address of the target", .required = true, .aliases = {"host"}},
      {.name = "port", .type = AttributeType::kInteger, .min = 1, .max = 65535},
      {.name = "pin", .type = AttributeType::kInteger, .secret = true},
      {.name = "ratio", .type = AttributeType::kNumber, .min = 0, .max = 1},
      {.name = "mode", .type = AttributeType::kChoice, .choices = {"log", "file"}},
      {.name = "start-time", .type = AttributeType::kTime},
      {.name = "delay", .type = AttributeType::kDuration, .max = 3'600'000'000'000},
      {.name = "size", .type = AttributeType::kBytes, .min = 1024},
      {.name = "enable", .type = AttributeType::kBool},
  };
  for (AttributeSpec& spec : info.attributes) {
    if (spec.name == "ip") continue;
    spec.description = "something";
  }
  return info;
}

std::string complaint(std::map<std::string, std::string> values) {
  values.emplace("ip", "127.0.0.1");
  const Status status = check_attributes({"thrift-connector", std::move(values)}, plugin());
  return status.ok() ? "fine" : status.error().detail;
}

TEST(Attributes, EveryTypeAcceptsItsValuesAndRefusesOthers) {
  struct Case {
    const char* name;
    const char* value;
    const char* expected;
  };
  for (const Case& c : {
           Case{"port", "6667", "fine"},
           Case{"port", "0", "'connector.port' must be an integer from 1 to 65535, not '0'"},
           Case{"port", "6667 ", "'connector.port' must be an integer from 1 to 65535, not '6667 '"},
           Case{"port", "9223372036854775808", "not '9223372036854775808'"},
           Case{"ratio", "0.25", "fine"},
           Case{"ratio", "1e-3", "fine"},
           Case{"ratio", "1.5", "a number of at least 0 and at most 1, not '1.5'"},
           Case{"ratio", "nan", "not 'nan'"},
           Case{"ratio", "inf", "not 'inf'"},
           Case{"mode", "LOG", "fine"},
           Case{"mode", "hybrid", "'connector.mode' must be one of log, file, not 'hybrid'"},
           Case{"start-time", "-5", "fine"},
           Case{"start-time", "2011.12.03T10:15:30+01:00", "fine"},
           Case{"start-time", "yesterday", "must be a time"},
           Case{"delay", "250ms", "fine"},
           Case{"delay", "1h", "fine"},
           Case{"delay", "61min", "of at most 1h, not '61min'"},
           Case{"delay", "5 s", "must be a duration"},
           Case{"delay", "-1", "must be a duration"},
           Case{"delay", "1.5h", "must be a duration"},
           Case{"size", "16777216", "fine"},
           Case{"size", "16MiB", "fine"},
           Case{"size", "1k", "of at least 1 KiB, not '1k'"},
           Case{"size", "", "must be a number of bytes"},
           Case{"enable", "True", "fine"},
           Case{"enable", "yes", "'connector.enable' must be true or false, not 'yes'"},
       }) {
    EXPECT_THAT(complaint({{c.name, c.value}}), HasSubstr(c.expected)) << c.name << " = " << c.value;
  }
}

TEST(Attributes, AnUnknownNameComesWithTheNearestKnownOne) {
  EXPECT_EQ(complaint({{"prot", "1"}}),
            "'connector.prot' is not known to thrift-connector, did you mean 'connector.port'?");
  EXPECT_THAT(complaint({{"zzzzzzzz", "1"}}), HasSubstr("; it knows 'connector.ip', 'connector.port'"));
  EXPECT_THAT(complaint({{std::string(1 << 20, 'x'), "1"}}), HasSubstr("'connector.…' is not known"));
}

TEST(Attributes, AMissingRequiredOneIsNamedWithWhatItIs) {
  const auto fault = find_fault({"thrift-connector", {{"port", "1"}}}, plugin());
  ASSERT_TRUE(fault);
  EXPECT_EQ(fault->name, "");
  EXPECT_EQ(fault->error.detail, "thrift-connector needs 'connector.ip': address of the target");
}

TEST(Attributes, AnAliasIsAsGoodAsTheNameButNotBesideIt) {
  const Attributes by_alias{"thrift", {{"host", "h"}}};
  EXPECT_TRUE(check_attributes(by_alias, plugin()).ok());
  const auto own = with_own_names(by_alias, plugin());
  ASSERT_TRUE(own.ok());
  EXPECT_EQ(own->plugin, "thrift-connector");
  EXPECT_THAT(own->values, UnorderedElementsAre(Pair("ip", "h")));
  EXPECT_THAT(complaint({{"host", "h"}}), HasSubstr("'connector.ip' is given twice"));
}

TEST(Attributes, SecretsAreKnownByTheirDeclarationOrTheirNameAndNeverInAMessage) {
  const PluginInfo info = plugin();
  EXPECT_TRUE(is_secret_attribute("pin", &info));
  EXPECT_TRUE(is_secret_attribute("first#1.pin", &info));
  EXPECT_FALSE(is_secret_attribute("pin", nullptr));
  EXPECT_FALSE(is_secret_attribute("port", &info));
  for (const char* name : {"password", "proxy.Password", "auth-token", "client_secret", "x.api-key"})
    EXPECT_TRUE(is_secret_attribute(name, nullptr)) << name;
  EXPECT_EQ(complaint({{"pin", "hunter2"}}), "'connector.pin' must be an integer");
}

TEST(Attributes, AMessageStaysShortAndOnOneLine) {
  EXPECT_THAT(complaint({{"port", "a\nb\x1b[31m"}}), AllOf(HasSubstr("'a?b?[31m'"), Not(HasSubstr("\n"))));
  std::string long_value;
  for (int i = 0; i < 1000; ++i) long_value += "测";
  EXPECT_THAT(complaint({{"port", long_value}}), HasSubstr("测测…'"));
  EXPECT_LT(complaint({{"port", long_value}}).size(), 200U);
}

TEST(Attributes, ValuesAreReadByTypeOrTheirFallback) {
  const Attributes from{
      "x", {{"b", "TRUE"}, {"i", "-7"}, {"n", "2.5"}, {"d", "1h30m"}, {"s", "90"}, {"z", "2KiB"}}};
  EXPECT_EQ(*read_bool(from, kSink, "b", false), true);
  EXPECT_EQ(*read_bool(from, kSink, "absent", true), true);
  EXPECT_EQ(*read_integer(from, kSink, "i", 0), -7);
  EXPECT_EQ(*read_number(from, kSink, "n", 0), 2.5);
  EXPECT_EQ(*read_duration(from, kSink, "d", 0), 5'400'000'000'000);
  EXPECT_EQ(*read_duration(from, kSink, "s", 0), 90'000'000'000);
  EXPECT_EQ(*read_bytes(from, kSink, "z", 0), 2048U);
  EXPECT_EQ(read_text(from, "n"), "2.5");
  EXPECT_EQ(read_text(from, "absent", "x"), "x");
}

TEST(Attributes, AValueOfTheWrongTypeIsNamedAsTheOperatorWouldWriteIt) {
  const Attributes from{"x", {{"i", "ten"}, {"d", "18446744073709551615d"}, {"q.token", "ten"}}};
  EXPECT_EQ(read_integer(from, kSink, "i", 0, 1, 9).error().detail,
            "'connector.i' must be an integer from 1 to 9, not 'ten'");
  EXPECT_THAT(read_duration(from, PluginKind::kProcessor, "d", 0).error().detail,
              HasSubstr("'processor.d' must be a duration"));
  EXPECT_THAT(read_bool(from, PluginKind::kExtractor, "q.token", true).error().detail,
              AllOf(HasSubstr("'extractor.q.token'"), Not(HasSubstr("ten,")), Not(HasSubstr("'ten'"))));
}

}  // namespace
}  // namespace tidegate
