// SPDX-License-Identifier: Apache-2.0
// AirGapConnector: drives a SenderLink over a Loop. The link decides, this class only carries out: connect,
// write, close, wake. The same code runs over kernel sockets and in the simulator. Thread rules: the loop's
// thread; notify_batches() and request_confirm() from any.
#pragma once

#include <memory>
#include <vector>

#include "base/net.h"
#include "protocol/native/sender_link.h"

namespace tidegate {

struct AirGapConnectorOptions {
  Endpoint remote;  // the device's inner (virtual) address
  ConnectionOptions connection;
  SenderLinkOptions link;
};

class AirGapConnector {
 public:
  // Everything given outlives the connector. `notices` gets what the link wants logged.
  AirGapConnector(Loop* loop, Clock* clock, Random* random, SenderStore* store,
                  AirGapConnectorOptions options, std::function<void(const TxNotice&)> notices);
  ~AirGapConnector();
  AirGapConnector(const AirGapConnector&) = delete;
  AirGapConnector& operator=(const AirGapConnector&) = delete;

  void start();
  // Sends nothing new; calls `done` when every answer that is owed has come or the lanes are closed.
  void stop(std::function<void()> done);
  void notify_batches();
  void request_confirm();
  // Runs `change` on the link (operator's statements) and carries out what follows.
  void with_link(const std::function<void(SenderLink&, LinkNanos)>& change);

  SenderLink& link() { return link_; }
  const SenderLink& link() const { return link_; }

 private:
  class LaneConnection;
  void after_input();
  void act(TxAction& action);
  void wake_later();

  Loop* loop_;
  AirGapConnectorOptions options_;
  std::function<void(const TxNotice&)> notices_;
  SenderLink link_;
  std::vector<std::unique_ptr<LaneConnection>> lanes_;
  std::uint64_t timer_ = 0;
  LinkNanos timer_at_ = kNever;
  bool acting_ = false;
  std::function<void()> stopped_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace tidegate
