// SPDX-License-Identifier: Apache-2.0
#include "pipe/engine/pipe_manager.h"

#include <algorithm>
#include <set>
#include <thread>

#include "base/log.h"
#include "base/nearest.h"
#include "pipe/engine/pipe_manager_impl.h"
#include "pipe/engine/pipe_name.h"
#include "pipe/engine/target_carrier.h"

namespace tidegate {
namespace {

std::string folded(std::string_view name) {
  std::string out(name);
  std::ranges::transform(out, out.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? char(c + 32) : c; });
  return out;
}

// Of what a part of a pipe is.
std::uint64_t key_of(std::initializer_list<const Attributes*> parts) {
  Bytes text;
  ByteWriter writer(text);
  for (const Attributes* part : parts) {
    writer.str32(part->plugin);
    writer.u32(static_cast<std::uint32_t>(part->values.size()));
    for (const auto& [name, value] : part->values) writer.str32(name), writer.str32(value);
  }
  return ByteReader(xxh3_128(text).view()).u64();
}

// Where a pipe stands in this journal, whatever has carried it so far: positions only move forward.
std::optional<Lsn> known_position(const StreamState& state, const std::string& pipe) {
  std::optional<Lsn> out;
  if (const auto note = state.pipe_position(pipe)) out = note->lsn;
  for (const NearStream& stream : state.near_streams())
    if (stream.label == pipe) out = std::max(out.value_or(0), stream.lsn_of(stream.confirmed));
  return out;
}

Error no_server() {
  return make_error(ErrorCode::kUnsupported, "this daemon listens for no sender");
}

Error no_such_pipe(const std::string& name) {
  return make_error(ErrorCode::kNotFound, "there is no pipe " + name);
}

}  // namespace

PipeManager::PipeManager(Env env, PipeManagerOptions options, CarriedJournal main, EngineParts parts)
    : env_(env),
      options_(std::move(options)),
      main_(main),
      parts_(std::move(parts)),
      events_(*main.journal) {}

PipeManager::~PipeManager() = default;

PipeManager::ManagedPtr PipeManager::find(const std::string& name) const {
  const std::scoped_lock lock(mutex_);
  const auto it = pipes_.find(folded(name));
  return it == pipes_.end() ? nullptr : it->second;
}

std::vector<PipeManager::ManagedPtr> PipeManager::all() const {
  const std::scoped_lock lock(mutex_);
  std::vector<ManagedPtr> out;
  for (const auto& [name, pipe] : pipes_) out.push_back(pipe);
  return out;
}

std::string PipeManager::outbox_directory(const std::string& name) const {
  return options_.data_dir + "/outbox/" + folded(name);
}

// ---- what can be known before anything is done

std::vector<PluginInfo> PipeManager::plugins() const {
  std::vector<PluginInfo> out;
  for (const PluginKind kind : {PluginKind::kExtractor, PluginKind::kProcessor, PluginKind::kConnector})
    for (PluginInfo& plugin : parts_.plugins(kind)) out.push_back(std::move(plugin));
  return out;
}

Result<PluginInfo> PipeManager::find_plugin(PluginKind kind, const std::string& name) const {
  const std::string wanted = folded(name);
  std::string known;
  std::vector<std::string> names;
  for (PluginInfo& plugin : parts_.plugins(kind)) {
    if (plugin.name == wanted || std::ranges::find(plugin.aliases, wanted) != plugin.aliases.end())
      return std::move(plugin);
    known += (known.empty() ? "" : ", ") + plugin.name;
    names.push_back(plugin.name);
    names.insert(names.end(), plugin.aliases.begin(), plugin.aliases.end());
  }
  const std::string* near = nearest_word(wanted, names);
  return make_error(ErrorCode::kInvalidArgument,
                    "there is no " + std::string(plugin_kind_name(kind)) + " '" + name + "'" +
                        (near == nullptr ? "" : ", did you mean '" + *near + "'?") + "; known: " + known);
}

