// SPDX-License-Identifier: Apache-2.0
// AirGapListener over kernel sockets on the loopback: what crosses, and what the reverse direction can carry.
#include "receiver/air_gap_listener.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <future>
#include <thread>

#include "base/asio_loop.h"
#include "protocol/native/receiver_test_rig.h"

namespace tidegate {
namespace {

// Durable at the next turn of the loop.
class MemoryCommitter : public Committer {
 public:
  MemoryCommitter(Loop* loop, MemoryReceiverStore* store) : loop_(loop), store_(store) {}
  void submit(StoreRequest request, std::function<void(Status)> done) override {
    loop_->post(
        [this, request = std::move(request), done = std::move(done)] { done(store_->apply(request)); });
  }

 private:
  Loop* loop_;
  MemoryReceiverStore* store_;
};

// A sender's end by hand: a blocking socket in the test's thread; every wait has a deadline.
class Client {
 public:
  explicit Client(std::uint16_t port, std::uint64_t session = 1) : session_(session) {
    socket_ = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(socket_, reinterpret_cast<const sockaddr*>(&to), sizeof(to)) == 0;
  }
  ~Client() { ::close(socket_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  bool connected() const { return connected_; }
  Bytes frame(const MessageBody& body, StreamId stream = 0) {
    NativeHeader header;
    header.session = session_;
    header.stream = stream;
    header.frame_number = ++frames_;
    return encode_outer_frame(encode_message(header, body), Wrap::kNone);
  }
  void write(ByteView wire) {
    ASSERT_EQ(::send(socket_, wire.data(), wire.size(), MSG_NOSIGNAL), static_cast<ssize_t>(wire.size()));
  }
  // The next answers, 'o', 'f' or '?'; 'x' for the end of the stream, '.' when nothing comes for 5 s.
  std::string read(std::size_t count, std::uint8_t ok = 0x00, std::uint8_t fail = 0xFF) {
    std::string out;
    while (out.size() < count) {
      pollfd wait{socket_, POLLIN, 0};
      if (::poll(&wait, 1, 5000) != 1) return out + '.';
      std::uint8_t byte = 0;
      if (::recv(socket_, &byte, 1, 0) != 1) return out + 'x';
      out += byte == ok ? 'o' : byte == fail ? 'f' : '?';
    }
    return out;
  }
  std::string say(const MessageBody& body, StreamId stream = 0) {
    write(frame(body, stream));
    return read(1);
  }
  std::string open(const History& history, Seq confirmed = 0) {
    const std::string link = say(ReceiverRig::link_hello(1, session_));
    return link + say(history.hello(confirmed), 1);
  }
  // Segments with payload that this end has received, as its kernel counts them.
  std::uint32_t data_segments() const {
    tcp_info info{};
    socklen_t size = sizeof(info);
    EXPECT_EQ(::getsockopt(socket_, IPPROTO_TCP, TCP_INFO, &info, &size), 0);
    return info.tcpi_data_segs_in;
  }

 private:
  int socket_ = -1;
  bool connected_ = false;
  std::uint64_t session_;
  std::uint32_t frames_ = 0;
};

class AirGapListenerTest : public testing::Test {
 protected:
  template <class F>
  auto in_loop(F f) {
    std::promise<decltype(f())> result;
    loop_.post([&] {
      if constexpr (std::is_void_v<decltype(f())>)
        f(), result.set_value();
      else
        result.set_value(f());
    });
    return result.get_future().get();
  }
  void start(AirGapListenerOptions options = {}) {
    options.listen = {"127.0.0.1", 0};
    listener_ = std::make_unique<AirGapListener>(&loop_, &store_, &committer_, std::move(options),
                                                 [this](const RxNotice& n) { notices_ += n.text + "\n"; });
    ASSERT_TRUE(listener_->start().ok());
    port_ = listener_->port();
    thread_ = std::thread([this] { loop_.run(); });
  }
  void TearDown() override {
    if (!thread_.joinable()) return;
    in_loop([this] { listener_->stop(); });
    loop_.stop();
    thread_.join();
    listener_.reset();
  }
  Seq position() {
    return in_loop([this] { return store_.stream(test_id(2), 1).position; });
  }

  AsioLoop loop_;
  MemoryReceiverStore store_;
  MemoryCommitter committer_{&loop_, &store_};
  std::unique_ptr<AirGapListener> listener_;
  std::uint16_t port_ = 0;
  std::thread thread_;
  std::string notices_;
  History history_{40};
};

TEST_F(AirGapListenerTest, DataCrossesAndIsAnsweredWhenItIsStored) {
  start();
  Client client(port_);
  EXPECT_EQ(client.open(history_), "oo");
  EXPECT_EQ(client.say(history_.frame(1, 10), 1), "o");
  EXPECT_EQ(position(), 10U);
  EXPECT_EQ(client.say(history_.frame(20, 20), 1), "f");
  EXPECT_EQ(client.read(1), "x");
  EXPECT_EQ(position(), 10U);
}

TEST_F(AirGapListenerTest, EveryAnswerIsASegmentOfItsOwnWhateverArrivesAtOnce) {
  start();
  Client client(port_);
  Bytes burst;
  std::string expected;
  for (int i = 0; i < 60; ++i) {
    const Bytes frame = client.frame(Probe{i % 3 == 0});
    burst.insert(burst.end(), frame.begin(), frame.end());
    expected += i % 3 == 0 ? 'o' : 'f';
  }
  client.write(burst);
  EXPECT_EQ(client.read(60), expected);
  EXPECT_EQ(client.data_segments(), 60U);
}

TEST_F(AirGapListenerTest, TheTwoValuesAreThoseOfTheProfile) {
  AirGapListenerOptions options;
  options.answer_ok = 0xFF;
  options.answer_fail = 0x00;
  start(std::move(options));
  Client client(port_);
  client.write(client.frame(Probe{true}));
  client.write(client.frame(Probe{false}));
  EXPECT_EQ(client.read(2, 0xFF, 0x00), "of");
}

TEST_F(AirGapListenerTest, APeerThatIsNotAdmittedIsClosedWithoutAByte) {
  AirGapListenerOptions options;
  options.admit = [](const std::string& peer) { return !peer.starts_with("127."); };
  start(std::move(options));
  Client client(port_);
  ASSERT_TRUE(client.connected());
  EXPECT_EQ(client.read(1), "x");
  EXPECT_NE(in_loop([this] { return notices_; }).find("allow-list"), std::string::npos);
}

TEST_F(AirGapListenerTest, AfterACutTheNextSessionGoesOn) {
  start();
  {
    Client client(port_, 1);
    client.open(history_);
    EXPECT_EQ(client.say(history_.frame(1, 5), 1), "o");
    const Bytes cut_off = client.frame(history_.frame(6, 6), 1);
    client.write(ByteView(cut_off).subspan(0, cut_off.size() / 2));
  }
  Client client(port_, 2);
  EXPECT_EQ(client.open(history_, 5), "oo");
  EXPECT_EQ(client.say(history_.frame(6, 9), 1), "o");
  EXPECT_EQ(position(), 9U);
}

TEST_F(AirGapListenerTest, ANewerSessionClosesTheSocketsOfTheOlderOne) {
  start();
  Client old(port_, 1);
  old.open(history_);
  Client young(port_, 2);
  EXPECT_EQ(young.open(history_), "oo");
  EXPECT_EQ(old.read(1), "x");
}

TEST_F(AirGapListenerTest, NotReadyAcceptsAndCloses) {
  start();
  in_loop([this] { listener_->link().set_ready(false); });
  Client client(port_);
  ASSERT_TRUE(client.connected());
  EXPECT_EQ(client.read(1), "x");
}

TEST_F(AirGapListenerTest, StopClosesTheConnectionsAndListensNoMore) {
  start();
  Client client(port_);
  ASSERT_EQ(client.say(Probe{true}), "o");
  in_loop([this] { listener_->stop(); });
  EXPECT_EQ(client.read(1), "x");
  EXPECT_FALSE(Client(port_).connected());
}

TEST_F(AirGapListenerTest, APortInUseIsAnErrorThatNamesIt) {
  start();
  AirGapListenerOptions options;
  options.listen = {"127.0.0.1", port_};
  AirGapListener second(&loop_, &store_, &committer_, options, [](const RxNotice&) {});
  const Status status = in_loop([&] { return second.start(); });
  ASSERT_FALSE(status.ok());
  EXPECT_NE(status.error().text().find(std::to_string(port_)), std::string::npos);
}

}  // namespace
}  // namespace tidegate
