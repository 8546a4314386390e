// SPDX-License-Identifier: Apache-2.0
#include "base/asio_loop.h"

#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <csignal>
#include <deque>
#include <map>
#include <unordered_map>

namespace tidegate {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using SteadyTime = std::chrono::steady_clock::time_point;

template <int kLevel, int kName>
using IntOption = asio::detail::socket_option::integer<kLevel, kName>;

SteadyTime to_steady(Nanos at) {
  return SteadyTime(std::chrono::nanoseconds(at));
}

std::string text_of(const tcp::endpoint& endpoint) {
  return Endpoint{endpoint.address().to_string(), endpoint.port()}.text();
}

ErrorCode code_of(const error_code& ec, bool connecting) {
  if (connecting) return ErrorCode::kUnreachable;
  if (ec == asio::error::timed_out) return ErrorCode::kTimeout;
  const bool gone = ec == asio::error::eof || ec == asio::error::connection_reset ||
                    ec == asio::error::broken_pipe || ec == asio::error::connection_aborted;
  return gone ? ErrorCode::kClosed : ErrorCode::kIo;
}

// One socket and its handler. Shared by the Connection and the operations under way; after close() the
// operations end without calling anybody.
class Socket final : public std::enable_shared_from_this<Socket> {
 public:
  Socket(asio::io_context& io, const ConnectionOptions& options)
      : socket_(io), resolver_(io), timer_(io), options_(options) {}

  void start_connect(const Endpoint& to, ConnectionHandler* handler);
  void start_accepted(tcp::socket socket, std::string peer);
  void start_reading(ConnectionHandler* handler);
  void write(Bytes bytes);
  void close(bool reset);
  const std::string& peer() const { return peer_; }

 private:
  using Endpoints = std::vector<tcp::endpoint>;
  void try_next(std::size_t index, error_code last);
  void connected();
  void read_more();
  void write_more();
  void report_progress();
  void wait_for_unsent();
  void poll_later();
  int queued_in_kernel(unsigned long request);
  void set_options();
  void drain_received();
  void fail(const error_code& ec, const std::string& action);
  bool open() const { return handler_ != nullptr; }

  static constexpr Nanos kFirstPoll = 200 * kMicrosecond;
  static constexpr Nanos kLongestPoll = 5 * kMillisecond;

