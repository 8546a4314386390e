// SPDX-License-Identifier: Apache-2.0
// Tunnel: one inner connection, the outer connection that belongs to it, and what is under way between them.
//
// Sockets are watched edge-triggered: an event only raises a flag, pump() does the work and lowers the flag
// at EAGAIN. With a pool a tunnel outlives its inner connection and waits for the next one. Belongs to the
// emulator's thread.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "hw/delay_line.h"
#include "hw/device.h"
#include "hw/frame_meter.h"
#include "hw/sockets.h"

namespace tidegate {

class Tunnel {
 public:
  // `key` identifies the tunnel in epoll data: key * 2 for the inner, key * 2 + 1 for the outer socket.
  Tunnel(Device& device, int epoll, std::uint64_t key, const SocketAddress& outer_address);

  // Takes an accepted connection; `number` counts inner connections. Starts to connect outwards where needed.
  void attach(Fd inner, std::string peer, std::uint64_t number);

  void on_event(bool outer_side, std::uint32_t events);
  // Does all that can be done now.
  void pump();
  void cut();                               // resets both sides
  void make_up_answer(std::uint8_t value);  // a stray byte to the inner side

  bool dead() const { return dead_; }
  bool serves_inner() const { return !dead_ && inner_.fd && !inner_.ended; }
  bool free_for_reuse() const;
  bool waits_for_link() const { return waits_for_link_; }
  bool has_more() const { return has_more_; }  // pump() stopped to let others work
  Nanos next_wake() const;                     // kNever: only an event can help

 private:
  struct Side {
    Fd fd;
    bool readable = false;
    bool writable = false;
    bool ended = false;  // no more bytes will come from it
    bool was_reset = false;
    Nanos end_due = 0;  // when the end has travelled through the device
  };
  struct Answer {
    Nanos due;
    std::uint8_t value;
  };

  void watch(int fd, bool outer_side);
  void start_connect();
  void connect_finished();
  void outer_lost(bool was_reset);
  bool can_read_inner() const;
  void read_inner();
  void take_forward(ByteView bytes);
  ByteView meter_forward(ByteView bytes, Nanos leaves_link);
  void frame_begins(const FrameEvent& event);
  void frame_ends(const FrameEvent& event, Nanos leaves_link);
  void write_outer();
  void forwarded(std::size_t size);
  void read_outer();
  bool segments_allow(std::size_t read);
  void take_answer(std::uint8_t value, bool drop);
  void queue_answer(std::uint8_t value, Nanos due);
  void write_inner();
  void pass_ends();
  void inner_end_arrives();
  void check_idle();
  void drop_inner(bool reset);
  void die(bool reset_inner, bool reset_outer);
  void violation(ViolationKind kind, bool outer_side, std::string detail);

  Device& device_;
  const int epoll_;
  const std::uint64_t key_;
  const SocketAddress outer_address_;

  Side inner_;
  Side outer_;
  bool outer_up_ = false;
  Nanos retry_at_ = kNever;
  std::string inner_peer_;
  std::uint64_t number_ = 0;

  DelayLine forward_;
  FrameMeter meter_;
  std::vector<FrameEvent> events_;
  std::deque<std::uint64_t> frame_ends_;  // offsets in the forward stream, not yet given to the outer side
  std::uint64_t forward_offset_ = 0;      // bytes given to the outer side
  std::optional<std::uint64_t> cut_at_;   // forward offset

  std::deque<Answer> reverse_;
  Nanos next_poll_ = 0;           // when to look again whether the last byte was acknowledged
  std::uint64_t bytes_back_ = 0;  // of this outer connection
  std::uint64_t segments_back_ = 0;
  std::uint64_t excess_back_ = 0;     // bytes above segments already reported
  std::uint64_t frames_forward_ = 0;  // of this tunnel
  std::uint64_t answers_back_ = 0;
  std::int64_t unanswered_ = 0;  // frames begun less answers passed, of this inner connection

  Nanos last_activity_ = 0;
  bool waits_for_link_ = false;
  bool has_more_ = false;
  bool cut_wanted_ = false;
  bool end_passed_ = false;  // the inner side's end of stream was given to the outer side
  bool dead_ = false;
};

}  // namespace tidegate
