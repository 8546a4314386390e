// SPDX-License-Identifier: Apache-2.0
#include "pipe/control/import_properties.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pipe/control/properties.h"

namespace tidegate {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

// ---- the form of the file

std::vector<Property> parsed(const std::string& text) {
  auto properties = parse_properties(text, "f.properties");
  EXPECT_TRUE(properties.ok()) << properties.error().text();
  return properties.ok() ? *properties : std::vector<Property>{};
}

TEST(Properties, CommentsBlanksAndAllLineEndsAreReadAsJavaReadsThem) {
  EXPECT_THAT(parsed("# c\n! c\r\n\r\n  a=1\rb : 2  \n\tc\t=\t3=4\nd="),
              ElementsAre(Property{"a", "1", 4}, Property{"b", "2", 5}, Property{"c", "3=4", 6},
                          Property{"d", "", 7}));
}

TEST(Properties, ALineThatEndsWithABackslashGoesOnAndOneWithTwoDoesNot) {
  EXPECT_THAT(
      parsed("a=10.0.0.0/8,\\\n    11.0.0.0/8\nb=x\\\\\nc=1"),
      ElementsAre(Property{"a", "10.0.0.0/8,11.0.0.0/8", 1}, Property{"b", "x\\", 3}, Property{"c", "1", 4}));
}

TEST(Properties, EscapesStandForTheirCharacters) {
  EXPECT_THAT(parsed("a\\=b=ext\\\\pipe\nc=\\u6d4b\\u00e9"),
              ElementsAre(Property{"a=b", "ext\\pipe", 1}, Property{"c", "测é", 2}));
}

TEST(Properties, WhatCannotBeReadIsRefusedWithAllItsLines) {
  const auto refused =
      parse_properties("a=1\nno equals sign\n=2\nc=\\u12G4\nd=\\ud800\ne=\x01\nf=\xE9\n", "f.properties");
  ASSERT_FALSE(refused.ok());
  for (const char* line : {"f.properties:2", "f.properties:3", "f.properties:4", "f.properties:5",
                           "f.properties:6", "f.properties:7"})
    EXPECT_THAT(refused.error().text(), HasSubstr(line));
}

// ---- what it says

constexpr const char* kEngine = R"(####################
### RPC Configuration
####################
rpc_address=0.0.0.0
rpc_port=6667

####################
### PIPE Server Configuration
####################
# PIPE server port to listen
# Datatype: int
# pipe_server_port=6670

# White IP list of Sync client.
# Please use the form of network segment to present the range of IP, for example: 192.168.0.0/16
ip_white_list=192.168.0.1/1

####################
### PIPE Sender Configuration
####################
# The maximum number of retry when syncing a file to receiver fails.
max_number_of_sync_file_retry=10
)";

constexpr const char* kClient = R"(# Sync receiver server address
server_ip=192.168.10.2
# Sync receiver server port
server_port=5555
sync_period_in_second=600
# sync_storage_groups = root.sg1, root.sg2
max_number_of_sync_file_retry=5
)";

class ImportTest : public ::testing::Test {
 protected:
  std::string import(const std::string& text, std::optional<DaemonRole> role = {}) {
    const auto imported = import_properties(text, "f.properties", role);
    notes_ = imported.ok() ? imported->notes : std::vector<std::string>{};
    return imported.ok() ? imported->yaml : imported.error().text();
  }
  std::vector<std::string> notes_;
};

TEST_F(ImportTest, AnEnginesFileBecomesTheReceiversLink) {
  EXPECT_THAT(import(kEngine),
              AllOf(HasSubstr("of a receiver"), HasSubstr("link:\n  allow: [\"192.168.0.1/1\"]\n")));
  EXPECT_THAT(notes_, AllOf(Contains(HasSubstr("f.properties:5: rpc_port is a setting of the database")),
                            Contains(HasSubstr("f.properties:16: ip_white_list admits all of 128.0.0.0/1")),
                            Contains(HasSubstr("max_number_of_sync_file_retry is a setting of the sender")),
                            SizeIs(4)));
}

TEST_F(ImportTest, ASyncClientsFileBecomesTheSendersLink) {
  EXPECT_THAT(import(kClient),
              AllOf(HasSubstr("of a sender"), HasSubstr("link:\n  remote: \"192.168.10.2:5555\"\n")));
  EXPECT_THAT(notes_, Contains(HasSubstr("sync_period_in_second has its default")));
}

