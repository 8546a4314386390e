// SPDX-License-Identifier: Apache-2.0
#include "pipe/connect/connector_plugin.h"

namespace tidegate {
namespace {

// Takes everything and keeps nothing. What it took counts as written.
class DoNothingConnector final : public Connector {
 public:
  std::string describe() const override { return "do-nothing-connector"; }
  Status open(Lsn, ByteView) override { return {}; }
  DeliverResult deliver(const std::vector<DeliverableBatch>& batches, const std::function<bool()>&) override {
    DeliverResult result;
    for (const DeliverableBatch& batch : batches) result.written_events += batch.summary.events;
    return result;
  }
};

Result<std::unique_ptr<Connector>> make(Env, const Attributes&, const ConnectorContext&) {
  return std::unique_ptr<Connector>(std::make_unique<DoNothingConnector>());
}

}  // namespace

ConnectorPlugin do_nothing_connector_plugin() {
  return {.info = builtin_connector("do-nothing-connector", {"do-nothing-sink"}, "DoNothingConnector", {}),
          .make = make};
}

}  // namespace tidegate
