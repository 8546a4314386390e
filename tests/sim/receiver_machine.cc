// SPDX-License-Identifier: Apache-2.0
#include "pipe/model/container.h"
#include "tests/sim/machines.h"

namespace tidegate::sim {
namespace {

constexpr const char* kFolder = "/journal";
constexpr const char* kSink = "sink";

JournalOptions journal_options(const JournalSetup& setup) {
  JournalOptions out;
  out.directory = kFolder;
  out.segment_bytes = setup.segment_bytes;
  out.quota_bytes = setup.quota_bytes;
  out.reserve_bytes = 4 << 10;
  return out;
}

}  // namespace

// Appends at once, syncs for everybody some milliseconds later: a power cut may come in between.
class ReceiverMachine::GroupCommitter final : public Committer {
 public:
  GroupCommitter(ReceiverMachine* owner, ProcessId process) : owner_(owner), process_(process) {}

  void submit(StoreRequest request, std::function<void(Status)> done) override {
    if (const auto* batches = std::get_if<StoreBatches>(&request))
      owner_->site_->device->repetitions.stored(*batches);
    Status appended = owner_->store()->append(request);
    if (!appended.ok() && owner_->site_->trace)
      owner_->site_->say(owner_->name_ + ": cannot append: " + appended.error().text());
    // A full segment is synced when it is closed.
    if (owner_->journal()->durable_lsn() > owner_->synced_to_) owner_->tell_read_back();
    if (!appended.ok() && appended.error().code == ErrorCode::kPoisoned)
      owner_->restart_soon("the journal is poisoned");
    waiting_.push_back({std::move(request), std::move(appended), std::move(done)});
    if (planned_) return;
    planned_ = true;
    owner_->site_->queue->after(owner_->setup_.sync_time, process_, [this] { sync(); });
  }

 private:
  struct Waiting {
    StoreRequest request;
    Status appended;
    std::function<void(Status)> done;
  };

  void sync() {
    planned_ = false;
    auto group = std::exchange(waiting_, {});
    const Status synced = owner_->store()->sync();
    if (!synced.ok()) owner_->restart_soon(synced.error().text());
    if (synced.ok()) {
      owner_->synced_to_ = owner_->journal()->durable_lsn();
      owner_->repetitions_synced_ = owner_->repetitions_before_ + owner_->repetitions_written_;
    }
    for (const Waiting& w : group)
      if (const auto* batches = std::get_if<StoreBatches>(&w.request);
          batches && w.appended.ok() && synced.ok())
        for (std::size_t i = batches->skip; i < batches->hashes.size(); ++i)
          owner_->site_->oracle->far_synced(batches->hashes[i]);
    for (Waiting& w : group) w.done(w.appended.ok() ? synced : w.appended);
  }

  ReceiverMachine* owner_;
  ProcessId process_;
  std::vector<Waiting> waiting_;
  bool planned_ = false;
};

struct ReceiverMachine::Process {
  explicit Process(const SimLoop& of) : loop(of) {}

