// SPDX-License-Identifier: Apache-2.0
// doc/batch_format.md is the golden data: its examples are read from the page and held against the code.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>

#include "pipe/model/owned_row.h"

namespace tidegate {
namespace {

using test::bits_of;
using test::OwnedField;
using test::OwnedRow;

struct Example {
  Bytes canonical;
  std::string hash;
};

// The blocks ```batch <name>: hex with comments behind '#', then "hash <hex>".
std::map<std::string, Example> read_examples() {
  std::ifstream page(std::string(TIDEGATE_SOURCE_DIR) + "/doc/batch_format.md");
  std::map<std::string, Example> examples;
  std::string name, hex;
  for (std::string line; std::getline(page, line);) {
    if (line.starts_with("```")) {
      name = line.starts_with("```batch ") ? line.substr(9) : "";
      hex.clear();
    } else if (!name.empty() && line.starts_with("hash ")) {
      EXPECT_TRUE(from_hex(hex, &examples[name].canonical)) << name;
      examples[name].hash = line.substr(5);
    } else {
      for (const char c : line.substr(0, line.find('#'))) {
        if (c != ' ') hex.push_back(c);
      }
    }
  }
  return examples;
}

class BatchFormat : public testing::Test {
 protected:
  void is(const Batch& batch, const std::string& name) {
    ASSERT_TRUE(examples_.contains(name)) << name;
    EXPECT_EQ(to_hex(batch.canonical), to_hex(examples_[name].canonical));
    EXPECT_EQ(batch.hash.hex(), examples_[name].hash);
  }
  static Batch build(const BatchHead& head, const std::vector<OwnedRow>& rows) {
    BatchBuilder builder(head.source, head.unit, head.flags);
    for (const OwnedRow& row : rows) {
      EXPECT_TRUE(test::with_view(row, [&](const RowView& view) { return builder.add(view); }).ok());
    }
    return builder.build();
  }
  static OwnedRow drive(const char* id, std::int64_t time, std::vector<OwnedField> fields) {
    return {Addressing::kTable, "plant", "drive", "", {{"id", id}}, std::move(fields), time};
  }
  static OwnedField on(bool value) {
    return {"on", ValueType::kBool, ColumnRole::kField, Presence::kValue, bits_of(value)};
  }
  static OwnedField note(const char* text) {
    return {"note", ValueType::kText, ColumnRole::kField, Presence::kValue, text};
  }
  static OwnedField null(const char* name, ValueType type) {
    return {name, type, ColumnRole::kField, Presence::kNull, ""};
  }

