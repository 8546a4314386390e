// SPDX-License-Identifier: Apache-2.0
#include "pipe/control/status_space.h"

#include <gmock/gmock.h>

namespace tidegate {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr std::uint64_t kMiB = 1 << 20;

class Space : public testing::Test {
 protected:
  Space() {
    view.space = {.used = 0, .quota = 100 * kMiB, .disk = {.free = 900 * kMiB, .total = 1000 * kMiB}};
  }
  std::vector<Condition> look(Nanos step = kSecond) {
    now += step;
    watch.look(view, now);
    std::vector<Condition> out;
    watch.add_conditions(out);
    return out;
  }
  StatusReport report() {
    StatusReport out;
    watch.fill(out, now);
    return out;
  }
  SpaceWatch::View view;
  SpaceWatch watch{"look at the link"};
  Nanos now = 0;
};

TEST_F(Space, AJournalThatRefusesIsFailedAndFullNow) {
  view.space.used = 50 * kMiB;
  view.accepts = make_error(ErrorCode::kNoSpace, "the quota is used up");
  look();
  const auto conditions = look(90 * kSecond);
  ASSERT_THAT(conditions, SizeIs(1));
  EXPECT_EQ(conditions[0].health, Health::kFailed);
  EXPECT_THAT(conditions[0].text, HasSubstr("nothing more is taken in: the quota is used up"));
  EXPECT_EQ(conditions[0].key, "journal-full");
  EXPECT_THAT(conditions[0].text, HasSubstr("look at the link"));
  EXPECT_EQ(report().disk_full_in_s, 0.0);
  EXPECT_EQ(report().full_for_s, 90.0);
  view.accepts = {};
  EXPECT_THAT(look(), IsEmpty());
  EXPECT_FALSE(report().full_for_s.has_value());
}

TEST_F(Space, ADiskThatFailedIsSaidToo) {
  view.accepts = make_error(ErrorCode::kPoisoned, "the second failure");
  const auto conditions = look();
  ASSERT_THAT(conditions, SizeIs(1));
  EXPECT_EQ(conditions[0].health, Health::kFailed);
  EXPECT_THAT(conditions[0].text, HasSubstr("the second failure"));
}

TEST_F(Space, AJournalThatIsClosedAtTheEndIsNoFault) {
  view.accepts = make_error(ErrorCode::kClosed, "closed");
  EXPECT_THAT(look(), IsEmpty());
}

TEST_F(Space, TheQuotaAlarmsAt60And80And90Percent) {
  struct Step {
    std::uint64_t percent;
    std::size_t alarms;
    bool critical;
    Health health;
  };
  for (const Step& step : {Step{59, 0, false, Health::kOk},
                           {60, 1, false, Health::kOk},
                           {79, 1, false, Health::kOk},
                           {80, 1, false, Health::kOk},
                           {90, 1, true, Health::kDegraded},
                           {88, 1, true, Health::kDegraded},
                           {86, 1, false, Health::kOk},
                           {58, 1, false, Health::kOk},
                           {56, 0, false, Health::kOk},
                           {59, 0, false, Health::kOk}}) {
    view.space.used = step.percent * kMiB;
    const auto conditions = look();
    ASSERT_THAT(conditions, SizeIs(step.alarms)) << step.percent;
    if (conditions.empty()) continue;
    EXPECT_EQ(conditions[0].critical, step.critical) << step.percent;
    EXPECT_EQ(conditions[0].health, step.health) << step.percent;
    EXPECT_TRUE(conditions[0].alarm);
  }
}

TEST_F(Space, TheDiskAlarmsByWhatMayBeUsedOfIt) {
  view.min_free = 500 * kMiB;
  view.space.disk.free = 560 * kMiB;  // 440 of 500 usable
  const auto conditions = look();
  ASSERT_THAT(conditions, SizeIs(1));
  EXPECT_THAT(conditions[0].text, HasSubstr("88 %"));
}

TEST_F(Space, TheTimeUntilFullCountsToMinFreeAndToTheQuota) {
  view.min_free = 100 * kMiB;
  for (int i = 0; i <= 60; ++i) {
    look();
    view.space.disk.free -= kMiB;
  }
  ASSERT_TRUE(report().disk_full_in_s.has_value());
  EXPECT_NEAR(*report().disk_full_in_s, 740, 2);
  view.waiting = true;
  for (int i = 0; i <= 300; ++i) {
    view.space.used += kMiB / 4;
    look();
  }
  EXPECT_NEAR(*report().disk_full_in_s, 99, 15);
}

}  // namespace
}  // namespace tidegate
