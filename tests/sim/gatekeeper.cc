// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/gatekeeper.h"

#include <algorithm>

namespace tidegate::sim {

// One side of a tunnel: what the process holds as a socket.
struct Gatekeeper::End {
  std::uint64_t number = 0;  // of outer ones
  ProcessId process = kWorld;
  ConnectionHandler* handler = nullptr;  // while `open`
  bool open = true;                      // neither closed by the process nor shown as closed to it
  bool is_inner = false;
  bool silent = false;  // its machine lost power: no close was ever sent
  std::uint32_t writing = 0;
  std::uint32_t unacknowledged = 0;
  Nanos last = 0;  // when the last thing reaches it
  std::weak_ptr<Tunnel> tunnel;
};

struct Gatekeeper::Tunnel {
  std::uint64_t number = 0;
  EndPtr inner, outer;     // outer: nothing while the device only buffers
  bool inner_open = true;  // as the device sees it
  bool outer_open = false;
  Nanos last_forward = 0;          // when the last piece on its way will have arrived
  std::uint64_t frames = 0;        // written by the sender
  std::uint64_t answers = 0;       // that have reached it
  std::uint64_t true_answers = 0;  // ... as the receiver gave them
  Nanos waits_since = 0;           // for the answer to the oldest frame
  bool unasked = false;            // a byte has come while no answer was owed
  bool over() const { return !inner_open && !outer_open; }
};

struct Gatekeeper::Server {
  ProcessId process = kWorld;
  ConnectionOptions options;
  Loop::Accept accept;
};

class Gatekeeper::Socket final : public Connection {
 public:
  Socket(Gatekeeper* device, EndPtr end) : device_(device), alive_(device->alive_), end_(std::move(end)) {}
  ~Socket() override { close(false); }
  void write(Bytes bytes) override {
    if (*alive_ && end_->open) device_->write(end_, std::move(bytes));
  }
  void close(bool reset) override {
    if (*alive_ && end_->open) device_->close(end_, reset);
  }
  std::string peer() const override { return "10.0.0.1:4000"; }

 private:
  Gatekeeper* device_;
  std::shared_ptr<bool> alive_;
  EndPtr end_;
};

class Gatekeeper::ServerHandle final : public Listener {
 public:
  ServerHandle(Gatekeeper* device, std::shared_ptr<Server> server)
      : device_(device), alive_(device->alive_), server_(std::move(server)) {}
  ~ServerHandle() override {
    if (*alive_ && device_->server_ == server_) device_->server_.reset();
  }
  std::uint16_t port() const override { return 9780; }