TEST_F(ImportTest, ACommonFileKeepsItsPathsAndPorts) {
  EXPECT_THAT(import("pipe_lib_dir=/opt/iotdb/ext/pipe\npipe_air_gap_receiver_enabled=true\n"
                     "pipe_air_gap_receiver_port=9999\n"),
              AllOf(HasSubstr("pipe_lib_dir: \"/opt/iotdb/ext/pipe\"\n"),
                    HasSubstr("link:\n  listen: \"0.0.0.0:9999\"\n")));
  EXPECT_THAT(notes_, ElementsAre(HasSubstr("pipe_air_gap_receiver_enabled does nothing yet")));
}

TEST_F(ImportTest, WhatItPrintsIsYamlThatSaysTheSame) {
  const std::string yaml = import("ip_white_list=10.0.0.0/8,fd00::/8\npipe_lib_dir=/opt/a \"b\"\\\\c\n");
  auto file = YamlFile::parse(yaml, "/out.yaml");
  ASSERT_TRUE(file.ok()) << yaml << file.error().text();
  YamlMap root = (*file)->root();
  EXPECT_EQ(root.string("pipe_lib_dir"), "/opt/a \"b\"\\c");
  EXPECT_THAT(root.map("link").strings("allow"), ElementsAre("10.0.0.0/8", "fd00::/8"));
  EXPECT_TRUE((*file)->finish().ok());
}

TEST_F(ImportTest, AnEmptyWhiteListStaysNobodyAndTheDefaultEverybody) {
  EXPECT_THAT(import("ip_white_list="), HasSubstr("allow: []"));
  EXPECT_THAT(notes_, ElementsAre(HasSubstr("names nobody")));
  EXPECT_THAT(import("ip_white_list=0.0.0.0/0"), HasSubstr("allow: [\"0.0.0.0/0\", \"::/0\"]"));
}

TEST_F(ImportTest, SettingsOfBothSidesNeedAWord) {
  const std::string both = "server_ip=10.0.0.1\nip_white_list=10.0.0.0/8\n";
  EXPECT_THAT(import(both), HasSubstr("say --daemon sender or --daemon receiver"));
  EXPECT_THAT(import(both, DaemonRole::kReceiver), AllOf(HasSubstr("allow:"), Not(HasSubstr("remote:"))));
  EXPECT_THAT(notes_, ElementsAre(HasSubstr("server_ip is a setting of the sender")));
  EXPECT_THAT(import(both, DaemonRole::kSender), AllOf(HasSubstr("remote:"), Not(HasSubstr("allow:"))));
}

TEST_F(ImportTest, WrongValuesRefuseTheFileWithAllTheirLines) {
  EXPECT_THAT(import("ip_white_list=300.1.1.1\n\npipe_air_gap_receiver_port=99999\n"),
              AllOf(HasSubstr("f.properties:1"), HasSubstr("'300.1.1.1' is no address block"),
                    HasSubstr("f.properties:3: pipe_air_gap_receiver_port must be a port")));
}

TEST_F(ImportTest, AnEscapedLineBreakMakesNoFurtherSetting) {
  EXPECT_THAT(import("pipe_lib_dir=/a\\nlink: {allow: []}\n"), HasSubstr("f.properties:1"));
  EXPECT_THAT(import("pipe_lib_dir=/a\\nlink: {allow: []}\n"), HasSubstr("holds a control character"));
  EXPECT_THAT(import("log_pattern=%d%m\\n\n"), HasSubstr("Nothing in it"));
  EXPECT_THAT(import("log\\n_pattern=1\n"), HasSubstr("a name has no control characters"));
}

TEST_F(ImportTest, ARelativePathIsLeftOutBecauseItsHomeIsNotHere) {
  EXPECT_THAT(import("pipe_lib_dir=ext/pipe"), Not(HasSubstr("pipe_lib_dir:")));
  EXPECT_THAT(notes_, ElementsAre(HasSubstr("say the absolute path")));
}

TEST_F(ImportTest, AMisspeltNameAndARepeatedOneAreTold) {
  EXPECT_THAT(import("ip_whitelist=10.0.0.0/8\npipe_lib_dir=/a\npipe_lib_dir=/b"), HasSubstr("\"/b\""));
  EXPECT_THAT(notes_,
              ElementsAre(HasSubstr("is 'ip_white_list' meant?"), HasSubstr("stands again in line 3")));
}

}  // namespace
}  // namespace tidegate
