// SPDX-License-Identifier: Apache-2.0
// Pipes that YAML defines. The rule (doc/statements.md): YAML owns their definition; START and STOP that were
// typed hold until the text of the pipe changes; what has gone from YAML is dropped.
#include "base/hash.h"
#include "base/log.h"
#include "pipe/engine/pipe_name.h"
#include "pipe/statement/execute.h"
#include "pipe/statement/lexer.h"
#include "pipe/statement/parser.h"
#include "pipe/statement/split.h"

namespace tidegate {
namespace {

struct YamlEntry {
  CreatePipe create;
  bool running = false;
  const YamlPipe* from = nullptr;
};

Error at_yaml(Error error, const YamlPipe& from) {
  if (error.line)
    error.detail = "line " + std::to_string(*error.line) + ", column " +
                   std::to_string(error.column.value_or(1)) + " of the statement: " + error.detail;
  return Error(error.code, std::move(error.detail)).at_path(from.file).at_line(from.line, from.column);
}

class YamlReader {
 public:
  Status read(const YamlPipe& from) {
    if (from.statements.empty()) return add(from.structured, from.running, from);
    const SplitResult split = split_statements(from.statements);
    std::vector<StatementPiece> pieces = split.complete;
    if (!split.rest.text.empty()) pieces.push_back(split.rest);
    for (const StatementPiece& piece : pieces) TG_CHECK(read(piece, from));
    return {};
  }
  ByName<YamlEntry> take() { return std::move(entries_); }

 private:
  Status read(const StatementPiece& piece, const YamlPipe& from) {
    auto parsed = parse_statement(piece.text, Dialect::kDataSync, piece.start);
    if (!parsed.ok()) return at_yaml(std::move(parsed).error(), from);
    if (const auto* const create = std::get_if<CreatePipe>(&*parsed)) return add(*create, false, from);
    if (const auto* const start = std::get_if<StartPipe>(&*parsed)) return run(start->pipe, from);
    return at_yaml(
        make_error(ErrorCode::kInvalidConfiguration,
                   std::string(statement_name(*parsed)) +
                       " cannot stand in YAML: there are CREATE PIPE ... WITH CONNECTOR and START PIPE"),
        from);
  }
  Status add(const CreatePipe& create, bool running, const YamlPipe& from) {
    if (Status fits = check_pipe_name(create.pipe.text); !fits.ok())
      return at_yaml(std::move(fits).error(), from);
    const auto [at, fresh] = entries_.emplace(create.pipe.text, YamlEntry{create, running, &from});
    if (fresh) return {};
    return at_yaml(
        make_error(ErrorCode::kAlreadyExists, "pipe '" + create.pipe.text + "' is defined in line " +
                                                  std::to_string(at->second.from->line) + " already"),
        from);
  }
  Status run(const Name& name, const YamlPipe& from) {
    const auto found = entries_.find(name.text);
    if (found == entries_.end())
      return at_yaml(make_error(ErrorCode::kNotFound, "START PIPE " + name.text +
                                                          ": no pipe of that name is defined "
                                                          "above it in YAML"),
                     from);
    found->second.running = true;
    return {};
  }

