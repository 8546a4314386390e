// SPDX-License-Identifier: Apache-2.0
// What is shown: pipes in both dialects, plugins, sinks, the server, the log.
#include <algorithm>
#include <cstdio>
#include <utility>

#include "pipe/statement/execute.h"

namespace tidegate {
namespace {

constexpr std::string_view kNone = "None";
// Not an error: what was asked for is done.
constexpr std::string_view kHistoryFinished = "history finished";

// A pipe as it is defined and as it is.
struct ShownPipe {
  const PipeDefinition* definition = nullptr;
  PipeView view;
};

class PipeRows {
 public:
  PipeRows(const ExecutorCore& core, const CatalogueSnapshot& definitions)
      : core_(core), plugins_(core.engine.plugins()) {
    for (PipeView& view : core.engine.pipes()) views_[view.name] = std::move(view);
    for (const auto& [name, pipe] : definitions.pipes) pipes_.push_back({&pipe, view_of(pipe)});
    std::ranges::sort(pipes_, {}, [](const ShownPipe& p) {
      return std::pair(p.definition->created_micros, std::string_view(p.definition->name));
    });
  }

  const std::vector<ShownPipe>& pipes() const { return pipes_; }
  void keep(const std::vector<std::string>& names) {
    std::erase_if(pipes_, [&](const ShownPipe& pipe) {
      return std::ranges::none_of(names, [&](const auto& n) { return same_name(n, pipe.definition->name); });
    });
  }

  ResultTable table(Dialect dialect) const {
    ResultTable out;
    out.columns = dialect == Dialect::kDataSync
                      ? std::vector<std::string>{"ID",
                                                 "CreationTime",
                                                 "State",
                                                 "PipeExtractor",
                                                 "PipeProcessor",
                                                 "PipeConnector",
                                                 "ExceptionMessage",
                                                 "RemainingEventCount",
                                                 "EstimatedRemainingSeconds"}
                      : std::vector<std::string>{"create time", "name", "pipeSink", "status", "message"};
    for (const ShownPipe& pipe : pipes_)
      out.rows.push_back(dialect == Dialect::kDataSync ? data_sync_row(pipe) : edge_cloud_row(pipe));
    return out;
  }

  std::string details(const ShownPipe& pipe) const;

 private:
  PipeView view_of(const PipeDefinition& pipe) const {
    if (const auto found = views_.find(pipe.name); found != views_.end()) return found->second;
    PipeView out;
    out.name = pipe.name;
    out.message = pipe.exception_message.empty()
                      ? "the engine does not have this pipe: see the log of the daemon"
                      : pipe.exception_message;
    return out;
  }

  static std::string message_of(const ShownPipe& pipe) {
    std::string out = pipe.view.message;
    if (out.empty() && pipe.view.state == PipeState::kStopped) out = pipe.definition->exception_message;
    if (!pipe.view.warning.empty()) out += (out.empty() ? "" : "; ") + pipe.view.warning;
    return out;
  }

  std::string created(const ShownPipe& pipe) const {
    constexpr std::int64_t kMicros = 1'000'000;
    const std::int64_t micros = pipe.definition->created_micros;
    const std::int64_t rest = ((micros % kMicros) + kMicros) % kMicros;
    return format_timestamp({(micros - rest) / kMicros, static_cast<std::uint32_t>(rest * 1000)},
                            core_.hooks.zone);
  }

  std::vector<std::string> data_sync_row(const ShownPipe& pipe) const {
    const PipeDefinition& d = *pipe.definition;
    const PluginLookup lookup = plugins_.lookup();
    const std::string message = message_of(pipe);
    return {d.name,
            created(pipe),
            std::string(pipe_state_name(pipe.view.state)),
            print_attributes(PluginKind::kExtractor, d.extractor, lookup),
            print_attributes(PluginKind::kProcessor, d.processor, lookup),
            print_attributes(PluginKind::kConnector, d.connector, lookup),
            message.empty() ? std::string(kNone) : message,
            std::to_string(pipe.view.remaining_events),
            seconds(pipe.view.remaining_seconds)};
  }

  std::vector<std::string> edge_cloud_row(const ShownPipe& pipe) const {
    const PipeDefinition& d = *pipe.definition;
    const bool running = pipe.view.state == PipeState::kRunning;
    std::string message = message_of(pipe);
    const bool marked = message.empty() || message.starts_with("WARN") || message.starts_with("ERROR") ||
                        message == kHistoryFinished;
    if (!marked) message = (running ? "WARN: " : "ERROR: ") + message;
    return {created(pipe), d.name, d.pipesink.empty() ? d.connector.plugin : d.pipesink,
            running ? "RUNNING" : "STOP", std::move(message)};
  }

  static std::string seconds(std::optional<double> value) {
    if (!value) return "Unknown";
    char text[64];
    std::snprintf(text, sizeof(text), "%.2f", *value);
    return text;
  }

