// SPDX-License-Identifier: Apache-2.0
#include "pipe/statement/execute.h"

#include <algorithm>
#include <limits>

#include "base/log.h"
#include "base/nearest.h"
#include "pipe/engine/pipe_name.h"

namespace tidegate {
namespace {

constexpr std::string_view kDefaultExtractor = "iotdb-extractor";
constexpr std::string_view kDefaultProcessor = "do-nothing-processor";

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

// The plugins that 'a, b#2' names: a chain of processors, or just one.
std::vector<std::string> chained_names(std::string_view text) {
  std::vector<std::string> out;
  for (;;) {
    const std::size_t end = text.find(',');
    out.emplace_back(trimmed(trimmed(text.substr(0, end)).substr(0, trimmed(text.substr(0, end)).find('#'))));
    if (end == std::string_view::npos) return out;
    text.remove_prefix(end + 1);
  }
}

Error unknown_plugin(const PluginSet& plugins, PluginKind kind, const std::string& name) {
  const std::vector<std::string> known = plugins.names(kind);
  std::string detail =
      "there is no " + std::string(plugin_kind_name(kind)) + " '" + name + "'" + did_you_mean(name, known);
  if (!detail.ends_with('?')) detail += "; SHOW PIPEPLUGINS lists them";
  return make_error(ErrorCode::kInvalidArgument, detail);
}

// The attributes of one part with its plugin; errors stand at the name or the attribute.
Result<Attributes> checked_part(const PluginSet& plugins, PluginKind kind, const Clause& clause,
                                std::string_view otherwise) {
  Clause full = clause;
  if (full.attributes.plugin.empty()) full.attributes.plugin = otherwise;
  const std::string& plugin = full.attributes.plugin;
  if (plugin.empty())
    return at_mark(make_error(ErrorCode::kInvalidArgument,
                              "the connector is missing: say 'connector'='...'; SHOW PIPEPLUGINS lists them"),
                   clause.mark);
  const std::vector<std::string> names = chained_names(plugin);
  for (const std::string& name : names)
    if (plugins.find(kind, name) == nullptr)
      return at_mark(unknown_plugin(plugins, kind, name), mark_of(clause, ""));
  // What the attributes of a chain mean is known to the chain alone: the engine's check.
  if (names.size() == 1 && names[0] == plugin) TG_CHECK(check_clause(full, *plugins.find(kind, plugin)));
  return full.attributes;
}

// An error of the engine names the attribute that it is about: that is its place in the text.
Error place_error(Error error, const Name& name, const PipeParts& parts) {
  if (error.line) return error;
  std::size_t first = std::numeric_limits<std::size_t>::max();
  Mark mark = name.mark;
  const auto look = [&](PluginKind kind, const Clause& clause) {
    for (const auto& [attribute, place] : clause.marks) {
      const std::size_t at = error.detail.find(shown_attribute(kind, attribute));
      if (attribute.empty() || at >= first) continue;
      first = at;
      mark = place;
    }
  };
  look(PluginKind::kExtractor, parts.extractor);
  look(PluginKind::kProcessor, parts.processor);
  look(PluginKind::kConnector, parts.connector);
  return at_mark(std::move(error), mark);
}

}  // namespace

// ---- the core

std::shared_ptr<const CatalogueSnapshot> ExecutorCore::definitions() const {
  const std::lock_guard guard(published_);
  return view_;
}

void ExecutorCore::publish() {
  auto fresh = std::make_shared<const CatalogueSnapshot>(catalogue.snapshot());
  const std::lock_guard guard(published_);
  view_ = std::move(fresh);
}

Status ExecutorCore::apply(std::span<const CatalogueChange> changes) {
  TG_CHECK(catalogue.apply(changes));
  publish();
  return {};
}

Status ExecutorCore::load(const PluginDefinition& plugin) {
  Status loaded;
  if (!hooks.load_plugin) {
    loaded = make_error(ErrorCode::kUnsupported, "this daemon loads no plugins");
  } else {
    loaded = hooks.load_plugin(plugin);
  }
  const std::lock_guard guard(published_);
  unloaded_.erase(plugin.name);
  if (!loaded.ok()) unloaded_[plugin.name] = loaded.error().text();
  return loaded;
}

std::map<std::string, std::string> ExecutorCore::unloaded() const {
  const std::lock_guard guard(published_);
  return unloaded_;
}

// ---- shared parts

const PluginInfo* PluginSet::find(PluginKind kind, std::string_view name) const {
  const std::string folded = fold_name(name);
  const auto found = std::ranges::find_if(plugins_, [&](const PluginInfo& plugin) {
    return plugin.kind == kind && (fold_name(plugin.name) == folded ||
                                   std::ranges::find(plugin.aliases, folded) != plugin.aliases.end());
  });
  return found == plugins_.end() ? nullptr : &*found;
}

std::vector<std::string> PluginSet::names(PluginKind kind) const {
  std::vector<std::string> out;
  for (const PluginInfo& plugin : plugins_) {
    if (plugin.kind != kind) continue;
    out.push_back(plugin.name);
    out.insert(out.end(), plugin.aliases.begin(), plugin.aliases.end());
  }
  return out;
}

PluginLookup PluginSet::lookup() const {
  return [this](PluginKind kind, std::string_view name) { return find(kind, name); };
}

Error at_mark(Error error, Mark mark) {
  if (mark.line == 0 || error.line) return error;
  return std::move(error).at_line(mark.line, mark.column);
}

std::string did_you_mean(std::string_view name, const std::vector<std::string>& known) {
  std::vector<std::string> folded;
  for (const std::string& word : known) folded.push_back(fold_name(word));
  const std::string* const near = nearest_word(fold_name(name), folded);
  return near == nullptr
             ? ""
             : ", did you mean '" + known.at(static_cast<std::size_t>(near - folded.data())) + "'?";
}

ResultTable done(std::string note) {
  return {{}, {}, std::string(kDone) + (note.empty() ? "" : "\n" + note)};
}

std::vector<std::string> pipe_names(const CatalogueSnapshot& definitions) {
  std::vector<std::string> out;
  for (const auto& [name, pipe] : definitions.pipes) out.push_back(name);
  return out;
}

Result<const PipeDefinition*> find_pipe(const CatalogueSnapshot& definitions, const Name& name) {
  const auto found = definitions.pipes.find(name.text);
  if (found != definitions.pipes.end()) return &found->second;
  return at_mark(make_error(ErrorCode::kNotFound, "there is no pipe '" + name.text + "'" +
                                                      did_you_mean(name.text, pipe_names(definitions))),
                 name.mark);
}

PipeSpec spec_of(const PipeDefinition& pipe) {
  return {pipe.name,
          pipe.created_micros,
          pipe.extractor,
          pipe.processor,
          pipe.connector,
          pipe.history_boundary,
          pipe.wanted == WantedState::kRunning,
          pipe.exception_message};
}

PipeDefinition definition_of(const PipeSpec& spec) {
  PipeDefinition out;
  out.name = spec.name;
  out.created_micros = spec.created_micros;
  out.extractor = spec.extractor;
  out.processor = spec.processor;
  out.connector = spec.connector;
  out.wanted = spec.running ? WantedState::kRunning : WantedState::kStopped;
  out.exception_message = spec.exception_message;
  out.history_boundary = spec.history_boundary;
  return out;
}

Result<PipeSpec> checked_spec(ExecutorCore& core, const Name& name, const PipeParts& parts, PipeSpec spec) {
  const PluginSet plugins(core.engine.plugins());
  TG_TRY(spec.extractor, checked_part(plugins, PluginKind::kExtractor, parts.extractor, kDefaultExtractor));
  TG_TRY(spec.processor, checked_part(plugins, PluginKind::kProcessor, parts.processor, kDefaultProcessor));
  TG_TRY(spec.connector, checked_part(plugins, PluginKind::kConnector, parts.connector, ""));
  auto checked = core.engine.check(std::move(spec));
  if (!checked.ok()) return place_error(std::move(checked).error(), name, parts);
  return checked;
}

Status make_pipe(ExecutorCore& core, const PipeDefinition& pipe) {
  if (core.leftovers.contains(pipe.name)) {
    TG_CHECK(core.engine.drop(pipe.name));
    core.leftovers.erase(pipe.name);
  }
  TG_CHECK(core.apply(change::CreatePipe{pipe}));
  Status made = core.engine.create(spec_of(pipe));
  if (made.ok()) return {};
  const std::string why = made.error().text();
  if (const Status noted = core.apply(change::SetPipeState{pipe.name, WantedState::kStopped, why});
      !noted.ok())
    log_error("executor", "pipe " + pipe.name + " could not be made (" + why +
                              "), and the catalogue does not take the message: " + noted.error().text());
  made.error().detail = "pipe '" + pipe.name +
                        "' is defined and STOPPED, but could not be made (START PIPE tries " +
                        "again, DROP PIPE removes it): " + made.error().detail;
  return made;
}

Status drop_pipe_everywhere(ExecutorCore& core, const std::string& name) {
  if (!core.leftovers.contains(name)) {
    const std::int64_t now = core.env.clock->wall_micros();
    TG_CHECK(core.apply(change::DropPipe{name, now}));
  }
  Status dropped = core.engine.drop(name);
  if (dropped.ok()) {
    core.leftovers.erase(name);
    return {};
  }
  core.leftovers.insert(name);
  dropped.error().detail = "pipe '" + name +
                           "' is dropped, but its remains could not be removed (DROP PIPE tries " +
                           "again, as does the next start): " + dropped.error().detail;
  return dropped;
}

}  // namespace tidegate
