// SPDX-License-Identifier: Apache-2.0
#include "pipe/statement/pipe_host.h"

#include <pwd.h>

#include "base/log.h"
#include "pipe/extract/journal/journal_extractor.h"

namespace tidegate {

PipeHost::PipeHost(Env env, PipeHostOptions options)
    : env_(env), options_(std::move(options)), plugins_(env), logs_(*env.clock) {}

PipeHost::~PipeHost() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
    wake_.notify_all();
  }
  thread_ = {};
  executor_.reset();  // before the manager, which it uses
}

Result<std::unique_ptr<PipeHost>> PipeHost::open(Env env, PipeHostOptions options) {
  auto host = std::unique_ptr<PipeHost>(new PipeHost(env, std::move(options)));
  TG_TRY(host->catalogue_, Catalogue::open(env, host->options_.data_dir + "/catalogue"));
  TG_TRY(host->audit_, AuditLog::open(env, host->options_.data_dir + "/audit"));
  return host;
}

std::shared_ptr<const CatalogueSnapshot> PipeHost::definitions() const {
  if (executor_) return executor_->definitions();
  return std::make_shared<CatalogueSnapshot>(catalogue_->snapshot());
}

EngineParts PipeHost::engine_parts() {
  EngineParts out;
  out.plugins = [this](PluginKind kind) { return plugins_.plugins(kind); };
  const auto context = [this](const std::string& pipe) {
    ConnectorContext c;
    c.pipe = pipe;
    c.data_dir = options_.data_dir;
    return c;
  };
  out.check_connector = [this, context](const Attributes& attributes, const std::string& pipe) {
    return plugins_.check_connector(attributes, context(pipe));
  };
  out.make_extract_plan = [](const Attributes& attributes, Lsn boundary) {
    return make_extract_plan(attributes, boundary, TimeZone::system());
  };
  out.make_processor = [this](const Attributes& attributes, const std::string& pipe) {
    return plugins_.make_processor(attributes, pipe);
  };
  out.make_connector = [this, context](const Attributes& attributes, const std::string& pipe) {
    return plugins_.make_connector(attributes, context(pipe));
  };
  out.make_link_carrier = options_.make_link_carrier;
  out.reach = options_.reach;
  out.server = options_.server;
  out.start_server = options_.start_server;
  out.stop_server = options_.stop_server;
  return out;
}

Status PipeHost::start(CarriedJournal main, const std::vector<YamlPipe>& yaml) {
  PipeManagerOptions manager;
  manager.data_dir = options_.data_dir;
  manager.own_ids = options_.own_ids;
  manager.outbox = options_.outbox;
  manager.window = options_.window;
  manager.write_ledger = options_.write_ledger;
  manager_ = std::make_unique<PipeManager>(env_, std::move(manager), main, engine_parts());
  ExecutorHooks hooks;
  hooks.zone = TimeZone::system();
  hooks.config_file = options_.config_file;
  hooks.pipe_lib_dir = options_.plugin_dir;
  logs_.observe_log();
  hooks.logs = &logs_;
  hooks.reload = options_.reload;
  hooks.os_user_exists = [](const std::string& name) { return getpwnam(name.c_str()) != nullptr; };
  hooks.load_plugin = [this](const PluginDefinition& plugin) { return plugins_.load(plugin); };
  hooks.unload_plugin = [this](const std::string& name) { return plugins_.unload(name); };
  executor_ = std::make_unique<Executor>(env_, *catalogue_, *manager_, *audit_, std::move(hooks));
  TG_CHECK(executor_->start(yaml));
  if (catalogue_->source() == Catalogue::Source::kDatabase) TG_CHECK(manager_->collect_garbage());
  thread_ = std::jthread([this] { work(); });
  return {};
}

void PipeHost::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait_for(lock, std::chrono::seconds(1), [this] { return stopping_ || load_wanted_; });
    if (stopping_) return;
    const bool load = std::exchange(load_wanted_, false);
    lock.unlock();
    if (load) answer_signal();
    executor_->tick();
    lock.lock();
  }
}

void PipeHost::load_configuration() {
  const std::scoped_lock lock(mutex_);
  load_wanted_ = true;
  wake_.notify_all();
}

// As a statement, so that the audit log has it.
void PipeHost::answer_signal() {
  Caller caller;
  caller.user = "SIGHUP";
  caller.is_admin = true;
  const Execution done = executor_->execute(caller, "LOAD CONFIGURATION", Dialect::kDataSync);
  if (done.error) return log_error("configuration", "not loaded: " + done.error->text());
  for (const ResultTable& result : done.results) log_info("configuration", result.message);
}

void PipeHost::stop() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;  // what is loaded from here on would start pipes again
    wake_.notify_all();
  }
  if (executor_) executor_->tick();
  if (manager_) manager_->stop_all();
}

void PipeHost::close() {
  if (manager_) manager_->close_outboxes();
}

ControlReply PipeHost::rebuild_catalogue(const ControlPeer& peer) {
  const Status rebuilt =
      executor_->rebuild_catalogue({peer.user, peer.uid, peer.pid, peer.socket, peer.is_admin});
  if (!rebuilt.ok()) return {false, rebuilt.error().text()};
  return {true, "the catalogue is made anew from what the daemon knows; the damaged one is kept beside it"};
}

std::string PipeHost::trouble() const {
  return executor_ ? executor_->message() : catalogue_->message();
}

StatusPipe status_row(const PipeManager::Detail& pipe) {
  const PipeStatus& s = pipe.delivery;
  StatusPipe out;
  out.name = pipe.spec.name;
  out.connector = s.connector.empty() ? pipe.spec.connector.plugin : s.connector;
  out.state = pipe_state_name(pipe.state);
  out.message = pipe.message;
  out.warning = s.warning;
  out.position = pipe.outbox ? pipe.outbox->position : s.position;
  out.lag_batches = pipe.outbox ? std::max(pipe.outbox->lag_lsns, s.lag_lsns) : s.lag_lsns;
  out.lag_bytes = s.lag_bytes + (pipe.outbox ? pipe.outbox->lag_bytes : 0);
  out.delivered_events = s.counters.events;
  out.delivered_values = s.counters.values;
  out.dead_letters = s.counters.dead_letters;
  out.retries = s.counters.retries;
  out.newest_event_ns = s.newest_event_ns;
  return out;
}

}  // namespace tidegate