  tcp::socket socket_;
  tcp::resolver resolver_;
  asio::steady_timer timer_;
  const ConnectionOptions options_;
  ConnectionHandler* handler_ = nullptr;
  std::string peer_;
  Endpoints candidates_;
  bool connected_ = false;
  bool closed_ = false;
  bool writing_ = false;
  bool polling_ = false;
  Nanos next_poll_ = kFirstPoll;
  error_code write_error_;
  std::deque<Bytes> queue_;
  // Calls to write(): given, accepted by the kernel, reported as written, reported as drained.
  std::uint64_t given_ = 0;
  std::uint64_t accepted_ = 0;
  std::uint64_t told_written_ = 0;
  std::uint64_t told_drained_ = 0;
  std::array<std::uint8_t, 64 * 1024> buffer_;
};

void Socket::start_connect(const Endpoint& to, ConnectionHandler* handler) {
  handler_ = handler;
  peer_ = to.text();
  error_code not_literal;
  const auto address = asio::ip::make_address(to.host, not_literal);
  if (!not_literal) {
    candidates_ = {tcp::endpoint(address, to.port)};
    asio::post(socket_.get_executor(), [self = shared_from_this()] { self->try_next(0, {}); });
    return;
  }
  resolver_.async_resolve(
      to.host, std::to_string(to.port),
      [self = shared_from_this()](const error_code& ec, const tcp::resolver::results_type& results) {
        if (!self->open()) return;
        if (ec) return self->fail(ec, "cannot resolve the host name");
        for (const auto& entry : results) self->candidates_.push_back(entry.endpoint());
        self->try_next(0, asio::error::host_not_found);
      });
}

// Options are set before connecting, so that the user timeout covers the handshake too.
void Socket::try_next(std::size_t index, error_code last) {
  if (!open()) return;
  if (index == candidates_.size()) return fail(last, "cannot connect");
  error_code ec;
  socket_.close(ec);
  socket_.open(candidates_[index].protocol(), ec);
  if (ec) return try_next(index + 1, ec);
  set_options();
  socket_.async_connect(candidates_[index], [self = shared_from_this(), index](const error_code& result) {
    if (!self->open()) return;
    if (result) return self->try_next(index + 1, result);
    self->peer_ = text_of(self->candidates_[index]);
    self->connected();
  });
}

void Socket::connected() {
  connected_ = true;
  handler_->on_connected();
  if (!open()) return;
  read_more();
  write_more();
}

void Socket::start_accepted(tcp::socket socket, std::string peer) {
  socket_ = std::move(socket);
  peer_ = std::move(peer);
  connected_ = true;
  set_options();
}

void Socket::start_reading(ConnectionHandler* handler) {
  if (closed_) return;
  handler_ = handler;
  read_more();
  write_more();
}

void Socket::set_options() {
  // An option the kernel does not know costs speed, not correctness, so failures are not errors.
  error_code ignored;
  socket_.set_option(tcp::no_delay(true), ignored);
  if (options_.user_timeout > 0) {
    const auto millis = static_cast<int>(std::max<Nanos>(options_.user_timeout / kMillisecond, 1));
    socket_.set_option(IntOption<IPPROTO_TCP, TCP_USER_TIMEOUT>(millis), ignored);
  }
  if (options_.unsent_low_water > 0) {
    const auto bytes = static_cast<int>(std::min<std::size_t>(options_.unsent_low_water, INT32_MAX));
    socket_.set_option(IntOption<IPPROTO_TCP, TCP_NOTSENT_LOWAT>(bytes), ignored);
  }
}

void Socket::read_more() {
  socket_.async_read_some(
      asio::buffer(buffer_), [self = shared_from_this()](const error_code& ec, std::size_t n) {
        if (!self->open()) return;
        if (ec) {
          // A failed write takes the socket's error; reading then sees only the end of the stream.
          const bool write_knows = ec == asio::error::eof && self->write_error_;
          return self->fail(write_knows ? self->write_error_ : ec, "the connection ended");
        }
        // What answers a frame must not overtake the news that the frame has left.
        self->report_progress();
        if (!self->open()) return;
        self->handler_->on_bytes(ByteView(self->buffer_).first(n));
        if (self->open()) self->read_more();
      });
}

void Socket::write(Bytes bytes) {
  if (closed_) return;
  ++given_;
  queue_.push_back(std::move(bytes));
  if (connected_ && open()) write_more();
}

void Socket::write_more() {
  if (writing_ || queue_.empty() || write_error_) return;
  writing_ = true;
  asio::async_write(socket_, asio::buffer(queue_.front()),
                    [self = shared_from_this()](const error_code& ec, std::size_t) {
                      self->writing_ = false;
                      if (!self->open()) return;
                      // The read under way reports the end, after the bytes that the peer sent before it.
                      if (ec) return static_cast<void>(self->write_error_ = ec);
                      self->queue_.pop_front();
                      ++self->accepted_;
                      self->next_poll_ = kFirstPoll;
                      if (!self->queue_.empty()) return self->write_more();
                      self->report_progress();
                    });
}

int Socket::queued_in_kernel(unsigned long request) {
  int bytes = 0;
  return ::ioctl(socket_.native_handle(), request, &bytes) == 0 ? bytes : 0;
}

void Socket::report_progress() {
  if (!open() || accepted_ != given_ || write_error_) return;
  if (told_written_ != given_) {
    const auto unsent = static_cast<std::size_t>(queued_in_kernel(SIOCOUTQNSD));
    if (options_.unsent_low_water > 0 && unsent > options_.unsent_low_water) return wait_for_unsent();
    told_written_ = given_;
    handler_->on_written();
    if (!open() || accepted_ != given_) return;
  }
  if (!options_.want_drained || told_drained_ == given_) return;
  if (queued_in_kernel(SIOCOUTQ) != 0) return poll_later();
  told_drained_ = given_;
  handler_->on_drained();
}

// TCP_NOTSENT_LOWAT makes the socket writable when little is unsent; the timer is for kernels that see it
// otherwise.
void Socket::wait_for_unsent() {
  if (polling_) return;
  polling_ = true;
  socket_.async_wait(tcp::socket::wait_write, [self = shared_from_this()](const error_code&) {
    self->polling_ = false;
    if (!self->open() || self->accepted_ != self->given_) return;
    const auto unsent = static_cast<std::size_t>(self->queued_in_kernel(SIOCOUTQNSD));
    if (unsent > self->options_.unsent_low_water) return self->poll_later();
    self->report_progress();
  });
}

void Socket::poll_later() {
  if (polling_) return;
  polling_ = true;
  timer_.expires_after(std::chrono::nanoseconds(next_poll_));
  next_poll_ = std::min(next_poll_ * 2, kLongestPoll);
  timer_.async_wait([self = shared_from_this()](const error_code& ec) {
    self->polling_ = false;
    if (!ec) self->report_progress();
  });
}

// Closing with unread bytes would make the kernel send RST.
void Socket::drain_received() {
  error_code ec;
  socket_.non_blocking(true, ec);
  for (int i = 0; i < 64 && !ec; ++i) {
    if (socket_.read_some(asio::buffer(buffer_), ec) == 0) return;
  }
}

void Socket::close(bool reset) {
  if (closed_) return;
  closed_ = true;
  handler_ = nullptr;
  error_code ignored;
  resolver_.cancel();
  timer_.cancel();
  if (!socket_.is_open()) return;
  if (reset) {
    socket_.set_option(asio::socket_base::linger(true, 0), ignored);
  } else if (connected_) {
    socket_.shutdown(tcp::socket::shutdown_send, ignored);
    drain_received();
  }
  socket_.close(ignored);
}

void Socket::fail(const error_code& ec, const std::string& action) {
  ConnectionHandler* const handler = handler_;
  const bool eof = ec == asio::error::eof;
  Error error(code_of(ec, !connected_),
              eof ? "the peer closed the connection" : action + ": " + ec.message());
  error.peer = peer_;
  close(false);
  handler->on_closed(error);
}

class AsioConnection final : public Connection {
 public:
  explicit AsioConnection(std::shared_ptr<Socket> socket) : socket_(std::move(socket)) {}
  ~AsioConnection() override { socket_->close(false); }
  void write(Bytes bytes) override { socket_->write(std::move(bytes)); }
  void close(bool reset) override { socket_->close(reset); }
  std::string peer() const override { return socket_->peer(); }

