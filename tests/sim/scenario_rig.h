// SPDX-License-Identifier: Apache-2.0
// For the scenario tests: one plant with verbs. A scenario is a bad day, scripted; the oracle is the same as
// for random schedules, and TearDown asks it.
#pragma once

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "pipe/model/container.h"
#include "tests/sim/world.h"

namespace tidegate::sim {

class Scenario : public testing::Test {
 protected:
  Scenario() {
    SenderSetup s;
    s.sender_id.bytes.fill(1);
    s.link.codecs = kCodecsKnown;
    s.link.wire_limit = 8000;
    s.journal.segment_bytes = 8 << 10;
    s.journal.window = {24LL * 3600 * 1'000'000, 20};
    setup.senders = {s};
    setup.receiver.receiver_id.bytes.fill(99);
    setup.receiver.link.wire_limit = 8000;
    setup.receiver.journal = s.journal;
    if (std::getenv("TIDEGATE_SIM_TRACE") != nullptr)
      setup.trace = [](const std::string& line) { std::fprintf(stderr, "%s\n", line.c_str()); };
  }
  void TearDown() override {
    if (world_) finish();
  }

  // ---- the plant; setup may be changed before the first verb
  World& w() {
    if (!world_) {
      world_ = std::make_unique<World>(setup);
      world_->run_for(15 * kSecond);  // connected, calibrated, streams open
    }
    return *world_;
  }
  SenderMachine& sender(std::size_t i = 0) { return w().sender(i); }
  ReceiverMachine& receiver() { return *w().receiver; }
  Gatekeeper& device() { return w().device; }
  SenderLinkOptions& link() { return setup.senders.front().link; }
  // A fresh plant of the same setup: for scenarios that try many moments.
  void again() { world_.reset(); }

  // ---- verbs
  void produce(std::uint32_t batches, std::uint32_t largest = 150) { sender().produce(batches, largest); }
  void run(double seconds) { w().run_for(static_cast<Nanos>(seconds * 1e9)); }
  void settle(Nanos bound = 3600 * kSecond) { EXPECT_TRUE(w().settle(bound)) << "it does not come to rest"; }
  void produce_and_settle(std::uint32_t batches, std::uint32_t largest = 150) {
    produce(batches, largest);
    settle();
  }
  // Trims at the sender what is confirmed, without a safety window.
  void release() {
    sender().setup().journal.window = {0, 20};
    sender().crash(kSecond);
    settle();
    for (int i = 0; i < 3; ++i) {
      sender().confirm_and_trim();
      run(5);
    }
    ASSERT_GT(view().trimmed, 0U) << "nothing was released";
  }
  void finish() {
    EXPECT_TRUE(world_->finish());
    for (const std::string& v : world_->violations()) ADD_FAILURE() << v;
  }

  // ---- what can be seen
  Id journal() { return *sender().journal_id(); }
  FarStream far(StreamId stream = 1) { return receiver().position(journal(), stream); }
  SenderStreamView view(StreamId stream = 1) {
    for (const SenderStreamView& v : sender().link()->streams())
      if (v.stream == stream) return v;
    return {};
  }
  std::uint32_t generation() { return sender().store()->generation(1); }
  const SenderLinkCounters& counters() { return sender().link()->counters(); }
  std::size_t ledger(const std::string& kind) {
    std::size_t count = 0;
    for (const LedgerEntry& e : receiver().state().ledger_recent()) count += e.kind == kind ? 1 : 0;
    return count;
  }
  bool running() { return sender().link() != nullptr && sender().link()->state() == LinkState::kRun; }

  WorldSetup setup;

 private:
  std::unique_ptr<World> world_;
};

}  // namespace tidegate::sim
