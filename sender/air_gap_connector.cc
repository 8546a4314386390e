// SPDX-License-Identifier: Apache-2.0
#include "sender/air_gap_connector.h"

#include "base/crash_point.h"

namespace tidegate {

class AirGapConnector::LaneConnection : public ConnectionHandler {
 public:
  LaneConnection(AirGapConnector* owner, LaneId lane) : owner_(owner), lane_(lane) {}

  void connect() {
    connection_ = owner_->loop_->connect(owner_->options_.remote, owner_->options_.connection, this);
  }
  void write(Bytes bytes) {
    if (connection_) connection_->write(std::move(bytes));
  }
  void close() {
    if (connection_) connection_->close(false);
  }

  void on_connected() override {
    input([this](SenderLink& link, LinkNanos now) { link.on_connected(lane_, now); });
  }
  void on_bytes(ByteView bytes) override {
    crash_point("link.answer-read");
    input([&](SenderLink& link, LinkNanos now) { link.on_bytes(lane_, bytes, now); });
  }
  void on_written() override {
    crash_point("link.frame-sent");

    input([this](SenderLink& link, LinkNanos now) { link.on_written(lane_, now); });
  }
  void on_drained() override {}
  void on_closed(const Error& reason) override {
    input([&](SenderLink& link, LinkNanos now) { link.on_closed(lane_, reason.text(), now); });
  }

 private:
  // The link may replace this object while it acts on the input, so nothing is touched afterwards.
  template <class F>
  void input(F f) {
    AirGapConnector* owner = owner_;
    f(owner->link_, owner->loop_->now());
    owner->after_input();
  }

  AirGapConnector* owner_;
  LaneId lane_;
  std::unique_ptr<Connection> connection_;
};

AirGapConnector::AirGapConnector(Loop* loop, Clock* clock, Random* random, SenderStore* store,
                                 AirGapConnectorOptions options, std::function<void(const TxNotice&)> notices)
    : loop_(loop),
      options_(std::move(options)),
      notices_(std::move(notices)),
      link_(options_.link, store, random),
      lanes_(std::max<std::size_t>(options_.link.lanes, 1)) {
  link_.set_wall_clock([clock] { return clock->wall_micros(); });
}

AirGapConnector::~AirGapConnector() {
  *alive_ = false;
  loop_->cancel(timer_);
}

void AirGapConnector::start() {
  link_.start(loop_->now());
  after_input();
}

void AirGapConnector::stop(std::function<void()> done) {
  stopped_ = std::move(done);
  link_.stop(loop_->now());
  after_input();
}

void AirGapConnector::notify_batches() {
  loop_->post([this, alive = alive_] {
    if (!*alive) return;
    link_.on_batches_available(loop_->now());
    after_input();
  });
}

void AirGapConnector::request_confirm() {
  loop_->post([this, alive = alive_] {
    if (*alive) with_link([](SenderLink& link, LinkNanos now) { link.request_confirm(now); });
  });
}

void AirGapConnector::with_link(const std::function<void(SenderLink&, LinkNanos)>& change) {
  change(link_, loop_->now());
  after_input();
}

void AirGapConnector::after_input() {
  if (acting_) return;
  acting_ = true;
  for (auto actions = link_.take_actions(); !actions.empty(); actions = link_.take_actions())
    for (TxAction& action : actions) act(action);
  acting_ = false;
  if (stopped_ && link_.stopped()) {
    const auto done = std::exchange(stopped_, nullptr);
    loop_->cancel(timer_);
    return done();
  }
  wake_later();
}

void AirGapConnector::act(TxAction& action) {
  if (const auto* connect = std::get_if<TxConnect>(&action)) {
    lanes_.at(connect->lane) = std::make_unique<LaneConnection>(this, connect->lane);
    lanes_.at(connect->lane)->connect();
  } else if (auto* write = std::get_if<TxWrite>(&action)) {
    if (lanes_.at(write->lane)) lanes_.at(write->lane)->write(std::move(write->bytes));
  } else if (const auto* close = std::get_if<TxClose>(&action)) {
    // Only closed here: the object may be the one whose event is being handled. It goes with the next
    // connect.
    if (lanes_.at(close->lane)) lanes_.at(close->lane)->close();
  } else if (const auto* note = std::get_if<TxNotice>(&action)) {
    notices_(*note);
  }
}

void AirGapConnector::wake_later() {
  const LinkNanos at = link_.wake_at();
  if (at == timer_at_) return;
  loop_->cancel(timer_);
  timer_ = 0;
  timer_at_ = at;
  if (at == kNever) return;
  timer_ = loop_->call_at(at, [this, alive = alive_] {
    if (!*alive) return;
    timer_ = 0;
    timer_at_ = kNever;
    link_.on_time(loop_->now());
    after_input();
  });
}

}  // namespace tidegate
