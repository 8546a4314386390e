// SPDX-License-Identifier: Apache-2.0
#include "hw/segment_capture.h"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace tidegate {
namespace {

constexpr std::uint32_t kSnap = 128;  // bytes kept of a packet: all headers

// Offsets are those of the network header: the socket is of type SOCK_DGRAM. IPv6 extension headers are not
// followed; TCP between two hosts of one site has none.
std::array<sock_filter, 17> from_port_filter(std::uint16_t port) {
  return {{
      BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0),
      BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xF0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x60, 8, 0),  // IPv6: to its branch below
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x40, 0, 12),
      BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 9),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_TCP, 0, 10),
      BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 6),
      BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x1FFF, 8, 0),  // a later fragment has no ports
      BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0),
      BPF_STMT(BPF_LD | BPF_H | BPF_IND, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, port, 4, 5),
      BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 6),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_TCP, 0, 3),
      BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 40),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, port, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, kSnap),
      BPF_STMT(BPF_RET | BPF_K, 0),
  }};
}

}  // namespace

CapturedSegment dissect_segment(ByteView head, std::size_t size_on_wire) {
  if (head.empty()) return {};
  const bool v6 = head[0] >> 4 == 6;
  if (!v6 && head[0] >> 4 != 4) return {};
  const std::size_t ip_header = v6 ? 40 : std::size_t{4} * (head[0] & 0x0F);
  const std::size_t needed = ip_header + 13;
  if (ip_header < 20 || head.size() < needed) return {};
  if (head[v6 ? 6 : 9] != IPPROTO_TCP) return {};
  // The length in the header, not that of the packet: short Ethernet packets are padded.
  const std::size_t total = v6 ? 40u + (head[4] << 8 | head[5]) : std::size_t(head[2] << 8 | head[3]);
  const std::size_t headers = ip_header + std::size_t{4} * (head[ip_header + 12] >> 4);
  if (total > size_on_wire || total <= headers) return {};
  char host[INET6_ADDRSTRLEN] = "?";
  inet_ntop(v6 ? AF_INET6 : AF_INET, head.data() + (v6 ? 8 : 12), host, sizeof(host));
  const unsigned port = head[ip_header] << 8 | head[ip_header + 1];
  const std::string peer = (v6 ? "[" + std::string(host) + "]" : host) + (":" + std::to_string(port));
  return {peer, total - headers};
}

Result<SegmentCapture> SegmentCapture::open(const std::string& interface, std::uint16_t from_port) {
  const unsigned index = if_nametoindex(interface.c_str());
  if (index == 0)
    return make_error(ErrorCode::kNotFound, "there is no network interface '" + interface + "'");
  SegmentCapture capture;
  // Protocol 0: nothing is received before the filter stands and the interface is bound.
  capture.fd_ = Fd(socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!capture.fd_) return io_error("packets cannot be captured (CAP_NET_RAW is needed)");
  auto code = from_port_filter(from_port);
  const sock_fprog program{static_cast<unsigned short>(code.size()), code.data()};
  if (setsockopt(capture.fd(), SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) != 0) {
    return io_error("the capture filter is refused");
  }
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);
  address.sll_ifindex = static_cast<int>(index);
  if (bind(capture.fd(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return io_error("cannot capture on '" + interface + "'");
  }
  return capture;
}

void SegmentCapture::read(const std::function<void(const std::string& peer, std::size_t bytes)>& seen) {
  std::array<std::uint8_t, kSnap> buffer;
  while (true) {
    sockaddr_ll from{};
    socklen_t from_size = sizeof(from);
    const ssize_t size = recvfrom(fd_.get(), buffer.data(), buffer.size(), MSG_TRUNC | MSG_DONTWAIT,
                                  reinterpret_cast<sockaddr*>(&from), &from_size);
    if (size <= 0) return;
    if (from.sll_pkttype == PACKET_OUTGOING) continue;  // on loopback each packet is seen twice
    const std::size_t kept = std::min<std::size_t>(size, buffer.size());
    const CapturedSegment segment = dissect_segment({buffer.data(), kept}, size);
    if (segment.bytes > 0) seen(segment.peer, segment.bytes);
  }
}

}  // namespace tidegate
