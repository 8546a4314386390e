// SPDX-License-Identifier: Apache-2.0
// Batches of typical telemetry: a line is a table, 3 tags and `fields` doubles. Arguments: series, fields,
// rows of each series in a batch. items_per_second counts values. Builder: add() of every row and build().
#include <benchmark/benchmark.h>

#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "pipe/model/batch.h"
#include "pipe/model/container.h"

namespace tidegate {
namespace {

struct Machine {
  std::string name, line;
  std::vector<TagView> tags;
};

// The rows of one batch, round after round through all series as sources deliver them. Values are random
// walks with two decimals, times have jitter: what sensors give, neither constant nor noise.
class Telemetry {
 public:
  explicit Telemetry(const benchmark::State& state)
      : fields_(static_cast<std::size_t>(state.range(1))),
        machines_(static_cast<std::size_t>(state.range(0))),
        rounds_(static_cast<std::size_t>(state.range(2))) {
    for (std::size_t i = 0; i < machines_.size(); ++i) name(i);
    for (std::size_t i = 0; i < fields_; ++i) names_.push_back("measurement_" + std::to_string(i));
    views_.reserve(values());
    for (std::size_t round = 0; round < rounds_; ++round) {
      for (std::size_t machine = 0; machine < machines_.size(); ++machine) add_row(round, machine);
    }
  }

  std::size_t values() const { return machines_.size() * rounds_ * fields_; }
  const std::vector<RowView>& rows() const { return rows_; }
  Batch build() const {
    BatchBuilder builder("bench", TimeUnit::kNanosecond);
    for (const RowView& row : rows_) (void)builder.add(row);
    return builder.build();
  }

 private:
  void name(std::size_t i) {
    Machine& machine = machines_[i];
    machine.name = "press-" + std::to_string(1000 + i);
    machine.line = "line" + std::to_string(i % 12);
    machine.tags = {{"area", "north"}, {"line", machine.line}, {"machine", machine.name}};
  }

  void add_row(std::size_t round, std::size_t machine) {
    const std::size_t first = views_.size();
    for (std::size_t i = 0; i < fields_; ++i) {
      FieldView field{names_[i], ColumnRole::kField, {}};
      level_[(machine * fields_ + i) % level_.size()] += step_(random_);
      field.value.f64 = std::round(level_[(machine * fields_ + i) % level_.size()] * 100) / 100;
      views_.push_back(field);
    }
    RowView row;
    row.database = "plant";
    row.table = "drives";
    row.tags = machines_[machine].tags;
    row.fields = {views_.data() + first, fields_};
    row.time = 1700000000000000000 + static_cast<std::int64_t>(round) * 1000000000 +
               static_cast<std::int64_t>(random_() % 1000000);
    rows_.push_back(row);
  }

  std::mt19937_64 random_{42};
  std::normal_distribution<double> step_{0, 0.3};
  std::vector<double> level_ = std::vector<double>(10000, 50.0);
  std::size_t fields_;
  std::vector<Machine> machines_;
  std::size_t rounds_;
  std::vector<std::string> names_;
  std::vector<FieldView> views_;
  std::vector<RowView> rows_;
};

void count(benchmark::State& state, const Telemetry& telemetry) {
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(telemetry.values()));
}

void BM_BatchBuilder(benchmark::State& state) {
  const Telemetry telemetry(state);
  BatchBuilder builder("bench", TimeUnit::kNanosecond);
  for (auto _ : state) {
    for (const RowView& row : telemetry.rows()) {
      if (!builder.add(row).ok()) state.SkipWithError("a row was refused");
    }
    benchmark::DoNotOptimize(builder.build());
  }
  count(state, telemetry);
}

void BM_ForEachRow(benchmark::State& state) {
  const Telemetry telemetry(state);
  const Batch batch = telemetry.build();
  double sum = 0;
  for (auto _ : state) {
    (void)for_each_row(batch.canonical, [&](const RowView& row) {
      for (const FieldView& field : row.fields) sum += field.value.f64;
      return true;
    });
  }
  benchmark::DoNotOptimize(sum);
  count(state, telemetry);
}

void BM_Summarize(benchmark::State& state) {
  const Telemetry telemetry(state);
  const Batch batch = telemetry.build();
  for (auto _ : state) benchmark::DoNotOptimize(summarize(batch.canonical));
  count(state, telemetry);
}

void BM_EncodeZstd1(benchmark::State& state) {
  const Telemetry telemetry(state);
  const Batch batch = telemetry.build();
  std::size_t size = 0;
  for (auto _ : state) {
    const auto container = encode_container(Codec::kZstd, {batch.canonical}, 1);
    size = container->bytes.size();
  }
  count(state, telemetry);
  const auto values = static_cast<double>(telemetry.values());
  state.counters["canonical_bytes_per_value"] = static_cast<double>(batch.canonical.size()) / values;
  state.counters["zstd1_bytes_per_value"] = static_cast<double>(size) / values;
}

void BM_DecodeZstd1(benchmark::State& state) {
  const Telemetry telemetry(state);
  const Batch batch = telemetry.build();
  const auto container = encode_container(Codec::kZstd, {batch.canonical}, 1);
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        decode_container(container->codec, container->decoded_size, container->bytes, 1ULL << 30));
  }
  count(state, telemetry);
}

// series, fields, rows of each series
void shapes(benchmark::internal::Benchmark* bench) {
  for (const auto& shape :
       {std::vector<std::int64_t>{1000, 1, 10}, {1000, 5, 10}, {1000, 10, 10}, {1000, 5, 1}, {10, 5, 1000}}) {
    bench->Args(shape);
  }
}

BENCHMARK(BM_BatchBuilder)->Apply(shapes);
BENCHMARK(BM_ForEachRow)->Apply(shapes);
BENCHMARK(BM_Summarize)->Apply(shapes);
BENCHMARK(BM_EncodeZstd1)->Apply(shapes);
BENCHMARK(BM_DecodeZstd1)->Apply(shapes);

}  // namespace
}  // namespace tidegate
