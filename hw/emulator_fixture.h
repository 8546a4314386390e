// SPDX-License-Identifier: Apache-2.0
// What the tests of the emulator share: a peer whose calls end at a deadline, and a device between two of
// them.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/tcp.h>
#include <poll.h>

#include <cerrno>
#include <memory>

#include "hw/device.h"
#include "hw/emulator.h"
#include "hw/sockets.h"

namespace tidegate {

inline constexpr Nanos kPatience = 10 * kSecond;

// A blocking test peer: every call ends at a deadline.
class Peer {
 public:
  Peer() = default;
  explicit Peer(Fd fd) : fd_(std::move(fd)) {
    const int on = 1;
    setsockopt(fd_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  }

  void write(const Bytes& bytes) {
    const Nanos deadline = monotonic_now() + kPatience;
    for (std::size_t done = 0; done < bytes.size() && monotonic_now() < deadline;) {
      if (!ready(POLLOUT, deadline)) break;
      const ssize_t sent =
          send(fd_.get(), bytes.data() + done, bytes.size() - done, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent < 0 && errno != EAGAIN) return;
      if (sent > 0) done += sent;
    }
  }

  // Up to `size` bytes; fewer where the connection ends or the deadline passes.
  Bytes read(std::size_t size, Nanos patience = kPatience) {
    const Nanos deadline = monotonic_now() + patience;
    Bytes out(size);
    std::size_t have = 0;
    while (have < size && ready(POLLIN, deadline)) {
      const ssize_t got = recv(fd_.get(), out.data() + have, size - have, MSG_DONTWAIT);
      if (got < 0 && errno == EAGAIN) continue;
      if (got <= 0) break;
      have += got;
    }
    out.resize(have);
    return out;
  }

  // True when the other side ends the connection, in order or by reset.
  bool sees_end() {
    const Nanos deadline = monotonic_now() + kPatience;
    while (ready(POLLIN, deadline)) {
      std::uint8_t byte;
      const ssize_t got = recv(fd_.get(), &byte, 1, MSG_DONTWAIT);
      if (got == 0 || (got < 0 && errno != EAGAIN)) return true;
    }
    return false;
  }

  void reset() { fd_.reset_connection(); }
  void close() { fd_.reset(); }
  int fd() const { return fd_.get(); }

 private:
  bool ready(short events, Nanos deadline) {
    pollfd p{fd_.get(), events, 0};
    const Nanos left = deadline - monotonic_now();
    return left > 0 && poll(&p, 1, static_cast<int>(left / kMillisecond + 1)) == 1;
  }

  Fd fd_;
};

inline Bytes frame(std::uint32_t length) {
  Bytes out;
  ByteWriter writer(out);
  writer.u32_be(length);
  writer.u32_be(length);
  out.resize(8 + length, 0x5A);
  return out;
}

inline const Bytes kOk = {0x00};
inline const Bytes kFail = {0xFF};

class EmulatorTest : public testing::Test {
 protected:
  EmulatorTest() {
    options_.profile = builtin_profile("syskeeper-2000").value();
    options_.profile.delay_forward = options_.profile.delay_reverse = 0;
    options_.profile.rate = 0;
    start_receiver(0);
  }

  void start_receiver(std::uint16_t port) {
    listener_ = listen_tcp(resolve({"127.0.0.1", port}, true).value()).value();
    options_.outer = {"127.0.0.1", local_address(listener_.get()).port()};
  }
  void stop_receiver() { listener_.reset(); }

  void start() {
    Result<std::unique_ptr<Emulator>> made = Emulator::open(options_);
    ASSERT_TRUE(made.ok()) << made.error().text();
    emulator_ = std::move(made).value();
  }

  Peer client() {
    return Peer(connect_tcp(resolve({"127.0.0.1", emulator_->port()}, false).value()).value());
  }

  Peer receiver(Nanos patience = kPatience) {
    pollfd p{listener_.get(), POLLIN, 0};
    if (poll(&p, 1, static_cast<int>(patience / kMillisecond)) != 1) return {};
    return Peer(Fd(accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK)));
  }

  // A client and a receiver with a frame delivered between them.
  void connect_with_frame() {
    inner_ = client();
    inner_.write(frame(100));
    outer_ = receiver();
    ASSERT_EQ(outer_.read(108), frame(100));
  }

  std::uint64_t violations(ViolationKind kind) { return emulator_->stats().count(kind); }

  // Waits until `claim` holds for the counters.
  template <class Claim>
  bool eventually(Claim claim) {
    const Nanos deadline = monotonic_now() + kPatience;
    while (monotonic_now() < deadline) {
      if (claim(emulator_->stats())) return true;
      poll(nullptr, 0, 1);
    }
    return false;
  }
  bool eventually_violated(ViolationKind kind, std::uint64_t times = 1) {
    return eventually([&](const GatekeeperStats& s) { return s.count(kind) == times; });
  }

  GatekeeperOptions options_;
  Fd listener_;
  std::unique_ptr<Emulator> emulator_;
  Peer inner_;
  Peer outer_;
};

}  // namespace tidegate
