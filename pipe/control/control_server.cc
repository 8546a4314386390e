// SPDX-License-Identifier: Apache-2.0
// The only file here that knows Boost.Asio and Boost.Beast as a server.
#include "pipe/control/control_server.h"

#include <pwd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>
#include <optional>
#include <thread>

#include "base/log.h"
#include "pipe/control/command_text.h"
#include "pipe/control/status_render.h"

namespace tidegate {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::system::error_code;
using AnySocket = asio::generic::stream_protocol::socket;
using Request = http::request<http::string_body>;
using Response = http::response<http::string_body>;

constexpr std::size_t kMaxConnections = 16;  // of each listener, so that neither locks the other out
constexpr std::uint32_t kMaxHeader = 8 << 10;
constexpr std::uint64_t kMaxBody = 16 << 10;
constexpr std::uint64_t kMaxStatements = 4 << 20;  // a file of them; one alone has at most 2 MiB
constexpr std::size_t kStatementThreads = 2;       // SHOW need not wait for a change that takes its time
constexpr std::chrono::seconds kRequestTime(
    10);                                       // for a whole request to arrive, and for an answer to be taken
constexpr std::chrono::seconds kIdleTime(60);  // between two requests
constexpr std::chrono::milliseconds kAcceptPause(200);

// Who is at the other end. Over TCP nobody knows.
struct Peer {
  bool local = false;  // Unix socket
  uid_t uid = static_cast<uid_t>(-1);
  pid_t pid = 0;
  bool is_admin() const { return local && (uid == 0 || uid == geteuid()); }
};

std::string user_name(uid_t uid) {
  passwd entry{};
  passwd* found = nullptr;
  std::string buffer(16 << 10, '\0');
  if (getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr)
    return found->pw_name;
  return "uid " + std::to_string(uid);
}

std::optional<std::size_t> parse_cursor(const std::string& text) {
  std::size_t out = 0;
  const char* const end = text.data() + text.size();
  const auto [at, ec] = std::from_chars(text.data(), end, out);
  if (ec != std::errc() || at != end) return {};
  return out;
}

std::string header(const Request& request, std::string_view name) {
  const auto value = request[boost::beast::string_view(name.data(), name.size())];
  return {value.data(), value.size()};
}

Response answer(http::status status, std::string_view type, std::string body) {
  Response out(status, 11);
  out.set(http::field::content_type, std::string(type));
  out.set(http::field::cache_control, "no-store");
  out.body() = std::move(body);
  return out;
}
Response text(http::status status, std::string body) {
  return answer(status, "text/plain; charset=utf-8", std::move(body));
}
Response only(std::string_view method, std::string body) {
  Response out = text(http::status::method_not_allowed, std::move(body));
  out.set(http::field::allow, std::string(method));
  return out;
}

}  // namespace

struct ControlServer::Impl {
  class Session;
  template <class Protocol>
  struct Door;

  ControlOptions options;
  std::function<StatusReport()> report;
  std::function<ControlReply(const ControlCommand&)> operate;
  StatementHandler execute;
  std::size_t tcp_connections = 0, local_connections = 0;
  asio::io_context io{1};  // after what its handlers touch when they go with it
  std::unique_ptr<Door<asio::ip::tcp>> tcp;
  std::unique_ptr<Door<asio::local::stream_protocol>> local;
  struct stat socket_identity{};  // of the socket's file, so that only that one is removed
  std::thread thread;
  std::optional<asio::thread_pool> workers;

  static bool takes_statements(const Request& request);
  std::optional<Response> refuse_statement(const Request& request, const Peer& peer) const;
  ControlStatement statement(Request& request, const Peer& peer) const;
  static std::uint64_t body_limit(const Request& request, const Peer& peer);
  Response respond(const Request& request, const Peer& peer);
  ControlPeer shown_peer(const Peer& peer) const {
    return {peer.uid, peer.pid, user_name(peer.uid), peer.is_admin(), options.socket};
  }
  std::string local_only(const std::string& what) const;
  Response show(std::string_view path);
  Response command(const Request& request, std::string_view verb, const Peer& peer);
  Status listen_tcp();
  Status listen_local();
  Status clear_socket_path() const;
};

// ---- what is asked and answered

std::string ControlServer::Impl::local_only(const std::string& what) const {
  return what + " are taken on the Unix socket only: " +
         (options.socket.empty() ? "set `control.socket` in the configuration" : options.socket) + "\n";
}

