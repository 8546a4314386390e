// SPDX-License-Identifier: Apache-2.0
// Line protocol in, points out: one pass over the input, no allocation per line once the buffers have grown.
//
//   LineParser parser(options);
//   parser.feed(body);  parser.finish();
//   for (auto step = parser.next(); step != Step::kEnd; step = parser.next())
//     step == Step::kPoint ? store(parser.point()) : report(parser.error());
//
// A body may come in pieces: call next() until kNeedInput, then feed() the next piece. A bad line costs only
// itself: the caller stores the good ones and reports the bad ones (1.x "partial write") or refuses
// everything (2.x).
//
// Dialect kV1 takes what influxd 1.x and 2.x take and reads it as they do, with these exceptions, all on
// purpose:
//   * a point with a field `time` is refused even when it has other fields (1.x drops the value without a
//   word);
//   * a comment ends at its newline (see line_boundary.h);
//   * field sections that 1.x passes at first and then misreads or dies of are refused ("invalid field
//   format"), e.g. a
//     field key that ends in a backslash.
//
// Not thread-safe; one parser per body or connection.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "protocol/influx/line_boundary.h"
#include "protocol/influx/point.h"
#include "protocol/influx/precision.h"

namespace tidegate::influx {

struct ParserOptions {
  Dialect dialect = Dialect::kV1;
  Precision precision;
  bool keep_unit = true;           // Point::time in precision.unit; false: in nanoseconds
  bool accept_unsigned = true;     // `5u`; official 1.x builds refuse it ("invalid number"), 2.x takes it
  bool accept_string_tail = true;  // kV1: `f="a"b` means a" as it does on the servers; false: refused
  std::size_t max_line_bytes = 1 << 20;
  std::size_t max_key_bytes =
      65535;  // measurement, tags and one field key, as written; 65535 is what servers allow
  std::size_t max_fields = 65535;    // per line
  std::size_t max_error_text = 512;  // bytes of the line that LineError quotes
};

enum class LineFault : std::uint8_t {
  kSyntax,
  kReservedName,  // a tag or field `time`; 1.x counts such a point as dropped
  kLimit,         // longer than a limit of ParserOptions
  kEncoding,      // a measurement or field name that is not UTF-8
};

struct LineError {
  std::uint64_t line = 0;    // physical line on which the point starts, 1-based
  std::uint64_t column = 0;  // byte within the point's text where reading stopped, 1-based
  LineFault fault = LineFault::kSyntax;
  std::string text;    // the line without leading blanks, cut at max_error_text
  std::string reason;  // in the words of the server: "missing fields", "invalid number", ...

  // "unable to parse '<text>': <reason>", or only the reason where a server does not quote the line.
  std::string message() const;
};

class LineGrammar;

class LineParser {
 public:
  enum class Step : std::uint8_t { kPoint, kError, kNeedInput, kEnd };

  explicit LineParser(ParserOptions options);
  ~LineParser();
  LineParser(const LineParser&) = delete;
  LineParser& operator=(const LineParser&) = delete;

  // The bytes must stay where they are until next() answers kNeedInput or kEnd. Precondition: it did, or
  // nothing was fed so far.
  void feed(std::string_view piece);
  // No more input follows: the last line may end without a newline.
  void finish() { finished_ = true; }

  Step next();

  // After kPoint; its views are valid until the next call of next(), feed() or the destructor.
  const Point& point() const;
  // After kError; valid as long as point().
  const LineError& error() const;
  // The physical line on which the last point or error starts, 1-based.
  std::uint64_t line_number() const { return line_number_; }
  // The unit of Point::time.
  Unit unit() const;

 private:
  // Finds the next line; false when there is none yet. The result is in line_.
  bool take_line();
  void take_end(std::size_t end);
  void keep_rest();
  void keep_bytes(std::string_view bytes);
  // kNeedInput: the line holds no point.
  Step parse_line();

  std::unique_ptr<LineGrammar> grammar_;
  LineBoundary boundary_;
  std::string_view input_;  // what is left of the piece
  std::string_view line_;
  std::string carry_;  // the beginning of a line that goes on in the next piece
  bool carrying_ = false;
  bool carry_used_ = false;  // line_ is carry_: clear it before the next line
  bool finished_ = false;
  std::uint64_t line_number_ = 0;
  std::uint64_t next_line_number_ = 1;
};

}  // namespace tidegate::influx
