// SPDX-License-Identifier: Apache-2.0
// For the tests of pipe/process: rows written in one line, batches of them, what a processor makes of them,
// and the property that every processor has: cutting its life at any batch changes nothing.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "pipe/engine/processor.h"
#include "pipe/model/owned_row.h"

namespace tidegate::test {

template <class T>
OwnedField number_field(std::string name, ValueType type, T value) {
  return {std::move(name), type, ColumnRole::kField, Presence::kValue, bits_of(value)};
}
inline OwnedField real(std::string name, double value) {
  return number_field(std::move(name), ValueType::kDouble, value);
}
inline OwnedField integer(std::string name, std::int64_t value) {
  return number_field(std::move(name), ValueType::kInt64, value);
}
inline OwnedField words(std::string name, std::string value) {
  return {std::move(name), ValueType::kText, ColumnRole::kField, Presence::kValue, std::move(value)};
}
inline OwnedField null(std::string name, ValueType type = ValueType::kDouble) {
  return {std::move(name), type, ColumnRole::kField, Presence::kNull, {}};
}

inline OwnedRow table_row(std::string table, std::int64_t time, std::vector<OwnedField> fields,
                          std::string tag = "1") {
  OwnedRow row;
  row.database = "plant";
  row.table = std::move(table);
  row.tags = {{"unit", std::move(tag)}};
  row.fields = std::move(fields);
  row.time = time;
  return row;
}
inline OwnedRow tree_row(std::string device, std::int64_t time, std::vector<OwnedField> fields) {
  OwnedRow row;
  row.addressing = Addressing::kTree;
  row.device = std::move(device);
  row.fields = std::move(fields);
  row.time = time;
  return row;
}

inline Batch batch_of(const std::vector<OwnedRow>& rows,
                      const BatchHead& head = {TimeUnit::kMillisecond, 0, "s"}) {
  BatchBuilder builder(head.source, head.unit, head.flags);
  for (const OwnedRow& row : rows) {
    const Status added = with_view(row, [&](const RowView& view) { return builder.add(view); });
    EXPECT_TRUE(added.ok()) << added.error().text();
  }
  return builder.build();
}

inline std::vector<OwnedRow> rows_in(const std::vector<Batch>& batches) {
  std::vector<OwnedRow> out;
  for (const Batch& batch : batches) {
    Result<std::vector<OwnedRow>> rows = rows_of(batch.canonical);
    EXPECT_TRUE(rows.ok()) << rows.error().text();
    if (rows.ok()) out.insert(out.end(), rows->begin(), rows->end());
  }
  return out;
}

inline Status feed(Processor& processor, const Batch& batch, std::vector<Batch>* out) {
  return processor.process({batch.canonical, batch.summary}, out);
}
// What comes out of one batch; what is wrong with it in a failed test.
inline std::vector<Batch> pass(Processor& processor, const Batch& batch) {
  std::vector<Batch> out;
  const Status status = feed(processor, batch, &out);
  EXPECT_TRUE(status.ok()) << status.error().text();
  return out;
}
inline std::vector<OwnedRow> pass(Processor& processor, const std::vector<OwnedRow>& rows) {
  return rows_in(pass(processor, batch_of(rows)));
}
inline std::string refusal(Processor& processor, const Batch& batch) {
  std::vector<Batch> out;
  const Status status = feed(processor, batch, &out);
  return status.ok() ? "(nothing is refused)" : status.error().text();
}

// ---- random batches: few series and columns, so that things meet; all types, nulls, absent values, late
// rows

class RandomBatches {
 public:
  explicit RandomBatches(std::uint64_t seed) : random_(seed) {}

  Batch next() {
    std::vector<OwnedRow> rows;
    const std::uint64_t count = 1 + below(12);
    for (std::uint64_t i = 0; i < count; ++i) rows.push_back(row());
    return batch_of(rows, {below(8) == 0 ? TimeUnit::kSecond : TimeUnit::kMillisecond,
                           static_cast<std::uint8_t>(below(6) == 0 ? 1 : 0), below(5) == 0 ? "t" : "s"});
  }
  std::uint64_t below(std::uint64_t bound) { return random_() % bound; }

 private:
  OwnedRow row() {
    now_ += static_cast<std::int64_t>(below(2000));
    const std::int64_t time = below(10) == 0 ? now_ - static_cast<std::int64_t>(below(30000)) : now_;
    std::vector<OwnedField> fields{field(0)};
    for (unsigned i = 1; i < 10; ++i) {
      if (below(3) == 0) fields.push_back(field(i));
    }
    if (below(3) == 0) return tree_row(below(2) == 0 ? "root.a.d1" : "root.b.`d.2`", time, std::move(fields));
    return table_row(below(2) == 0 ? "m" : "n", time, std::move(fields), below(2) == 0 ? "1" : "2");
  }

  OwnedField field(unsigned i) {
    const auto type = static_cast<ValueType>(1 + (i + below(12) / 11) % 10);
    OwnedField out{"f" + std::to_string(i), type, ColumnRole::kField, Presence::kValue, {}};
    if (below(20) == 0) out.role = ColumnRole::kAttribute;
    if (below(8) == 0) return out.presence = Presence::kNull, out;
    out.bits = bits(type);
    return out;
  }

