// SPDX-License-Identifier: Apache-2.0
// The only file that knows Boost.Beast. What a request means is in decision.h, what is done with it in
// write_job.h; here are sockets, timers and the order of things on one connection.
#include "pipe/extract/influx/influx_http.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <condition_variable>
#include <mutex>
#include <set>
#include <thread>

#include "base/log.h"
#include "base/memory_budget.h"
#include "pipe/extract/influx/repeats.h"
#include "pipe/extract/influx/write_job.h"

namespace tidegate {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;

constexpr std::size_t kPieceBytes = 64 << 10;     // read from a body at once
constexpr std::uint64_t kDrainBytes = 256 << 10;  // of an unwanted body, to keep the connection
constexpr Nanos kLingerTime = 2 * kSecond;        // for the client to read an answer that closes
constexpr Nanos kFateTime = 500 * kMillisecond;   // for its TCP to acknowledge an answer
constexpr Nanos kFateStep = 5 * kMillisecond;
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

std::chrono::nanoseconds chrono(Nanos span) {
  return std::chrono::nanoseconds(span);
}

std::optional<std::string_view> header(const http::fields& fields, std::string_view name) {
  const auto it = fields.find(beast::string_view(name.data(), name.size()));
  if (it == fields.end()) return std::nullopt;
  return std::string_view(it->value().data(), it->value().size());
}

}  // namespace

class HttpSession;

struct InfluxHttpSource::Core {
  Core(Env e, InfluxHttpOptions o, Ingest* ingest, Health h)
      : env(e),
        options(std::move(o)),
        credentials(options),
        health(std::move(h)),
        budget(options.memory),
        repeats(options.idempotency_keys, options.idempotency_age),
        uses{e, ingest, std::make_shared<InfluxHttpCounts>(), std::make_shared<RowsPool>(), options.source},
        io(static_cast<int>(options.threads)),
        acceptor(asio::make_strand(io)) {}

  Status listen();
  void accept();
  void on_accepted(error_code error, tcp::socket socket);
  void remove(const std::shared_ptr<HttpSession>& session);
  std::vector<std::shared_ptr<HttpSession>> live() const;

  const Env env;
  const InfluxHttpOptions options;
  const Credentials credentials;
  const Health health;
  MemoryBudget budget;
  Repeats repeats;
  const WriteJob::Uses uses;
  std::atomic<bool> stopping{false};
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

// One connection. Everything runs in its strand. One request at a time, so answers keep the order of
// requests.
//
//   kIdle     --first byte--> kHeader --head decided--> kBody --all there--> kWorking --reply--> kAnswering
//   kAnswering --keep-alive--> kIdle;  else kLingering: reads and drops until the client closes or
//   kLingerTime any state --error, timeout--> closed (kWorking: only when the work is done, so that its
//   outcome is known)
class HttpSession : public std::enable_shared_from_this<HttpSession> {
 public:
  using Core = InfluxHttpSource::Core;
  HttpSession(std::shared_ptr<Core> core, tcp::socket socket)
      : core_(std::move(core)), stream_(std::move(socket)), timer_(stream_.get_executor()) {}

  void start() {
    asio::dispatch(stream_.get_executor(), [self = shared_from_this()] { self->wait_request(); });
  }
  // One connection too many.
  void start_refused() {
    asio::dispatch(stream_.get_executor(), [self = shared_from_this()] {
      self->keep_alive_ = false;
      self->answer(unavailable_reply(influx::Api::kV2, "too many connections", 1));
    });
  }
  void stop_soon() {
    asio::dispatch(stream_.get_executor(), [self = shared_from_this()] {
      if (self->state_ == State::kIdle) self->close();
    });
  }
  void stop_now() {
    asio::dispatch(stream_.get_executor(), [self = shared_from_this()] { self->close(); });
  }

 private:
  enum class State : std::uint8_t {
    kIdle,
    kHeader,
    kBody,
    kDraining,
    kWorking,
    kAnswering,
    kLingering,
    kClosed
  };
  using Parser = http::request_parser<http::buffer_body>;

