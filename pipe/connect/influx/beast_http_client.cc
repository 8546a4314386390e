// SPDX-License-Identifier: Apache-2.0
// The only file that knows Boost.Beast.
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>
#include <chrono>
#include <optional>

#include "pipe/connect/influx/http_client.h"

namespace tidegate {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
namespace ssl = boost::asio::ssl;
using boost::system::error_code;
using TlsStream = beast::ssl_stream<beast::tcp_stream>;
using Body = http::span_body<const std::uint8_t>;

constexpr std::uint64_t kBodyLimit = 1 << 20;
constexpr std::chrono::milliseconds kStopCheck(20);

class BeastHttpClient final : public HttpClient {
 public:
  explicit BeastHttpClient(HttpTarget target) : target_(std::move(target)) {}

  Status prepare_tls(const HttpClientOptions& options) {
    error_code error;
    tls_.emplace(ssl::context::tls_client);
    if (options.ca_file.empty()) {
      tls_->set_default_verify_paths(error);
    } else {
      tls_->load_verify_file(options.ca_file, error);
    }
    if (error) {
      return Error(ErrorCode::kInvalidConfiguration, "certificates: " + error.message())
          .at_path(options.ca_file);
    }
    tls_->set_verify_mode(options.verify_tls ? ssl::verify_peer : ssl::verify_none, error);
    verify_ = options.verify_tls;
    return {};
  }

  Result<HttpResponse> send(const HttpRequest& request, Nanos timeout,
                            const std::function<bool()>& stop) override {
    stop_ = &stop;
    deadline_ = std::chrono::steady_clock::now() + std::chrono::nanoseconds(timeout);
    const bool kept = connected_;
    auto response = attempt(request);
    // The server may have closed the kept connection at any time: that says nothing about the request.
    if (!response.ok() && kept && response.error().code == ErrorCode::kClosed && !stop())
      response = attempt(request);
    return response;
  }

  void close() override {
    if (plain_.has_value()) plain_->close();
    if (secure_.has_value()) beast::get_lowest_layer(*secure_).close();
    plain_.reset();
    secure_.reset();
    buffer_.clear();
    connected_ = false;
  }

 private:
  beast::tcp_stream& lowest() { return plain_.has_value() ? *plain_ : beast::get_lowest_layer(*secure_); }

  // Starts an operation and waits for its end, the deadline or a stop. `start` gets a handler for the error
  // code.
  template <class Start>
  error_code wait(Start start) {
    std::optional<error_code> done;
    start([&done](error_code error, auto&&...) { done = error; });
    io_.restart();
    while (!done.has_value()) {
      io_.run_for(kStopCheck);
      const bool late = std::chrono::steady_clock::now() >= deadline_;
      if (done.has_value() || (!late && !(*stop_)())) continue;
      cancel();
      while (!done.has_value()) io_.run_for(kStopCheck);
      return late ? error_code(beast::error::timeout) : error_code(asio::error::operation_aborted);
    }
    return *done;
  }

  void cancel() {
    resolver_.cancel();
    if (plain_.has_value() || secure_.has_value()) lowest().cancel();
  }

  Error failure(error_code error, std::string_view doing) {
    close();
    std::string text = "while " + std::string(doing) + ": ";
    if (error == beast::error::timeout) {
      return Error(ErrorCode::kTimeout, text + "no answer in time").from_peer(target_.text());
    }
    text += error.message();
    const bool garbage = error.category() == http::make_error_code(http::error::bad_version).category() &&
                         error != http::error::end_of_stream && error != http::error::partial_message;
    const bool connecting =
        doing.starts_with("connecting") || doing.starts_with("resolving") || doing.starts_with("TLS");
    const ErrorCode code = garbage      ? ErrorCode::kMalformed
                           : connecting ? ErrorCode::kUnreachable
                                        : ErrorCode::kClosed;
    return Error(code, text).from_peer(target_.text());
  }

  Status connect() {
    asio::ip::tcp::resolver::results_type addresses;
    error_code error = wait([&](auto handler) {
      resolver_.async_resolve(target_.host, std::to_string(target_.port),
                              [&addresses, handler](error_code e, const auto& found) mutable {
                                addresses = found;
                                handler(e);
                              });
    });
    if (error) return failure(error, "resolving the host name");
    tls_.has_value() ? void(secure_.emplace(io_, *tls_)) : void(plain_.emplace(io_));
    error = wait([&](auto handler) { lowest().async_connect(addresses, handler); });
    if (error) return failure(error, "connecting");
    lowest().socket().set_option(asio::ip::tcp::no_delay(true), error);
    if (tls_.has_value()) TG_CHECK(handshake());
    connected_ = true;
    return {};
  }

  Status handshake() {
    if (verify_) secure_->set_verify_callback(ssl::host_name_verification(target_.host));
    if (SSL_set_tlsext_host_name(secure_->native_handle(), target_.host.c_str()) != 1) {
      return failure(asio::error::invalid_argument, "TLS: the host name");
    }
    const error_code error =
        wait([&](auto handler) { secure_->async_handshake(ssl::stream_base::client, handler); });
    if (error) return failure(error, "TLS handshake");
    return {};
  }

  Result<HttpResponse> attempt(const HttpRequest& request) {
    if (!connected_) TG_CHECK(connect());
    return plain_.has_value() ? exchange(*plain_, request) : exchange(*secure_, request);
  }

  template <class Stream>
  Result<HttpResponse> exchange(Stream& stream, const HttpRequest& request) {
    http::request<Body> message(http::string_to_verb({request.method.data(), request.method.size()}),
                                target_.base_path + request.target, 11);
    const bool v6 = target_.host.find(':') != std::string::npos;
    message.set(http::field::host,
                (v6 ? "[" + target_.host + "]" : target_.host) + ":" + std::to_string(target_.port));
    message.set(http::field::user_agent, "tidegate");
    for (const auto& [name, value] : request.headers) message.set(name, value);
    message.body() = {request.body.data(), request.body.size()};
    message.prepare_payload();
    // A server may answer (413, 401) before it has read all: then the write fails and the answer is still
    // there to read.
    const error_code wrote = wait([&](auto handler) { http::async_write(stream, message, handler); });
    if (wrote == beast::error::timeout || wrote == asio::error::operation_aborted)
      return failure(wrote, "sending");
    http::response_parser<http::string_body> parser;
    parser.body_limit(kBodyLimit);
    const error_code read = wait([&](auto handler) { http::async_read(stream, buffer_, parser, handler); });
    if (read) return failure(read, "waiting for the answer");
    HttpResponse out;
    out.status = static_cast<int>(parser.get().result_int());
    out.retry_after = std::string(parser.get()[http::field::retry_after]);
    out.body = std::move(parser.get().body());
    if (wrote || !parser.keep_alive()) close();
    return out;
  }

  const HttpTarget target_;
  asio::io_context io_;
  asio::ip::tcp::resolver resolver_{io_};
  std::optional<ssl::context> tls_;  // https
  bool verify_ = true;
  std::optional<beast::tcp_stream> plain_;
  std::optional<TlsStream> secure_;
  beast::flat_buffer buffer_;
  bool connected_ = false;
  const std::function<bool()>* stop_ = nullptr;
  std::chrono::steady_clock::time_point deadline_;
};

}  // namespace

Result<std::unique_ptr<HttpClient>> make_http_client(const HttpClientOptions& options) {
  auto client = std::make_unique<BeastHttpClient>(options.target);
  if (options.target.tls) TG_CHECK(client->prepare_tls(options));
  return std::unique_ptr<HttpClient>(std::move(client));
}

}  // namespace tidegate
