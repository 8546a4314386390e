// SPDX-License-Identifier: Apache-2.0
// SenderLink alone: streams whose pipe is stopped.
#include <gtest/gtest.h>

#include "protocol/native/sender_test_rig.h"

namespace tidegate {
namespace {

struct SenderPause : testing::Test {
  SenderPause() : rig({}, 2) { rig.start_and_settle(); }
  std::size_t batch_frames(StreamId stream) const {
    std::size_t count = 0;
    for (const SentFrame* frame : rig.all<BatchFrame>()) count += frame->message.header.stream == stream;
    return count;
  }
  void pause(StreamId stream) { rig.store.paused_streams.insert(stream); }
  void resume(StreamId stream) {
    rig.store.paused_streams.erase(stream);
    rig.link->on_batches_available(rig.now);
    rig.run_for(kLinkSecond);
  }
  SenderRig rig;
};

TEST_F(SenderPause, APausedStreamSendsNothingAndTheOthersGoOn) {
  pause(1);
  rig.produce(3, 1);
  rig.produce(2, 2);
  rig.run_for(10 * kLinkSecond);
  EXPECT_EQ(batch_frames(1), 0U);
  EXPECT_EQ(rig.view(2).soft, 2U);
}

TEST_F(SenderPause, WhatWasSentBeforeThePauseIsStillConfirmed) {
  rig.produce(3, 1);
  pause(1);
  rig.link->request_confirm(rig.now);
  rig.run_for(10 * kLinkSecond);
  EXPECT_EQ(rig.store.confirmed(1), 3U);
}

TEST_F(SenderPause, ItGoesOnWhereItStoodInTheSameSessionWithoutRepeating) {
  rig.produce(3, 1);
  pause(1);
  rig.produce(2, 1);
  rig.run_for(kLinkSecond);
  resume(1);
  EXPECT_EQ(rig.view(1).soft, 5U);
  EXPECT_EQ(rig.link->counters().resent_batches, 0U);
  EXPECT_EQ(rig.link->counters().sessions, 1U);
}

TEST_F(SenderPause, AStreamThatIsPausedAtTheStartOfASessionIsOpenedWhenItGoesOn) {
  pause(1);
  rig.produce(2, 1);
  rig.close(0);
  rig.run_for(20 * kLinkSecond);
  EXPECT_EQ(rig.view(1).state, "waiting");
  resume(1);
  EXPECT_EQ(rig.view(1).soft, 2U);
}

TEST_F(SenderPause, AStreamIsEndedThoughItIsPausedAndHasMoreToSend) {
  pause(1);
  rig.produce(2, 1);
  rig.close(0);
  rig.link->end_stream(1, "dropped", rig.now);
  rig.run_for(20 * kLinkSecond);
  EXPECT_EQ(rig.count<End>(), 1U);
  EXPECT_EQ(batch_frames(1), 0U);
  EXPECT_EQ(rig.store.streams(), std::vector<StreamId>{2});
}

}  // namespace
}  // namespace tidegate