  const ExecutorCore& core_;
  PluginSet plugins_;
  ByName<PipeView> views_;
  std::vector<ShownPipe> pipes_;
};

// Below the row of SHOW PIPE p: what has no column.
std::string PipeRows::details(const ShownPipe& pipe) const {
  const PipeDefinition& d = *pipe.definition;
  std::string out;
  const auto line = [&](const char* what, const std::string& text) {
    out += (out.empty() ? "" : "\n") + std::string(what) + ": " + text;
  };
  std::string origin(origin_name(d.origin));
  if (d.origin == PipeOrigin::kYaml && !core_.hooks.config_file.empty())
    origin += " (" + core_.hooks.config_file + ")";
  line("Origin", origin + ", dialect " + std::string(dialect_name(d.dialect)));
  if (!pipe.view.carried_by.empty()) line("CarriedBy", pipe.view.carried_by);
  line("Position", "LSN " + std::to_string(pipe.view.position) + "; history is up to LSN " +
                       std::to_string(d.history_boundary));
  const auto deletions = d.extractor.values.find(std::string(kDeletions));
  const bool cross = deletions == d.extractor.values.end() || fold_name(deletions->second) != "false";
  line("SyncDelOp", cross ? "true (deletions cross)" : "false (deletions stay here)");
  line("Written", std::to_string(pipe.view.written_events) + " events, " +
                      std::to_string(pipe.view.dead_letters) + " dead letters, " +
                      std::to_string(pipe.view.filtered_batches) + " batches filtered out, " +
                      std::to_string(pipe.view.lost_lsns) + " lost");
  return out;
}

std::string attribute_text(const PipesinkDefinition& sink) {
  std::map<std::string, SinkAttribute> attributes;
  for (const auto& [name, value] : sink.attributes) attributes[name] = {{}, value};
  return print_sink_attributes(attributes);
}

// The pipe that a line is about, where it is about one: lines of the area "pipe" begin with its name.
std::string trigger_name(const LogRow& row, const CatalogueSnapshot& definitions) {
  const std::string first = row.text.substr(0, row.text.find_first_of(" :"));
  return row.area == "pipe" && definitions.pipes.contains(first) ? first : row.area;
}

std::string event_time(std::int64_t unix_micros) {
  constexpr std::int64_t kMicros = 1'000'000;
  const std::int64_t fraction = ((unix_micros % kMicros) + kMicros) % kMicros;
  const std::string text = format_timestamp({(unix_micros - fraction) / kMicros, 0}, TimeZone());
  char digits[16];
  std::snprintf(digits, sizeof(digits), "%06d000", static_cast<int>(fraction));
  return text.substr(0, text.find('.') + 1) + digits;
}

}  // namespace

Result<ResultTable> execute(ExecutorCore& core, const ShowPipes& s, Dialect dialect) {
  const auto definitions = core.definitions();
  PipeRows rows(core, *definitions);
  if (s.used_by) {
    TG_TRY(const PipeDefinition* const pipe, find_pipe(*definitions, *s.used_by));
    rows.keep(core.engine.sharing_connector(pipe->name));
    return rows.table(dialect);
  }
  if (!s.pipe) return rows.table(dialect);
  TG_TRY(const PipeDefinition* const pipe, find_pipe(*definitions, *s.pipe));
  rows.keep({pipe->name});
  ResultTable out = rows.table(dialect);
  out.message = rows.details(rows.pipes().at(0));
  return out;
}

Result<ResultTable> execute(ExecutorCore& core, const ShowPipePlugins&, Dialect) {
  ResultTable out{{"PluginName", "PluginType", "ClassName", "PluginJar"}, {}, {}};
  for (const PluginInfo& plugin : core.engine.plugins())
    out.rows.push_back({plugin.name, plugin.type, plugin.class_name, plugin.jar});
  const auto definitions = core.definitions();
  for (const auto& [name, why] : core.unloaded()) {
    const auto found = definitions->plugins.find(name);
    if (found == definitions->plugins.end()) continue;
    out.rows.push_back({name, "External", found->second.class_name, found->second.file});
    out.message +=
        (out.message.empty() ? "" : "\n") + std::string("plugin '") + name + "' is not loaded: " + why;
  }
  std::ranges::sort(out.rows);
  return out;
}

Result<ResultTable> execute(ExecutorCore&, const ShowPipeSinkTypes&, Dialect) {
  return ResultTable{{"type"}, {{"IoTDB"}}, {}};
}

Result<ResultTable> execute(ExecutorCore& core, const ShowPipeSinks& s, Dialect) {
  ResultTable out{{"name", "type", "attributes"}, {}, {}};
  const auto definitions = core.definitions();
  std::vector<std::string> known;
  for (const auto& [name, sink] : definitions->pipesinks) {
    known.push_back(name);
    if (!s.sink || same_name(s.sink->text, name)) out.rows.push_back({name, sink.type, attribute_text(sink)});
  }
  if (s.sink && out.rows.empty())
    return at_mark(make_error(ErrorCode::kNotFound, "there is no pipesink '" + s.sink->text + "'" +
                                                        did_you_mean(s.sink->text, known)),
                   s.sink->mark);
  return out;
}

Result<ResultTable> execute(ExecutorCore& core, const ShowPipeServer&, Dialect) {
  const auto server = core.engine.server();
  ResultTable out{
      {"enalbe"}, {{server && server->running ? "true" : "false"}}, {}};  // as the document spells it
  if (!server) out.message = "this daemon has no listener: the pipe server belongs to a receiver";
  if (server && server->running) out.message = "listens on " + server->address;
  return out;
}

Result<ResultTable> execute(ExecutorCore& core, const SelectLogs& s, Dialect) {
  if (core.hooks.logs == nullptr)
    return make_error(ErrorCode::kUnsupported, "this daemon keeps no processing_engine_logs");
  const auto limit = std::min<std::uint64_t>(s.limit.value_or(LogTable::kMaxRows), LogTable::kMaxRows);
  const auto definitions = core.definitions();
  ResultTable out{{"event_time", "trigger_name", "log_level", "log_text"}, {}, {}};
  for (LogRow& row : core.hooks.logs->newest(limit))
    out.rows.push_back({event_time(row.unix_micros), trigger_name(row, *definitions),
                        std::string(log_level_word(row.level)), std::move(row.text)});
  return out;
}

}  // namespace tidegate
