// SPDX-License-Identifier: Apache-2.0
// ReceiverLink alone: connections, answers, sessions. One test per rule of doc/wire_format.md.
#include <gtest/gtest.h>

#include "protocol/native/receiver_test_rig.h"

namespace tidegate {
namespace {

class Receiver : public testing::Test {
 protected:
  // One lane with its link hello answered and stream 1 open, the receiver at `position`.
  void at(Seq position) { rig.with_position(history, position); }

  History history{40};
  ReceiverRig rig;
};

// ---- R1: one byte or a close per frame

TEST_F(Receiver, R1NothingIsSaidBeforeAFrameAsksForIt) {
  rig.connect(1);
  rig.run_for(25 * kLinkSecond);
  EXPECT_EQ(rig.answers(1), "");
}

TEST_F(Receiver, R1TheNextByteWaitsUntilTheLastOneIsAcknowledged) {
  rig.auto_acknowledge = false;
  rig.connect(1);
  rig.say(1, Probe{true});
  rig.say(1, Probe{false});
  rig.say(1, Probe{true});
  EXPECT_EQ(rig.answers(1), "o");
  rig.acknowledge(1);
  EXPECT_EQ(rig.answers(1), "of");
  rig.acknowledge(1);
  EXPECT_EQ(rig.answers(1), "ofo");
}

TEST_F(Receiver, R1AnswersComeInTheOrderOfTheFrames) {
  at(0);
  rig.auto_sync = false;
  rig.say(1, history.frame(1, 3), 1);
  rig.say(1, Probe{false});
  EXPECT_EQ(rig.answers(1), "") << "the probe's answer stands behind the batch's";
  rig.sync_all();
  EXPECT_EQ(rig.answers(1), "of");
}

TEST_F(Receiver, CalibrationGetsWhatItExpects) {
  rig.connect(1);
  for (const bool ok : kCalibration) rig.say(1, Probe{ok});
  EXPECT_EQ(rig.answers(1), "ooffof");
}

// ---- frames that are no frames

TEST_F(Receiver, AHoleInTheFrameNumbersClosesWithoutAnAnswer) {
  rig.connect(1);
  rig.say(1, Probe{true});
  rig.skip_frame_number(1);
  rig.say(1, Probe{true});
  EXPECT_EQ(rig.answers(1), "ox");
}

TEST_F(Receiver, TheFirstFrameOfAConnectionHasNumberOne) {
  rig.connect(1);
  rig.skip_frame_number(1);
  rig.say(1, Probe{true});
  EXPECT_EQ(rig.answers(1), "x");
}

TEST_F(Receiver, AnotherSessionOnAConnectionClosesItWithoutAnAnswer) {
  rig.connect(1, 5);
  rig.say(1, Probe{true});
  rig.set_session(1, 6);
  rig.say(1, Probe{true});
  EXPECT_EQ(rig.answers(1), "ox");
}

TEST_F(Receiver, SessionZeroDoesNotExist) {
  rig.connect(1, 0);
  rig.say(1, ReceiverRig::link_hello());
  EXPECT_EQ(rig.answers(1), "x");
  EXPECT_TRUE(rig.store.journals.empty());
}

TEST_F(Receiver, AnotherPayloadVersionClosesWithoutAnAnswer) {
  rig.connect(1);
  Bytes payload = encode_message({.session = 1, .frame_number = 1}, Probe{});
  payload[0] = 1;  // the IoTDB dialect
  rig.bytes(1, encode_outer_frame(payload, Wrap::kNone));
  EXPECT_EQ(rig.answers(1), "x");
}

TEST_F(Receiver, LengthWordsThatDifferCloseWithoutAnAnswer) {
  rig.connect(1);
  rig.bytes(1, as_bytes("GET / HTTP/1.1\r\n"));
  EXPECT_EQ(rig.answers(1), "x");
}

TEST_F(Receiver, AWrongChecksumIsFailAndTheEndOfTheSession) {
  at(5);
  rig.greet(2, 1);
  Bytes wire = rig.wire_of(1, history.frame(6, 6), 1);
  wire.back() ^= 1;
  rig.bytes(1, wire);
  EXPECT_EQ(rig.answers(1), "fx");
  EXPECT_TRUE(rig.closed(2)) << "all lanes of the session are closed";
  EXPECT_EQ(rig.position(), 5U);
}

TEST_F(Receiver, FramesAreTakenByteByByte) {
  rig.connect(1);
  for (const std::uint8_t byte : rig.wire_of(1, Probe{false})) rig.bytes(1, {&byte, 1});
  EXPECT_EQ(rig.answers(1), "f");
}

// ---- R6: after a fail

TEST_F(Receiver, R6AfterAFailNothingMoreIsAnsweredAndAllLanesAreClosed) {
  rig.open(1, history, 0, 1, 2);
  rig.greet(2, 1, 2);
  rig.forget_answers(2);
  Bytes wire = rig.wire_of(1, history.branch(0, 3).gap(3, 3), 1);  // not contiguous
  const Bytes more = rig.wire_of(1, Probe{true});
  wire.insert(wire.end(), more.begin(), more.end());
  rig.bytes(1, wire);
  EXPECT_EQ(rig.answers(1), "fx");
  EXPECT_EQ(rig.answers(2), "x");
}

TEST_F(Receiver, R6TheFailKeepsItsPlaceBehindTheAnswersStillOwed) {
  at(0);
  rig.auto_sync = false;
  rig.say(1, history.frame(1, 2), 1);
  rig.say(1, UnknownKind{99}, 1);
  EXPECT_EQ(rig.answers(1), "");
  rig.sync_all();
  EXPECT_EQ(rig.answers(1), "ofx");
}

TEST_F(Receiver, R6WhatStandsBehindTheFailOnItsLaneIsNeverAnswered) {
  at(0);
  rig.auto_sync = false;
  rig.say(1, history.frame(1, 1), 1);
  rig.say(1, history.frame(2, 2), 1);
  rig.sync_one(make_error(ErrorCode::kNoSpace, "test"));
  rig.sync_all();
  EXPECT_EQ(rig.answers(1), "fx");
}

TEST_F(Receiver, R6ASessionThatWasRefusedCannotGoOn) {
  at(0);
  rig.say(1, UnknownKind{99}, 1);
  ASSERT_TRUE(rig.closed(1));
  rig.greet(2, 1);
  EXPECT_EQ(rig.answers(2), "x");
  rig.greet(3, 2);
  EXPECT_EQ(rig.answers(3), "o");
}

TEST_F(Receiver, R6ARefusedLinkHelloKeepsTheConnectionForAskBeatAndAnotherHello) {
  rig.connect(1);
  LinkHello hello = ReceiverRig::link_hello();
  hello.receiver_expected = test_id(0x55);
  rig.say(1, hello);
  rig.say(1, Beat{});
  rig.say(1, reason_is(Reason::kWrongReceiver));
  rig.say(1, ReceiverRig::link_hello());
  EXPECT_EQ(rig.answers(1), "fooo");
}

TEST_F(Receiver, R6AfterARefusedStreamHelloTheOtherStreamsGoOn) {
  at(3);
  rig.say(1, history.branch(1, 5).hello(3), 2);
  rig.say(1, history.frame(4, 4), 1);
  EXPECT_EQ(rig.answers(1), "fo");
}

TEST_F(Receiver, R6FailToProbeAndAskIsAnOrdinaryAnswer) {
  at(3);
  rig.say(1, Probe{false});
  rig.say(1, position_at_least(9), 1);
  rig.say(1, history.frame(4, 4), 1);
  EXPECT_EQ(rig.answers(1), "ffo");
}

class BeforeItsHello : public testing::TestWithParam<MessageBody> {};
// The frames below point into it.
const History& three_batches() {
  static const History history(3);
  return history;
}

INSTANTIATE_TEST_SUITE_P(Receiver, BeforeItsHello,
                         testing::Values(MessageBody(three_batches().hello(0)),
                                         MessageBody(three_batches().frame(1, 1)),
                                         MessageBody(three_batches().gap(1, 1)),
                                         MessageBody(position_at_least(0)), MessageBody(Beat{}),
                                         MessageBody(End{}), MessageBody(UnknownKind{99})));

TEST_P(BeforeItsHello, R6AnythingButProbeAndHelloClosesWithoutAnAnswer) {
  ReceiverRig rig;
  rig.connect(1);
  rig.say(1, GetParam(), 1);
  EXPECT_EQ(rig.answers(1), "x");
}

TEST_F(Receiver, R6DataOfAStreamThatIsNotOpenClosesWithoutAnAnswer) {
  rig.greet(1);
  rig.say(1, history.frame(1, 1), 1);
  EXPECT_EQ(rig.answers(1), "ox");
}

TEST_F(Receiver, R6AStreamIsOpenForItsSessionOnly) {
  at(3);
  rig.greet(2, 2);
  rig.say(2, history.frame(4, 4), 1);
  EXPECT_EQ(rig.answers(2), "ox");
}

TEST_F(Receiver, R11AnUnknownFrameKindIsFailWithReasonVersion) {
  at(0);
  rig.say(1, UnknownKind{9}, 1);
  EXPECT_EQ(rig.answers(1), "fx");
  rig.greet(2, 2);
  EXPECT_TRUE(rig.yes(2, reason_is(Reason::kVersion)));
}

// ---- R7: the link hello

TEST_F(Receiver, R7TheSessionIsDurableBeforeTheOk) {
  rig.auto_sync = false;
  rig.connect(1, 4);
  rig.say(1, ReceiverRig::link_hello());
  EXPECT_EQ(rig.answers(1), "");
  rig.sync_all();
  EXPECT_EQ(rig.answers(1), "o");
  EXPECT_EQ(rig.store.journals.at(test_id(2)).session, 4U);
}

TEST_F(Receiver, R7EveryLaneOfTheSessionWaitsForTheSameSync) {
  rig.auto_sync = false;
  for (const ConnectionId c : {1, 2, 3}) {
    rig.connect(c);
    rig.say(c, ReceiverRig::link_hello(3));
  }
  EXPECT_EQ(rig.disk.size(), 1U);
  rig.sync_all();
  for (const ConnectionId c : {1, 2, 3}) EXPECT_EQ(rig.answers(c), "o");
}

TEST_F(Receiver, R7ASessionThatCannotBeStoredIsRefusedWithReasonStorage) {
  rig.auto_sync = false;
  rig.connect(1);
  rig.say(1, ReceiverRig::link_hello());
  rig.sync_one(make_error(ErrorCode::kNoSpace, "test"));
  EXPECT_EQ(rig.take(1), "f");
  EXPECT_TRUE(rig.yes(1, reason_is(Reason::kStorage), 0));
  rig.auto_sync = true;
  rig.say(1, ReceiverRig::link_hello());
  EXPECT_EQ(rig.answers(1), "o");
}

TEST_F(Receiver, R7AnotherReceiverIsNamed) {
  rig.connect(1);
  LinkHello hello = ReceiverRig::link_hello();
  hello.receiver_expected = rig.store.receiver_id();
  rig.say(1, hello);
  EXPECT_EQ(rig.take(1), "o");
}

TEST_F(Receiver, R7VersionHashAndRequiredFeaturesMustFit) {
  const auto refused = [&](ConnectionId c, auto change) {
    rig.connect(c);
    LinkHello hello = ReceiverRig::link_hello();
    change(hello);
    rig.say(c, hello);
    return rig.take(c) == "f" && rig.yes(c, reason_is(Reason::kVersion), 0);
  };
  EXPECT_TRUE(refused(1, [](LinkHello& h) {
    h.min_version = 0x81;
    h.max_version = 0x82;
  }));
  EXPECT_TRUE(refused(2, [](LinkHello& h) { h.min_version = h.max_version = 0x7f; }));
  EXPECT_TRUE(refused(3, [](LinkHello& h) { h.hash_id = 2; }));
  EXPECT_TRUE(refused(4, [](LinkHello& h) { h.required_features = 1; }));
  EXPECT_FALSE(refused(5, [](LinkHello& h) {
    h.max_version = 0x90;
    h.optional_features = 0xff;
  }));
}

TEST_F(Receiver, R7TheReceiverIdIsCheckedBeforeTheVersion) {
  rig.connect(1);
  LinkHello hello = ReceiverRig::link_hello();
  hello.receiver_expected = test_id(0x55);
  hello.hash_id = 2;
  rig.say(1, hello);
  EXPECT_TRUE(rig.yes(1, reason_is(Reason::kWrongReceiver), 0));
}

TEST_F(Receiver, R7ANewerSessionClosesTheOlderOneAndDiscardsWhatWasNotAppended) {
  rig.open(1, history, 0, 1, 2);
  rig.say(1, history.frame(2, 2), 1);  // held: 1 is missing
  rig.greet(2, 2);
  EXPECT_EQ(rig.answers(1), "x");
  rig.say(2, history.hello(0), 1);
  rig.say(2, history.frame(1, 1), 1);
  EXPECT_EQ(rig.answers(2), "ooo");
  EXPECT_EQ(rig.position(), 1U) << "the held batch of the old session is gone";
}

TEST_F(Receiver, R7AnOlderSessionIsFenced) {
  rig.greet(1, 7);
  rig.greet(2, 6);
  EXPECT_EQ(rig.take(2), "f");
  EXPECT_TRUE(rig.yes(2, reason_is(Reason::kFenced), 0));
  EXPECT_EQ(rig.answers(1), "o") << "the newer one is left alone";
}

TEST_F(Receiver, R7TheSameSessionWithAnotherNonceIsFenced) {
  rig.greet(1, 7);
  rig.connect(2, 7);
  rig.say(2, ReceiverRig::link_hello(1, 4711));
  EXPECT_EQ(rig.take(2), "f");
  EXPECT_TRUE(rig.yes(2, reason_is(Reason::kFenced), 0));
}

TEST_F(Receiver, R7TheSameSessionWithTheSameNonceIsAnotherLane) {
  rig.greet(1, 7, 2);
  rig.greet(2, 7, 2);
  EXPECT_EQ(rig.answers(1), "o");
  EXPECT_EQ(rig.answers(2), "o");
  EXPECT_EQ(rig.link.senders().at(0).lanes, 2U);
}

TEST_F(Receiver, R7TheFloorAndTheNonceSurviveARestartOfTheReceiver) {
  rig.greet(1, 7);
  ReceiverRig again;
  again.store = rig.store;
  again.greet(1, 6);
  EXPECT_EQ(again.answers(1), "f");
  again.connect(2, 7);
  again.say(2, ReceiverRig::link_hello(1, 4711));
  EXPECT_EQ(again.answers(2), "f");
  again.greet(3, 7);
  EXPECT_EQ(again.answers(3), "o");
}

TEST_F(Receiver, R7AJournalThatWasSupersededIsFenced) {
  rig.greet(1, 7);
  rig.store.journals.at(test_id(2)).superseded = true;
  rig.greet(2, 8);
  EXPECT_EQ(rig.take(2), "f");
  EXPECT_TRUE(rig.yes(2, reason_is(Reason::kFenced), 0));
}

TEST_F(Receiver, R7AJournalOfAnotherSenderIsNotAuthorised) {
  rig.greet(1, 7);
  rig.connect(2, 8);
  LinkHello hello = ReceiverRig::link_hello();
  hello.sender = test_id(0x33);
  rig.say(2, hello);
  EXPECT_EQ(rig.take(2), "f");
  EXPECT_TRUE(rig.yes(2, reason_is(Reason::kNotAuthorised), 0));
}

class NewJournal : public Receiver {
 protected:
  std::string greet_as_new_journal(ConnectionId c) {
    rig.connect(c, 1);
    LinkHello hello = ReceiverRig::link_hello();
    hello.journal = test_id(0x44);
    rig.say(c, hello);
    return rig.take(c);
  }
};

TEST_F(NewJournal, R7UnderAKnownSenderNeedsTheOperator) {
  rig.greet(1);
  rig.cut(1);
  rig.run_for(300 * kLinkSecond);
  EXPECT_EQ(greet_as_new_journal(2), "f");
  EXPECT_TRUE(rig.yes(2, reason_is(Reason::kNotAuthorised), 0));
}

TEST_F(NewJournal, R7WithThePolicyAcceptWaitsUntilTheIncumbentHasBeenSilentForAMinute) {
  rig.store.accept_new = true;
  rig.greet(1);
  rig.cut(1);
  rig.run_for(59 * kLinkSecond);
  EXPECT_EQ(greet_as_new_journal(2), "f");
  rig.run_for(2 * kLinkSecond);
  EXPECT_EQ(greet_as_new_journal(3), "o");
}

TEST_F(NewJournal, R7AReceiverThatJustStartedDoesNotTakeTheIncumbentForSilent) {
  rig.greet(1);
  ReceiverRig again;
  again.store = rig.store;
  again.store.accept_new = true;
  std::swap(rig.store, again.store);
  ReceiverLink fresh(ReceiverLinkOptions{}, &rig.store);
  const LinkNanos start = 500 * kLinkSecond;
  const auto hello = [&](ConnectionId c, LinkNanos now) {
    LinkHello h = ReceiverRig::link_hello();
    h.journal = test_id(0x44);
    fresh.on_accepted(c, "peer", now);
    fresh.on_bytes(c, encode_outer_frame(encode_message({.session = 1, .frame_number = 1}, h), Wrap::kNone),
                   now);
    for (const RxAction& action : fresh.take_actions())
      if (const auto* answer = std::get_if<RxAnswer>(&action)) return answer->answer == Byte::kFail;
    return false;
  };
  EXPECT_TRUE(hello(1, start)) << "refused: nobody could have been heard yet";
  EXPECT_FALSE(hello(2, start + 61 * kLinkSecond));
}

// ---- R8, R9: closing

TEST_F(Receiver, R8NoProgressInsideAFrameCloses) {
  rig.connect(1);
  const Bytes wire = rig.wire_of(1, Probe{true});
  rig.bytes(1, ByteView(wire).subspan(0, 10));
  rig.run_for(2900 * kLinkMillisecond);
  EXPECT_FALSE(rig.closed(1));
  rig.bytes(1, ByteView(wire).subspan(10, 1));
  rig.run_for(2900 * kLinkMillisecond);
  EXPECT_FALSE(rig.closed(1)) << "a byte is progress";
  rig.run_for(200 * kLinkMillisecond);
  EXPECT_EQ(rig.answers(1), "x");
}

TEST_F(Receiver, R8SilenceForThreeBeatsCloses) {
  rig.connect(1);
  rig.say(1, Probe{true});
  rig.run_for(29 * kLinkSecond);
  EXPECT_EQ(rig.answers(1), "o");
  rig.run_for(2 * kLinkSecond);
  EXPECT_EQ(rig.answers(1), "ox");
}

TEST_F(Receiver, R8WhileAnAnswerIsOwedSilenceDoesNotClose) {
  at(0);
  rig.auto_sync = false;
  rig.say(1, history.frame(1, 1), 1);
  rig.run_for(100 * kLinkSecond);
  EXPECT_EQ(rig.answers(1), "");
  rig.sync_all();
  rig.run_for(29 * kLinkSecond);
  EXPECT_EQ(rig.answers(1), "o") << "silence is counted from the answer on";
  rig.run_for(2 * kLinkSecond);
  EXPECT_EQ(rig.answers(1), "ox");
}

TEST_F(Receiver, R9WhatIsNotReadyAcceptsAndCloses) {
  rig.link.set_ready(false);
  rig.connect(1);
  EXPECT_EQ(rig.answers(1), "x");
  rig.link.set_ready(true);
  rig.greet(2);
  EXPECT_EQ(rig.answers(2), "o");
}

TEST_F(Receiver, StopClosesEverythingAndAcceptsNothing) {
  rig.greet(1);
  rig.link.stop(rig.now);
  rig.connect(2);
  EXPECT_EQ(rig.answers(1), "ox");
  EXPECT_EQ(rig.answers(2), "x");
}

// ---- hellos that cross, limits, beats

TEST_F(Receiver, ASecondHelloWhileTheFirstIsStoredIsACloseAndOpensNothing) {
  rig.auto_sync = false;
  rig.connect(1, 1);
  rig.say(1, rig.link_hello(1, 1001));
  LinkHello other = rig.link_hello(1, 1002);
  other.journal = test_id(9);
  rig.say(1, other);
  rig.sync_all();
  EXPECT_EQ(rig.answers(1), "x");
}

TEST_F(Receiver, WhenAnotherJournalTakesOverTheOldOneIsClosed) {
  at(5);
  rig.store.approved = true;
  rig.connect(2, 1);
  LinkHello other = rig.link_hello(1, 2001);
  other.journal = test_id(9);
  rig.say(2, other);
  rig.sync_all();
  EXPECT_EQ(rig.answers(2), "o");
  EXPECT_TRUE(rig.closed(1));
}

TEST_F(Receiver, WhatWaitsToBeStoredIsBoundedOverAllConnections) {
  ReceiverLinkOptions options;
  options.memory_limit = 40;
  ReceiverRig small(options);
  small.open(1, history);
  small.auto_sync = false;
  for (Seq n = 1; n <= 40 && !small.closed(1); ++n) small.say(1, history.frame(n, n), 1);
  EXPECT_TRUE(small.closed(1));
  EXPECT_LE(small.link.memory(), 40U);
  small.sync_all();
  EXPECT_EQ(small.link.memory(), 0U);
}

TEST_F(Receiver, FramesWithoutWaitingForAnswersAreBounded) {
  ReceiverLinkOptions options;
  options.frames_unanswered = 8;
  ReceiverRig small(options);
  small.open(1, history);
  small.auto_sync = false;
  for (Seq n = 1; n <= 9; ++n) small.say(1, history.frame(n, n), 1);
  EXPECT_TRUE(small.closed(1));
}

TEST_F(Receiver, ABeatIsAnsweredAndShown) {
  rig.greet(1);
  rig.say(1, Beat{12345, "{\"head\":7}"});
  EXPECT_EQ(rig.answers(1), "oo");
  const auto senders = rig.link.senders();
  ASSERT_EQ(senders.size(), 1U);
  EXPECT_EQ(senders[0].beat_clock_micros, 12345);
  EXPECT_EQ(senders[0].beat_json, "{\"head\":7}");
  EXPECT_EQ(senders[0].beat_at, rig.now);
}

}  // namespace
}  // namespace tidegate
