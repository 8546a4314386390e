// SPDX-License-Identifier: Apache-2.0
// LineMapper: rows of the event model → line protocol. Both addressings, all types; shared by the sinks that
// write it.
//
// Addressing. Table: measurement = table, tags and fields as they are. Tree: measurement = the device path,
// or the node of it at `tree_level` (0 is `root`), and a tag (default `device`) with the whole path; fields =
// measurements of the device. Values. bool; int32, int64, date (yyyymmdd) → integer; timestamp → integer in
// nanoseconds; uint64 by the writer's policy; float and double → float (a float is widened, so both give back
// their bits); text → string. Attributes are written as fields. Null and absent: nothing is written; a row in
// which nothing else stands leaves no line. Times are scaled to nanoseconds. What line protocol cannot hold
// is refused with the reason: a blob, NaN, infinities, names that servers misread, a time outside the
// nanoseconds of an int64. A field that is refused does not take the other fields of its row with it.
#pragma once

#include <string>
#include <vector>

#include "pipe/model/batch.h"
#include "protocol/influx/line_writer.h"

namespace tidegate {

struct LineMappingOptions {
  influx::WriterTarget target = influx::WriterTarget::kPortable;
  influx::UnsignedPolicy unsigned_policy = influx::UnsignedPolicy::kNative;
  int tree_level = -1;  // -1: the whole device path
  std::string tree_tag = "device";
  bool operator==(const LineMappingOptions&) const = default;
};

struct Refusal {
  std::string reason;
  std::string line;  // the refused part of the row, readable; not necessarily valid line protocol
};

// Says whether a row is of the same series as the last one it was asked about, by the identity of the views:
// only for rows of one for_each_row() call, whose views point into the same immutable bytes.
class SeriesTracker {
 public:
  bool same_as_last(const RowView& row);
  void reset() { known_ = false; }

 private:
  bool known_ = false;
  std::string_view database_, table_, device_;
  std::vector<TagView> tags_;
};

// One thread at a time.
class LineMapper {
 public:
  // Appends to `out`, which must outlive it.
  LineMapper(LineMappingOptions options, std::string& out);
  // Before the rows of another batch.
  void next_batch(TimeUnit unit);
  // Appends at most one line. True when it did; what cannot be written goes to `refused`.
  bool row(const RowView& row, std::vector<Refusal>* refused);

 private:
  void begin_series(const RowView& row);
  Status write_key(const RowView& row);
  bool write_fields(const RowView& row, std::int64_t time_ns, std::vector<Refusal>* refused);
  bool write_field(const FieldView& field, std::string* why);

  LineMappingOptions options_;
  std::string& out_;
  influx::LineWriter writer_;
  TimeUnit unit_ = TimeUnit::kNanosecond;
  SeriesTracker tracker_;
  std::string series_;          // as written up to the last tag
  std::string series_refused_;  // why the series cannot be written; empty when it can
  std::vector<bool> dropped_;   // fields of this row that were refused
};

// The nodes of a tree path; a node in back-quotes may hold dots, `` stands for one back-quote inside.
std::vector<std::string> split_tree_path(std::string_view path);
// The database of a row: its own, or the node after `root`.
std::string database_of(const RowView& row);
// A time in nanoseconds; nothing when that does not fit.
std::optional<std::int64_t> time_in_ns(std::int64_t time, TimeUnit unit);
// The row (or one field of it) for people: like line protocol, with NaN, blobs in hex and the unit of the
// time.
std::string readable_row(const RowView& row, TimeUnit unit, const FieldView* only = nullptr);

}  // namespace tidegate