  std::map<std::string, Example> examples_ = read_examples();
};

TEST_F(BatchFormat, EveryExampleOfThePageIsCanonicalAndHasItsHash) {
  ASSERT_GE(examples_.size(), 4U);
  for (const auto& [name, example] : examples_) {
    const auto batch = adopt_batch(example.canonical);
    ASSERT_TRUE(batch.ok()) << name << ": " << batch.error().text();
    EXPECT_EQ(batch->hash.hex(), example.hash) << name;
  }
}

TEST_F(BatchFormat, CheckVectorOfTheLinkIsTheFirstExample) {
  EXPECT_EQ(to_hex(examples_["one-row"].canonical),
            "010103000100000073010000000105000000706c616e74010000006d0100000001000000760600010000000100000001"
            "00000075010000003101000000010000000000000000000000000000e03f");
  EXPECT_EQ(examples_["one-row"].hash, "aa203ef66180c003405e96f78fdf655c");
}

TEST_F(BatchFormat, BuilderWritesOneRow) {
  const OwnedField v{"v", ValueType::kDouble, ColumnRole::kField, Presence::kValue, bits_of(0.5)};
  is(build({TimeUnit::kNanosecond, 0, "s"}, {{Addressing::kTable, "plant", "m", "", {{"u", "1"}}, {v}, 1}}),
     "one-row");
}

TEST_F(BatchFormat, BuilderWritesSeveralSeries) {
  const OwnedField t{"t", ValueType::kInt32, ColumnRole::kField, Presence::kValue, bits_of(-1)};
  is(build({TimeUnit::kMillisecond, kFlagByPipeProtocol, "plc"},
           {drive("2", 1000, {on(true), note("hot")}),
            drive("10", 1000, {on(false), null("note", ValueType::kText)}),
            drive("2", 900, {on(false)}),
            drive("2", 2000, {note(""), null("on", ValueType::kBool)}),
            drive("3", 1000, {on(true)}),
            drive("10", 2000, {on(true)}),
            {Addressing::kTree, "", "", "root.sg.d1", {}, {t}, 5}}),
     "several-series");
}

TEST_F(BatchFormat, SeveralSeriesReadBackSeriesBySeries) {
  const auto rows = test::rows_of(examples_["several-series"].canonical);
  ASSERT_TRUE(rows.ok()) << rows.error().text();
  const OwnedField t{"t", ValueType::kInt32, ColumnRole::kField, Presence::kValue, bits_of(-1)};
  EXPECT_THAT(*rows,
              testing::ElementsAre(OwnedRow{Addressing::kTree, "", "", "root.sg.d1", {}, {t}, 5},
                                   drive("10", 1000, {null("note", ValueType::kText), on(false)}),
                                   drive("10", 2000, {on(true)}), drive("2", 1000, {note("hot"), on(true)}),
                                   drive("2", 900, {on(false)}),
                                   drive("2", 2000, {note(""), null("on", ValueType::kBool)}),
                                   drive("3", 1000, {on(true)})));
}

TEST_F(BatchFormat, ListKindsAreWrittenFieldByField) {
  const BatchHead head{TimeUnit::kNanosecond, 0, "s"};
  is(make_batch(head, std::vector<Deletion>{{{"root.sg.**"}, 1, -1}}), "deletion");
  is(make_batch(head, std::vector<ForkEvent>{{Id{}, 7, 2, 10, 12}}), "fork");
}

// What is left of a golden batch after damage is refused, or is canonical itself: then its events make the
// same bytes.
class DamagedGolden : public BatchFormat {
 protected:
  static void is_refused_or_canonical(const Bytes& bytes) {
    const auto summary = summarize(bytes);
    if (!summary.ok() || summary->kind != EventKind::kRows) return;
    const auto head = read_head(bytes, nullptr);
    const auto rows = test::rows_of(bytes);
    ASSERT_TRUE(head.ok() && rows.ok());
    EXPECT_EQ(to_hex(test::NaiveWriter::write(*head, *rows)), to_hex(bytes));
  }
};

TEST_F(DamagedGolden, EveryTruncationIsRefused) {
  for (const auto& [name, example] : examples_) {
    for (std::size_t size = 0; size < example.canonical.size(); ++size) {
      const Bytes cut(example.canonical.begin(),
                      example.canonical.begin() + static_cast<std::ptrdiff_t>(size));
      EXPECT_FALSE(summarize(cut).ok()) << name << " cut to " << size;
      EXPECT_FALSE(test::rows_of(cut).ok());
      EXPECT_FALSE(read_deletions(cut).ok());
      EXPECT_FALSE(read_forks(cut).ok());
    }
  }
}

TEST_F(DamagedGolden, BytesAfterTheEndAreNotCanonical) {
  for (auto [name, example] : examples_) {
    example.canonical.push_back(0);
    EXPECT_EQ(summarize(example.canonical).error().code, ErrorCode::kNotCanonical) << name;
  }
}

TEST_F(DamagedGolden, EveryValueOfEveryByteOfOneRowIsRefusedOrStillCanonical) {
  Bytes bytes = examples_["one-row"].canonical;
  for (std::uint8_t& byte : bytes) {
    const std::uint8_t good = byte;
    for (unsigned value = 0; value < 256; ++value) {
      byte = static_cast<std::uint8_t>(value);
      is_refused_or_canonical(bytes);
    }
    byte = good;
  }
}

TEST_F(DamagedGolden, EveryFlippedBitOfEveryExampleIsRefusedOrStillCanonical) {
  for (const auto& [name, example] : examples_) {
    Bytes bytes = example.canonical;
    for (std::size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
      const auto mask = static_cast<std::uint8_t>(1U << bit % 8);
      bytes[bit / 8] ^= mask;
      is_refused_or_canonical(bytes);
      bytes[bit / 8] ^= mask;
    }
  }
}

}  // namespace
}  // namespace tidegate
