// SPDX-License-Identifier: Apache-2.0
// The rows of a body of line protocol, slice by slice, in memory that is used again for the next body.
//
// A slice bounds the memory that views take: a line of 6 bytes becomes a row of some 200. No allocation per
// line once the buffers have grown. Not thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "pipe/model/batch.h"
#include "protocol/influx/line_parser.h"

namespace tidegate {

class BodyRows {
 public:
  // A slice ends behind the row that reaches one of the two.
  static constexpr std::size_t kSliceFields = 98304;    // fields and tags
  static constexpr std::size_t kSliceText = 1UL << 20;  // bytes of text that had to be unescaped
  static constexpr std::size_t kErrorSamples = 64;      // bad lines kept for the answer

  // `body` and `database` stay until the last slice was used. Rows without a time get `default_time` (in the
  // unit of the precision). Counts and errors start again.
  void start(std::string_view body, std::string_view database, const influx::ParserOptions& options,
             std::int64_t default_time);

  // Collects the next slice; the one before is gone. False when the body has ended and nothing was collected.
  bool next_slice();
  bool at_end() const { return at_end_; }
  std::uint64_t rows_before() const { return rows_before_; }  // in slices before this one
  // Reads the rest only for its errors and counts: the slice stays as it is.
  void skim_rest();

  // Valid until the next call of start() or next_slice().
  std::span<const RowView> rows() const { return rows_; }
  std::size_t slice_values() const { return fields_.size(); }

  const std::vector<influx::LineError>& errors() const { return errors_; }
  std::size_t error_count() const { return error_count_; }
  bool all_timed() const { return all_timed_; }  // of the lines read so far

 private:
  struct Extent {
    std::size_t tags = 0, fields = 0;  // where those of a row end
  };
  std::optional<influx::LineParser::Step> step();
  void keep_error();
  void add_row(const influx::Point& point);
  std::string_view kept(std::string_view text);
  char* scratch(std::size_t size);
  void bind_views();

  std::string_view body_;
  std::string_view database_;
  std::int64_t default_time_ = 0;
  std::optional<influx::LineParser> parser_;
  std::vector<RowView> rows_;
  std::vector<Extent> extents_;
  std::vector<TagView> tags_;
  std::vector<FieldView> fields_;
  std::vector<std::unique_ptr<char[]>> blocks_;  // for text that was unescaped; of kBlock bytes each
  std::vector<std::unique_ptr<char[]>> large_;
  std::size_t block_ = 0, block_used_ = 0;
  std::size_t copied_ = 0;  // bytes of text copied for this slice
  std::vector<influx::LineError> errors_;
  std::size_t error_count_ = 0;
  bool all_timed_ = true;
  std::uint64_t rows_before_ = 0;
  bool at_end_ = true;
};

// The batch's unit for a precision, and the wall clock in it, cut to m and h where those were asked for.
TimeUnit time_unit(influx::Unit unit);
std::int64_t time_of(std::int64_t wall_micros, const influx::Precision& precision);

}  // namespace tidegate
