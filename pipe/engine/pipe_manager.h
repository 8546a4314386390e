// SPDX-License-Identifier: Apache-2.0
// PipeManager: the pipes of a daemon. Builds each from its spec, keeps them apart, and answers for what they
// hold.
//
//   passes everything on:  daemon's journal ------------------------------------------> carrier -> target
//   changes bytes:         daemon's journal -> selector, processors -> outbox (journal) -> carrier -> target
//
// Each pipe has threads, a position, a back-off and, where it changes bytes, an outbox of its own: a slow or
// failing one holds up no other. Once a pipe has an outbox it keeps it until it is dropped, so that ALTER
// loses nothing that is in it. Thread rules: as PipeEngine; notify(), tick(), the retention questions and the
// views from any thread, and they never wait for a change that is under way.
#pragma once

#include <atomic>
#include <deque>
#include <map>
#include <mutex>

#include "pipe/engine/event_counter.h"
#include "pipe/engine/outbox_stage.h"
#include "pipe/engine/pipe_engine.h"
#include "pipe/engine/pipe_run.h"
#include "pipe/stream/retention.h"

namespace tidegate {

// What the daemon brings along: the engine knows no plugin by itself.
struct EngineParts {
  std::function<std::vector<PluginInfo>(PluginKind)> plugins;  // as known now: built-in and external ones
  // Everything that can be known of a connector without doing anything: the same attributes with own names.
  std::function<Result<Attributes>(const Attributes&, const std::string& pipe)> check_connector;
  std::function<Result<ExtractPlan>(const Attributes&, Lsn boundary)> make_extract_plan;
  std::function<Result<std::unique_ptr<Processor>>(const Attributes&, const std::string& pipe)>
      make_processor;
  std::function<Result<std::unique_ptr<Connector>>(const Attributes&, const std::string& pipe)>
      make_connector;
  // A connector that is a link rather than a target; empty, or nothing for a plugin that is none.
  std::function<std::unique_ptr<Carrier>(const Attributes&, const CarrierPlan&)> make_link_carrier;
  std::function<Status(const Attributes& connector)> reach;
  // The listener of a receiver; empty: there is none.
  std::function<PipeServerView()> server;
  std::function<Status()> start_server, stop_server;
  std::function<std::unique_ptr<PipeRunner>(Env, Pipe&)> make_runner = [](Env env, Pipe& pipe) {
    return std::make_unique<PipeThread>(env, pipe);
  };
};

struct PipeManagerOptions {
  std::string data_dir;     // outboxes are in <data_dir>/outbox/<pipe>
  std::vector<Id> own_ids;  // batches whose hops hold one of them go nowhere
  JournalOptions outbox;    // directory filled in
  SafetyWindow window;      // of what the outboxes have delivered
  std::function<Status(LedgerEntry)> write_ledger = [](LedgerEntry) { return Status(); };
};

class PipeManager final : public PipeEngine {
 public:
  // `main`: the daemon's journal; it outlives the manager.
  PipeManager(Env env, PipeManagerOptions options, CarriedJournal main, EngineParts parts);
  ~PipeManager() override;

  // ---- for the daemon
  void notify();  // the daemon's journal has something new that is durable
  void tick();    // about every second
  // Positions and outboxes of pipes that are not there any more. After restore(), only when the catalogue is
  // whole.
  Status collect_garbage();
  // All pipes, as for the end of the daemon: each gets its time, all at once.
  void stop_all();
  // After stop_all(), when no link carries anything any more: clean marks.
  void close_outboxes();
  // What the daemon's journal must keep (RetentionPolicy).
  bool holds(const std::string& pipe) const;
  bool holds_stream(StreamId stream) const;  // one of the daemon's journal
  std::optional<Lsn> read_elsewhere() const;
  bool is_best_effort(const std::string& pipe) const;
  struct Detail {
    PipeSpec spec;
    PipeState state = PipeState::kStopped;
    std::string message;
    PipeStatus delivery;               // of the carrier
    std::optional<PipeStatus> outbox;  // of what fills the outbox
    std::uint64_t outbox_bytes = 0;
  };
  std::vector<Detail> details() const;

  // ---- PipeEngine
  std::vector<PluginInfo> plugins() const override;
  Result<PipeSpec> check(PipeSpec spec) const override;
  Status may_start(const PipeSpec& checked) const override;
  Status reach(const Attributes& connector) override;
  Lsn journal_head() const override { return main_.journal->head(); }
  void restore(const std::vector<PipeSpec>& pipes) override;
  Status create(const PipeSpec& spec) override;
  Status start(const std::string& name) override;
  Status stop(const std::string& name) override;
  Status alter(const PipeSpec& spec) override;
  Status drop(const std::string& name) override;
  void on_automatic_stop(std::function<void(const std::string&, const std::string&)> tell) override;
  std::vector<PipeView> pipes() const override;
  std::vector<std::string> sharing_connector(const std::string& name) const override;
  std::optional<PipeServerView> server() const override;
  Status start_server() override;
  Status stop_server() override;

 private:
  class Speed;
  struct Managed;
  using ManagedPtr = std::shared_ptr<Managed>;
  ManagedPtr find(const std::string& name) const;
  std::vector<ManagedPtr> all() const;
  Result<PluginInfo> find_plugin(PluginKind kind, const std::string& name) const;
  Status build(Managed& pipe);
  Status open_outbox(Managed& pipe);
  void make_stage(Managed& pipe);
  void make_carrier(Managed& pipe, Lsn start_after, Lsn end_at);
  Status keep_position(Managed& pipe);
  Status start_now(Managed& pipe);
  Status stop_now(Managed& pipe);
  PipeOptions pipe_options(const std::string& name) const;
  Lsn first_position(const Managed& pipe) const;
  PipeView view(const Managed& pipe) const;
  PipeState state_of(const Managed& pipe, std::string* message) const;
  struct Backlog {
    std::uint64_t to_read = 0, to_drain = 0;  // events of the daemon's journal, of the outbox
  };
  Backlog backlog(const Managed& pipe) const;
  std::optional<double> seconds_for(const Managed& pipe, const Backlog& backlog) const;
  void take_samples(Managed& pipe, Nanos now) const;
  bool within_budget(const Managed& pipe, Lsn position) const;
  std::string outbox_directory(const std::string& name) const;

  const Env env_;
  const PipeManagerOptions options_;
  const CarriedJournal main_;
  const EngineParts parts_;
  mutable EventCounter events_;
  std::mutex changes_;                       // one change at a time
  mutable std::mutex mutex_;                 // guards pipes_ and tell_stop_; held shortly
  std::map<std::string, ManagedPtr> pipes_;  // by folded name
  std::function<void(const std::string&, const std::string&)> tell_stop_;
};

}  // namespace tidegate
