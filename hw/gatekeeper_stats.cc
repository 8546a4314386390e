// SPDX-License-Identifier: Apache-2.0
#include "hw/gatekeeper_stats.h"

#include <fmt/core.h>

#include <ctime>
#include <iterator>
#include <numeric>

namespace tidegate {
namespace {

struct KindText {
  std::string_view name;
  std::string_view sentence;
};

constexpr KindText kKinds[] = {
#define TIDEGATE_X(name, text, sentence) {text, sentence},
    TIDEGATE_VIOLATION_LIST(TIDEGATE_X)
#undef TIDEGATE_X
};

std::string iso_time(std::int64_t wall_micros) {
  const std::time_t seconds = wall_micros / 1'000'000;
  std::tm tm{};
  gmtime_r(&seconds, &tm);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z", tm.tm_year + 1900, tm.tm_mon + 1,
                     tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, wall_micros % 1'000'000);
}

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string to_json(const Violation& violation) {
  return fmt::format(R"({{"kind":{},"time":{},"connection":{},"peer":{},"detail":{}}})",
                     quoted(violation_name(violation.kind)), quoted(iso_time(violation.wall_micros)),
                     violation.connection, quoted(violation.peer), quoted(violation.detail));
}

}  // namespace

std::string_view violation_name(ViolationKind kind) {
  return kKinds[static_cast<std::size_t>(kind)].name;
}
std::string_view violation_sentence(ViolationKind kind) {
  return kKinds[static_cast<std::size_t>(kind)].sentence;
}

std::string Violation::text() const {
  return fmt::format("{} violation {} connection {} peer {}: {}: {}", iso_time(wall_micros),
                     violation_name(kind), connection, peer, detail, violation_sentence(kind));
}

std::uint64_t GatekeeperStats::violations_total() const {
  return std::accumulate(violations_by_kind.begin(), violations_by_kind.end(), std::uint64_t{0});
}

void GatekeeperStats::add(Violation violation) {
  ++violations_by_kind[static_cast<std::size_t>(violation.kind)];
  violations.push_back(std::move(violation));
  if (violations.size() > kKept) violations.pop_front();
}

std::string GatekeeperStats::to_text() const {
  std::string out;
#define TIDEGATE_X(name, meaning) fmt::format_to(std::back_inserter(out), "{} {}\n", #name, name);
  TIDEGATE_GATEKEEPER_COUNTERS(TIDEGATE_X)
#undef TIDEGATE_X
  for (std::size_t i = 0; i < kViolationKinds; ++i) {
    fmt::format_to(std::back_inserter(out), "violation_{} {}\n", kKinds[i].name, violations_by_kind[i]);
  }
  for (const Violation& violation : violations) out += violation.text() + '\n';
  return out;
}

std::string GatekeeperStats::to_json() const {
  std::string out = "{";
#define TIDEGATE_X(name, meaning) fmt::format_to(std::back_inserter(out), "\"{}\":{},", #name, name);
  TIDEGATE_GATEKEEPER_COUNTERS(TIDEGATE_X)
#undef TIDEGATE_X
  fmt::format_to(std::back_inserter(out), "\"violations_total\":{},\"violations\":{{", violations_total());
  for (std::size_t i = 0; i < kViolationKinds; ++i) {
    fmt::format_to(std::back_inserter(out), "{}\"{}\":{}", i == 0 ? "" : ",", kKinds[i].name,
                   violations_by_kind[i]);
  }
  out += "},\"violation_list\":[";
  const char* comma = "";
  for (const Violation& violation : violations) {
    out += comma + tidegate::to_json(violation);
    comma = ",";
  }
  return out + "]}";
}

}  // namespace tidegate
