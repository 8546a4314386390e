// SPDX-License-Identifier: Apache-2.0
#include "pipe/engine/record_cache.h"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <thread>

#include "pipe/engine/engine_test_support.h"

namespace tidegate {
namespace {

using testing::number_batch;
using testing::record_of;

DecodedRecordPtr record_at(Lsn first, int batches) {
  std::vector<Batch> made;
  for (int i = 0; i < batches; ++i) made.push_back(number_batch(static_cast<std::int64_t>(first) + i));
  return DecodedRecord::make(record_of(first, made), 1 << 20);
}

TEST(RecordCacheTest, ARecordIsFoundByAnyOfItsLsnsAndLoadedOnce) {
  RecordCache cache;
  int loads = 0;
  const auto load = [&]() -> Result<DecodedRecordPtr> { return ++loads, record_at(5, 3); };
  for (const Lsn lsn : {6, 5, 7, 6}) EXPECT_EQ((*cache.get(lsn, load))->meta().first_lsn, 5U);
  EXPECT_EQ(loads, 1);
  EXPECT_EQ((*cache.get(8, [&]() -> Result<DecodedRecordPtr> { return record_at(8, 1); }))->meta().first_lsn,
            8U);
}

TEST(RecordCacheTest, NothingAndErrorsAreAskedForAgain) {
  RecordCache cache;
  EXPECT_EQ(*cache.get(1, [] { return Result<DecodedRecordPtr>(DecodedRecordPtr()); }), nullptr);
  EXPECT_FALSE(
      cache.get(1, []() -> Result<DecodedRecordPtr> { return make_error(ErrorCode::kIo, "planted"); }).ok());
  EXPECT_NE(*cache.get(1, [] { return Result<DecodedRecordPtr>(record_at(1, 1)); }), nullptr);
}

TEST(RecordCacheTest, WhoAsksWhileAnotherLoadsWaitsForIt) {
  RecordCache cache;
  std::atomic<int> loads = 0;
  std::latch together(8);
  std::vector<std::jthread> threads;
  for (int i = 0; i < 8; ++i)
    threads.emplace_back([&] {
      together.arrive_and_wait();
      for (Lsn lsn = 1; lsn <= 200; ++lsn)
        EXPECT_EQ((*cache.get(lsn, [&] { return ++loads, Result<DecodedRecordPtr>(record_at(lsn, 1)); }))
                      ->meta()
                      .first_lsn,
                  lsn);
    });
  threads.clear();
  EXPECT_EQ(loads, 200);
}

TEST(RecordCacheTest, AboveItsCapacityTheRecordUsedLongestAgoGoes) {
  RecordCache cache(3 * record_at(1, 1)->memory());
  const auto load = [&](Lsn lsn) {
    return *cache.get(lsn, [&] { return Result<DecodedRecordPtr>(record_at(lsn, 1)); });
  };
  for (const Lsn lsn : {1, 2, 3, 1, 4}) load(lsn);
  const auto before = cache.loads();
  for (const Lsn lsn : {1, 3, 4}) load(lsn);
  EXPECT_EQ(cache.loads(), before);
  load(2);
  EXPECT_EQ(cache.loads(), before + 1);
}

}  // namespace
}  // namespace tidegate
