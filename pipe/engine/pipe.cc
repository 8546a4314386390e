// SPDX-License-Identifier: Apache-2.0
#include "pipe/engine/pipe.h"

#include "base/crash_point.h"
#include "base/log.h"

#include <algorithm>

namespace tidegate {
namespace {

// The opaque state in the position store: version u8 = 2, dead letters: number u32, length u64, connector key
// u64, connector state: the rest.
constexpr std::uint8_t kStateVersion = 2;

Bytes pack_state(const DeadLetters::Mark& mark, std::uint64_t connector_key, ByteView connector_state) {
  Bytes out;
  ByteWriter writer(out);
  writer.u8(kStateVersion);
  writer.u32(mark.number);
  writer.u64(mark.length);
  writer.u64(connector_key);
  writer.bytes(connector_state);
  return out;
}

// The state of another connector says nothing to this one.
Status unpack_state(ByteView state, std::uint64_t connector_key, DeadLetters::Mark* mark,
                    Bytes* connector_state) {
  ByteReader reader(state);
  const std::uint8_t version = reader.u8();
  mark->number = reader.u32();
  mark->length = reader.u64();
  const std::uint64_t key = reader.u64();
  if (!reader.ok()) return make_error(ErrorCode::kTruncated, "the stored state of the pipe");
  if (version != kStateVersion) {
    return make_error(ErrorCode::kUnsupported,
                      "stored state of version " + std::to_string(version) + ", known is 2");
  }
  if (key == connector_key) *connector_state = to_bytes(reader.rest());
  return {};
}

// Errors that do not go away by waiting (C9).
bool needs_operator(ErrorCode code) {
  switch (code) {
    case ErrorCode::kUnauthorized:
    case ErrorCode::kInvalidConfiguration:
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kIdentity:
    case ErrorCode::kRefused:
    case ErrorCode::kTooLarge:
    case ErrorCode::kUnsupported:
      return true;
    default:
      return false;
  }
}

std::int64_t to_ns(std::int64_t time, TimeUnit unit) {
  constexpr std::int64_t kScale[] = {1'000'000'000, 1'000'000, 1'000, 1};
  std::int64_t out;
  if (__builtin_mul_overflow(time, kScale[static_cast<std::size_t>(unit)], &out)) {
    return time < 0 ? INT64_MIN : INT64_MAX;
  }
  return out;
}

PipeOptions named(PipeOptions options) {
  options.dead_letters.pipe = options.name;
  return options;
}

}  // namespace

std::string_view pipe_state_name(PipeState state) {
  return state == PipeState::kRunning ? "RUNNING" : "STOPPED";
}

Pipe::Pipe(Env env, PipeOptions options, RecordSource& source, PositionStore& positions, Connector& connector)
    : env_(env),
      options_(named(std::move(options))),
      source_(source),
      positions_(positions),
      connector_(connector),
      reader_(source, {options_.own_ids, options_.end_at}),
      dead_letters_(env, options_.dead_letters),
      backoff_(*env.random, options_.first_backoff, options_.longest_backoff),
      log_(options_.name) {
  status_.name = options_.name;
  status_.connector = connector_.describe();
}

Pipe::~Pipe() = default;

Bytes Pipe::first_state() {
  return pack_state({}, 0, {});
}

Status Pipe::open() {
  auto stored = positions_.get(options_.name);
  if (!stored.ok()) return std::move(stored).error().in_pipe(options_.name);
  if (!stored->has_value()) {
    // Stored before anything is delivered, so that a crash in the first delivery finds where its dead letters
    // began.
    TG_CHECK(dead_letters_.open(std::nullopt));
    TG_CHECK(positions_.set(options_.name, options_.start_after,
                            pack_state(dead_letters_.mark(), options_.connector_key, {})));
    position_ = options_.start_after;
  } else {
    DeadLetters::Mark mark;
    Status unpacked = unpack_state((*stored)->state, options_.connector_key, &mark, &state_);
    if (!unpacked.ok()) return std::move(unpacked).error().in_pipe(options_.name).at_sequence((*stored)->lsn);
    TG_CHECK(dead_letters_.open(mark));
    position_ = (*stored)->lsn;
  }
  const std::scoped_lock lock(mutex_);
  status_.position = status_.durable_position = position_;
  return {};
}

Wake Pipe::step() {
  {
    const std::scoped_lock lock(mutex_);
    if (status_.state == PipeState::kStopped) return {kNever, false};
  }
  if (stopping_) return {kNever, false};
  if (env_.clock->now() < retry_at_) return {retry_at_, false};
  if (delivered_.has_value()) {
    if (auto wait = finish_delivery()) return *wait;
  }
  if (auto wait = tell_letters()) return *wait;
  if (store_now_ || store_due(env_.clock->now())) {
    if (auto wait = store_position()) return *wait;
  }
  if (auto wait = open_connector()) return *wait;
  if (auto wait = end_of_history()) return *wait;
  if (const Nanos until = gathers_until(); until > 0) return idle(until);
  if (auto wait = fetch()) return *wait;
  return run_.has_value() ? deliver() : idle(kNever);
}

std::optional<Wake> Pipe::open_connector() {
  if (connector_open_) return std::nullopt;
  if (Status opened = connector_.open(position_, state_); !opened.ok()) return fail(opened.error());
  connector_open_ = true;
  return std::nullopt;
}

std::optional<Wake> Pipe::end_of_history() {
  if (position_ < options_.end_at) return std::nullopt;
  if (unstored_since_.has_value()) {
    if (auto wait = store_position()) return wait;
  }
  const std::scoped_lock lock(mutex_);
  status_.state = PipeState::kStopped;
  status_.message = kHistoryFinished;
  log_info("pipe", options_.name + " has delivered its history up to LSN " + std::to_string(position_));
  return Wake{kNever, false};
}

// Until when the data that is there waits for more of it; 0: it does not. The bytes of the journal are
// compressed, so "enough" is told rather late than early.
Nanos Pipe::gathers_until() {
  const Nanos delay = connector_.gather_delay();
  const Lsn durable = source_.durable();
  if (delay <= 0 || run_.has_value() || position_ < ripe_ || durable <= position_) return 0;
  const Nanos now = env_.clock->now();
  if (!gathers_since_.has_value()) gathers_since_ = now;
  if (now - *gathers_since_ < delay && source_.bytes_behind(position_) < connector_.preferred_bytes())
    return *gathers_since_ + delay;
  ripe_ = durable;
  gathers_since_.reset();
  return 0;
}

std::optional<Wake> Pipe::fetch() {
  if (!run_.has_value()) {
    auto next = reader_.next(position_, connector_.preferred_bytes());
    if (!next.ok()) return fail(next.error());
    run_ = std::move(next).value();
    loss_told_ = false;
  }
  if (!run_.has_value() || !run_->loss.has_value() || loss_told_) return std::nullopt;
  const Loss& loss = *run_->loss;
  if (options_.on_loss) {
    if (Status told = options_.on_loss(loss); !told.ok()) return fail(told.error());
  }
  loss_told_ = true;
  std::string warning =
      "lost LSN " + std::to_string(loss.first) + ".." + std::to_string(loss.last) + ": " + loss.text;
  log_.lost(warning);
  const std::scoped_lock lock(mutex_);
  status_.counters.lost_lsns += loss.last - loss.first + 1;
  status_.warning = std::move(warning);
  return std::nullopt;
}

// Nothing to deliver before `until`, but for what the connector wants to do by the clock.
Wake Pipe::idle(Nanos until) {
  const Nanos wish = connector_.wake_at();  // read before the clock: it may be made of the same clock
  if (wish <= env_.clock->now()) {
    run_.emplace();
    run_->last = position_;
    return deliver();
  }
  backoff_.reset();
  publish();
  Nanos at = std::min(wish, until);
  if (unstored_since_.has_value()) at = std::min(at, *unstored_since_ + options_.store_interval);
  return {at, true};
}

Wake Pipe::deliver() {
  // A run that was left out as a whole (it has been here before) does not concern the target.
  if (run_->batches.empty() && run_->last > position_) {
    DeliverResult nothing;
    nothing.state = state_;
    return take(std::move(nothing));
  }
  return take(connector_.deliver(run_->batches, [this] { return stopping_.load(); }));
}

Wake Pipe::take(DeliverResult result) {
  if (result.kind == DeliverResult::Kind::kDelivered) {
    delivered_ = std::move(result);
    if (auto wait = finish_delivery()) return *wait;
    if (auto wait = tell_letters()) return *wait;
    if (store_now_ || store_due(env_.clock->now())) {
      if (auto wait = store_position()) return *wait;
    }
    return {0, true};
  }
  connector_open_ = false;
  if (stopping_) return {kNever, false};
  if (result.kind == DeliverResult::Kind::kStop) return halt(std::move(result.message));
  return back_off(std::move(result.message), result.retry_after);
}

// The target has it; now the dead letters, then the position in memory.
std::optional<Wake> Pipe::finish_delivery() {
  DeliverResult& result = *delivered_;
  if (Status written = dead_letters_.append(result.dead); !written.ok()) return fail(written.error());
  count(*run_, result);
  untold_letters_ += result.dead.size();
  store_now_ = store_now_ || !result.state.empty() || !result.dead.empty() || run_->loss.has_value();
  if (run_->last != position_ || store_now_) {
    if (!unstored_since_.has_value()) unstored_since_ = env_.clock->now();
    unstored_bytes_ += run_->bytes;
  }
  position_ = run_->last;
  state_ = std::move(result.state);
  if (!run_->batches.empty()) note_ = std::move(result.message);
  delivered_.reset();
  run_.reset();
  backoff_.reset();
  publish();
  return std::nullopt;
}

std::optional<Wake> Pipe::tell_letters() {
  if (untold_letters_ == 0) return std::nullopt;
  if (options_.on_dead_letters) {
    const std::string file = dead_letters_.path(dead_letters_.mark().number);
    if (Status told = options_.on_dead_letters(untold_letters_, file); !told.ok()) return fail(told.error());
  }
  untold_letters_ = 0;
  return std::nullopt;
}

void Pipe::count(const Run& run, const DeliverResult& result) {
  const std::scoped_lock lock(mutex_);
  PipeCounters& counters = status_.counters;
  counters.batches += run.batches.size();
  counters.written_events += result.written_events;
  counters.skipped_events += result.skipped_events;
  counters.dead_letters += result.dead.size();
  counters.own_hops += run.own_hops;
  for (const DeliverableBatch& batch : run.batches) {
    counters.events += batch.summary.events;
    counters.values += batch.summary.values;
    if (batch.summary.kind != EventKind::kRows) continue;
    const std::int64_t newest = to_ns(batch.summary.time_max, batch.summary.unit);
    status_.newest_event_ns = std::max(status_.newest_event_ns.value_or(newest), newest);
  }
}

bool Pipe::store_due(Nanos now) const {
  return unstored_since_.has_value() &&
         (now - *unstored_since_ >= options_.store_interval || unstored_bytes_ >= options_.store_bytes);
}

std::optional<Wake> Pipe::store_position() {
  crash_point("pipe.delivered");
  const Status stored = positions_.set(options_.name, position_,
                                       pack_state(dead_letters_.mark(), options_.connector_key, state_));
  if (!stored.ok()) return fail(stored.error());
  crash_point("pipe.position-stored");
  store_now_ = false;
  unstored_since_.reset();
  unstored_bytes_ = 0;
  const std::scoped_lock lock(mutex_);
  status_.durable_position = position_;
  return std::nullopt;
}

// Nothing is in its way: the message goes, but for what the connector has to say.
void Pipe::publish() {
  log_.goes_on(env_.clock->now());
  const std::scoped_lock lock(mutex_);
  status_.position = position_;
  status_.message = note_;
}

Wake Pipe::fail(const Error& error) {
  Error named_error = error;
  named_error.pipe = options_.name;
  return needs_operator(error.code) ? halt(named_error.text()) : back_off(named_error.text());
}

Wake Pipe::back_off(std::string message, Nanos wish) {
  const Nanos now = env_.clock->now();
  retry_at_ = now + backoff_.next(wish);
  log_.waits(now, message);
  const std::scoped_lock lock(mutex_);
  ++status_.counters.retries;
  status_.message = std::move(message);
  return {retry_at_, false};
}

Wake Pipe::halt(std::string message) {
  log_.stops(message);
  const std::scoped_lock lock(mutex_);
  status_.state = PipeState::kStopped;
  status_.message = std::move(message);
  return {kNever, false};
}

void Pipe::start() {
  retry_at_ = 0;
  backoff_.reset();
  const std::scoped_lock lock(mutex_);
  if (status_.state == PipeState::kStopped) log_.started();
  status_.state = PipeState::kRunning;
  status_.message.clear();
}

Status Pipe::close() {
  if (delivered_.has_value() && finish_delivery().has_value()) {
    return make_error(ErrorCode::kIo,
                      "the dead letters of the last delivery are not written: " + status().message);
  }
  if (unstored_since_.has_value() && store_position().has_value()) {
    return make_error(ErrorCode::kIo, "the position is not stored: " + status().message);
  }
  if (connector_open_) connector_.close();
  connector_open_ = false;
  return {};
}

PipeStatus Pipe::status() const {
  PipeStatus out = [this] {
    const std::scoped_lock lock(mutex_);
    return status_;
  }();
  const Lsn durable = source_.durable();
  out.lag_lsns = durable > out.position ? durable - out.position : 0;
  out.lag_bytes = out.lag_lsns == 0 ? 0 : source_.bytes_behind(out.position);
  return out;
}

Lsn Pipe::durable_position() const {
  const std::scoped_lock lock(mutex_);
  return status_.durable_position;
}

}  // namespace tidegate
