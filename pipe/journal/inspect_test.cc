// SPDX-License-Identifier: Apache-2.0
#include "pipe/journal/inspect.h"

#include "pipe/journal/inspect_text.h"
#include "pipe/journal/journal_test_rig.h"
#include "protocol/influx/json_text.h"

namespace tidegate {
namespace {

class InspectTest : public JournalTest {
 protected:
  // A record of two batches of one row each.
  void put_rows(std::int64_t time) {
    std::vector<Batch> batches;
    for (int i = 0; i < 2; ++i) {
      BatchBuilder builder("s", TimeUnit::kNanosecond);
      FieldView field{"speed", ColumnRole::kField, {}};
      field.value.f64 = 2.5;
      RowView row;
      row.addressing = Addressing::kTree;
      row.device = "root.plant.line\"1";
      row.fields = {&field, 1};
      row.time = time + i;
      ASSERT_TRUE(builder.add(row).ok());
      batches.push_back(builder.build());
    }
    const Container container =
        encode_container(Codec::kZstd, {batches[0].canonical, batches[1].canonical}).value();
    RecordMeta meta;
    meta.count = 2;
    meta.codec = container.codec;
    meta.decoded_size = container.decoded_size;
    meta.events = meta.values = 2;
    meta.time_min = time;
    meta.time_max = time + 1;
    meta.hashes = {batches[0].hash, batches[1].hash};
    ASSERT_TRUE(journal->append(meta, container.bytes).ok());
  }
  std::vector<std::string> dump(const DumpOptions& wanted) {
    std::vector<std::string> lines;
    const Status done =
        dump_journal(env.files, "/j", wanted, [&](std::string_view line) { lines.emplace_back(line); });
    EXPECT_TRUE(done.ok()) << done.error().text();
    return lines;
  }
  std::vector<DamagedRange> problems(bool hash = false) {
    std::vector<DamagedRange> out;
    const auto report =
        verify_journal(env.files, "/j", hash, [&](const DamagedRange& d) { out.push_back(d); });
    EXPECT_TRUE(report.ok()) << report.error().text();
    EXPECT_EQ(report->exit_status(), out.empty() ? 0 : 1);
    return out;
  }
};

TEST_F(InspectTest, LsTellsRangesAndTotalsFromFootersAndByCounting) {
  options.segment_bytes = 1000;
  open();
  for (int i = 0; i < 10; ++i) put_rows(1000 * i);
  sync();
  const auto listed = list_journal(env.files, "/j");
  ASSERT_TRUE(listed.ok()) << listed.error().text();
  const auto expected = journal->segments();
  ASSERT_EQ(listed->size(), expected.size());
  std::uint64_t events = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const SegmentDetail& s = (*listed)[i];
    EXPECT_EQ(std::tuple(s.info.number, s.info.first_lsn, s.info.last_lsn, s.info.bytes, s.info.sealed),
              std::tuple(expected[i].number, expected[i].first_lsn, expected[i].last_lsn, expected[i].bytes,
                         expected[i].sealed));
    EXPECT_EQ(s.created_micros, env.clock.wall_micros());
    events += s.totals.events;
  }
  EXPECT_EQ(events, 20U);
  EXPECT_EQ((*listed)[0].totals.time_min, 0);
  EXPECT_NE(segments_text(*listed, false).find("arrived_from=2023-11-14T22:13:20.000000Z"),
            std::string::npos);
}

TEST_F(InspectTest, EveryLineOfAJsonDumpIsJson) {
  open();
  put_rows(5);
  note("x");
  put_rows(7);
  sync();
  ASSERT_TRUE(journal->mark_idle().ok());
  const auto lines = dump({.json = true, .content = true});
  EXPECT_EQ(lines.size(), 9U);
  for (const std::string& line : lines) EXPECT_TRUE(influx::parse_json(line).has_value()) << line;
  const auto row = influx::parse_json(lines[2]);
  EXPECT_EQ(row->string("device"), "root.plant.line\"1");
  EXPECT_EQ(row->string("speed"), "2.5");
  EXPECT_TRUE(influx::parse_json(segments_text(list_journal(env.files, "/j").value(), true)).has_value());
}

TEST_F(InspectTest, DumpShowsTheLsnsAskedFor) {
  open();
  for (int i = 0; i < 5; ++i) put_rows(i);
  sync();
  const auto lines = dump({.first = 3, .last = 4});
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_NE(lines[0].find("first_lsn=3 last_lsn=4"), std::string::npos);
}

TEST_F(InspectTest, ALiveJournalIsNotDamagedWhileItsTailIsBeingWritten) {
  open();
  put_rows(1);
  sync();
  env.files.inject({.kind = EffectKind::kWrite, .code = ErrorCode::kIo, .written = 80});
  const auto file = env.files.open(last_segment(), OpenMode::kReadWrite).value();
  EXPECT_FALSE(file->write_at(file->size().value(), Bytes(500, 'x')).ok());
  EXPECT_TRUE(problems(true).empty());
  EXPECT_EQ(dump({}).size(), 2U);
}

TEST_F(InspectTest, LookingChangesNothing) {
  open();
  put_rows(1);
  sync();
  const auto effects = [&] {
    std::uint64_t sum = 0;
    for (std::size_t kind = 0; kind < kEffectKinds; ++kind)
      sum += env.files.effects(static_cast<EffectKind>(kind));
    return sum;
  };
  const std::uint64_t before = effects();
  (void)list_journal(env.files, "/j");
  (void)dump({.content = true});
  (void)problems(true);
  EXPECT_EQ(effects(), before);
}

TEST_F(InspectTest, VerifyFindsDamageAndDumpShowsIt) {
  options.segment_bytes = 1 << 20;
  open();
  put_rows(1);
  put_rows(2);
  ASSERT_TRUE(journal->close().ok());
  ASSERT_TRUE(env.files.rot(last_segment(), 400).ok());
  const auto found = problems();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(std::pair(found[0].first, found[0].last), std::pair(Lsn{1}, Lsn{2}));
  EXPECT_NE(dump({})[1].find("DAMAGED"), std::string::npos);
  std::size_t told = 0;
  ASSERT_TRUE(journal->verify(true, [&](const DamagedRange&) { return ++told, true; }).ok());
  EXPECT_EQ(told, 1U);
  EXPECT_EQ(journal->damaged().size(), 1U);
}

TEST_F(InspectTest, VerifyWithHashFindsABatchThatIsNotWhatItsHashSays) {
  open();
  const Batch batch = make_batch(BatchHead{}, std::vector<Deletion>{{{"root.**"}, 1, 2}});
  const Container container = encode_container(Codec::kList, {batch.canonical}).value();
  RecordMeta meta;
  meta.count = 1;
  meta.decoded_size = container.decoded_size;
  meta.hashes = {xxh3_128(as_bytes("something else"))};
  ASSERT_TRUE(journal->append(meta, container.bytes).ok());
  sync();
  EXPECT_TRUE(problems(false).empty());
  ASSERT_EQ(problems(true).size(), 1U);
  EXPECT_NE(problems(true)[0].reason.find("content hash"), std::string::npos);
}

TEST_F(InspectTest, AFolderWithoutAJournalSaysSo) {
  EXPECT_EQ(code(list_journal(env.files, "/nothing")), ErrorCode::kNotFound);
}

TEST(InspectText, TimesAreReadableAlsoBeforeTheEpoch) {
  EXPECT_EQ(utc_text(0), "1970-01-01T00:00:00.000000Z");
  EXPECT_EQ(utc_text(-1), "1969-12-31T23:59:59.999999Z");
}

}  // namespace
}  // namespace tidegate
