// SPDX-License-Identifier: Apache-2.0
// The simulated machines: a disk that survives, and a process of production code that does not.
//
// A machine boots, crashes (process or power), and boots again by itself some seconds later. What its
// producers are told and what happens to its disk goes to the oracle.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/sim_env.h"
#include "pipe/stream/far_store.h"
#include "pipe/stream/near_store.h"
#include "receiver/air_gap_listener.h"
#include "sender/air_gap_connector.h"
#include "tests/sim/gatekeeper.h"
#include "tests/sim/oracle.h"

namespace tidegate::sim {

// What the machines of one run share. Outlives them.
struct Site {
  EventQueue* queue = nullptr;
  Gatekeeper* device = nullptr;
  Oracle* oracle = nullptr;
  std::function<void(const std::string&)> trace;  // empty: no timeline wanted
  void say(const std::string& text) const {
    if (trace) trace(text);
  }
};

struct JournalSetup {
  std::uint64_t segment_bytes = 16 << 10;
  std::uint64_t quota_bytes = 0;
  SafetyWindow window;
};

// What both kinds of machine have: disk, clock, crashes.
class Machine {
 public:
  Machine(Site* site, std::string name, std::uint64_t seed);
  virtual ~Machine() = default;
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  void boot();  // now
  void boot_after(Nanos delay);
  bool up() const { return process_ != kWorld; }
  ProcessId process() const { return process_; }
  const std::string& name() const { return name_; }
  std::string space_text() const;                          // what its journal takes
  const std::string& trouble() const { return trouble_; }  // why it does not run; empty: it does

  // The process dies now; its kernel closes its sockets. It starts again after `down`.
  void crash(Nanos down);
  // At its n-th effect on the disk from now.
  void crash_at_effect(std::uint64_t n, Nanos down);
  void power_cut(Nanos down);
  // Called by the run when an effect hook killed the process.
  void on_sim_crash();
  // Never boots again.
  void retire();
  bool retired() const { return retired_; }

  // What all starts so far have found: torn bytes that were cut, damaged ranges that were told.
  std::uint64_t torn_bytes() const { return torn_bytes_; }
  std::uint64_t damaged_ranges() const { return damaged_ranges_; }
  bool was_rolled_back() const { return rolled_back_once_; }
  SimFileSystem& files() { return files_; }
  SimRandom& random() { return random_; }

  struct Image {
    SimSnapshot disk;
    Lsn head = 0;
    Id journal;
    Oracle::Holding holding;  // of a sender
    Oracle::FarReading far;   // of a receiver
  };
  virtual Image image();  // of the disk now, quiesced
  virtual void roll_back(const Image& image, Nanos down);
  virtual void replace_disk(Nanos down);
  // Flips a bit of a segment; false when there is nothing yet.
  bool rot();

 protected:
  virtual Status start() = 0;  // builds the process; running as it
  virtual void destroy() = 0;  // of the process's objects; every file handle is dead already
  virtual Journal* journal() const = 0;
  virtual void rolled_back(const Image& image) = 0;
  virtual void replaced() = 0;
  virtual void rotted() = 0;
  virtual void tell_synced() {}  // all that is appended is durable now: the oracle may be told
  // The process finds that it cannot go on: it ends and is started again.
  void restart_soon(const std::string& why);
  // The daemon is stopped, a command works on its disk (it may die as any process), the daemon starts.
  void run_command(const std::function<void()>& command);
  void say_recovered();  // what the journal found when it was opened
  void every(Nanos interval, std::function<void()> task);
  Env env() { return {&files_, &clock_, &random_}; }

  Site* site_;
  std::string name_;
  SimMachineClock clock_;
  SimRandom random_;
  SimFileSystem files_;
  ProcessId process_ = kWorld;
  std::string trouble_ = "not started";

 private:
  void die(bool power, Nanos down);

  std::uint64_t effects_left_ = 0;  // 0: no crash is planned
  Nanos down_after_crash_ = 5 * kSecond;
  bool retired_ = false;
  bool rolled_back_once_ = false;
  ProcessId rotted_in_ = kWorld;
  std::uint64_t boots_ = 0;
  std::uint64_t torn_bytes_ = 0, damaged_ranges_ = 0;
};

struct SenderSetup {
  int number = 0;  // for the oracle
  Id sender_id;
  SenderLinkOptions link;
  JournalSetup journal;
  bool declare_gaps = false;
};

class SenderMachine final : public Machine {
 public:
  SenderMachine(Site* site, const SenderSetup& setup, std::uint64_t seed);
  ~SenderMachine() override;

