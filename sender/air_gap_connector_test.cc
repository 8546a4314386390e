// SPDX-License-Identifier: Apache-2.0
// AirGapConnector over kernel sockets on the loopback, with a ReceiverLink at the far end.
#include "sender/air_gap_connector.h"

#include <gtest/gtest.h>

#include "base/asio_loop.h"
#include "base/real_env.h"
#include "protocol/native/link_test_rig.h"

namespace tidegate {
namespace {

constexpr std::uint32_t kQuestions = 1000;  // a rate that does not slow the tests down

// The far end in the same loop: a ReceiverLink over sockets; what it stores is durable at once.
class FarEnd {
 public:
  explicit FarEnd(Loop* loop) : link(options(), &store), loop_(loop) {}

  std::uint16_t listen(std::uint16_t port = 0) {
    ConnectionOptions options;
    options.want_drained = true;
    auto listener = loop_->listen({"127.0.0.1", port}, options,
                                  [this](std::unique_ptr<Connection> c) { return accept(std::move(c)); });
    EXPECT_TRUE(listener.ok());
    listener_ = std::move(*listener);
    return listener_->port();
  }
  void cut(bool reset) {
    for (auto& [id, peer] : peers_) {
      peer->connection->close(reset);
      link.on_closed(id, loop_->now());
    }
    buried_.merge(peers_);
  }
  std::size_t accepted() const { return last_; }
  Seq position() const { return store.stream(test_id(2), 1).position; }

  MemoryReceiverStore store;
  ReceiverLink link;
  bool silent = false;  // answers are kept back

 private:
  static ReceiverLinkOptions options() {
    ReceiverLinkOptions out;
    out.questions_per_second = kQuestions;
    out.questions_per_minute = kQuestions;
    return out;
  }
  struct Peer : ConnectionHandler {
    FarEnd* far = nullptr;
    ConnectionId id = 0;
    std::unique_ptr<Connection> connection;
    void on_connected() override {}
    void on_bytes(ByteView bytes) override {
      far->link.on_bytes(id, bytes, far->loop_->now());
      far->pump();
    }
    void on_written() override {}
    void on_drained() override {
      far->link.on_answer_acknowledged(id, far->loop_->now());
      far->pump();
    }
    void on_closed(const Error&) override {
      far->link.on_closed(id, far->loop_->now());
      if (auto node = far->peers_.extract(id)) far->buried_.insert(std::move(node));
    }
  };
  ConnectionHandler* accept(std::unique_ptr<Connection> connection) {
    auto peer = std::make_unique<Peer>();
    peer->far = this;
    peer->id = ++last_;
    peer->connection = std::move(connection);
    link.on_accepted(peer->id, "loopback", loop_->now());
    return peers_.emplace(last_, std::move(peer)).first->second.get();
  }
  void pump() {
    for (auto actions = link.take_actions(); !actions.empty(); actions = link.take_actions())
      for (RxAction& action : actions) act(action);
  }
  void act(RxAction& action) {
    if (const auto* answer = std::get_if<RxAnswer>(&action)) {
      const std::uint8_t byte = answer->answer == Byte::kOk ? 0x00 : 0xFF;
      if (!silent && peers_.contains(answer->connection))
        peers_.at(answer->connection)->connection->write({byte});
    } else if (const auto* close = std::get_if<RxClose>(&action)) {
      if (auto node = peers_.extract(close->connection)) {
        node.mapped()->connection->close(false);
        buried_.insert(std::move(node));
      }
    } else if (const auto* request = std::get_if<RxStore>(&action)) {
      link.on_stored(request->token, store.apply(request->request), loop_->now());
    }
  }

