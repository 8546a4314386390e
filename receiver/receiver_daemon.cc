// SPDX-License-Identifier: Apache-2.0
#include "receiver/receiver_daemon.h"

#include <systemd/sd-daemon.h>

#include <csignal>

#include "base/log.h"
#include "pipe/connect/builtin_connectors.h"
#include "pipe/control/data_dir.h"
#include "pipe/control/ledger_text.h"
#include "pipe/control/loop_call.h"

namespace tidegate {
namespace {

constexpr Nanos kTick = kSecond;
constexpr Nanos kHousekeeping = 10 * kSecond;
constexpr Nanos kStopPipe = 10 * kSecond;

}  // namespace

ReceiverDaemon::ReceiverDaemon(Env env, ReceiverConfig config) : env_(env), config_(std::move(config)) {}
ReceiverDaemon::~ReceiverDaemon() = default;

// ---- start

Status ReceiverDaemon::start() {
  started_at_ = housekept_at_ = env_.clock->now();
  TG_CHECK(open_journal());
  TG_CHECK(start_pipes());
  TG_CHECK(start_link());
  TG_CHECK(start_control());
  scrub_ = std::make_unique<Scrub>(*journal_, [this](const DamagedRange& range) { tell_rot(range); });
  loop_.on_signal([this](int signal) {
    if (signal != SIGHUP) begin_stop();
  });
  loop_.post([this] { tick(); });
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
  std::set<std::string> holding;
  for (const auto& sink : config_.sinks)
    if (sink.holds) holding.insert(sink.name);
  options.retention.holds = these_pipes(std::move(holding));
  store_ = std::make_unique<FarStore>(env_, journal_.get(), &state_, std::move(options));
  positions_ = std::make_unique<JournalPositions>(journal_.get(), &state_);
  return store_->recover();
}

Status ReceiverDaemon::start_pipes() {
  for (const auto& sink : config_.sinks) {
    Delivery d;
    auto made =
        make_connector(env_, sink.connector, {.pipe = sink.name, .data_dir = config_.daemon.data_dir});
    if (!made.ok()) return std::move(made).error().in_pipe(sink.name);
    d.connector = std::move(made).value();
    d.source = std::make_unique<JournalRecords>(*journal_, records_);
    PipeOptions options;
    options.name = sink.name;
    options.own_ids = {journal_->id(), config_.receiver_id};
    options.dead_letters.directory = config_.daemon.data_dir + "/dead-letters";
    options.on_loss = [this, name = sink.name](const Loss& loss) {
      return write_ledger({.kind = ledger_kind::kGap,
                           .from = loss.first,
                           .to = loss.last,
                           .text = "pipe " + name + ": " + loss.text});
    };
    options.on_dead_letters = [this, name = sink.name](std::uint64_t letters, const std::string& file) {
      return write_ledger({.kind = ledger_kind::kDeadLetter,
                           .amount = letters,
                           .text = "pipe " + name + ": refused by the target for good, kept in " + file});
    };
    d.pipe = std::make_unique<Pipe>(env_, std::move(options), *d.source, *positions_, *d.connector);
    TG_CHECK(d.pipe->open());
    d.thread = std::make_unique<PipeThread>(env_, *d.pipe);
    deliveries_.push_back(std::move(d));
  }
  return {};
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
  o.admit = [this](const std::string& peer) { return config_.allow.admits(peer); };
  o.link.wire_limit = c.profile.frame_limit;
  o.link.largest_part_total = c.largest_part;
  o.link.ask = c.ask;
  o.link.frame_stall = c.frame_stall;
  o.link.beat = c.beat;
  o.link.hold = c.hold;
  committer_ = std::make_unique<JournalCommitter>(&loop_, journal_.get(), store_.get(), [this](Lsn) {
    for (Delivery& d : deliveries_) d.thread->notify();
  });
  listener_ = std::make_unique<AirGapListener>(&loop_, store_.get(), committer_.get(), std::move(o),
                                               [this](const RxNotice& n) { on_notice(n); });
  return listener_->start();
}

Status ReceiverDaemon::start_control() {
  control_ = std::make_unique<ControlServer>(
      ControlOptions{config_.daemon.control, config_.daemon.control_socket},
      [this] {
        const std::lock_guard lock(report_mutex_);
        return report_;
      },
      [this](const ControlCommand& command) { return operate(command); });
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
  for (Delivery& d : deliveries_)
    if (const Status status = d.thread->stop(kStopPipe); !status.ok())
      log_warning("pipe",
                  "stopped in mid-delivery, it is repeated after the start: " + status.error().text());
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

ControlReply ReceiverDaemon::operate(const ControlCommand& command) {
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
  if (command.verb == "start") {
    const auto name = command.arguments.find("pipe");
    if (name == command.arguments.end()) return {false, "start needs pipe=<name of a sink>"};
    std::string known;
    for (Delivery& d : deliveries_) {
      const std::string pipe = d.pipe->status().name;
      if (pipe == name->second) {
        d.thread->start();
        return {true, "pipe " + pipe + " starts"};
      }
      known += (known.empty() ? "" : ", ") + pipe;
    }
    return {false, "there is no pipe " + name->second + "; known: " + (known.empty() ? "none" : known)};
  }
  return {false, "unknown command '" + command.verb + "': the receiver knows adopt, start"};
}

}  // namespace tidegate