Result<PipeSpec> PipeManager::check(PipeSpec spec) const {
  TG_CHECK(check_pipe_name(spec.name));
  if (spec.extractor.plugin.empty()) spec.extractor.plugin = "iotdb-extractor";
  if (spec.processor.plugin.empty()) spec.processor.plugin = "do-nothing-processor";
  TG_TRY(const PluginInfo extractor, find_plugin(PluginKind::kExtractor, spec.extractor.plugin));
  TG_CHECK(check_attributes(spec.extractor, extractor));
  TG_TRY(spec.extractor, with_own_names(spec.extractor, extractor));
  TG_TRY([[maybe_unused]] const ExtractPlan plan,
         parts_.make_extract_plan(spec.extractor, spec.history_boundary));
  TG_TRY([[maybe_unused]] const auto processor, parts_.make_processor(spec.processor, spec.name));
  TG_TRY([[maybe_unused]] const PluginInfo connector,
         find_plugin(PluginKind::kConnector, spec.connector.plugin));
  TG_TRY(spec.connector, parts_.check_connector(spec.connector, spec.name));
  return spec;
}

Status PipeManager::may_start(const PipeSpec& checked) const {
  TG_TRY(const PluginInfo connector, find_plugin(PluginKind::kConnector, checked.connector.plugin));
  if (folded(read_text(checked.extractor, "realtime.mode")) == "file")
    return make_error(
        ErrorCode::kUnsupported,
        "'extractor.realtime.mode'='file': this version ships no closed segments alone; log and hybrid "
        "ship a backlog in full frames");
  if (connector.unavailable.empty()) return {};
  return make_error(ErrorCode::kUnsupported, connector.name + ": " + connector.unavailable);
}

Status PipeManager::reach(const Attributes& connector) {
  return parts_.reach ? parts_.reach(connector) : Status();
}

// ---- building

PipeOptions PipeManager::pipe_options(const std::string& name) const {
  PipeOptions out;
  out.name = name;
  out.own_ids = options_.own_ids;
  out.dead_letters.directory = options_.data_dir + "/dead-letters";
  out.on_loss = [this, name](const Loss& loss) {
    return options_.write_ledger({.kind = ledger_kind::kGap,
                                  .from = loss.first,
                                  .to = loss.last,
                                  .text = "pipe " + name + ": " + loss.text});
  };
  out.on_dead_letters = [this, name](std::uint64_t letters, const std::string& file) {
    return options_.write_ledger(
        {.kind = ledger_kind::kDeadLetter,
         .amount = letters,
         .text = "pipe " + name + ": refused by the target for good, kept in " + file});
  };
  return out;
}

// Of a pipe that has not run before. What was trimmed of the realtime data becomes a gap event.
Lsn PipeManager::first_position(const Managed& pipe) const {
  if (!pipe.history) return pipe.spec.history_boundary;
  return std::min(main_.journal->first_lsn() - 1, pipe.spec.history_boundary);
}

Status PipeManager::open_outbox(Managed& pipe) {
  if (pipe.outbox) return {};
  TG_TRY(pipe.outbox, Outbox::open(env_, outbox_directory(pipe.spec.name), options_.outbox));
  pipe.outbox_events = std::make_unique<EventCounter>(pipe.outbox->journal());
  TG_TRY(const auto snapshot, pipe.outbox->load());
  if (snapshot) {
    pipe.outbox_stored = snapshot->position;
    pipe.outbox_started = true;
    return {};
  }
  // A pipe that was altered and has read the daemon's journal itself so far.
  const auto before = known_position(*main_.state, pipe.spec.name);
  if (!before) return {};
  OutboxSnapshot first;
  first.position = *before;
  first.pipe_state = Pipe::first_state();
  TG_CHECK(pipe.outbox->save(std::move(first)));
  pipe.outbox_stored = *before;
  pipe.outbox_started = true;
  return {};
}

