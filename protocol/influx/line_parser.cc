// SPDX-License-Identifier: Apache-2.0
#include "protocol/influx/line_parser.h"

#include <cassert>

#include "protocol/influx/line_grammar.h"

namespace tidegate::influx {

std::string LineError::message() const {
  if (fault == LineFault::kReservedName) return reason;
  return "unable to parse '" + text + "': " + reason;
}

LineParser::LineParser(ParserOptions options)
    : grammar_(options.dialect == Dialect::kV1 ? make_v1_grammar(options) : make_standard_grammar(options)),
      boundary_(options.dialect) {}

LineParser::~LineParser() = default;

const Point& LineParser::point() const {
  return grammar_->point();
}
const LineError& LineParser::error() const {
  return grammar_->error();
}

Unit LineParser::unit() const {
  const ParserOptions& options = grammar_->options();
  return options.keep_unit ? options.precision.unit : Unit::kNanosecond;
}

void LineParser::feed(std::string_view piece) {
  assert(input_.empty() && !finished_);
  input_ = piece;
}

LineParser::Step LineParser::next() {
  while (take_line()) {
    const Step step = parse_line();
    if (step != Step::kNeedInput) return step;
  }
  return finished_ ? Step::kEnd : Step::kNeedInput;
}

bool LineParser::take_line() {
  if (carry_used_) carry_.clear();
  carry_used_ = false;
  if (!input_.empty()) {
    const std::size_t end = boundary_.find_end(input_);
    if (end != LineBoundary::kNotFound) return take_end(end), true;
    keep_rest();
  }
  if (!finished_ || !carrying_) return false;
  line_ = carry_;
  line_number_ = next_line_number_;
  carrying_ = false;
  carry_used_ = true;
  return true;
}

void LineParser::take_end(std::size_t end) {
  line_ = input_.substr(0, end);
  if (carrying_) {
    keep_bytes(line_);
    line_ = carry_;
    carry_used_ = true;
  }
  carrying_ = false;
  input_.remove_prefix(end + 1);
  line_number_ = next_line_number_;
  next_line_number_ += 1 + boundary_.embedded_newlines();
}

void LineParser::keep_rest() {
  keep_bytes(input_);
  carrying_ = true;
  input_ = {};
}

// One byte more than a line may have tells that it is too long; the rest of such a line is not kept.
void LineParser::keep_bytes(std::string_view bytes) {
  const std::size_t room = grammar_->options().max_line_bytes + 1 - carry_.size();
  carry_.append(bytes.substr(0, room));
}

LineParser::Step LineParser::parse_line() {
  const LineGrammar::Outcome outcome = grammar_->read(line_);
  if (outcome == LineGrammar::Outcome::kNothing) return Step::kNeedInput;
  if (outcome == LineGrammar::Outcome::kPoint) return Step::kPoint;
  grammar_->error().line = line_number_;
  return Step::kError;
}

}  // namespace tidegate::influx
