// SPDX-License-Identifier: Apache-2.0
// Sampling: what the processors share that choose among the values of each column and leave the others out.
// The rule of one of them is a class:
//
//   static constexpr const char* kName;
//   static constexpr bool kWholeRows;         // one chosen value takes the whole row along
//   struct Column { ... };                    // what is kept of a column
//   std::string meaning() const;              // of the options, as far as output depends on them
//   Status take_units(TimeUnit unit);         // of the batch at hand
//   // Is the value chosen? `fresh`: the first of its column. `held`: set where a value of an earlier time
//   that
//   // was kept back comes out too, in front of this one.
//   bool choose(Column&, bool fresh, std::int64_t time, const ValueView&, std::optional<HeldValue>* held)
//   const; void taken(Column&, std::int64_t time) const;              // kWholeRows: the row comes out
//   std::size_t text_bytes(const Column&) const;
//   void write(ByteWriter&, ValueType, const Column&) const;
//   Column read(ByteReader&, ValueType) const;                 // fails the reader
//
// Nulls are not judged: they come out with the row they stand in, when a value of it comes out by itself.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "pipe/engine/processor.h"
#include "pipe/engine/row_output.h"
#include "pipe/process/processor_state.h"
#include "pipe/process/series_key.h"
#include "pipe/process/stored_value.h"

namespace tidegate {

struct HeldValue {
  std::int64_t time = 0;
  StoredValue value;
};

template <class Rule>
class Sampling final : public Processor {
 public:
  Sampling(Rule rule, std::uint64_t max_state_bytes)
      : rule_(std::move(rule)), budget_(Rule::kName, max_state_bytes) {}

  std::string describe() const override { return std::string(Rule::kName) + ": " + rule_.meaning(); }

  Status process(const BatchView& batch, std::vector<Batch>* out) override {
    if (batch.summary.kind != EventKind::kRows) return out->push_back(copy_of(batch)), Status{};
    TG_CHECK(output_.begin(batch.canonical, out));
    TG_CHECK(rule_.take_units(output_.head().unit));
    series_ = all_.end();
    TG_CHECK(try_each_row(batch.canonical, [&](const RowView& row) { return add(row); }));
    output_.finish();
    return {};
  }

  // Head, then a list of (key str32, list of (column, what is kept of it)).
  Bytes state() const override {
    Bytes out;
    ByteWriter writer(out);
    write_state_head(writer, Rule::kName, rule_.meaning());
    writer.u32(static_cast<std::uint32_t>(all_.size()));
    for (const auto& [key, columns] : all_) {
      writer.str32(key);
      writer.u32(static_cast<std::uint32_t>(columns.entries().size()));
      for (const Entry& column : columns.entries()) {
        write_column_id(writer, column.id);
        rule_.write(writer, column.id.type, column.value);
      }
    }
    return out;
  }

  Status restore(ByteView state) override {
    all_.clear();
    budget_.clear();
    ByteReader reader(state);
    TG_CHECK(read_state_head(reader, Rule::kName, rule_.meaning()));
    const std::uint32_t count = reader.count32(19);
    for (std::uint32_t i = 0; i < count && reader.ok(); ++i) TG_CHECK(read_series(reader));
    if (!reader.ok() || !reader.at_end()) return bad_state(Rule::kName, "cannot be read");
    return {};
  }

 private:
  using Columns = ColumnTable<typename Rule::Column>;
  using Entry = typename Columns::Entry;
  using All = std::map<std::string, Columns, std::less<>>;  // by head key and series key
  static constexpr std::uint64_t kSeriesBytes = 128;
  static constexpr std::uint64_t kColumnBytes = sizeof(Entry) + 32;

  // A value that was kept back comes out, of the field `number` of the row at hand.
  struct Release {
    std::int64_t time;
    std::size_t field;
    StoredValue value;
  };

  std::uint64_t weight(const Entry& column) const {
    return kColumnBytes + column.id.name.size() + rule_.text_bytes(column.value);
  }

