// SPDX-License-Identifier: Apache-2.0
// Pipe: carries batches from a journal to one connector, in order, and never moves its position past what is
// not delivered.
//
// A position moves only after the thing it speaks of is durable on the other side: a run of batches is
// delivered, what the target refused for good is synced in the dead letters, then the position is stored. It
// is stored
//   * at once after a delivery that returned a state (the connector may do next what cannot be taken back,
//   see
//     connector.h), that wrote dead letters or that reported a loss: those must not be repeated after a
//     crash;
//   * else every `store_interval` or `store_bytes`: a crash then delivers a little again, to a target that
//   takes it twice.
// A failed store or dead letter is tried again before anything else; what was delivered is not delivered
// again for it.
//
// What the journal cannot give any more (trimmed, damaged) is told to on_loss, then skipped with one event of
// kind gap in its place, a warning that stays in the status, and a count. Never silent.
//
// RUNNING with a message: something failed, it backs off and tries again; or the connector goes on without a
// part and says so. STOPPED: an operator is needed (start()). Each change of this is one line in the log
// (pipe_log.h). No threads and no sleeping inside: step() does at most one delivery and says when it wants to
// be called again. Thread rules: open(), step(), start() and close() from one thread; status(), stop() and
// durable_position() from any.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "base/env.h"
#include "pipe/engine/backoff.h"
#include "pipe/engine/connector.h"
#include "pipe/engine/dead_letters.h"
#include "pipe/engine/pipe_log.h"
#include "pipe/engine/position_store.h"
#include "pipe/engine/record_source.h"
#include "pipe/engine/run_reader.h"
#include "protocol/native/settings.h"  // kNever

namespace tidegate {

enum class PipeState : std::uint8_t { kRunning, kStopped };
std::string_view pipe_state_name(PipeState state);                        // "RUNNING", "STOPPED"
inline constexpr std::string_view kHistoryFinished = "history finished";  // message of a pipe that has ended

struct PipeCounters {  // since the pipe object was made
  std::uint64_t batches = 0;
  std::uint64_t events = 0;  // in delivered batches
  std::uint64_t values = 0;
  std::uint64_t written_events = 0;  // that the target took
  std::uint64_t skipped_events = 0;  // that are no data for the target
  std::uint64_t dead_letters = 0;
  std::uint64_t retries = 0;   // attempts that have to be made again
  std::uint64_t own_hops = 0;  // batches that came through this journal before
  std::uint64_t lost_lsns = 0;
};

struct PipeStatus {
  std::string name;
  std::string connector;  // Connector::describe()
  PipeState state = PipeState::kRunning;
  std::string message;       // why it waits or stopped, or what it sets aside; empty when all is well
  std::string warning;       // losses; stays
  Lsn position = 0;          // last LSN delivered
  Lsn durable_position = 0;  // last LSN stored as delivered
  Lsn lag_lsns = 0;
  std::uint64_t lag_bytes = 0;
  std::optional<std::int64_t> newest_event_ns;  // newest event time delivered
  PipeCounters counters;
};

struct PipeOptions {
  std::string name;
  std::vector<Id> own_ids;            // batches whose hops hold one of them are left out and counted
  std::uint64_t connector_key = 0;    // of what the connector is: the state of another one is not given to it
  Lsn start_after = 0;                // position of a pipe that never stored one
  Lsn end_at = UINT64_MAX;            // delivered up to here it stops: history only
  DeadLetters::Options dead_letters;  // `pipe` is filled in
  Nanos store_interval = kSecond;
  std::uint64_t store_bytes = 64ULL << 20;
  Nanos first_backoff = kSecond / 2;
  Nanos longest_backoff = 60 * kSecond;
  // Writes a loss into the ledger, durably. Called again with the same loss after a crash or an error: must
  // take that.
  std::function<Status(const Loss&)> on_loss;
  // Writes into the ledger, durably, that so many letters were added to this file. Called again after an
  // error.
  std::function<Status(std::uint64_t letters, const std::string& file)> on_dead_letters;
};

// When step() wants to be called again: at `at` (monotonic), and earlier when `on_data` and the durable LSN
// moves.
struct Wake {
  Nanos at = 0;  // 0: at once
  bool on_data = false;
};

class Pipe {
 public:
  // All references must outlive the pipe.
  Pipe(Env env, PipeOptions options, RecordSource& source, PositionStore& positions, Connector& connector);
  ~Pipe();

  // What a pipe stores with a position before it has delivered anything.
  static Bytes first_state();

  // Reads the stored position and cuts the dead letters to it. Once, before step().
  Status open();
  // One attempt at most. After stop() returns soon and changes nothing any more.
  Wake step();
  // Leaves STOPPED.
  void start();
  // A clean end: stores the position and closes the connector. step() must not be running.
  Status close();

  // Makes a delivery that is under way give up soon. For good.
  void stop() { stopping_ = true; }
  bool stopping() const { return stopping_; }
  PipeStatus status() const;
  // Everything up to here is delivered and will not be asked of the journal again.
  Lsn durable_position() const;

 private:
  Wake back_off(std::string message, Nanos wish = 0);
  Wake halt(std::string message);
  Wake fail(const Error& error);
  std::optional<Wake> finish_delivery();
  std::optional<Wake> tell_letters();
  std::optional<Wake> store_position();
  std::optional<Wake> open_connector();
  std::optional<Wake> end_of_history();
  Nanos gathers_until();
  std::optional<Wake> fetch();
  Wake idle(Nanos until);
  Wake deliver();
  Wake take(DeliverResult result);
  void count(const Run& run, const DeliverResult& result);
  bool store_due(Nanos now) const;
  void publish();

  const Env env_;
  const PipeOptions options_;
  RecordSource& source_;
  PositionStore& positions_;
  Connector& connector_;
  RunReader reader_;
  DeadLetters dead_letters_;
  Backoff backoff_;
  PipeLog log_;
  std::atomic<bool> stopping_{false};

  Lsn position_ = 0;  // delivered
  Bytes state_;       // the connector's, of position_
  std::string note_;  // the connector's, of its last delivery
  bool connector_open_ = false;
  Nanos retry_at_ = 0;
  std::optional<Nanos> gathers_since_;      // when data was first seen behind ripe_
  Lsn ripe_ = 0;                            // what is up to here has waited long enough for more
  std::optional<Run> run_;                  // read and not yet delivered
  bool loss_told_ = false;                  // of run_
  std::optional<DeliverResult> delivered_;  // of run_; its dead letters are not yet written
  std::uint64_t untold_letters_ = 0;        // written, and not yet in the ledger
  bool store_now_ = false;
  std::optional<Nanos> unstored_since_;
  std::uint64_t unstored_bytes_ = 0;

  mutable std::mutex mutex_;  // guards status_
  PipeStatus status_;
};

}  // namespace tidegate
