// SPDX-License-Identifier: Apache-2.0
// Executor: carries out statements. The only way to change the catalogue of a daemon.
//
// Order of a change: privilege, audit ("begins"), check by the engine, catalogue, engine, audit (outcome).
// What the audit log cannot take is not begun; after an error of the catalogue nothing has happened. An
// engine that fails behind the catalogue is told as an error, and the definition stands: SHOW PIPES shows it
// with the message.
//
// Thread rules: any thread. Changes wait for one another; SHOW, LIST and SELECT wait for no change. A change
// may take seconds (a target is dialled, a pipe is stopped): never call from a thread that carries data.
// Everything given to the constructor outlives the executor; nothing else may use catalogue and audit log.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/env.h"
#include "base/timestamp.h"
#include "pipe/catalogue/catalogue.h"
#include "pipe/control/audit_log.h"
#include "pipe/control/log_table.h"
#include "pipe/engine/pipe_engine.h"
#include "pipe/statement/completion.h"
#include "pipe/statement/result_table.h"
#include "pipe/statement/statement.h"

namespace tidegate {

// Who gives a statement.
struct Caller {
  std::string user;  // of the operating system; "uid 1001" where it has no name
  std::optional<std::uint32_t> uid;
  std::optional<std::int32_t> pid;
  std::string from;       // path of the socket
  bool is_admin = false;  // root or the daemon's own user: may do everything
};

// What several statements, separated by ';', gave.
struct Execution {
  std::vector<ResultTable> results;  // one for each statement that was carried out, in their order
  std::optional<Error> error;        // of the one that was not; those behind it were not tried
  std::string explanation;  // the error for a person, with a caret below the text where it has a place
};

// What a statement needs of the daemon around it. An empty function: the daemon has no such thing, and the
// statement says so.
struct ExecutorHooks {
  TimeZone zone = {};        // in which CreationTime is shown
  std::string config_file;   // for messages about what YAML defines
  std::string pipe_lib_dir;  // where files of plugins lie; empty: no plugins from outside
  LogTable* logs = nullptr;  // processing_engine_logs
  // LOAD CONFIGURATION. Says what was applied. May call adopt_yaml().
  std::function<Result<std::string>()> reload;
  // Makes a plugin known to the engine or unknown again: it is then, or is no more, among engine.plugins().
  std::function<Status(const PluginDefinition&)> load_plugin;
  std::function<Status(const std::string& name)> unload_plugin;
  // Whether the operating system has a user of that name; only a note at CREATE USER depends on it.
  std::function<bool(const std::string&)> os_user_exists;
};

// An entry below `pipes:` in YAML: a text of CREATE PIPE and START PIPE statements, or a pipe in structured
// form. doc/statements.md says how both live beside what was typed.
struct YamlPipe {
  std::string statements;      // empty: `structured`
  CreatePipe structured = {};  // marks are of no use
  bool running = true;         // of the structured form
  std::string file;            // for messages
  std::uint32_t line = 0, column = 0;
};

class Executor {
 public:
  Executor(Env env, Catalogue& catalogue, PipeEngine& engine, AuditLog& audit, ExecutorHooks hooks);
  ~Executor();
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;

  // Once, at start: loads plugins, brings the catalogue up to `yaml` and gives all pipes to
  // PipeEngine::restore(); puts the pipe server into the state that was last asked for. An error is one of
  // the YAML text and names file and line; nothing was started then. A catalogue that cannot be written
  // refuses nothing: its pipes run, the rest follows with tick().
  Status start(const std::vector<YamlPipe>& yaml);
  // The same list again, after the file was read again: what changed is created, altered and dropped. All of
  // it is checked before anything is done.
  Status adopt_yaml(const std::vector<YamlPipe>& yaml);
  // About every second, from a control thread: writes automatic stops to the catalogue and tries again what a
  // locked catalogue refused.
  void tick();

  Execution execute(const Caller& caller, std::string_view text, Dialect dialect);
  // What could stand at `cursor` (a byte offset). Names that exist only for a caller who may see them.
  Completion complete(const Caller& caller, std::string_view text, std::size_t cursor, Dialect dialect) const;

  // Makes a damaged database anew from what is known (Catalogue::rebuild), as the audit log will say.
  Status rebuild_catalogue(const Caller& caller);

  // The definitions as last known; never null, never changes.
  std::shared_ptr<const CatalogueSnapshot> definitions() const;
  // What START and STOP PIPESERVER last asked for, also before a restart; empty: neither.
  std::optional<bool> pipe_server_wanted() const;
  // Catalogue::message(), and what tick() could not yet write; empty: all is well.
  std::string message() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tidegate
