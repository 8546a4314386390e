// SPDX-License-Identifier: Apache-2.0
#include "base/asio_loop.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <thread>

#include "base/real_env.h"

namespace tidegate {
namespace {

// Records the events of one connection as words.
class Recorder final : public ConnectionHandler {
 public:
  explicit Recorder(std::function<void(const std::string&)> then = {}) : then_(std::move(then)) {}
  void on_connected() override { note("connected"); }
  void on_bytes(ByteView bytes) override {
    received += as_text(bytes);
    note("bytes");
  }
  void on_written() override { note("written"); }
  void on_drained() override { note("drained"); }
  void on_closed(const Error& reason) override {
    error = reason;
    note("closed");
  }
  bool saw(const std::string& event) const {
    return std::find(events.begin(), events.end(), event) != events.end();
  }

  std::vector<std::string> events;
  std::string received;
  Error error;

 private:
  void note(const std::string& event) {
    ASSERT_FALSE(inside_call) << event << " came from inside a call";
    events.push_back(event);
    if (then_) then_(event);
  }
  std::function<void(const std::string&)> then_;

 public:
  inline static bool inside_call = false;
};

class AsioLoopTest : public testing::Test {
 protected:
  void listen(const std::string& host, ConnectionOptions options = {}) {
    auto listener = loop_.listen({host, 0}, options, [this](std::unique_ptr<Connection> connection) {
      accepted_ = std::move(connection);
      return refuse_ ? nullptr : &server_;
    });
    ASSERT_TRUE(listener.ok()) << listener.error().text();
    listener_ = std::move(*listener);
  }
  void connect(const std::string& host, ConnectionOptions options = {}) {
    Recorder::inside_call = true;
    client_connection_ = loop_.connect({host, listener_->port()}, options, &client_);
    Recorder::inside_call = false;
  }
  void write(Connection& connection, Bytes bytes) {
    Recorder::inside_call = true;
    connection.write(std::move(bytes));
    Recorder::inside_call = false;
  }
  // Runs the loop until the condition holds; fails after 5 s.
  void until(const std::function<bool()>& condition) {
    const Nanos deadline = loop_.now() + 5 * kSecond;
    std::function<void()> check = [&] {
      if (condition() || loop_.now() > deadline) return loop_.stop();
      loop_.call_at(loop_.now() + kMillisecond, check);
    };
    loop_.post(check);
    loop_.run();
    ASSERT_TRUE(condition()) << "nothing happened for 5 s";
  }
  void connected_pair(ConnectionOptions options = {}) {
    listen("127.0.0.1");
    connect("127.0.0.1", options);
    until([this] { return client_.saw("connected") && accepted_ != nullptr; });
  }
  static Bytes text(std::string_view t) { return to_bytes(as_bytes(t)); }

