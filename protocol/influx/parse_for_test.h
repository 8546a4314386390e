// SPDX-License-Identifier: Apache-2.0
// For tests only: runs a parser and turns what it says into text that compares exactly.
#pragma once

#include <bit>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/influx/line_parser.h"

namespace tidegate::influx::testing {

// "m{t=v,...} f=float:1,... @5": floats by their bits where two of them could look the same.
inline std::string show(const FieldValue& value) {
  struct Show {
    std::string operator()(double v) const {
      char text[64];
      std::snprintf(text, sizeof(text), "float:%.17g", v);
      return text;
    }
    std::string operator()(std::int64_t v) const { return "integer:" + std::to_string(v); }
    std::string operator()(std::uint64_t v) const { return "unsigned:" + std::to_string(v); }
    std::string operator()(bool v) const { return v ? "boolean:true" : "boolean:false"; }
    std::string operator()(std::string_view v) const { return "string:" + std::string(v); }
  };
  return std::visit(Show{}, value);
}

inline std::string show(const Point& point) {
  std::string out(point.measurement);
  out += '{';
  for (const Tag& tag : point.tags) {
    if (&tag != point.tags.data()) out += ',';
    out += std::string(tag.key) + "=" + std::string(tag.value);
  }
  out += '}';
  for (const Field& field : point.fields) {
    out += &field == point.fields.data() ? ' ' : ',';
    out += std::string(field.key) + "=" + show(field.value);
  }
  if (point.time) out += " @" + std::to_string(*point.time);
  return out;
}

struct Parsed {
  std::vector<std::string> points;
  std::vector<LineError> errors;
  std::vector<std::string> steps;  // points and errors in the order they came, with their line numbers
};

inline void drain(LineParser& parser, Parsed& out) {
  for (;;) {
    const LineParser::Step step = parser.next();
    if (step == LineParser::Step::kPoint) {
      out.points.push_back(show(parser.point()));
      out.steps.push_back(std::to_string(parser.line_number()) + ": " + out.points.back());
    } else if (step == LineParser::Step::kError) {
      out.errors.push_back(parser.error());
      out.steps.push_back(std::to_string(parser.error().line) + ": " + parser.error().message());
    } else {
      return;
    }
  }
}

inline Parsed parse_pieces(const ParserOptions& options, const std::vector<std::string_view>& pieces) {
  LineParser parser(options);
  Parsed out;
  for (const std::string_view piece : pieces) {
    // A copy that dies with its turn: a view that outlives its piece is found by the sanitizer.
    const std::string own(piece);
    parser.feed(own);
    drain(parser, out);
  }
  parser.finish();
  drain(parser, out);
  return out;
}

inline Parsed parse(const ParserOptions& options, std::string_view body) {
  return parse_pieces(options, {body});
}

}  // namespace tidegate::influx::testing
