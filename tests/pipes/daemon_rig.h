// SPDX-License-Identifier: Apache-2.0
// For tests: the part of a daemon that has pipes, on a simulated disk. Pipes are stepped by the test, so that
// a run is the same each time. Targets keep what they got, whatever becomes of the daemon.
#pragma once

#include <list>
#include <map>
#include <set>

#include "base/timestamp.h"
#include "pipe/engine/engine_test_support.h"
#include "pipe/engine/pipe_manager.h"
#include "pipe/extract/journal/journal_extractor.h"
#include "pipe/model/path.h"
#include "pipe/process/builtin_processors.h"
#include "pipe/stream/stream_test_rig.h"

namespace tidegate {

// What came to one target: content hashes in order.
struct Target {
  std::vector<Hash128> batches;
  std::vector<std::string> rows;  // "path=value@time", of rows
  DeliverResult::Kind answer = DeliverResult::Kind::kDelivered;
  std::string message;
};

// A target by its name: 'connector'='memory', 'connector.target'='a'.
class MemoryConnector final : public Connector {
 public:
  explicit MemoryConnector(Target& target) : target_(target) {}
  std::string describe() const override { return "memory"; }
  Status open(Lsn, ByteView) override { return {}; }
  DeliverResult deliver(const std::vector<DeliverableBatch>& batches, const std::function<bool()>&) override {
    DeliverResult result;
    result.kind = target_.answer;
    result.message = target_.message;
    if (result.kind != DeliverResult::Kind::kDelivered) return result;
    for (const DeliverableBatch& batch : batches) {
      target_.batches.push_back(xxh3_128(batch.canonical));
      result.written_events += batch.summary.events;
      if (batch.summary.kind == EventKind::kRows) keep_rows(batch.canonical);
    }
    return result;
  }

 private:
  void keep_rows(ByteView canonical) {
    (void)for_each_row(canonical, [&](const RowView& row) {
      for (const FieldView& field : row.fields) {
        std::string path;
        append_series_path(&path, row, field.name);
        target_.rows.push_back(path + "=" + std::to_string(field.value.i64) + "@" + std::to_string(row.time));
      }
      return true;
    });
  }
  Target& target_;
};

// Steps all pipes that are running, one after the other.
class Stepper {
 public:
  explicit Stepper(SimEnv& sim) : sim_(sim) {}
  std::unique_ptr<PipeRunner> run(Pipe& pipe) { return std::make_unique<Runner>(*this, pipe); }
  // Until nothing wants to be done before `until` passes.
  void settle(Nanos duration) {
    const Nanos end = sim_.clock.now() + duration;
    for (;;) {
      Nanos next = end;
      bool again = false;
      for (Runner* runner : std::list<Runner*>(runners_)) {
        const Wake wake = runner->pipe.step();
        again |= wake.at <= sim_.clock.now() && !wake.on_data && wake.at != kNever;
        again |= runner->pipe.status().position != runner->seen;
        runner->seen = runner->pipe.status().position;
        if (wake.at > sim_.clock.now()) next = std::min(next, wake.at);
      }
      if (again) continue;
      if (sim_.clock.now() >= end) return;
      sim_.clock.set(std::max(next, sim_.clock.now() + 1));
    }
  }

 private:
  struct Runner final : PipeRunner {
    Runner(Stepper& s, Pipe& p) : stepper(s), pipe(p) { stepper.runners_.push_back(this); }
    ~Runner() override { stepper.runners_.remove(this); }
    void notify() override {}
    void start() override { pipe.start(); }
    Status stop(Nanos) override {
      pipe.stop();
      stepper.runners_.remove(this);
      return pipe.close();
    }
    Stepper& stepper;
    Pipe& pipe;
    Lsn seen = ~Lsn{0};
  };
  SimEnv& sim_;
  std::list<Runner*> runners_;
};

class DaemonRig {
 public:
  explicit DaemonRig(std::uint64_t seed = 1) : box(seed), stepper(box.sim) {
    box.options.directory = "/data/journal";
    box.options.segment_bytes = 8192;
  }

