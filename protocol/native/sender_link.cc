// SPDX-License-Identifier: Apache-2.0
// The session: connect, calibrate, hello, run, doubt.
#include "protocol/native/sender_link.h"

#include "protocol/native/planted.h"
#include "protocol/native/sender_link_impl.h"

namespace tidegate {

const char* link_state_name(LinkState state) {
  switch (state) {
    case LinkState::kDown:
      return "DOWN";
    case LinkState::kConnect:
      return "CONNECT";
    case LinkState::kCalibrate:
      return "CALIBRATE";
    case LinkState::kHello:
      return "HELLO";
    case LinkState::kRun:
      return "RUN";
    case LinkState::kDoubt:
      return "DOUBT";
    case LinkState::kFenced:
      return "STOPPED: fenced";
  }
  return "?";
}

SenderLink::SenderLink(SenderLinkOptions options, SenderStore* store, Random* random)
    : options_(std::move(options)), store_(store), random_(random) {
  for (LaneId i = 0; i < std::max<LaneId>(options_.lanes, 1); ++i) {
    lanes_.push_back(std::make_unique<Lane>());
    lanes_.back()->id = i;
  }
  tokens_ = static_cast<double>(options_.wire_limit);
}
SenderLink::~SenderLink() = default;

// ---- inputs

void SenderLink::start(LinkNanos now) {
  now_ = tokens_at_ = now;
  started_ = true;
  step();
}

void SenderLink::on_connected(LaneId lane, LinkNanos now) {
  now_ = now;
  lanes_.at(lane)->connected = true;
  step();
}

void SenderLink::on_closed(LaneId lane, const std::string& reason, LinkNanos now) {
  now_ = now;
  if (state_ == LinkState::kDown || state_ == LinkState::kDoubt || state_ == LinkState::kFenced) return;
  doubt("lane " + std::to_string(lane) + " was closed: " + reason);
}

void SenderLink::on_bytes(LaneId lane_id, ByteView answers, LinkNanos now) {
  now_ = now;
  for (const std::uint8_t byte : answers) {
    if (state_ == LinkState::kDown || state_ == LinkState::kDoubt || state_ == LinkState::kFenced) return;
    if (byte != options_.answer_ok && byte != options_.answer_fail)
      return doubt("a byte that is no answer (0x" + to_hex({&byte, 1}) +
                   "): is the answer value of the profile right?");
    Lane& lane = *lanes_.at(lane_id);
    if (lane.in_flight.empty()) {
      if (planted(Planted::kIgnoreStrayByte)) continue;
      return doubt("a byte while no answer was owed");
    }
    if (!lane.in_flight.front().written) return doubt("an answer before its frame had left");
    on_answer(lane, byte == options_.answer_ok ? Byte::kOk : Byte::kFail);
  }
  step();
}

void SenderLink::on_written(LaneId lane, LinkNanos now) {
  now_ = now;
  for (InFlight& frame : lanes_.at(lane)->in_flight) frame.written = !frame.queued;
  if (writing_ && writing_lane_ == lane) writing_ = false;
  write_queued();
  step();
}

void SenderLink::on_batches_available(LinkNanos now) {
  now_ = now;
  if (state_ == LinkState::kRun) step();
}

void SenderLink::on_time(LinkNanos now) {
  now_ = now;
  check_deadlines();
  step();
}

void SenderLink::stop(LinkNanos now) {
  now_ = now;
  stopping_ = true;
  step();
}

bool SenderLink::proves() const {
  return options_.ask != AskMode::kOff && unproven_confirms_ < kUnprovenConfirms;
}

bool SenderLink::stopped() const {
  return stopping_ && state_ == LinkState::kDown;
}

void SenderLink::request_confirm(LinkNanos now) {
  now_ = now;
  confirm_requested_ = true;
  step();
}

std::vector<TxAction> SenderLink::take_actions() {
  return std::exchange(actions_, {});
}

void SenderLink::notice(bool alarm, std::string text) {
  actions_.emplace_back(TxNotice{alarm, std::move(text)});
}

void SenderLink::set_state(LinkState state, std::string message) {
  state_ = state;
  state_since_ = now_;
  message_ = std::move(message);
}

// ---- the session

void SenderLink::step() {
  if (!started_) return;
  if (stopping_ && state_ != LinkState::kDown) {
    if (state_ == LinkState::kRun && !lanes_idle()) return;  // answers that are owed are still worth having
    session_over();
    close_lanes();
    return set_state(LinkState::kDown, "stopped");
  }
  switch (state_) {
    case LinkState::kDown:
      return step_down();
    case LinkState::kConnect:
      return step_connect();
    case LinkState::kCalibrate:
      return step_calibrate();
    case LinkState::kHello:
      return step_hello();
    case LinkState::kRun:
      return step_run();
    case LinkState::kDoubt:
      return step_doubt();
    case LinkState::kFenced:
      return;
  }
}

// Previous: the start, DOUBT. Next: CONNECT; DOUBT when the session number cannot be made durable.
void SenderLink::step_down() {
  if (stopping_) return;
  sync_streams();
  if (!hello_refused_ || session_ == 0) {
    session_ = store_->session() + 1;
    nonce_ = random_->u64();
    if (!planted(Planted::kSessionNotDurable))
      if (const Status status = store_->set_session(session_); !status.ok())
        return doubt("the session number cannot be stored: " + status.error().text());
  }
  hello_refused_ = false;
  ++counters_.sessions;
  confirm_not_before_ = 0;
  refused_stream_ = 0;
  control_.reset();
  for (auto& [id, s] : streams_) {
    s->sent_this_session = s->answered_this_session = s->lowered_this_session = false;
    s->forks_this_session = 0;
    s->confirmed_at = -1;
  }
  set_state(LinkState::kConnect, "connecting");
  for (auto& lane : lanes_) {
    const LaneId id = lane->id;
    *lane = Lane{};
    lane->id = id;
    lane->last_sent = now_;
    actions_.emplace_back(TxConnect{id});
  }
}

// Previous: DOWN. Next: CALIBRATE when all lanes are connected; DOUBT after the connect timeout.
void SenderLink::step_connect() {
  if (std::all_of(lanes_.begin(), lanes_.end(), [](const auto& l) { return l->connected; })) {
    set_state(LinkState::kCalibrate, "calibrating");
    return step_calibrate();
  }
  if (now_ - state_since_ >= options_.connect_timeout) doubt("no connection in time");
}

// Previous: CONNECT. Next: HELLO when all six answers of every lane are right; DOUBT with the meaning of what
// was seen.
void SenderLink::step_calibrate() {
  bool all = true;
  for (auto& lane : lanes_) {
    if (planted(Planted::kSkipCalibration)) lane->calibrated = true;
    if (lane->calibrated) continue;
    all = false;
    if (lane->in_flight.empty())
      send(*lane, Purpose::kProbe, 0, Probe{kCalibration.at(lane->calibration.size())});
  }
  if (!all) return;
  set_state(LinkState::kHello, "saying hello");
  step_hello();
}

void SenderLink::judge_lane_calibration(Lane& lane) {
  const CalibrationVerdict verdict = judge_calibration(lane.calibration);
  if (verdict == CalibrationVerdict::kMore) return;
  if (verdict == CalibrationVerdict::kGood) {
    lane.calibrated = true;
    return;
  }
  std::string seen;
  for (const Byte b : lane.calibration) seen += b == Byte::kOk ? " ok" : " fail";
  const std::string why = "calibration failed on lane " + std::to_string(lane.id) +
                          ": expected ok ok fail fail ok fail, saw" + seen + ": " + calibration_text(verdict);
  notice(verdict != CalibrationVerdict::kUnknownPattern, why);
  doubt(why);
  needs_person_ = verdict == CalibrationVerdict::kInverted || verdict == CalibrationVerdict::kStuckOk;
}

// Previous: CALIBRATE. Next: RUN when every lane's hello was answered ok; DOUBT or FENCED through the reason
// of a refusal.
void SenderLink::step_hello() {
  if (control_) return step_control();  // a lane was refused: its reason is being asked
  bool all = true;
  for (auto& lane : lanes_) {
    if (lane->refused && lanes_.front()->ready)
      return doubt("the receiver refuses lane " + std::to_string(lane->id));
    if (lane->ready) continue;
    all = false;
    if (lane->hello_sent || !lane->in_flight.empty()) continue;
    LinkHello hello;
    hello.lanes = static_cast<std::uint8_t>(lanes_.size());
    hello.codecs = options_.codecs;
    hello.largest_part_total = options_.largest_part_total;
    hello.receiver_expected = options_.receiver_expected;
    hello.sender = store_->sender_id();
    hello.journal = store_->journal_id();
    hello.nonce = nonce_;
    if (wall_clock_) hello.clock_micros = wall_clock_();
    hello.label = options_.label;
    lane->hello_sent = true;
    send(*lane, Purpose::kLinkHello, 0, hello);
  }
  if (!all) return;
  set_state(LinkState::kRun, "running");
  needs_person_ = false;
  for (auto& [id, s] : streams_)
    if (s->phase == Stream::Phase::kOpen || s->phase == Stream::Phase::kOpening)
      s->phase = Stream::Phase::kClosed;
  step_run();
}

void SenderLink::link_hello_answered(Lane& lane, Byte answer) {
  if (answer == Byte::kOk) {
    lane.ready = true;
    return;
  }
  hello_refused_ = true;  // the next set says the same session and nonce
  if (options_.ask == AskMode::kOff)
    return doubt("the receiver refuses the link, reason unknown (ask is off)");
  lane.refused = true;
  if (lane.id != 0) return;  // the reason is asked on the first lane
  control_ = std::make_unique<Control>();
  control_->task = Control::Task::kLinkRefused;
  control_->stage = Control::Stage::kLinkReason;
  ask_next_reason(nullptr);
}

// Previous: HELLO. Next: DOUBT.
void SenderLink::step_run() {
  sync_streams();
  step_control();
  if (state_ != LinkState::kRun) return;
  if (options_.ask == AskMode::kOff) confirm_without_questions();
  beat_lanes();
  step_data();
  if (state_ != LinkState::kRun) return;
  step_control();  // a batch that could not be given is control's matter
}

// Previous: any. Next: DOWN when the quiet time is over.
void SenderLink::step_doubt() {
  if (now_ < quiet_until_) return;
  state_ = LinkState::kDown;
  step_down();
}

void SenderLink::doubt(const std::string& why, bool slow) {
  ++counters_.doubts;
  needs_person_ = slow;
  notice(false, why + "; all lanes are closed and opened again after a quiet time");
  session_over();
  close_lanes();
  quiet_ = slow ? options_.quiet_max : std::clamp(quiet_ * 2, options_.quiet_min, options_.quiet_max);
  quiet_until_ = now_ + quiet_;
  set_state(LinkState::kDoubt, why);
}

void SenderLink::close_lanes() {
  control_.reset();
  writing_ = false;
  queued_.clear();
  for (auto& lane : lanes_) {
    actions_.emplace_back(TxClose{lane->id});
    lane->connected = lane->ready = false;
    lane->in_flight.clear();
    lane->parting = 0;
  }
}

// ---- frames and answers

LinkNanos SenderLink::answer_timeout(std::size_t wire_bytes) const {
  const double transmit =
      static_cast<double>(wire_bytes) / static_cast<double>(std::max<std::uint64_t>(options_.lowest_rate, 1));
  const auto base = options_.answer_timeout_base + static_cast<LinkNanos>(transmit * 1e9);
  return std::min<LinkNanos>(base * timeout_factor_, 900 * kLinkSecond);
}

void SenderLink::send(Lane& lane, Purpose purpose, StreamId stream, const MessageBody& body, Seq first,
                      Seq last) {
  NativeHeader header;
  header.session = session_;
  header.stream = stream;
  header.lane = lane.id;
  header.frame_number = ++lane.frame_number;
  const bool data = purpose == Purpose::kBatch || purpose == Purpose::kPart;
  // A repetition after `fail` looks different to the device.
  const bool repeats = data || purpose == Purpose::kGap;
  if (const Stream* s = find_stream(stream); repeats && s != nullptr && s->refused_in_row > 0)
    header.salt = static_cast<std::uint32_t>(random_->u64() | 1);
  Bytes wire = encode_outer_frame(encode_message(header, body), options_.wrap);
  InFlight frame{purpose, stream, first, last};
  frame.wire_bytes = wire.size();
  // Probes are answered at once and by nobody's disk; everything else may wait for a sync over there, and in
  // the device behind what is on its way on all lanes.
  std::size_t on_the_way = wire.size();
  for (const auto& other : lanes_)
    for (const InFlight& f : other->in_flight) on_the_way += f.wire_bytes;
  frame.deadline =
      now_ + (state_ == LinkState::kCalibrate ? options_.handshake_timeout : answer_timeout(on_the_way));
  if (planted(Planted::kAnswerTimeoutIgnored) && data) frame.deadline = kNever;
  ++counters_.frames;
  counters_.wire_bytes += wire.size();
  if (options_.rate != 0) tokens_ -= static_cast<double>(wire.size());
  frame.queued = state_ == LinkState::kRun && writing_;
  lane.in_flight.push_back(frame);
  lane.last_sent = now_;
  queued_.push_back({lane.id, std::move(wire)});
  write_queued();
}

// One frame after another leaves over all lanes while data may flow; before that the lanes speak side by
// side.
void SenderLink::write_queued() {
  while (!queued_.empty() && !(writing_ && state_ == LinkState::kRun)) {
    const LaneId lane = queued_.front().lane;
    for (InFlight& frame : lanes_.at(lane)->in_flight) frame.queued = false;
    writing_ = state_ == LinkState::kRun;
    writing_lane_ = lane;
    actions_.emplace_back(std::move(queued_.front()));
    queued_.pop_front();
  }
}

void SenderLink::count_answer(const Lane& lane, Purpose purpose, Byte answer) {
  if (answer == Byte::kOk) {
    ++counters_.answers_ok;
    return;
  }
  bool expected = purpose == Purpose::kAsk;
  if (purpose == Purpose::kProbe) {
    const bool of_question = control_ && lane.id == 0 && control_->question_started;
    const std::size_t step = of_question ? control_->answers.size() : lane.calibration.size();
    expected = of_question ? question_steps(control_->question->kind).at(step) == StepKind::kProbeFail
                           : step < kCalibration.size() && !kCalibration.at(step);
  }
  ++(expected ? counters_.answers_fail_expected : counters_.answers_fail);
}

void SenderLink::on_answer(Lane& lane, Byte answer) {
  const InFlight frame = lane.in_flight.front();
  lane.in_flight.pop_front();
  count_answer(lane, frame.purpose, answer);
  if (control_ && lane.id == 0 && control_->question_started &&
      (frame.purpose == Purpose::kAsk || frame.purpose == Purpose::kProbe))
    return question_answered(answer);
  switch (frame.purpose) {
    case Purpose::kProbe:
      lane.calibration.push_back(answer);
      return judge_lane_calibration(lane);
    case Purpose::kLinkHello:
      return link_hello_answered(lane, answer);
    case Purpose::kBatch:
    case Purpose::kPart:
      return data_answered(frame, answer);
    case Purpose::kBeat:
      // Control's own beat follows a refused hello; a beat of another lane may be out at the same time.
      if (control_ && lane.id == 0 && control_->stage == Control::Stage::kRefusedBeat)
        return control_frame_answered(frame.purpose, answer);
      if (answer == Byte::kFail) doubt("a beat was refused");
      return;
    case Purpose::kStreamHello:
    case Purpose::kGap:
    case Purpose::kEnd:
      return control_frame_answered(frame.purpose, answer);
    case Purpose::kAsk:
      return doubt("an answer to a question that is no longer asked");
  }
}

void SenderLink::check_deadlines() {
  if (state_ == LinkState::kDown || state_ == LinkState::kDoubt || state_ == LinkState::kFenced) return;
  for (auto& lane : lanes_) {
    if (lane->in_flight.empty() || now_ < lane->in_flight.front().deadline) continue;
    const InFlight frame = lane->in_flight.front();
    if (state_ != LinkState::kCalibrate) {
      good_in_row_ = 0;
      // Too short a timeout would be a livelock of duplicates: two in a row double it and halve the frame
      // fill.
      if (++timeouts_in_row_ >= 2 && answer_timeout(options_.wire_limit) < 900 * kLinkSecond) {
        timeouts_in_row_ = 0;
        timeout_factor_ *= 2;
      }
    }
    return doubt("no answer in time on lane " + std::to_string(lane->id) +
                 (frame.last != 0 ? " for batches up to " + std::to_string(frame.last) : ""));
  }
}

// A lane that is idle, so that it stays open; and, while data flows, any lane between two frames, so that the
// other side's page is never older than a beat.
void SenderLink::beat_lanes() {
  if (stopping_) return;
  for (auto& lane : lanes_) {
    if (!lane->idle()) continue;
    if (now_ - lane->last_sent < options_.beat && now_ - last_beat_ < options_.beat) continue;
    if (control_ && lane->id == 0) {
      if (control_->frame_out || control_->question_started) continue;
    }
    Beat beat;
    if (wall_clock_) beat.clock_micros = wall_clock_();
    if (beat_json_) beat.json = beat_json_();
    if (beat.json.size() > kMaxBeatJson) beat.json = "{}";
    last_beat_ = now_;
    send(*lane, Purpose::kBeat, 0, beat);
  }
}

bool SenderLink::lanes_idle() const {
  return std::all_of(lanes_.begin(), lanes_.end(), [](const auto& l) { return l->in_flight.empty(); });
}

std::size_t SenderLink::body_limit() const {
  const std::size_t whole = options_.wire_limit - outer_overhead(options_.wrap) - kNativeHeaderBytes;
  return std::max<std::size_t>(whole / timeout_factor_, std::min<std::size_t>(whole, 256));
}

LinkNanos SenderLink::wake_at() const {
  LinkNanos at = kNever;
  const auto wake = [&at](LinkNanos t) { at = std::min(at, t); };
  switch (state_) {
    case LinkState::kDown:
      return started_ && !stopping_ ? now_ : kNever;
    case LinkState::kDoubt:
      return quiet_until_;
    case LinkState::kFenced:
      return kNever;
    case LinkState::kConnect:
      wake(state_since_ + options_.connect_timeout);
      break;
    default:
      break;
  }
  // What is due already waits for something else, whose arrival is an input of its own: only the future
  // wakes.
  const auto later = [&](LinkNanos t) {
    if (t > now_) wake(t);
  };
  for (const auto& lane : lanes_) {
    if (!lane->in_flight.empty()) wake(lane->in_flight.front().deadline);
    if (state_ == LinkState::kRun && lane->idle()) {
      later(lane->last_sent + options_.beat);
      later(last_beat_ + options_.beat);
    }
  }
  if (control_ && control_->question && !control_->question_started) later(question_allowed_at());
  if (state_ != LinkState::kRun) return at;
  for (const auto& [id, s] : streams_) {
    if (wants_opening(*s)) later(s->retry_at);
    if (s->phase != Stream::Phase::kOpen) continue;
    later(confirm_not_before_);
    if (s->soft > store_->confirmed(id))
      later(last_confirm_ + (options_.ask == AskMode::kOff ? kLinkSecond : options_.confirm_every));
  }
  if (options_.rate != 0 && tokens_ < 0)
    wake(now_ + 1 + static_cast<LinkNanos>(-tokens_ * 1e9 / static_cast<double>(options_.rate)));
  return at;
}

std::vector<SenderStreamView> SenderLink::streams() const {
  static constexpr const char* kNames[] = {"waiting",      "resolving", "sending",
                                           "STOPPED: gap", "ending",    "ended"};
  const std::string unproven = unproven_confirms_ < kUnprovenConfirms ? "" : kAnswersNoQuestions;
  std::vector<SenderStreamView> out;
  for (const auto& [id, s] : streams_)
    out.push_back({id, store_->label(id), kNames[static_cast<int>(s->phase)],
                   s->message.empty() ? unproven : s->message, store_->head(id), s->soft,
                   store_->confirmed(id), store_->trimmed(id), store_->generation(id),
                   s->phase == Stream::Phase::kStoppedGap});
  return out;
}

}  // namespace tidegate
