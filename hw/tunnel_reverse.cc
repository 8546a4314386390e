// SPDX-License-Identifier: Apache-2.0
// The way back through a tunnel: single bytes, and the ends of connections.
#include <fmt/core.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

#include "hw/tunnel.h"

namespace tidegate {
namespace {

constexpr int kReadsPerTurn = 16;
constexpr Nanos kLinger =
    10 * kSecond;  // a buffering device tries to deliver for so long after its client left
constexpr Nanos kAckPoll = 100 * kMicrosecond;

}  // namespace

void Tunnel::read_outer() {
  std::array<std::uint8_t, 4096> buffer;
  for (int turn = 0; turn < kReadsPerTurn && outer_up_ && outer_.readable && !outer_.ended; ++turn) {
    const ssize_t size = recv(outer_.fd.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (size > 0) {
      last_activity_ = device_.now;
      const bool allowed = segments_allow(size);
      for (ssize_t i = 0; i < size; ++i) take_answer(buffer[i], !allowed);
    } else if (size < 0 && (errno == EAGAIN || errno == EINTR)) {
      outer_.readable = errno == EINTR;
    } else {
      const bool was_reset = size < 0;
      segments_allow(0);
      outer_lost(was_reset);
    }
  }
}

// Whether the `read` bytes just read came in segments of one byte each. The kernel counts a segment before
// its bytes can be read, so bytes above segments are proof; a segment still unread can hide the excess only
// until it is read too, a repeated segment for good (the capture sees those).
bool Tunnel::segments_allow(std::size_t read) {
  bytes_back_ += read;
  device_.stats.bytes_back += read;
  const std::optional<std::uint64_t> segments = data_segments_in(outer_.fd.get());
  if (!segments) return true;
  device_.stats.segments_back += *segments - segments_back_;
  segments_back_ = *segments;
  if (!device_.profile().one_byte_per_segment || bytes_back_ <= segments_back_ + excess_back_) return true;
  const std::uint64_t extra = bytes_back_ - segments_back_ - excess_back_;
  excess_back_ += extra;
  violation(ViolationKind::kMultiByteSegment, true,
            fmt::format("{} bytes in {} segments so far, {} too many just now", bytes_back_, segments_back_,
                        extra));
  return false;
}

void Tunnel::take_answer(std::uint8_t value, bool drop) {
  const Profile& profile = device_.profile();
  GatekeeperStats& stats = device_.stats;
  if (answers_back_ == frames_forward_) {
    violation(ViolationKind::kUnsolicited, true,
              fmt::format("0x{:02X} after {} frames and as many answers", value, frames_forward_));
  } else {
    ++answers_back_;
  }
  if (value == profile.answer_ok) ++stats.answers_ok;
  if (value == profile.answer_fail) ++stats.answers_fail;
  if (profile.only_answer_values && value != profile.answer_ok && value != profile.answer_fail) {
    violation(ViolationKind::kForeignValue, true, fmt::format("0x{:02X}", value));
    drop = true;
  }
  const GatekeeperFaults& faults = device_.faults();
  if (drop || faults.self_answer || !inner_.fd) {
    ++stats.answers_dropped;
    return;
  }
  if (device_.chance(faults.lose_answers)) {
    ++stats.answers_lost;
    return;
  }
  if (faults.invert && value == profile.answer_ok) {
    value = profile.answer_fail;
  } else if (faults.invert && value == profile.answer_fail) {
    value = profile.answer_ok;
  }
  const Nanos due = device_.now + profile.delay_reverse + faults.delay_answers;
  queue_answer(value, due);
  if (!device_.chance(faults.duplicate_answers)) return;
  ++stats.answers_duplicated;
  queue_answer(value, due);
}

void Tunnel::queue_answer(std::uint8_t value, Nanos due) {
  if (!reverse_.empty()) due = std::max(due, reverse_.back().due);
  reverse_.push_back({due, value});
}

void Tunnel::make_up_answer(std::uint8_t value) {
  if (!serves_inner()) return;
  ++device_.stats.answers_stray;
  queue_answer(value, device_.now);
}

// Each byte in a segment of its own: the next is written only when the peer's TCP has acknowledged the one
// before.
void Tunnel::write_inner() {
  while (!reverse_.empty() && inner_.fd && reverse_.front().due <= device_.now && next_poll_ <= device_.now) {
    if (device_.profile().one_byte_per_segment && unacknowledged(inner_.fd.get()) > 0) {
      next_poll_ = device_.now + kAckPoll;
      return;
    }
    const std::uint8_t value = reverse_.front().value;
    if (send(inner_.fd.get(), &value, 1, MSG_DONTWAIT | MSG_NOSIGNAL) != 1) {
      next_poll_ = device_.now + kAckPoll;  // a broken connection is reported by reading from it
      return;
    }
    reverse_.pop_front();
    last_activity_ = device_.now;
    --unanswered_;
    ++device_.stats.answers_passed;
  }
}

void Tunnel::pass_ends() {
  if (dead_) return;
  if (inner_.ended && forward_.empty() && inner_.end_due <= device_.now) inner_end_arrives();
  if (!dead_ && outer_.ended && reverse_.empty() && outer_.end_due <= device_.now)
    die(outer_.was_reset, false);
}

void Tunnel::inner_end_arrives() {
  if (outer_up_) {
    if (device_.faults().pool || end_passed_) return;
    if (inner_.was_reset) return die(true, true);
    end_passed_ = true;
    shutdown(outer_.fd.get(), SHUT_WR);
  } else if (device_.faults().buffer == 0 || device_.faults().pool) {
    // Never got through: the end of the outer side follows by itself, or there is nothing to keep.
    if (inner_.was_reset || device_.faults().pool) die(true, true);
  }
}

void Tunnel::check_idle() {
  if (dead_) return;
  // A buffering device gives up on what its departed client left behind.
  if (inner_.ended && !outer_up_ && device_.now >= inner_.end_due + kLinger) return die(true, true);
  const Nanos limit = device_.profile().idle_timeout;
  if (limit == 0 || device_.now < last_activity_ + limit) return;
  ++device_.stats.cuts_idle;
  die(true, true);
}

Nanos Tunnel::next_wake() const {
  if (dead_) return kNever;
  Nanos wake = kNever;
  // What is due already could not be done by pump() and waits for an event.
  const auto at = [&](Nanos time) {
    if (time > device_.now) wake = std::min(wake, time);
  };
  if (waits_for_link_) at(device_.link.next_grant());
  if (!forward_.empty() && outer_up_) at(forward_.next_due());
  if (!reverse_.empty() && inner_.fd) at(std::max(reverse_.front().due, next_poll_));
  if (inner_.ended) at(inner_.end_due);
  if (inner_.ended && !outer_up_) at(inner_.end_due + kLinger);
  if (outer_.ended) at(outer_.end_due);
  if (retry_at_ != kNever) at(retry_at_);
  if (device_.profile().idle_timeout != 0) at(last_activity_ + device_.profile().idle_timeout);
  return wake;
}

}  // namespace tidegate
