// SPDX-License-Identifier: Apache-2.0
#include "hw/emulator_loop.h"

#include <fmt/core.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>

namespace tidegate {
namespace {

constexpr std::uint64_t kTimerKey = 0;
constexpr std::uint64_t kWakeUpKey = 1;
constexpr std::uint64_t kListenerKey = 2;
constexpr std::uint64_t kCaptureKey = 3;
// With a rate the inner side gets segments of Ethernet size: loopback's 64 KiB do not fit its small receive
// buffer.
constexpr int kPacedSegment = 1448;

Status check_probability(const char* name, double value) {
  if (value >= 0 && value <= 1) return {};
  return make_error(ErrorCode::kInvalidArgument,
                    fmt::format("{} is {}, it must be within 0 and 1", name, value));
}

Status check_options(const GatekeeperOptions& options) {
  if (options.profile.answer_ok == options.profile.answer_fail) {
    return make_error(ErrorCode::kInvalidArgument, "both answer values of the profile are equal");
  }
  TG_CHECK(check_probability("lose-answers", options.faults.lose_answers));
  TG_CHECK(check_probability("duplicate-answers", options.faults.duplicate_answers));
  return check_probability("stray", options.faults.stray);
}

}  // namespace

Nanos monotonic_now() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

std::int64_t Device::wall_micros() {
  return std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

Result<std::unique_ptr<EmulatorLoop>> EmulatorLoop::open(GatekeeperOptions options) {
  TG_CHECK(check_options(options));
  std::unique_ptr<EmulatorLoop> loop(new EmulatorLoop(std::move(options)));
  TG_CHECK(loop->set_up());
  return loop;
}

Status EmulatorLoop::add(int fd, std::uint64_t key, std::uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = key;
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) return io_error("epoll refuses a descriptor");
  return {};
}

Status EmulatorLoop::set_up() {
  const GatekeeperOptions& options = device_.options;
  TG_TRY(outer_address_, resolve(options.outer, false));
  TG_TRY(const SocketAddress inner, resolve(options.inner, true));
  TG_TRY(listener_, listen_tcp(inner));
  port_ = local_address(listener_.get()).port();
  if (options.profile.rate != 0) {
    setsockopt(listener_.get(), IPPROTO_TCP, TCP_MAXSEG, &kPacedSegment, sizeof(kPacedSegment));
  }
  epoll_ = Fd(epoll_create1(EPOLL_CLOEXEC));
  timer_ = Fd(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
  wake_up_ = Fd(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  if (!epoll_ || !timer_ || !wake_up_) return io_error("the event loop cannot be made");
  TG_CHECK(add(timer_.get(), kTimerKey, EPOLLIN | EPOLLET));
  TG_CHECK(add(wake_up_.get(), kWakeUpKey, EPOLLIN | EPOLLET));
  TG_CHECK(add(listener_.get(), kListenerKey, EPOLLIN | EPOLLET));
  if (options.capture_interface.empty()) return {};
  TG_TRY(SegmentCapture capture, SegmentCapture::open(options.capture_interface, outer_address_.port()));
  capture_ = std::make_unique<SegmentCapture>(std::move(capture));
  return add(capture_->fd(), kCaptureKey, EPOLLIN);
}

void EmulatorLoop::run() {
  while (!stopping_) {
    wait(next_wake());
    run_tasks();
    pump_all();
    accept_all();
  }
  for (Slot& slot : tunnels_) slot.tunnel->cut();
  tunnels_.clear();
  const std::lock_guard lock(mutex_);
  ended_ = true;
  for (Waiting& waiting : waiting_) waiting.answer.set_value({});
  waiting_.clear();
}

// `until` at or before the present: looks for events without waiting.
void EmulatorLoop::wait(Nanos until) {
  const bool at_once = until <= device_.now;
  if (!at_once && until != armed_for_) {
    itimerspec spec{};
    if (until != kNever) spec.it_value = {until / kSecond, until % kSecond};
    timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &spec, nullptr);
    armed_for_ = until;
  }
  std::array<epoll_event, 64> events;
  const int count = epoll_wait(epoll_.get(), events.data(), events.size(), at_once ? 0 : -1);
  device_.now = monotonic_now();
  for (int i = 0; i < count; ++i) on_event(events[i].data.u64, events[i].events);
}

void EmulatorLoop::on_event(std::uint64_t key, std::uint32_t events) {
  switch (key) {
    case kTimerKey:
      armed_for_ = kNever;
      return;
    case kWakeUpKey:
      return;
    case kListenerKey:
      accept_ready_ = true;
      return;
    case kCaptureKey:
      return read_capture();
    default:
      break;
  }
  for (Slot& slot : tunnels_) {
    if (slot.key == key / 2) return slot.tunnel->on_event(key % 2 == 1, events);
  }
}

std::string EmulatorLoop::run_in_loop(Task task) {
  std::future<std::string> answer;
  {
    const std::lock_guard lock(mutex_);
    if (ended_) return {};
    waiting_.push_back({std::move(task), {}});
    answer = waiting_.back().answer.get_future();
  }
  const std::uint64_t one = 1;
  (void)!write(wake_up_.get(), &one, sizeof(one));
  return answer.get();
}

void EmulatorLoop::shut_down() {
  run_in_loop([](EmulatorLoop& loop) {
    loop.stop();
    return std::string();
  });
}

void EmulatorLoop::run_tasks() {
  std::uint64_t count;
  (void)!read(wake_up_.get(), &count, sizeof(count));
  while (true) {
    Waiting next;
    {
      const std::lock_guard lock(mutex_);
      if (waiting_.empty()) return;
      next = std::move(waiting_.front());
      waiting_.pop_front();
    }
    next.answer.set_value(next.task(*this));
  }
}

void EmulatorLoop::accept_all() {
  while (accept_ready_ && !device_.blocked()) {
    SocketAddress from;
    Fd inner(accept4(listener_.get(), from.get(), &from.size, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (inner) {
      accept_one(std::move(inner), from);
    } else if (errno != EINTR && errno != ECONNABORTED) {
      accept_ready_ = false;
    }
  }
}

void EmulatorLoop::accept_one(Fd inner, const SocketAddress& from) {
  const std::uint64_t number = device_.stats.connections + device_.stats.connections_refused + 1;
  if (!may_connect(number, from)) {
    ++device_.stats.connections_refused;
    inner.reset_connection();
    return;
  }
  ++device_.stats.connections;
  tunnel_for_new_connection().attach(std::move(inner), from.text(), number);
}

bool EmulatorLoop::may_connect(std::uint64_t number, const SocketAddress& from) {
  const Profile& profile = device_.profile();
  const auto open =
      std::count_if(tunnels_.begin(), tunnels_.end(), [](const Slot& s) { return s.tunnel->serves_inner(); });
  if (profile.lanes_max != 0 && open >= profile.lanes_max) {
    device_.violation(ViolationKind::kTooManyConnections, number, from.text(),
                      fmt::format("{} are open", open));
    return false;
  }
  if (profile.reconnect_min_interval == 0 || profile.lanes_max == 0) return true;
  while (!arrivals_.empty() && arrivals_.front().at + profile.reconnect_min_interval <= device_.now) {
    arrivals_.pop_front();
  }
  const std::string host = from.host();
  const auto recent =
      std::count_if(arrivals_.begin(), arrivals_.end(), [&](const Arrival& a) { return a.host == host; });
  arrivals_.push_back({device_.now, host});
  if (recent < profile.lanes_max) return true;
  device_.violation(ViolationKind::kReconnect, number, from.text(),
                    fmt::format("{} connections within {} ms, {} are allowed", recent + 1,
                                profile.reconnect_min_interval / kMillisecond, profile.lanes_max));
  return false;
}

Tunnel& EmulatorLoop::tunnel_for_new_connection() {
  for (Slot& slot : tunnels_) {
    if (!slot.tunnel->free_for_reuse()) continue;
    ++device_.stats.pool_reuses;
    return *slot.tunnel;
  }
  const std::uint64_t key = next_key_++;
  tunnels_.push_back({key, std::make_unique<Tunnel>(device_, epoll_.get(), key, outer_address_)});
  return *tunnels_.back().tunnel;
}

void EmulatorLoop::pump_all() {
  const std::size_t count = tunnels_.size();
  bool link_wanted = false;
  for (std::size_t i = 0; i < count; ++i) {
    Tunnel& tunnel = *tunnels_[(first_ + i) % count].tunnel;
    tunnel.pump();
    link_wanted = link_wanted || tunnel.waits_for_link();
  }
  if (!link_wanted) device_.link.idle();
  first_ = count == 0 ? 0 : (first_ + 1) % count;
  std::erase_if(tunnels_, [](const Slot& slot) { return slot.tunnel->dead(); });
  device_.stats.connections_open =
      std::count_if(tunnels_.begin(), tunnels_.end(), [](const Slot& s) { return s.tunnel->serves_inner(); });
}

Nanos EmulatorLoop::next_wake() const {
  if (stopping_) return 0;
  if (device_.blocked()) return device_.blocked_until;
  if (accept_ready_) return 0;
  Nanos wake = kNever;
  for (const Slot& slot : tunnels_) {
    if (slot.tunnel->has_more()) return 0;
    wake = std::min(wake, slot.tunnel->next_wake());
  }
  return wake;
}

void EmulatorLoop::read_capture() {
  capture_->read([this](const std::string& peer, std::size_t bytes) {
    if (bytes <= 1 || !device_.profile().one_byte_per_segment || peer != outer_address_.text()) return;
    device_.violation(ViolationKind::kMultiByteCaptured, 0, peer,
                      fmt::format("{} bytes in one segment", bytes));
  });
}

std::size_t EmulatorLoop::cut_all() {
  for (Slot& slot : tunnels_) slot.tunnel->cut();
  return tunnels_.size();
}

std::size_t EmulatorLoop::make_up_answers(std::uint8_t value) {
  for (Slot& slot : tunnels_) slot.tunnel->make_up_answer(value);
  return tunnels_.size();
}

}  // namespace tidegate
