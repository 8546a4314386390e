// SPDX-License-Identifier: Apache-2.0
// AirGapLinks: the links of a sender and the pipes that they carry, each as a stream (or several, where
// damage has cut one).
//
// The link of the configuration always runs, for its state to be seen. A pipe whose connector names another
// device address gets a further link; pipes with the same address share one. Links and stores live in the
// loop's thread; carriers may be used from any: what they change is carried out there and waited for. Before
// the loop runs everything is carried out at once.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "pipe/control/loop_call.h"
#include "pipe/engine/attributes.h"
#include "pipe/engine/carrier.h"
#include "pipe/stream/link_store.h"
#include "sender/air_gap_connector.h"

namespace tidegate {

struct AirGapLinksOptions {
  LinkIdentity identity;
  AirGapConnectorOptions link;  // of the configuration; the others differ in their address
  std::function<bool(const std::string& pipe)> gap_allowed = [](const std::string&) { return false; };
  std::function<std::string()> beat;
  std::function<void(const TxNotice&)> notices;
};

class AirGapLinks {
 public:
  // All outlive it. `main` is the store of the daemon's journal.
  AirGapLinks(Env env, Loop* loop, NearStore* main, AirGapLinksOptions options);
  ~AirGapLinks();

  // The journal id that the link of these attributes shows.
  Id journal_of(const Attributes& connector) const;
  std::unique_ptr<Carrier> make_carrier(const Attributes& connector, const CarrierPlan& plan);
  // Streams of the daemon's journal that no carrier has taken: of pipes that are gone. Once, before start().
  Status drop_others();

  // ---- the loop's thread
  void start();
  void stop(std::function<void()> done);
  AirGapConnector& own() const { return *own_->connector; }
  void request_confirm();
  std::vector<std::pair<std::string, AirGapConnector*>> all();  // address, link

  // ---- any thread
  void notify();
  // In the loop's thread, waited for. kBusy: the loop did not take it, and will not.
  Status in_loop(const std::function<Status()>& task) const { return gate_.run(task); }

 private:
  friend class AirGapCarrier;
  struct Link {
    explicit Link(NearStore* main, LinkIdentity identity) : store(main, identity) {}
    LinkStore store;
    std::unique_ptr<AirGapConnector> connector;
    std::string address;
    bool started = false;
  };
  // What attributes ask for. Those that agree in the name share a link.
  struct Wanted {
    std::string name;  // empty: the link of the configuration
    AirGapConnectorOptions options;
    std::string unavailable;  // why it cannot be: what is to be changed
  };
  Wanted wanted(const Attributes& connector) const;
  Link& link(const Wanted& wanted);

  Env env_;
  Loop* loop_;
  LoopGate gate_;
  NearStore* main_;
  AirGapLinksOptions options_;
  std::map<std::string, std::unique_ptr<Link>> links_;  // by address; empty: of the configuration
  Link* own_ = nullptr;
  bool running_ = false;
};

}  // namespace tidegate
