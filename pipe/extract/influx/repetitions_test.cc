// SPDX-License-Identifier: Apache-2.0
// Requests that come again: by key, after a lost answer, after a crash. Over sockets, counted in the journal.
#include <gmock/gmock.h>

#include "pipe/extract/influx/http_test_rig.h"

namespace tidegate::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

using Repetitions = HttpTest;

TEST_F(Repetitions, AKeyMakesARequestCountOnce) {
  start();
  const std::string key = "Idempotency-Key: k1\r\n";
  EXPECT_EQ(call(post("/write?db=a", "m f=1 1", key)).status, 204);
  EXPECT_EQ(call(post("/write?db=a", "m f=1 1", key)).status, 204);
  const Answer other = call(post("/write?db=a", "m f=2 2", key));
  EXPECT_EQ(other.status, 422);
  EXPECT_THAT(other.body, HasSubstr("Idempotency-Key"));
  EXPECT_EQ(call(post("/write?db=b", "m f=1 1", key)).status, 422);
  EXPECT_THAT(stored(), SizeIs(1));
  EXPECT_EQ(source_->counters().repeated, 1U);
}

TEST_F(Repetitions, APartialWriteUnderAKeyIsAnsweredAgainNotStoredAgain) {
  start();
  const std::string request = post("/write?db=a", "m f=1 1\ngarbage", "Idempotency-Key: k\r\n");
  const Answer first = call(request);
  const Answer second = call(request);
  EXPECT_EQ(first.status, 400);
  EXPECT_EQ(second.body, first.body);
  EXPECT_THAT(stored(), SizeIs(1));
}

TEST_F(Repetitions, AKeyInProgressIsWaitedFor) {
  start();
  hold_syncs();
  const std::string request = post("/write?db=a", "m f=1 1", "Idempotency-Key: k\r\n");
  Client first(source_->port()), second(source_->port());
  first.send(request);
  ASSERT_TRUE(sync_is_held());
  second.send(request);
  EXPECT_FALSE(second.readable(100));
  release_syncs();
  EXPECT_EQ(first.receive().status, 204);
  EXPECT_EQ(second.receive().status, 204);
  EXPECT_THAT(stored(), SizeIs(1));
}

TEST_F(Repetitions, AKeyIsKnownAfterACrash) {
  start();
  const std::string request = post("/write?db=a", "m f=1\n", "Idempotency-Key: k\r\n");
  EXPECT_EQ(call(request).status, 204);
  crash_and_start();
  EXPECT_EQ(call(request).status, 204);
  EXPECT_THAT(stored(), SizeIs(1));
}

