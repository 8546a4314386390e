// SPDX-License-Identifier: Apache-2.0
// For tests of the executor: an engine in memory, and an executor over a real catalogue and audit log.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/real_env.h"
#include "pipe/statement/executor.h"

namespace tidegate {

// Does what it is told and remembers it. Fails where a test says so.
class FakeEngine : public PipeEngine {
 public:
  std::vector<PluginInfo> plugins() const override { return known; }
  Result<PipeSpec> check(PipeSpec spec) const override {
    if (refuse_check) return *refuse_check;
    for (auto [kind, part] : {std::pair{PluginKind::kExtractor, &spec.extractor},
                              std::pair{PluginKind::kProcessor, &spec.processor},
                              std::pair{PluginKind::kConnector, &spec.connector}})
      for (const PluginInfo& plugin : known)
        if (plugin.kind == kind && is_named(plugin, part->plugin)) {
          TG_TRY(*part, with_own_names(*part, plugin));
        }
    return spec;
  }
  Status may_start(const PipeSpec& spec) const override {
    for (const PluginInfo& plugin : known)
      if (plugin.name == spec.connector.plugin && !plugin.unavailable.empty())
        return make_error(ErrorCode::kUnsupported, plugin.unavailable);
    return {};
  }
  Status reach(const Attributes& connector) override {
    calls.push_back("reach " + connector.values.at("ip") + ":" + connector.values.at("port"));
    if (during_reach) during_reach();
    return answer("reach");
  }
  Lsn journal_head() const override { return head; }

  void restore(const std::vector<PipeSpec>& specs) override {
    for (const PipeSpec& spec : specs) put(spec);
  }
  Status create(const PipeSpec& spec) override {
    TG_CHECK(told("create", spec.name));
    put(spec);
    return {};
  }
  Status start(const std::string& name) override { return change("start", name, PipeState::kRunning); }
  Status stop(const std::string& name) override { return change("stop", name, PipeState::kStopped); }
  Status alter(const PipeSpec& spec) override {
    TG_CHECK(told("alter", spec.name));
    specs[spec.name] = spec;
    return {};
  }
  Status drop(const std::string& name) override {
    TG_CHECK(told("drop", name));
    specs.erase(name);
    views.erase(name);
    return {};
  }
  void on_automatic_stop(std::function<void(const std::string&, const std::string&)> tell) override {
    tell_stop = std::move(tell);
  }

  std::vector<PipeView> pipes() const override {
    std::vector<PipeView> out;
    for (const auto& [name, view] : views) out.push_back(view);
    return out;
  }
  std::vector<std::string> sharing_connector(const std::string& name) const override {
    std::vector<std::string> out;
    for (const auto& [other, spec] : specs)
      if (spec.connector == specs.at(name).connector) out.push_back(other);
    return out;
  }
  std::optional<PipeServerView> server() const override { return listener; }
  Status start_server() override { return serve("start_server", true); }
  Status stop_server() override { return serve("stop_server", false); }

  // What a test says.
  void stops_by_itself(const std::string& name, const std::string& message) {
    views.at(name).state = PipeState::kStopped;
    views.at(name).message = message;
    tell_stop(name, message);
  }

  std::vector<PluginInfo> known;
  std::map<std::string, PipeSpec> specs;
  std::map<std::string, PipeView> views;
  std::vector<std::string> calls;
  std::map<std::string, Error> failing;  // by the name of the call
  std::optional<Error> refuse_check;
  std::function<void()> during_reach;
  std::optional<PipeServerView> listener = PipeServerView{false, "0.0.0.0:9780"};
  Lsn head = 41;
  std::function<void(const std::string&, const std::string&)> tell_stop;

 private:
  static bool is_named(const PluginInfo& plugin, const std::string& name) {
    return plugin.name == name || std::ranges::find(plugin.aliases, name) != plugin.aliases.end();
  }
  Status answer(const std::string& call) const {
    const auto found = failing.find(call);
    if (found == failing.end()) return {};
    return found->second;
  }
  Status told(const std::string& call, const std::string& name) {
    calls.push_back(call + " " + name);
    return answer(call);
  }
  void put(const PipeSpec& spec) {
    specs[spec.name] = spec;
    PipeView view;
    view.name = spec.name;
    view.state = spec.running ? PipeState::kRunning : PipeState::kStopped;
    view.history_boundary = spec.history_boundary;
    views[spec.name] = view;
  }
  Status change(const std::string& call, const std::string& name, PipeState state) {
    TG_CHECK(told(call, name));
    views.at(name).state = state;
    views.at(name).message.clear();
    return {};
  }
  Status serve(const std::string& call, bool running) {
    calls.push_back(call);
    TG_CHECK(answer(call));
    if (!listener) return make_error(ErrorCode::kUnsupported, "no listener");
    listener->running = running;
    return {};
  }
};

inline PluginInfo plugin_info(PluginKind kind, const std::string& name,
                              std::vector<AttributeSpec> attributes = {},
                              std::vector<std::string> aliases = {}) {
  PluginInfo out;
  out.kind = kind;
  out.name = name;
  out.aliases = std::move(aliases);
  out.class_name = "tidegate." + name;
  out.attributes = std::move(attributes);
  return out;
}

// Those that the documents name.
inline std::vector<PluginInfo> usual_plugins() {
  const AttributeSpec ip{.name = "ip", .aliases = {"thrift.host"}};
  const AttributeSpec port{
      .name = "port", .type = AttributeType::kInteger, .min = 1, .max = 65535, .aliases = {"thrift.port"}};
  const AttributeSpec password{.name = "password"};
  std::vector<PluginInfo> out = {plugin_info(PluginKind::kExtractor, "iotdb-extractor",
                                             {{.name = "pattern"},
                                              {.name = "history.enable", .type = AttributeType::kBool},
                                              {.name = "history.start-time", .type = AttributeType::kTime},
                                              {.name = "history.end-time", .type = AttributeType::kTime},
                                              {.name = "realtime.enable", .type = AttributeType::kBool},
                                              {.name = "deletions", .type = AttributeType::kBool}}),
                                 plugin_info(PluginKind::kProcessor, "do-nothing-processor"),
                                 plugin_info(PluginKind::kProcessor, "down-sampling-processor",
                                             {{.name = "window", .type = AttributeType::kDuration}}),
                                 plugin_info(PluginKind::kConnector, "iotdb-thrift-sync-connector",
                                             {ip, port, password}, {"iotdb-thrift-connector"}),
                                 plugin_info(PluginKind::kConnector, "iotdb-air-gap-connector", {ip, port}),
                                 plugin_info(PluginKind::kConnector, "do-nothing-connector"),
                                 plugin_info(PluginKind::kConnector, "kafka-connector", {{.name = "topic"}})};
  out.back().unavailable = "the kafka-connector comes with a later version";
  return out;
}

class ExecutorTest : public ::testing::Test {
 protected:
  void SetUp() override {
    // In memory where that is possible: a catalogue and an audit log sync at every statement.
    std::string name =
        std::string(std::filesystem::exists("/dev/shm") ? "/dev/shm" : "/tmp") + "/tidegate-executor-XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    dir_ = name;
    hooks_.config_file = "/etc/tidegate/sender.yaml";
    hooks_.pipe_lib_dir = dir_ + "/lib";
    std::filesystem::create_directories(hooks_.pipe_lib_dir);
    open();
  }
  void TearDown() override {
    close();
    std::filesystem::remove_all(dir_);
  }