  // A handler that keeps the session alive and does nothing once it is closed.
  template <class F>
  auto guarded(F f) {
    return [self = shared_from_this(), f = std::move(f)](auto&&... args) mutable {
      if (self->state_ != State::kClosed) f(std::forward<decltype(args)>(args)...);
    };
  }

  void wait_request();
  void read_header();
  void on_header(error_code error);
  void begin_body(WriteRequest request);
  void read_body();
  void on_body_piece(error_code error);
  void reject(HttpReply reply);
  void refuse_body(const Status& status);
  void drain_body();
  bool too_slow() const;
  void on_read_error(error_code error);

  void on_body_end();
  Repeats::Waiter waiter();
  void on_first_outcome(const std::optional<HttpReply>& reply);
  void begin_job();
  void run_job();
  void watch_peer();
  void on_peer_readable(error_code error);
  void on_peer_gone();
  void conclude_job();

  void answer(HttpReply reply);
  void on_answered(error_code error);
  void watch_fate(Nanos until);
  void settle(bool delivered);
  void next_request();
  void linger();
  void close();
  void count(int status);
  Nanos now() const { return core_->env.clock->now(); }

  std::shared_ptr<Core> core_;
  beast::tcp_stream stream_;
  asio::steady_timer timer_;
  beast::flat_buffer buffer_;
  std::optional<Parser> parser_;
  State state_ = State::kIdle;
  bool keep_alive_ = true;
  bool head_only_ = false;
  bool peer_closed_ = false;  // it sent FIN or RST while its request was worked on