 private:
  Gatekeeper* device_;
  std::shared_ptr<bool> alive_;
  std::shared_ptr<Server> server_;
};

Gatekeeper::Gatekeeper(EventQueue* queue, std::uint64_t seed, Violation violation)
    : queue_(queue), random_(seed), violation_(std::move(violation)) {}
Gatekeeper::~Gatekeeper() {
  *alive_ = false;
}

// ---- opening

std::unique_ptr<Listener> Gatekeeper::listen(ProcessId process, const Endpoint&,
                                             const ConnectionOptions& options, Loop::Accept accept) {
  server_ = std::make_shared<Server>(Server{process, options, std::move(accept)});
  return std::make_unique<ServerHandle>(this, server_);
}

std::unique_ptr<Connection> Gatekeeper::connect(ProcessId process, const ConnectionOptions&,
                                                ConnectionHandler* handler) {
  auto tunnel = std::make_shared<Tunnel>();
  tunnel->number = next_number_++;
  tunnel->inner = std::make_shared<End>();
  tunnel->inner->process = process;
  tunnel->inner->handler = handler;
  tunnel->inner->is_inner = true;
  tunnel->inner->tunnel = tunnel;
  std::erase_if(tunnels_, [](const TunnelPtr& t) { return t->over(); });
  tunnels_.push_back(tunnel);
  queue_->after(timing.delay, kWorld, [this, tunnel] { arrive_connect(tunnel); });
  return std::make_unique<Socket>(this, tunnel->inner);
}

void Gatekeeper::arrive_connect(const TunnelPtr& tunnel) {
  if (!tunnel->inner->open) return;
  if (faults.down) {
    if (random_.chance(1, 2)) show_close(tunnel->inner, "connection refused");
    return;  // or no answer at all: the connect timeout sees to it
  }
  const bool outer = (faults.pools && reuse_pooled(tunnel)) || open_outer(tunnel);
  if (!outer && !faults.buffers) return show_close(tunnel->inner, "connection refused");
  if (!outer) say("takes connection " + std::to_string(tunnel->number) + " though the receiver is down");
  deliver(tunnel->inner, queue_->now() + timing.delay, [](ConnectionHandler& h) { h.on_connected(); });
}

bool Gatekeeper::reuse_pooled(const TunnelPtr& tunnel) {
  while (!pool_.empty()) {
    const TunnelPtr old = pool_.front();
    pool_.pop_front();
    if (!old->outer_open || !old->outer->open) continue;
    tunnel->outer = old->outer;
    tunnel->outer->tunnel = tunnel;
    tunnel->outer_open = true;
    old->outer_open = false;
    say("connection " + std::to_string(tunnel->number) + " gets the used outer connection of " +
        std::to_string(old->number));
    return true;
  }
  return false;
}

bool Gatekeeper::open_outer(const TunnelPtr& tunnel) {
  const auto server = server_;
  if (!server || !queue_->alive(server->process)) return false;
  const auto end = std::make_shared<End>();
  end->number = next_number_++;
  end->process = server->process;
  end->tunnel = tunnel;
  queue_->run_as(server->process,
                 [&] { end->handler = server->accept(std::make_unique<Socket>(this, end)); });
  if (end->handler == nullptr) end->open = false;
  if (!end->open) return true;  // taken and closed at once: the close is on its way
  tunnel->outer = end;
  tunnel->outer_open = true;
  return true;
}

// ---- writing

void Gatekeeper::deliver(const EndPtr& end, Nanos when, std::function<void(ConnectionHandler&)> what) {
  end->last = std::max(end->last, when);
  queue_->at(end->last, end->process, [end, what = std::move(what)] {
    if (end->open && end->handler != nullptr) what(*end->handler);
  });
}

void Gatekeeper::write(const EndPtr& from, Bytes bytes) {
  if (from->is_inner) return write_forward(from, std::move(bytes));
  write_reverse(from, std::move(bytes));
}

void Gatekeeper::write_forward(const EndPtr& from, Bytes bytes) {
  const TunnelPtr tunnel = from->tunnel.lock();
  if (!tunnel) return;
  if (tunnel->unasked)
    violation_("the sender goes on with a connection on which a byte came while no answer was owed");
  if (tunnel->frames++ == tunnel->answers) tunnel->waits_since = queue_->now();
  const auto takes = static_cast<Nanos>(bytes.size() * kSecond / timing.rate);
  const Nanos left = busy_until_ = std::max(busy_until_, queue_->now()) + takes;
  ++from->writing;
  queue_->at(left, from->process, [from] {
    if (--from->writing == 0 && from->open) from->handler->on_written();
  });
  tunnel->last_forward = std::max(tunnel->last_forward, left + timing.delay);
  queue_->at(tunnel->last_forward, kWorld,
             [this, tunnel, bytes = std::move(bytes)]() mutable { forward(tunnel, std::move(bytes)); });
}

void Gatekeeper::write_reverse(const EndPtr& from, Bytes bytes) {
  if (bytes.size() != 1) violation_("R1: " + std::to_string(bytes.size()) + " bytes in one answer");
  if (from->unacknowledged != 0)
    violation_("R1: an answer is written before TCP has acknowledged the one before");
  if (bytes[0] != 0x00 && bytes[0] != 0xFF) violation_("an answer that is neither 00 nor FF");
  repetitions.answer(from->number, bytes[0] == 0x00);
  ++from->unacknowledged;
  queue_->after(timing.delay, kWorld, [this, from, byte = bytes[0]] {
    if (const TunnelPtr tunnel = from->tunnel.lock()) reverse(tunnel, from, byte);
  });
}

bool Gatekeeper::damage(Bytes& bytes) {
  const std::uint32_t before = once.lose_bytes + once.flip_bits;
  if (once.lose_bytes > 0) {
    --once.lose_bytes;
    const std::size_t at = random_.below(bytes.size());
    const std::size_t count = std::min<std::size_t>(bytes.size() - at, 1 + random_.below(bytes.size()));
    bytes.erase(bytes.begin() + static_cast<std::ptrdiff_t>(at),
                bytes.begin() + static_cast<std::ptrdiff_t>(at + count));
    say("loses " + std::to_string(count) + " bytes of a frame");
  }
  if (once.flip_bits > 0 && !bytes.empty()) {
    --once.flip_bits;
    bytes[random_.below(bytes.size())] ^= static_cast<std::uint8_t>(1U << random_.below(8));
    say("flips a bit of a frame");
  }
  return once.lose_bytes + once.flip_bits != before;
}

void Gatekeeper::forward(const TunnelPtr& tunnel, Bytes bytes) {
  if (faults.down || !tunnel->inner_open) return;
  if (faults.answers_itself)
    queue_->after(timing.delay, kWorld, [this, tunnel] { give_answer(tunnel, 0x00); });
  const bool small = bytes.size() < 256;  // a question, a hello: where a wrong answer does most
  if (once.stray_at_frame > 0 && small && --once.stray_at_frame == 0) {
    say("puts a byte in front of an answer");
    queue_->after(0, kWorld, [this, tunnel, stray = once.stray] { give_answer(tunnel, stray); });
  }
  if (faults.stalls) return;
  if (faults.frame_limit != 0 && bytes.size() > faults.frame_limit) {
    say("cuts a frame of " + std::to_string(bytes.size()) + " bytes: above its limit");
    return cut(tunnel, true);
  }
  const bool cut_here = once.cut_in_frame > 0 && bytes.size() > 1;
  if (cut_here) {
    --once.cut_in_frame;
    bytes.resize(1 + random_.below(bytes.size() - 1));
    say("cuts connection " + std::to_string(tunnel->number) + " in the middle of a frame");
    queue_->after(1, kWorld, [this, tunnel] { cut(tunnel, random_.chance(1, 2)); });
  }
  const bool damaged = damage(bytes) || cut_here;
  if (!tunnel->outer_open) return;  // swallowed
  const EndPtr outer = tunnel->outer;
  if (outer->silent) {
    const bool machine_is_back = server_ != nullptr;
    queue_->after(machine_is_back ? timing.delay : timing.dead_peer, kWorld,
                  [this, tunnel] { cut(tunnel, true); });
    return;
  }
  if (!outer->open) return;
  damaged ? repetitions.damaged(outer->number) : repetitions.frame(outer->number, bytes);
  if (bytes.empty()) return;
  queue_->run_as(outer->process, [&] { outer->handler->on_bytes(bytes); });
}

// ---- answers

void Gatekeeper::drained(const EndPtr& end) {
  if (end->unacknowledged == 0 || --end->unacknowledged != 0 || !end->open) return;
  queue_->run_as(end->process, [&] {
    end->handler->on_written();
    if (end->open) end->handler->on_drained();
  });
}

void Gatekeeper::reverse(const TunnelPtr& tunnel, const EndPtr& from, std::uint8_t byte) {
  drained(from);
  if (faults.down || faults.answers_itself || !tunnel->inner_open) return;
  if (!tunnel->outer_open && faults.reset_overtakes) return say("a reset overtakes an answer");
  if (tunnel->inner->silent) {
    queue_->after(timing.dead_peer, kWorld, [this, tunnel] { cut(tunnel, true); });
    return;
  }
  if (once.invert_after > 0 && --once.invert_after == 0) {
    faults.inverted = !faults.inverted;
    say(faults.inverted ? "its polarity turns" : "its polarity turns back");
  }
  if (faults.inverted) byte = static_cast<std::uint8_t>(~byte);
  if (faults.stuck >= 0) byte = static_cast<std::uint8_t>(faults.stuck);
  if (once.flip_answer > 0 && --once.flip_answer == 0) {
    byte = static_cast<std::uint8_t>(~byte);
    say("turns one answer");
  }
  if (once.lose_answers > 0) return --once.lose_answers, say("loses an answer");
  if (once.delay_answers > 0) {
    --once.delay_answers;
    say("delays an answer by " + std::to_string(once.answer_delay / kMillisecond) + " ms");
    queue_->after(once.answer_delay, kWorld, [this, tunnel, byte] { give_answer(tunnel, byte); });
    return;
  }
  if (once.duplicate_answers > 0) {
    --once.duplicate_answers;
    say("doubles an answer");
    queue_->after(random_.below(3) * kMillisecond, kWorld,
                  [this, tunnel, byte] { give_answer(tunnel, byte); });
  }
  give_answer(tunnel, byte);
}

void Gatekeeper::give_answer(const TunnelPtr& tunnel, std::uint8_t byte) {
  const EndPtr inner = tunnel->inner;
  if (!inner->open) return;
  ++tunnel->answers;
  tunnel->waits_since = queue_->now();
  tunnel->unasked = tunnel->unasked || tunnel->answers > tunnel->frames;
  if (!lies()) ++tunnel->true_answers;
  queue_->run_as(inner->process, [&] { inner->handler->on_bytes({&byte, 1}); });
}

std::uint64_t Gatekeeper::true_answers(ProcessId process) const {
  std::uint64_t sum = 0;
  for (const TunnelPtr& tunnel : tunnels_)
    if (tunnel->inner_open && tunnel->inner->process == process) sum += tunnel->true_answers;
  return sum;
}

void Gatekeeper::check_waiting(Nanos most) {
  for (const TunnelPtr& tunnel : tunnels_)
    if (tunnel->inner->open && tunnel->frames > tunnel->answers && queue_->now() - tunnel->waits_since > most)
      violation_("a sender waits for an answer for ever: for " +
                 std::to_string((queue_->now() - tunnel->waits_since) / kSecond) + " s already");
}

bool Gatekeeper::invent_answer(std::uint8_t value) {
  std::vector<TunnelPtr> open;
  for (const TunnelPtr& tunnel : tunnels_)
    if (tunnel->inner_open && tunnel->inner->open && tunnel->outer_open) open.push_back(tunnel);
  if (open.empty()) return false;
  const TunnelPtr tunnel = open[random_.below(open.size())];
  say("invents an answer on connection " + std::to_string(tunnel->number));
  give_answer(tunnel, value);
  return true;
}

// ---- closing

void Gatekeeper::close(const EndPtr& end, bool reset) {
  if (!end->is_inner) repetitions.closed(end->number);
  end->open = false;
  end->handler = nullptr;
  const TunnelPtr tunnel = end->tunnel.lock();
  if (!tunnel) return;
  Nanos arrives = queue_->now() + timing.delay;
  if (end->is_inner && !reset) arrives = std::max(arrives, tunnel->last_forward);
  if (!end->is_inner && faults.reset_overtakes) tunnel->outer_open = false;
  queue_->at(arrives, kWorld, [this, end] {
    if (const TunnelPtr now = end->tunnel.lock()) end->is_inner ? inner_closed(now) : outer_closed(now);
  });
}

void Gatekeeper::show_close(const EndPtr& end, const char* why) {
  if (!end || !end->open || end->silent) return;
  end->last = std::max(end->last, queue_->now());
  queue_->at(end->last, end->process, [end, why = std::string(why)] {
    if (!end->open) return;
    end->open = false;
    std::exchange(end->handler, nullptr)->on_closed(Error(ErrorCode::kClosed, why));
  });
}

void Gatekeeper::inner_closed(const TunnelPtr& tunnel) {
  if (!tunnel->inner_open) return;
  tunnel->inner_open = false;
  if (!tunnel->outer_open) return;
  if (faults.pools) return pool_.push_back(tunnel);
  if (faults.hides_closes) return say("hides a close from the receiver");
  tunnel->outer_open = false;
  show_close(tunnel->outer, "closed by the peer");
}

void Gatekeeper::outer_closed(const TunnelPtr& tunnel) {
  tunnel->outer_open = false;
  if (!tunnel->inner_open) return;
  if (faults.hides_closes) return say("hides a close from the sender");
  tunnel->inner_open = false;
  show_close(tunnel->inner, "closed by the peer");
}

void Gatekeeper::cut(const TunnelPtr& tunnel, bool reset) {
  if (tunnel->inner_open) show_close(tunnel->inner, reset ? "connection reset" : "end of stream");
  if (tunnel->outer_open) show_close(tunnel->outer, reset ? "connection reset" : "end of stream");
  tunnel->inner_open = tunnel->outer_open = false;
}

void Gatekeeper::cut_all(bool reset) {
  const auto all = tunnels_;
  for (const TunnelPtr& tunnel : all) cut(tunnel, reset);
}

void Gatekeeper::forget() {
  for (const TunnelPtr& tunnel : std::exchange(pool_, {}))
    if (tunnel->outer_open) cut(tunnel, false);
  for (const TunnelPtr& tunnel : tunnels_)
    if (tunnel->inner_open != tunnel->outer_open) cut(tunnel, true);
}

void Gatekeeper::process_died(ProcessId process, bool silent) {
  if (server_ && server_->process == process) server_.reset();
  const auto each = [&](const EndPtr& end) {
    if (!end || end->process != process) return;
    const bool was_open = std::exchange(end->open, false);
    end->handler = nullptr;
    if (silent) {
      end->silent = true;
    } else if (was_open) {
      close(end, random_.chance(1, 2));
    }
  };
  const auto all = tunnels_;
  for (const TunnelPtr& tunnel : all) each(tunnel->inner), each(tunnel->outer);
  for (const TunnelPtr& tunnel : pool_) each(tunnel->outer);
}

}  // namespace tidegate::sim
