// SPDX-License-Identifier: Apache-2.0
// Line protocol: values per second through the parser and the writer, on telemetry as agents send it.
#include <benchmark/benchmark.h>

#include <random>
#include <string>

#include "protocol/influx/line_parser.h"
#include "protocol/influx/line_writer.h"

namespace tidegate::influx {
namespace {

constexpr int kLines = 5000;

// 4 tags, `fields` floats of the usual length and an integer in between, a time in nanoseconds.
std::string telemetry(int fields, bool with_text) {
  std::mt19937_64 random(1);
  std::uniform_real_distribution<double> value(0, 100);
  std::string out;
  LineWriter writer({}, out);
  for (int line = 0; line < kLines; ++line) {
    const std::string host = "substation-" + std::to_string(line % 200);
    Point point{
        "cpu", {{"cpu", "cpu-total"}, {"host", host}, {"region", "north\\2 a"}, {"site", "A1"}}, {}, {}};
    std::vector<std::string> keys;
    for (int i = 0; i < fields; ++i) keys.push_back("usage_field_" + std::to_string(i));
    for (int i = 0; i < fields; ++i) {
      if (i % 5 == 4) {
        point.fields.push_back(
            {keys[static_cast<std::size_t>(i)], static_cast<std::int64_t>(random() % 100000)});
      } else {
        point.fields.push_back({keys[static_cast<std::size_t>(i)], value(random)});
      }
    }
    if (with_text) point.fields.push_back({"state", "breaker \"Q0\" closed"});
    point.time = 1'700'000'000'000'000'000 + line * std::int64_t{1'000'000};
    if (!writer.write(point).ok()) std::abort();
  }
  return out;
}

void parse_lines(benchmark::State& state, bool with_text, Dialect dialect) {
  const std::string body = telemetry(static_cast<int>(state.range(0)), with_text);
  std::size_t values = 0;
  ParserOptions options;
  options.dialect = dialect;
  for (auto _ : state) {
    LineParser parser(options);
    parser.feed(body);
    parser.finish();
    for (auto step = parser.next(); step != LineParser::Step::kEnd; step = parser.next()) {
      if (step == LineParser::Step::kError) state.SkipWithError(parser.error().message().c_str());
      values += parser.point().fields.size();
    }
  }
  state.counters["values"] = benchmark::Counter(static_cast<double>(values), benchmark::Counter::kIsRate);
  state.SetBytesProcessed(static_cast<std::int64_t>(body.size()) *
                          static_cast<std::int64_t>(state.iterations()));
}

void BM_ParseTelemetry(benchmark::State& state) {
  parse_lines(state, false, Dialect::kV1);
}
void BM_ParseTelemetryWithText(benchmark::State& state) {
  parse_lines(state, true, Dialect::kV1);
}
void BM_ParseTelemetryStandard(benchmark::State& state) {
  parse_lines(state, false, Dialect::kStandard);
}
BENCHMARK(BM_ParseTelemetry)->Arg(1)->Arg(10)->Arg(100);
BENCHMARK(BM_ParseTelemetryWithText)->Arg(10);
BENCHMARK(BM_ParseTelemetryStandard)->Arg(10);

void BM_WriteTelemetry(benchmark::State& state) {
  std::string series;
  LineWriter first({}, series);
  if (!first.begin("cpu").ok() || !first.tag("host", "substation-1").ok()) std::abort();
  std::string out;
  std::size_t values = 0;
  for (auto _ : state) {
    out.clear();
    LineWriter writer({}, out);
    double value = 0.1;
    for (int line = 0; line < kLines; ++line) {
      writer.begin_series(series);
      for (const std::string_view key :
           {"usage_idle", "usage_user", "usage_system", "usage_nice", "usage_irq"}) {
        value = value * 1.0000001 + 0.001;
        if (!writer.field(key, value).ok()) std::abort();
      }
      if (!writer.end(1'700'000'000'000'000'000 + line).ok()) std::abort();
      values += 5;
    }
    benchmark::DoNotOptimize(out.data());
  }
  state.counters["values"] = benchmark::Counter(static_cast<double>(values), benchmark::Counter::kIsRate);
}
BENCHMARK(BM_WriteTelemetry);

}  // namespace
}  // namespace tidegate::influx
