// SPDX-License-Identifier: Apache-2.0
// PipeHost: what both daemons have beside their journal and link: the catalogue, the pipes, the statements
// that change them, and the audit log.
//
//   <data_dir>/catalogue/   catalogue.db and its copy        <data_dir>/audit/    the audit log
//   <data_dir>/outbox/      outboxes of pipes                <data_dir>/dead-letters/
//
// Threads: one of its own that writes automatic stops to the catalogue and loads the configuration at SIGHUP;
// pipes have theirs (pipe_manager.h). A catalogue that is locked or damaged holds up statements only.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>

#include "pipe/control/control_server.h"
#include "pipe/control/status.h"
#include "pipe/engine/pipe_manager.h"
#include "pipe/statement/executor.h"
#include "pipe/statement/plugin_registry.h"

namespace tidegate {

struct PipeHostOptions {
  std::string data_dir;
  std::string config_file;
  std::string plugin_dir;  // pipe_lib_dir; empty: no plugins from outside
  std::vector<Id> own_ids;
  JournalOptions outbox;
  SafetyWindow window;
  std::function<Status(LedgerEntry)> write_ledger;
  // A connector that a link carries; nothing for the others. Empty: this daemon has no link to send by.
  std::function<std::unique_ptr<Carrier>(const Attributes&, const CarrierPlan&)> make_link_carrier;
  std::function<Status(const Attributes& connector)> reach;
  std::function<PipeServerView()> server;
  std::function<Status()> start_server, stop_server;
  std::function<Result<std::string>()> reload;
};

class PipeHost {
 public:
  // Opens catalogue and audit log. Nothing runs yet.
  static Result<std::unique_ptr<PipeHost>> open(Env env, PipeHostOptions options);
  ~PipeHost();

  // What is defined, also before start(): for those who must know it before journals are opened.
  std::shared_ptr<const CatalogueSnapshot> definitions() const;
  // All pipes, over this journal. `main` outlives the host.
  Status start(CarriedJournal main, const std::vector<YamlPipe>& yaml);
  // LOAD CONFIGURATION on behalf of SIGHUP: soon, in the host's thread; several calls may become one. The
  // outcome is in the log, and in the audit log. Does not wait. Any thread, after start().
  void load_configuration();
  // Pipes finish what they deliver (10 s each at most), all at once.
  void stop();
  // After stop() and the end of the links.
  void close();

  bool started() const { return executor_ != nullptr; }
  PipeManager& pipes() { return *manager_; }
  const PipeManager& pipes() const { return *manager_; }
  Executor& executor() { return *executor_; }
  // The operator's command to make a damaged catalogue anew.
  ControlReply rebuild_catalogue(const ControlPeer& peer);
  // What is wrong with catalogue or audit log; empty: nothing.
  std::string trouble() const;

 private:
  PipeHost(Env env, PipeHostOptions options);
  EngineParts engine_parts();
  void work();
  void answer_signal();

  const Env env_;
  const PipeHostOptions options_;
  PluginRegistry plugins_;
  LogTable logs_;
  std::unique_ptr<Catalogue> catalogue_;
  std::unique_ptr<AuditLog> audit_;
  std::unique_ptr<PipeManager> manager_;
  std::unique_ptr<Executor> executor_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  bool load_wanted_ = false;
  std::jthread thread_;  // last: uses all of the above
};

// A pipe as a row of the status page.
StatusPipe status_row(const PipeManager::Detail& pipe);

}  // namespace tidegate
