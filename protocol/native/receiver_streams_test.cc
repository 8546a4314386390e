// SPDX-License-Identifier: Apache-2.0
// ReceiverLink alone: stream hellos, batches, parts, gaps, ends and what happens when storing fails. One test
// per rule of doc/wire_format.md.
#include <gtest/gtest.h>

#include "protocol/native/receiver_test_rig.h"

namespace tidegate {
namespace {

class ReceiverStreams : public testing::Test {
 protected:
  void at(Seq position) { rig.with_position(history, position); }
  Reason reason(StreamId stream = 1, std::uint64_t session = 50) {
    const ConnectionId c = session - 41;  // also its lane, which is below 16
    rig.greet(c, session, 16);
    for (std::uint8_t k = 1; k <= kLastReason; ++k)
      if (rig.yes(c, reason_is(static_cast<Reason>(k)), stream)) return static_cast<Reason>(k);
    return Reason::kNone;
  }

  History history{40};
  ReceiverRig rig;
};

// ---- R2 to R4

TEST_F(ReceiverStreams, R2OkIsSaidOnlyWhenTheBatchIsDurable) {
  at(0);
  rig.auto_sync = false;
  rig.say(1, history.frame(1, 3), 1);
  EXPECT_EQ(rig.answers(1), "");
  rig.sync_all();
  EXPECT_EQ(rig.answers(1), "o");
  EXPECT_EQ(rig.position(), 3U);
}

TEST_F(ReceiverStreams, R2AndNotBeforeEveryBatchBeforeItIsDurable) {
  rig.open(1, history, 0, 1, 2);
  rig.greet(2, 1, 2);
  rig.forget_answers(2);
  rig.auto_sync = false;
  rig.say(1, history.frame(1, 1), 1);
  rig.say(2, history.frame(2, 2), 1);
  EXPECT_EQ(rig.answers(2), "");
  rig.sync_one();
  EXPECT_EQ(rig.answers(1) + "|" + rig.answers(2), "o|");
  rig.sync_one();
  EXPECT_EQ(rig.answers(2), "o");
}

TEST_F(ReceiverStreams, R3ADuplicateIsOkAndStoredOnce) {
  at(5);
  rig.say(1, history.frame(2, 4), 1);
  EXPECT_EQ(rig.answers(1), "o");
  EXPECT_EQ(rig.store.stored.size(), 5U);
  EXPECT_EQ(rig.link.counters().duplicate_batches, 3U);
}

TEST_F(ReceiverStreams, R3ADuplicateOfWhatIsNotYetSyncedWaitsForThatSync) {
  rig.open(1, history, 0, 1, 2);
  rig.greet(2, 1, 2);
  rig.forget_answers(2);
  rig.auto_sync = false;
  rig.say(1, history.frame(1, 2), 1);
  rig.say(2, history.frame(1, 2), 1);
  EXPECT_EQ(rig.answers(2), "");
  EXPECT_EQ(rig.disk.size(), 1U);
  rig.sync_all();
  EXPECT_EQ(rig.answers(1) + rig.answers(2), "oo");
}

TEST_F(ReceiverStreams, R3AKnownNumberWithOtherContentIsDiverged) {
  at(5);
  rig.say(1, history.branch(3, 5).frame(4, 5), 1);
  EXPECT_EQ(rig.answers(1), "fx");
  EXPECT_EQ(rig.store.stored.size(), 5U);
  EXPECT_EQ(reason(), Reason::kDiverged);
}

TEST_F(ReceiverStreams, R3AKnownNumberWhoseChainIsNotKeptIsChainUnknown) {
  at(5);
  rig.store.streams.at({test_id(2), 1}).chains[3].reset();
  rig.say(1, history.frame(3, 3), 1);
  EXPECT_EQ(rig.answers(1), "fx");
  EXPECT_EQ(reason(), Reason::kChainUnknown);
}

TEST_F(ReceiverStreams, R4ANextBatchWithAnotherPreviousChainIsDiverged) {
  at(5);
  rig.say(1, history.branch(4, 5).frame(6, 6), 1);
  EXPECT_EQ(rig.answers(1), "fx");
  EXPECT_EQ(rig.position(), 5U);
  EXPECT_EQ(reason(), Reason::kDiverged);
}

TEST_F(ReceiverStreams, R4ContentThatIsNotWhatItsHashSaysIsDamagedAndNothingIsStored) {
  at(5);
  BatchFrame frame = history.frame(6, 6);
  const Bytes other = {1, 2, 3};
  frame.container = other;
  rig.say(1, frame, 1);
  EXPECT_EQ(rig.answers(1), "fx");
  EXPECT_EQ(rig.position(), 5U);
  EXPECT_EQ(reason(0), Reason::kDamaged);
}

TEST_F(ReceiverStreams, DamageIsKeptForTheLinkUntilAnyBatchIsAccepted) {
  at(5);
  BatchFrame frame = history.frame(6, 6);
  const Bytes other = {1, 2, 3};
  frame.container = other;
  rig.say(1, frame, 1);
  EXPECT_EQ(reason(1, 50), Reason::kNone);
  EXPECT_EQ(reason(0, 51), Reason::kDamaged);
  rig.open(2, history, 5, 52, 16);
  rig.say(2, history.frame(6, 6), 1);
  EXPECT_EQ(rig.position(), 6U);
  EXPECT_EQ(reason(0, 53), Reason::kNone);
}

// ---- overlap

TEST_F(ReceiverStreams, AFrameThatOverlapsIsStoredFromThePositionOn) {
  for (Seq first = 1; first <= 6; ++first)
    for (Seq last = first; last <= 9; ++last) {
      ReceiverRig r;
      r.with_position(history, 5);
      r.say(1, history.frame(first, last), 1);
      ASSERT_EQ(r.answers(1), "o") << first << ".." << last;
      ASSERT_EQ(r.position(), std::max<Seq>(5, last));
      ASSERT_EQ(r.store.stored.size(), r.position());
      ASSERT_EQ(r.store.chain(test_id(2), 1, r.position()), history.chain(r.position()));
    }
}

TEST_F(ReceiverStreams, AnOverlapThatDivergesAnywhereStoresNothing) {
  for (Seq b = 0; b < 5; ++b)
    for (Seq first = b + 1; first <= 5; ++first) {
      ReceiverRig r;
      r.with_position(history, 5);
      r.say(1, history.branch(b, 9).frame(first, 8), 1);
      ASSERT_EQ(r.answers(1), "fx") << "diverges after " << b << ", frame from " << first;
      ASSERT_EQ(r.position(), 5U);
    }
}

// ---- R5: holding

TEST_F(ReceiverStreams, R5WithoutLanesABatchAheadIsNotContiguous) {
  at(5);
  rig.say(1, history.frame(7, 7), 1);
  EXPECT_EQ(rig.answers(1), "fx");
  EXPECT_EQ(reason(), Reason::kNotContiguous);
}

TEST_F(ReceiverStreams, R5WithLanesABatchAheadWaitsForTheOnesBeforeIt) {
  rig.open(1, history, 0, 1, 3);
  for (const ConnectionId c : {2, 3}) rig.greet(c, 1, 3), rig.forget_answers(c);
  rig.say(3, history.frame(5, 6), 1);
  rig.say(2, history.frame(3, 4), 1);
  EXPECT_EQ(rig.answers(2) + rig.answers(3), "");
  rig.say(1, history.frame(1, 2), 1);
  EXPECT_EQ(rig.answers(1) + rig.answers(2) + rig.answers(3), "ooo");
  EXPECT_EQ(rig.position(), 6U);
}

TEST_F(ReceiverStreams, R5ABatchThatWaitsTooLongClosesItsLaneWithoutAnAnswer) {
  rig.open(1, history, 0, 1, 2);
  rig.greet(2, 1, 2);
  rig.forget_answers(2);
  rig.say(2, history.frame(2, 2), 1);
  rig.run_for(4900 * kLinkMillisecond);
  EXPECT_EQ(rig.answers(2), "");
  rig.run_for(200 * kLinkMillisecond);
  EXPECT_EQ(rig.answers(2), "x");
  EXPECT_EQ(rig.answers(1), "");
}

TEST_F(ReceiverStreams, R5AHeldBatchThatTurnsOutToDivergeIsRefused) {
  rig.open(1, history, 0, 1, 2);
  rig.greet(2, 1, 2);
  rig.forget_answers(2);
  rig.say(2, history.branch(0, 5).frame(2, 2), 1);
  rig.auto_sync = false;
  rig.say(1, history.frame(1, 1), 1);
  EXPECT_EQ(rig.answers(2), "fx");
  rig.sync_all();
  EXPECT_EQ(rig.position(), 1U);
}

TEST_F(ReceiverStreams, R5WhatIsHeldIsBounded) {
  rig.open(1, history, 0, 1, 2);
  History longer(400);
  for (Seq n = 300; n > 200; --n) rig.say(1, longer.frame(n, n), 1);
  EXPECT_NE(rig.notices.find("too many batches wait"), std::string::npos);
  rig.run_for(5 * kLinkSecond);
  EXPECT_EQ(rig.answers(1), "x");
}

// ---- parts

class Parts : public ReceiverStreams {
 protected:
  void SetUp() override { at(0); }
  PartFrame part(std::uint32_t offset, std::size_t size, Seq seq = 1) {
    body = encode_batch_body(history.frame(seq, seq));
    return {seq, offset, static_cast<std::uint32_t>(body.size()), ByteView(body).subspan(offset, size)};
  }
  std::size_t rest(std::uint32_t offset) { return body.size() - offset; }
  Bytes body = encode_batch_body(History(1).frame(1, 1));
};

TEST_F(Parts, MakeTheBatchOfTheirBody) {
  rig.say(1, part(0, 10), 1);
  rig.say(1, part(10, 20), 1);
  EXPECT_EQ(rig.position(), 0U);
  rig.say(1, part(30, rest(30)), 1);
  EXPECT_EQ(rig.answers(1), "ooo");
  EXPECT_EQ(rig.position(), 1U);
}

TEST_F(Parts, CutAnywhereIntoTwoMakeTheSame) {
  for (std::uint32_t cut = 1; cut < body.size(); ++cut) {
    ReceiverRig r;
    r.with_position(history, 0);
    r.say(1, part(0, cut), 1);
    r.say(1, part(cut, rest(cut)), 1);
    ASSERT_EQ(r.answers(1), "oo") << cut;
    ASSERT_EQ(r.position(), 1U);
  }
}

TEST_F(Parts, TheFinalOneIsAnsweredWhenTheBatchIsDurable) {
  rig.auto_sync = false;
  rig.say(1, part(0, 10), 1);
  rig.say(1, part(10, rest(10)), 1);
  EXPECT_EQ(rig.answers(1), "o");
  rig.sync_all();
  EXPECT_EQ(rig.answers(1), "oo");
}

TEST_F(Parts, AnyOtherFrameInBetweenDropsThem) {
  rig.say(1, part(0, 10), 1);
  rig.say(1, Probe{true});
  rig.say(1, part(10, 10), 1);
  EXPECT_EQ(rig.answers(1), "oofx");
  EXPECT_EQ(reason(0), Reason::kDamaged);
}

TEST_F(Parts, AWrongOffsetIsDamaged) {
  rig.say(1, part(0, 10), 1);
  rig.say(1, part(11, 10), 1);
  EXPECT_EQ(rig.answers(1), "ofx");
  EXPECT_EQ(reason(0), Reason::kDamaged);
}

TEST_F(Parts, OffsetZeroStartsAfresh) {
  rig.say(1, part(0, 10), 1);
  rig.say(1, part(0, 12), 1);
  rig.say(1, part(12, rest(12)), 1);
  EXPECT_EQ(rig.answers(1), "ooo");
}

TEST_F(Parts, ATotalAboveTheLimitIsTooLargeAndNothingIsAllocated) {
  const Bytes one = {1};
  rig.say(1, PartFrame{1, 0, kDefaultPartTotal + 1, one}, 1);
  EXPECT_EQ(rig.answers(1), "fx");
  EXPECT_EQ(reason(), Reason::kTooLarge);
}

TEST_F(Parts, AnotherTotalOrSeqOrStreamIsDamaged) {
  const auto refused = [&](auto change) {
    ReceiverRig r;
    r.with_position(history, 0);
    r.say(1, History(3, 2).hello(0), 2);
    r.say(1, part(0, 10), 1);
    PartFrame next = part(10, 10);
    StreamId stream = 1;
    change(next, stream);
    r.say(1, next, stream);
    return r.answers(1) == "oofx";
  };
  EXPECT_TRUE(refused([](PartFrame& p, StreamId&) { ++p.total; }));
  EXPECT_TRUE(refused([](PartFrame& p, StreamId&) { ++p.seq; }));
  EXPECT_TRUE(refused([](PartFrame&, StreamId& s) { s = 2; }));
}

TEST_F(Parts, ThatMakeNoBatchOrAnotherBatchAreDamaged) {
  PartFrame other = part(0, body.size());
  other.seq = 2;
  rig.say(1, other, 1);
  EXPECT_EQ(rig.answers(1), "fx");
  EXPECT_EQ(reason(0), Reason::kDamaged);
}

TEST_F(Parts, ACloseDropsThem) {
  rig.say(1, part(0, 10), 1);
  rig.cut(1);
  rig.open(2, history, 0, 2);
  rig.say(2, part(10, 10), 1);
  EXPECT_EQ(rig.answers(2), "fx");
}

// ---- stream hello

TEST_F(ReceiverStreams, R7AnUnknownStreamOpensAtZeroWithoutAForkEvent) {
  rig.greet(1);
  rig.auto_sync = false;
  rig.say(1, history.hello(0), 1);
  ASSERT_EQ(rig.disk.size(), 1U);
  EXPECT_FALSE(std::get<StoreStreamOpen>(rig.disk[0].second).fork);
  EXPECT_EQ(rig.answers(1), "o");
  rig.sync_all();
  EXPECT_EQ(rig.answers(1), "oo");
}

TEST_F(ReceiverStreams, R7AnUnknownStreamThatIsConfirmedIsBehind) {
  rig.greet(1);
  rig.say(1, history.hello(5), 1);
  EXPECT_EQ(rig.answers(1), "of");
  EXPECT_EQ(reason(), Reason::kBehind);
}

struct HelloCase {
  const char* name;
  StreamHello hello;
  std::string answer;
  Reason reason;
};
class StreamHellos : public testing::TestWithParam<HelloCase> {};

// The receiver: position 5, generation 2 with base 2.
const History& cases_history() {
  static const History history(20);
  return history;
}
std::vector<HelloCase> hello_cases() {
  const History& h = cases_history();
  const History other = h.branch(3, 10);
  StreamHello wrong_base = h.hello(4, 3, 4);
  wrong_base.base_chain = other.chain(4);
  return {{"SameGenerationConfirmedKnown", h.hello(5, 2, 2), "o", Reason::kNone},
          {"SameGenerationConfirmedBelow", h.hello(1, 2, 0), "o", Reason::kNone},
          {"SameGenerationConfirmedAbovePosition", h.hello(6, 2, 2), "f", Reason::kBehind},
          {"SameGenerationOtherChain", other.hello(5, 2, 2), "f", Reason::kDiverged},
          {"SameGenerationChainNotKept", h.hello(3, 2, 2), "f", Reason::kChainUnknown},
          {"LowerGeneration", h.hello(5, 1, 0), "f", Reason::kGeneration},
          {"GenerationZero", h.hello(5, 0, 0), "f", Reason::kGeneration},
          {"HigherGenerationForks", h.hello(4, 3, 4), "o", Reason::kNone},
          {"HigherGenerationAtThePosition", h.hello(5, 9, 5), "o", Reason::kNone},
          {"HigherGenerationBaseAbovePosition", h.hello(6, 3, 6), "f", Reason::kBehind},
          {"HigherGenerationConfirmedAboveBase", h.hello(5, 3, 4), "f", Reason::kBehind},
          {"HigherGenerationOtherBase", wrong_base, "f", Reason::kDiverged},
          {"HigherGenerationBaseNotKept", h.hello(3, 3, 3), "f", Reason::kChainUnknown}};
}
INSTANTIATE_TEST_SUITE_P(R7, StreamHellos, testing::ValuesIn(hello_cases()),
                         [](const auto& one) { return one.param.name; });

TEST_P(StreamHellos, AreJudgedByGenerationThenByChain) {
  ReceiverRig rig;
  const History& h = cases_history();
  rig.with_position(h, 2);
  rig.say(1, h.hello(2, 2, 2), 1);
  rig.say(1, h.frame(3, 5), 1);
  ASSERT_EQ(rig.take(1), "oo");
  rig.store.streams.at({test_id(2), 1}).chains[3].reset();
  const FarStream before = rig.store.stream(test_id(2), 1);

  rig.say(1, GetParam().hello, 1);
  EXPECT_EQ(rig.take(1), GetParam().answer);
  EXPECT_TRUE(rig.yes(1, reason_is(GetParam().reason)));
  if (GetParam().answer == "o") return;
  const FarStream after = rig.store.stream(test_id(2), 1);
  EXPECT_EQ(after.position, before.position) << "a refused hello changes nothing";
  EXPECT_EQ(after.generation, before.generation);
}

TEST_F(ReceiverStreams, R7AForkIsDurableBeforeTheOkAndPutsThePositionToItsBase) {
  at(5);
  const History other = history.branch(3, 10);
  rig.auto_sync = false;
  rig.say(1, other.hello(3, 2, 3), 1);
  ASSERT_EQ(rig.disk.size(), 1U);
  const auto open = std::get<StoreStreamOpen>(rig.disk[0].second);
  EXPECT_TRUE(open.fork);
  EXPECT_EQ(open.base, 3U);
  EXPECT_EQ(open.old_last, 5U);
  EXPECT_EQ(rig.answers(1), "");
  rig.sync_all();
  EXPECT_EQ(rig.answers(1), "o");
  EXPECT_EQ(rig.position(), 3U);
  rig.auto_sync = true;
  rig.say(1, other.frame(4, 8), 1);
  EXPECT_EQ(rig.answers(1), "oo");
  EXPECT_EQ(rig.store.stored.size(), 10U) << "both branches are kept";
}

TEST_F(ReceiverStreams, R7NothingOfTheStreamIsTakenWhileAForkIsNotDurable) {
  rig.open(1, history, 0, 1, 2);
  rig.greet(2, 1, 2);
  rig.say(1, history.frame(1, 5), 1);
  rig.auto_sync = false;
  rig.say(1, history.branch(3, 10).hello(3, 2, 3), 1);
  rig.forget_answers(2);
  rig.say(2, history.frame(6, 6), 1);
  EXPECT_EQ(rig.answers(2), "x");
}

TEST_F(ReceiverStreams, R7WhatIsAppendedIsSyncedBeforeAHelloIsJudged) {
  at(0);
  rig.auto_sync = false;
  rig.say(1, history.frame(1, 5), 1);
  rig.greet(2, 2);
  rig.connect(3, 3);
  rig.cut(3);
  rig.auto_sync = false;
  EXPECT_EQ(rig.disk.size(), 2U);
  auto batches = std::move(rig.disk.front());
  rig.disk.pop_front();
  rig.sync_one();  // the session
  rig.say(2, history.hello(5), 1);
  EXPECT_EQ(rig.answers(2), "o") << "the hello waits for the batches";
  rig.disk.push_front(std::move(batches));
  rig.sync_all();
  EXPECT_EQ(rig.answers(2), "oo");
}

// ---- gaps

TEST_F(ReceiverStreams, AGapMovesThePositionToItsEndAndIsWrittenDown) {
  at(5);
  rig.auto_sync = false;
  rig.say(1, history.gap(6, 12), 1);
  EXPECT_EQ(rig.answers(1), "");
  rig.sync_all();
  EXPECT_EQ(rig.answers(1), "o");
  EXPECT_EQ(rig.position(), 12U);
  rig.auto_sync = true;
  rig.say(1, history.frame(13, 14), 1);
  EXPECT_EQ(rig.answers(1), "oo");
  ASSERT_EQ(rig.store.gaps.size(), 1U);
}

TEST_F(ReceiverStreams, AGapThatBeginsBelowThePositionMissesOnlyWhatFollowsIt) {
  at(5);
  rig.say(1, history.gap(3, 9), 1);
  EXPECT_EQ(rig.answers(1), "o");
  ASSERT_EQ(rig.store.gaps.size(), 1U);
  EXPECT_EQ(rig.store.gaps[0].from, 6U);
  EXPECT_EQ(rig.position(), 9U);
}

TEST_F(ReceiverStreams, AGapThatIsKnownAlreadyIsOkIffItsChainIsEqual) {
  at(9);
  rig.say(1, history.gap(3, 8), 1);
  EXPECT_EQ(rig.take(1), "o");
  EXPECT_TRUE(rig.store.gaps.empty());
  rig.say(1, history.branch(5, 9).gap(3, 8), 1);
  EXPECT_EQ(rig.answers(1), "fx");
  EXPECT_EQ(reason(), Reason::kDiverged);
}

TEST_F(ReceiverStreams, AGapWithAnotherPreviousChainIsDiverged) {
  at(5);
  rig.say(1, history.branch(3, 12).gap(6, 9), 1);
  EXPECT_EQ(rig.answers(1), "fx");
  EXPECT_EQ(reason(), Reason::kDiverged);
}

TEST_F(ReceiverStreams, AGapWhosePreviousChainIsNotKeptIsTaken) {
  at(5);
  rig.store.streams.at({test_id(2), 1}).chains[2].reset();
  rig.say(1, history.gap(3, 9), 1);
  EXPECT_EQ(rig.answers(1), "o");
}

TEST_F(ReceiverStreams, AGapAheadIsNotContiguous) {
  at(5);
  rig.say(1, history.gap(7, 9), 1);
  EXPECT_EQ(rig.answers(1), "fx");
  EXPECT_EQ(reason(), Reason::kNotContiguous);
}

TEST_F(ReceiverStreams, R3WhatStandsInAGapIsOkAsADuplicateWhenItEndsWithAnEqualChain) {
  at(5);
  rig.say(1, history.gap(6, 9), 1);
  rig.say(1, history.frame(6, 9), 1);
  EXPECT_EQ(rig.answers(1), "oo");
  EXPECT_EQ(rig.store.stored.size(), 5U);
}

// ---- ends, hops, kinds

TEST_F(ReceiverStreams, AnEndIsNotedAndClosesItsStream) {
  at(5);
  rig.say(1, End{"dropped by the operator"}, 1);
  EXPECT_EQ(rig.take(1), "o");
  rig.say(1, history.frame(6, 6), 1);
  EXPECT_EQ(rig.answers(1), "x");
}

TEST_F(ReceiverStreams, R14HopsAreStoredAsSentAlsoWhenTheyHoldTheReceiver) {
  at(0);
  BatchFrame frame = history.frame(1, 1);
  frame.hops = {test_id(1), rig.store.receiver_id()};
  rig.auto_sync = false;
  rig.say(1, frame, 1);
  ASSERT_EQ(rig.disk.size(), 1U);
  EXPECT_EQ(std::get<StoreBatches>(rig.disk[0].second).hops, frame.hops);
  rig.sync_all();
  EXPECT_EQ(rig.answers(1), "o");
}

TEST_F(ReceiverStreams, R11ContentOfAnyKindIsStored) {
  at(0);
  rig.say(1, history.frame(1, 1), 1);  // three bytes that are no kind at all
  EXPECT_EQ(rig.answers(1), "o");
}

// ---- R12, R13: storing fails

TEST_F(ReceiverStreams, AFailedStoreIsFailWithReasonStorage) {
  at(5);
  rig.store.fail_next = true;
  rig.say(1, history.frame(6, 6), 1);
  EXPECT_EQ(rig.answers(1), "fx");
  EXPECT_EQ(reason(), Reason::kStorage);
}

TEST_F(ReceiverStreams, AFailedStoreRefusesEverythingIssuedAfterItAndTheNextSessionGoesOn) {
  rig.open(1, history, 0, 1, 2);
  rig.greet(2, 1, 2);
  rig.forget_answers(2);
  rig.auto_sync = false;
  rig.say(1, history.frame(1, 1), 1);
  rig.say(2, history.frame(2, 2), 1);
  rig.sync_one(make_error(ErrorCode::kNoSpace, "test"));
  rig.sync_all();
  EXPECT_EQ((rig.answers(1) + rig.answers(2)).find('o'), std::string::npos);
  EXPECT_EQ(rig.position(), 0U);
  rig.auto_sync = true;
  rig.open(3, history, 0, 2);
  rig.say(3, history.frame(1, 2), 1);
  EXPECT_EQ(rig.answers(3), "o");
}

TEST_F(ReceiverStreams, AForkThatCannotBeStoredIsRefusedAndMayBeSaidAgain) {
  at(5);
  rig.store.fail_next = true;
  const History other = history.branch(3, 10);
  rig.say(1, other.hello(3, 2, 3), 1);
  EXPECT_EQ(rig.take(1), "f");
  EXPECT_EQ(rig.position(), 5U);
  rig.say(1, other.hello(3, 2, 3), 1);
  EXPECT_EQ(rig.take(1), "o");
}

TEST_F(ReceiverStreams, R6AnEndThatCannotBeStoredEndsTheSession) {
  at(5);
  rig.store.fail_next = true;
  rig.say(1, End{"dropped"}, 1);
  EXPECT_EQ(rig.answers(1), "fx");
}

TEST_F(ReceiverStreams, AStoreThatComesBackAfterItsConnectionIsGoneAnswersNobody) {
  at(0);
  rig.auto_sync = false;
  rig.say(1, history.frame(1, 3), 1);
  rig.cut(1);
  rig.sync_all();
  EXPECT_EQ(rig.answers(1), "");
  EXPECT_EQ(rig.position(), 3U);
}

}  // namespace
}  // namespace tidegate
