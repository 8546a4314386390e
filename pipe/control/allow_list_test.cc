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

TEST(WhiteList, SeveralBlocksAreSeparatedByCommasAndNoneIsNobody) {
  const AllowList some = parse_white_list(" 192.168.0.0/16 ,10.0.0.7,fd00::/8").value();
  for (const char* peer : {"192.168.9.9:1", "10.0.0.7:1", "[fd12::1]:1"})
    EXPECT_TRUE(some.admits(peer)) << peer;
  for (const char* peer : {"192.169.0.1:1", "10.0.0.8:1", "[fe80::1]:1"})
    EXPECT_FALSE(some.admits(peer)) << peer;
  for (const char* none : {"", "  "}) EXPECT_FALSE(parse_white_list(none).value().admits("127.0.0.1:1"));
  for (const char* bad : {",", "10.0.0.0/8,", "10.0.0.0/8;11.0.0.0/8", "here"})
    EXPECT_FALSE(parse_white_list(bad).ok()) << bad;
}

TEST(WhiteList, TheDefaultOfIotdbIsEverybodyAlsoInIPv6) {
  for (const AllowList& all : {parse_white_list("0.0.0.0/0").value(), AllowList::everybody()})
    EXPECT_TRUE(all.admits("8.8.8.8:1") && all.admits("[2001:db8::1]:1"));
}

TEST(WhiteList, TheBlockOfTheManualAdmitsHalfOfAllAddressesAndSaysSo) {
  const AllowList half = parse_white_list("192.168.0.1/1").value();
  EXPECT_TRUE(half.admits("128.0.0.1:1") && half.admits("255.1.1.1:1"));
  EXPECT_FALSE(half.admits("127.0.0.1:1"));
  EXPECT_EQ(block_doubt("192.168.0.1/1"),
            "admits all of 128.0.0.0/1, half of all addresses, by '192.168.0.1/1'; the one address is "
            "192.168.0.1/32");
  EXPECT_EQ(block_doubt("fd00::1/8"),
            "admits all of fd00::/8 by 'fd00::1/8'; the one address is fd00::1/128");
  for (const char* plain : {"10.0.0.0/8", "10.0.0.1", "::/0", "0.0.0.0/0", "fd00::/8"})
    EXPECT_EQ(block_doubt(plain), "") << plain;
}

TEST(WhiteList, AListThatIsReplacedHoldsForTheNextPeer) {
  LiveAllowList live(parse_white_list("127.0.0.2").value());
  EXPECT_TRUE(live.admits("127.0.0.2:1"));
  live.replace(parse_white_list("127.0.0.3").value());
  EXPECT_FALSE(live.admits("127.0.0.2:1"));
  EXPECT_TRUE(live.admits("127.0.0.3:1"));
}

}  // namespace
}  // namespace tidegate
