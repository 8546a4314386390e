// SPDX-License-Identifier: Apache-2.0
// The inside of the executor: what the statements work on, and one function for each of them. For the files
// execute*.cc and executor.cc only.
//
// The functions that change something are called under ExecutorCore::changing; those that show something use
// definitions() alone. Errors that have a place in the text carry line and column.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "pipe/statement/executor.h"
#include "pipe/statement/print.h"

namespace tidegate {

inline constexpr std::string_view kDone = "Msg: The statement is executed successfully.";
inline constexpr std::string_view kServerSetting = "pipeserver";  // running, stopped
inline constexpr std::string_view kServerRunning = "running";
inline constexpr std::string_view kServerStopped = "stopped";
// The attribute of the extractor that SyncDelOp sets.
inline constexpr std::string_view kDeletions = "deletions";

struct ExecutorCore {
  ExecutorCore(Env e, Catalogue& c, PipeEngine& p, ExecutorHooks h)
      : env(e), catalogue(c), engine(p), hooks(std::move(h)) {}

  Env env;
  Catalogue& catalogue;  // under `changing`
  PipeEngine& engine;
  ExecutorHooks hooks;

  std::mutex changing;
  std::set<std::string, NameLess> leftovers;  // under `changing`: dropped, but not out of the engine

  std::shared_ptr<const CatalogueSnapshot> definitions() const;
  // To the catalogue, then visible.
  Status apply(std::span<const CatalogueChange> changes);
  Status apply(const CatalogueChange& change) { return apply(std::span(&change, 1)); }
  void publish();
  // Loads one, or notes why it could not be loaded: SHOW PIPEPLUGINS tells.
  Status load(const PluginDefinition& plugin);
  std::map<std::string, std::string> unloaded() const;

 private:
  mutable std::mutex published_;  // guards what is below
  std::shared_ptr<const CatalogueSnapshot> view_ = std::make_shared<const CatalogueSnapshot>();
  std::map<std::string, std::string> unloaded_;  // plugins, and why
};

// ---- shared parts

// All plugins of the engine, by name or alias.
class PluginSet {
 public:
  explicit PluginSet(std::vector<PluginInfo> plugins) : plugins_(std::move(plugins)) {}
  const PluginInfo* find(PluginKind kind, std::string_view name) const;
  std::vector<std::string> names(PluginKind kind) const;
  const std::vector<PluginInfo>& all() const { return plugins_; }
  PluginLookup lookup() const;  // as long as the set lives

 private:
  std::vector<PluginInfo> plugins_;
};

Error at_mark(Error error, Mark mark);
// ", did you mean 'x'?" or nothing.
std::string did_you_mean(std::string_view name, const std::vector<std::string>& known);
ResultTable done(std::string note = {});
std::vector<std::string> pipe_names(const CatalogueSnapshot& definitions);
// kNotFound at the name, with the nearest one.
Result<const PipeDefinition*> find_pipe(const CatalogueSnapshot& definitions, const Name& name);
PipeSpec spec_of(const PipeDefinition& pipe);
PipeDefinition definition_of(const PipeSpec& spec);

// The three parts of a pipe with their defaults, each against its plugin, then the whole by the engine.
struct PipeParts {
  const Clause& extractor;
  const Clause& processor;
  const Clause& connector;
};
Result<PipeSpec> checked_spec(ExecutorCore& core, const Name& name, const PipeParts& parts, PipeSpec spec);
// Catalogue and engine; `pipe` is of a checked spec.
Status make_pipe(ExecutorCore& core, const PipeDefinition& pipe);
Status drop_pipe_everywhere(ExecutorCore& core, const std::string& name);

// ---- one for each statement

Result<ResultTable> execute(ExecutorCore& core, const CreatePipe& s, Dialect dialect);
Result<ResultTable> execute(ExecutorCore& core, const CreatePipeTo& s, Dialect dialect);
Result<ResultTable> execute(ExecutorCore& core, const AlterPipe& s, Dialect dialect);
Result<ResultTable> execute(ExecutorCore& core, const StartPipe& s, Dialect dialect);
Result<ResultTable> execute(ExecutorCore& core, const StopPipe& s, Dialect dialect);
Result<ResultTable> execute(ExecutorCore& core, const DropPipe& s, Dialect dialect);
Result<ResultTable> execute(ExecutorCore& core, const ShowPipes& s, Dialect dialect);

Result<ResultTable> execute(ExecutorCore& core, const ShowPipePlugins& s, Dialect dialect);
Result<ResultTable> execute(ExecutorCore& core, const CreatePipePlugin& s, Dialect dialect);
Result<ResultTable> execute(ExecutorCore& core, const DropPipePlugin& s, Dialect dialect);

Result<ResultTable> execute(ExecutorCore& core, const CreatePipeSink& s, Dialect dialect);
Result<ResultTable> execute(ExecutorCore& core, const ShowPipeSinkTypes& s, Dialect dialect);
Result<ResultTable> execute(ExecutorCore& core, const ShowPipeSinks& s, Dialect dialect);
Result<ResultTable> execute(ExecutorCore& core, const DropPipeSink& s, Dialect dialect);
Result<ResultTable> execute(ExecutorCore& core, const StartPipeServer& s, Dialect dialect);
Result<ResultTable> execute(ExecutorCore& core, const StopPipeServer& s, Dialect dialect);
Result<ResultTable> execute(ExecutorCore& core, const ShowPipeServer& s, Dialect dialect);
// Not under `changing`: what it calls may change pipes.
Result<ResultTable> execute(ExecutorCore& core, const LoadConfiguration& s, Dialect dialect);

Result<ResultTable> execute(ExecutorCore& core, const CreateUser& s, Dialect dialect);
Result<ResultTable> execute(ExecutorCore& core, const DropUser& s, Dialect dialect);
Result<ResultTable> execute(ExecutorCore& core, const ListUsers& s, Dialect dialect);
Result<ResultTable> execute(ExecutorCore& core, const ChangePrivileges& s, Dialect dialect);
Result<ResultTable> execute(ExecutorCore& core, const ListPrivileges& s, Dialect dialect);

Result<ResultTable> execute(ExecutorCore& core, const SelectLogs& s, Dialect dialect);

// ---- what YAML defines

// What has to happen so that the catalogue says what YAML says.
struct YamlPlan {
  std::vector<CatalogueChange> changes;
  std::vector<PipeDefinition> created, altered;
  std::vector<std::string> dropped;
};
Result<YamlPlan> plan_yaml(ExecutorCore& core, const std::vector<YamlPipe>& yaml);
// The engine's part of a plan that is in the catalogue. What fails is logged and stands in the pipe's row.
void carry_out(ExecutorCore& core, const YamlPlan& plan);
// The statements that would do the same, secrets masked: for the audit log.
std::vector<std::string> statements_of(const ExecutorCore& core, const YamlPlan& plan);

}  // namespace tidegate