  Loop* loop_;
  std::unique_ptr<Listener> listener_;
  std::map<ConnectionId, std::unique_ptr<Peer>> peers_, buried_;
  ConnectionId last_ = 0;
};

class AirGapConnectorTest : public testing::Test {
 protected:
  void start(std::uint16_t port, std::uint8_t lanes = 1) {
    AirGapConnectorOptions options;
    options.remote = {"127.0.0.1", port};
    options.link.lanes = lanes;
    options.link.wire_limit = 20'000;
    options.link.quiet_min = 5 * kMillisecond;
    options.link.questions_per_second = options.link.questions_per_minute = kQuestions;
    connector_ = std::make_unique<AirGapConnector>(&loop_, real_env().clock, &random_, &store_, options,
                                                   [this](const TxNotice& n) { notices_ += n.text + "\n"; });
    connector_->start();
  }
  void produce(std::size_t count, std::size_t size = 100) {
    store_.produce(count, size, &seed_);
    connector_->notify_batches();
  }
  // Runs the loop until the condition holds; fails after 10 s.
  void until(const std::function<bool()>& condition) {
    const Nanos deadline = loop_.now() + 10 * kSecond;
    std::function<void()> check = [&] {
      if (condition() || loop_.now() > deadline) return loop_.stop();
      loop_.call_at(loop_.now() + kMillisecond, check);
    };
    loop_.post(check);
    loop_.run();
    ASSERT_TRUE(condition()) << "nothing happened for 10 s\n" << notices_;
  }
  void TearDown() override {
    if (!connector_) return;
    bool done = false;
    far_.silent = false;
    connector_->stop([&] { done = true; });
    far_.cut(false);
    until([&] { return done; });
  }

  AsioLoop loop_;
  CountingRandom random_;
  MemorySenderStore store_;
  FarEnd far_{&loop_};
  std::string notices_;
  std::uint64_t seed_ = 1;
  std::unique_ptr<AirGapConnector> connector_;
};

TEST_F(AirGapConnectorTest, DataCrossesAndIsConfirmed) {
  start(far_.listen());
  produce(200);
  until([&] { return far_.position() == 200; });
  connector_->request_confirm();
  until([&] { return store_.confirmed(1) == 200; });
  EXPECT_EQ(connector_->link().counters().doubts, 0U) << notices_;
}

TEST_F(AirGapConnectorTest, SeveralLanesCarryOneStream) {
  start(far_.listen(), 3);
  produce(500, 400);
  until([&] { return far_.position() == 500; });
  EXPECT_EQ(far_.accepted(), 3U);
  EXPECT_EQ(connector_->link().counters().doubts, 0U) << notices_;
}

TEST_F(AirGapConnectorTest, ABatchLargerThanAFrameCrosses) {
  start(far_.listen());
  produce(1, 300'000);
  until([&] { return far_.position() == 1; });
  EXPECT_EQ(far_.store.stored.size(), 1U);
}

TEST_F(AirGapConnectorTest, AfterACutItConnectsAgainAndNothingIsLostOrDoubled) {
  start(far_.listen(), 2);
  for (int i = 1; i <= 6; ++i) {
    produce(50);
    until([&] { return far_.position() >= static_cast<Seq>(50 * i - 25); });
    far_.cut(i % 2 == 0);  // by FIN and by RST
  }
  until([&] { return far_.position() == 300; });
  EXPECT_EQ(far_.store.stored.size(), 300U);
  EXPECT_GE(connector_->link().counters().sessions, 2U);
}

TEST_F(AirGapConnectorTest, ItKeepsTryingUntilSomebodyListens) {
  std::uint16_t port = 0;
  {
    FarEnd gone(&loop_);
    port = gone.listen();
  }
  start(port);
  produce(5);
  until([&] { return connector_->link().counters().doubts >= 3; });
  far_.listen(port);
  until([&] { return far_.position() == 5; });
}

TEST_F(AirGapConnectorTest, StopWaitsForTheAnswersThatAreOwed) {
  start(far_.listen());
  // The proof that opens each session is over: silence meets the batch, not a question in front of it.
  until([&] { return connector_->link().counters().confirms == 1; });
  far_.silent = true;
  produce(1);
  until([&] { return far_.position() == 1; });
  bool done = false;
  connector_->stop([&] { done = true; });
  loop_.call_at(loop_.now() + 50 * kMillisecond, [&] { loop_.stop(); });
  loop_.run();
  EXPECT_FALSE(done) << "an answer is still owed";
  far_.cut(false);
  until([&] { return done; });
  connector_.reset();
}

}  // namespace
}  // namespace tidegate
