// SPDX-License-Identifier: Apache-2.0
#include "pipe/stream/link_store.h"

#include "pipe/stream/stream_test_rig.h"

namespace tidegate {
namespace {

// A daemon's journal, and the outbox of one of its pipes.
struct LinkStoreTest : testing::Test {
  void SetUp() override {
    TG_OK(main.open());
    open_outbox();
    own = {main.near->sender_id(), main.journal->id()};
  }
  void open_outbox() {
    outbox.near_options.link_of = [this](const std::string&) { return main.journal->id(); };
    outbox.near_options.give_number = [this](const std::string& label) {
      return main.near->reserve_stream(label);
    };
    TG_OK(outbox.journal ? outbox.reopen() : outbox.open());
  }
  Box main{1}, outbox{2};
  LinkIdentity own;
};

TEST_F(LinkStoreTest, AnOutboxGetsItsNumberFromTheJournalWhoseLinkCarriesIt) {
  const StreamId first = *main.near->create_stream("a", 0);
  const StreamId of_outbox = *outbox.near->create_stream("b", 0);
  const StreamId next = *main.near->create_stream("c", 0);
  EXPECT_EQ(of_outbox, first + 1);
  EXPECT_EQ(next, of_outbox + 1);
  EXPECT_EQ(outbox.near->info(of_outbox)->chain_zero, chain_zero(main.journal->id(), of_outbox));
}

TEST_F(LinkStoreTest, ANumberThatWasGivenAwayIsNotGivenAgainAfterARestart) {
  const StreamId given = *main.near->reserve_stream("b");
  TG_OK(main.reopen());
  EXPECT_EQ(*main.near->reserve_stream("b"), given + 1);
}

TEST_F(LinkStoreTest, EachStreamIsReadFromItsOwnJournal) {
  const StreamId a = *main.near->create_stream("a", 0);
  const StreamId b = *outbox.near->create_stream("b", 0);
  TG_OK(main.fill(1, 3));
  TG_OK(outbox.fill(10, 2));
  LinkStore link(main.near.get(), own);
  link.carry(a, main.near.get(), false);
  link.carry(b, outbox.near.get(), true);
  EXPECT_EQ(link.streams(), (std::vector<StreamId>{a, b}));
  EXPECT_EQ(link.head(a), 3U);
  EXPECT_EQ(link.head(b), 2U);
  EXPECT_FALSE(link.paused(a));
  EXPECT_TRUE(link.paused(b));
  TG_OK(link.set_confirmed(b, 2));
  EXPECT_EQ(outbox.near->confirmed(b), 2U);
  EXPECT_EQ(main.near->confirmed(a), 0U);
  TG_OK(link.ended(b));
  EXPECT_EQ(link.streams(), std::vector<StreamId>{a});
}

TEST_F(LinkStoreTest, AStreamThatAnotherStoreHasTakenOverStays) {
  const StreamId b = *outbox.near->create_stream("b", 0);
  LinkStore link(main.near.get(), own);
  link.carry(b, main.near.get(), false);
  link.carry(b, outbox.near.get(), false);
  link.forget(b, main.near.get());
  EXPECT_TRUE(link.carries(b));
  link.forget(b, outbox.near.get());
  EXPECT_FALSE(link.carries(b));
}

TEST_F(LinkStoreTest, ALimitHoldsBackWhatIsAlreadyThere) {
  const StreamId a = *main.near->create_stream("a", 0);
  TG_OK(main.fill(1, 3));
  LinkStore link(main.near.get(), own);
  link.carry(a, main.near.get(), false);
  link.set_limit(a, [](Seq head) { return std::min<Seq>(head, 2); });
  EXPECT_EQ(link.head(a), 2U);
}

TEST_F(LinkStoreTest, AFurtherLinkHasAnIdentityOfItsOwnThatStaysTheSame) {
  const LinkIdentity other = identity_for(own, "10.0.0.9:9780");
  EXPECT_NE(other.sender, own.sender);
  EXPECT_NE(other.journal, own.journal);
  EXPECT_EQ(other, identity_for(own, "10.0.0.9:9780"));
  EXPECT_NE(other, identity_for(own, "10.0.0.9:9781"));
}

}  // namespace
}  // namespace tidegate
