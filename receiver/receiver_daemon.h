// SPDX-License-Identifier: Apache-2.0
// ReceiverDaemon: air-gap listener -> journal -> one pipe per sink, put together for a real machine.
//
// Threads: the loop's (link, appends, timers, signals), one that syncs, one per pipe, the control server's.
// They meet in Journal, StreamState and Pipe::status (each safe for any thread) and in the report that the
// loop's thread renews.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <set>
#include <vector>

#include "base/asio_loop.h"
#include "pipe/control/control_server.h"
#include "pipe/control/loop_call.h"
#include "pipe/control/reload.h"
#include "pipe/control/status.h"
#include "pipe/control/status_conditions.h"
#include "pipe/control/status_newest.h"
#include "pipe/control/status_space.h"
#include "pipe/control/trend.h"
#include "pipe/engine/scrub.h"
#include "pipe/statement/pipe_host.h"
#include "pipe/stream/far_store.h"
#include "receiver/air_gap_listener.h"
#include "receiver/journal_committer.h"
#include "receiver/receiver_config.h"

namespace tidegate {

class ReceiverDaemon {
 public:
  ReceiverDaemon(Env env, ReceiverConfig config);
  ~ReceiverDaemon();

  // Opens everything; errors say what to do. Nothing is answered before it returns success.
  Status start();
  // Until SIGTERM or SIGINT, then the orderly stop: the listener closes, what was appended is synced, pipes
  // finish the delivery under way (10 s each at most), the journal gets its clean mark. Returns the exit
  // code: 0, or 1 when something could not be written.
  int run();
  void stop();  // as SIGTERM does; any thread

 private:
  Status open_journal();
  Status start_pipes();
  Status open_host();
  Status start_link();
  PipeServerView server_view();
  Status open_server();
  Status close_server();
  Status start_control();
  void tick();
  void keep_house();
  void count_duplicates();
  Status write_ledger(LedgerEntry entry);
  void tell_rot(const DamagedRange& range);
  void refresh_report(Nanos now);
  void fill_streams(StatusReport& report) const;
  void fill_senders(StatusReport& report, Nanos now) const;
  void fill_pipes(StatusReport& report);
  void fill_journal(StatusReport& report, Nanos now);
  std::vector<Condition> conditions(const StatusReport& report, Nanos now);
  void add_sender_conditions(Nanos now, std::vector<Condition>& to);
  void on_notice(const RxNotice& notice);
  void begin_stop();
  Result<std::string> load_configuration();
  ControlReply operate(const ControlCommand& command);
  ControlReply carry_out(const ControlCommand& command);

  Env env_;
  ReceiverConfig config_;
  LiveAllowList allow_{config_.allow};
  Reload reload_{config_.daemon.values, receiver_settings_at_once()};
  AsioLoop loop_;
  LoopGate gate_{&loop_};
  StreamState state_;
  std::unique_ptr<Journal> journal_;
  RecordCache records_;
  std::unique_ptr<FarStore> store_;
  std::unique_ptr<JournalCommitter> committer_;
  std::unique_ptr<AirGapListener> listener_;
  std::unique_ptr<PipeHost> host_;
  std::unique_ptr<ControlServer> control_;
  std::unique_ptr<Scrub> scrub_;
  Nanos started_at_ = 0;
  Nanos housekept_at_ = 0;
  std::uint64_t duplicates_told_ = 0;
  Lsn idle_marked_ = 0;
  bool stopping_ = false;
  std::atomic<bool> serving_{false};
  int exit_code_ = 0;
  SpaceWatch space_{"senders keep their data until there is room; look at the pipes below"};
  Trend delivered_{10 * kSecond};
  NewestValue newest_;
  ConditionBook conditions_;
  std::set<Id> met_;                               // senders whose coming the log has told
  std::string marks_trouble_, retention_trouble_;  // of the journal's housekeeping
  mutable std::mutex report_mutex_;
  StatusReport report_;
};

}  // namespace tidegate