Response ControlServer::Impl::show(std::string_view path) {
  if (path == "/" || path == "/status") return text(http::status::ok, status_text(report()));
  if (path == "/status.json") return answer(http::status::ok, "application/json", status_json(report()));
  if (path == "/metrics")
    return answer(http::status::ok, "text/plain; version=0.0.4; charset=utf-8", status_metrics(report()));
  if (path == "/health") {
    HealthAnswer health = status_health(report());
    return answer(http::int_to_status(static_cast<unsigned>(health.http_status)), "application/json",
                  std::move(health.body));
  }
  return text(
      http::status::not_found,
      "there is /status, /status.json, /metrics, /health, POST /control/<verb> and POST /statement\n");
}

Response ControlServer::Impl::command(const Request& request, std::string_view verb, const Peer& peer) {
  if (request.method() != http::verb::post) return only("POST", "commands are given with POST\n");
  if (!peer.local) return text(http::status::forbidden, local_only("commands"));
  if (!peer.is_admin())
    return text(http::status::forbidden,
                "user " + std::to_string(peer.uid) +
                    " may look but not command: commands are taken from root and from "
                    "the daemon's own user, " +
                    std::to_string(geteuid()) + " (use sudo)\n");
  auto arguments = parse_command_arguments(request.body());
  if (!arguments.ok()) return text(http::status::bad_request, arguments.error().text() + "\n");
  log_info("control", "user " + std::to_string(peer.uid) + " commands '" + std::string(verb) + "'");
  ControlReply reply = operate({std::string(verb), std::move(arguments).value(), shown_peer(peer)});
  log_info("control", "'" + std::string(verb) + "' " + (reply.ok ? "done: " : "refused: ") + reply.text);
  return text(reply.ok ? http::status::ok : http::status::conflict, reply.text + "\n");
}

// ---- statements

bool ControlServer::Impl::takes_statements(const Request& request) {
  return request.target() == "/statement" || request.target() == "/complete";
}

std::uint64_t ControlServer::Impl::body_limit(const Request& request, const Peer& peer) {
  return peer.local && takes_statements(request) ? kMaxStatements : kMaxBody;
}

std::optional<Response> ControlServer::Impl::refuse_statement(const Request& request,
                                                              const Peer& peer) const {
  if (request.method() != http::verb::post) return only("POST", "statements are given with POST\n");
  if (!peer.local) return text(http::status::forbidden, local_only("statements"));
  if (!execute) return text(http::status::not_found, "this daemon takes no statements\n");
  const std::string cursor = header(request, "Tidegate-Cursor");
  if (request.target() == "/complete" && (cursor.empty() || !parse_cursor(cursor)))
    return text(http::status::bad_request,
                "the header Tidegate-Cursor is missing, or is not an offset in bytes\n");
  return {};
}

ControlStatement ControlServer::Impl::statement(Request& request, const Peer& peer) const {
  ControlStatement out;
  out.peer = shown_peer(peer);
  out.dialect = header(request, "Tidegate-Dialect");
  out.accept = header(request, "Accept");
  if (request.target() == "/complete") out.cursor = parse_cursor(header(request, "Tidegate-Cursor"));
  out.text = std::move(request.body());
  return out;
}

Response ControlServer::Impl::respond(const Request& request, const Peer& peer) {
  const std::string_view target(request.target().data(), request.target().size());
  const std::string_view path = target.substr(0, target.find('?'));
  constexpr std::string_view kControl = "/control/";
  if (path.starts_with(kControl) && path.size() > kControl.size())
    return command(request, path.substr(kControl.size()), peer);
  if (request.method() != http::verb::get) return only("GET", "this can only be read, with GET\n");
  return show(path);
}

// ---- one connection

// Lives as long as a handler of it is pending. One request at a time.
class ControlServer::Impl::Session : public std::enable_shared_from_this<Session> {
 public:
  Session(Impl& server, AnySocket socket, Peer peer, std::size_t& count)
      : server_(server), stream_(std::move(socket)), peer_(peer), count_(count) {
    ++count_;
  }
  ~Session() { --count_; }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  void run() { wait_for_request(kRequestTime); }

 private:
  void wait_for_request(std::chrono::seconds limit) {
    parser_.emplace();
    parser_->header_limit(kMaxHeader);
    parser_->body_limit(boost::none);  // read_body(): it depends on what is asked for
    stream_.expires_after(limit);
    if (buffer_.size() > 0) return read_request();
    // The first byte may take its time between two requests, the rest may not.
    stream_.async_read_some(buffer_.prepare(kMaxHeader),
                            [self = shared_from_this()](error_code error, std::size_t n) {
                              self->buffer_.commit(n);
                              if (!error) self->read_request();
                            });
  }

  void read_request() {
    stream_.expires_after(kRequestTime);
    http::async_read_header(stream_, buffer_, *parser_,
                            [self = shared_from_this()](error_code error, std::size_t) {
                              if (error) return self->on_request(error);
                              self->read_body();
                            });
  }