  // Without pipes: an executor brings them.
  Status start_bare() {
    TG_CHECK(box.open());
    PipeManagerOptions options;
    options.data_dir = "/data";
    options.own_ids = {box.journal->id()};
    options.outbox.segment_bytes = 4096;
    options.outbox.reserve_bytes = 0;
    options.window = {0, 0};
    options.write_ledger = [this](LedgerEntry entry) -> Status {
      entry.wall_micros = box.sim.clock.wall_micros();
      TG_CHECK(box.state->write_ledger(*box.journal, std::move(entry)));
      return box.journal->sync();
    };
    records = std::make_unique<RecordCache>();
    manager = std::make_unique<PipeManager>(
        box.sim.env(), options, CarriedJournal{box.journal.get(), box.state.get(), records.get()}, parts());
    manager->on_automatic_stop(
        [this](const std::string& name, const std::string& message) { stopped[name] = message; });
    return {};
  }
  Status start(const std::vector<PipeSpec>& pipes = {}) {
    TG_CHECK(start_bare());
    manager->restore(pipes);
    return manager->collect_garbage();
  }
  // kill -9 or a power cut; the specs are what the catalogue would hold.
  Status restart(const std::vector<PipeSpec>& pipes, bool power = false) {
    close();
    if (power) {
      box.sim.files.power_cut(box.sim.random);
    } else {
      box.sim.files.process_crash();
    }
    return start(pipes);
  }
  void close() {
    manager.reset(), records.reset();
    box.close();
  }
  EngineParts parts() {
    EngineParts out;
    PluginInfo memory;
    memory.name = "memory";
    AttributeSpec target;
    target.name = "target";
    memory.attributes = {target};
    PluginInfo later;
    later.name = "later";
    later.unavailable = "this version cannot speak it yet";
    out.plugins = [memory, later](PluginKind kind) -> std::vector<PluginInfo> {
      if (kind == PluginKind::kExtractor) return {journal_extractor_plugin()};
      if (kind == PluginKind::kConnector) return {memory, later};
      return {processor_plugins().begin(), processor_plugins().end()};
    };
    out.check_connector = [memory, later](const Attributes& given, const std::string&) -> Result<Attributes> {
      const PluginInfo& plugin = given.plugin == "later" ? later : memory;
      TG_CHECK(check_attributes(given, plugin));
      return with_own_names(given, plugin);
    };
    out.make_extract_plan = [](const Attributes& attributes, Lsn boundary) {
      return make_extract_plan(attributes, boundary, TimeZone());
    };
    out.make_processor = [](const Attributes& attributes, const std::string&) {
      return make_processor(attributes);
    };
    out.make_connector = [this](const Attributes& attributes,
                                const std::string&) -> Result<std::unique_ptr<Connector>> {
      return std::unique_ptr<Connector>(
          std::make_unique<MemoryConnector>(targets[read_text(attributes, "target", "a")]));
    };
    out.make_runner = [this](Env, Pipe& pipe) { return stepper.run(pipe); };
    return out;
  }
  // 'p' to target 'a' with these attributes; checked.
  PipeSpec spec(const std::string& name, std::map<std::string, std::string> extractor = {},
                Attributes processor = {}, const std::string& target = "a") {
    PipeSpec out;
    out.name = name;
    out.extractor = {"iotdb-extractor", std::move(extractor)};
    out.processor = std::move(processor);
    out.connector = {"memory", {{"target", target}}};
    out.history_boundary = manager->journal_head();
    out.running = true;
    auto checked = manager->check(out);
    EXPECT_TRUE(checked.ok()) << (checked.ok() ? "" : checked.error().text());
    return checked.ok() ? *checked : out;
  }
  // Rows m,s=<series> v=n at n seconds, one batch each.
  void produce(int count, const std::string& series = "1") {
    for (int i = 0; i < count; ++i) {
      const Batch batch = testing::number_batch(++made, 1, series);
      const auto lsn = box.append({batch});
      ASSERT_TRUE(lsn.ok()) << lsn.error().text();
    }
    TG_OK(box.journal->sync());
  }
  void settle(Nanos duration = 2 * kSecond) {
    manager->notify();
    stepper.settle(duration);
    manager->tick();
  }
  PipeView view(const std::string& name) {
    for (const PipeView& view : manager->pipes())
      if (view.name == name) return view;
    ADD_FAILURE() << "no pipe " << name;
    return {};
  }

  Box box;
  std::unique_ptr<RecordCache> records;
  Stepper stepper;
  std::unique_ptr<PipeManager> manager;
  std::map<std::string, Target> targets;
  std::map<std::string, std::string> stopped;
  std::int64_t made = 0;
};

}  // namespace tidegate