  // Producers give `count` batches, one group; tried again while the journal refuses.
  void produce(std::uint32_t count, std::uint32_t largest);
  // Accepted or waiting: what producers have given so far.
  std::uint64_t backlog() const { return waiting_; }
  // How often the quota refused a producer, and how often a fifth of it was reason enough to trim.
  std::uint64_t refusals() const { return refusals_; }
  std::uint64_t trims_by_share() const { return trims_by_share_; }
  void clone_from(const Image& image);
  Image image() override;
  // Reads the whole journal and tells the oracle what cannot be read, when a bit of it was flipped.
  void tell_unreadable();

  int number() const { return setup_.number; }
  SenderSetup& setup() { return setup_; }  // takes effect at the next start
  std::optional<Id> journal_id() const;
  Oracle::LiveSender live() const;
  const SenderLink* link() const;
  NearStore* store();
  // Everything that was produced is confirmed (or, without questions, answered).
  bool quiet() const;

  // ---- the operator
  bool fenced() const { return link() != nullptr && link()->state() == LinkState::kFenced; }
  void adopt();
  void declare_gap(StreamId stream);
  void fork_at(StreamId stream, Seq base);
  void confirm_and_trim();
  void trim_by_force(Lsn up_to);  // also what is not confirmed
  void add_stream(Lsn first_lsn);

 private:
  class WatchedStore;
  struct Process;
  Status start() override;
  void destroy() override;
  Journal* journal() const override;
  void rolled_back(const Image& image) override;
  void replaced() override;
  void rotted() override { site_->oracle->rotted(setup_.number); }
  void produce_now();
  void tell_unknown();
  void keep_house();
  void trim();
  Lsn behind_share() const;
  void tell_released();
  void look_at(const Status& status);
  Batch make_content(std::uint32_t largest);

  SenderSetup setup_;
  std::unique_ptr<Process> run_;
  std::uint32_t waiting_ = 0;
  std::uint32_t largest_ = 200;
  std::uint64_t made_ = 0;
  bool retry_planned_ = false;
  std::vector<Hash128> offered_;  // to the last append: it may have reached the disk though it never returned
  // Up to here a fifth of the quota has stood behind it: it may go without proof where none is to be had.
  Lsn spare_ = 0;
  std::uint64_t refusals_ = 0, trims_by_share_ = 0;
};

struct ReceiverSetup {
  Id receiver_id;
  ReceiverLinkOptions link;
  JournalSetup journal;
  Nanos sync_time = 5 * kMillisecond;
  bool trims = false;
};

class ReceiverMachine final : public Machine {
 public:
  ReceiverMachine(Site* site, const ReceiverSetup& setup, std::uint64_t seed);
  ~ReceiverMachine() override;

  Image image() override;
  FarStore* store();
  ReceiverSetup& setup() { return setup_; }  // takes effect at the next start
  const StreamState& state() const;          // while it is up
  void approve(const Id& sender, const Id& journal);
  // The position and the chain as an operator reads them on the status page.
  FarStream position(const Id& journal, StreamId stream);
  // Opens a copy of the disk, as after a clean stop, and lets the oracle read it.
  void check(const std::vector<Oracle::LiveSender>& live);

 private:
  class GroupCommitter;
  struct Process;
  Status start() override;
  void destroy() override;
  Journal* journal() const override;
  void rolled_back(const Image& image) override;
  void replaced() override;
  void rotted() override { site_->oracle->far_rotted(); }
  void trim();
  void tell_read_back();
  void tell_synced() override { tell_read_back(); }
  void keep_house();
  std::uint64_t repetitions_in_ledger() const;
  void check_repetitions(std::uint64_t at_least, std::uint64_t at_most);

  ReceiverSetup setup_;
  Lsn synced_to_ = 0;
  // Repetitions in the ledger: what it said when this process started; what was certainly written to it
  // since; what is certainly synced. No bound is known for a disk that was taken away.
  std::uint64_t repetitions_before_ = 0, repetitions_written_ = 0, repetitions_synced_ = 0;
  bool repetitions_unknown_ = false;
  std::unique_ptr<Process> run_;
};

}  // namespace tidegate::sim