TEST_F(Repetitions, AfterAFailureInTheMiddleOnlyTheRestIsStored) {
  start();
  std::string body;
  for (int i = 0; i < 300'000; ++i) body += "m f=1 " + std::to_string(i) + "\n";
  const std::string request = post("/write?db=a", body);
  sim_.files.inject({.kind = EffectKind::kSync, .skip = 1, .sticky = true});
  const Answer failed = call(request);
  EXPECT_EQ(failed.status, 503);
  const std::size_t before = stored().size();
  ASSERT_GT(before, 0U);
  ASSERT_LT(before, 300'000U);
  sim_.files.clear_faults();
  crash_and_start();
  EXPECT_EQ(call(request).status, 204);
  EXPECT_THAT(stored(), SizeIs(300'000)) << before << " were stored at first";
}

TEST_F(Repetitions, KeysBelongToTheirSender) {
  options_.tokens = {Secret("one"), Secret("two")};
  start();
  EXPECT_EQ(call(post("/write?db=a", "m f=1 1", "Authorization: Token one\r\nIdempotency-Key: k\r\n")).status,
            204);
  EXPECT_EQ(call(post("/write?db=a", "m f=2 2", "Authorization: Token two\r\nIdempotency-Key: k\r\n")).status,
            204);
  EXPECT_THAT(stored(), SizeIs(2));
}

TEST_F(Repetitions, TheSameRequestTwiceIsStoredTwice) {
  start();
  Client client(source_->port());
  EXPECT_EQ(client.call(post("/write?db=a", "m f=1 1")).status, 204);
  EXPECT_EQ(client.call(post("/write?db=a", "m f=1 1")).status, 204);
  EXPECT_THAT(stored(), SizeIs(2));
}

class ClientGone : public Repetitions, public ::testing::WithParamInterface<bool> {
 protected:
  // The client leaves while its request is in the journal's hands.
  void send_and_leave(const std::string& request) {
    hold_syncs();
    Client client(source_->port());
    client.send(request);
    ASSERT_TRUE(sync_is_held());
    GetParam() ? client.abort() : client.close();
  }
  bool known_as_unanswered(std::uint64_t count = 1) {
    return eventually([this, count] { return source_->counters().unanswered == count; });
  }
};

TEST_P(ClientGone, ItsRetryIsNotStoredAgain) {
  start();
  const std::string request = post("/write?db=a", "m f=1 1");
  send_and_leave(request);
  release_syncs();
  ASSERT_TRUE(known_as_unanswered());
  EXPECT_EQ(call(request).status, 204);
  EXPECT_THAT(stored(), SizeIs(1));
  // That answer was delivered: from now on the same is new again.
  EXPECT_TRUE(eventually([this] { return source_->counters().connections == 0; }));
  EXPECT_EQ(call(request).status, 204);
  EXPECT_THAT(stored(), SizeIs(2));
}

TEST_P(ClientGone, ItsRetryIsNotStoredAgainWhileTheFirstIsInProgress) {
  start();
  const std::string request = post("/write?db=a", "m f=1 1");
  send_and_leave(request);
  EXPECT_EQ(call("GET /ping HTTP/1.1\r\nHost: x\r\n\r\n").status, 204) << "by now it has seen the first go";
  Client second(source_->port());
  second.send(request);
  EXPECT_FALSE(second.readable(100));
  release_syncs();
  EXPECT_EQ(second.receive().status, 204);
  EXPECT_THAT(stored(), SizeIs(1));
}

TEST_P(ClientGone, ARetryWithOtherBytesOrWithoutTimesIsNew) {
  start();
  send_and_leave(post("/write?db=a", "m f=1\n"));
  release_syncs();
  ASSERT_TRUE(known_as_unanswered(1));
  EXPECT_EQ(call(post("/write?db=a", "m f=1\n")).status, 204);
  EXPECT_THAT(stored(), SizeIs(2));
  send_and_leave(post("/write?db=a", "m f=1 1"));
  release_syncs();
  ASSERT_TRUE(known_as_unanswered(2));
  EXPECT_EQ(call(post("/write?db=a&precision=ns", "m f=1 1")).status, 204);
  EXPECT_THAT(stored(), SizeIs(4));
  EXPECT_EQ(source_->counters().repeated, 0U);
}

TEST_P(ClientGone, ItsRetryIsNotStoredAgainAfterACrash) {
  start();
  const std::string request = post("/write?db=a", "m f=1 1\nm f=2 2\n");
  send_and_leave(request);
  release_syncs();
  ASSERT_TRUE(known_as_unanswered());
  crash_and_start();
  EXPECT_EQ(call(request).status, 204);
  EXPECT_THAT(stored(), SizeIs(2));
  EXPECT_EQ(source_->counters().repeated, 1U);
  EXPECT_TRUE(eventually([this] { return source_->counters().connections == 0; }));
  EXPECT_EQ(call(request).status, 204);
  EXPECT_THAT(stored(), SizeIs(4));
}

TEST_P(ClientGone, ItsPartialWriteIsNotStoredAgain) {
  start();
  const std::string request = post("/write?db=a", "m f=1 1\ngarbage\n");
  send_and_leave(request);
  release_syncs();
  ASSERT_TRUE(eventually([this] { return source_->counters().connections == 0; }));
  EXPECT_EQ(call(request).status, 400);
  EXPECT_THAT(stored(), SizeIs(1));
}

INSTANTIATE_TEST_SUITE_P(FinOrReset, ClientGone, ::testing::Bool());

TEST_F(Repetitions, AClientThatOnlyStopsSendingHasItsAnswer) {
  start();
  hold_syncs();
  const std::string request = post("/write?db=a", "m f=1 1");
  Client client(source_->port());
  client.send(request);
  client.finish_sending();
  ASSERT_TRUE(sync_is_held());
  release_syncs();
  EXPECT_EQ(client.receive().status, 204);
  EXPECT_TRUE(eventually([this] { return source_->counters().connections == 0; }));
  EXPECT_EQ(source_->counters().unanswered, 0U);
  EXPECT_EQ(call(request).status, 204);
  EXPECT_THAT(stored(), SizeIs(2));
}

}  // namespace
}  // namespace tidegate::testing