void PipeManager::make_stage(Managed& pipe) {
  PipeRunParts parts;
  parts.make_runner = parts_.make_runner;
  parts.options = pipe_options(pipe.spec.name);
  parts.options.store_interval = 5 * kSecond;
  parts.make = [this, &pipe]() -> Result<PipeRunParts::Made> {
    TG_TRY(ExtractPlan plan, parts_.make_extract_plan(pipe.spec.extractor, pipe.spec.history_boundary));
    TG_TRY(auto processor, parts_.make_processor(pipe.spec.processor, pipe.spec.name));
    OutboxStage::Hooks hooks;
    hooks.on_output = [&pipe] { pipe.carrier->notify(); };
    hooks.on_stored = [&pipe](Lsn lsn) {
      pipe.outbox_stored = lsn;
      pipe.outbox_started = true;
    };
    hooks.on_unlike = [this, name = pipe.spec.name](const std::string& text) {
      return options_.write_ledger({.kind = ledger_kind::kDuplicates, .text = "pipe " + name + ": " + text});
    };
    auto stage = std::make_unique<OutboxStage>(*pipe.outbox, std::move(plan.selector), std::move(processor),
                                               key_of({&pipe.spec.extractor, &pipe.spec.processor}), hooks);
    PositionStore* positions = stage.get();
    return PipeRunParts::Made{std::move(stage), positions};
  };
  pipe.stage = std::make_unique<PipeRun>(env_, main_, std::move(parts));
}

void PipeManager::make_carrier(Managed& pipe, Lsn start_after, Lsn end_at) {
  CarrierPlan plan{pipe.spec.name, pipe.carried(main_), start_after, end_at, pipe.mode};
  if (parts_.make_link_carrier)
    if ((pipe.carrier = parts_.make_link_carrier(pipe.spec.connector, plan))) return;
  PipeOptions options = pipe_options(pipe.spec.name);
  options.connector_key = key_of({&pipe.spec.connector});
  options.start_after = start_after;
  options.end_at = end_at;
  pipe.carrier = std::make_unique<TargetCarrier>(
      env_, plan.from, [this, &pipe] { return parts_.make_connector(pipe.spec.connector, pipe.spec.name); },
      parts_.make_runner, std::move(options));
}

// Everything but the threads. What is there already (outbox, positions) is taken up again.
Status PipeManager::build(Managed& pipe) {
  TG_TRY(const ExtractPlan plan, parts_.make_extract_plan(pipe.spec.extractor, pipe.spec.history_boundary));
  TG_TRY(const auto processor, parts_.make_processor(pipe.spec.processor, pipe.spec.name));
  pipe.history = plan.history;
  pipe.realtime = plan.realtime;
  pipe.mode = plan.mode;
  constexpr PluginKind kKind = PluginKind::kExtractor;
  pipe.essential = folded(read_text(pipe.spec.extractor, "retention.hold", "essential")) == "essential";
  TG_TRY(pipe.max_bytes, read_bytes(pipe.spec.extractor, kKind, "retention.max-bytes", 0));
  TG_TRY(pipe.max_age, read_duration(pipe.spec.extractor, kKind, "retention.max-age", 0));
  const bool changes = !plan.selector->passes_all() || processor->changes_bytes();
  if (changes || env_.files->exists(outbox_directory(pipe.spec.name))) TG_CHECK(open_outbox(pipe));
  const Lsn end = pipe.realtime ? UINT64_MAX : pipe.spec.history_boundary;
  if (pipe.outbox) {
    make_stage(pipe);
    make_carrier(pipe, known_position(pipe.outbox->state(), pipe.spec.name).value_or(0), UINT64_MAX);
  } else {
    make_carrier(pipe, known_position(*main_.state, pipe.spec.name).value_or(first_position(pipe)), end);
  }
  return {};
}

// ---- changes

void PipeManager::restore(const std::vector<PipeSpec>& pipes) {
  for (const PipeSpec& spec : pipes) {
    if (const Status made = create(spec); !made.ok())
      log_error("pipe", spec.name + " cannot run: " + made.error().text());
  }
}

Status PipeManager::create(const PipeSpec& spec) {
  const std::scoped_lock change(changes_);
  if (find(spec.name)) return make_error(ErrorCode::kAlreadyExists, "pipe " + spec.name);
  auto pipe = std::make_shared<Managed>();
  pipe->spec = spec;
  pipe->message = spec.exception_message;
  const Status built = build(*pipe);
  if (!built.ok()) pipe->say(built.error().text());
  {
    const std::scoped_lock lock(mutex_);
    pipes_[folded(spec.name)] = pipe;
  }
  if (!built.ok() || !spec.running) return built;
  return start_now(*pipe);
}

