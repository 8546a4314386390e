// SPDX-License-Identifier: Apache-2.0
// SenderDaemon: sources -> journal -> pass-through pipe -> air-gap connector, put together for a real
// machine.
//
// Threads: the loop's (link, timers, signals), the ingest's (append, sync), each source's, the control
// server's. They meet in Journal, StreamState, Ingest (each safe for any thread) and in the report that the
// loop's thread renews every second.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "base/asio_loop.h"
#include "pipe/control/control_server.h"
#include "pipe/control/reload.h"
#include "pipe/control/status.h"
#include "pipe/control/status_conditions.h"
#include "pipe/control/status_newest.h"
#include "pipe/control/status_space.h"
#include "pipe/control/trend.h"
#include "pipe/engine/scrub.h"
#include "pipe/statement/pipe_host.h"
#include "pipe/stream/near_store.h"
#include "sender/air_gap_links.h"
#include "sender/sender_config.h"

namespace tidegate {

class SenderDaemon {
 public:
  SenderDaemon(Env env, SenderConfig config);
  ~SenderDaemon();

  // Opens everything; errors say what to do. Nothing is served before it returns success.
  Status start();
  // Until SIGTERM or SIGINT, then the orderly stop: sources finish the requests they have, what waits is
  // synced, answers that are owed are waited for (5 s), the journal gets its clean mark. Returns the exit
  // code: 0, or 1 when something could not be written.
  int run();
  // As SIGTERM does. Any thread.
  void stop();

 private:
  struct HttpSource {
    std::string name;
    std::unique_ptr<InfluxHttpSource> server;
  };

  Status open_journal();
  Status open_host();
  Status open_links();
  Status start_pipes();
  Status take_back_stale_marks();
  Status write_ledger(LedgerEntry entry);
  void tell_rot(const DamagedRange& range);
  Status start_sources();
  Status start_control();
  AirGapConnectorOptions connector_options() const;
  AirGapConnector& connector() { return links_->own(); }
  const AirGapConnector& connector() const { return links_->own(); }
  Result<StreamId> stream_of(const ControlCommand& command) const;
  void tick();
  void keep_house(Nanos now);
  void refresh_report(Nanos now);
  void fill_link(StatusReport& report) const;
  void fill_streams(StatusReport& report);
  void fill_journal(StatusReport& report, Nanos now);
  static void fill_source(StatusReport& report, const HttpSource& source);
  void fill_pipes(StatusReport& report);
  void look_at_newest(Lsn first, Lsn upto);
  std::vector<Condition> conditions(const StatusReport& report);
  std::optional<Condition> link_condition();
  bool holds_now(const std::string& text) const;
  std::string beat_json();
  void on_notice(const TxNotice& notice);
  void begin_stop();
  Result<std::string> load_configuration();
  ControlReply operate(const ControlCommand& command);
  ControlReply carry_out(const ControlCommand& command);

  Env env_;
  SenderConfig config_;
  Reload reload_{config_.daemon.values, sender_settings_at_once()};
  AsioLoop loop_;
  StreamState state_;
  std::unique_ptr<Journal> journal_;
  std::unique_ptr<NearStore> store_;
  RecordCache records_;
  std::unique_ptr<AirGapLinks> links_;
  std::unique_ptr<PipeHost> host_;
  std::unique_ptr<Ingest> ingest_;
  std::vector<HttpSource> sources_;
  std::unique_ptr<ControlServer> control_;
  std::unique_ptr<Scrub> scrub_;
  Nanos started_at_ = 0;
  Nanos housekept_at_ = 0;
  Lsn idle_marked_ = 0;
  bool stopping_ = false;
  int exit_code_ = 0;
  SpaceWatch space_{"sources answer 503 until there is room and lose nothing; look at the link below"};
  Trend sent_{10 * kSecond};
  NewestValue newest_;
  ConditionBook conditions_;
  std::string link_trouble_;  // what closed the link last; empty: it runs, or has not been up yet
  std::string marks_trouble_, retention_trouble_;  // of the journal's housekeeping
  mutable std::mutex report_mutex_;
  StatusReport report_;
};

}  // namespace tidegate