  // The daemon starts, with an engine that knows nothing yet.
  void open(const std::vector<YamlPipe>& yaml = {}) {
    engine_ = std::make_unique<FakeEngine>();
    engine_->known = usual_plugins();
    auto catalogue = Catalogue::open(real_env(), dir_ + "/catalogue");
    ASSERT_TRUE(catalogue.ok()) << catalogue.error().text();
    catalogue_ = std::move(*catalogue);
    auto audit = AuditLog::open(real_env(), dir_ + "/audit");
    ASSERT_TRUE(audit.ok()) << audit.error().text();
    audit_ = std::move(*audit);
    executor_ = std::make_unique<Executor>(real_env(), *catalogue_, *engine_, *audit_, hooks_);
    started_ = executor_->start(yaml);
  }
  void close() {
    executor_.reset();
    audit_.reset();
    catalogue_.reset();
    engine_.reset();
  }
  void restart(const std::vector<YamlPipe>& yaml = {}) {
    close();
    open(yaml);
  }

  static Caller root() { return {"root", 0U, 4711, "/run/control.sock", true}; }
  static Caller user(const std::string& name) { return {name, 1000U, 4712, "/run/control.sock", false}; }

  Execution execute(const std::string& text, Dialect dialect = Dialect::kDataSync) {
    return executor_->execute(root(), text, dialect);
  }
  // The result of one or several statements that must succeed: of the last one.
  ResultTable run(const std::string& text, Dialect dialect = Dialect::kDataSync) {
    Execution done = execute(text, dialect);
    EXPECT_FALSE(done.error) << text << ": " << done.explanation;
    return done.results.empty() ? ResultTable() : std::move(done.results.back());
  }
  ResultTable edge(const std::string& text) { return run(text, Dialect::kEdgeCloud); }
  // "kCode 1:17 detail" of a statement that must fail.
  std::string refusal(const std::string& text, Dialect dialect = Dialect::kDataSync) {
    return refusal(root(), text, dialect);
  }
  std::string refusal(const Caller& caller, const std::string& text, Dialect dialect = Dialect::kDataSync) {
    const Execution done = executor_->execute(caller, text, dialect);
    EXPECT_TRUE(done.error) << text;
    if (!done.error) return {};
    const Error& e = *done.error;
    std::string out(error_name(e.code));
    if (e.line) out += " " + std::to_string(*e.line) + ":" + std::to_string(e.column.value_or(0));
    return out + " " + e.detail;
  }
  // The cell of that column in the row of that pipe.
  std::string shown(const std::string& pipe, const std::string& column,
                    Dialect dialect = Dialect::kDataSync) {
    const ResultTable table = run("SHOW PIPES", dialect);
    const auto at = std::ranges::find(table.columns, column) - table.columns.begin();
    for (const auto& row : table.rows)
      if (row.at(dialect == Dialect::kDataSync ? 0 : 1) == pipe) return row.at(static_cast<std::size_t>(at));
    return "(no row)";
  }
  std::string audit_text() const {
    std::string out;
    for (const auto& entry : std::filesystem::directory_iterator(dir_ + "/audit")) {
      if (entry.path().extension() != ".log") continue;
      auto content = read_file(*real_env().files, entry.path().string(), 1 << 24);
      EXPECT_TRUE(content.ok());
      if (content.ok()) out += as_text(*content);
    }
    return out;
  }

  std::string dir_;
  ExecutorHooks hooks_;
  std::unique_ptr<FakeEngine> engine_;
  std::unique_ptr<Catalogue> catalogue_;
  std::unique_ptr<AuditLog> audit_;
  std::unique_ptr<Executor> executor_;
  Status started_;
};

}  // namespace tidegate
