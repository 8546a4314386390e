// SPDX-License-Identifier: Apache-2.0
// Line protocol in, synced out: a body of 5,000 lines through the HTTP source's reader and parser, Ingest and
// a journal of real files, as one client sees it (204 before the next body). Plain and gzip.
//
//   values/cpu_s  values per CPU second of all threads of the process: what one core can take
//   values/s      per second of wall time, the disk included
// Files go to $TIDEGATE_BENCH_DIR, else $TMPDIR, else /tmp: name a real disk.
#include <benchmark/benchmark.h>
#include <sys/resource.h>
#include <zlib.h>

#include <chrono>
#include <cmath>
#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <random>
#include <string>

#include "base/real_env.h"
#include "pipe/extract/influx/write_job.h"
#include "pipe/stream/stream_state.h"
#include "protocol/influx/line_writer.h"

namespace tidegate {
namespace {

constexpr int kLines = 5000;
constexpr int kFields = 10;
constexpr std::uint64_t kTrimBytes = 1ULL << 30;

// Telemetry as agents send it: 4 tags, 8 floats and 2 integers that walk, a time in nanoseconds.
std::string telemetry(std::int64_t first_time) {
  std::mt19937_64 random(1);
  std::uniform_real_distribution<double> step(-0.5, 0.5);
  std::string out;
  influx::LineWriter writer({}, out);
  double level = 50;
  for (int line = 0; line < kLines; ++line) {
    const std::string host = "substation-" + std::to_string(line % 200);
    influx::Point point{
        "cpu", {{"cpu", "cpu-total"}, {"host", host}, {"region", "north"}, {"site", "A1"}}, {}, {}};
    std::vector<std::string> keys;
    for (int i = 0; i < kFields; ++i) keys.push_back("usage_field_" + std::to_string(i));
    for (int i = 0; i < kFields; ++i) {
      level += step(random);
      const auto at = static_cast<std::size_t>(i);
      if (i % 5 == 4)
        point.fields.push_back({keys[at], static_cast<std::int64_t>(level * 10)});
      else
        point.fields.push_back({keys[at], std::round(level * 100) / 100});
    }
    point.time = first_time + line * std::int64_t{1'000'000};
    if (!writer.write(point).ok()) std::abort();
  }
  return out;
}

std::string gzip(const std::string& text) {
  z_stream stream{};
  deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&stream, text.size()) + 32, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

std::string scratch_folder() {
  const char* wanted = std::getenv("TIDEGATE_BENCH_DIR");
  const std::filesystem::path base = wanted != nullptr ? wanted : std::filesystem::temp_directory_path();
  std::string name = (base / "tidegate-ingest-bench-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) std::abort();
  return name;
}

class Rig {
 public:
  Rig() : folder_(scratch_folder()) {
    auto journal = Journal::open(real_env(), {.directory = folder_ + "/journal"}, &state_);
    if (!journal.ok()) std::abort();
    journal_ = std::move(*journal);
    ingest_ = std::make_unique<Ingest>(real_env(), journal_.get(), IngestOptions{}, [](Lsn) {});
    uses_ = {real_env(),
             ingest_.get(),
             std::make_shared<InfluxHttpCounts>(),
             std::make_shared<RowsPool>(),
             std::make_shared<StoredParts>(std::vector<Hash128>{}),
             "bench"};
  }
  ~Rig() {
    ingest_.reset();
    journal_.reset();
    std::filesystem::remove_all(folder_);
  }

  // One request, as a session does it. False unless it was answered with 204.
  bool write(std::string_view body, bool gzipped) {
    BodyReader reader(&budget_, {64 << 20, 64 << 20}, gzipped);
    constexpr std::size_t kPiece = 64 << 10;
    for (std::size_t at = 0; at < body.size(); at += kPiece)
      if (!reader.add(body.substr(at, kPiece)).ok()) return false;
    if (!reader.finish().ok()) return false;
    WriteRequest request;
    request.database = "plant";
    Hash128 identity = reader.hash();
    identity.bytes[0] ^= static_cast<std::uint8_t>(++requests_);
    woken_ = false;
    const auto job = std::make_shared<WriteJob>(uses_, request, identity, std::move(reader), [this] {
      const std::lock_guard lock(mutex_);
      woken_ = true;
      wake_.notify_one();
    });
    while (job->run() != WriteJob::Progress::kFinished) {
      std::unique_lock lock(mutex_);
      wake_.wait_for(lock, std::chrono::milliseconds(20), [this] { return woken_; });
      woken_ = false;
    }
    job->delivered();
    if (journal_->space().used > kTrimBytes && !journal_->trim(journal_->durable_lsn()).ok()) return false;
    return job->reply().status == 204;
  }

 private:
  std::string folder_;
  StreamState state_;
  std::unique_ptr<Journal> journal_;
  std::unique_ptr<Ingest> ingest_;
  WriteJob::Uses uses_;
  MemoryBudget budget_{256 << 20};
  std::uint64_t requests_ = 0;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool woken_ = false;
};

void body_to_synced(benchmark::State& state, bool gzipped) {
  const std::string plain = telemetry(1'700'000'000'000'000'000);
  const std::string body = gzipped ? gzip(plain) : plain;
  Rig rig;
  const double before = cpu_seconds();
  for (auto _ : state)
    if (!rig.write(body, gzipped)) return state.SkipWithError("not stored");
  const double spent = cpu_seconds() - before;
  const double values = static_cast<double>(state.iterations()) * kLines * kFields;
  state.counters["values/s"] = benchmark::Counter(values, benchmark::Counter::kIsRate);
  state.counters["values/cpu_s"] = values / spent;
  state.counters["body_bytes"] = static_cast<double>(body.size());
}

BENCHMARK_CAPTURE(body_to_synced, plain, false)->Unit(benchmark::kMillisecond)->UseRealTime()->MinTime(3);
BENCHMARK_CAPTURE(body_to_synced, gzip, true)->Unit(benchmark::kMillisecond)->UseRealTime()->MinTime(3);

}  // namespace
}  // namespace tidegate