  SimLoop loop;
  StreamState state;
  std::unique_ptr<Journal> journal;
  std::unique_ptr<FarStore> store;
  std::unique_ptr<GroupCommitter> committer;
  std::unique_ptr<AirGapListener> listener;
  std::uint64_t duplicates_told = 0;
  Lsn idle_marked = 0;
};

ReceiverMachine::ReceiverMachine(Site* site, const ReceiverSetup& setup, std::uint64_t seed)
    : Machine(site, "receiver", seed), setup_(setup) {}
ReceiverMachine::~ReceiverMachine() = default;

Status ReceiverMachine::start() {
  run_ = std::make_unique<Process>(SimLoop(site_->queue, site_->device, process_));
  Process& p = *run_;
  auto opened = Journal::open(env(), journal_options(setup_.journal), &p.state);
  if (!opened.ok()) return std::move(opened).error();
  p.journal = std::move(opened).value();
  say_recovered();
  check_repetitions(repetitions_synced_, repetitions_before_ + site_->device->repetitions.at_most());
  site_->device->repetitions.restarted();
  repetitions_before_ = repetitions_in_ledger();
  repetitions_written_ = 0;
  repetitions_unknown_ = false;
  FarStoreOptions options;
  options.receiver_id = setup_.receiver_id;
  options.retention.window = setup_.journal.window;
  options.retention.holds = these_pipes({kSink});
  p.store = std::make_unique<FarStore>(env(), p.journal.get(), &p.state, options);
  TG_CHECK(p.store->recover());
  tell_read_back();
  p.committer = std::make_unique<GroupCommitter>(this, process_);
  AirGapListenerOptions listener;
  listener.listen = {"0.0.0.0", 9780};
  listener.link = setup_.link;
  p.listener = std::make_unique<AirGapListener>(
      &p.loop, p.store.get(), p.committer.get(), listener, [this](const RxNotice& note) {
        if (site_->trace) site_->say(name_ + (note.alarm ? ": ALARM " : ": ") + note.text);
      });
  TG_CHECK(p.listener->start());
  every(kSecond, [this] { keep_house(); });
  if (setup_.trims) every(120 * kSecond, [this] { trim(); });
  return {};
}

// Every second, as the daemon does.
void ReceiverMachine::keep_house() {
  Process& p = *run_;
  Status done;
  if (p.journal->head() != p.idle_marked && p.journal->head() == p.journal->durable_lsn()) {
    done = p.journal->mark_idle();
    if (done.ok()) p.idle_marked = p.journal->head();
  }
  const std::uint64_t counted = p.listener->link().counters().duplicate_batches;
  p.store->count_duplicates(counted - std::exchange(p.duplicates_told, counted));
  if (done.ok()) done = p.store->maintain();
  if (p.journal->durable_lsn() > synced_to_) tell_read_back();  // it syncs what it writes
  if (done.ok() && repetitions_written_ != site_->device->repetitions.certain()) {
    repetitions_written_ = site_->device->repetitions.certain();
    site_->oracle->far_ledger(p.state);
  }
  if (!done.ok() && done.error().code != ErrorCode::kNoSpace) restart_soon(done.error().text());
}

std::uint64_t ReceiverMachine::repetitions_in_ledger() const {
  const auto counters = run_->state.ledger_counters();
  const auto it = counters.find(ledger_kind::kDuplicates);
  return it == counters.end() ? 0 : it->second;
}

// A flipped bit may have hit an entry.
void ReceiverMachine::check_repetitions(std::uint64_t at_least, std::uint64_t at_most) {
  const std::uint64_t said = repetitions_in_ledger();
  if (repetitions_unknown_ || site_->oracle->far_is_rotted() || (at_least <= said && said <= at_most)) return;
  site_->oracle->violation("the ledger counts " + std::to_string(said) +
                           " batches that came again; on the wire there were " + std::to_string(at_least) +
                           (at_most != at_least ? " to " + std::to_string(at_most) : std::string()));
}

// What was appended before the process died and is there now counts as synced: the journal says so.
void ReceiverMachine::tell_read_back() {
  Journal::Reader reader = run_->journal->reader(std::max(synced_to_ + 1, run_->journal->first_lsn()));
  for (;;) {
    const auto meta = reader.next_meta();
    if (!meta.ok()) {
      if (!meta.error().sequence || *meta.error().sequence <= reader.position()) break;
      reader.skip_to(*meta.error().sequence);
      continue;
    }
    if (!*meta) break;
    for (std::size_t i = (*meta)->skip; i < (*meta)->hashes.size(); ++i)
      site_->oracle->far_synced((*meta)->hashes[i]);
  }
  synced_to_ = run_->journal->durable_lsn();
}

void ReceiverMachine::destroy() {
  run_.reset();
}
Journal* ReceiverMachine::journal() const {
  return run_ ? run_->journal.get() : nullptr;
}
Machine::Image ReceiverMachine::image() {
  Image out = Machine::image();
  out.far = site_->oracle->far_reading();
  return out;
}
void ReceiverMachine::rolled_back(const Image& image) {
  synced_to_ = 0;
  repetitions_synced_ = 0;
  repetitions_unknown_ = true;
  site_->oracle->far_rolled_back(image.far);
}
void ReceiverMachine::replaced() {
  synced_to_ = 0;
  repetitions_synced_ = 0;
  repetitions_unknown_ = true;
  site_->oracle->far_rolled_back({});
}
const StreamState& ReceiverMachine::state() const {
  return run_->state;
}
FarStore* ReceiverMachine::store() {
  return run_ ? run_->store.get() : nullptr;
}

// The sinks get everything that is durable, then what they have may go.
void ReceiverMachine::trim() {
  Journal& journal = *run_->journal;
  const Lsn durable = journal.durable_lsn();
  const PipePositionNote note{kSink, durable, {}};
  Status status = journal.append_note(static_cast<std::uint8_t>(PipePositionNote::kType), encode_note(note));
  if (status.ok()) status = run_->store->sync();
  if (status.ok())
    if (const auto up_to = run_->store->releasable_lsn(clock_.wall_micros()); up_to.ok())
      site_->oracle->far_given(journal, run_->state, *up_to);
  if (status.ok())
    if (const auto freed = run_->store->apply_retention(clock_.wall_micros()); !freed.ok())
      status = freed.error();
  if (status.ok() || status.error().code == ErrorCode::kNoSpace || status.error().code == ErrorCode::kDamaged)
    return;
  restart_soon(status.error().text());
}

void ReceiverMachine::approve(const Id& sender, const Id& journal) {
  if (!up()) return;
  site_->say(name_ + ": the operator accepts journal " + journal.hex().substr(0, 8));
  site_->queue->run_as(process_, [&] {
    if (const Status done = run_->store->approve(sender, journal); !done.ok())
      restart_soon(done.error().text());
  });
}

FarStream ReceiverMachine::position(const Id& journal, StreamId stream) {
  return run_ && run_->store ? run_->store->stream(journal, stream) : FarStream{};
}

void ReceiverMachine::check(const std::vector<Oracle::LiveSender>& live) {
  if (up())
    check_repetitions(repetitions_before_ + repetitions_written_,
                      repetitions_before_ + site_->device->repetitions.at_most());
  SimFileSystem copy;
  copy.restore(files_.snapshot(false));
  StreamState state;
  JournalOptions options = journal_options(setup_.journal);
  options.create = false;
  auto journal = Journal::open({&copy, &clock_, &random_}, options, &state);
  // Flipped bits can cost the whole journal; its message then names the operator's action.
  if (!journal.ok() && site_->oracle->far_is_rotted() && journal.error().code == ErrorCode::kDamaged) return;
  if (!journal.ok())
    return site_->oracle->violation("the far journal cannot be opened at the end: " + journal.error().text());
  site_->oracle->check_far(**journal, state, live);
}

}  // namespace tidegate::sim
