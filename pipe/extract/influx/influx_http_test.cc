// SPDX-License-Identifier: Apache-2.0
// The source over real sockets on loopback: bytes in, answers out, rows in the journal.
#include <gmock/gmock.h>

#include "pipe/extract/influx/http_test_rig.h"

namespace tidegate::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

using InfluxHttp = HttpTest;

TEST_F(InfluxHttp, StoresWhatItAnswersWith204) {
  start();
  EXPECT_EQ(
      call(post("/write?db=plant&precision=ms", "m,b=2,a=1 f=1.5,i=2i,s=\"x \\\"y\\\"\",o=t 1700000000000\n"))
          .status,
      204);
  EXPECT_THAT(stored(), ElementsAre("plant m{a=1,b=2} f=1.5 i=2i o=true s=\"x \"y\"\" @1700000000000ms"));
}

TEST_F(InfluxHttp, AnswersOnlyAfterTheSync) {
  start();
  hold_syncs();
  Client client(source_->port());
  client.send(post("/write?db=plant", "m f=1 1\n"));
  ASSERT_TRUE(sync_is_held());
  EXPECT_FALSE(client.readable(100));
  EXPECT_THAT(stored(), IsEmpty());
  release_syncs();
  EXPECT_EQ(client.receive().status, 204);
  EXPECT_THAT(stored(), SizeIs(1));
}

TEST_F(InfluxHttp, TakesARequestCutAtEveryByte) {
  start();
  const std::string request =
      post("/api/v2/write?bucket=b&precision=s", "m f=1 5", "Authorization: Token x\r\n");
  for (std::size_t cut = 1; cut < request.size(); ++cut) {
    Client client(source_->port());
    client.send(request.substr(0, cut));
    std::this_thread::yield();
    client.send(request.substr(cut));
    ASSERT_EQ(client.receive().status, 204) << "cut at " << cut;
  }
  EXPECT_THAT(stored(), SizeIs(request.size() - 1));
}

TEST_F(InfluxHttp, AnswersPipelinedRequestsInTheirOrder) {
  start();
  Client client(source_->port());
  client.send(post("/write?db=a", "m f=1 1") + "GET /health HTTP/1.1\r\nHost: x\r\n\r\n" +
              post("/write", "m f=1 1") + post("/write?db=a", "m f=2 2") +
              "GET /nope HTTP/1.1\r\nHost: x\r\n\r\n");
  std::vector<int> statuses;
  for (int i = 0; i < 5; ++i) statuses.push_back(client.receive().status);
  EXPECT_THAT(statuses, ElementsAre(204, 200, 400, 204, 404));
  EXPECT_THAT(stored(), ElementsAre("a m{} f=1. @1ns", "a m{} f=2. @2ns"));
}

}  // namespace
}  // namespace tidegate::testing
