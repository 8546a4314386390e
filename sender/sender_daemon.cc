// SPDX-License-Identifier: Apache-2.0
#include "sender/sender_daemon.h"

#include <systemd/sd-daemon.h>

#include <csignal>

#include "base/log.h"
#include "pipe/connect/builtin_connectors.h"
#include "pipe/control/data_dir.h"
#include "pipe/control/ledger_text.h"
#include "pipe/control/loop_call.h"
#include "pipe/control/process_figures.h"
#include "pipe/statement/statement_service.h"

namespace tidegate {
namespace {

constexpr Nanos kTick = kSecond;
constexpr Nanos kHousekeeping = 10 * kSecond;
constexpr Nanos kStopSources = 10 * kSecond;
constexpr Nanos kStopLink = 5 * kSecond;

}  // namespace

SenderDaemon::SenderDaemon(Env env, SenderConfig config) : env_(env), config_(std::move(config)) {}
SenderDaemon::~SenderDaemon() = default;

// ---- start

Status SenderDaemon::start() {
  started_at_ = housekept_at_ = env_.clock->now();
  TG_CHECK(open_journal());
  TG_CHECK(open_links());
  TG_CHECK(start_pipes());
  scrub_ = std::make_unique<Scrub>(*journal_, [this](const DamagedRange& range) { tell_rot(range); });
  ingest_ = std::make_unique<Ingest>(env_, journal_.get(), config_.ingest,
                                     [this](Lsn) { host_->pipes().notify(); });
  TG_CHECK(start_sources());
  TG_CHECK(start_control());
  loop_.on_signal([this](int signal) {
    if (signal == SIGHUP) return host_->load_configuration();
    begin_stop();
  });
  loop_.post([this] {
    links_->start();
    tick();
  });
  log_info("sender", "ready: journal " + journal_->id().hex() + " at LSN " +
                         std::to_string(journal_->durable_lsn()) + ", link to " + config_.remote.text() +
                         " with profile " + config_.link.profile.name);
  sd_notify(0, "READY=1\nSTATUS=running");
  return {};
}

Status SenderDaemon::open_journal() {
  TG_CHECK(claim_data_dir(*env_.files, config_.daemon.data_dir, "sender"));
  TG_TRY(journal_, Journal::open(env_, config_.daemon.journal, &state_));
  const RecoveryReport& recovery = journal_->recovery();
  if (recovery.torn_bytes > 0)
    log_info("journal",
             std::to_string(recovery.torn_bytes) + " bytes that were never synced are cut from the end");
  if (!recovery.clean && !recovery.created)
    log_warning("journal", "the last stop was not clean (a crash, SIGKILL or a power cut): " +
                               std::to_string(recovery.records_replayed) +
                               " records were read back and synced again; what was acknowledged is there");
  for (const DamagedRange& range : recovery.damaged)
    log_error("journal", "damaged: LSN " + std::to_string(range.first) + ".." + std::to_string(range.last) +
                             " in " + range.segment + ": " + range.reason + "; a copy is in " +
                             range.quarantine);
  return {};
}

Status SenderDaemon::open_host() {
  PipeHostOptions options;
  options.data_dir = config_.daemon.data_dir;
  options.config_file = config_.daemon.path;
  options.plugin_dir = config_.plugin_dir;
  options.own_ids = {journal_->id()};
  options.outbox = outbox_options(config_.daemon);
  options.window = config_.daemon.window;
  options.write_ledger = [this](LedgerEntry entry) { return write_ledger(std::move(entry)); };
  options.make_link_carrier = [this](const Attributes& attributes,
                                     const CarrierPlan& plan) -> std::unique_ptr<Carrier> {
    return attributes.plugin == air_gap_plugin().name ? links_->make_carrier(attributes, plan) : nullptr;
  };
  options.reload = [this] { return load_configuration(); };
  TG_TRY(host_, PipeHost::open(env_, std::move(options)));
  return {};
}

// The store of the journal, and the links that carry its streams. Which link a pipe's streams belong to is
// known from the catalogue before damage is looked at.
Status SenderDaemon::open_links() {
  TG_CHECK(open_host());
  NearStoreOptions options;
  options.sender_id = config_.sender_id;
  options.retention.window = config_.daemon.window;
  options.retention.holds = [this](const std::string& pipe) { return host_->pipes().holds(pipe); };
  options.retention.is_essential = [this](StreamId stream) { return host_->pipes().holds_stream(stream); };
  options.retention.read_elsewhere = [this] { return host_->pipes().read_elsewhere(); };
  options.gap_allowed = [this](StreamId stream) {
    return config_.declare_gaps || host_->pipes().is_best_effort(store_->label(stream));
  };
  options.link_of = [this](const std::string& pipe) {
    const auto definitions = host_->definitions();
    const auto found = definitions->pipes.find(pipe);
    return links_->journal_of(found == definitions->pipes.end() ? Attributes() : found->second.connector);
  };
  store_ = std::make_unique<NearStore>(env_, journal_.get(), &state_, std::move(options));
  AirGapLinksOptions links;
  links.identity = {config_.sender_id, journal_->id()};
  links.link = connector_options();
  links.gap_allowed = [this](const std::string& pipe) {
    return config_.declare_gaps || host_->pipes().is_best_effort(pipe);
  };
  links.beat = [this] { return beat_json(); };
  links.notices = [this](const TxNotice& notice) { on_notice(notice); };
  links_ = std::make_unique<AirGapLinks>(env_, &loop_, store_.get(), std::move(links));
  TG_CHECK(store_->recover());
  return take_back_stale_marks();
}

Status SenderDaemon::start_pipes() {
  TG_CHECK(host_->start({journal_.get(), &state_, &records_}, config_.pipes));
  return links_->drop_others();
}

Status SenderDaemon::write_ledger(LedgerEntry entry) {
  entry.wall_micros = env_.clock->wall_micros();
  TG_CHECK(state_.write_ledger(*journal_, std::move(entry)));
  return journal_->sync();
}

// In the scrub's thread, in each pass again.
void SenderDaemon::tell_rot(const DamagedRange& range) {
  if (knows_damage(state_.ledger_recent(), range)) return;
  log_error("journal", "found by the background check: " + range.segment + " is damaged: " + range.reason);
  const Status told = state_.write_ledger(*journal_, damage_entry(range, env_.clock->wall_micros()));
  if (!told.ok())
    log_warning("journal", damage_not_in_ledger(config_.daemon.journal.directory, told.error()));
}

// Marks of requests whose rows a crash has cut off: before anything is appended that would take their LSNs.
Status SenderDaemon::take_back_stale_marks() {
  const std::vector<Hash128> stale = state_.request_marks(true);
  if (stale.empty()) return {};
  RequestMarksNote note;
  note.wall_micros = env_.clock->wall_micros();
  for (const Hash128& mark : stale) ByteWriter(note.answered).bytes(mark.view());
  TG_CHECK(journal_->append_note(static_cast<std::uint8_t>(RequestMarksNote::kType), encode_note(note)));
  return journal_->sync();
}

AirGapConnectorOptions SenderDaemon::connector_options() const {
  const LinkConfig& c = config_.link;
  AirGapConnectorOptions o;
  o.remote = config_.remote;
  o.connection.user_timeout = c.user_timeout;
  o.connection.unsent_low_water = 64 << 10;
  o.link.lanes = c.lanes;
  o.link.window = c.window;
  o.link.wire_limit = c.profile.frame_limit;
  o.link.wrap = c.profile.e_language ? Wrap::kELanguage : Wrap::kNone;
  o.link.answer_ok = c.profile.answer_ok;
  o.link.answer_fail = c.profile.answer_fail;
  o.link.ask = c.ask;
  o.link.receiver_expected = config_.receiver_expected;
  o.link.label = config_.daemon.instance;
  o.link.codecs = kCodecsKnown;
  o.link.largest_part_total = c.largest_part;
  o.link.rate = c.profile.rate;
  o.link.lowest_rate = c.profile.lowest_rate;
  o.link.handshake_timeout = c.handshake_timeout;
  o.link.answer_timeout_base = c.answer_timeout_base;
  o.link.beat = c.beat;
  o.link.quiet_min = c.quiet_min;
  o.link.quiet_max = c.quiet_max;
  return o;
}

Status SenderDaemon::start_sources() {
  for (const auto& source : config_.http_sources) {
    TG_TRY(auto server, InfluxHttpSource::start(
                            env_, source.options, ingest_.get(), [this] { return journal_->accepts(); },
                            state_.request_marks()));
    log_info("source", source.name + " listens on " + source.options.listen.host + ":" +
                           std::to_string(server->port()));
    sources_.push_back({source.name, std::move(server)});
  }
  return {};
}

Status SenderDaemon::start_control() {
  control_ = std::make_unique<ControlServer>(
      ControlOptions{config_.daemon.control, config_.daemon.control_socket},
      [this] {
        const std::lock_guard lock(report_mutex_);
        return report_;
      },
      [this](const ControlCommand& command) { return operate(command); },
      statement_handler(host_->executor(), config_.dialect));
  return control_->start();
}

int SenderDaemon::run() {
  loop_.run();
  sd_notify(0, "STATUS=stopped");
  return exit_code_;
}

// ---- every second

void SenderDaemon::tick() {
  const Nanos now = env_.clock->now();
  const Status maintained = store_->maintain();
  marks_trouble_ = maintained.ok() ? "" : maintained.error().text();
  if (journal_->head() !=
      idle_marked_) {  // nothing new since the last second: leave a mark of what is durable
    if (journal_->head() == journal_->durable_lsn())
      if (journal_->mark_idle().ok()) idle_marked_ = journal_->head();
  }
  // While sources are refused, room is looked for at once.
  if (now - housekept_at_ >= kHousekeeping || !journal_->accepts().ok()) keep_house(now);
  host_->pipes().tick();
  refresh_report(now);
  sd_notify(0, "WATCHDOG=1");
  if (!stopping_) loop_.call_at(now + kTick, [this] { tick(); });
}

void SenderDaemon::keep_house(Nanos now) {
  housekept_at_ = now;
  const JournalSpace space = journal_->space();
  if (space.quota != 0 && space.used > space.quota / 2) links_->request_confirm();
  const auto freed = store_->apply_retention(env_.clock->wall_micros());
  retention_trouble_ = freed.ok() ? "" : "retention: " + freed.error().text();
  if (!freed.ok()) return;
  if (*freed > 0)
    log_debug("journal", "released " + std::to_string(*freed) + " bytes that are confirmed outside");
}

void SenderDaemon::on_notice(const TxNotice& notice) {
  if (holds_now(notice.text)) return log_debug("link", notice.text);
  conditions_.event(notice.alarm, "link", notice.text, env_.clock->now(), env_.clock->wall_micros());
}

// ---- stop

void SenderDaemon::stop() {
  loop_.post([this] { begin_stop(); });
}

void SenderDaemon::begin_stop() {
  if (stopping_) return;
  stopping_ = true;
  log_info("sender",
           "stopping: sources finish their requests, the journal is synced, owed answers are waited for");
  sd_notify(0, "STOPPING=1");
  for (HttpSource& source : sources_)
    if (!source.server->stop(kStopSources))
      log_warning("source", source.name + ": requests were still under way after 10 s and got no answer");
  ingest_->stop();
  scrub_.reset();
  host_->stop();
  const auto finish = [this] {
    if (control_) control_->stop();
    host_->close();
    Status closed = journal_->sync();
    if (closed.ok()) closed = journal_->close();
    if (!closed.ok()) {
      log_error("journal", "the clean mark could not be written: " + closed.error().text());
      exit_code_ = 1;
    }
    log_info("sender", "stopped at LSN " + std::to_string(journal_->durable_lsn()));
    loop_.stop();
  };
  auto finished = std::make_shared<bool>(false);
  const auto once = [finished, finish] {
    if (!std::exchange(*finished, true)) finish();
  };
  links_->stop(once);
  loop_.call_at(loop_.now() + kStopLink, once);
}

// ---- the operator's commands

// LOAD CONFIGURATION. The pipes are first: they are all that can still refuse the file.
Result<std::string> SenderDaemon::load_configuration() {
  return reload_.run([this]() -> Result<DaemonConfig> {
    TG_TRY(SenderConfig fresh, load_sender_config(*env_.files, config_.daemon.path));
    TG_CHECK(host_->executor().adopt_yaml(fresh.pipes));
    set_log_level(fresh.daemon.log_level);
    return std::move(fresh.daemon);
  });
}

ControlReply SenderDaemon::operate(const ControlCommand& command) {
  if (command.verb == "rebuild-catalogue") return host_->rebuild_catalogue(command.peer);
  return call_in_loop(loop_, [this, command] { return carry_out(command); });
}

// The stream that a command means: the only one, or that of the pipe it names.
Result<StreamId> SenderDaemon::stream_of(const ControlCommand& command) const {
  const auto pipe = command.arguments.find("pipe");
  std::vector<StreamId> found;
  std::string known;
  for (const SenderStreamView& view : connector().link().streams()) {
    known += (known.empty() ? "" : ", ") + view.label;
    if (pipe == command.arguments.end() || pipe->second == view.label) found.push_back(view.stream);
  }
  if (found.empty()) return make_error(ErrorCode::kNotFound, "no such stream; pipes of the link: " + known);
  if (found.size() > 1 && pipe == command.arguments.end())
    return make_error(ErrorCode::kInvalidArgument, "say which pipe is meant with pipe=<name>: " + known);
  return found.back();
}

ControlReply SenderDaemon::carry_out(const ControlCommand& command) {
  if (command.verb == "confirm") {
    links_->request_confirm();
    return {true, "a proof of the confirmed position is asked for"};
  }
  if (command.verb != "gap" && command.verb != "fork")
    return {false,
            "unknown command '" + command.verb + "': the sender knows gap, fork, confirm, rebuild-catalogue"};
  const auto meant = stream_of(command);
  if (!meant.ok()) return {false, meant.error().text()};
  const std::string stream = "stream " + std::to_string(*meant);
  if (command.verb == "gap") {
    bool declared = false;
    connector().with_link([&](SenderLink& link, LinkNanos now) { declared = link.declare_gap(*meant, now); });
    if (!declared) return {false, stream + " is not stopped for a gap: there is nothing to declare"};
    return {true, "the gap of " + stream + " is declared at its next hello"};
  }
  const auto base = command.arguments.find("base");
  if (base == command.arguments.end() || base->second.find_first_not_of("0123456789") != std::string::npos ||
      base->second.empty() || base->second.size() > 18)
    return {false, "fork needs base=<sequence>: the last batch that both sides have"};
  const Seq b = std::stoull(base->second);
  Status forks;
  connector().with_link([&](SenderLink& link, LinkNanos now) { forks = link.fork_at(*meant, b, now); });
  if (!forks.ok()) return {false, forks.error().text()};
  return {true, stream + " forks at " + base->second};
}

}  // namespace tidegate