 private:
  const std::shared_ptr<Socket> socket_;
};

class Acceptor final : public std::enable_shared_from_this<Acceptor> {
 public:
  Acceptor(asio::io_context& io, const ConnectionOptions& options, Loop::Accept accept)
      : io_(io), acceptor_(io), timer_(io), options_(options), accept_(std::move(accept)) {}

  error_code open(const tcp::endpoint& at, bool both_families);
  void accept_more();
  std::uint16_t port() const {
    error_code ignored;
    return acceptor_.local_endpoint(ignored).port();
  }
  void close() {
    error_code ignored;
    acceptor_.close(ignored);
    timer_.cancel();
  }

 private:
  void accepted(tcp::socket socket);
  void accept_later();

  asio::io_context& io_;
  tcp::acceptor acceptor_;
  asio::steady_timer timer_;
  const ConnectionOptions options_;
  const Loop::Accept accept_;
};

error_code Acceptor::open(const tcp::endpoint& at, bool both_families) {
  error_code ec;
  acceptor_.open(at.protocol(), ec);
  if (!ec) acceptor_.set_option(tcp::acceptor::reuse_address(true), ec);
  if (!ec && at.protocol() == tcp::v6()) acceptor_.set_option(asio::ip::v6_only(!both_families), ec);
  if (!ec) acceptor_.bind(at, ec);
  if (!ec) acceptor_.listen(asio::socket_base::max_listen_connections, ec);
  return ec;
}

void Acceptor::accept_more() {
  acceptor_.async_accept([self = shared_from_this()](const error_code& ec, tcp::socket socket) {
    if (!self->acceptor_.is_open()) return;
    // No descriptors left, or the peer has gone already: neither may end the listening.
    if (ec) return self->accept_later();
    self->accepted(std::move(socket));
    if (self->acceptor_.is_open()) self->accept_more();
  });
}

void Acceptor::accept_later() {
  timer_.expires_after(std::chrono::milliseconds(100));
  timer_.async_wait([self = shared_from_this()](const error_code& ec) {
    if (!ec && self->acceptor_.is_open()) self->accept_more();
  });
}

void Acceptor::accepted(tcp::socket socket) {
  error_code ec;
  const tcp::endpoint peer = socket.remote_endpoint(ec);
  if (ec) return;
  const auto shared = std::make_shared<Socket>(io_, options_);
  shared->start_accepted(std::move(socket), text_of(peer));
  ConnectionHandler* const handler = accept_(std::make_unique<AsioConnection>(shared));
  if (handler == nullptr) return shared->close(false);
  shared->start_reading(handler);
}

class AsioListener final : public Listener {
 public:
  explicit AsioListener(std::shared_ptr<Acceptor> acceptor) : acceptor_(std::move(acceptor)) {}
  ~AsioListener() override { acceptor_->close(); }
  std::uint16_t port() const override { return acceptor_->port(); }

 private:
  const std::shared_ptr<Acceptor> acceptor_;
};

Error cannot_listen(const Endpoint& at, const error_code& ec) {
  return Error(ErrorCode::kIo, "cannot listen on " + at.text() + ": " + ec.message());
}

}  // namespace

