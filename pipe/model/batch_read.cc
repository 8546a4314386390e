// SPDX-License-Identifier: Apache-2.0
// Reading of any batch: head, summary, and the rows one by one.
#include <string>

#include "pipe/model/canonical.h"
#include "pipe/model/rows_reader.h"

namespace tidegate {
namespace {

// Gives the rows of one series after another. Its buffers grow to the widest series and are then used again.
class RowFeed {
 public:
  // False when the callback asked to stop.
  bool feed(const RowsReader& reader, const std::function<bool(const RowView&)>& callback) {
    open(reader);
    const RowsReader::Series& series = reader.series();
    for (std::uint32_t i = 0; i < series.rows; ++i) {
      std::memcpy(&row_.time, series.times + 8 * std::size_t{i}, sizeof(row_.time));
      row_.fields = {fields_.data(), gaps_ ? load_with_gaps(i) : load_all()};
      if (!callback(row_)) return false;
    }
    return true;
  }

 private:
  struct Cursor {
    const std::uint8_t* presence;
    const std::uint8_t* next;
    const RowsReader::ColumnHead* head;
  };

  void open(const RowsReader& reader) {
    const RowsReader::Section& section = reader.section();
    const RowsReader::Series& series = reader.series();
    row_ = RowView{section.addressing, section.database, section.table, {}, {}, {}, 0};
    if (section.addressing == Addressing::kTree) row_.device = series.device;
    if (section.addressing == Addressing::kTable) row_.tags = series.tags;
    cursors_.clear();
    fields_.resize(section.columns.size());
    gaps_ = false;
    for (std::size_t i = 0; i < section.columns.size(); ++i) {
      cursors_.push_back({series.columns[i].presence, series.columns[i].values, &section.columns[i]});
      gaps_ = gaps_ || series.columns[i].presence != nullptr;
      name(&fields_[i], section.columns[i]);
    }
  }

  static void name(FieldView* field, const RowsReader::ColumnHead& head) {
    field->name = head.name;
    field->role = head.role;
    field->value.type = head.type;
    field->value.presence = Presence::kValue;
    field->value.text = {};
  }

  static void load(Cursor* cursor, ValueView* value) {
    if (is_text(value->type)) {
      std::uint32_t size;
      std::memcpy(&size, cursor->next, sizeof(size));
      value->text = {reinterpret_cast<const char*>(cursor->next) + 4, size};
      cursor->next += 4 + std::size_t{size};
      return;
    }
    switch (width_of(value->type)) {
      case 8:
        std::memcpy(&value->u64, cursor->next, 8);
        break;
      case 4:
        std::memcpy(&value->i32, cursor->next, 4);
        break;
      default:
        value->b = *cursor->next != 0;
    }
    cursor->next += width_of(value->type);
  }

  std::size_t load_all() {
    for (std::size_t i = 0; i < cursors_.size(); ++i) load(&cursors_[i], &fields_[i].value);
    return cursors_.size();
  }

  std::size_t load_with_gaps(std::uint32_t row) {
    std::size_t count = 0;
    for (Cursor& cursor : cursors_) {
      const Presence presence =
          cursor.presence == nullptr ? Presence::kValue : static_cast<Presence>(cursor.presence[row]);
      if (presence == Presence::kAbsent) continue;
      FieldView& field = fields_[count++];
      name(&field, *cursor.head);
      field.value.presence = presence;
      if (presence == Presence::kValue) load(&cursor, &field.value);
    }
    return count;
  }

  RowView row_;
  std::vector<Cursor> cursors_;
  std::vector<FieldView> fields_;
  bool gaps_ = false;
};

}  // namespace

Result<BatchSummary> summarize(ByteView bytes) {
  ByteReader reader(bytes);
  BatchSummary summary;
  TG_TRY(const BatchHead head, canonical::parse_head(reader, &summary.kind));
  if (!canonical::is_known(summary.kind)) return summary;
  summary.unit = head.unit;
  summary.flags = head.flags;
  if (summary.kind == EventKind::kRows) {
    TG_CHECK(canonical::summarize_rows(reader, &summary));
  } else {
    TG_CHECK(canonical::summarize_list(reader, summary.kind, &summary));
  }
  return summary;
}

Result<BatchHead> read_head(ByteView bytes, EventKind* kind) {
  ByteReader reader(bytes);
  return canonical::parse_head(reader, kind);
}

Status for_each_row(ByteView bytes, const std::function<bool(const RowView&)>& row) {
  ByteReader reader(bytes);
  EventKind kind{};
  TG_TRY([[maybe_unused]] const BatchHead head, canonical::parse_head(reader, &kind));
  if (kind != EventKind::kRows) {
    return make_error(ErrorCode::kInvalidArgument,
                      "a batch of kind " + std::to_string(static_cast<unsigned>(kind)) + " holds no rows");
  }
  RowsReader rows(reader);
  RowFeed feed;
  while (rows.next()) {
    if (!feed.feed(rows, row)) return {};
  }
  return rows.status();
}

Result<Batch> adopt_batch(Bytes bytes) {
  TG_TRY(BatchSummary summary, summarize(bytes));
  const Hash128 hash = xxh3_128(bytes);
  return Batch{std::move(bytes), hash, summary};
}

}  // namespace tidegate
