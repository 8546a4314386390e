// SPDX-License-Identifier: Apache-2.0
#include "pipe/control/iotdb_names.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace tidegate {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class IotdbNamesTest : public ::testing::Test {
 protected:
  IotdbSettings read(const std::string& text, DaemonRole role) {
    auto file = YamlFile::parse(text, "/c.yaml");
    EXPECT_TRUE(file.ok()) << file.error().text();
    YamlMap root = (*file)->root();
    const IotdbSettings out = read_iotdb_names(root, role);
    const Status finished = (*file)->finish();
    refused_ = finished.ok() ? "" : finished.error().text();
    warnings_ = (*file)->warnings();
    values_ = (*file)->values();
    return out;
  }
  IotdbSettings receiver(const std::string& text) { return read(text, DaemonRole::kReceiver); }
  IotdbSettings sender(const std::string& text) { return read(text, DaemonRole::kSender); }

  std::string refused_;
  std::vector<std::string> warnings_;
  YamlValues values_;
};

TEST_F(IotdbNamesTest, EveryNameStandsOnceAndHasAMeaningAndADefaultOfItsKind) {
  std::set<std::string_view> seen;
  for (const IotdbName& name : iotdb_names()) {
    EXPECT_TRUE(seen.insert(name.name).second) << name.name;
    EXPECT_FALSE(name.meaning.empty()) << name.name;
    EXPECT_TRUE(check_iotdb_value(name, std::string(name.fallback)).ok()) << name.name;
  }
}

TEST_F(IotdbNamesTest, TheDefaultsOfIotdbSetAndWarnOfNothingButWhatHasNoCounterpart) {
  for (const DaemonRole role : {DaemonRole::kSender, DaemonRole::kReceiver}) {
    std::string text;
    std::size_t idle = 0;
    for (const IotdbName& name : iotdb_names()) {
      if (name.only_of.value_or(role) != role || name.name == "IP_white_list") continue;
      text += std::string(name.name) + ": \"" + std::string(name.fallback) + "\"\n";
      if (name.fate == IotdbName::Fate::kNone) ++idle;
    }
    read(text, role);
    EXPECT_EQ(refused_, "");
    EXPECT_EQ(warnings_.size(), idle) << ::testing::PrintToString(warnings_);
  }
}

TEST_F(IotdbNamesTest, AnotherValueOfWhatComesLaterSaysWhatIsMissing) {
  for (const IotdbName& name : iotdb_names()) {
    if (name.fate != IotdbName::Fate::kLater) continue;
    const std::string other = name.kind == IotdbName::Kind::kFlag ? "true" : "77";
    read(std::string(name.name) + ": " + other, name.only_of.value_or(DaemonRole::kSender));
    EXPECT_THAT(warnings_, ElementsAre(AllOf(HasSubstr("/c.yaml:1:1: warning: '" + std::string(name.name)),
                                             HasSubstr(std::string(name.meaning)))));
  }
}

TEST_F(IotdbNamesTest, TheOtherDaemonsNamesAreAcceptedAndSaidToDoNothing) {
  sender("ip_white_list: 10.0.0.0/8");
  EXPECT_EQ(refused_, "");
  EXPECT_THAT(warnings_, ElementsAre(HasSubstr("is a setting of the receiver: it does nothing here")));
  EXPECT_FALSE(receiver("server_ip: 10.0.0.1").server);
  EXPECT_THAT(warnings_, ElementsAre(HasSubstr("is a setting of the sender")));
}

TEST_F(IotdbNamesTest, ValuesOutsideOfTheRangesOfTheDocumentsAreRefusedAtTheirKey) {
  receiver("\npipe_air_gap_receiver_port: 65536");
  EXPECT_THAT(refused_, AllOf(HasSubstr("/c.yaml:2:1"), HasSubstr("a port from 0 to 65535, not '65536'")));
  for (const char* text : {"pipe_air_gap_receiver_enabled: yes", "max_number_of_sync_file_retry: -1",
                           "sync_period_in_second: 2147483648", "ip_white_list: 10.0.0.0/8,,10.1.0.0/16",
                           "pipe_lib_dir: ext/pipe", "server_ip: 10.0.0.1:80/x"}) {
    receiver(text);
    EXPECT_NE(refused_, "") << text;
  }
}

TEST_F(IotdbNamesTest, AMisspeltNameIsRefusedWithTheNearestOne) {
  receiver("ip_whitelist: 10.0.0.0/8");
  EXPECT_THAT(refused_, HasSubstr("ip_white_list"));
}

TEST_F(IotdbNamesTest, BothSpellingsOfTheWhiteListMeanTheSameAndExcludeEachOther) {
  for (const char* name : {"ip_white_list", "IP_white_list"}) {
    const AllowList list = receiver(std::string(name) + ": 10.0.0.0/8, fd00::/8").white_list;
    EXPECT_TRUE(list.admits("10.9.9.9:1") && list.admits("[fd00::1]:1")) << name;
    EXPECT_FALSE(list.admits("11.0.0.1:1") || list.admits("[2001::1]:1")) << name;
  }
  receiver("ip_white_list: 10.0.0.0/8\nIP_white_list: 10.0.0.0/8");
  EXPECT_THAT(refused_, HasSubstr("keep one of them"));
}

TEST_F(IotdbNamesTest, TheSyncServerIsTheAddressOfTheDeviceWithTheDefaultOfWhatIsLeftOut) {
  EXPECT_EQ(sender("server_ip: 10.0.0.9").server, "10.0.0.9:5555");
  EXPECT_EQ(sender("server_port: 6000").server, "127.0.0.1:6000");
  EXPECT_EQ(sender("server_ip: 'fd00::9'\nserver_port: 6000").server, "[fd00::9]:6000");
  EXPECT_FALSE(sender("instance: a").server);
}

TEST_F(IotdbNamesTest, WhatSetsNothingIsNoChangeOfTheConfiguration) {
  receiver("sync_server_port: 7000\nip_white_list: 10.0.0.0/8");
  const YamlValues kept = without_idle_names(values_);
  EXPECT_FALSE(kept.contains("sync_server_port"));
  EXPECT_TRUE(kept.contains("ip_white_list"));
}

}  // namespace
}  // namespace tidegate
