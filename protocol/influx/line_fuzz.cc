// SPDX-License-Identifier: Apache-2.0
// Any bytes into the parser, in one piece and in two, in both dialects: the same points and errors; and every
// point that the writer takes must read back equal.
#include <cstddef>
#include <cstdint>

#include "protocol/influx/http_errors.h"
#include "protocol/influx/line_writer.h"
#include "protocol/influx/parse_for_test.h"

namespace tidegate::influx {
namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

void check_rewritten(Dialect dialect, const Point& point, const std::string& line) {
  ParserOptions options;
  options.dialect = dialect;
  options.max_line_bytes = line.size();
  LineParser parser(options);
  parser.feed(line);
  parser.finish();
  require(parser.next() == LineParser::Step::kPoint);
  require(parser.point() == point);
  require(parser.next() == LineParser::Step::kEnd);
}

void check_writer(Point point) {
  if (!point.time) point.time = 0;
  for (const WriterTarget target : {WriterTarget::kPortable, WriterTarget::kV1}) {
    std::string line;
    LineWriter writer({.target = target, .unsigned_policy = UnsignedPolicy::kNative}, line);
    if (!writer.write(point).ok()) {
      require(line.empty());
      continue;
    }
    check_rewritten(Dialect::kV1, point, line);
    if (target == WriterTarget::kPortable) check_rewritten(Dialect::kStandard, point, line);
  }
}

void check_body(Dialect dialect, std::string_view body, std::size_t cut) {
  ParserOptions options;
  options.dialect = dialect;
  options.max_line_bytes = 512;
  const testing::Parsed whole = testing::parse(options, body);
  require(testing::parse_pieces(options, {body.substr(0, cut), body.substr(cut)}).steps == whole.steps);

  LineParser parser(options);
  parser.feed(body);
  parser.finish();
  for (auto step = parser.next(); step != LineParser::Step::kEnd; step = parser.next())
    if (step == LineParser::Step::kPoint) check_writer(parser.point());

  if (whole.errors.empty()) return;
  const HttpAnswer answer = v1::bad_lines(whole.errors, whole.errors.size(), whole.points.size());
  require(parse_error_body(answer.status, answer.body).verdict == Verdict::kSomeLines);
}

}  // namespace
}  // namespace tidegate::influx

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tidegate::influx;
  if (size == 0) return 0;
  const std::string_view body(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::size_t cut = data[0] % size;
  check_body(Dialect::kV1, body, cut);
  check_body(Dialect::kStandard, body, cut);
  (void)parse_error_body(400, body);
  return 0;
}
