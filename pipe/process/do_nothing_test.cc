// SPDX-License-Identifier: Apache-2.0
#include "pipe/process/do_nothing.h"

#include "pipe/process/process_test_rig.h"

namespace tidegate {
namespace {

TEST(DoNothing, EveryBatchComesOutAsItWentIn) {
  const auto processor = make_do_nothing_processor();
  EXPECT_FALSE(processor->changes_bytes());
  for (const Batch& batch : test::random_batches(1, 50)) {
    const std::vector<Batch> made = test::pass(*processor, batch);
    ASSERT_EQ(made.size(), 1U);
    EXPECT_EQ(made[0].canonical, batch.canonical);
    EXPECT_EQ(made[0].hash, batch.hash);
    EXPECT_EQ(made[0].summary.events, batch.summary.events);
  }
  test::expect_other_kinds_unchanged(make_do_nothing_processor);
}

TEST(DoNothing, AStateOfSomethingElseIsRefused) {
  EXPECT_TRUE(make_do_nothing_processor()->restore({}).ok());
  EXPECT_EQ(make_do_nothing_processor()->restore(Bytes{1}).error().code, ErrorCode::kMalformed);
}

}  // namespace
}  // namespace tidegate