Status PipeManager::start_now(Managed& pipe) {
  if (!pipe.carrier) TG_CHECK(build(pipe));
  TG_CHECK(stop_now(pipe));  // what stopped by itself, or a start that got half-way
  Status started = may_start(pipe.spec);
  if (started.ok() && pipe.stage) {
    pipe.stage->set_range(first_position(pipe), pipe.realtime ? UINT64_MAX : pipe.spec.history_boundary);
    started = pipe.stage->start();
  }
  if (started.ok()) started = pipe.carrier->start();
  if (!started.ok()) {
    pipe.say(started.error().text());
    return started;
  }
  pipe.say({});
  pipe.stop_told = false;
  pipe.running = true;
  return {};
}

Status PipeManager::stop_now(Managed& pipe) {
  pipe.running = false;
  Status first, second;
  if (pipe.stage) first = pipe.stage->stop();
  if (pipe.carrier) second = pipe.carrier->stop();
  return first.ok() ? second : first;
}

Status PipeManager::start(const std::string& name) {
  const std::scoped_lock change(changes_);
  const ManagedPtr pipe = find(name);
  if (!pipe) return no_such_pipe(name);
  std::string message;
  if (state_of(*pipe, &message) == PipeState::kRunning) return {};
  return start_now(*pipe);
}

Status PipeManager::stop(const std::string& name) {
  const std::scoped_lock change(changes_);
  const ManagedPtr pipe = find(name);
  if (!pipe) return no_such_pipe(name);
  pipe->say({});
  return stop_now(*pipe);
}

// What it has done so far stands in notes, streams and snapshots, and build() finds it there: a crash on the
// way changes nothing.
Status PipeManager::alter(const PipeSpec& spec) {
  const std::scoped_lock change(changes_);
  const ManagedPtr old = find(spec.name);
  if (!old) return no_such_pipe(spec.name);
  const bool was_running = old->running;
  TG_CHECK(stop_now(*old));
  auto pipe = std::make_shared<Managed>();
  pipe->spec = spec;
  pipe->outbox = std::move(old->outbox);
  pipe->outbox_events = std::move(old->outbox_events);
  pipe->outbox_stored = old->outbox_stored.load();
  pipe->outbox_started = old->outbox_started.load();
  Status altered = build(*pipe);
  if (altered.ok() && old->carrier && !old->carrier->is_succeeded_by(*pipe->carrier)) {
    altered = keep_position(*pipe);
    if (altered.ok()) altered = old->carrier->leave();
  }
  if (!altered.ok()) pipe->say(altered.error().text());
  {
    const std::scoped_lock lock(mutex_);
    pipes_[folded(spec.name)] = pipe;
  }
  if (!altered.ok() || !was_running) return altered;
  return start_now(*pipe);
}

// Where the next carrier goes on is written down before the last one forgets where it stood.
Status PipeManager::keep_position(Managed& pipe) {
  const CarriedJournal from = pipe.carried(main_);
  const auto position = known_position(*from.state, pipe.spec.name);
  if (!position) return {};
  PipePositions notes(from.journal, from.state);
  if (const auto note = notes.get(pipe.spec.name); note && note->lsn >= *position) return {};
  TG_CHECK(notes.set(pipe.spec.name, *position, Pipe::first_state()));
  return from.journal->sync();
}

Status PipeManager::drop(const std::string& name) {
  const std::scoped_lock change(changes_);
  const ManagedPtr pipe = find(name);
  if (!pipe) return no_such_pipe(name);
  TG_CHECK(stop_now(*pipe));
  if (pipe->carrier) TG_CHECK(pipe->carrier->leave());
  for (const CarriedJournal& journal : {pipe->carried(main_), main_}) {
    PipePositions notes(journal.journal, journal.state);
    if (!notes.get(pipe->spec.name)) continue;
    TG_CHECK(notes.drop(pipe->spec.name));
    TG_CHECK(journal.journal->sync());
  }
  {
    const std::scoped_lock lock(mutex_);
    pipes_.erase(folded(name));
  }
  const bool had_outbox = pipe->outbox != nullptr;
  pipe->carrier.reset();
  pipe->stage.reset();
  pipe->outbox_events.reset();
  pipe->outbox.reset();
  return had_outbox ? Outbox::remove(*env_.files, outbox_directory(name)) : Status();
}