  void read_body() {
    const std::uint64_t limit = Impl::body_limit(parser_->get(), peer_);
    parser_->body_limit(limit);
    if (parser_->content_length().value_or(0) > limit) return on_request(http::error::body_limit);
    http::async_read(stream_, buffer_, *parser_,
                     [self = shared_from_this()](error_code error, std::size_t) { self->on_request(error); });
  }

  // On a thread of its own, and back.
  void carry_out() {
    Request& request = parser_->get();
    const bool keep_alive = request.keep_alive();
    if (auto refusal = server_.refuse_statement(request, peer_)) return send(std::move(*refusal), keep_alive);
    stream_.expires_never();
    asio::post(*server_.workers, [self = shared_from_this(), keep_alive,
                                  statement = server_.statement(request, peer_)] {
      ControlAnswer done = self->server_.execute(statement);
      asio::post(self->server_.io, [self, keep_alive, done = std::move(done)]() mutable {
        self->send(answer(http::int_to_status(done.status), done.type, std::move(done.body)), keep_alive);
      });
    });
  }

  void on_request(error_code error) {
    if (!error && Impl::takes_statements(parser_->get())) return carry_out();
    if (!error) return send(server_.respond(parser_->get(), peer_), parser_->get().keep_alive());
    if (error == http::error::end_of_stream || error == beast::error::timeout ||
        error.category() != http::make_error_code(http::error::bad_method).category())
      return;  // gone, or too slow
    const bool large = error == http::error::body_limit || error == http::error::header_limit;
    send(text(large ? http::status::payload_too_large : http::status::bad_request,
              "this request cannot be read: " + error.message() + "\n"),
         false);
  }

  void send(Response response, bool keep_alive) {
    response_.emplace(std::move(response));
    response_->keep_alive(keep_alive);
    response_->prepare_payload();
    stream_.expires_after(kRequestTime);
    http::async_write(stream_, *response_,
                      [self = shared_from_this(), keep_alive](error_code error, std::size_t) {
                        if (error) return;
                        if (keep_alive) return self->wait_for_request(kIdleTime);
                        error_code ignored;
                        self->stream_.socket().shutdown(AnySocket::shutdown_send, ignored);
                      });
  }

  Impl& server_;
  beast::basic_stream<asio::generic::stream_protocol> stream_;
  beast::flat_buffer buffer_{kMaxHeader + kMaxBody};
  std::optional<http::request_parser<http::string_body>> parser_;
  std::optional<Response> response_;
  const Peer peer_;
  std::size_t& count_;
};

// ---- a listener

template <class Protocol>
struct ControlServer::Impl::Door {
  Door(Impl& impl, std::size_t& count)
      : server(impl), acceptor(impl.io), pause(impl.io), connections(count) {}

  void accept() {
    acceptor.async_accept([this](error_code error, typename Protocol::socket socket) {
      if (error == asio::error::operation_aborted) return;
      if (error) return accept_later();  // no descriptors left, most likely
      admit(std::move(socket));
      accept();
    });
  }
  void accept_later() {
    pause.expires_after(kAcceptPause);
    pause.async_wait([this](error_code error) {
      if (!error) accept();
    });
  }
  void admit(typename Protocol::socket socket) {
    if (connections >= kMaxConnections) return refuse(std::move(socket));
    Peer peer;
    if constexpr (std::is_same_v<Protocol, asio::local::stream_protocol>) {
      ucred credentials{};
      socklen_t size = sizeof(credentials);
      if (getsockopt(socket.native_handle(), SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) return;
      peer = {true, credentials.uid, credentials.pid};
    }
    std::make_shared<Session>(server, AnySocket(std::move(socket)), peer, connections)->run();
  }
  void refuse(typename Protocol::socket socket) {
    static constexpr std::string_view kBusy =
        "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nConnection: close\r\nContent-Length: "
        "21\r\n\r\n"
        "too many connections\n";
    error_code ignored;
    socket.non_blocking(true, ignored);
    socket.write_some(asio::buffer(kBusy.data(), kBusy.size()), ignored);
  }

  Impl& server;
  typename Protocol::acceptor acceptor;
  asio::steady_timer pause;
  std::size_t& connections;
};

Status ControlServer::Impl::listen_tcp() {
  const auto failed = [this](const char* what, error_code error) {
    return make_error(ErrorCode::kIo, std::string("control.listen ") + options.listen.text() + ": " + what +
                                          ": " + error.message());
  };
  error_code error;
  asio::ip::tcp::resolver resolver(io);
  const auto found = resolver.resolve(options.listen.host, std::to_string(options.listen.port),
                                      asio::ip::tcp::resolver::passive, error);
  if (error || found.empty()) return failed("cannot be resolved", error);
  const asio::ip::tcp::endpoint at = *found.begin();
  tcp = std::make_unique<Door<asio::ip::tcp>>(*this, tcp_connections);
  tcp->acceptor.open(at.protocol(), error);
  if (!error) tcp->acceptor.set_option(asio::socket_base::reuse_address(true), error);
  if (!error) tcp->acceptor.bind(at, error);
  if (error) return failed("cannot be bound", error);
  tcp->acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error) return failed("cannot listen", error);
  tcp->accept();
  return {};
}

