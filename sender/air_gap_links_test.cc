// SPDX-License-Identifier: Apache-2.0
// Pipes as streams of links, without a network: the loop does not run.
#include "sender/air_gap_links.h"

#include <gtest/gtest.h>

#include "base/asio_loop.h"
#include "pipe/engine/outbox.h"
#include "pipe/stream/stream_test_rig.h"

namespace tidegate {
namespace {

struct AirGapLinksTest : testing::Test {
  void SetUp() override { open(); }
  void open() {
    TG_OK(box.open());
    box.near_options.link_of = [this](const std::string&) { return links->journal_of(connector); };
    box.near =
        std::make_unique<NearStore>(box.sim.env(), box.journal.get(), box.state.get(), box.near_options);
    AirGapLinksOptions options;
    options.identity = {box.near->sender_id(), box.journal->id()};
    options.link.remote = {"10.0.0.9", 9780};
    options.notices = [](const TxNotice&) {};
    links = std::make_unique<AirGapLinks>(box.sim.env(), &loop, box.near.get(), options);
  }
  void restart() {
    carrier.reset(), links.reset(), box.close();
    box.sim.files.process_crash();
    open();
  }
  CarriedJournal main() { return {box.journal.get(), box.state.get(), &records, false}; }
  void carry(const std::string& pipe = "p") {
    carrier = links->make_carrier(connector, {.pipe = pipe, .from = main()});
  }

  AsioLoop loop;
  Box box;
  RecordCache records;
  Attributes connector{"iotdb-air-gap-connector", {}};
  std::unique_ptr<AirGapLinks> links;
  std::unique_ptr<Carrier> carrier;
};

TEST_F(AirGapLinksTest, AStoppedPipeKeepsItsStreamThroughARestart) {
  carry();
  TG_OK(carrier->start());
  TG_OK(box.fill(1, 3));
  TG_OK(carrier->stop());
  const auto before = box.near->streams();
  ASSERT_EQ(before.size(), 1U);
  restart();
  carry();  // and is not started
  TG_OK(links->drop_others());
  EXPECT_EQ(box.near->streams(), before);
  TG_OK(carrier->start());
  EXPECT_EQ(box.near->streams(), before);
}

TEST_F(AirGapLinksTest, TheStreamOfAPipeThatIsGoneHoldsNothingAfterARestart) {
  carry();
  TG_OK(carrier->start());
  restart();
  TG_OK(links->drop_others());
  EXPECT_TRUE(box.near->streams().empty());
}

TEST_F(AirGapLinksTest, APipeThatGetsAnOutboxLeavesItsStreamOfTheJournal) {
  carry();
  TG_OK(carrier->start());
  JournalOptions journal;
  journal.reserve_bytes = 0;
  auto outbox = Outbox::open(box.sim.env(), "/outbox/p", journal);
  TG_OK(outbox);
  const CarriedJournal from{&(*outbox)->journal(), &(*outbox)->state(), &(*outbox)->records(), true};
  auto next = links->make_carrier(connector, {.pipe = "p", .from = from});
  EXPECT_FALSE(carrier->is_succeeded_by(*next));
  TG_OK(carrier->leave());
  EXPECT_TRUE(box.near->streams().empty());
  TG_OK(next->start());
  EXPECT_EQ((*outbox)->state().near_streams().size(), 1U);
  next.reset();
}

TEST_F(AirGapLinksTest, AnotherAddressIsAnotherLinkWithAnotherIdentity) {
  carry();
  connector.values = {{"ip", "10.0.0.8"}, {"port", "9780"}};
  auto other = links->make_carrier(connector, {.pipe = "q", .from = main()});
  EXPECT_EQ(links->all().size(), 2U);
  EXPECT_NE(links->journal_of(connector), box.journal->id());
  connector.values = {{"ip", "10.0.0.9"}, {"port", "9780"}};
  EXPECT_EQ(links->journal_of(connector), box.journal->id())
      << "the address of the configuration is its link";
}

TEST_F(AirGapLinksTest, APipeThatMovesToAnotherLinkGoesOnBehindWhatIsConfirmed) {
  carry();
  TG_OK(carrier->start());
  TG_OK(box.fill(1, 5));
  const StreamId first = box.near->streams().front();
  TG_OK(box.near->set_confirmed(first, 3));
  TG_OK(carrier->stop());
  connector.values = {{"ip", "10.0.0.8"}, {"port", "9780"}};
  auto other = links->make_carrier(connector, {.pipe = "p", .from = main()});
  TG_OK(other->start());
  const auto streams = box.state->near_streams();
  ASSERT_EQ(streams.size(), 1U);
  EXPECT_NE(streams.front().id, first);
  EXPECT_EQ(streams.front().first_lsn, 4U);
  EXPECT_EQ(streams.front().chain_zero, chain_zero(links->journal_of(connector), streams.front().id));
}

TEST_F(AirGapLinksTest, WhatThisVersionCannotSpeakIsSaidAtStart) {
  connector.values = {{"dialect", "iotdb"}};
  carry();
  const Status started = carrier->start();
  ASSERT_FALSE(started.ok());
  EXPECT_EQ(started.error().code, ErrorCode::kUnsupported);
  EXPECT_NE(started.error().text().find("dialect"), std::string::npos);
}

}  // namespace
}  // namespace tidegate
