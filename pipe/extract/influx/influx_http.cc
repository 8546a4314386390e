// SPDX-License-Identifier: Apache-2.0
#include "pipe/extract/influx/influx_http.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <condition_variable>
#include <mutex>
#include <set>
#include <thread>

#include "base/log.h"
#include "pipe/extract/influx/http_session.h"

namespace tidegate {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

struct InfluxHttpSource::Core final : HttpShared {
  Core(Env e, InfluxHttpOptions o, Ingest* ingest, Health h, const std::vector<Hash128>& stored)
      : HttpShared(e, std::move(o), ingest, std::move(h), stored),
        io(static_cast<int>(options.threads)),
        acceptor(asio::make_strand(io)) {}

  Status listen();
  void accept();
  void on_accepted(error_code error, tcp::socket socket);
  void remove(const std::shared_ptr<HttpSession>& session) override;
  std::vector<std::shared_ptr<HttpSession>> live() const;

  std::shared_ptr<Core> self;  // until stop()

  asio::io_context io;
  tcp::acceptor acceptor;
  std::uint16_t port = 0;
  std::vector<std::jthread> threads;
  RepeatedLog accept_trouble{LogLevel::kWarning, "influx-http"};

  mutable std::mutex mutex;
  std::condition_variable empty;
  std::set<std::shared_ptr<HttpSession>> sessions;
};

Status InfluxHttpSource::Core::listen() {
  const auto failed = [&](const error_code& error, ErrorCode code) {
    return make_error(code, "cannot listen on " + options.listen.text() + ": " + error.message());
  };
  error_code error;
  tcp::resolver resolver(io);
  const auto found = resolver.resolve(options.listen.host, std::to_string(options.listen.port),
                                      tcp::resolver::passive, error);
  if (error) return failed(error, ErrorCode::kUnreachable);
  const tcp::endpoint at = found.begin()->endpoint();
  acceptor.open(at.protocol(), error);
  if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor.bind(at, error);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error) return failed(error, ErrorCode::kIo);
  port = acceptor.local_endpoint().port();
  return {};
}

void InfluxHttpSource::Core::accept() {
  acceptor.async_accept(asio::make_strand(io), [this](error_code error, tcp::socket socket) {
    on_accepted(error, std::move(socket));
  });
}

void InfluxHttpSource::Core::on_accepted(error_code error, tcp::socket socket) {
  if (stopping || error == asio::error::operation_aborted) return;
  if (error) {
    // Out of descriptors, most likely: try again soon, not at once.
    accept_trouble.log(env.clock->now(), "cannot accept a connection: " + error.message());
    auto pause =
        std::make_shared<asio::steady_timer>(acceptor.get_executor(), std::chrono::milliseconds(100));
    return pause->async_wait([this, pause](error_code) {
      if (!stopping) accept();
    });
  }
  error_code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  const bool v6 = acceptor.local_endpoint(ignored).address().is_v6();
  const int fd = socket.release(ignored);
  if (ignored) return accept();
  auto session = HttpSession::make(self, io, fd, v6);
  ++uses.counts->accepted;
  bool room = false;
  {
    const std::lock_guard lock(mutex);
    room = sessions.size() < options.max_connections;
    sessions.insert(session);
    uses.counts->connections = sessions.size();
  }
  if (room)
    session->start();
  else
    session->start_refused();
  accept();
}

void InfluxHttpSource::Core::remove(const std::shared_ptr<HttpSession>& session) {
  const std::lock_guard lock(mutex);
  sessions.erase(session);
  uses.counts->connections = sessions.size();
  if (sessions.empty()) empty.notify_all();
}

std::vector<std::shared_ptr<HttpSession>> InfluxHttpSource::Core::live() const {
  const std::lock_guard lock(mutex);
  return {sessions.begin(), sessions.end()};
}

InfluxHttpSource::InfluxHttpSource(std::shared_ptr<Core> core) : core_(std::move(core)) {}

InfluxHttpSource::~InfluxHttpSource() {
  stop(0);
}

Result<std::unique_ptr<InfluxHttpSource>> InfluxHttpSource::start(Env env, InfluxHttpOptions options,
                                                                  Ingest* ingest, Health health,
                                                                  const std::vector<Hash128>& stored) {
  TG_CHECK(check(options));
  auto core = std::make_shared<Core>(env, std::move(options), ingest, std::move(health), stored);
  TG_CHECK(core->listen());
  core->self = core;
  core->accept();
  for (unsigned i = 0; i < core->options.threads; ++i)
    core->threads.emplace_back([io = &core->io] { io->run(); });
  return std::unique_ptr<InfluxHttpSource>(new InfluxHttpSource(std::move(core)));
}

bool InfluxHttpSource::stop(Nanos limit) {
  Core& core = *core_;
  if (core.threads.empty()) return true;
  core.stopping = true;
  asio::post(core.acceptor.get_executor(), [&core] {
    error_code ignored;
    core.acceptor.close(ignored);
  });
  for (const auto& session : core.live()) session->stop_soon();
  bool all = false;
  {
    std::unique_lock lock(core.mutex);
    all = core.empty.wait_for(lock, std::chrono::nanoseconds(limit), [&] { return core.sessions.empty(); });
  }
  for (const auto& session : core.live()) session->stop_now();
  core.threads.clear();  // each ends when nothing is left to wait for
  core.self.reset();
  return all;
}

std::uint16_t InfluxHttpSource::port() const {
  return core_->port;
}

InfluxHttpCounters InfluxHttpSource::counters() const {
  InfluxHttpCounters out = core_->uses.counts->snapshot();
  out.body_bytes_held = core_->budget.used();
  return out;
}

}  // namespace tidegate