// A socket that a killed daemon left behind goes; anything else stays where it is.
Status ControlServer::Impl::clear_socket_path() const {
  const std::string& path = options.socket;
  struct stat found{};
  if (lstat(path.c_str(), &found) != 0) return {};
  if (!S_ISSOCK(found.st_mode))
    return make_error(ErrorCode::kAlreadyExists, "control.socket: this is not a socket, choose another path")
        .at_path(path);
  asio::io_context probe_io;
  asio::local::stream_protocol::socket probe(probe_io);
  error_code error;
  probe.connect(asio::local::stream_protocol::endpoint(path), error);
  if (!error)
    return make_error(ErrorCode::kLocked,
                      "control.socket: another process serves this socket; is the daemon running?")
        .at_path(path);
  if (error != asio::error::connection_refused)
    return make_error(ErrorCode::kIo, "control.socket: " + error.message()).at_path(path);
  if (unlink(path.c_str()) != 0 && errno != ENOENT)
    return make_error(
               ErrorCode::kIo,
               std::string("control.socket: the left-over socket cannot be removed: ") + std::strerror(errno))
        .at_path(path);
  return {};
}

Status ControlServer::Impl::listen_local() {
  const std::string& path = options.socket;
  if (path.size() >= sizeof(sockaddr_un::sun_path))
    return make_error(ErrorCode::kInvalidConfiguration,
                      "control.socket: the path of a socket has at most " +
                          std::to_string(sizeof(sockaddr_un::sun_path) - 1) + " bytes")
        .at_path(path);
  TG_CHECK(clear_socket_path());
  error_code error;
  local = std::make_unique<Door<asio::local::stream_protocol>>(*this, local_connections);
  local->acceptor.open(asio::local::stream_protocol(), error);
  if (!error) local->acceptor.bind(asio::local::stream_protocol::endpoint(path), error);
  if (error)
    return make_error(ErrorCode::kIo,
                      "control.socket: " + error.message() +
                          "; its folder must exist and belong to the daemon's user (the unit makes it)")
        .at_path(path);
  // Nobody can connect between bind and listen, so the mode is right before the first one comes.
  if (chmod(path.c_str(), 0660) != 0 || lstat(path.c_str(), &socket_identity) != 0)
    return make_error(ErrorCode::kIo, std::string("control.socket: ") + std::strerror(errno)).at_path(path);
  local->acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error) return make_error(ErrorCode::kIo, "control.socket: " + error.message()).at_path(path);
  local->accept();
  return {};
}

// ---- the interface

ControlServer::ControlServer(ControlOptions options, std::function<StatusReport()> report,
                             std::function<ControlReply(const ControlCommand&)> operate,
                             StatementHandler execute)
    : impl_(std::make_unique<Impl>()) {
  impl_->options = std::move(options);
  impl_->report = std::move(report);
  impl_->operate = std::move(operate);
  impl_->execute = std::move(execute);
}

ControlServer::~ControlServer() {
  stop();
}

Status ControlServer::start() {
  if (!impl_->options.listen.host.empty() || impl_->options.listen.port != 0) TG_CHECK(impl_->listen_tcp());
  if (!impl_->options.socket.empty()) TG_CHECK(impl_->listen_local());
  impl_->workers.emplace(kStatementThreads);
  impl_->thread = std::thread([impl = impl_.get()] {
    pthread_setname_np(pthread_self(), "control");
    impl->io.run();
  });
  return {};
}

void ControlServer::stop() {
  impl_->io.stop();
  if (impl_->thread.joinable()) impl_->thread.join();
  if (impl_->workers) {
    impl_->workers->stop();  // what has not begun does not begin
    impl_->workers->join();
    impl_->workers.reset();
  }
  impl_->tcp.reset();
  impl_->local.reset();
  if (impl_->socket_identity.st_ino == 0) return;
  struct stat found{};
  const std::string& path = impl_->options.socket;
  if (lstat(path.c_str(), &found) == 0 && found.st_ino == impl_->socket_identity.st_ino &&
      found.st_dev == impl_->socket_identity.st_dev)
    unlink(path.c_str());
  impl_->socket_identity = {};
}

std::uint16_t ControlServer::port() const {
  if (!impl_->tcp) return 0;
  error_code error;
  const auto at = impl_->tcp->acceptor.local_endpoint(error);
  return error ? 0 : at.port();
}

}  // namespace tidegate
