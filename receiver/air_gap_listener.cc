// SPDX-License-Identifier: Apache-2.0
#include "receiver/air_gap_listener.h"

#include "base/crash_point.h"

namespace tidegate {

class AirGapListener::Peer : public ConnectionHandler {
 public:
  Peer(AirGapListener* owner, ConnectionId id, std::unique_ptr<Connection> connection)
      : owner_(owner), id_(id), connection_(std::move(connection)) {}

  // The reverse channel by type: one byte, one of two values, per call; ReceiverLink calls again only when
  // the last byte has been acknowledged, so a segment never carries two.
  void answer(Byte answer) {
    crash_point("listener.before-answer");
    connection_->write({answer == Byte::kOk ? owner_->options_.answer_ok : owner_->options_.answer_fail});
  }
  void close() { connection_->close(false); }

  void on_connected() override {}
  void on_bytes(ByteView bytes) override {
    owner_->link_.on_bytes(id_, bytes, owner_->loop_->now());
    owner_->after_input();
  }
  void on_written() override {}
  void on_drained() override {
    owner_->link_.on_answer_acknowledged(id_, owner_->loop_->now());
    owner_->after_input();
  }
  void on_closed(const Error&) override {
    AirGapListener* owner = owner_;
    owner->link_.on_closed(id_, owner->loop_->now());
    if (auto node = owner->peers_.extract(id_)) owner->buried_.push_back(std::move(node.mapped()));
    owner->after_input();
  }

 private:
  AirGapListener* owner_;
  ConnectionId id_;
  std::unique_ptr<Connection> connection_;
};

AirGapListener::AirGapListener(Loop* loop, ReceiverStore* store, Committer* committer,
                               AirGapListenerOptions options, std::function<void(const RxNotice&)> notices)
    : loop_(loop),
      committer_(committer),
      options_(std::move(options)),
      notices_(std::move(notices)),
      link_(options_.link, store) {}

AirGapListener::~AirGapListener() {
  *alive_ = false;
  loop_->cancel(timer_);
}

Status AirGapListener::start() {
  ConnectionOptions connection;
  connection.want_drained = true;
  connection.user_timeout = options_.user_timeout;
  auto listener = loop_->listen(options_.listen, connection,
                                [this](std::unique_ptr<Connection> c) { return accept(std::move(c)); });
  if (!listener.ok()) return std::move(listener).error();
  listener_ = std::move(listener).value();
  return {};
}

void AirGapListener::stop() {
  listener_.reset();
  link_.stop(loop_->now());
  after_input();
}

ConnectionHandler* AirGapListener::accept(std::unique_ptr<Connection> connection) {
  const std::string peer = connection->peer();
  if (!options_.admit(peer)) {
    notices_({false, "peer " + peer + " is not in the allow-list: closed"});
    return nullptr;
  }
  if (peers_.size() >= options_.max_connections) {
    notices_({true, "peer " + peer + ": " + std::to_string(peers_.size()) +
                        " connections are open already, which is the limit: closed"});
    return nullptr;
  }
  const ConnectionId id = ++last_id_;
  auto handler = std::make_unique<Peer>(this, id, std::move(connection));
  ConnectionHandler* raw = handler.get();
  peers_.emplace(id, std::move(handler));
  link_.on_accepted(id, peer, loop_->now());
  after_input();
  return raw;
}

void AirGapListener::after_input() {
  if (acting_) return;
  acting_ = true;
  for (auto actions = link_.take_actions(); !actions.empty(); actions = link_.take_actions())
    for (RxAction& action : actions) act(action);
  acting_ = false;
  if (!buried_.empty()) bury();
  wake_later();
}

// Peers are destroyed outside their own events.
void AirGapListener::bury() {
  auto gone = std::make_shared<std::vector<std::unique_ptr<Peer>>>(std::exchange(buried_, {}));
  loop_->post([gone] { gone->clear(); });
}

void AirGapListener::act(RxAction& action) {
  if (const auto* answer = std::get_if<RxAnswer>(&action)) {
    if (const auto it = peers_.find(answer->connection); it != peers_.end())
      it->second->answer(answer->answer);
  } else if (const auto* close = std::get_if<RxClose>(&action)) {
    if (auto node = peers_.extract(close->connection)) {
      node.mapped()->close();
      buried_.push_back(std::move(node.mapped()));
    }
    notices_({false, "a connection is closed: " + close->reason});
  } else if (auto* store = std::get_if<RxStore>(&action)) {
    crash_point("listener.before-store");
    committer_->submit(std::move(store->request),
                       [this, alive = alive_, token = store->token](Status status) {
                         if (!*alive) return;
                         link_.on_stored(token, status, loop_->now());
                         after_input();
                       });
  } else if (const auto* note = std::get_if<RxNotice>(&action)) {
    notices_(*note);
  }
}

void AirGapListener::wake_later() {
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
