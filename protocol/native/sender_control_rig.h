// SPDX-License-Identifier: Apache-2.0
// For the tests of what a SenderLink does when things go wrong: scripts and usual openings.
#pragma once

#include <gtest/gtest.h>

#include "protocol/native/sender_test_rig.h"

namespace tidegate {

// A script that gives `reply` to every T (of one stream) and is right about the rest.
template <class T>
std::function<Reply(const SentFrame&)> always(Reply reply, StreamId stream = 0) {
  return [=](const SentFrame& frame) {
    const bool meant = frame.as<T>() != nullptr && (stream == 0 || frame.message.header.stream == stream);
    return meant ? reply : Reply::kRight;
  };
}

class SenderControl : public testing::Test {
 protected:
  // Everything sent and confirmed.
  void with_confirmed(SenderRig& r, std::size_t batches) {
    r.start();
    r.produce(batches);
    r.run_for(5 * kLinkSecond);
    r.link->request_confirm(r.now);
    r.run_for(5 * kLinkSecond);
    ASSERT_EQ(r.store.confirmed(1), batches);
    r.sent.clear();
  }
  void cut_and_run(SenderRig& r, LinkNanos duration) {
    r.close(0);
    r.run_for(duration);
  }
  SenderRig rig;
};

}  // namespace tidegate