  std::unique_ptr<char[]> piece_;
  std::optional<BodyReader> body_;
  std::optional<WriteRequest> request_;
  Nanos body_began_ = 0;
  Hash128 identity_;        // of target, sender and body
  bool holds_key_ = false;  // key_finished() is owed
  bool orphaned_ = false;   // repeats know that the client is gone
  bool repeated_ = false;   // the answer is that of an earlier request
  std::shared_ptr<WriteJob> job_;
  HttpReply reply_;
  std::string out_;
};

// ---- reading a request
// ---------------------------------------------------------------------------------------------

void HttpSession::wait_request() {
  state_ = State::kIdle;
  parser_.reset();
  request_.reset();
  body_.reset();
  job_.reset();
  holds_key_ = orphaned_ = repeated_ = peer_closed_ = head_only_ = false;
  if (core_->stopping) return close();
  if (buffer_.size() > 0) return read_header();
  stream_.expires_after(chrono(core_->options.idle_timeout));
  stream_.async_read_some(buffer_.prepare(4096), guarded([this](error_code error, std::size_t size) {
                            buffer_.commit(size);
                            if (error) return close();
                            read_header();
                          }));
}

void HttpSession::read_header() {
  state_ = State::kHeader;
  parser_.emplace();
  parser_->header_limit(static_cast<std::uint32_t>(core_->options.max_header));
  parser_->body_limit(boost::none);  // BodyReader has the limits
  stream_.expires_after(chrono(core_->options.header_timeout));
  http::async_read_header(stream_, buffer_, *parser_,
                          guarded([this](error_code error, std::size_t) { on_header(error); }));
}

void HttpSession::on_read_error(error_code error) {
  keep_alive_ = false;
  if (error == beast::error::timeout) {
    ++core_->uses.counts->timed_out;
    return close();
  }
  if (error == http::error::header_limit)
    return answer(
        error_reply(influx::Api::kV2, 431,
                    "the headers are larger than " + std::to_string(core_->options.max_header) + " bytes"));
  const bool malformed = error.category() == make_error_code(http::error::bad_method).category() &&
                         error != http::error::end_of_stream && error != http::error::partial_message;
  if (malformed)
    return answer(error_reply(influx::Api::kV2, 400, "not a valid HTTP/1.1 request: " + error.message()));
  close();
}

void HttpSession::on_header(error_code error) {
  if (error) return on_read_error(error);
  const auto& message = parser_->get();
  keep_alive_ = parser_->keep_alive();
  RequestHead head;
  head.method = {message.method_string().data(), message.method_string().size()};
  head.target = {message.target().data(), message.target().size()};
  head.authorization = header(message, "Authorization");
  head.content_encoding = header(message, "Content-Encoding");
  head.idempotency_key = header(message, "Idempotency-Key");
  head.expect = header(message, "Expect");
  if (const auto length = parser_->content_length()) head.content_length = *length;
  head_only_ = head.method == "HEAD";

  Decision decision = decide(core_->options, core_->credentials, head);
  if (std::holds_alternative<HealthRequest>(decision))
    decision = health_reply(core_->health ? core_->health() : Status(), core_->options.version);
  if (auto* reply = std::get_if<HttpReply>(&decision)) return reject(std::move(*reply));
  begin_body(std::get<WriteRequest>(std::move(decision)));
}

void HttpSession::begin_body(WriteRequest request) {
  state_ = State::kBody;
  request_ = std::move(request);
  body_.emplace(&core_->budget, BodyReader::Limits{core_->options.max_body, core_->options.max_decompressed},
                request_->gzip);
  body_began_ = now();
  if (!request_->expects_continue || parser_->is_done()) return read_body();
  stream_.expires_after(chrono(core_->options.body_timeout));
  asio::async_write(stream_, asio::buffer(kContinue.data(), kContinue.size()),
                    guarded([this](error_code error, std::size_t) { error ? close() : read_body(); }));
}

void HttpSession::read_body() {
  if (parser_->is_done()) return on_body_end();
  if (!piece_) piece_ = std::make_unique_for_overwrite<char[]>(kPieceBytes);
  parser_->get().body().data = piece_.get();
  parser_->get().body().size = kPieceBytes;
  parser_->get().body().more = true;
  stream_.expires_after(chrono(core_->options.body_timeout));
  http::async_read(stream_, buffer_, *parser_,
                   guarded([this](error_code error, std::size_t) { on_body_piece(error); }));
}

void HttpSession::on_body_piece(error_code error) {
  const std::size_t size = kPieceBytes - parser_->get().body().size;
  if (error && error != http::error::need_buffer) return on_read_error(error);
  if (state_ == State::kDraining) {
    if (now() - body_began_ < 2 * core_->options.body_timeout) return drain_body();
    keep_alive_ = false;
    return answer(std::move(reply_));
  }
  core_->uses.counts->body_bytes += size;
  if (const Status status = body_->add({piece_.get(), size}); !status.ok()) return refuse_body(status);
  if (too_slow()) {
    ++core_->uses.counts->timed_out;
    keep_alive_ = false;
    return answer(error_reply(
        request_->api, 408,
        "the body comes slower than " + std::to_string(core_->options.body_rate) + " bytes per second"));
  }
  read_body();
}

// On average since the body began, after a grace of body_timeout.
bool HttpSession::too_slow() const {
  const Nanos grace = core_->options.body_timeout;
  const double spent = static_cast<double>(now() - body_began_ - grace) / static_cast<double>(kSecond);
  return spent > 0 &&
         static_cast<double>(body_->sent()) < spent * static_cast<double>(core_->options.body_rate);
}

void HttpSession::refuse_body(const Status& status) {
  const influx::Api api = request_->api;
  body_.reset();
  switch (status.error().code) {
    case ErrorCode::kTooLarge:
      return reject(too_large_reply(api));
    case ErrorCode::kOutOfMemoryBudget:
      return reject(unavailable_reply(api, status.error().text(), 1));
    default:
      return reject(error_reply(api, 400, status.error().detail));
  }
}

// An answer that needs no body. What is still to come of one is read and dropped where that is little, so
// that the connection can be used again.
void HttpSession::reject(HttpReply reply) {
  const bool waits = header(parser_->get(), "Expect").has_value() && state_ == State::kHeader;
  const auto rest = parser_->content_length_remaining();
  const bool little = parser_->is_done() || (rest && *rest <= kDrainBytes && !waits);
  if (!little) {
    keep_alive_ = false;
    return answer(std::move(reply));
  }
  reply_ = std::move(reply);
  state_ = State::kDraining;
  body_began_ = now();
  drain_body();
}

void HttpSession::drain_body() {
  if (parser_->is_done()) return answer(std::move(reply_));
  read_body();
}

// ---- working on it
// -------------------------------------------------------------------------------------------------

void HttpSession::on_body_end() {
  if (state_ == State::kDraining) return answer(std::move(reply_));
  if (const Status status = body_->finish(); !status.ok()) return refuse_body(status);
  state_ = State::kWorking;
  stream_.expires_never();
  std::string content =
      request_->target + '\n' + request_->credential + '\n' + (request_->gzip ? "gzip\n" : "\n");
  const Hash128 body = body_->hash();
  content.append(reinterpret_cast<const char*>(body.bytes.data()), body.bytes.size());
  identity_ = xxh3_128({reinterpret_cast<const std::uint8_t*>(content.data()), content.size()});

  const std::string& key = request_->idempotency_key;
  Repeats::Found found =
      key.empty() ? core_->repeats.begin_content(identity_, now(), waiter())
                  : core_->repeats.begin_key(request_->credential, key, identity_, now(), waiter());
  holds_key_ = !key.empty() && found.verdict == Repeats::Verdict::kNew;
  switch (found.verdict) {
    case Repeats::Verdict::kNew:
      return begin_job();
    case Repeats::Verdict::kRepeated:
      return on_first_outcome(std::move(found.reply));
    case Repeats::Verdict::kOtherContent:
      return answer(error_reply(request_->api, 422,
                                "the Idempotency-Key was used for another request: a key belongs "
                                "to one target and one body"));
    case Repeats::Verdict::kWait:
      return;
  }
}

// May be called from another thread, and after the source is gone.
Repeats::Waiter HttpSession::waiter() {
  return [weak = weak_from_this()](const std::optional<HttpReply>& reply) {
    const auto self = weak.lock();
    if (!self) return;
    asio::post(self->stream_.get_executor(), [weak, reply] {
      const auto later = weak.lock();
      if (later && later->state_ == State::kWorking) later->on_first_outcome(reply);
    });
  };
}

void HttpSession::on_first_outcome(const std::optional<HttpReply>& reply) {
  if (!reply) return begin_job();
  repeated_ = true;
  body_.reset();
  ++core_->uses.counts->repeated;
  answer(*reply);
}

void HttpSession::begin_job() {
  job_ = std::make_shared<WriteJob>(core_->uses, *request_, *std::move(body_), [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self) return;
    asio::post(self->stream_.get_executor(), [weak] {
      if (const auto later = weak.lock()) later->run_job();
    });
  });
  body_.reset();
  watch_peer();
  run_job();
}