Status PipeManager::collect_garbage() {
  std::set<std::string> known;
  for (const ManagedPtr& pipe : all()) known.insert(folded(pipe->spec.name));
  PipePositions notes(main_.journal, main_.state);
  for (const auto& [name, position] : main_.state->pipe_positions())
    if (!known.contains(folded(name))) TG_CHECK(notes.drop(name));
  const std::string folder = options_.data_dir + "/outbox";
  if (env_.files->exists(folder)) {
    TG_TRY(const std::vector<std::string> names, env_.files->list(folder));
    for (const std::string& name : names)
      if (!known.contains(name)) TG_CHECK(Outbox::remove(*env_.files, folder + "/" + name));
  }
  return main_.journal->sync();
}

void PipeManager::stop_all() {
  const std::scoped_lock change(changes_);
  const auto tell = [](const std::string& name, const Status& stopped) {
    if (!stopped.ok())
      log_warning("pipe", name + ": stopped in mid-delivery, it is repeated after the start: " +
                              stopped.error().text());
  };
  std::vector<std::jthread> stopping;
  for (const ManagedPtr& pipe : all()) {
    pipe->running = false;
    const bool here = pipe->carrier && !pipe->carrier->stop_waits();
    stopping.emplace_back([pipe, here, tell] {
      if (pipe->stage) tell(pipe->spec.name, pipe->stage->stop());
      if (pipe->carrier && !here) tell(pipe->spec.name, pipe->carrier->stop());
    });
    if (here) tell(pipe->spec.name, pipe->carrier->stop());
  }
}

void PipeManager::close_outboxes() {
  const std::scoped_lock change(changes_);
  for (const ManagedPtr& pipe : all()) {
    if (!pipe->outbox) continue;
    if (const Status closed = pipe->outbox->journal().close(); !closed.ok())
      log_warning("pipe", pipe->spec.name +
                              ": the outbox's clean mark could not be written: " + closed.error().text());
  }
}

void PipeManager::on_automatic_stop(std::function<void(const std::string&, const std::string&)> tell) {
  const std::scoped_lock lock(mutex_);
  tell_stop_ = std::move(tell);
}

// ---- every second

void PipeManager::notify() {
  const std::scoped_lock lock(mutex_);
  for (const auto& [name, pipe] : pipes_) {
    if (!pipe->running) continue;
    if (pipe->stage) {
      pipe->stage->notify();
    } else {
      pipe->carrier->notify();
    }
  }
}

void PipeManager::take_samples(Managed& pipe, Nanos now) const {
  std::string message;
  if (!pipe.carrier) return;
  const bool waits = state_of(pipe, &message) == PipeState::kStopped || !message.empty();
  const Lsn read = pipe.position();
  const Lsn drained = pipe.carrier->status().position;
  const std::scoped_lock lock(pipe.mutex);
  pipe.read.sample(now, read, waits || read >= main_.journal->durable_lsn());
  if (pipe.outbox)
    pipe.drained.sample(now, drained, waits || drained >= pipe.outbox->journal().durable_lsn());
}

void PipeManager::tick() {
  const Nanos now = env_.clock->now();
  std::function<void(const std::string&, const std::string&)> tell;
  {
    const std::scoped_lock lock(mutex_);
    tell = tell_stop_;
  }
  for (const ManagedPtr& pipe : all()) {
    if (pipe->carrier) pipe->carrier->tick();
    take_samples(*pipe, now);
    std::string message;
    if (pipe->running && state_of(*pipe, &message) == PipeState::kStopped &&
        !pipe->stop_told.exchange(true) && tell)
      tell(pipe->spec.name, message);
    if (!pipe->outbox) continue;
    RetentionPolicy policy;
    policy.window = options_.window;
    policy.holds = [](const std::string&) { return true; };
    const auto freed =
        apply_retention(pipe->outbox->journal(), pipe->outbox->state(), policy, env_.clock->wall_micros());
    if (!freed.ok()) pipe->say("retention of the outbox: " + freed.error().text());
  }
}

std::optional<PipeServerView> PipeManager::server() const {
  return parts_.server ? std::optional(parts_.server()) : std::nullopt;
}
Status PipeManager::start_server() {
  return parts_.start_server ? parts_.start_server() : no_server();
}
Status PipeManager::stop_server() {
  return parts_.stop_server ? parts_.stop_server() : no_server();
}

}  // namespace tidegate
