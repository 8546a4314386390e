// SPDX-License-Identifier: Apache-2.0
#include "pipe/control/allow_list.h"

#include <gtest/gtest.h>

namespace tidegate {
namespace {

AllowList list(const std::vector<std::string>& blocks) {
  AllowList out;
  for (const auto& block : blocks) EXPECT_TRUE(out.add(block).ok()) << block;
  return out;
}

TEST(AllowList, AnEmptyListAdmitsNobody) {
  EXPECT_FALSE(AllowList().admits("127.0.0.1:9"));
}

TEST(AllowList, BlocksOfBothFamiliesAdmitTheirAddressesAndNoOthers) {
  const AllowList allow = list({"192.168.2.0/24", "fd00:1::/32", "10.0.0.7"});
  EXPECT_TRUE(allow.admits("192.168.2.222:41000"));
  EXPECT_FALSE(allow.admits("192.168.3.1:41000"));
  EXPECT_TRUE(allow.admits("[fd00:1::5]:41000"));
  EXPECT_FALSE(allow.admits("[fd00:2::5]:41000"));
  EXPECT_TRUE(allow.admits("10.0.0.7:1"));
  EXPECT_FALSE(allow.admits("10.0.0.8:1"));
}

TEST(AllowList, AnOddPrefixLengthIsComparedToTheBit) {
  const AllowList allow = list({"172.16.0.0/12"});
  EXPECT_TRUE(allow.admits("172.31.255.255:1"));
  EXPECT_FALSE(allow.admits("172.32.0.0:1"));
}

TEST(AllowList, AnIPv4PeerOnADualSocketIsComparedAsIPv4) {
  EXPECT_TRUE(list({"10.0.0.0/8"}).admits("[::ffff:10.1.2.3]:1"));
  EXPECT_FALSE(list({"::/96"}).admits("10.1.2.3:1"));
}

TEST(AllowList, EverythingIsAdmittedByTheZeroBlocks) {
  EXPECT_TRUE(list({"0.0.0.0/0"}).admits("8.8.8.8:1"));
  EXPECT_TRUE(list({"::/0"}).admits("[2001:db8::1]:1"));
}

TEST(AllowList, WhatIsNoBlockIsRefused) {
  for (const char* bad : {"", "10.0.0.0/33", "10.0.0/8", "host", "::/129", "10.0.0.0/", "10.0.0.0/x"})
    EXPECT_FALSE(AllowList().add(bad).ok()) << bad;
}

}  // namespace
}  // namespace tidegate
