// SPDX-License-Identifier: Apache-2.0
// CREATE, ALTER, START, STOP and DROP PIPE.
#include <algorithm>
#include <charconv>

#include "base/log.h"
#include "pipe/engine/pipe_name.h"
#include "pipe/statement/execute.h"
#include "pipe/statement/lexer.h"

namespace tidegate {
namespace {

Status check_not_yaml(const ExecutorCore& core, const PipeDefinition& pipe, const char* done) {
  if (pipe.origin != PipeOrigin::kYaml) return {};
  const std::string& file = core.hooks.config_file;
  return make_error(ErrorCode::kRefused, "pipe '" + pipe.name + "' is defined below `pipes:` in " +
                                             (file.empty() ? "the configuration" : file) + " and is " + done +
                                             " there only: edit it, then LOAD CONFIGURATION");
}

// Edge-Cloud: "The sender can only have one pipe in non drop status."
Status check_only_pipe(const CatalogueSnapshot& definitions, Dialect dialect) {
  if (dialect != Dialect::kEdgeCloud) return {};
  for (const auto& [name, pipe] : definitions.pipes)
    if (pipe.dialect == PipeDialect::kEdgeCloud)
      return make_error(ErrorCode::kBusy, "there can be one pipe at a time in this dialect, and there is '" +
                                              name + "': DROP PIPE " + quote_name(name) +
                                              " first, or use the dialect data-sync");
  return {};
}

// Nothing: the pipe is to be made. A table: there is one, and that is no error.
Result<std::optional<ResultTable>> check_new(const CatalogueSnapshot& definitions, const Name& name,
                                             bool if_not_exists, Dialect dialect) {
  if (const auto found = definitions.pipes.find(name.text); found != definitions.pipes.end()) {
    if (if_not_exists)
      return std::optional(done("pipe '" + found->first + "' exists already: nothing was done"));
    return at_mark(make_error(ErrorCode::kAlreadyExists, "there is a pipe '" + found->first + "' already"),
                   name.mark);
  }
  if (Status fits = check_pipe_name(name.text); !fits.ok())
    return at_mark(std::move(fits).error(), name.mark);
  if (Status only = check_only_pipe(definitions, dialect); !only.ok())
    return at_mark(std::move(only).error(), name.mark);
  return std::optional<ResultTable>();
}

PipeSpec new_spec(const ExecutorCore& core, const Name& name) {
  PipeSpec spec;
  spec.name = name.text;
  spec.created_micros = core.env.clock->wall_micros();
  spec.history_boundary = core.engine.journal_head();
  return spec;
}

PipeDialect stored(Dialect dialect) {
  return dialect == Dialect::kDataSync ? PipeDialect::kDataSync : PipeDialect::kEdgeCloud;
}

ResultTable nothing_there(const Name& name) {
  return done("there is no pipe '" + name.text + "': nothing was done");
}

// One part after ALTER: a clause whose marks are those of the statement.
Result<Clause> altered_part(const PluginSet& plugins, const Attributes& was,
                            const AlterPipe::Change* change) {
  Clause out;
  out.attributes = was;
  if (change == nullptr) return out;
  if (change->mode == AlterPipe::Mode::kReplace) return change->clause;
  out.marks = change->clause.marks;
  out.mark = change->clause.mark;
  Attributes named = change->clause.attributes;
  if (named.plugin.empty()) named.plugin = was.plugin;
  // By their own names, so that an alias takes the place of what it stands for.
  if (const PluginInfo* const plugin = plugins.find(change->kind, named.plugin)) {
    auto own = with_own_names(named, *plugin);
    if (!own.ok()) return at_mark(std::move(own).error(), out.mark);
    named = std::move(*own);
  }
  out.attributes.plugin = named.plugin;
  for (auto& [name, value] : named.values) out.attributes.values[name] = value;
  return out;
}

const AlterPipe::Change* change_of(const AlterPipe& s, PluginKind kind) {
  const auto found = std::ranges::find(s.changes, kind, &AlterPipe::Change::kind);
  return found == s.changes.end() ? nullptr : &*found;
}

// '>' and '>=': the extractor knows the inclusive one.
Result<std::string> inclusive_start(const StartTime& start) {
  if (!start.exclusive) return start.text;
  std::int64_t value = 0;
  const char* const end = start.text.data() + start.text.size();
  const auto [at, ec] = std::from_chars(start.text.data(), end, value);
  if (ec == std::errc() && at == end && value != INT64_MAX) return std::to_string(value + 1);
  return at_mark(
      make_error(ErrorCode::kInvalidArgument,
                 "'>' and a date: which instant is the next depends on the unit of the data; write "
                 "time >= and the first instant that is wanted"),
      start.mark);
}

Result<Clause> extractor_of(const CreatePipeTo& s) {
  Clause out;
  if (s.start) {
    TG_TRY(out.attributes.values["history.start-time"], inclusive_start(*s.start));
    out.marks["history.start-time"] = s.start->mark;
  }
  if (s.sync_del_op == false) out.attributes.values[std::string(kDeletions)] = "false";
  return out;
}

// The air gap to the address of the sink.
Clause connector_of(const PipesinkDefinition& sink) {
  Clause out;
  out.attributes.plugin = "iotdb-air-gap-connector";
  for (const auto& [name, value] : sink.attributes) out.attributes.values[name] = value;
  return out;
}

std::vector<std::string> sink_names(const CatalogueSnapshot& definitions) {
  std::vector<std::string> out;
  for (const auto& [name, sink] : definitions.pipesinks) out.push_back(name);
  return out;
}

}  // namespace

Result<ResultTable> execute(ExecutorCore& core, const CreatePipe& s, Dialect dialect) {
  const auto definitions = core.definitions();
  TG_TRY(auto exists, check_new(*definitions, s.pipe, s.if_not_exists, dialect));
  if (exists) return *exists;
  TG_TRY(const PipeSpec spec,
         checked_spec(core, s.pipe, {s.extractor, s.processor, s.connector}, new_spec(core, s.pipe)));
  PipeDefinition pipe = definition_of(spec);
  pipe.dialect = stored(dialect);
  TG_CHECK(make_pipe(core, pipe));
  return done();
}

Result<ResultTable> execute(ExecutorCore& core, const CreatePipeTo& s, Dialect dialect) {
  const auto definitions = core.definitions();
  TG_TRY(auto exists, check_new(*definitions, s.pipe, s.if_not_exists, dialect));
  if (exists) return *exists;
  const auto sink = definitions->pipesinks.find(s.sink.text);
  if (sink == definitions->pipesinks.end())
    return at_mark(make_error(ErrorCode::kNotFound, "there is no pipesink '" + s.sink.text + "'" +
                                                        did_you_mean(s.sink.text, sink_names(*definitions))),
                   s.sink.mark);
  TG_TRY(const Clause extractor, extractor_of(s));
  TG_TRY(const PipeSpec spec,
         checked_spec(core, s.pipe, {extractor, {}, connector_of(sink->second)}, new_spec(core, s.pipe)));
  if (Status reached = core.engine.reach(spec.connector); !reached.ok()) {
    reached.error().detail = "pipesink '" + sink->first +
                             "' does not answer, so no pipe to it was made: " + reached.error().detail;
    return at_mark(std::move(reached).error(), s.sink.mark);
  }
  PipeDefinition pipe = definition_of(spec);
  pipe.dialect = PipeDialect::kEdgeCloud;
  pipe.pipesink = sink->first;
  TG_CHECK(make_pipe(core, pipe));
  return done();
}

Result<ResultTable> execute(ExecutorCore& core, const AlterPipe& s, Dialect) {
  const auto definitions = core.definitions();
  if (s.if_exists && !definitions->pipes.contains(s.pipe.text)) return nothing_there(s.pipe);
  TG_TRY(const PipeDefinition* const was, find_pipe(*definitions, s.pipe));
  TG_CHECK(check_not_yaml(core, *was, "altered"));
  const PluginSet plugins(core.engine.plugins());
  const auto part = [&](PluginKind kind, const Attributes& of) {
    return altered_part(plugins, of, change_of(s, kind));
  };
  TG_TRY(const Clause extractor, part(PluginKind::kExtractor, was->extractor));
  TG_TRY(const Clause processor, part(PluginKind::kProcessor, was->processor));
  TG_TRY(const Clause connector, part(PluginKind::kConnector, was->connector));
  TG_TRY(const PipeSpec spec, checked_spec(core, s.pipe, {extractor, processor, connector}, spec_of(*was)));
  PipeDefinition pipe = *was;
  pipe.extractor = spec.extractor;
  pipe.processor = spec.processor;
  pipe.connector = spec.connector;
  if (!(pipe.connector == was->connector)) pipe.pipesink.clear();  // its target is its own from now on
  TG_CHECK(core.apply(change::AlterPipe{pipe, core.env.clock->wall_micros()}));
  if (Status altered = core.engine.alter(spec_of(pipe)); !altered.ok()) {
    altered.error().detail = "pipe '" + pipe.name +
                             "' is altered in the catalogue and takes it up with the next " +
                             "start of the daemon, but not now: " + altered.error().detail;
    return altered.error();
  }
  return done();
}

Result<ResultTable> execute(ExecutorCore& core, const StartPipe& s, Dialect) {
  const auto definitions = core.definitions();
  if (s.if_exists && !definitions->pipes.contains(s.pipe.text)) return nothing_there(s.pipe);
  TG_TRY(const PipeDefinition* const pipe, find_pipe(*definitions, s.pipe));
  if (Status may = core.engine.may_start(spec_of(*pipe)); !may.ok())
    return at_mark(std::move(may).error(), s.pipe.mark);
  TG_CHECK(core.apply(change::SetPipeState{pipe->name, WantedState::kRunning, ""}));
  Status started = core.engine.start(pipe->name);
  if (started.ok()) return done();
  const std::string why = started.error().text();
  if (const Status noted = core.apply(change::SetPipeState{pipe->name, WantedState::kStopped, why});
      !noted.ok())
    log_error("executor", "pipe " + pipe->name + " could not be started (" + why +
                              "), and the catalogue does not take the message: " + noted.error().text());
  return started.error();
}

Result<ResultTable> execute(ExecutorCore& core, const StopPipe& s, Dialect) {
  const auto definitions = core.definitions();
  if (s.if_exists && !definitions->pipes.contains(s.pipe.text)) return nothing_there(s.pipe);
  TG_TRY(const PipeDefinition* const pipe, find_pipe(*definitions, s.pipe));
  // Why it had stopped by itself is still worth knowing.
  const std::string message = pipe->wanted == WantedState::kStopped ? pipe->exception_message : "";
  TG_CHECK(core.apply(change::SetPipeState{pipe->name, WantedState::kStopped, message}));
  TG_CHECK(core.engine.stop(pipe->name));
  return done();
}

Result<ResultTable> execute(ExecutorCore& core, const DropPipe& s, Dialect) {
  const auto definitions = core.definitions();
  const bool left_over = core.leftovers.contains(s.pipe.text);
  if (!left_over && s.if_exists && !definitions->pipes.contains(s.pipe.text)) return nothing_there(s.pipe);
  if (left_over) {
    TG_CHECK(drop_pipe_everywhere(core, s.pipe.text));
    return done();
  }
  TG_TRY(const PipeDefinition* const pipe, find_pipe(*definitions, s.pipe));
  TG_CHECK(check_not_yaml(core, *pipe, "dropped"));
  TG_CHECK(drop_pipe_everywhere(core, pipe->name));
  return done();
}

}  // namespace tidegate
