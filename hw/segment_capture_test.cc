// SPDX-License-Identifier: Apache-2.0
#include "hw/segment_capture.h"

#include <gtest/gtest.h>
#include <netinet/tcp.h>
#include <poll.h>

#include "hw/device.h"

namespace tidegate {
namespace {

Bytes ipv4_segment(std::uint8_t protocol, std::uint16_t payload) {
  const std::uint16_t total = 20 + 20 + payload;
  Bytes out(total);
  out[0] = 0x45;
  out[2] = static_cast<std::uint8_t>(total >> 8);
  out[3] = static_cast<std::uint8_t>(total);
  out[9] = protocol;
  out[12] = 192, out[13] = 168, out[14] = 2, out[15] = 11;
  out[20] = 9780 >> 8, out[21] = 9780 & 0xFF;
  out[32] = 5 << 4;
  return out;
}

TEST(SegmentCapture, FindsSourceAndDataOfAnIpv4Segment) {
  const Bytes packet = ipv4_segment(6, 2);
  const CapturedSegment segment = dissect_segment(packet, packet.size());
  EXPECT_EQ(segment.peer, "192.168.2.11:9780");
  EXPECT_EQ(segment.bytes, 2u);
}

TEST(SegmentCapture, PaddingOfAShortPacketIsNotData) {
  Bytes packet = ipv4_segment(6, 1);
  packet.resize(46);
  EXPECT_EQ(dissect_segment(packet, packet.size()).bytes, 1u);
}

TEST(SegmentCapture, FindsSourceAndDataOfAnIpv6Segment) {
  Bytes packet(40 + 20 + 3);
  packet[0] = 0x60;
  packet[5] = 23;
  packet[6] = 6;
  packet[23] = 1;
  packet[41] = 99;
  packet[52] = 5 << 4;
  const CapturedSegment segment = dissect_segment(packet, packet.size());
  EXPECT_EQ(segment.peer, "[::1]:99");
  EXPECT_EQ(segment.bytes, 3u);
}

TEST(SegmentCapture, OtherPacketsAndCutOffPacketsHaveNoData) {
  EXPECT_EQ(dissect_segment(ipv4_segment(17, 5), 45).bytes, 0u);
  EXPECT_EQ(dissect_segment(ipv4_segment(6, 0), 40).bytes, 0u);
  const Bytes packet = ipv4_segment(6, 9);
  for (std::size_t size = 0; size < 33; ++size) {
    EXPECT_EQ(dissect_segment(ByteView(packet).first(size), packet.size()).bytes, 0u) << size;
  }
  Bytes other_version = packet;
  other_version[0] = 0x55;
  EXPECT_EQ(dissect_segment(other_version, other_version.size()).bytes, 0u);
}

TEST(SegmentCapture, HeadersThatLieNeverGiveMoreDataThanThePacketHolds) {
  for (int value = 0; value < 256; ++value) {
    for (const std::size_t at : {0, 2, 3, 32}) {
      Bytes packet = ipv4_segment(6, 9);
      packet[at] = static_cast<std::uint8_t>(value);
      EXPECT_LT(dissect_segment(packet, packet.size()).bytes, packet.size()) << at << ": " << value;
    }
  }
}

TEST(SegmentCapture, AnUnknownInterfaceIsAnError) {
  EXPECT_EQ(SegmentCapture::open("nosuch0", 1).error().code, ErrorCode::kNotFound);
}

TEST(SegmentCapture, SeesTheSizeOfEachSegmentFromThePortAndNothingElse) {
  const Fd listener = listen_tcp(resolve({"127.0.0.1", 0}, true).value()).value();
  const SocketAddress address = local_address(listener.get());
  Result<SegmentCapture> opened = SegmentCapture::open("lo", address.port());
  if (!opened.ok()) GTEST_SKIP() << opened.error().text();
  const Fd client = connect_tcp(address).value();
  const Fd server(accept(listener.get(), nullptr, nullptr));
  const int on = 1;
  setsockopt(server.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  ASSERT_EQ(send(client.get(), "forward", 7, 0), 7);
  std::vector<std::size_t> sizes;
  const auto wait_for_segments = [&](std::size_t count) {
    for (const Nanos deadline = monotonic_now() + 10 * kSecond;
         sizes.size() < count && monotonic_now() < deadline;) {
      pollfd p{opened->fd(), POLLIN, 0};
      poll(&p, 1, 100);
      opened->read([&](const std::string& peer, std::size_t bytes) {
        EXPECT_EQ(peer, address.text());
        sizes.push_back(bytes);
      });
    }
  };
  ASSERT_EQ(send(server.get(), "a", 1, 0), 1);
  wait_for_segments(1);
  ASSERT_EQ(send(server.get(), "bc", 2, 0), 2);
  wait_for_segments(2);
  EXPECT_EQ(sizes, (std::vector<std::size_t>{1, 2}));
}

}  // namespace
}  // namespace tidegate
