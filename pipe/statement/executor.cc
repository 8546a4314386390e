// SPDX-License-Identifier: Apache-2.0
#include "pipe/statement/executor.h"

#include <algorithm>
#include <type_traits>

#include "base/log.h"
#include "pipe/statement/execute.h"
#include "pipe/statement/parser.h"
#include "pipe/statement/print.h"
#include "pipe/statement/privileges.h"
#include "pipe/statement/split.h"

namespace tidegate {
namespace {

constexpr std::string_view kArea = "executor";

// What another attempt may mend: the database, not the text of a statement.
bool is_of_storage(const Error& error) {
  return error.code == ErrorCode::kLocked || error.code == ErrorCode::kIo ||
         error.code == ErrorCode::kNoSpace || error.code == ErrorCode::kDamaged ||
         error.code == ErrorCode::kBusy;
}

std::string first_line(const ResultTable& table) {
  if (table.columns.empty()) return table.message.substr(0, table.message.find('\n'));
  return std::to_string(table.rows.size()) + (table.rows.size() == 1 ? " row" : " rows");
}

}  // namespace

class Executor::Impl {
 public:
  Impl(Env env, Catalogue& catalogue, PipeEngine& engine, AuditLog& audit, ExecutorHooks hooks)
      : core_(env, catalogue, engine, std::move(hooks)),
        audit_(audit),
        retries_(LogLevel::kWarning, std::string(kArea)) {
    core_.publish();
    engine.on_automatic_stop([this](const std::string& name, const std::string& message) {
      const std::lock_guard guard(stops_mutex_);
      stops_.push_back({name, message});
    });
  }
  ~Impl() { core_.engine.on_automatic_stop({}); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  Status start(const std::vector<YamlPipe>& yaml);
  Status adopt_yaml(const std::vector<YamlPipe>& yaml);
  void tick();
  Execution execute(const Caller& caller, std::string_view text, Dialect dialect);
  Completion complete(const Caller& caller, std::string_view text, std::size_t cursor, Dialect dialect) const;
  Status rebuild_catalogue(const Caller& caller);
  std::string message() const;
  const ExecutorCore& core() const { return core_; }

 private:
  struct AutomaticStop {
    std::string name, message;
  };

  Result<ResultTable> run_text(const Caller& caller, const StatementPiece& piece, Dialect dialect);
  Result<ResultTable> run_statement(const Caller& caller, const Statement& statement, Dialect dialect);
  Result<ResultTable> carry_out_one(const Statement& statement, Dialect dialect);
  Status write_audit(const Caller& caller, const std::string& statement, const Error* error,
                     const std::string& text);
  void record(const Caller& caller, const std::string& statement, const Result<ResultTable>& result,
              std::string* note);
  std::string masked(const Statement& statement) const;
  void record_yaml(const YamlPlan& plan);
  void restore_server();
  void write_stops();
  bool write_stop(const AutomaticStop& stop);
  void retry_yaml();
  void remember(std::string trouble);

  ExecutorCore core_;
  AuditLog& audit_;
  std::mutex audit_mutex_;
  std::mutex stops_mutex_;
  std::vector<AutomaticStop> stops_;                    // under stops_mutex_
  std::optional<std::vector<YamlPipe>> yaml_to_retry_;  // under core_.changing
  RepeatedLog retries_;
  mutable std::mutex message_mutex_;
  std::string catalogue_message_, trouble_;  // under message_mutex_
};

// ---- at start, and what YAML defines

Status Executor::Impl::start(const std::vector<YamlPipe>& yaml) {
  const std::lock_guard guard(core_.changing);
  for (const auto& [name, plugin] : core_.definitions()->plugins)
    if (const Status loaded = core_.load(plugin); !loaded.ok())
      log_error(kArea,
                "plugin " + name + " cannot be loaded, pipes with it stay STOPPED: " + loaded.error().text());
  TG_TRY(const YamlPlan plan, plan_yaml(core_, yaml));
  const Status applied = plan.changes.empty() ? Status() : core_.apply(plan.changes);
  if (applied.ok()) {
    record_yaml(plan);
  } else {
    yaml_to_retry_ = yaml;
    remember("what the configuration says of pipes is not yet in the catalogue: " + applied.error().text());
  }
  std::vector<PipeSpec> specs;
  for (const auto& [name, pipe] : core_.definitions()->pipes) specs.push_back(spec_of(pipe));
  core_.engine.restore(specs);
  restore_server();
  return {};
}

void Executor::Impl::restore_server() {
  const auto definitions = core_.definitions();
  const auto wish = definitions->settings.find(std::string(kServerSetting));
  const auto server = core_.engine.server();
  if (wish == definitions->settings.end() || !server) return;
  const bool wanted = wish->second == kServerRunning;
  if (wanted == server->running) return;
  if (const Status set = wanted ? core_.engine.start_server() : core_.engine.stop_server(); !set.ok())
    log_error(kArea, std::string("the pipe server was last ") + (wanted ? "started" : "stopped") +
                         " by a statement, which cannot be repeated: " + set.error().text());
}

Status Executor::Impl::adopt_yaml(const std::vector<YamlPipe>& yaml) {
  const std::lock_guard guard(core_.changing);
  TG_TRY(const YamlPlan plan, plan_yaml(core_, yaml));
  if (!plan.changes.empty()) TG_CHECK(core_.apply(plan.changes));
  yaml_to_retry_.reset();
  record_yaml(plan);
  carry_out(core_, plan);
  return {};
}

// The file is where such a change comes from and stays: what the audit log does not take is done all the
// same.
void Executor::Impl::record_yaml(const YamlPlan& plan) {
  Caller yaml;
  yaml.user = "tidegate";
  yaml.from = "yaml";
  for (const std::string& statement : statements_of(core_, plan))
    if (const Status written = write_audit(yaml, statement, nullptr, core_.hooks.config_file); !written.ok())
      log_error(kArea, "the audit log does not hold a change of the configuration: " +
                           written.error().text() + " (" + statement + ")");
}

// ---- every second

void Executor::Impl::remember(std::string trouble) {
  if (!trouble.empty()) retries_.log(core_.env.clock->now(), trouble);
  const std::lock_guard guard(message_mutex_);
  trouble_ = std::move(trouble);
}

void Executor::Impl::tick() {
  const std::lock_guard guard(core_.changing);
  write_stops();
  retry_yaml();
  const std::lock_guard message(message_mutex_);
  catalogue_message_ = core_.catalogue.message();
}

void Executor::Impl::write_stops() {
  std::vector<AutomaticStop> stops;
  {
    const std::lock_guard guard(stops_mutex_);
    stops.swap(stops_);
  }
  if (stops.empty()) return;
  std::erase_if(stops, [this](const AutomaticStop& stop) { return write_stop(stop); });
  if (stops.empty()) return remember("");
  const std::lock_guard guard(stops_mutex_);
  stops_.insert(stops_.begin(), stops.begin(), stops.end());
}

// True: it is written, or is no longer so.
bool Executor::Impl::write_stop(const AutomaticStop& stop) {
  const auto definitions = core_.definitions();
  if (!definitions->pipes.contains(stop.name)) return true;
  for (const PipeView& view : core_.engine.pipes())
    if (same_name(view.name, stop.name) && view.state != PipeState::kStopped)
      return true;  // started again since
  const Status written = core_.apply(change::SetPipeState{stop.name, WantedState::kStopped, stop.message});
  if (written.ok() || !is_of_storage(written.error())) return true;
  remember("pipe " + stop.name +
           " stopped by itself, which the catalogue does not take yet (a restart before then " +
           "starts the pipe again): " + written.error().text());
  return false;
}

void Executor::Impl::retry_yaml() {
  if (!yaml_to_retry_) return;
  auto plan = plan_yaml(core_, *yaml_to_retry_);
  if (plan.ok()) {
    const Status applied = core_.apply(plan->changes);
    if (!applied.ok() && is_of_storage(applied.error()))
      return remember("what the configuration says of pipes is not yet in the catalogue: " +
                      applied.error().text());
    if (applied.ok()) {
      record_yaml(*plan);
      carry_out(core_, *plan);
    }
    if (!applied.ok()) log_error(kArea, "pipes of the configuration: " + applied.error().text());
  } else {
    log_error(kArea, "pipes of the configuration: " + plan.error().text());
  }
  yaml_to_retry_.reset();
  remember("");
}

std::string Executor::Impl::message() const {
  const std::lock_guard guard(message_mutex_);
  if (catalogue_message_.empty() || trouble_.empty()) return catalogue_message_ + trouble_;
  return catalogue_message_ + "; " + trouble_;
}

// ---- statements

Execution Executor::Impl::execute(const Caller& caller, std::string_view text, Dialect dialect) {
  Execution out;
  const SplitResult split = split_statements(text);
  std::vector<StatementPiece> pieces = split.complete;
  if (!split.rest.text.empty()) pieces.push_back(split.rest);
  for (const StatementPiece& piece : pieces) {
    auto result = run_text(caller, piece, dialect);
    if (result.ok()) {
      out.results.push_back(std::move(*result));
      continue;
    }
    out.error = std::move(result).error();
    out.explanation = explain_error(piece.text, *out.error, piece.start);
    if (!out.error->line && !out.error->path.empty())
      out.explanation = out.error->path + ": " + out.explanation;
    break;
  }
  return out;
}

Result<ResultTable> Executor::Impl::run_text(const Caller& caller, const StatementPiece& piece,
                                             Dialect dialect) {
  auto parsed = parse_statement(piece.text, dialect, piece.start);
  if (parsed.ok()) return run_statement(caller, *parsed, dialect);
  // The message quotes the text: where a part of that had to be masked, the message may hold it too.
  const std::string safe = mask_source(piece.text);
  const std::string why = safe == piece.text ? parsed.error().detail : "this is no statement";
  if (const Status written = write_audit(caller, safe, &parsed.error(), why); !written.ok())
    log_error(kArea, "the audit log does not take a refused statement: " + written.error().text());
  return parsed.error();
}

Result<ResultTable> Executor::Impl::run_statement(const Caller& caller, const Statement& statement,
                                                  Dialect dialect) {
  const std::string text = masked(statement);
  std::string note;
  if (Status allowed = check_privilege(caller, *core_.definitions(), statement); !allowed.ok()) {
    Result<ResultTable> refused(std::move(allowed).error());
    record(caller, text, refused, &note);
    return refused;
  }
  if (is_change(statement))
    if (Status begun = write_audit(caller, text, nullptr, "begins"); !begun.ok()) {
      begun.error().detail =
          "nothing was done, because the audit log cannot be written: " + begun.error().detail;
      return begun.error();
    }
  Result<ResultTable> result = carry_out_one(statement, dialect);
  record(caller, text, result, &note);
  if (!note.empty() && result.ok()) result->message += (result->message.empty() ? "" : "\n") + note;
  return result;
}

Result<ResultTable> Executor::Impl::carry_out_one(const Statement& statement, Dialect dialect) {
  std::unique_lock<std::mutex> one_at_a_time(core_.changing, std::defer_lock);
  // LOAD CONFIGURATION comes back by adopt_yaml().
  if (is_change(statement) && !std::holds_alternative<LoadConfiguration>(statement)) one_at_a_time.lock();
  return std::visit([&](const auto& s) { return tidegate::execute(core_, s, dialect); }, statement);
}

std::string Executor::Impl::masked(const Statement& statement) const {
  const PluginSet plugins(core_.engine.plugins());
  return print_masked(statement, plugins.lookup());
}

Status Executor::Impl::write_audit(const Caller& caller, const std::string& statement, const Error* error,
                                   const std::string& text) {
  AuditEntry entry;
  entry.user = caller.user;
  entry.uid = caller.uid;
  entry.pid = caller.pid;
  entry.from = caller.from;
  entry.statement = statement;
  if (error != nullptr) entry.error = error->code;
  entry.text = text;
  const std::lock_guard guard(audit_mutex_);
  return audit_.write(entry);
}

// `note` is for the operator, where the outcome could not be written.
void Executor::Impl::record(const Caller& caller, const std::string& statement,
                            const Result<ResultTable>& result, std::string* note) {
  const Error* const error = result.ok() ? nullptr : &result.error();
  const Status written =
      write_audit(caller, statement, error, error != nullptr ? error->detail : first_line(*result));
  if (written.ok()) return;
  *note = "the audit log does not hold the outcome of this statement: " + written.error().text();
  log_error(kArea, *note + " (" + caller.user + ": " + statement + ")");
}

Completion Executor::Impl::complete(const Caller& caller, std::string_view text, std::size_t cursor,
                                    Dialect dialect) const {
  const auto definitions = core_.definitions();
  const std::vector<PluginInfo> plugins = core_.engine.plugins();
  CompletionNames names;
  names.plugins = plugins;
  if (may_show_pipes(caller, *definitions)) {
    names.pipes = pipe_names(*definitions);
    for (const auto& [name, sink] : definitions->pipesinks) names.sinks.push_back(name);
    for (const auto& [name, plugin] : definitions->plugins) names.external_plugins.push_back(name);
  }
  if (caller.is_admin)
    for (const auto& [name, user] : definitions->users) names.users.push_back(name);
  return complete_statement(text, cursor, dialect, names);
}

Status Executor::Impl::rebuild_catalogue(const Caller& caller) {
  const std::lock_guard guard(core_.changing);
  const std::string what = "rebuild the catalogue";
  if (!caller.is_admin)
    return make_error(ErrorCode::kUnauthorized,
                      "the catalogue is rebuilt by root and the daemon's own user (sudo)");
  TG_CHECK(write_audit(caller, what, nullptr, "begins"));
  Status rebuilt = core_.catalogue.rebuild();
  core_.publish();
  TG_CHECK(write_audit(caller, what, rebuilt.ok() ? nullptr : &rebuilt.error(),
                       rebuilt.ok() ? "" : rebuilt.error().detail));
  return rebuilt;
}

// ---- the interface

Executor::Executor(Env env, Catalogue& catalogue, PipeEngine& engine, AuditLog& audit, ExecutorHooks hooks)
    : impl_(std::make_unique<Impl>(env, catalogue, engine, audit, std::move(hooks))) {}
Executor::~Executor() = default;

Status Executor::start(const std::vector<YamlPipe>& yaml) {
  return impl_->start(yaml);
}
Status Executor::adopt_yaml(const std::vector<YamlPipe>& yaml) {
  return impl_->adopt_yaml(yaml);
}
void Executor::tick() {
  impl_->tick();
}
Execution Executor::execute(const Caller& caller, std::string_view text, Dialect dialect) {
  return impl_->execute(caller, text, dialect);
}
Completion Executor::complete(const Caller& caller, std::string_view text, std::size_t cursor,
                              Dialect dialect) const {
  return impl_->complete(caller, text, cursor, dialect);
}
Status Executor::rebuild_catalogue(const Caller& caller) {
  return impl_->rebuild_catalogue(caller);
}
std::shared_ptr<const CatalogueSnapshot> Executor::definitions() const {
  return impl_->core().definitions();
}
std::optional<bool> Executor::pipe_server_wanted() const {
  const auto definitions = this->definitions();
  const auto found = definitions->settings.find(std::string(kServerSetting));
  if (found == definitions->settings.end()) return {};
  return found->second == kServerRunning;
}
std::string Executor::message() const {
  return impl_->message();
}

}  // namespace tidegate
