// SPDX-License-Identifier: Apache-2.0
#include "pipe/control/tidegate_adopt.h"
#include "pipe/model/batch.h"
#include "tests/sim/machines.h"

namespace tidegate::sim {
namespace {

constexpr const char* kFolder = "/journal";

JournalOptions journal_options(const JournalSetup& setup) {
  JournalOptions out;
  out.directory = kFolder;
  out.segment_bytes = setup.segment_bytes;
  out.quota_bytes = setup.quota_bytes;
  out.reserve_bytes = 4 << 10;
  return out;
}

}  // namespace

// Lets the oracle see what the link holds for proven. Everything else goes straight through.
class SenderMachine::WatchedStore final : public SenderStore {
 public:
  WatchedStore(NearStore* inner, SenderMachine* owner)
      : inner_(inner),
        owner_(owner),
        site_(owner->site_),
        setup_(&owner->setup_),
        process_(owner->process_) {}
  Id sender_id() const override { return inner_->sender_id(); }
  Id journal_id() const override { return inner_->journal_id(); }
  std::uint64_t session() const override { return inner_->session(); }
  Status set_session(std::uint64_t s) override { return inner_->set_session(s); }
  std::vector<StreamId> streams() const override { return inner_->streams(); }
  std::string label(StreamId s) const override { return inner_->label(s); }
  Seq head(StreamId s) const override { return inner_->head(s); }
  Seq trimmed(StreamId s) const override { return inner_->trimmed(s); }
  Seq confirmed(StreamId s) const override { return inner_->confirmed(s); }
  Seq base(StreamId s) const override { return inner_->base(s); }
  std::uint32_t generation(StreamId s) const override { return inner_->generation(s); }
  std::optional<Hash128> chain(StreamId s, Seq n) const override { return inner_->chain(s, n); }
  Result<OutgoingBatches> load(StreamId s, Seq from, Seq last, std::size_t max) override {
    return inner_->load(s, from, last, max);
  }
  std::optional<MissingRange> missing(StreamId s, Seq from) const override {
    return inner_->missing(s, from);
  }
  bool gap_allowed(StreamId s) const override { return inner_->gap_allowed(s); }
  Status set_confirmed(StreamId s, Seq confirmed) override {
    const auto stream = inner_->info(s);
    if (stream && confirmed > stream->confirmed && site_->device->true_answers(process_) == 0)
      site_->oracle->violation(
          "a position is confirmed on connections that have not brought one true answer");
    if (stream && confirmed > stream->confirmed)
      site_->oracle->confirmed(setup_->number, stream->lsn_of(confirmed), setup_->link.ask != AskMode::kOff);
    return inner_->set_confirmed(s, confirmed);
  }
  Status fork(StreamId s, std::uint32_t g, Seq base) override {
    site_->oracle->forked(inner_->journal_id(), s, g, base);
    return inner_->fork(s, g, base);
  }
  Status note(const LedgerNote& entry) override {
    if (entry.kind == "gap") owner_->tell_unreadable();
    if (const auto stream = inner_->info(entry.stream); stream && entry.kind == "gap")
      site_->oracle->gap_declared(setup_->number, stream->lsn_of(entry.from), stream->lsn_of(entry.to));
    return inner_->note(entry);
  }
  Status ended(StreamId s) override { return inner_->ended(s); }

 private:
  NearStore* inner_;
  SenderMachine* owner_;
  Site* site_;
  const SenderSetup* setup_;
  ProcessId process_;
};

struct SenderMachine::Process {
  explicit Process(const SimLoop& of) : loop(of) {}

