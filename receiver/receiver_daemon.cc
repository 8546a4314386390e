// SPDX-License-Identifier: Apache-2.0
#include "receiver/receiver_daemon.h"

#include <systemd/sd-daemon.h>

#include <csignal>

#include "base/log.h"
#include "pipe/control/data_dir.h"
#include "pipe/control/ledger_text.h"
#include "pipe/control/loop_call.h"
#include "pipe/statement/statement_service.h"

namespace tidegate {
namespace {

constexpr Nanos kTick = kSecond;
constexpr Nanos kHousekeeping = 10 * kSecond;

}  // namespace

ReceiverDaemon::ReceiverDaemon(Env env, ReceiverConfig config) : env_(env), config_(std::move(config)) {}
ReceiverDaemon::~ReceiverDaemon() = default;

// ---- start

Status ReceiverDaemon::start() {
  started_at_ = housekept_at_ = env_.clock->now();
  TG_CHECK(open_journal());
  TG_CHECK(open_host());
  TG_CHECK(start_link());
  TG_CHECK(start_pipes());
  TG_CHECK(start_control());
  scrub_ = std::make_unique<Scrub>(*journal_, [this](const DamagedRange& range) { tell_rot(range); });
  loop_.on_signal([this](int signal) {
    if (signal == SIGHUP) return host_->load_configuration();
    begin_stop();
  });
  loop_.post([this] {
    gate_.entered();
    tick();
  });
  log_info("receiver", "ready: journal " + journal_->id().hex() + " at LSN " +
                           std::to_string(journal_->durable_lsn()) + ", listening on " +
                           config_.listen.text() + " with profile " + config_.link.profile.name);
  sd_notify(0, "READY=1\nSTATUS=running");
  return {};
}

Status ReceiverDaemon::open_journal() {
  TG_CHECK(claim_data_dir(*env_.files, config_.daemon.data_dir, "receiver"));
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
  FarStoreOptions options;
  options.receiver_id = config_.receiver_id;
  options.retention.window = config_.daemon.window;
  options.accept_new_senders = config_.accept_new_senders;
  options.accept_new_journals = config_.accept_new_journals;
  options.retention.holds = [this](const std::string& pipe) { return host_->pipes().holds(pipe); };
  options.retention.read_elsewhere = [this] { return host_->pipes().read_elsewhere(); };
  store_ = std::make_unique<FarStore>(env_, journal_.get(), &state_, std::move(options));
  return store_->recover();
}

Status ReceiverDaemon::open_host() {
  PipeHostOptions options;
  options.data_dir = config_.daemon.data_dir;
  options.config_file = config_.daemon.path;
  options.plugin_dir = config_.plugin_dir;
  options.own_ids = {journal_->id(), config_.receiver_id};
  options.outbox = outbox_options(config_.daemon);
  options.window = config_.daemon.window;
  options.write_ledger = [this](LedgerEntry entry) { return write_ledger(std::move(entry)); };
  options.server = [this] { return server_view(); };
  options.start_server = [this] { return open_server(); };
  options.stop_server = [this] { return close_server(); };
  options.reload = [this] { return load_configuration(); };
  TG_TRY(host_, PipeHost::open(env_, std::move(options)));
  return {};
}

Status ReceiverDaemon::start_pipes() {
  return host_->start({journal_.get(), &state_, &records_}, config_.pipes);
}

// In the scrub's thread, in each pass again.
void ReceiverDaemon::tell_rot(const DamagedRange& range) {
  if (knows_damage(state_.ledger_recent(), range)) return;
  log_error("journal", "found by the background check: " + range.segment + " is damaged: " + range.reason);
  const Status told = write_ledger(damage_entry(range, 0));
  if (!told.ok())
    log_warning("journal", damage_not_in_ledger(config_.daemon.journal.directory, told.error()));
}

Status ReceiverDaemon::write_ledger(LedgerEntry entry) {
  entry.wall_micros = env_.clock->wall_micros();
  TG_CHECK(state_.write_ledger(*journal_, std::move(entry)));
  return journal_->sync();
}

Status ReceiverDaemon::start_link() {
  const LinkConfig& c = config_.link;
  AirGapListenerOptions o;
  o.listen = config_.listen;
  o.answer_ok = c.profile.answer_ok;
  o.answer_fail = c.profile.answer_fail;
  o.user_timeout = c.user_timeout;
  o.admit = [this](const std::string& peer) { return allow_.admits(peer); };
  o.link.wire_limit = c.profile.frame_limit;
  o.link.largest_part_total = c.largest_part;
  o.link.ask = c.ask;
  o.link.frame_stall = c.frame_stall;
  o.link.beat = c.beat;
  o.link.hold = c.hold;
  committer_ = std::make_unique<JournalCommitter>(&loop_, journal_.get(), store_.get(),
                                                  [this](Lsn) { host_->pipes().notify(); });
  listener_ = std::make_unique<AirGapListener>(&loop_, store_.get(), committer_.get(), std::move(o),
                                               [this](const RxNotice& n) { on_notice(n); });
  TG_CHECK(listener_->start());
  serving_ = true;
  return {};
}

// ---- the pipe server: the listener of the link, opened and closed by statements

PipeServerView ReceiverDaemon::server_view() {
  return {serving_, config_.listen.text()};
}

Status ReceiverDaemon::open_server() {
  return gate_.run([this]() -> Status {
    if (serving_) return {};
    TG_CHECK(listener_->start());
    serving_ = true;
    return {};
  });
}

// As the manual says: not while a sender has a live session, or runs by its last beat.
Status ReceiverDaemon::close_server() {
  return gate_.run([this]() -> Status {
    for (const SenderView& sender : listener_->link().senders())
      if (sender.lanes > 0)
        return make_error(ErrorCode::kBusy, "Failed to stop pipe server because there is pipe still running.")
            .from_peer(sender.label);
    listener_->stop();
    serving_ = false;
    return {};
  });
}

Status ReceiverDaemon::start_control() {
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

int ReceiverDaemon::run() {
  loop_.run();
  sd_notify(0, "STATUS=stopped");
  return exit_code_;
}

// ---- every second

void ReceiverDaemon::tick() {
  const Nanos now = env_.clock->now();
  if (journal_->head() != idle_marked_ && journal_->head() == journal_->durable_lsn())
    if (journal_->mark_idle().ok()) idle_marked_ = journal_->head();
  count_duplicates();
  // While senders are refused, room is looked for at once.
  if (now - housekept_at_ >= kHousekeeping || !journal_->accepts().ok()) keep_house();
  host_->pipes().tick();
  refresh_report(now);
  sd_notify(0, "WATCHDOG=1");
  if (!stopping_) loop_.call_at(now + kTick, [this] { tick(); });
}

// What was dropped because it had come before goes into the ledger every second: a crash loses the count of
// the last one, never a batch.
void ReceiverDaemon::count_duplicates() {
  const std::uint64_t duplicates = listener_->link().counters().duplicate_batches;
  store_->count_duplicates(duplicates - std::exchange(duplicates_told_, duplicates));
  const Status maintained = store_->maintain();
  marks_trouble_ = maintained.ok() ? "" : maintained.error().text();
}

void ReceiverDaemon::keep_house() {
  housekept_at_ = env_.clock->now();
  const auto freed = store_->apply_retention(env_.clock->wall_micros());
  retention_trouble_ = freed.ok() ? "" : "retention: " + freed.error().text();
  if (!freed.ok()) return;
  if (*freed > 0) log_debug("journal", "released " + std::to_string(*freed) + " bytes that every sink has");
}

void ReceiverDaemon::on_notice(const RxNotice& notice) {
  // That the journal is full is said by its own condition, once.
  const bool full = notice.text.find(error_sentence(ErrorCode::kNoSpace)) != std::string::npos;
  if (full && !journal_->accepts().ok()) return log_debug("link", notice.text);
  conditions_.event(notice.alarm, "link", notice.text, env_.clock->now(), env_.clock->wall_micros());
}

// ---- stop

void ReceiverDaemon::stop() {
  loop_.post([this] { begin_stop(); });
}

void ReceiverDaemon::begin_stop() {
  if (stopping_) return;
  stopping_ = true;
  log_info("receiver",
           "stopping: the listener closes, the journal is synced, pipes finish what they deliver");
  sd_notify(0, "STOPPING=1");
  listener_->stop();
  scrub_.reset();
  committer_.reset();  // waits for the sync under way
  count_duplicates();
  host_->stop();
  host_->close();
  if (control_) control_->stop();
  Status closed = journal_->sync();
  if (closed.ok()) closed = journal_->close();
  if (!closed.ok()) {
    log_error("journal", "the clean mark could not be written: " + closed.error().text());
    exit_code_ = 1;
  }
  log_info("receiver", "stopped at LSN " + std::to_string(journal_->durable_lsn()));
  loop_.stop();
}

// ---- the operator's commands

// LOAD CONFIGURATION. The pipes are first: they are all that can still refuse the file.
Result<std::string> ReceiverDaemon::load_configuration() {
  return reload_.run([this]() -> Result<DaemonConfig> {
    TG_TRY(ReceiverConfig fresh, load_receiver_config(*env_.files, config_.daemon.path));
    TG_CHECK(host_->executor().adopt_yaml(fresh.pipes));
    allow_.replace(std::move(fresh.allow));
    set_log_level(fresh.daemon.log_level);
    return std::move(fresh.daemon);
  });
}

ControlReply ReceiverDaemon::operate(const ControlCommand& command) {
  if (command.verb == "rebuild-catalogue") return host_->rebuild_catalogue(command.peer);
  return call_in_loop(loop_, [this, command] { return carry_out(command); });
}

ControlReply ReceiverDaemon::carry_out(const ControlCommand& command) {
  const auto id_argument = [&command](const char* name) {
    const auto it = command.arguments.find(name);
    Bytes bytes;
    Id id;
    if (it != command.arguments.end() && from_hex(it->second, &bytes) && bytes.size() == 16)
      std::copy(bytes.begin(), bytes.end(), id.bytes.begin());
    return id;
  };
  if (command.verb == "adopt") {
    const Id sender = id_argument("sender");
    const Id journal = id_argument("journal");
    if (sender.is_zero() || journal.is_zero())
      return {false, "adopt needs sender=<32 hex digits> and journal=<32 hex digits> of the new box"};
    if (const Status status = store_->approve(sender, journal); !status.ok())
      return {false, status.error().text()};
    return {true, "journal " + journal.hex() + " may speak for sender " + sender.hex()};
  }
  return {false, "unknown command '" + command.verb + "': the receiver knows adopt, rebuild-catalogue"};
}

}  // namespace tidegate
