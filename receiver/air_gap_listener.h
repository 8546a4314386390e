// SPDX-License-Identifier: Apache-2.0
// AirGapListener: drives a ReceiverLink over a Loop. The link decides, this class only carries out: accept,
// answer with one byte per TCP segment, store, close, wake. The same code runs over kernel sockets and in the
// simulator. Thread rules: the loop's thread.
#pragma once

#include <map>
#include <memory>

#include "base/net.h"
#include "protocol/native/receiver_link.h"

namespace tidegate {

// Appends and syncs what the link asks for, in the order of the calls; `done` is called in the loop's thread
// when the request is durable or has failed. Many requests may share one sync.
class Committer {
 public:
  virtual ~Committer() = default;
  virtual void submit(StoreRequest request, std::function<void(Status)> done) = 0;
};

struct AirGapListenerOptions {
  Endpoint listen;
  ReceiverLinkOptions link;
  std::uint8_t answer_ok = 0x00;  // the only two values that can ever go back
  std::uint8_t answer_fail = 0xFF;
  LinkNanos user_timeout = 60 * kLinkSecond;
  std::size_t max_connections = 256;  // each may hold a frame in memory; more are closed at once
  // May this peer address ("address:port") connect? A fence, not an identity.
  std::function<bool(const std::string& peer)> admit = [](const std::string&) { return true; };
};

class AirGapListener {
 public:
  AirGapListener(Loop* loop, ReceiverStore* store, Committer* committer, AirGapListenerOptions options,
                 std::function<void(const RxNotice&)> notices);
  ~AirGapListener();
  AirGapListener(const AirGapListener&) = delete;
  AirGapListener& operator=(const AirGapListener&) = delete;

  Status start();
  void stop();  // closes the listener and all connections
  std::uint16_t port() const { return listener_ ? listener_->port() : 0; }
  ReceiverLink& link() { return link_; }
  const ReceiverLink& link() const { return link_; }

 private:
  class Peer;
  ConnectionHandler* accept(std::unique_ptr<Connection> connection);
  void after_input();
  void act(RxAction& action);
  void wake_later();
  void bury();

  Loop* loop_;
  Committer* committer_;
  AirGapListenerOptions options_;
  std::function<void(const RxNotice&)> notices_;
  ReceiverLink link_;
  std::unique_ptr<Listener> listener_;
  std::map<ConnectionId, std::unique_ptr<Peer>> peers_;
  std::vector<std::unique_ptr<Peer>> buried_;  // closed in the middle of their own event
  ConnectionId last_id_ = 0;
  std::uint64_t timer_ = 0;
  LinkNanos timer_at_ = kNever;
  bool acting_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace tidegate
