// SPDX-License-Identifier: Apache-2.0
// The worked example of doc/journal_format.md is what the writer makes, byte for byte.
#include <gtest/gtest.h>

#include <fstream>
#include <numeric>
#include <sstream>

#include "base/sim_env.h"
#include "pipe/journal/inspect.h"
#include "pipe/journal/journal.h"

namespace tidegate {
namespace {

class CountingRandom final : public Random {
 public:
  void fill(std::span<std::uint8_t> out) override { std::iota(out.begin(), out.end(), std::uint8_t{0}); }
};

class TextState final : public JournalState {
 public:
  Bytes checkpoint() override { return to_bytes(as_bytes("state")); }
  Status restore(ByteView) override { return {}; }
  void on_batches(const RecordMeta&) override {}
  void on_note(std::uint8_t, ByteView) override {}
  void on_damage(Lsn, Lsn) override {}
  void on_durable(Lsn) override {}
};

// Lines "offset: bytes ; words" of the fenced block that begins with ```hex.
Bytes bytes_of_the_page() {
  std::ifstream page(TIDEGATE_SOURCE_DIR "/doc/journal_format.md");
  std::string hex;
  bool inside = false;
  for (std::string line; std::getline(page, line);) {
    if (line.starts_with("```")) {
      inside = line == "```hex";
      continue;
    }
    if (!inside) continue;
    std::istringstream words(line.substr(line.find(':') + 1));
    for (std::string word; words >> word && word != ";";) hex += word;
  }
  Bytes out;
  EXPECT_TRUE(from_hex(hex, &out)) << "the block is not hex";
  return out;
}

// The same steps as the page tells them.
Bytes bytes_of_the_writer() {
  SimEnv env;
  CountingRandom random;
  TextState state;
  JournalOptions options;
  options.directory = "/j";
  options.reserve_bytes = 0;
  options.segment_bytes = 512;
  auto journal = Journal::open({&env.files, &env.clock, &random}, options, &state).value();
  BatchBuilder builder("s", TimeUnit::kNanosecond);
  const TagView tag{"u", "1"};
  FieldView field{"v", ColumnRole::kField, {}};
  field.value.f64 = 0.5;
  RowView row;
  row.database = "plant";
  row.table = "m";
  row.tags = {&tag, 1};
  row.fields = {&field, 1};
  row.time = 1;
  EXPECT_TRUE(builder.add(row).ok());
  const Batch batch = builder.build();
  const Container container = encode_container(Codec::kList, {batch.canonical}).value();
  RecordMeta meta;
  meta.count = 1;
  meta.codec = container.codec;
  meta.decoded_size = container.decoded_size;
  meta.events = batch.summary.events;
  meta.values = batch.summary.values;
  meta.time_min = meta.time_max = 1;
  meta.hashes = {batch.hash};
  EXPECT_TRUE(journal->append(meta, container.bytes).ok());
  EXPECT_TRUE(journal->sync().ok());
  EXPECT_TRUE(journal->append_note(16, as_bytes("hi")).ok());
  EXPECT_TRUE(journal->append(meta, container.bytes).ok());  // does not fit: the segment gets its footer
  return read_file(env.files, journal->segments().front().path, 1 << 20).value();
}

TEST(JournalFormatPage, TheWorkedExampleIsWhatTheWriterMakes) {
  const Bytes page = bytes_of_the_page();
  const Bytes writer = bytes_of_the_writer();
  EXPECT_EQ(to_hex(page), to_hex(writer));
}

TEST(JournalFormatPage, TheWorkedExampleIsACompleteJournalForTheTools) {
  SimEnv env;
  ASSERT_TRUE(env.files.make_dirs("/j").ok());
  ASSERT_TRUE(
      replace_file(env.files, "/j/segment-0000000001-00000000000000000001.tgj", bytes_of_the_page()).ok());
  const auto report =
      verify_journal(env.files, "/j", true, [](const DamagedRange& d) { ADD_FAILURE() << d.reason; });
  ASSERT_TRUE(report.ok()) << report.error().text();
  EXPECT_EQ(report->exit_status(), 0);
  std::vector<std::string> lines;
  ASSERT_TRUE(dump_journal(env.files, "/j", {.content = true}, [&](std::string_view line) {
                lines.emplace_back(line);
              }).ok());
  ASSERT_EQ(lines.size(), 5U);
  EXPECT_EQ(lines[2], "lsn=1 time=1 device=root.plant.m.`1` v=0.5");
}

}  // namespace
}  // namespace tidegate