  ByName<YamlEntry> entries_;
};

// Of the canonical form: blanks, comments and the order of attributes are no change.
std::string hash_of(const YamlEntry& entry) {
  CreatePipe plain = entry.create;
  plain.if_not_exists = false;
  const std::string text = print_statement(plain) + (entry.running ? "; START" : "");
  return to_hex(sha256(as_bytes(text)));
}

// A pipe that could not run is there, STOPPED, and says why.
void settle_state(ExecutorCore& core, PipeDefinition& pipe, bool running) {
  pipe.exception_message.clear();
  pipe.wanted = running ? WantedState::kRunning : WantedState::kStopped;
  if (!running) return;
  if (const Status may = core.engine.may_start(spec_of(pipe)); !may.ok()) {
    pipe.wanted = WantedState::kStopped;
    pipe.exception_message = may.error().text();
  }
}

Status plan_one(ExecutorCore& core, const CatalogueSnapshot& definitions, const YamlEntry& entry,
                YamlPlan& plan) {
  const auto found = definitions.pipes.find(entry.create.pipe.text);
  const bool exists = found != definitions.pipes.end();
  if (exists && found->second.origin == PipeOrigin::kTyped)
    return at_yaml(make_error(ErrorCode::kAlreadyExists, "there is a pipe '" + found->first +
                                                             "' that was made by a statement: DROP PIPE it, "
                                                             "or give the one in YAML another name"),
                   *entry.from);
  const std::string hash = hash_of(entry);
  if (exists && found->second.yaml_hash == hash) return {};
  PipeSpec spec;
  if (exists) spec = spec_of(found->second);
  if (!exists) {
    spec.name = entry.create.pipe.text;
    spec.created_micros = core.env.clock->wall_micros();
    spec.history_boundary = core.engine.journal_head();
  }
  const CreatePipe& c = entry.create;
  auto checked = checked_spec(core, c.pipe, {c.extractor, c.processor, c.connector}, std::move(spec));
  if (!checked.ok()) return at_yaml(std::move(checked).error(), *entry.from);
  PipeDefinition pipe = exists ? found->second : definition_of(*checked);
  pipe.extractor = checked->extractor;
  pipe.processor = checked->processor;
  pipe.connector = checked->connector;
  pipe.origin = PipeOrigin::kYaml;
  pipe.yaml_hash = hash;
  settle_state(core, pipe, entry.running);
  if (exists) {
    plan.changes.emplace_back(change::AlterPipe{pipe, core.env.clock->wall_micros()});
    plan.altered.push_back(std::move(pipe));
  } else {
    plan.changes.emplace_back(change::CreatePipe{pipe});
    plan.created.push_back(std::move(pipe));
  }
  return {};
}

void note_failure(ExecutorCore& core, const PipeDefinition& pipe, const Error& error) {
  log_error("executor", "pipe " + pipe.name + " of the configuration: " + error.text());
  if (const Status noted = core.apply(change::SetPipeState{pipe.name, WantedState::kStopped, error.text()});
      !noted.ok())
    log_error("executor",
              "pipe " + pipe.name + ": the catalogue does not take its message: " + noted.error().text());
}

Status alter_and_run(ExecutorCore& core, const PipeDefinition& pipe) {
  TG_CHECK(core.engine.alter(spec_of(pipe)));
  return pipe.wanted == WantedState::kRunning ? core.engine.start(pipe.name) : core.engine.stop(pipe.name);
}

}  // namespace

Result<YamlPlan> plan_yaml(ExecutorCore& core, const std::vector<YamlPipe>& yaml) {
  YamlReader reader;
  for (const YamlPipe& from : yaml) TG_CHECK(reader.read(from));
  const ByName<YamlEntry> entries = reader.take();
  const auto definitions = core.definitions();
  YamlPlan plan;
  for (const auto& [name, entry] : entries) TG_CHECK(plan_one(core, *definitions, entry, plan));
  for (const auto& [name, pipe] : definitions->pipes) {
    if (pipe.origin != PipeOrigin::kYaml || entries.contains(name)) continue;
    plan.changes.emplace_back(change::DropPipe{name, core.env.clock->wall_micros()});
    plan.dropped.push_back(name);
  }
  return plan;
}

void carry_out(ExecutorCore& core, const YamlPlan& plan) {
  for (const std::string& name : plan.dropped) {
    const Status dropped = core.engine.drop(name);
    if (dropped.ok()) continue;
    core.leftovers.insert(name);
    log_error("executor", "pipe " + name + " has gone from the configuration, but its remains could not be " +
                              "removed: " + dropped.error().text());
  }
  for (const PipeDefinition& pipe : plan.created)
    if (const Status made = core.engine.create(spec_of(pipe)); !made.ok())
      note_failure(core, pipe, made.error());
  for (const PipeDefinition& pipe : plan.altered)
    if (const Status altered = alter_and_run(core, pipe); !altered.ok())
      note_failure(core, pipe, altered.error());
}

std::vector<std::string> statements_of(const ExecutorCore& core, const YamlPlan& plan) {
  const PluginSet plugins(core.engine.plugins());
  std::vector<std::string> out;
  const auto add = [&](const Statement& statement, const PipeDefinition* pipe) {
    out.push_back(print_masked(statement, plugins.lookup()));
    if (pipe != nullptr && pipe->wanted == WantedState::kRunning)
      out.back() += "; START PIPE " + quote_name(pipe->name);
  };
  for (const std::string& name : plan.dropped) add(DropPipe{{name, {}}, false}, nullptr);
  for (const PipeDefinition& pipe : plan.created)
    add(CreatePipe{{pipe.name, {}},
                   false,
                   {pipe.extractor, {}, {}},
                   {pipe.processor, {}, {}},
                   {pipe.connector, {}, {}}},
        &pipe);
  for (const PipeDefinition& pipe : plan.altered) {
    AlterPipe alter{{pipe.name, {}}, false, {}};
    for (const auto& [kind, part] : {std::pair{PluginKind::kExtractor, &pipe.extractor},
                                     std::pair{PluginKind::kProcessor, &pipe.processor},
                                     std::pair{PluginKind::kConnector, &pipe.connector}})
      alter.changes.push_back({kind, AlterPipe::Mode::kReplace, {*part, {}, {}}});
    add(alter, &pipe);
  }
  return out;
}

}  // namespace tidegate
