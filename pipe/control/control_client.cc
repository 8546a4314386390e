// SPDX-License-Identifier: Apache-2.0
// The only file here that knows Boost.Asio and Boost.Beast as a client.
#include "pipe/control/control_client.h"

#include <sys/un.h>

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <chrono>

#include "base/yaml_net.h"

namespace tidegate {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::system::error_code;
using AnyProtocol = asio::generic::stream_protocol;

constexpr std::uint64_t kMaxAnswer = 16 << 20;

class Exchange {
 public:
  Exchange(asio::io_context& io, const ControlTarget& target, const ControlRequest& request) : stream_(io) {
    request_.version(11);
    request_.method_string(request.method);
    request_.target(request.path);
    request_.set(http::field::host, target.socket.empty() ? target.address.text() : "localhost");
    for (const auto& [name, value] : request.headers) request_.set(name, value);
    request_.keep_alive(false);
    request_.body() = request.body;
    request_.prepare_payload();
    parser_.body_limit(kMaxAnswer);
    stream_.expires_after(std::chrono::nanoseconds(request.timeout));
  }

  void start(const AnyProtocol::endpoint& at) {
    stream_.async_connect(at, [this](error_code error) {
      if (error) return finish(error, "connect");
      http::async_write(stream_, request_, [this](error_code failed, std::size_t) {
        if (failed) return finish(failed, "send");
        http::async_read(stream_, buffer_, parser_,
                         [this](error_code result, std::size_t) { finish(result, "read the answer"); });
      });
    });
  }
  const error_code& error() const { return error_; }
  const char* step() const { return step_; }
  ControlResponse answer() { return {parser_.get().result_int(), std::move(parser_.get().body())}; }

 private:
  void finish(error_code error, const char* step) {
    error_ = error;
    step_ = step;
  }

  beast::basic_stream<AnyProtocol> stream_;
  http::request<http::string_body> request_;
  http::response_parser<http::string_body> parser_;
  beast::flat_buffer buffer_;
  error_code error_ = asio::error::operation_aborted;
  const char* step_ = "connect";
};

Error failure(const ControlTarget& target, const error_code& error, const std::string& step) {
  const auto made = [&](ErrorCode code, const std::string& hint) {
    return make_error(code, "cannot " + step + ": " + error.message() + hint).from_peer(target.text());
  };
  if (error == beast::error::timeout)
    return made(ErrorCode::kTimeout, "; the daemon may be hanging, see its log");
  if (error == asio::error::access_denied)
    return made(ErrorCode::kUnreachable, "; use sudo, or join the group of the socket");
  if (error == boost::system::errc::no_such_file_or_directory)
    return made(ErrorCode::kUnreachable, "; is the daemon running, with this `control.socket`?");
  if (error == asio::error::connection_refused)
    return made(ErrorCode::kUnreachable, "; nobody serves there: is the daemon running?");
  return made(step == "connect" ? ErrorCode::kUnreachable : ErrorCode::kMalformed, "");
}

Result<AnyProtocol::endpoint> resolve(asio::io_context& io, const ControlTarget& target) {
  if (!target.socket.empty()) {
    if (target.socket.size() >= sizeof(sockaddr_un::sun_path))
      return make_error(ErrorCode::kInvalidArgument, "the path of a socket has at most 107 bytes")
          .at_path(target.socket);
    return AnyProtocol::endpoint(asio::local::stream_protocol::endpoint(target.socket));
  }
  error_code error;
  asio::ip::tcp::resolver resolver(io);
  const auto found = resolver.resolve(target.address.host, std::to_string(target.address.port), error);
  if (error || found.empty())
    return make_error(ErrorCode::kUnreachable, "this name is not known: " + error.message())
        .from_peer(target.text());
  return AnyProtocol::endpoint(found.begin()->endpoint());
}

}  // namespace

Result<ControlResponse> ask_control(const ControlTarget& target, const ControlRequest& request) {
  asio::io_context io(1);
  TG_TRY(const AnyProtocol::endpoint at, resolve(io, target));
  Exchange exchange(io, target, request);
  exchange.start(at);
  io.run();
  if (exchange.error()) return failure(target, exchange.error(), exchange.step());
  return exchange.answer();
}

Result<ControlTarget> parse_control_url(const std::string& url) {
  constexpr std::string_view kScheme = "http://";
  std::string rest = url.starts_with(kScheme) ? url.substr(kScheme.size()) : url;
  while (rest.ends_with('/')) rest.pop_back();
  const auto at = parse_endpoint(rest);
  if (!at || at->host.empty() || at->port == 0)
    return make_error(ErrorCode::kInvalidArgument, "'" + url + "' is not http://host:port");
  return ControlTarget{"", *at};
}

}  // namespace tidegate