  Status choose_series(const RowView& row) {
    key_.clear();
    ByteWriter writer(key_);
    write_head_key(writer, output_.head());
    write_series_key(writer, row);
    if (series_ != all_.end() && series_->first == as_text(key_)) return {};
    series_ = all_.find(as_text(key_));
    if (series_ != all_.end()) return {};
    TG_CHECK(budget_.grow(kSeriesBytes + key_.size()));
    series_ = all_.try_emplace(std::string(as_text(key_))).first;
    return {};
  }

  Status add(const RowView& row) {
    TG_CHECK(choose_series(row));
    chosen_.clear();
    released_.clear();
    std::size_t hint = 0;
    bool any = false;
    for (std::size_t i = 0; i < row.fields.size(); ++i) {
      const FieldView& field = row.fields[i];
      if (field.value.presence != Presence::kValue) {
        chosen_.push_back(field);
        continue;
      }
      TG_TRY(const bool is_chosen, judge(row.time, field, i, &hint));
      if (is_chosen) chosen_.push_back(field);
      any = any || is_chosen;
    }
    TG_CHECK(emit_released(row));
    if (!any) return {};
    if constexpr (Rule::kWholeRows) {
      mark_taken(row);
      return output_.add(row);
    }
    RowView sampled = row;
    sampled.fields = chosen_;
    return output_.add(sampled);
  }

  Result<bool> judge(std::int64_t time, const FieldView& field, std::size_t number, std::size_t* hint) {
    bool fresh = false;
    Entry& column = series_->second.at(field, hint, &fresh);
    const std::uint64_t before = fresh ? 0 : weight(column);
    std::optional<HeldValue> held;
    const bool is_chosen = rule_.choose(column.value, fresh, time, field.value, &held);
    if (held) released_.push_back({held->time, number, std::move(held->value)});
    TG_CHECK(budget_.resize(before, weight(column)));
    return is_chosen;
  }

  void mark_taken(const RowView& row) {
    std::size_t hint = 0;
    bool fresh = false;
    for (const FieldView& field : row.fields) {
      if (field.value.presence != Presence::kValue) continue;
      rule_.taken(series_->second.at(field, &hint, &fresh).value, row.time);
    }
  }

  // In order of time; those of one time in one row.
  Status emit_released(const RowView& row) {
    std::ranges::stable_sort(released_, {}, &Release::time);
    for (std::size_t i = 0; i < released_.size();) {
      released_fields_.clear();
      const std::int64_t time = released_[i].time;
      for (; i < released_.size() && released_[i].time == time; ++i) {
        FieldView field = row.fields[released_[i].field];
        field.value = released_[i].value.view(field.value.type);
        released_fields_.push_back(field);
      }
      RowView earlier = row;
      earlier.time = time;
      earlier.fields = released_fields_;
      TG_CHECK(output_.add(earlier));
    }
    return {};
  }

  Status read_series(ByteReader& reader) {
    std::string key(reader.str32());
    ByteReader key_reader(as_bytes(key));
    BatchHead head;
    SeriesAddress address;
    read_head_key(key_reader, &head);
    read_series_key(key_reader, &address);
    const bool ascends = all_.empty() || all_.rbegin()->first < key;
    const std::uint32_t count = reader.count32(7);
    if (!key_reader.ok() || !key_reader.at_end() || !ascends) return reader.fail(), Status{};
    TG_CHECK(budget_.grow(kSeriesBytes + key.size()));
    Columns& columns = all_[std::move(key)];
    for (std::uint32_t i = 0; i < count && reader.ok(); ++i) {
      ColumnId id = read_column_id(reader);
      if (!reader.ok()) break;
      typename Rule::Column kept = rule_.read(reader, id.type);
      if (!columns.append(std::move(id), std::move(kept))) return reader.fail(), Status{};
      TG_CHECK(budget_.grow(weight(columns.entries().back())));
    }
    return {};
  }

  Rule rule_;
  StateBudget budget_;
  All all_;

  // Of the batch and the row at hand.
  typename All::iterator series_;
  Bytes key_;
  std::vector<FieldView> chosen_, released_fields_;
  std::vector<Release> released_;
  RowOutput output_;
};

}  // namespace tidegate
