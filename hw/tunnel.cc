// SPDX-License-Identifier: Apache-2.0
#include "hw/tunnel.h"

#include <fmt/core.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/uio.h>

#include <array>
#include <cerrno>

#include "protocol/frame/outer_frame.h"

namespace tidegate {
namespace {

constexpr std::size_t kReadSize = 256 * 1024;
constexpr int kReadsPerTurn = 8;
constexpr std::size_t kPieces = 16;
// Bytes that have arrived but that the receiver does not take: beyond it the device stops reading, as
// hardware would.
constexpr std::uint64_t kDeviceBuffer = 1024 * 1024;
constexpr std::uint64_t kLineLimit = 256 * 1024 * 1024;  // bytes under way where no rate bounds them
constexpr Nanos kConnectRetry = 200 * kMillisecond;

// Bytes of a frame up to and with its length words.
constexpr std::uint64_t kPlainHead = kOuterLengthBytes;
constexpr std::uint64_t kWrappedHead = kELanguagePrefix.size() + kOuterLengthBytes;

// Small enough that a sender's "has left my socket" follows the rate of the link.
constexpr int kPacedReceiveBuffer = 128 * 1024;

}  // namespace

Tunnel::Tunnel(Device& device, int epoll, std::uint64_t key, const SocketAddress& outer_address)
    : device_(device), epoll_(epoll), key_(key), outer_address_(outer_address) {}

void Tunnel::watch(int fd, bool outer_side) {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.u64 = key_ * 2 + (outer_side ? 1 : 0);
  epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
}

void Tunnel::attach(Fd inner, std::string peer, std::uint64_t number) {
  inner_ = Side{};
  inner_.fd = std::move(inner);
  inner_peer_ = std::move(peer);
  number_ = number;
  unanswered_ = 0;
  reverse_.clear();
  last_activity_ = device_.now;
  const int on = 1;
  setsockopt(inner_.fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  if (device_.link.rate() != 0) {
    setsockopt(inner_.fd.get(), SOL_SOCKET, SO_RCVBUF, &kPacedReceiveBuffer, sizeof(kPacedReceiveBuffer));
  }
  watch(inner_.fd.get(), false);
  if (!outer_.fd) start_connect();
}

void Tunnel::start_connect() {
  retry_at_ = kNever;
  outer_ = Side{};
  outer_up_ = false;
  Result<Fd> made = connect_tcp(outer_address_);
  if (!made.ok()) return outer_lost(true);
  outer_.fd = std::move(made).value();
  bytes_back_ = segments_back_ = excess_back_ = 0;
  watch(outer_.fd.get(), true);
}

void Tunnel::connect_finished() {
  if (connect_error(outer_.fd.get()) != 0) return outer_lost(true);
  outer_up_ = true;
  ++device_.stats.outer_connects;
}

// The receiver's side is gone. A buffering device hides that from the inner side; others pass it on in time.
void Tunnel::outer_lost(bool was_reset) {
  if (!outer_up_) ++device_.stats.outer_failures;
  outer_up_ = false;
  if (device_.faults().buffer > 0) {
    if (inner_.ended && forward_.empty()) return die(false, false);
    outer_ = Side{};
    retry_at_ = device_.now + kConnectRetry;
    return;
  }
  outer_.ended = true;
  outer_.was_reset = was_reset;
  outer_.end_due = device_.now + device_.profile().delay_reverse;
}

void Tunnel::on_event(bool outer_side, std::uint32_t events) {
  Side& side = outer_side ? outer_ : inner_;
  if ((events & EPOLLOUT) != 0) side.writable = true;
  if ((events & (EPOLLIN | EPOLLRDHUP)) != 0) side.readable = true;
  if ((events & (EPOLLERR | EPOLLHUP)) != 0) side.readable = side.writable = true;
}

void Tunnel::pump() {
  has_more_ = false;
  waits_for_link_ = false;
  if (dead_ || device_.blocked()) return;
  if (retry_at_ <= device_.now) start_connect();
  if (outer_.fd && !outer_up_ && !outer_.ended && outer_.writable) connect_finished();
  read_outer();
  write_outer();
  read_inner();
  write_outer();
  write_inner();
  pass_ends();
  check_idle();
  if (cut_wanted_) cut();
  has_more_ = can_read_inner() && !waits_for_link_;
}

bool Tunnel::can_read_inner() const {
  if (dead_ || !inner_.fd || !inner_.readable || inner_.ended) return false;
  if (cut_at_ && meter_.offset() >= *cut_at_) return false;
  if (outer_up_) {
    const std::uint64_t room = std::max(kDeviceBuffer, device_.faults().buffer);
    return forward_.size() < kLineLimit && forward_.arrived_size(device_.now) < room;
  }
  return forward_.size() < device_.faults().buffer;
}

void Tunnel::read_inner() {
  static thread_local std::array<std::uint8_t, kReadSize> scratch;
  for (int turn = 0; can_read_inner(); ++turn) {
    if (turn == kReadsPerTurn) return;
    const std::size_t most = cut_at_ ? std::min(scratch.size(), *cut_at_ - meter_.offset()) : scratch.size();
    const std::size_t granted = device_.link.grant(device_.now, most);
    if (granted == 0) {
      waits_for_link_ = true;
      return;
    }
    const ssize_t size = recv(inner_.fd.get(), scratch.data(), granted, MSG_DONTWAIT);
    if (size > 0) {
      take_forward({scratch.data(), static_cast<std::size_t>(size)});
    } else if (size < 0 && (errno == EAGAIN || errno == EINTR)) {
      inner_.readable = errno == EINTR;
    } else {
      inner_.ended = true;
      inner_.was_reset = size < 0;
      inner_.end_due = device_.now + device_.profile().delay_forward;
      if (!forward_.empty()) inner_.end_due = std::max(inner_.end_due, forward_.last_due());
      // A pooling device is done with this client; so is every device whose client has reset.
      if (inner_.was_reset || device_.faults().pool) drop_inner(false);
    }
  }
}

void Tunnel::take_forward(ByteView bytes) {
  last_activity_ = device_.now;
  device_.stats.bytes_in += bytes.size();
  const Nanos leaves_link = device_.link.take(device_.now, bytes.size(), true);
  bytes = meter_forward(bytes, leaves_link);
  const Nanos due = leaves_link + device_.profile().delay_forward;
  // Nothing under way and nothing to wait for: save the copy.
  if (forward_.empty() && due <= device_.now && outer_up_ && outer_.writable && !cut_at_) {
    const ssize_t sent = send(outer_.fd.get(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent > 0) {
      bytes = bytes.subspan(sent);
      forwarded(sent);
    }
  }
  forward_.push(bytes, due);
}

// Returns the bytes that go on: all, or those before the place of a cut.
ByteView Tunnel::meter_forward(ByteView bytes, Nanos leaves_link) {
  const FrameMeter before = meter_;
  events_.clear();
  meter_.feed(bytes, &events_);
  for (const FrameEvent& event : events_) {
    switch (event.kind) {
      case FrameEvent::Kind::kBegin:
        frame_begins(event);
        break;
      case FrameEvent::Kind::kEnd:
        frame_ends(event, leaves_link);
        break;
      case FrameEvent::Kind::kMalformed:
        violation(ViolationKind::kFrameMalformed, false,
                  fmt::format("{}, frame at offset {}; no further frame of this connection is checked",
                              event.detail, event.start));
        break;
    }
    if (cut_at_ && *cut_at_ < meter_.offset()) break;
  }
  if (!cut_at_ || *cut_at_ >= meter_.offset()) return bytes;
  // What lies behind the cut was never sent on: the meter must not have seen it, the outer stream may go on.
  const ByteView kept = bytes.first(*cut_at_ - before.offset());
  device_.stats.bytes_swallowed += bytes.size() - kept.size();
  meter_ = before;
  events_.clear();
  meter_.feed(kept, &events_);
  return kept;
}

void Tunnel::frame_begins(const FrameEvent& event) {
  GatekeeperStats& stats = device_.stats;
  const Profile& profile = device_.profile();
  stats.frame_largest = std::max(stats.frame_largest, event.size());
  if (profile.frame_limit != 0 && event.size() > profile.frame_limit) {
    violation(ViolationKind::kFrameTooLarge, false,
              fmt::format("{} bytes on the wire, the limit is {}", event.size(), profile.frame_limit));
  }
  if (profile.e_language && !event.wrapped) {
    violation(ViolationKind::kFrameNotWrapped, false, fmt::format("frame at offset {}", event.start));
  }
  ++unanswered_;
  if (unanswered_ > 0)
    stats.frames_unanswered_max = std::max<std::uint64_t>(stats.frames_unanswered_max, unanswered_);
  if (profile.window != 0 && unanswered_ > static_cast<std::int64_t>(profile.window)) {
    violation(ViolationKind::kWindow, false,
              fmt::format("{} frames, the window is {}", unanswered_, profile.window));
  }
  if (device_.chance(device_.faults().stray)) {
    ++stats.answers_stray;
    queue_answer(device_.any_answer(), device_.now);
  }
  if (device_.cut_mid_frame) {
    device_.cut_mid_frame = false;
    cut_at_ = event.start + std::max(event.size() / 2, event.wrapped ? kWrappedHead : kPlainHead);
  }
}

void Tunnel::frame_ends(const FrameEvent& event, Nanos leaves_link) {
  ++device_.stats.frames_in;
  frame_ends_.push_back(event.end);
  if (!device_.faults().self_answer) return;
  ++device_.stats.answers_self;
  queue_answer(*device_.faults().self_answer, leaves_link + device_.profile().delay_reverse);
}

void Tunnel::write_outer() {
  while (!forward_.empty() && outer_up_ && outer_.writable && !dead_) {
    const std::vector<ByteView> pieces = forward_.arrived(device_.now, kPieces);
    std::array<iovec, kPieces> vectors;
    std::uint64_t room = cut_at_ ? *cut_at_ - forward_offset_ : UINT64_MAX;
    std::size_t count = 0;
    for (const ByteView piece : pieces) {
      if (room == 0) break;
      const std::size_t size = std::min<std::uint64_t>(piece.size(), room);
      vectors[count++] = {const_cast<std::uint8_t*>(piece.data()), size};
      room -= size;
    }
    if (count == 0) return;
    msghdr message{};
    message.msg_iov = vectors.data();
    message.msg_iovlen = count;
    const ssize_t sent = sendmsg(outer_.fd.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent > 0) {
      forward_.pop(sent);
      forwarded(sent);
    } else if (errno != EINTR) {
      outer_.writable = false;  // a broken connection is reported by reading from it
    }
  }
}

void Tunnel::forwarded(std::size_t size) {
  last_activity_ = device_.now;
  forward_offset_ += size;
  device_.stats.bytes_forward += size;
  while (!frame_ends_.empty() && frame_ends_.front() <= forward_offset_) {
    frame_ends_.pop_front();
    ++frames_forward_;
    ++device_.stats.frames_forward;
  }
  if (!cut_at_ || forward_offset_ < *cut_at_) return;
  cut_at_.reset();
  ++device_.stats.cuts;
  device_.stats.bytes_swallowed += forward_.size();
  forward_.clear();
  // The half frame must arrive, so the outer side ends in order, or not at all where the device keeps it.
  if (!device_.faults().pool) return die(true, false);
  drop_inner(true);
}

void Tunnel::violation(ViolationKind kind, bool outer_side, std::string detail) {
  device_.violation(kind, number_, outer_side ? outer_address_.text() : inner_peer_, std::move(detail));
  if (device_.options.on_violation == OnViolation::kCut) cut_wanted_ = true;
}

void Tunnel::cut() {
  if (dead_) return;
  ++device_.stats.cuts;
  die(true, true);
}

bool Tunnel::free_for_reuse() const {
  return device_.faults().pool && !dead_ && !inner_.fd && outer_up_ && !outer_.ended;
}

void Tunnel::drop_inner(bool reset) {
  device_.stats.answers_dropped += reverse_.size();
  reverse_.clear();
  if (reset) inner_.fd.reset_connection();
  inner_.fd.reset();
  inner_.ended = true;
}

void Tunnel::die(bool reset_inner, bool reset_outer) {
  device_.stats.bytes_swallowed += forward_.size();
  forward_.clear();
  drop_inner(reset_inner);
  if (reset_outer) outer_.fd.reset_connection();
  outer_.fd.reset();
  outer_up_ = false;
  dead_ = true;
}

}  // namespace tidegate