struct AsioLoop::Core {
  asio::io_context io{1};
  asio::executor_work_guard<asio::io_context::executor_type> work{io.get_executor()};
  asio::signal_set signals{io};
  std::function<void(int)> signal_handler;
  asio::steady_timer timer{io};
  std::map<std::pair<Nanos, std::uint64_t>, Task> tasks;
  std::unordered_map<std::uint64_t, Nanos> times;
  std::uint64_t last_id = 0;
  std::atomic<bool> stopping = false;

  static Nanos now() {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(
               std::chrono::steady_clock::now().time_since_epoch())
        .count();
  }

  void arm() {
    if (tasks.empty()) return;
    timer.expires_at(to_steady(tasks.begin()->first.first));
    timer.async_wait([this](const error_code& ec) {
      if (!ec) run_due();
    });
  }

  // Tasks that these tasks add wait for the next round, so that sockets get their turn.
  void run_due() {
    struct Rearm {
      Core& core;
      ~Rearm() { core.arm(); }
    } const rearm{*this};  // also when a task throws
    const Nanos time = now();
    const std::uint64_t newest = last_id;
    for (auto it = tasks.begin(); it != tasks.end() && it->first.first <= time; it = tasks.begin()) {
      if (it->first.second > newest) break;
      const Task task = std::move(it->second);
      times.erase(it->first.second);
      tasks.erase(it);
      task();
    }
  }

  void wait_for_signal() {
    signals.async_wait([this](const error_code& ec, int number) {
      if (ec) return;
      wait_for_signal();
      signal_handler(number);
    });
  }
};

AsioLoop::AsioLoop() : core_(std::make_unique<Core>()) {}
AsioLoop::~AsioLoop() = default;

void AsioLoop::run() {
  while (!core_->stopping.exchange(false)) {
    core_->io.restart();
    core_->io.run();
  }
}

void AsioLoop::stop() {
  core_->stopping = true;
  asio::post(core_->io, [core = core_.get()] { core->io.stop(); });
}

void AsioLoop::on_signal(std::function<void(int)> handler) {
  core_->signal_handler = std::move(handler);
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) core_->signals.add(number);
  core_->signals.cancel();
  core_->wait_for_signal();
}

boost::asio::io_context& AsioLoop::context() {
  return core_->io;
}

Nanos AsioLoop::now() {
  return Core::now();
}

std::uint64_t AsioLoop::call_at(Nanos at, Task task) {
  const std::uint64_t id = ++core_->last_id;
  const auto [it, added] = core_->tasks.emplace(std::pair(at, id), std::move(task));
  core_->times[id] = at;
  if (it == core_->tasks.begin()) core_->arm();
  return id;
}

void AsioLoop::cancel(std::uint64_t id) {
  const auto it = core_->times.find(id);
  if (it == core_->times.end()) return;
  core_->tasks.erase({it->second, id});
  core_->times.erase(it);
}

void AsioLoop::post(Task task) {
  asio::post(core_->io, std::move(task));
}

std::unique_ptr<Connection> AsioLoop::connect(const Endpoint& to, const ConnectionOptions& options,
                                              ConnectionHandler* handler) {
  const auto socket = std::make_shared<Socket>(core_->io, options);
  socket->start_connect(to, handler);
  return std::make_unique<AsioConnection>(socket);
}

Result<std::unique_ptr<Listener>> AsioLoop::listen(const Endpoint& at, const ConnectionOptions& options,
                                                   Accept accept) {
  const bool everywhere = at.host.empty() || at.host == "*";
  error_code ec;
  tcp::endpoint endpoint(tcp::v6(), at.port);
  if (!everywhere) {
    tcp::resolver resolver(core_->io);
    const auto found = resolver.resolve(at.host, std::to_string(at.port), tcp::resolver::passive, ec);
    if (ec || found.empty()) return cannot_listen(at, ec ? ec : error_code(asio::error::host_not_found));
    endpoint = found.begin()->endpoint();
  }
  const auto acceptor = std::make_shared<Acceptor>(core_->io, options, std::move(accept));
  ec = acceptor->open(endpoint, everywhere);
  if (ec == asio::error::address_family_not_supported && everywhere) {
    acceptor->close();
    ec = acceptor->open(tcp::endpoint(tcp::v4(), at.port), false);
  }
  if (ec) return cannot_listen(at, ec);
  acceptor->accept_more();
  return std::unique_ptr<Listener>(std::make_unique<AsioListener>(acceptor));
}

}  // namespace tidegate
