// SPDX-License-Identifier: Apache-2.0
#include "pipe/control/tidegate_adopt.h"

#include <gmock/gmock.h>

#include "pipe/stream/stream_test_rig.h"

namespace tidegate {
namespace {

using ::testing::HasSubstr;

// A sender's box with ten batches, six of them confirmed.
class AdoptTest : public ::testing::Test {
 protected:
  void SetUp() override {
    box_.options.machine_id = "machine-a";
    TG_OK(box_.open());
    TG_OK(box_.near->recover());
    const auto stream = box_.near->create_stream("air-gap", 0);
    TG_OK(stream);
    stream_ = *stream;
    for (std::uint64_t n = 1; n <= 10; ++n) append(n);
    TG_OK(box_.journal->sync());
    TG_OK(box_.near->set_session(7));
    TG_OK(box_.near->set_confirmed(stream_, 6));
    journal_ = box_.journal->id();
  }
  void append(std::uint64_t n) {
    const std::vector<Batch> batches = {batch_of(n)};
    const Container container = container_of(batches);
    TG_OK(box_.journal->append(meta_of(batches, container), container.bytes));
  }
  void stop() {
    TG_OK(box_.journal->close());
    box_.close();
  }
  Result<AdoptReport> adopt(const std::string& machine, bool as_new) {
    JournalOptions options = box_.options;
    options.machine_id = machine;
    return adopt_sender(box_.sim.env(), options, as_new);
  }
  void start(const std::string& machine) {
    box_.options.machine_id = machine;
    TG_OK(box_.open());
    TG_OK(box_.near->recover());
  }

  Box box_;
  StreamId stream_ = 0;
  Id journal_;
};

TEST_F(AdoptTest, EveryStreamForksAtConfirmedAndTheSessionIsRaised) {
  stop();
  const auto report = adopt("machine-b", false);
  TG_OK(report);
  EXPECT_EQ(report->journal, journal_);
  start("machine-b");
  EXPECT_EQ(box_.near->streams(), std::vector<StreamId>{stream_});
  EXPECT_EQ(box_.near->base(stream_), 6U);
  EXPECT_EQ(box_.near->confirmed(stream_), 6U);
  EXPECT_EQ(box_.near->generation(stream_), 2U);
  EXPECT_EQ(box_.near->head(stream_), 10U);
  const auto now_ms = static_cast<std::uint64_t>(box_.sim.clock.wall_micros() / 1000);
  EXPECT_GE(box_.near->session(), std::max<std::uint64_t>(8, now_ms - 1000));
  EXPECT_EQ(box_.near->session(), report->session);
  EXPECT_EQ(box_.state->ledger_counters()["fork"], 1U);
}

TEST_F(AdoptTest, TheJournalOpensOnThisMachineOnly) {
  stop();
  TG_OK(adopt("machine-b", false));
  box_.options.machine_id = "machine-a";
  EXPECT_EQ(box_.open().error().code, ErrorCode::kIdentity);
}

TEST_F(AdoptTest, AsNewWhatIsNotConfirmedBeginsANewStreamUnderANewId) {
  const auto seventh = box_.near->chain(stream_, 7);
  stop();
  const auto report = adopt("machine-b", true);
  TG_OK(report);
  EXPECT_NE(report->journal, journal_);
  start("machine-b");
  ASSERT_EQ(box_.near->streams().size(), 1U);
  const StreamId renewed = box_.near->streams().front();
  EXPECT_NE(renewed, stream_);
  EXPECT_EQ(box_.near->label(renewed), "air-gap");
  EXPECT_EQ(box_.near->head(renewed), 4U);
  EXPECT_EQ(box_.near->chain(renewed, 0), chain_zero(report->journal, renewed));
  EXPECT_NE(box_.near->chain(renewed, 1), seventh);
  const auto frame = box_.near->load(renewed, 1, 4, 1 << 20);
  TG_OK(frame);
  EXPECT_EQ(frame->frame.hashes.front(), batch_of(7).hash);
}

TEST_F(AdoptTest, AsNewAStreamThatIsWhollyConfirmedGoesOnWithWhatComes) {
  TG_OK(box_.near->set_confirmed(stream_, 10));
  stop();
  TG_OK(adopt("machine-b", true));
  start("machine-b");
  const StreamId renewed = box_.near->streams().back();
  EXPECT_EQ(box_.near->head(renewed), 0U);
  append(11);
  TG_OK(box_.journal->sync());
  EXPECT_EQ(box_.near->head(renewed), 1U);
}

TEST_F(AdoptTest, ARunningDaemonIsNotDisturbed) {
  const auto report = adopt("machine-b", false);
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.error().code, ErrorCode::kLocked);
  EXPECT_THAT(report.error().text(), HasSubstr("stop the daemon"));
  EXPECT_EQ(box_.near->generation(stream_), 1U);
}

TEST_F(AdoptTest, AdoptingTwiceIsRight) {
  stop();
  TG_OK(adopt("machine-b", false));
  const auto again = adopt("machine-b", false);
  TG_OK(again);
  EXPECT_EQ(again->streams.front().base, 6U);
  EXPECT_EQ(again->streams.front().generation, 3U);
}

TEST_F(AdoptTest, AFolderWithoutJournalIsSaid) {
  stop();
  box_.options.directory = "/elsewhere";
  EXPECT_FALSE(adopt("machine-b", false).ok());
  EXPECT_FALSE(box_.sim.files.exists("/elsewhere"));
}

}  // namespace
}  // namespace tidegate