void HttpSession::run_job() {
  if (state_ != State::kWorking || !job_) return;
  switch (job_->run()) {
    case WriteJob::Progress::kFinished:
      return conclude_job();
    case WriteJob::Progress::kWaiting:
      if (peer_closed_) on_peer_gone();
      return;
    case WriteJob::Progress::kLater:
      timer_.expires_after(chrono(WriteJob::kRetryDelay));
      return timer_.async_wait(guarded([this](error_code) { run_job(); }));
  }
}

// Sees a client that leaves before its answer is there.
void HttpSession::watch_peer() {
  stream_.socket().async_wait(tcp::socket::wait_read,
                              guarded([this](error_code error) { on_peer_readable(error); }));
}

void HttpSession::on_peer_readable(error_code error) {
  if (error || state_ != State::kWorking) return;
  char byte = 0;
  const ssize_t got = ::recv(stream_.socket().native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  if (got > 0) return;  // the next request
  peer_closed_ = true;
  on_peer_gone();
}

// The same request may come on another connection before this one is stored.
void HttpSession::on_peer_gone() {
  if (orphaned_ || !request_->idempotency_key.empty() || !job_->all_timed()) return;
  orphaned_ = true;
  core_->repeats.orphaned(identity_, now());
}

void HttpSession::conclude_job() {
  error_code ignored;
  stream_.socket().cancel(ignored);
  const HttpReply& reply = job_->reply();
  if (holds_key_)
    core_->repeats.key_finished(request_->credential, request_->idempotency_key, reply, job_->is_final(),
                                now());
  answer(reply);
}

// ---- answering
// -----------------------------------------------------------------------------------------------------

void HttpSession::count(int status) {
  InfluxHttpCounts& counts = *core_->uses.counts;
  ++counts.requests;
  if (status == 503)
    ++counts.unavailable;
  else if (status == 401)
    ++counts.unauthorized;
  else if (status == 204 && job_)
    ++counts.stored;
  else if (status >= 400 && status < 500)
    ++counts.refused;
}

void HttpSession::answer(HttpReply reply) {
  state_ = State::kAnswering;
  reply_ = std::move(reply);
  count(reply_.status);
  if (core_->stopping) keep_alive_ = false;
  RenderOptions options;
  options.version = parser_ ? parser_->get().version() : 11;
  options.keep_alive = keep_alive_;
  options.head = head_only_;
  options.wall_micros = core_->env.clock->wall_micros();
  options.server_version = core_->options.version;
  out_ = render(reply_, options);
  stream_.expires_after(chrono(core_->options.body_timeout));
  asio::async_write(stream_, asio::buffer(out_),
                    guarded([this](error_code error, std::size_t) { on_answered(error); }));
}

void HttpSession::on_answered(error_code error) {
  if (error) {
    settle(false);
    return close();
  }
  // After a FIN a successful write says little: the client may still be reading, or be gone.
  if (peer_closed_) return watch_fate(now() + kFateTime);
  settle(true);
  next_request();
}

// Delivered is what the client's TCP has acknowledged. One that is gone answers with RST.
void HttpSession::watch_fate(Nanos until) {
  const int fd = stream_.socket().native_handle();
  int trouble = 0, queued = 0;
  socklen_t size = sizeof trouble;
  ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &trouble, &size);
  const bool known = ::ioctl(fd, SIOCOUTQ, &queued) == 0;
  if (trouble == 0 && known && queued > 0 && now() < until) {
    timer_.expires_after(chrono(kFateStep));
    return timer_.async_wait(guarded([this, until](error_code) { watch_fate(until); }));
  }
  settle(trouble == 0 && known && queued == 0);
  close();
}

