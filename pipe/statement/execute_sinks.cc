// SPDX-License-Identifier: Apache-2.0
// PIPESINK, PIPESERVER and LOAD CONFIGURATION.
#include <charconv>

#include "base/log.h"
#include "pipe/engine/pipe_name.h"
#include "pipe/statement/execute.h"

namespace tidegate {
namespace {

constexpr std::string_view kSinkType = "IoTDB";

bool is_port(const std::string& text) {
  std::uint16_t port = 0;
  const char* const end = text.data() + text.size();
  const auto [at, ec] = std::from_chars(text.data(), end, port);
  return ec == std::errc() && at == end && port != 0;
}

// With IoTDB's defaults for what is not said.
Result<std::map<std::string, std::string>> sink_attributes(const CreatePipeSink& s) {
  std::map<std::string, std::string> out = {{"ip", "127.0.0.1"}, {"port", "6670"}};
  for (const auto& [name, attribute] : s.attributes) {
    const auto refuse = [&](const std::string& detail) {
      return at_mark(make_error(ErrorCode::kInvalidArgument, detail), attribute.mark);
    };
    if (!out.contains(name))
      return refuse("a pipesink has no attribute '" + name + "'" + did_you_mean(name, {"ip", "port"}) +
                    (did_you_mean(name, {"ip", "port"}).empty() ? "; it has ip and port" : ""));
    if (name == "ip" && attribute.value.empty()) return refuse("the ip of a pipesink is empty");
    if (name == "port" && !is_port(attribute.value))
      return refuse("the port of a pipesink must be from 1 to 65535, not '" + attribute.value + "'");
    out[name] = attribute.value;
  }
  return out;
}

Error no_server(const char* statement) {
  return make_error(
      ErrorCode::kUnsupported,
      std::string(statement) + ": this daemon has no listener, the pipe server belongs to a receiver");
}

change::SetSetting server_setting(std::string_view state) {
  return {std::string(kServerSetting), std::string(state)};
}

}  // namespace

Result<ResultTable> execute(ExecutorCore& core, const CreatePipeSink& s, Dialect) {
  if (fold_name(s.type.text) != fold_name(kSinkType))
    return at_mark(make_error(ErrorCode::kInvalidArgument,
                              "there is no type of pipesink '" + s.type.text + "': the only one is IoTDB"),
                   s.type.mark);
  if (Status fits = check_pipe_name(s.sink.text); !fits.ok())
    return at_mark(std::move(fits).error(), s.sink.mark);
  TG_TRY(auto attributes, sink_attributes(s));
  Status made =
      core.apply(change::CreatePipesink{{s.sink.text, std::string(kSinkType), std::move(attributes)}});
  if (!made.ok()) return at_mark(std::move(made).error(), s.sink.mark);
  return done();
}

Result<ResultTable> execute(ExecutorCore& core, const DropPipeSink& s, Dialect) {
  Status dropped = core.apply(change::DropPipesink{s.sink.text});
  if (!dropped.ok()) return at_mark(std::move(dropped).error(), s.sink.mark);
  return done();
}

Result<ResultTable> execute(ExecutorCore& core, const StartPipeServer&, Dialect) {
  if (!core.engine.server()) return no_server("START PIPESERVER");
  TG_CHECK(core.apply(server_setting(kServerRunning)));
  TG_CHECK(core.engine.start_server());
  return done();
}

// The engine first: only it knows whether a sender is there, and what it refuses must not hold after a
// restart.
Result<ResultTable> execute(ExecutorCore& core, const StopPipeServer&, Dialect) {
  const auto server = core.engine.server();
  if (!server) return no_server("STOP PIPESERVER");
  if (Status stopped = core.engine.stop_server(); !stopped.ok()) {
    Error error = std::move(stopped).error();
    if (error.code == ErrorCode::kBusy)
      error.detail =
          "Msg: 328: Failed to stop pipe server because there is pipe still running.\n" + error.detail;
    return error;
  }
  const Status kept = core.apply(server_setting(kServerStopped));
  if (kept.ok()) return done();
  if (server->running)
    if (const Status again = core.engine.start_server(); !again.ok())
      log_error("executor", "the pipe server is stopped, but neither can that be kept (" +
                                kept.error().text() +
                                ") nor can it be started again: " + again.error().text());
  return kept.error();
}

Result<ResultTable> execute(ExecutorCore& core, const LoadConfiguration&, Dialect) {
  if (!core.hooks.reload)
    return make_error(ErrorCode::kUnsupported, "this daemon cannot read its configuration again: restart it");
  TG_TRY(std::string applied, core.hooks.reload());
  return done(std::move(applied));
}

}  // namespace tidegate