  std::string bits(ValueType type) {
    const auto small = static_cast<std::int64_t>(below(9)) - 4;
    switch (type) {
      case ValueType::kBool:
        return bits_of(static_cast<std::uint8_t>(below(2)));
      case ValueType::kInt32:
      case ValueType::kDate:
        return bits_of(static_cast<std::int32_t>(small));
      case ValueType::kFloat:
        return bits_of(below(15) == 0 ? std::bit_cast<float>(0x7fc00001U) : static_cast<float>(small) / 2);
      case ValueType::kDouble:
        return bits_of(below(15) == 0 ? std::bit_cast<double>(0x7ff8000000000007ULL)
                                      : static_cast<double>(small) / 3);
      case ValueType::kText:
      case ValueType::kBlob:
        return std::string(below(4), static_cast<char>('a' + below(3)));
      default:
        return bits_of(below(20) == 0 ? INT64_MAX : small);
    }
  }

  std::mt19937_64 random_;
  std::int64_t now_ = 1'000'000;
};

inline std::vector<Batch> random_batches(std::uint64_t seed, std::size_t count) {
  RandomBatches random(seed);
  std::vector<Batch> out;
  for (std::size_t i = 0; i < count; ++i) out.push_back(random.next());
  return out;
}

inline std::vector<std::vector<Bytes>> outputs(Processor& processor, const std::vector<Batch>& batches) {
  std::vector<std::vector<Bytes>> all;
  for (const Batch& batch : batches) {
    all.emplace_back();
    for (const Batch& made : pass(processor, batch)) all.back().push_back(made.canonical);
  }
  return all;
}

// `make` gives a fresh processor each time. One goes straight through; another is replaced after every batch
// by a new one with its state; a third goes back to the state of five batches ago and repeats them.
template <class Make>
void expect_repeatable(Make make, std::uint64_t seed, std::size_t count = 80) {
  const std::vector<Batch> batches = random_batches(seed, count);
  auto straight = make();
  const std::vector<std::vector<Bytes>> wanted = outputs(*straight, batches);
  auto cut = make();
  std::vector<Bytes> states;
  for (std::size_t i = 0; i < batches.size(); ++i) {
    states.push_back(cut->state());
    auto next = make();
    const Status restored = next->restore(states.back());
    ASSERT_TRUE(restored.ok()) << restored.error().text();
    ASSERT_EQ(next->state(), states.back()) << "the state of batch " << i << " is not what was restored";
    cut = std::move(next);
    ASSERT_EQ(outputs(*cut, {batches[i]}), (std::vector<std::vector<Bytes>>(1, wanted[i])))
        << "seed " << seed << ", batch " << i;
  }
  EXPECT_EQ(cut->state(), straight->state());
  auto again = make();
  ASSERT_TRUE(again->restore(states[count - 5]).ok());
  const std::vector<Batch> tail(batches.end() - 5, batches.end());
  EXPECT_EQ(outputs(*again, tail), (std::vector<std::vector<Bytes>>(wanted.end() - 5, wanted.end())));
}

// What comes out is sound: canonical, with the hash and summary it says, source, unit and flags as they came
// in, and at most one batch for one.
template <class Make>
void expect_sound_output(Make make, std::uint64_t seed, std::size_t count = 80) {
  auto processor = make();
  for (const Batch& batch : random_batches(seed, count)) {
    const std::vector<Batch> made = pass(*processor, batch);
    ASSERT_LE(made.size(), 1U);
    if (made.empty()) continue;
    EventKind kind{};
    const BatchHead in = read_head(batch.canonical, &kind).value();
    const BatchHead out = read_head(made[0].canonical, &kind).value();
    EXPECT_EQ(std::tie(in.source, in.unit, in.flags), std::tie(out.source, out.unit, out.flags));
    const Result<Batch> adopted = adopt_batch(made[0].canonical);
    ASSERT_TRUE(adopted.ok()) << adopted.error().text();
    EXPECT_EQ(adopted->hash, made[0].hash);
    EXPECT_EQ(adopted->summary.events, made[0].summary.events);
    EXPECT_EQ(adopted->summary.time_max, made[0].summary.time_max);
  }
}

// No prefix of a state is taken for a state, a changed byte never crashes, and a state that is taken is given
// back as it was.
template <class Make>
void expect_strict_restore(Make make, std::uint64_t seed) {
  auto processor = make();
  outputs(*processor, random_batches(seed, 4));
  const Bytes state = processor->state();
  for (std::size_t size = 0; size < state.size(); ++size) {
    EXPECT_FALSE(make()->restore(ByteView(state).first(size)).ok()) << size << " of " << state.size();
  }
  Bytes longer = state;
  longer.push_back(0);
  EXPECT_FALSE(make()->restore(longer).ok());
  for (std::size_t at = 0; at < state.size(); ++at) {
    for (const int flip : {1, 128}) {
      Bytes changed = state;
      changed[at] = static_cast<std::uint8_t>(changed[at] ^ flip);
      auto other = make();
      if (!other->restore(changed).ok()) continue;
      EXPECT_EQ(other->state(), changed);
    }
  }
}

// Everything but rows goes through as it came.
template <class Make>
void expect_other_kinds_unchanged(Make make) {
  const BatchHead head{TimeUnit::kMillisecond, 0, "s"};
  for (const Batch& batch : {make_batch(head, std::vector<GapEvent>{{1, 2, 3, 4, 5, 6}}),
                             make_batch(head, EventKind::kSchema, {{"p", {1, 2}}}),
                             make_batch(head, EventKind::kOpaque, {{"p", {3}}}),
                             make_batch(head, std::vector<FileEvent>{{"f", 1, {}, {}}}),
                             make_batch(head, std::vector<Piece>{{{}, 0, {7}}}),
                             make_batch(head, std::vector<Statistic>{{"k", "v"}})}) {
    auto processor = make();
    const std::vector<Batch> made = pass(*processor, batch);
    ASSERT_EQ(made.size(), 1U);
    EXPECT_EQ(made[0].canonical, batch.canonical);
    EXPECT_EQ(made[0].hash, batch.hash);
  }
}

}  // namespace tidegate::test
