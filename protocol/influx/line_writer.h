// SPDX-License-Identifier: Apache-2.0
// Points in, line protocol out: only lines that every server in question reads back as what was meant.
//
// What is written: LF only, one space, no trailing space, tags sorted by key, an explicit timestamp; floats
// as the shortest decimal that reads back to the same bits. What cannot be written without doubt is refused
// with kUnrepresentable and the reason; the output then holds no byte of that line.
//
//   a name or tag value that is empty, holds a control character, ends in a backslash, or has a backslash
//   before
//   ',' '=' or a space; a measurement that starts with '#'; a tag or field `time`; NaN and infinities; text
//   that is not UTF-8 (kV1 allows that in tag values and strings); a time outside what nanoseconds hold; a
//   key longer than 65535 bytes. Two backslashes in a row: kPortable refuses them, kV1 writes them as they
//   are, kV3 doubles them.
//
// Not checked: a tag and a field of the same name (3.x refuses the line).
//
// Not thread-safe; one writer per output.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "protocol/influx/point.h"

namespace tidegate::influx {

enum class WriterTarget : std::uint8_t {
  kPortable,  // the same on 1.x, 2.x, 3.x and VictoriaMetrics
  kV1,        // 1.x and 2.x
  kV3,
};

enum class UnsignedPolicy : std::uint8_t {
  kAsInteger,  // `5i` while it fits int64, else refused: what 1.x needs
  kNative,     // `5u`: 2.x and 3.x
};

struct WriterOptions {
  WriterTarget target = WriterTarget::kPortable;
  UnsignedPolicy unsigned_policy = UnsignedPolicy::kAsInteger;
  Unit unit = Unit::kNanosecond;  // of the times written: the request must declare the same precision
};

class LineWriter {
 public:
  // Appends to `out`, which must outlive the writer.
  LineWriter(WriterOptions options, std::string& out) : options_(options), out_(out) {}

  // One line. Tags may come in any order; kInvalidArgument without a field or a time.
  Status write(const Point& point);

  // The same piece by piece: begin, tags in ascending order of keys, fields, end. After an error the line is
  // gone: go on with the next begin().
  Status begin(std::string_view measurement);
  Status tag(std::string_view key, std::string_view value);
  Status field(std::string_view key, const FieldValue& value);
  Status end(std::int64_t time);

  // For many lines of one series: take series() after the last tag, and begin the other lines with it.
  std::string_view series() const { return std::string_view(out_).substr(line_start_); }
  // `series` is what series() of a writer with the same target gave; not a view into `out`.
  void begin_series(std::string_view series);

 private:
  enum class Part : std::uint8_t { kMeasurement, kTagKey, kTagValue, kFieldKey };

  Status refuse(ErrorCode code, std::string detail);
  Status add_name(Part part, std::string_view text);
  // Why the text cannot be written there; empty when it can.
  std::string_view obstacle(Part part, std::string_view text) const;
  std::string_view backslash_obstacle(Part part, std::string_view text) const;
  Status add_value(std::string_view key, const FieldValue& value);
  Status add_float(std::string_view key, double value);
  Status add_unsigned(std::string_view key, std::uint64_t value);
  Status add_string(std::string_view key, std::string_view value);
  Status write_tags(const std::vector<Tag>& tags);

  WriterOptions options_;
  std::string& out_;
  std::size_t line_start_ = 0;
  std::size_t series_bytes_ = 0;
  std::size_t field_count_ = 0;
  std::string last_tag_;
  std::vector<Tag> sorted_;
};

}  // namespace tidegate::influx
