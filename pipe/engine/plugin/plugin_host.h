// SPDX-License-Identifier: Apache-2.0
// PluginHost: the daemon's end of a process that runs one plugin. PluginProcessor and PluginConnector are
// made of it; here is what both, and the registry of plugins, need.
//
// Every call ends: with an answer, or with an error that names plugin, file, and signal, exit status or time
// limit. After an error of call() the process is gone and every later call gives the same error. What the
// process writes to its standard output and error goes to the log during calls (output_log.h).
// Thread rules: one thread at a time, not always the same.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/env.h"
#include "pipe/engine/attributes.h"
#include "pipe/engine/plugin/child_process.h"
#include "pipe/engine/plugin/output_log.h"
#include "pipe/engine/plugin/plugin_messages.h"

namespace tidegate {

// What every plugin of a daemon needs. The clock is a real one, outlives all plugins, and is used from any
// thread.
struct PluginRuntime {
  std::string program;  // path of tidegate-plugin-host
  Clock* clock = nullptr;
};
// The program that is installed beside the one that runs.
std::string plugin_host_program();

// A plugin that is registered: the file, and what load_plugin_info() said of it.
struct ExternalPlugin {
  std::string path;
  std::string sha256;  // empty: not checked
  PluginInfo info;
};

// Starts the host once to read what the plugin says about itself; to the plugin's own attributes are added
// 'plugin.time-limit' and 'plugin.memory-limit'. kInvalidArgument: the file or what it says is wrong;
// kIdentity: another content than `sha256` (empty: any); kRefused: it crashed or hung while it was loaded;
// kInvalidConfiguration: no host program. Takes milliseconds, at most 30 s.
Result<PluginInfo> load_plugin_info(const PluginRuntime& runtime, const std::string& path,
                                    std::string_view sha256);

namespace tgplugin {

// Attributes of this prefix are for the host, not for the plugin.
inline constexpr std::string_view kHostPrefix = "plugin.";

struct Limits {
  Nanos call = 30 * kSecond;
  std::uint64_t memory = 1ULL << 30;  // bytes of address space
  Nanos stop_grace = 5 * kSecond;     // after a pipe is asked to stop
};
// From the attributes of a pipe. kInvalidArgument.
Result<Limits> read_limits(const Attributes& attributes, PluginKind kind);
// What the plugin gets of them: all but those of the limits, in the order of their names.
Settings settings_of(const Attributes& attributes);

struct Answer {
  FrameType type = FrameType::kDone;  // kDone, kFailed or kRetry
  Bytes body;
};

class PluginHost {
 public:
  // `whose`: stands in front of its lines in the log.
  static Result<std::unique_ptr<PluginHost>> start(const PluginRuntime& runtime, const std::string& path,
                                                   std::string_view sha256, const Limits& limits,
                                                   std::string whose);
  ~PluginHost();  // as close(), within 2 s

  const Info& info() const { return info_; }
  bool running() const { return child_.has_value(); }

  // Sends a request and waits for the answer. `function`: the plugin's, for messages. When `stop` becomes
  // true the plugin is told, and killed after the grace: kClosed. kRefused: died, hung, or answered nonsense.
  Result<Answer> call(FrameType request, ByteView body, std::string_view function,
                      const std::function<bool()>& stop = {});
  // The answer must be kDone; kFailed becomes `code` with the plugin's own words.
  Result<Bytes> demand(FrameType request, ByteView body, std::string_view function, ErrorCode code);
  // Sentences about this plugin: "plugin 'x' <detail>", with the path of the file.
  Error error(ErrorCode code, const std::string& detail) const;
  // Ends the process, first in a friendly way; at most `limit`.
  void close(Nanos limit);

 private:
  struct Call;
  PluginHost(Clock& clock, std::string path, const Limits& limits, std::string whose, ChildProcess child);
  Status read_info();
  Result<Answer> exchange(Call& call);
  Status poll_once(const Call& call, bool* readable, bool* writable);
  std::optional<Error> send_some(Call& call);
  std::optional<Error> receive_some(Call& call);
  Error died(std::string_view function);
  Error give_up(ErrorCode code, const std::string& detail);

  Clock& clock_;
  const std::string path_;
  const Limits limits_;
  OutputLog log_;
  std::optional<ChildProcess> child_;
  bool errors_open_ = true;
  Info info_;
  std::optional<Error> ended_;  // why there is no child
};

// One instance of a plugin for one pipe: how to start it, as often as needed.
struct Start {
  ExternalPlugin plugin;
  Limits limits;
  Settings settings;
  std::string whose;  // for the log
};
// Checks the attributes against what the plugin said. kInvalidArgument.
Result<Start> prepare(const ExternalPlugin& plugin, PluginKind kind, const Attributes& attributes,
                      const std::string& pipe);
struct Instance {
  std::unique_ptr<PluginHost> host;
  Bytes created;  // body of the answer to kCreate; sound
};
// kInvalidArgument with the plugin's own words where it refuses its settings.
Result<Instance> create_instance(const PluginRuntime& runtime, const Start& start);

}  // namespace tgplugin
}  // namespace tidegate
