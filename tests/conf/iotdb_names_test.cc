// SPDX-License-Identifier: Apache-2.0
// IoTDB's names in the files of both daemons: what they set is what is in force, and doc/configuration.md has
// the table of the code.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "base/sim_env.h"
#include "pipe/control/import_properties.h"
#include "receiver/receiver_config.h"
#include "sender/sender_config.h"

namespace tidegate {
namespace {

using ::testing::HasSubstr;

class IotdbNamesInFilesTest : public ::testing::Test {
 protected:
  Result<ReceiverConfig> receiver(const std::string& text) {
    write("sinks:\n  - {name: a, type: do-nothing}\n" + text);
    return load_receiver_config(env_.files, "/c.yaml");
  }
  Result<SenderConfig> sender(const std::string& text) {
    write("sources:\n  - {name: a, type: influx-http}\n" + text);
    return load_sender_config(env_.files, "/c.yaml");
  }
  void write(const std::string& text) {
    const std::string whole = "instance: x\ndata_dir: /data\n" + text;
    ASSERT_TRUE(replace_file(env_.files, "/c.yaml", as_bytes(whole)).ok());
  }

  SimEnv env_;
};

TEST_F(IotdbNamesInFilesTest, TheWhiteListIsTheAllowListAndBothTogetherAreRefused) {
  const auto config = receiver("ip_white_list: 10.0.0.0/8,fd00::/8\n");
  ASSERT_TRUE(config.ok()) << config.error().text();
  EXPECT_TRUE(config->allow.admits("10.1.1.1:1") && config->allow.admits("[fd00::1]:1"));
  EXPECT_FALSE(config->allow.admits("11.1.1.1:1"));
  EXPECT_THAT(receiver("ip_white_list: ''\nlink: {allow: [10.0.0.0/8]}\n").error().text(),
              HasSubstr("'link.allow' stands beside 'ip_white_list': keep one of them"));
}

TEST_F(IotdbNamesInFilesTest, WithoutAnyListEverybodyMayConnect) {
  const auto config = receiver("");
  ASSERT_TRUE(config.ok());
  EXPECT_TRUE(config->allow.admits("8.8.8.8:1") && config->allow.admits("[2001:db8::1]:1"));
}

TEST_F(IotdbNamesInFilesTest, ThePortOfTheAirGapReceiverIsThatOfTheLink) {
  EXPECT_EQ(receiver("pipe_air_gap_receiver_port: 9999\n")->listen.text(), "0.0.0.0:9999");
  EXPECT_EQ(receiver("pipe_air_gap_receiver_port: 9999\nlink: {listen: '10.0.0.1:9999'}\n")->listen.text(),
            "10.0.0.1:9999");
  EXPECT_THAT(receiver("pipe_air_gap_receiver_port: 9999\nlink: {listen: '10.0.0.1:9780'}\n").error().text(),
              HasSubstr("'link.listen' names another port than 'pipe_air_gap_receiver_port'"));
}

TEST_F(IotdbNamesInFilesTest, TheSyncServerIsTheRemoteOfTheLink) {
  EXPECT_EQ(sender("server_ip: 10.0.0.9\n")->remote.text(), "10.0.0.9:5555");
  EXPECT_THAT(sender("server_ip: 10.0.0.9\nlink: {remote: '10.0.0.8:5555'}\n").error().text(),
              HasSubstr("'link.remote' differs from 'server_ip' and 'server_port' (10.0.0.9:5555)"));
}

TEST_F(IotdbNamesInFilesTest, APluginFolderIsAbsoluteOnBothSides) {
  EXPECT_EQ(receiver("pipe_lib_dir: /opt/pipe\n")->plugin_dir, "/opt/pipe");
  EXPECT_EQ(sender("server_port: 1\npipe_lib_dir: /opt/pipe\n")->plugin_dir, "/opt/pipe");
  EXPECT_THAT(receiver("pipe_lib_dir: ext/pipe\n").error().text(), HasSubstr("must be an absolute path"));
}

TEST_F(IotdbNamesInFilesTest, WhatIsImportedLoads) {
  const auto far = import_properties("ip_white_list=10.0.0.0/8\npipe_air_gap_receiver_port=9999\n", "f");
  const auto outer = receiver(far->yaml);
  ASSERT_TRUE(outer.ok()) << far->yaml << outer.error().text();
  EXPECT_EQ(outer->listen.port, 9999);
  EXPECT_FALSE(outer->allow.admits("11.0.0.1:1"));
  const auto near = import_properties("server_ip=fd00::9\nserver_port=6000\n", "f");
  const auto inner = sender(near->yaml);
  ASSERT_TRUE(inner.ok()) << near->yaml << inner.error().text();
  EXPECT_EQ(inner->remote.text(), "[fd00::9]:6000");
}

// ---- the page

std::string page(const std::string& path) {
  std::stringstream out;
  out << std::ifstream(std::string(TIDEGATE_SOURCE_DIR) + "/" + path).rdbuf();
  return out.str();
}

std::string head_of_row(const IotdbName& name) {
  const std::string fallback = name.fallback.empty() ? "" : "`" + std::string(name.fallback) + "`";
  const std::string whose = name.only_of ? std::string(role_name(*name.only_of)) : "both";
  return "| `" + std::string(name.name) + "` | " + fallback + " | " + whose + " | ";
}

std::string row(const IotdbName& name) {
  const std::string meaning(name.meaning);
  if (name.fate == IotdbName::Fate::kSets) return head_of_row(name) + "sets `" + meaning + "` |\n";
  const char* const fate = name.fate == IotdbName::Fate::kLater ? "not yet: " : "nothing: ";
  return head_of_row(name) + fate + meaning + " |\n";
}

std::size_t rows_of(const std::string& text) {
  std::size_t count = 0;
  for (std::size_t at = text.find("\n| `"); at != std::string::npos; at = text.find("\n| `", at + 1)) ++count;
  return count;
}

TEST(ConfigurationPage, HasTheTableOfTheCodeAndNoOtherName) {
  const std::string english = page("doc/configuration.md");
  for (const IotdbName& name : iotdb_names()) EXPECT_THAT(english, HasSubstr("\n" + row(name)));
  const std::string table = english.substr(english.find("## Names of IoTDB"));
  EXPECT_EQ(rows_of(table), iotdb_names().size());
}

TEST(ConfigurationPage, TheChinesePageHasTheSameNamesAndDefaults) {
  const std::string chinese = page("doc/zh/configuration.md");
  for (const IotdbName& name : iotdb_names()) {
    const std::string head = head_of_row(name);
    EXPECT_THAT(chinese, HasSubstr("\n" + head.substr(0, head.find(" | ", head.find(" | ") + 1)) + " | "));
    if (name.fate != IotdbName::Fate::kSets) continue;
    EXPECT_THAT(chinese, HasSubstr("`" + std::string(name.meaning) + "`"));
  }
  EXPECT_EQ(rows_of(chinese.substr(chinese.find("IoTDB 的参数名"))), iotdb_names().size());
}

TEST(ConfigurationPage, BothPagesNameWhatAppliesAtOnce) {
  for (const char* path : {"doc/configuration.md", "doc/zh/configuration.md"}) {
    const std::string text = page(path);
    std::string sender = "| `tidegate-sender` |", receiver = "| `tidegate-receiver` |";
    for (const std::string& name : sender_settings_at_once()) sender += " `" + name + "`";
    for (const std::string& name : receiver_settings_at_once()) receiver += " `" + name + "`";
    EXPECT_THAT(text, HasSubstr(sender + " |\n")) << path;
    EXPECT_THAT(text, HasSubstr(receiver + " |\n")) << path;
  }
}

}  // namespace
}  // namespace tidegate
