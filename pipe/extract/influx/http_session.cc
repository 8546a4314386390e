// SPDX-License-Identifier: Apache-2.0
// The only file that knows Boost.Beast. What a request means is in decision.h, what is done with it in
// write_job.h; here are sockets, timers and the order of things on one connection.
#include "pipe/extract/influx/http_session.h"

#include "base/crash_point.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/dispatch.hpp>
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
#include <cerrno>
#include <chrono>
#include <optional>

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

// One connection. Everything runs in its strand. One request at a time: answers keep the order of requests.
//
//   kIdle      --first byte--> kHeader --head decided--> kBody --all there--> kWorking --reply--> kAnswering
//   kAnswering --keep-alive--> kIdle; else kLingering: reads and drops, until the client closes
//   any state  --error, timeout--> kClosed. kWorking: only when the outcome is known, or by stop_now()
class Session final : public HttpSession, public std::enable_shared_from_this<Session> {
 public:
  Session(std::shared_ptr<HttpShared> shared, tcp::socket socket)
      : shared_(std::move(shared)), stream_(std::move(socket)), timer_(stream_.get_executor()) {}

  void start() override {
    asio::dispatch(stream_.get_executor(), [self = shared_from_this()] { self->wait_request(); });
  }
  // One connection too many.
  void start_refused() override {
    asio::dispatch(stream_.get_executor(), [self = shared_from_this()] {
      self->keep_alive_ = false;
      self->answer(unavailable_reply(influx::Api::kV2, "too many connections", 1));
    });
  }
  void stop_soon() override {
    asio::dispatch(stream_.get_executor(), [self = shared_from_this()] {
      if (self->state_ == State::kIdle) self->close();
    });
  }
  void stop_now() override {
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
  enum class Peer : std::uint8_t { kSilent, kSends, kFinished, kGone };  // FIN, RST
  Peer look_at_peer();
  void watch_peer();
  void on_peer_readable(error_code error);
  void on_peer_gone();
  void conclude_job();

  void answer(HttpReply reply);
  std::string request_id() const;
  void on_answered(error_code error);
  void watch_fate(Nanos until);
  void settle(bool delivered);
  void next_request();
  void linger();
  void close();
  void count(int status);
  Nanos now() const { return shared_->env.clock->now(); }

  std::shared_ptr<HttpShared> shared_;
  beast::tcp_stream stream_;
  asio::steady_timer timer_;
  beast::flat_buffer buffer_;
  std::optional<Parser> parser_;
  State state_ = State::kIdle;
  bool keep_alive_ = true;
  bool head_only_ = false;
  bool is_query_ = false;
  bool peer_closed_ = false;  // it sent FIN or RST while its request was worked on

  std::unique_ptr<char[]> piece_;
  std::optional<BodyReader> body_;
  std::optional<WriteRequest> request_;
  Nanos body_began_ = 0;
  Hash128 identity_;        // of target, sender and body
  bool holds_key_ = false;  // key_finished() is owed
  bool orphaned_ = false;   // repeats know that the client is gone
  std::shared_ptr<WriteJob> job_;
  HttpReply reply_;
  std::string out_;
};

// ---- reading a request ----

void Session::wait_request() {
  state_ = State::kIdle;
  parser_.reset();
  request_.reset();
  body_.reset();
  job_.reset();
  holds_key_ = orphaned_ = peer_closed_ = head_only_ = is_query_ = false;
  if (shared_->stopping) return close();
  if (buffer_.size() > 0) return read_header();
  stream_.expires_after(chrono(shared_->options.idle_timeout));
  stream_.async_read_some(buffer_.prepare(4096), guarded([this](error_code error, std::size_t size) {
                            buffer_.commit(size);
                            if (error) return close();
                            read_header();
                          }));
}

void Session::read_header() {
  state_ = State::kHeader;
  parser_.emplace();
  parser_->header_limit(static_cast<std::uint32_t>(shared_->options.max_header));
  parser_->body_limit(boost::none);  // BodyReader has the limits
  stream_.expires_after(chrono(shared_->options.header_timeout));
  http::async_read_header(stream_, buffer_, *parser_,
                          guarded([this](error_code error, std::size_t) { on_header(error); }));
}

void Session::on_read_error(error_code error) {
  keep_alive_ = false;
  if (error == beast::error::timeout) {
    ++shared_->uses.counts->timed_out;
    return close();
  }
  if (error == http::error::header_limit)
    return answer(
        error_reply(influx::Api::kV2, 431,
                    "the headers are larger than " + std::to_string(shared_->options.max_header) + " bytes"));
  const bool malformed = error.category() == make_error_code(http::error::bad_method).category() &&
                         error != http::error::end_of_stream && error != http::error::partial_message;
  if (malformed)
    return answer(error_reply(influx::Api::kV2, 400, "not a valid HTTP/1.1 request: " + error.message()));
  close();
}

void Session::on_header(error_code error) {
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
  head.content_type = header(message, "Content-Type");
  if (const auto length = parser_->content_length()) head.content_length = *length;
  head_only_ = head.method == "HEAD";

  Decision decision = decide(shared_->options, shared_->credentials, head);
  if (std::holds_alternative<HealthRequest>(decision))
    decision = health_reply(shared_->health ? shared_->health() : Status(), shared_->options.version);
  if (auto* reply = std::get_if<HttpReply>(&decision)) return reject(std::move(*reply));
  if (const auto* query = std::get_if<QueryRequest>(&decision)) {
    is_query_ = true;
    WriteRequest form;
    form.expects_continue = query->expects_continue;
    return begin_body(std::move(form));
  }
  begin_body(std::get<WriteRequest>(std::move(decision)));
}

void Session::begin_body(WriteRequest request) {
  state_ = State::kBody;
  request_ = std::move(request);
  // A plain body takes no more memory than its header announces.
  const auto announced = parser_->content_length();
  const std::uint64_t most = is_query_ ? kLargestForm : shared_->options.max_body;
  const std::uint64_t sent = std::min(most, announced.value_or(~0ULL));
  body_.emplace(&shared_->budget, BodyReader::Limits{sent, shared_->options.max_decompressed},
                request_->gzip);
  body_began_ = now();
  if (!request_->expects_continue || parser_->is_done()) return read_body();
  stream_.expires_after(chrono(shared_->options.body_timeout));
  asio::async_write(stream_, asio::buffer(kContinue.data(), kContinue.size()),
                    guarded([this](error_code error, std::size_t) { error ? close() : read_body(); }));
}

void Session::read_body() {
  if (parser_->is_done()) return on_body_end();
  if (!piece_) piece_ = std::make_unique_for_overwrite<char[]>(kPieceBytes);
  parser_->get().body().data = piece_.get();
  parser_->get().body().size = kPieceBytes;
  parser_->get().body().more = true;
  stream_.expires_after(chrono(shared_->options.body_timeout));
  http::async_read_some(stream_, buffer_, *parser_,
                        guarded([this](error_code error, std::size_t) { on_body_piece(error); }));
}

void Session::on_body_piece(error_code error) {
  const std::size_t size = kPieceBytes - parser_->get().body().size;
  if (error && error != http::error::need_buffer) return on_read_error(error);
  if (state_ == State::kDraining) {
    if (now() - body_began_ < 2 * shared_->options.body_timeout) return drain_body();
    keep_alive_ = false;
    return answer(std::move(reply_));
  }
  shared_->uses.counts->body_bytes += size;
  if (const Status status = body_->add({piece_.get(), size}); !status.ok()) return refuse_body(status);
  if (too_slow()) {
    ++shared_->uses.counts->timed_out;
    keep_alive_ = false;
    return answer(error_reply(
        request_->api, 408,
        "the body comes slower than " + std::to_string(shared_->options.body_rate) + " bytes per second"));
  }
  read_body();
}

// On average since the body began, after a grace of body_timeout.
bool Session::too_slow() const {
  const Nanos grace = shared_->options.body_timeout;
  const double spent = static_cast<double>(now() - body_began_ - grace) / static_cast<double>(kSecond);
  return spent > 0 &&
         static_cast<double>(body_->sent()) < spent * static_cast<double>(shared_->options.body_rate);
}

void Session::refuse_body(const Status& status) {
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
void Session::reject(HttpReply reply) {
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

void Session::drain_body() {
  if (parser_->is_done()) return answer(std::move(reply_));
  read_body();
}

// ---- working on it ----

void Session::on_body_end() {
  if (state_ == State::kDraining) return answer(std::move(reply_));
  if (const Status status = body_->finish(); !status.ok()) return refuse_body(status);
  if (is_query_) {
    HttpReply reply = form_reply(body_->text());
    body_.reset();
    return answer(std::move(reply));
  }
  state_ = State::kWorking;
  stream_.expires_never();
  std::string content =
      request_->target + '\n' + request_->credential + '\n' + (request_->gzip ? "gzip\n" : "\n");
  content += request_->idempotency_key + '\n';
  const Hash128 body = body_->hash();
  content.append(reinterpret_cast<const char*>(body.bytes.data()), body.bytes.size());
  identity_ = xxh3_128({reinterpret_cast<const std::uint8_t*>(content.data()), content.size()});

  const std::string& key = request_->idempotency_key;
  if (key.empty()) {
    if (!shared_->repeats.waits_for_orphan(identity_, waiter())) begin_job();
    return;
  }
  Repeats::Found found = shared_->repeats.begin_key(request_->credential, key, identity_, now(), waiter());
  holds_key_ = found.verdict == Repeats::Verdict::kNew;
  switch (found.verdict) {
    case Repeats::Verdict::kNew:
      return begin_job();
    case Repeats::Verdict::kRepeated:
      return on_first_outcome(std::move(found.reply));
    case Repeats::Verdict::kOtherContent:
      return answer(
          error_reply(request_->api, 422,
                      "the Idempotency-Key was used for another request: a key belongs to one target "
                      "and one body"));
    case Repeats::Verdict::kWait:
      return;
  }
}

// May be called from another thread, and after the source is gone.
Repeats::Waiter Session::waiter() {
  return [weak = weak_from_this()](const std::optional<HttpReply>& reply) {
    const auto self = weak.lock();
    if (!self) return;
    asio::post(self->stream_.get_executor(), [weak, reply] {
      const auto later = weak.lock();
      if (later && later->state_ == State::kWorking) later->on_first_outcome(reply);
    });
  };
}

void Session::on_first_outcome(const std::optional<HttpReply>& reply) {
  if (!reply) return begin_job();
  body_.reset();
  ++shared_->uses.counts->repeated;
  answer(*reply);
}

void Session::begin_job() {
  job_ = std::make_shared<WriteJob>(shared_->uses, *request_, identity_, *std::move(body_),
                                    [weak = weak_from_this()] {
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

void Session::run_job() {
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
void Session::watch_peer() {
  stream_.socket().async_wait(tcp::socket::wait_read,
                              guarded([this](error_code error) { on_peer_readable(error); }));
}

Session::Peer Session::look_at_peer() {
  char byte = 0;
  const ssize_t got = ::recv(stream_.socket().native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  if (got > 0) return Peer::kSends;
  if (got == 0) return Peer::kFinished;
  return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? Peer::kSilent : Peer::kGone;
}

void Session::on_peer_readable(error_code error) {
  if (error || state_ != State::kWorking) return;
  switch (look_at_peer()) {
    case Peer::kSends:  // the next request
      return;
    case Peer::kSilent:  // the event was that of bytes which were read before this wait began
      return watch_peer();
    case Peer::kFinished:
    case Peer::kGone:
      peer_closed_ = true;
      ++shared_->uses.counts->left_early;
      on_peer_gone();
  }
}

// The same request may come on another connection before this one is stored.
void Session::on_peer_gone() {
  if (orphaned_ || !request_->idempotency_key.empty() || !job_->all_timed()) return;
  orphaned_ = true;
  shared_->repeats.orphaned(identity_);
}

void Session::conclude_job() {
  error_code ignored;
  stream_.socket().cancel(ignored);
  const HttpReply& reply = job_->reply();
  if (holds_key_)
    shared_->repeats.key_finished(request_->credential, request_->idempotency_key, reply, job_->is_final(),
                                  now());
  answer(reply);
}

// ---- answering ----

void Session::count(int status) {
  InfluxHttpCounts& counts = *shared_->uses.counts;
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

// As influxd 1.x: X-Request-Id, else Request-Id, else one that is made here, in the form of a UUID.
std::string Session::request_id() const {
  for (const std::string_view name : {"X-Request-Id", "Request-Id"})
    if (const auto given = parser_ ? header(parser_->get(), name) : std::nullopt; given && !given->empty())
      return std::string(*given);
  Id id;
  for (std::size_t i = 0; i < id.bytes.size(); i += 8) {
    const std::uint64_t random = shared_->env.random->u64();
    for (std::size_t j = 0; j < 8; ++j) id.bytes[i + j] = static_cast<std::uint8_t>(random >> (8 * j));
  }
  id.bytes[6] = static_cast<std::uint8_t>((id.bytes[6] & 0x0f) | 0x40);
  id.bytes[8] = static_cast<std::uint8_t>((id.bytes[8] & 0x3f) | 0x80);
  std::string out = id.hex();
  for (const std::size_t at : {8, 13, 18, 23}) out.insert(at, 1, '-');
  return out;
}

void Session::answer(HttpReply reply) {
  crash_point("source.before-answer");
  state_ = State::kAnswering;
  reply_ = std::move(reply);
  count(reply_.status);
  if (shared_->stopping) keep_alive_ = false;
  RenderOptions options;
  options.version = parser_ ? parser_->get().version() : 11;
  options.keep_alive = keep_alive_;
  options.head = head_only_;
  options.wall_micros = shared_->env.clock->wall_micros();
  options.server_version = shared_->options.version;
  const std::string id = request_id();
  options.request_id = id;
  out_ = render(reply_, options);
  stream_.expires_after(chrono(shared_->options.body_timeout));
  asio::async_write(stream_, asio::buffer(out_),
                    guarded([this](error_code error, std::size_t) { on_answered(error); }));
}

// A successful write says little when the client has sent FIN: it may still be reading, or be gone.
void Session::on_answered(error_code error) {
  const Peer peer = error ? Peer::kGone : look_at_peer();
  if (peer == Peer::kGone) {
    settle(false);
    return close();
  }
  if (peer_closed_ || peer == Peer::kFinished) return watch_fate(now() + kFateTime);
  settle(true);
  next_request();
}

// Delivered is what the client's TCP has acknowledged. One that is gone answers with RST.
void Session::watch_fate(Nanos until) {
  const int fd = stream_.socket().native_handle();
  int trouble = 0, queued = 0;
  socklen_t size = sizeof trouble;
  ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &trouble, &size);
  const bool known = ::ioctl(fd, SIOCOUTQ, &queued) == 0;
  if (trouble == 0 && known && queued > 0 && now() < until) {
    timer_.expires_after(chrono(kFateStep));
    return timer_.async_wait(guarded([this, until](error_code) { watch_fate(until); }));
  }
  const bool delivered = trouble == 0 && known && queued == 0;
  settle(delivered);
  delivered ? next_request() : close();
}

// The answer has reached the client, or is still owed to whoever sends the same request again.
void Session::settle(bool delivered) {
  if (job_ && job_->is_final()) {
    delivered ? job_->delivered() : job_->undelivered();
    if (!delivered && reply_.status == 204) ++shared_->uses.counts->unanswered;
  }
  if (orphaned_) shared_->repeats.orphan_settled(identity_);
  orphaned_ = false;
}

void Session::next_request() {
  if (keep_alive_) return wait_request();
  linger();
}

// Closing with unread bytes sends RST, which can take the answer from the client. So: FIN, then read what
// comes.
void Session::linger() {
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

void Session::close() {
  if (state_ == State::kClosed) return;
  if (state_ == State::kWorking && holds_key_)
    shared_->repeats.key_finished(request_->credential, request_->idempotency_key,
                                  unavailable_reply(request_->api, "the daemon stops", 1), false, now());
  if (orphaned_) shared_->repeats.orphan_settled(identity_);
  state_ = State::kClosed;
  error_code ignored;
  stream_.socket().close(ignored);
  timer_.cancel();
  shared_->remove(shared_from_this());
}

}  // namespace

std::shared_ptr<HttpSession> HttpSession::make(std::shared_ptr<HttpShared> shared, asio::io_context& io,
                                               int fd, bool v6) {
  tcp::socket socket(asio::make_strand(io));
  socket.assign(v6 ? tcp::v6() : tcp::v4(), fd);
  return std::make_shared<Session>(std::move(shared), std::move(socket));
}

}  // namespace tidegate