  AsioLoop loop_;
  Recorder server_;
  Recorder client_;
  bool refuse_ = false;
  std::unique_ptr<Listener> listener_;
  std::unique_ptr<Connection> accepted_;
  std::unique_ptr<Connection> client_connection_;
};

TEST_F(AsioLoopTest, BytesCrossBothWaysAndAreReportedWrittenThenDrained) {
  connected_pair({.want_drained = true});
  write(*client_connection_, text("ping"));
  write(*accepted_, text("pong"));
  until(
      [this] { return server_.received == "ping" && client_.received == "pong" && client_.saw("drained"); });
  const auto written = std::find(client_.events.begin(), client_.events.end(), "written");
  EXPECT_LT(written, std::find(client_.events.begin(), client_.events.end(), "drained"));
  EXPECT_FALSE(server_.saw("drained"));
}

TEST_F(AsioLoopTest, ALargeWriteIsReportedOnlyWhenItHasLeft) {
  connected_pair({.want_drained = true, .unsent_low_water = 16 * 1024});
  constexpr std::size_t kSize = 32U << 20;
  write(*client_connection_, Bytes(kSize, 7));
  std::size_t received_when_written = 0;
  until([&] {
    if (client_.saw("written") && received_when_written == 0) received_when_written = server_.received.size();
    return client_.saw("drained");
  });
  EXPECT_GT(received_when_written, kSize / 2) << "the kernel may hold only what its buffers hold";
  until([&] { return server_.received.size() == kSize; });
}

TEST_F(AsioLoopTest, SeveralWritesEndInOneReport) {
  connected_pair();
  for (int i = 0; i < 3; ++i) write(*client_connection_, text("x"));
  until([this] { return server_.received == "xxx" && client_.saw("written"); });
  EXPECT_EQ(std::count(client_.events.begin(), client_.events.end(), "written"), 1);
}

TEST_F(AsioLoopTest, AnOrderlyCloseIsTheEndOfTheStreamWithItsPeer) {
  connected_pair();
  client_connection_->close(false);
  until([this] { return server_.saw("closed"); });
  EXPECT_EQ(server_.error.code, ErrorCode::kClosed);
  EXPECT_EQ(server_.error.peer, accepted_->peer());
  EXPECT_NE(server_.error.text().find("closed the connection"), std::string::npos);
  EXPECT_FALSE(client_.saw("closed")) << "no event after close()";
}

TEST_F(AsioLoopTest, AResetIsSeenAsAReset) {
  connected_pair();
  client_connection_->close(true);
  until([this] { return server_.saw("closed"); });
  EXPECT_NE(server_.error.text().find("reset"), std::string::npos) << server_.error.text();
}

TEST_F(AsioLoopTest, BytesWrittenBeforeACloseArrive) {
  connected_pair();
  write(*accepted_, text("last"));
  until([this] { return server_.saw("written"); });
  accepted_->close(false);
  until([this] { return client_.saw("closed"); });
  EXPECT_EQ(client_.received, "last");
}

TEST_F(AsioLoopTest, ARefusedConnectIsUnreachableAndNamesTheEndpoint) {
  listen("127.0.0.1");
  const std::uint16_t port = listener_->port();
  listener_.reset();
  client_connection_ = loop_.connect({"127.0.0.1", port}, {}, &client_);
  until([this] { return client_.saw("closed"); });
  EXPECT_EQ(client_.error.code, ErrorCode::kUnreachable);
  EXPECT_EQ(client_.error.peer, "127.0.0.1:" + std::to_string(port));
}

TEST_F(AsioLoopTest, AnUnknownNameIsUnreachable) {
  client_connection_ = loop_.connect({"no-such-host.invalid", 1}, {}, &client_);
  until([this] { return client_.saw("closed"); });
  EXPECT_EQ(client_.error.code, ErrorCode::kUnreachable);
}

TEST_F(AsioLoopTest, NamesAndIpv6Connect) {
  listen("*");
  connect("localhost");
  until([this] { return client_.saw("connected"); });
  if (!loop_.listen({"::1", 0}, {}, [](auto) { return nullptr; }).ok())
    GTEST_SKIP() << "this machine has no IPv6";
  Recorder other;
  const auto v6 = loop_.connect({"::1", listener_->port()}, {}, &other);
  until([&] { return other.saw("connected"); });
  EXPECT_EQ(v6->peer(), "[::1]:" + std::to_string(listener_->port()));
}

TEST_F(AsioLoopTest, ARefusedConnectionIsClosedByTheListener) {
  refuse_ = true;
  listen("127.0.0.1");
  connect("127.0.0.1");
  until([this] { return client_.saw("closed"); });
}

TEST_F(AsioLoopTest, AConnectionMayBeDestroyedInItsOwnHandler) {
  Recorder suicidal([this](const std::string& event) {
    if (event == "connected") client_connection_.reset();
  });
  listen("127.0.0.1");
  client_connection_ = loop_.connect({"127.0.0.1", listener_->port()}, {}, &suicidal);
  until([this] { return server_.saw("closed"); });
  EXPECT_EQ(suicidal.events, std::vector<std::string>{"connected"});
}

TEST_F(AsioLoopTest, APortInUseIsRefusedWithItsName) {
  listen("127.0.0.1");
  const Endpoint same{"127.0.0.1", listener_->port()};
  const auto second = loop_.listen(same, {}, [](auto) { return nullptr; });
  ASSERT_FALSE(second.ok());
  EXPECT_NE(second.error().text().find(same.text()), std::string::npos);
}

TEST_F(AsioLoopTest, TimersRunInOrderAndACancelledOneDoesNot) {
  std::string order;
  const Nanos now = loop_.now();
  std::uint64_t cancelled = 0;
  loop_.call_at(now + 3 * kMillisecond, [&] { order += "c"; });
  loop_.call_at(now, [&] {
    order += "a";
    loop_.cancel(cancelled);
  });
  cancelled = loop_.call_at(now + kMicrosecond, [&] { order += "x"; });
  loop_.call_at(now + 2 * kMillisecond, [&] { order += "b"; });
  until([&] { return order.size() >= 3; });
  EXPECT_EQ(order, "abc");
  EXPECT_GE(loop_.now(), now + 3 * kMillisecond);
}

TEST_F(AsioLoopTest, PostedTasksOfAnotherThreadRunInOrder) {
  std::vector<int> seen;
  std::thread other([&] {
    for (int i = 0; i < 100; ++i) loop_.post([&seen, i] { seen.push_back(i); });
  });
  until([&] { return seen.size() == 100; });
  other.join();
  EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
}

TEST_F(AsioLoopTest, ASignalIsDeliveredToTheLoop) {
  std::vector<int> signals;
  loop_.on_signal([&](int number) { signals.push_back(number); });
  std::raise(SIGHUP);
  until([&] { return signals.size() == 1; });
  std::raise(SIGTERM);
  until([&] { return signals.size() == 2; });
  EXPECT_EQ(signals, (std::vector<int>{SIGHUP, SIGTERM}));
}

TEST_F(AsioLoopTest, AStopBeforeRunIsRemembered) {
  loop_.stop();
  loop_.run();
  SUCCEED() << "run() returned";
}

TEST_F(AsioLoopTest, TheClockIsThatOfTheEnv) {
  const Nanos before = real_env().clock->now();
  const Nanos here = loop_.now();
  EXPECT_LE(before, here);
  EXPECT_LE(here, real_env().clock->now());
}

TEST(EndpointTest, IsWrittenWithBracketsAroundIpv6) {
  EXPECT_EQ((Endpoint{"host", 9999}.text()), "host:9999");
  EXPECT_EQ((Endpoint{"fe80::1", 80}.text()), "[fe80::1]:80");
}

}  // namespace
}  // namespace tidegate