  SimLoop loop;
  StreamState state;
  std::unique_ptr<Journal> journal;
  std::unique_ptr<NearStore> store;
  std::unique_ptr<WatchedStore> watched;
  std::unique_ptr<AirGapConnector> connector;
};

SenderMachine::SenderMachine(Site* site, const SenderSetup& setup, std::uint64_t seed)
    : Machine(site, "sender " + std::to_string(setup.number), seed), setup_(setup) {}
SenderMachine::~SenderMachine() = default;

Status SenderMachine::start() {
  run_ = std::make_unique<Process>(SimLoop(site_->queue, site_->device, process_));
  Process& p = *run_;
  auto opened = Journal::open(env(), journal_options(setup_.journal), &p.state);
  if (!opened.ok()) return std::move(opened).error();
  p.journal = std::move(opened).value();
  say_recovered();
  if (!p.journal->damaged().empty() && !site_->oracle->holding(setup_.number).rotted)
    site_->oracle->violation("the sender's journal reports damage though no bit of its disk was flipped: " +
                             p.journal->damaged().front().reason);
  tell_unknown();  // of a command, or of the append in which the last process died
  site_->oracle->reopened(setup_.number, p.journal->id(), p.journal->first_lsn(), p.journal->head());
  tell_unreadable();
  tell_released();  // a crash in the midst of a trim
  NearStoreOptions options;
  options.sender_id = setup_.sender_id;
  options.retention.window = setup_.journal.window;
  options.gap_allowed = [this](StreamId) { return setup_.declare_gaps; };
  p.store = std::make_unique<NearStore>(env(), p.journal.get(), &p.state, options);
  TG_CHECK(p.store->recover());
  tell_unknown();
  TG_CHECK(p.store->ensure_stream("live"));
  for (const StreamId id : p.store->streams()) {
    const NearStream s = *p.store->info(id);
    site_->say(name_ + ": stream " + std::to_string(id) + " numbers " + std::to_string(s.first_lsn) + ".." +
               (s.end_lsn == 0 ? std::string() : std::to_string(s.end_lsn)) + ", confirmed " +
               std::to_string(s.confirmed) + ", generation " + std::to_string(s.generation));
    site_->oracle->numbered(p.journal->id(), id, s.first_lsn - 1);
  }
  p.watched = std::make_unique<WatchedStore>(p.store.get(), this);
  AirGapConnectorOptions connector{{"gatekeeper", 9780}, {}, setup_.link};
  p.connector = std::make_unique<AirGapConnector>(
      &p.loop, &clock_, &random_, p.watched.get(), connector, [this](const TxNotice& note) {
        if (site_->trace) site_->say(name_ + (note.alarm ? ": ALARM " : ": ") + note.text);
      });
  p.connector->start();
  every(20 * kSecond, [this] {
    look_at(run_->store->maintain());
    look_at(run_->journal->mark_idle());
  });
  every(setup_.journal.quota_bytes != 0 ? 10 * kSecond : 150 * kSecond, [this] { keep_house(); });
  if (waiting_ > 0) produce_now();
  return {};
}

Oracle::LiveSender SenderMachine::live() const {
  Oracle::LiveSender out{*journal_id(), {}};
  for (const DamagedRange& d : run_->journal->damaged()) out.damage.push_back({d.first, d.last});
  for (const LedgerEntry& e : run_->state.ledger_recent())
    if (e.kind == ledger_kind::kDamage) out.damage.push_back({e.from, e.to});
  return out;
}

void SenderMachine::destroy() {
  run_.reset();
  retry_planned_ = false;
}

Journal* SenderMachine::journal() const {
  return run_ ? run_->journal.get() : nullptr;
}

void SenderMachine::rolled_back(const Image& image) {
  spare_ = 0;
  site_->oracle->rolled_back(setup_.number, image.holding);
}

void SenderMachine::replaced() {
  spare_ = 0;
  site_->oracle->replaced(setup_.number);
}

Machine::Image SenderMachine::image() {
  Image out = Machine::image();
  out.holding = site_->oracle->holding(setup_.number);
  return out;
}

void SenderMachine::clone_from(const Image& image) {
  files_.restore(image.disk);
  made_ = 1'000'000ULL * static_cast<std::uint64_t>(setup_.number + 1);
  site_->oracle->rolled_back(setup_.number, image.holding);
}

// A disk error that the journal could not get over ends the process, as systemd then starts it again.
void SenderMachine::look_at(const Status& status) {
  if (status.ok() || status.error().code == ErrorCode::kNoSpace) return;
  restart_soon(status.error().text());
}

// What the journal holds that nobody was told of: a process may die inside an append that reached its disk;
// and damage behind which a new stream begins becomes an event, which has to cross as any batch.
void SenderMachine::tell_unknown() {
  Journal& journal = *run_->journal;
  const Lsn known = site_->oracle->head(setup_.number);
  if (!journal.sync().ok() || journal.head() <= known) return;
  Journal::Reader reader = journal.reader(known + 1);
  for (auto record = reader.next(); record.ok() && *record; record = reader.next()) {
    const Record& r = **record;
    if (r.meta.hashes == offered_) {
      for (std::uint32_t i = 0; i < r.meta.count; ++i)
        site_->oracle->appended(setup_.number, journal.id(), r.meta.first_lsn + i, offered_[i]);
      continue;
    }
    const auto decoded = decode_container(r.meta.codec, r.meta.decoded_size, r.container, 1 << 20);
    EventKind kind{};
    if (!decoded.ok() || decoded->batches.size() != 1 || !read_head(decoded->batches[0], &kind).ok() ||
        kind != EventKind::kGap)
      return site_->oracle->violation("the sender's journal holds a batch that nobody gave to it");
    site_->oracle->appended(setup_.number, journal.id(), r.meta.first_lsn, r.meta.hashes[0]);
    site_->oracle->acknowledged(setup_.number, r.meta.first_lsn, r.meta.first_lsn);
  }
}

void SenderMachine::tell_unreadable() {
  if (!up() || run_->journal == nullptr || !site_->oracle->holding(setup_.number).rotted) return;
  const Journal& journal = *run_->journal;
  std::vector<LsnRange> ranges;
  for (const DamagedRange& range : journal.damaged()) ranges.push_back({range.first, range.last});
  Journal::Reader reader = journal.reader(journal.first_lsn());
  for (;;) {
    const auto record = reader.next();
    if (record.ok() && !*record) break;
    if (record.ok()) continue;
    if (!record.error().sequence || *record.error().sequence <= reader.position()) break;
    ranges.push_back({reader.position(), *record.error().sequence - 1});
    reader.skip_to(*record.error().sequence);
  }
  site_->oracle->unreadable(setup_.number, ranges);
}

// ---- producers

Batch SenderMachine::make_content(std::uint32_t largest) {
  const std::uint64_t number = ++made_;
  const std::string source = name_ + "/" + std::to_string(random_.next()) + "/" + std::to_string(number);
  if (number % 4 == 0) {
    BatchBuilder builder(source, TimeUnit::kNanosecond);
    const TagView tag{"unit", "7"};
    FieldView field;
    field.name = "value";
    field.value.f64 = static_cast<double>(number);
    for (std::int64_t i = 0; i < 4; ++i) {
      RowView row;
      row.database = "plant";
      row.table = "boiler";
      row.tags = {&tag, 1};
      row.fields = {&field, 1};
      row.time = site_->queue->now() + i;
      if (!builder.add(row).ok()) break;
    }
    return builder.build();
  }
  Bytes body(8 + random_.below(largest));
  random_.fill(body);
  return make_batch(BatchHead{TimeUnit::kSecond, 0, source}, EventKind::kOpaque, {{"sim", std::move(body)}});
}

void SenderMachine::produce(std::uint32_t count, std::uint32_t largest) {
  waiting_ += count;
  largest_ = largest;
  if (!up() || run_->journal == nullptr) return;
  site_->queue->run_as(process_, [&] { produce_now(); });
}

void SenderMachine::produce_now() {
  Journal& journal = *run_->journal;
  const Lsn first = journal.head() + 1;
  Status status;
  while (waiting_ > 0 && status.ok()) {
    const std::uint32_t together =
        std::min<std::uint32_t>(waiting_, 1 + static_cast<std::uint32_t>(random_.below(3)));
    std::vector<Batch> batches;
    std::vector<ByteView> views;
    RecordMeta meta;
    for (std::uint32_t i = 0; i < together; ++i) batches.push_back(make_content(largest_));
    for (const Batch& batch : batches) {
      views.emplace_back(batch.canonical);
      meta.hashes.push_back(batch.hash);
      meta.events += batch.summary.events;
    }
    auto container = encode_container(random_.chance(1, 32) ? Codec::kZstd : Codec::kList, views);
    if (!container.ok()) return restart_soon(container.error().text());
    meta.count = together;
    meta.codec = container->codec;
    meta.decoded_size = container->decoded_size;
    offered_ = meta.hashes;
    const auto lsn = journal.append(std::move(meta), container->bytes);
    if (!lsn.ok()) {
      status = lsn.error();
      break;
    }
    for (std::uint32_t i = 0; i < together; ++i)
      site_->oracle->appended(setup_.number, journal.id(), *lsn + i, batches[i].hash);
    waiting_ -= together;
  }
  const Lsn last = journal.head();
  if (last >= first) {
    const Status synced = journal.sync();
    if (!synced.ok()) return restart_soon(synced.error().text());
    site_->oracle->acknowledged(setup_.number, first, last);
    run_->connector->notify_batches();
  }
  if (status.ok()) return;
  if (status.error().code != ErrorCode::kNoSpace) return restart_soon(status.error().text());
  const JournalSpace space = journal.space();
  if (space.quota != 0 && space.used > space.quota / 2) ++refusals_;
  if (retry_planned_) return;
  retry_planned_ = true;  // the producer is told to come again
  site_->queue->after(10 * kSecond, process_, [this] {
    retry_planned_ = false;
    produce_now();
  });
}

// ---- retention

// As the daemon does it; without a quota it has time.
void SenderMachine::keep_house() {
  const JournalSpace space = run_->journal->space();
  if (space.quota == 0 ? run_->journal->segments().size() > 1 : space.used > space.quota / 2)
    run_->connector->request_confirm();
  trim();
}

void SenderMachine::trim() {
  tell_unreadable();
  spare_ = std::max(spare_, behind_share());
  const auto freed = run_->store->apply_retention(clock_.wall_micros());
  if (!freed.ok()) {
    if (freed.error().code != ErrorCode::kDamaged) look_at(freed.error());
    return;
  }
  if (*freed > 0 && run_->journal->first_lsn() <= spare_ + 1) ++trims_by_share_;
  tell_released();
}

// The last LSN behind which a fifth of the quota is filled with what was answered.
Lsn SenderMachine::behind_share() const {
  const std::uint64_t quota = setup_.journal.quota_bytes;
  Lsn answered = run_->journal->head();
  for (const StreamId id : run_->store->streams())
    if (const auto s = run_->store->info(id)) answered = std::min(answered, s->lsn_of(s->confirmed));
  std::uint64_t behind = 0;
  const auto segments = run_->journal->segments();
  for (auto it = segments.rbegin(); quota != 0 && it != segments.rend(); ++it) {
    if (behind >= quota / 5 && it->last_lsn <= answered) return it->last_lsn;
    if (it->first_lsn <= answered) behind += it->bytes;
  }
  return 0;
}

void SenderMachine::tell_released() {
  const bool may_ask = setup_.link.ask != AskMode::kOff;
  const Nanos window = setup_.journal.window.micros * kMicrosecond;
  site_->oracle->released(setup_.number, run_->journal->first_lsn(),
                          may_ask ? -1 : site_->queue->now() - window, may_ask ? 0 : spare_);
}

// ---- state

std::optional<Id> SenderMachine::journal_id() const {
  if (!run_ || !run_->journal) return std::nullopt;
  return run_->journal->id();
}

const SenderLink* SenderMachine::link() const {
  return run_ && run_->connector ? &run_->connector->link() : nullptr;
}
NearStore* SenderMachine::store() {
  return run_ ? run_->store.get() : nullptr;
}

bool SenderMachine::quiet() const {
  if (link() == nullptr || waiting_ > 0 || link()->state() != LinkState::kRun) return false;
  for (const SenderStreamView& s : link()->streams())
    if (s.state != "sending" || s.soft < s.head || s.confirmed < s.head) return false;
  return true;
}

// ---- the operator

// As its manual says: stop the daemon, `tidegate adopt`, start it.
void SenderMachine::adopt() {
  if (!up()) return;
  site_->say(name_ + ": the operator adopts the journal on this box");
  std::map<StreamId, Seq> bases;
  const std::uint64_t session = run_->store->session();
  for (const StreamId stream : run_->store->streams()) {
    bases[stream] = run_->store->confirmed(stream);
    // It may die in mid-work: then some are forked.
    site_->oracle->forked(run_->journal->id(), stream, run_->store->generation(stream) + 1, bases[stream]);
  }
  run_command([&] {
    const auto report = adopt_sender(env(), journal_options(setup_.journal), false);
    if (!report.ok()) return site_->say(name_ + ": cannot adopt: " + report.error().text());
    if (report->session <= session)
      site_->oracle->violation("the journal was adopted and its session is not newer");
    // The command knows what the disk says: a flipped bit may have hit the note of the confirmed position.
    if (site_->oracle->holding(setup_.number).rotted) return;
    for (const auto& stream : report->streams)
      if (bases.contains(stream.is) && bases[stream.is] != stream.base)
        site_->oracle->violation("the journal was adopted and stream " + std::to_string(stream.is) +
                                 " forks at " + std::to_string(stream.base) + ", not at its confirmed " +
                                 std::to_string(bases[stream.is]));
  });
}

void SenderMachine::declare_gap(StreamId stream) {
  if (!up()) return;
  site_->say(name_ + ": the operator declares the gap of stream " + std::to_string(stream));
  site_->queue->run_as(process_, [&] {
    run_->connector->with_link([&](SenderLink& link, LinkNanos now) { link.declare_gap(stream, now); });
  });
}

void SenderMachine::fork_at(StreamId stream, Seq base) {
  if (!up()) return;
  site_->say(name_ + ": the operator forks stream " + std::to_string(stream) + " at " + std::to_string(base));
  site_->queue->run_as(process_, [&] {
    run_->connector->with_link(
        [&](SenderLink& link, LinkNanos now) { (void)link.fork_at(stream, base, now); });
  });
}

void SenderMachine::trim_by_force(Lsn up_to) {
  site_->say(name_ + ": the operator trims up to " + std::to_string(up_to));
  site_->queue->run_as(process_, [&] {
    if (const auto freed = run_->journal->trim(up_to); !freed.ok()) restart_soon(freed.error().text());
    site_->oracle->released(setup_.number, run_->journal->first_lsn(), site_->queue->now(), 0);
  });
}

void SenderMachine::add_stream(Lsn first_lsn) {
  site_->queue->run_as(process_, [&] {
    if (const auto stream = run_->store->create_stream("second", first_lsn); !stream.ok())
      restart_soon(stream.error().text());
    run_->connector->notify_batches();
  });
}

void SenderMachine::confirm_and_trim() {
  if (!up()) return;
  site_->queue->run_as(process_, [&] {
    run_->connector->request_confirm();
    trim();
  });
}

}  // namespace tidegate::sim
