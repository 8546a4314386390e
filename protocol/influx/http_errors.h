// SPDX-License-Identifier: Apache-2.0
// The answers of the write APIs: those a server gives (for a source that acts as one) and what the answers of
// a target mean (for a sink). Bodies, statuses and wordings are those of influxd 1.x, 2.x and 3.x.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/influx/line_parser.h"

namespace tidegate::influx {

// ---- Given to a client ----

struct HttpAnswer {
  int status = 204;
  std::string body;                          // JSON, or empty with 204; the content type is application/json
  std::optional<std::uint32_t> retry_after;  // seconds, for the header of that name
};

// 1.x, POST /write: {"error": "..."}.
namespace v1 {
HttpAnswer error(int status, std::string_view message);
// Lines that could not be taken while `stored` others were: "partial write: ... dropped=N" when some were
// stored. `errors` may be a sample of `error_count`; the body says how many are not shown, and counts as
// dropped those of the sample. Precondition: errors is not empty.
HttpAnswer bad_lines(std::span<const LineError> errors, std::size_t error_count, std::size_t stored);
HttpAnswer database_missing();                             // no `db` parameter
HttpAnswer database_not_found(std::string_view database);  // 404
HttpAnswer bad_precision(std::string_view precision);
HttpAnswer unauthorized(std::string_view why);                                    // 401
HttpAnswer too_large();                                                           // 413
HttpAnswer unavailable(std::string_view why, std::uint32_t retry_after_seconds);  // 503
}  // namespace v1

// 2.x, POST /api/v2/write: {"code": "...", "message": "..."}. All lines are stored or none.
namespace v2 {
HttpAnswer error(int status, std::string_view message);  // the code follows from the status
HttpAnswer bad_lines(std::span<const LineError> errors, std::size_t error_count);
HttpAnswer bucket_not_found(std::string_view bucket);
HttpAnswer bad_precision(std::string_view precision);
HttpAnswer unauthorized();
HttpAnswer too_large();
HttpAnswer rejected(std::string_view why,
                    std::size_t dropped);  // 422: well-formed, but not all points can be stored
HttpAnswer unavailable(std::string_view why, std::uint32_t retry_after_seconds);
}  // namespace v2

// ---- Got from a target ----

enum class Verdict : std::uint8_t {
  kStored,
  kRetry,         // the target is busy, down or in trouble: the same request may succeed later
  kSomeLines,     // some lines are refused for good; see others_stored and lines
  kAllLines,      // the whole request is refused for good
  kUnauthorized,  // credentials are missing, wrong or too weak
  kNotFound,      // no such database, bucket, retention policy or endpoint
  kTooLarge,      // send less at once
};

struct RefusedLine {
  std::optional<std::uint64_t>
      number;        // as the target counts, 1-based: 3.x counts parsed lines, not physical ones
  std::string text;  // of the line, possibly cut by the target; may be empty
  std::string reason;
};

struct TargetAnswer {
  Verdict verdict = Verdict::kRetry;
  std::string message;  // the target's own words, for logs and status
  // Those the target names. A hint: the text was cut out of a message that does not escape it, so look the
  // lines up in what was sent before leaving any out.
  std::vector<RefusedLine> lines;
  bool others_stored = false;  // kSomeLines: the lines that are not refused are stored; else nothing is
  std::optional<std::uint64_t> dropped;      // how many points the target says it dropped
  std::optional<std::uint32_t> retry_after;  // seconds
  // kNotFound: the target answers for itself that it has no such database, retention policy or bucket. Else
  // it may be the address that is wrong, or the organization.
  bool names_missing = false;
};

// `retry_after` is the value of that header, empty when there was none; a date in it is ignored. The body may
// be anything: what is not understood is judged by the status alone.
TargetAnswer parse_error_body(int status, std::string_view body, std::string_view retry_after = {});

}  // namespace tidegate::influx
