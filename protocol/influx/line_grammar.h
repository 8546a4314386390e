// SPDX-License-Identifier: Apache-2.0
// Inside of the parser: what the grammars of one line share. The input is one line without the newline that
// ends it.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/influx/line_parser.h"
#include "protocol/influx/text_scan.h"

namespace tidegate::influx {

class LineGrammar {
 public:
  enum class Outcome : std::uint8_t { kNothing, kPoint, kError };  // kNothing: blank or a comment

  explicit LineGrammar(const ParserOptions& options) : options_(options) {}
  virtual ~LineGrammar() = default;

  // Afterwards point() or error() tells what the line was. Views point into `line` and into scratch of this
  // object.
  Outcome read(std::string_view line);

  const Point& point() const { return point_; }
  LineError& error() { return error_; }
  const ParserOptions& options() const { return options_; }

 protected:
  enum class Start : std::uint8_t { kNothing, kPoint, kBad };

  // Skips what may stand before a point. kBad after fail().
  virtual Start read_start() = 0;
  virtual bool read_key() = 0;
  virtual bool read_fields() = 0;
  virtual bool read_time() = 0;

  // Always false, so that a reader can `return fail(...)`.
  bool fail(std::string_view reason, LineFault fault = LineFault::kSyntax);
  bool at_end() const { return p_ == end_; }
  bool at(char c) const { return p_ != end_ && *p_ == c; }
  std::string_view since(const char* start) const { return {start, static_cast<std::size_t>(p_ - start)}; }

  // Reads up to the first member of `stop` (which must contain the backslash) that no backslash protects. A
  // backslash protects members of `protectable`. Sets escaped_ when it met one.
  std::string_view scan_name(const ByteSet& stop, const ByteSet& protectable);
  // A view of the name that scan_name() gave, unescaped into scratch where that is needed.
  std::string_view unescaped(std::string_view raw, const ByteSet& escapable);
  // Holds as many bytes as the line has: what is unescaped there stays where it is while the line is read.
  std::string& scratch() { return scratch_; }

  // For the end of read_key(): sorts the tags, refuses doubles and a key that is too long.
  bool finish_key();
  bool add_field(std::string_view raw_key, const Field& field);
  bool check_length(std::size_t bytes);
  // A field that comes twice keeps its first place and its last value, as on the servers.
  void drop_repeated_fields();
  bool set_time(std::string_view digits);

  const char* begin_ = nullptr;
  const char* p_ = nullptr;
  const char* end_ = nullptr;
  const char* key_end_ = nullptr;
  bool escaped_ = false;
  Point point_;

 private:
  void drop_repeated_fields_of_many();
  bool check_line_length(std::size_t bytes);

  ParserOptions options_;
  LineError error_;
  std::string scratch_;
  std::vector<std::uint32_t> order_;
};

// What a token of digits is as a number of T: the value, or whether it is no number or out of range.
enum class Digits : std::uint8_t { kOk, kSyntax, kRange };
Digits read_digits(std::string_view text, std::int64_t& out);
Digits read_digits(std::string_view text, std::uint64_t& out);
// True for a finite decimal number that takes all of `text`: no inf, no nan, no hexadecimal, no plus sign.
bool read_float(std::string_view text, double& out);
bool read_boolean(std::string_view text, bool& out);

std::unique_ptr<LineGrammar> make_v1_grammar(const ParserOptions& options);
std::unique_ptr<LineGrammar> make_standard_grammar(const ParserOptions& options);

}  // namespace tidegate::influx
