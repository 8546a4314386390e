// SPDX-License-Identifier: Apache-2.0
// CREATE and DROP PIPEPLUGIN: the definition and its file; loading it is the daemon's.
#include <algorithm>

#include "base/hash.h"
#include "base/log.h"
#include "pipe/engine/pipe_name.h"
#include "pipe/statement/execute.h"

namespace tidegate {
namespace {

constexpr std::uint64_t kMaxPluginBytes = 256 << 20;

bool steps_up(const std::string& path) {
  return path == ".." || path.starts_with("../") || path.ends_with("/..") ||
         path.find("/../") != std::string::npos;
}

// file:///dir/x.so, /dir/x.so and x.so; without a URI the class names the file. Code comes from one folder
// only.
Result<std::string> plugin_file(const ExecutorCore& core, const CreatePipePlugin& s) {
  std::string folder = core.hooks.pipe_lib_dir;
  while (folder.ends_with('/')) folder.pop_back();
  if (folder.empty())
    return make_error(
        ErrorCode::kUnsupported,
        "plugins from outside are loaded from `pipe_lib_dir` only, which the configuration does not set");
  std::string path = s.uri.value_or(s.class_name + ".so");
  constexpr std::string_view kScheme = "file://";
  if (path.starts_with(kScheme)) path.erase(0, kScheme.size());
  const auto refuse = [&](const std::string& detail) {
    return at_mark(make_error(ErrorCode::kInvalidArgument, detail), s.plugin.mark);
  };
  if (path.find("://") != std::string::npos)
    return refuse("'" + path + "': a plugin is a file of this machine, copy it to " + folder);
  if (path.empty() || path.ends_with('/')) return refuse("'" + path + "' names no file of a plugin");
  if (!path.starts_with('/')) path = folder + "/" + path;
  if (steps_up(path) || !path.starts_with(folder + "/"))
    return refuse("'" + path + "' is not in " + folder +
                  " (`pipe_lib_dir`): plugins are loaded from there only");
  return path;
}

bool is_known(const ExecutorCore& core, const std::string& name) {
  const auto plugins = core.engine.plugins();
  return std::ranges::any_of(plugins, [&](const PluginInfo& p) { return same_name(p.name, name); });
}

std::string lower_hex(const Sha256& hash) {
  return to_hex(hash);
}

}  // namespace

Result<ResultTable> execute(ExecutorCore& core, const CreatePipePlugin& s, Dialect) {
  const std::string& name = s.plugin.text;
  if (core.definitions()->plugins.contains(name) || is_known(core, name)) {
    if (s.if_not_exists) return done("there is a plugin '" + name + "' already: nothing was done");
    return at_mark(make_error(ErrorCode::kAlreadyExists, "there is a plugin '" + name + "' already"),
                   s.plugin.mark);
  }
  if (Status fits = check_pipe_name(name); !fits.ok()) return at_mark(std::move(fits).error(), s.plugin.mark);
  TG_TRY(const std::string file, plugin_file(core, s));
  TG_TRY(const Bytes content, read_file(*core.env.files, file, kMaxPluginBytes));
  const PluginDefinition plugin{name, s.class_name, file, lower_hex(sha256(content)),
                                core.env.clock->wall_micros()};
  TG_CHECK(core.apply(change::CreatePlugin{plugin}));
  Status loaded = core.load(plugin);
  if (loaded.ok()) return done();
  if (const Status undone = core.apply(change::DropPlugin{name}); !undone.ok())
    log_error("executor",
              "plugin " + name + " could not be loaded and stays in the catalogue: " + undone.error().text());
  return at_mark(std::move(loaded).error(), s.plugin.mark);
}

Result<ResultTable> execute(ExecutorCore& core, const DropPipePlugin& s, Dialect) {
  const auto definitions = core.definitions();
  const auto found = definitions->plugins.find(s.plugin.text);
  if (found == definitions->plugins.end()) {
    if (is_known(core, s.plugin.text))
      return at_mark(make_error(ErrorCode::kRefused, "plugin '" + s.plugin.text + "' is built in and stays"),
                     s.plugin.mark);
    if (s.if_exists) return done("there is no plugin '" + s.plugin.text + "': nothing was done");
    std::vector<std::string> known;
    for (const auto& [name, plugin] : definitions->plugins) known.push_back(name);
    return at_mark(make_error(ErrorCode::kNotFound, "there is no plugin '" + s.plugin.text + "'" +
                                                        did_you_mean(s.plugin.text, known)),
                   s.plugin.mark);
  }
  if (Status dropped = core.apply(change::DropPlugin{found->first}); !dropped.ok())
    return at_mark(std::move(dropped).error(), s.plugin.mark);
  if (core.hooks.unload_plugin) TG_CHECK(core.hooks.unload_plugin(found->first));
  return done();
}

}  // namespace tidegate