// Remembers, or forgets, that the answer is still owed to whoever sends the same again.
void HttpSession::settle(bool delivered) {
  if (!request_ || !request_->idempotency_key.empty()) return;
  const bool stored = reply_.status == 204 && (repeated_ || (job_ && job_->all_timed()));
  if (stored && !delivered) {
    ++core_->uses.counts->unanswered;
    core_->repeats.undelivered(identity_, reply_, now());
  } else if (orphaned_ || repeated_) {
    core_->repeats.forget(identity_);
  }
  orphaned_ = repeated_ = false;
}

void HttpSession::next_request() {
  if (keep_alive_) return wait_request();
  linger();
}

// Closing with unread bytes sends RST, which can take the answer from the client. So: FIN, then read what
// comes.
void HttpSession::linger() {
  if (state_ != State::kLingering) {
    state_ = State::kLingering;
    parser_.reset();
    error_code ignored;
    stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
    stream_.expires_after(chrono(kLingerTime));
  }
  buffer_.clear();
  stream_.async_read_some(buffer_.prepare(16 << 10),
                          guarded([this](error_code error, std::size_t) { error ? close() : linger(); }));
}

void HttpSession::close() {
  if (state_ == State::kClosed) return;
  const bool owes = state_ == State::kWorking || state_ == State::kAnswering;
  if (owes && holds_key_ && state_ == State::kWorking)
    core_->repeats.key_finished(request_->credential, request_->idempotency_key,
                                unavailable_reply(request_->api, "the daemon stops", 1), false, now());
  state_ = State::kClosed;
  error_code ignored;
  stream_.socket().close(ignored);
  timer_.cancel();
  core_->remove(shared_from_this());
}

// ---- the source
// ----------------------------------------------------------------------------------------------------

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
  auto session = std::make_shared<HttpSession>(self, std::move(socket));
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
                                                                  Ingest* ingest, Health health) {
  TG_CHECK(check(options));
  auto core = std::make_shared<Core>(env, std::move(options), ingest, std::move(health));
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
    all = core.empty.wait_for(lock, chrono(limit), [&] { return core.sessions.empty(); });
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
