// SPDX-License-Identifier: Apache-2.0
// The view that a plugin gets and the rows that it gives back, without a process between them.
#include "pipe/engine/plugin/row_collector.h"

#include "pipe/engine/plugin/batch_unpacker.h"
#include "pipe/engine/plugin/plugin_protocol.h"
#include "pipe/process/process_test_rig.h"

namespace tidegate::tgplugin {
namespace {

using testing::HasSubstr;

class PluginRows : public testing::Test {
 protected:
  const tg_batch& unpack(const Batch& batch) {
    Result<const tg_batch*> view = unpacker_.unpack(batch.canonical, 7);
    EXPECT_TRUE(view.ok()) << view.error().text();
    EXPECT_TRUE(rows_.begin(batch.canonical).ok());
    return **view;
  }
  // A series of one row with one double, to be made wrong.
  tg_series& series() {
    column_ = {{"v", 1}, TG_TYPE_DOUBLE, TG_ROLE_FIELD, nullptr, &value_};
    series_ = {};
    series_.device = {"root.a", 6};
    series_.row_count = 1;
    series_.times = &time_;
    series_.columns = &column_;
    series_.column_count = 1;
    return series_;
  }
  std::string refusal() {
    const Status status = rows_.emit(series_);
    return status.ok() ? "(nothing is refused)" : status.error().detail;
  }

  BatchUnpacker unpacker_;
  RowCollector rows_;
  tg_series series_{};
  tg_column column_{};
  double value_ = 1;
  std::int64_t time_ = 1;
};

TEST_F(PluginRows, WhatIsEmittedAsItCameIsTheSameBatch) {
  test::RandomBatches random(4);
  for (int i = 0; i < 500; ++i) {
    const Batch batch = random.next();
    const tg_batch& view = unpack(batch);
    EXPECT_EQ(view.events, batch.summary.events);
    for (std::size_t s = 0; s < view.series_count; ++s) ASSERT_TRUE(rows_.emit(view.series[s]).ok());
    const auto made = rows_.take();
    ASSERT_EQ(made.size(), 1U);
    ASSERT_TRUE(made[0].has_value());
    EXPECT_EQ(made[0]->canonical, batch.canonical);
    unpacker_.clear();
  }
}

TEST_F(PluginRows, ValuesStandOneForEachRowAlsoWhereThereIsNone) {
  const Batch batch = test::batch_of(
      {test::tree_row("root.a", 5, {test::real("v", 1.5), test::words("t", "x")}),
       test::tree_row("root.a", 6, {test::null("v")}), test::tree_row("root.a", 7, {test::real("v", 2.5)})});
  const tg_batch& view = unpack(batch);
  ASSERT_EQ(view.series_count, 1U);
  const tg_series& one = view.series[0];
  ASSERT_EQ(one.column_count, 2U);
  EXPECT_EQ(from_tg(one.columns[0].name), "t");
  EXPECT_EQ(from_tg(static_cast<const tg_str*>(one.columns[0].values)[0]), "x");
  EXPECT_EQ(one.columns[0].presence[1], TG_ABSENT);
  const auto* values = static_cast<const double*>(one.columns[1].values);
  EXPECT_EQ(std::vector<double>(values, values + 3), (std::vector<double>{1.5, 0, 2.5}));
  EXPECT_EQ(one.columns[1].presence[1], TG_NULL);
  EXPECT_EQ(std::vector<std::int64_t>(one.times, one.times + 3), (std::vector<std::int64_t>{5, 6, 7}));
  EXPECT_EQ(view.number, 7U);
}

TEST_F(PluginRows, OtherKindsAreOpaqueAndCounted) {
  const Batch batch = make_batch({TimeUnit::kSecond, 0, "s"}, EventKind::kOpaque, {{"p", {1}}, {"p", {2}}});
  const tg_batch& view = unpack(batch);
  EXPECT_EQ(view.kind, static_cast<std::uint32_t>(TG_KIND_OPAQUE));
  EXPECT_EQ(view.events, 2U);
  EXPECT_EQ(view.series_count, 0U);
  EXPECT_EQ(to_bytes(from_tg(view.content)), batch.canonical);
}

TEST_F(PluginRows, ARowInWhichAllIsAbsentIsLeftOut) {
  unpack(test::batch_of({test::tree_row("root.a", 1, {test::real("v", 1)})}));
  const std::uint8_t absent = TG_ABSENT;
  series();
  column_.presence = &absent;
  EXPECT_EQ(refusal(), "(nothing is refused)");
  EXPECT_TRUE(rows_.take().empty());
}

TEST_F(PluginRows, TheInputStandsBehindWhatWasEmittedBefore) {
  unpack(test::batch_of({test::tree_row("root.a", 1, {test::real("v", 1)})}));
  ASSERT_TRUE(rows_.emit(series()).ok());
  ASSERT_TRUE(rows_.emit_input().ok());
  ASSERT_TRUE(rows_.emit(series()).ok());
  const auto made = rows_.take();
  ASSERT_EQ(made.size(), 3U);
  EXPECT_TRUE(made[0].has_value());
  EXPECT_FALSE(made[1].has_value());
  EXPECT_TRUE(made[2].has_value());
}

TEST_F(PluginRows, ASeriesThatIsNotSoundIsRefusedWithWhatIsWrong) {
  unpack(test::batch_of({test::tree_row("root.a", 1, {test::real("v", 1)})}));
  series().row_count = 0;
  EXPECT_THAT(refusal(), HasSubstr("no rows"));
  series().columns = nullptr;
  EXPECT_THAT(refusal(), HasSubstr("no columns"));
  series().addressing = 2;
  EXPECT_THAT(refusal(), HasSubstr("addressing 2"));
  series().tag_count = 1;
  EXPECT_THAT(refusal(), HasSubstr("tags is missing"));
  series();
  column_.type = TG_TYPE_DOUBLE + 256;
  EXPECT_THAT(refusal(), HasSubstr("unknown type 262"));
  series();
  column_.role = 2;
  EXPECT_THAT(refusal(), HasSubstr("unknown role"));
  series();
  column_.values = nullptr;
  EXPECT_THAT(refusal(), HasSubstr("no array of values"));
  const std::uint8_t odd = 3;
  series();
  column_.presence = &odd;
  EXPECT_THAT(refusal(), HasSubstr("unknown presence 3"));
  EXPECT_TRUE(rows_.take().empty());
}

TEST_F(PluginRows, WhatComesOutOfOneBatchIsBounded) {
  unpack(test::batch_of({test::tree_row("root.a", 1, {test::real("v", 1)})}));
  Status status;
  std::size_t passed = 0;
  while ((status = rows_.emit_input()).ok()) ++passed;
  EXPECT_EQ(status.error().code, ErrorCode::kTooLarge);
  EXPECT_EQ(passed, kMostOutputs - 1);
}

}  // namespace
}  // namespace tidegate::tgplugin
