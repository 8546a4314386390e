// SPDX-License-Identifier: Apache-2.0
// SegmentCapture: the second opinion on reverse segments, from the packets themselves (AF_PACKET, needs
// CAP_NET_RAW).
//
// A filter in the kernel lets through only TCP packets that come from the receiver's port, so the forward
// direction costs nothing. Belongs to one thread.
#pragma once

#include <functional>
#include <string>

#include "hw/sockets.h"

namespace tidegate {

class SegmentCapture {
 public:
  // Watches `interface` for packets from `from_port`. kIo (also where the capability is missing), kNotFound.
  static Result<SegmentCapture> open(const std::string& interface, std::uint16_t from_port);

  int fd() const { return fd_.get(); }
  // Reads what has been captured. Calls `seen` for each segment with data: its source and its data bytes.
  void read(const std::function<void(const std::string& peer, std::size_t bytes)>& seen);

 private:
  Fd fd_;
};

// The source and the count of data bytes of an IPv4 or IPv6 packet with TCP; data bytes 0 where it is none.
struct CapturedSegment {
  std::string peer;
  std::size_t bytes = 0;
};
// `size_on_wire`: length of the packet, of which `head` holds the beginning.
CapturedSegment dissect_segment(ByteView head, std::size_t size_on_wire);

}  // namespace tidegate
