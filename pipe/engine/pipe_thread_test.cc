// SPDX-License-Identifier: Apache-2.0
#include "pipe/engine/pipe_thread.h"

#include <gtest/gtest.h>

#include <chrono>

#include "base/sim_env.h"
#include "pipe/engine/engine_test_support.h"

namespace tidegate {
namespace {

using testing::MemoryPositions;
using testing::MemoryRecords;
using testing::number_batch;

// Delivers everything; while `stuck` it holds on to a delivery until it is told to stop.
class SlowConnector final : public Connector {
 public:
  std::string describe() const override { return "slow"; }
  Status open(Lsn, ByteView) override { return {}; }
  DeliverResult deliver(const std::vector<DeliverableBatch>& batches,
                        const std::function<bool()>& stop) override {
    DeliverResult result;
    inside = true;
    while (stuck && (deaf || !stop())) std::this_thread::yield();
    if (stuck || stop()) {
      result.kind = DeliverResult::Kind::kRetry;
      return result;
    }
    delivered += batches.size();
    return result;
  }
  std::atomic<bool> stuck{false}, deaf{false}, inside{false};
  std::atomic<std::size_t> delivered{0};
};

class PipeThreadTest : public ::testing::Test {
 protected:
  void start() {
    PipeOptions options;
    options.name = "p";
    options.dead_letters.directory = "/dead";
    pipe_ = std::make_unique<Pipe>(sim_.env(), std::move(options), source_, positions_, connector_);
    ASSERT_TRUE(pipe_->open().ok());
    thread_ = std::make_unique<PipeThread>(sim_.env(), *pipe_);
  }
  void write() {
    source_.append(number_batch(1));
    thread_->notify();
  }
  template <class Condition>
  void expect_soon(Condition condition) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!condition() && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
    EXPECT_TRUE(condition());
  }

  SimEnv sim_;
  MemoryRecords source_;
  MemoryPositions positions_;
  SlowConnector connector_;
  std::unique_ptr<Pipe> pipe_;
  std::unique_ptr<PipeThread> thread_;
};

TEST_F(PipeThreadTest, WhatBecomesDurableIsDeliveredAtOnce) {
  start();
  for (std::size_t i = 1; i <= 200; ++i) {
    write();
    expect_soon([&] { return connector_.delivered == i; });
  }
}

TEST_F(PipeThreadTest, StopEndsADeliveryAndStoresThePosition) {
  start();
  write();
  expect_soon([&] { return connector_.delivered == 1; });
  connector_.stuck = true;
  write();
  EXPECT_TRUE(thread_->stop(20 * kSecond).ok());
  EXPECT_EQ(positions_.lsn("p"), 1u);
}

TEST_F(PipeThreadTest, StopGivesUpWaitingAtItsLimit) {
  connector_.stuck = connector_.deaf = true;
  start();
  write();
  expect_soon([&] { return connector_.inside.load(); });
  const Status stopped = thread_->stop(50 * kMillisecond);
  ASSERT_FALSE(stopped.ok());
  EXPECT_EQ(stopped.error().code, ErrorCode::kTimeout);
  connector_.stuck = false;  // lets the thread go
}

}  // namespace
}  // namespace tidegate
