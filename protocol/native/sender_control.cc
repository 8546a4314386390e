// SPDX-License-Identifier: Apache-2.0
// Control: what SenderLink says and asks besides data, one task at a time, on the first lane: questions
// and their verdicts, reasons, confirming. Opening a stream: sender_resolve.cc.
#include "protocol/native/planted.h"
#include "protocol/native/sender_link.h"
#include "protocol/native/sender_link_impl.h"

namespace tidegate {
namespace {

// Reasons worth asking about, in the order of their numbers.
constexpr Reason kHelloReasons[] = {Reason::kNotContiguous, Reason::kDiverged,      Reason::kBehind,
                                    Reason::kStorage,       Reason::kFenced,        Reason::kGeneration,
                                    Reason::kNotAuthorised, Reason::kWrongReceiver, Reason::kVersion,
                                    Reason::kChainUnknown};
constexpr Reason kFrameReasons[] = {Reason::kDamaged,     Reason::kNotContiguous, Reason::kDiverged,
                                    Reason::kStorage,     Reason::kVersion,       Reason::kTooLarge,
                                    Reason::kChainUnknown};
constexpr Reason kLinkReasons[] = {Reason::kStorage, Reason::kFenced, Reason::kNotAuthorised,
                                   Reason::kWrongReceiver, Reason::kVersion};

}  // namespace

// ---- scheduling

void SenderLink::step_control() {
  for (;;) {
    if (!control_ && state_ == LinkState::kRun && !stopping_) start_control();
    if (!control_ || control_->frame_out) return;
    if (control_->question) return question_step();
    if (control_->stage != Control::Stage::kStart || !lanes_.front()->idle()) return;
    Stream& s = *find_stream(control_->stream);
    if (control_->task == Control::Task::kEnd) {
      control_->stage = Control::Stage::kEnd;
      control_->frame_out = true;
      send(*lanes_.front(), Purpose::kEnd, s.id, End{s.end_reason.value_or("")});
      return;
    }
    open_stream(s);  // may end at once and leave room for the next task
  }
}

// One that is to be ended is opened for that, though its pipe is stopped.
bool SenderLink::wants_opening(const Stream& s) const {
  return s.phase == Stream::Phase::kClosed && (!store_->paused(s.id) || s.end_reason);
}

void SenderLink::start_control() {
  leave_unreadable();
  for (auto& [id, s] : streams_) {
    if (wants_opening(*s) && s->retry_at <= now_) {
      control_ = std::make_unique<Control>();
      control_->stream = id;
      s->phase = Stream::Phase::kOpening;
      return;
    }
  }
  if (confirm_due()) return start_confirm();
  for (auto& [id, s] : streams_)
    if (s->phase == Stream::Phase::kOpen && s->end_reason && s->in_flight == 0 && s->part_body.empty()) {
      control_ = std::make_unique<Control>();
      control_->task = Control::Task::kEnd;
      control_->stream = id;
      s->phase = Stream::Phase::kEnding;
      return;
    }
}

// The next batch of an open stream cannot be given: what was sent is confirmed first, then the stream is
// opened again, which finds the missing range.
void SenderLink::leave_unreadable() {
  for (auto& [id, s] : streams_) {
    if (s->phase != Stream::Phase::kOpen || !s->unreadable || s->in_flight > 0) continue;
    const Seq confirmed = store_->confirmed(id);
    if (s->soft > confirmed && store_->chain(id, s->soft)) {
      confirm_requested_ = true;
      continue;
    }
    s->unreadable = false;
    s->soft = confirmed;
    s->phase = Stream::Phase::kClosed;
    s->backoff = std::clamp(s->backoff * 2, options_.quiet_min, options_.quiet_max);
    s->retry_at = now_ + s->backoff - options_.quiet_min;
  }
}

bool SenderLink::control_wants_lane() const {
  if (!control_) return false;
  return control_->frame_out || control_->question_started || !control_->question ||
         now_ >= question_allowed_at();
}

void SenderLink::finish_control() {
  control_.reset();
}

void SenderLink::wait_alone(Stream& s, const std::string& why, bool alarm) {
  s.phase = Stream::Phase::kClosed;
  s.backoff = std::clamp(s.backoff * 2, options_.quiet_min, options_.quiet_max);
  s.retry_at = now_ + s.backoff;
  s.message = why;
  notice(alarm, "stream " + std::to_string(s.id) + ": " + why + "; it waits " +
                    std::to_string(s.backoff / kLinkMillisecond) + " ms, other streams go on");
  finish_control();
}

// ---- questions

LinkNanos SenderLink::question_allowed_at() const {
  const auto horizon = [&](std::size_t count, LinkNanos window) {
    if (count == 0 || question_times_.size() < count) return LinkNanos{0};
    return question_times_[question_times_.size() - count] + window;
  };
  return std::max(horizon(options_.questions_per_second, kLinkSecond),
                  horizon(options_.questions_per_minute, 60 * kLinkSecond));
}

void SenderLink::ask(const Question& question) {
  control_->question = question;
  control_->answers.clear();
  control_->question_started = false;
}

// A question's frames are consecutive on one lane, each sent when the one before is answered.
void SenderLink::question_step() {
  Lane& lane = *lanes_.front();
  if (!lane.idle()) return;
  Control& c = *control_;
  if (!c.question_started) {
    if (now_ < question_allowed_at()) return;
    question_times_.push_back(now_);
    while (question_times_.size() > options_.questions_per_minute) question_times_.pop_front();
    c.question_started = true;
    ++counters_.questions;
    ++counters_.bits_disclosed;
  }
  const StepKind step = question_steps(c.question->kind).at(c.answers.size());
  c.frame_out = true;
  if (step == StepKind::kProbeOk || step == StepKind::kProbeFail) {
    send(lane, Purpose::kProbe, 0, Probe{step == StepKind::kProbeOk});
    return;
  }
  Ask ask = c.question->ask;
  ask.negated = step == StepKind::kAskNot;
  send(lane, Purpose::kAsk, c.question->stream, ask);
}

void SenderLink::question_answered(Byte answer) {
  Control& c = *control_;
  c.frame_out = false;
  c.answers.push_back(answer);
  if (c.answers.size() < question_steps(c.question->kind).size()) return;
  const Verdict result = judge_question(c.question->kind, c.answers);
  c.question.reset();
  c.question_started = false;
  if (result == Verdict::kDoubt) return doubt("the answers to a question contradict each other");
  verdict(result);
}

void SenderLink::verdict(Verdict v) {
  using enum Control::Stage;
  Stream* s = find_stream(control_->stream);
  switch (control_->stage) {
    case kHelloReason:
    case kFrameReason:
    case kLinkReason:
      if (v == Verdict::kYes) return reason_known(s, control_->reason);
      if (v == Verdict::kNotNow) return reason_known(s, Reason::kNone);
      return ask_next_reason(s);
    case kFencedProof:
      if (!stop_when_fenced(v)) doubt("the link was refused");
      return;
    case kConfirm:
      return confirm_verdict(v);
    default:
      return open_verdict(*s, v);
  }
}

void SenderLink::open_verdict(Stream& s, Verdict v) {
  using enum Control::Stage;
  switch (control_->stage) {
    case kSearch:
      control_->search->answer(v);
      return search_step();
    case kSoftPair:
      if (v == Verdict::kYes) return resume(s);
      control_->goal = Control::Goal::kResume;
      return search(s, known_between(s, store_->confirmed(s.id), s.soft), false);
    case kForkPosition:
      if (v == Verdict::kYes) return fork(s, control_->common);
      if (v == Verdict::kNotNow) return wait_alone(s, "the receiver does not answer questions now", false);
      s.soft = control_->common;
      return resume(s);
    case kGapPosition:
      if (v == Verdict::kYes) return fork(s, control_->common);
      if (v == Verdict::kNotNow) return wait_alone(s, "the receiver does not answer questions now", false);
      return send_gap(s, control_->common);
    default:
      return doubt("an answer in a stage that asks nothing");
  }
}

// ---- reasons

void SenderLink::ask_next_reason(Stream* s) {
  Control& c = *control_;
  const auto next = [&](const auto& list) {
    return c.reason_index < std::size(list) ? list[c.reason_index] : Reason::kNone;
  };
  c.reason = c.stage == Control::Stage::kHelloReason   ? next(kHelloReasons)
             : c.stage == Control::Stage::kFrameReason ? next(kFrameReasons)
                                                       : next(kLinkReasons);
  if (c.reason == Reason::kNone) return reason_known(s, Reason::kNone);
  ++c.reason_index;
  const bool of_link = s == nullptr || c.reason == Reason::kDamaged;
  if (s != nullptr && c.reason == Reason::kDamaged && s->damage_believed) return ask_next_reason(s);
  Question q;
  q.stream = of_link ? StreamId{0} : s->id;
  q.ask.predicate = Predicate::kReason;
  q.ask.number = static_cast<std::uint64_t>(c.reason);
  ask(q);
}

void SenderLink::reason_known(Stream* s, Reason reason) {
  if (reason == Reason::kFenced) {  // waits for a person: needs a proof
    control_->stage = Control::Stage::kFencedProof;
    Question q;
    q.kind = QuestionKind::kProof;
    q.stream = s == nullptr ? StreamId{0} : s->id;
    q.ask.predicate = Predicate::kReason;
    q.ask.number = static_cast<std::uint64_t>(Reason::kFenced);
    ask(q);
    return;
  }
  if (control_->stage == Control::Stage::kLinkReason) {
    const bool slow =
        reason == Reason::kNotAuthorised || reason == Reason::kWrongReceiver || reason == Reason::kVersion;
    const std::string why = std::string("the receiver refuses the link: ") + reason_text(reason);
    if (slow) notice(true, why);
    return doubt(why, slow);
  }
  if (control_->stage == Control::Stage::kHelloReason) return refused_hello_reason(*s, reason);
  refused_frame_reason(*s, reason);
}

bool SenderLink::stop_when_fenced(Verdict v) {
  if (v != Verdict::kYes) return false;
  const std::string why =
      "another sender with this identity has taken over; find the twin, then run `tidegate adopt` on the box "
      "that is to go on";
  notice(true, why);
  session_over();
  close_lanes();
  set_state(LinkState::kFenced, why);
  return true;
}

void SenderLink::refused_hello_reason(Stream& s, Reason reason) {
  control_->reason = reason;
  switch (reason) {
    case Reason::kNotContiguous:
    case Reason::kDiverged:
    case Reason::kBehind:
    case Reason::kGeneration:
    case Reason::kChainUnknown:
      control_->goal = Control::Goal::kHelloRefused;
      return search(s, all_known(s), true);
    case Reason::kStorage:
      return wait_alone(s, reason_text(reason), true);
    case Reason::kNotAuthorised:
    case Reason::kWrongReceiver:
    case Reason::kVersion:
      s.backoff = options_.quiet_max;
      return wait_alone(s, reason_text(reason), true);
    default:
      return doubt("the hello of stream " + std::to_string(s.id) + " was refused for no reason that is kept");
  }
}

void SenderLink::refused_frame_reason(Stream& s, Reason reason) {
  s.ask_reason = false;
  switch (reason) {
    case Reason::kNotContiguous:
    case Reason::kDiverged:
    case Reason::kChainUnknown:
      control_->goal = Control::Goal::kFrameRefused;
      return search(s, known_between(s, store_->confirmed(s.id), store_->head(s.id)), true);
    case Reason::kStorage:
      return wait_alone(s, reason_text(reason), true);
    case Reason::kVersion:
    case Reason::kTooLarge:
      s.backoff = options_.quiet_max;
      s.ask_reason = true;
      return wait_alone(s, reason_text(reason), true);
    case Reason::kDamaged:
      s.damage_believed = true;
      return resolve_soft(s);
    default:
      return resolve_soft(s);  // not known: send again
  }
}

// ---- CONFIRM

bool SenderLink::confirm_due() const {
  if (options_.ask == AskMode::kOff || now_ < confirm_not_before_) return false;
  bool unproven = false, behind = false, far_behind = false;
  for (const auto& [id, s] : streams_) {
    if (s->phase != Stream::Phase::kOpen) continue;
    const Seq confirmed = store_->confirmed(id);
    unproven |= s->confirmed_at < 0;
    behind |= s->soft > confirmed;
    far_behind |= s->soft >= confirmed + kConfirmEvery || s->next > confirmed + kChainWindow;
  }
  if (unproven || far_behind) return true;
  return behind && (confirm_requested_ || now_ - last_confirm_ >= options_.confirm_every);
}

// One question for all open streams, or for as many as a frame holds: those that waited longest. Previous:
// SEND. Next: SEND; DOUBT when the answer is no.
void SenderLink::start_confirm() {
  control_ = std::make_unique<Control>();
  control_->task = Control::Task::kConfirm;
  control_->stage = Control::Stage::kConfirm;
  const std::size_t most = (body_limit() - 16) / 26;
  std::vector<Stream*> open;
  for (const auto& [id, s] : streams_)
    if (s->phase == Stream::Phase::kOpen) open.push_back(s.get());
  std::ranges::sort(open, {}, [](const Stream* s) { return std::pair(s->confirmed_at, s->id); });
  for (Stream* s : open) {
    if (control_->claims.size() >= most) break;
    if (const auto chain = store_->chain(s->id, s->soft))
      control_->claims.push_back({s->id, s->soft, *chain});
    else
      s->confirmed_at = now_;  // nothing can be asked of it now
  }
  if (control_->claims.empty()) {
    confirm_not_before_ = now_ + 5 * kLinkSecond;
    return finish_control();
  }
  Question q;
  q.kind = planted(Planted::kProofIsPair) ? QuestionKind::kPair : QuestionKind::kProof;
  q.stream = control_->claims.front().stream;
  q.ask.predicate = Predicate::kChainAt;
  q.ask.claims = control_->claims;
  ask(q);
}

void SenderLink::confirm_verdict(Verdict v) {
  if (v == Verdict::kNo) return doubt("the receiver does not have what it answered ok");
  if (v == Verdict::kNotNow) {
    confirm_not_before_ = now_ + 5 * kLinkSecond;
    if (++unproven_confirms_ == kUnprovenConfirms) notice(true, kAnswersNoQuestions);
    return finish_control();
  }
  unproven_confirms_ = 0;
  for (const ChainClaim& claim : control_->claims) {
    if (!in_store(claim.stream)) continue;  // dropped while it was asked about
    if (Stream* s = find_stream(claim.stream)) s->confirmed_at = now_;
    if (claim.seq > store_->confirmed(claim.stream))
      if (const Status status = store_->set_confirmed(claim.stream, claim.seq); !status.ok())
        return doubt("the confirmed position cannot be stored: " + status.error().text());
  }
  ++counters_.confirms;
  confirm_requested_ = false;
  last_confirm_ = now_;
  finish_control();
}

void SenderLink::confirm_without_questions() {
  for (const auto& [id, s] : streams_) {
    if (s->phase != Stream::Phase::kOpen) continue;
    const Seq confirmed = store_->confirmed(id);
    if (s->soft <= confirmed) continue;
    if (now_ - last_confirm_ < kLinkSecond && s->soft < confirmed + kConfirmEvery) continue;
    if (!in_store(id)) continue;
    if (const Status status = store_->set_confirmed(id, s->soft); !status.ok())
      return doubt("the confirmed position cannot be stored: " + status.error().text());
    ++counters_.confirms;
  }
  if (now_ - last_confirm_ >= kLinkSecond) last_confirm_ = now_;
}

}  // namespace tidegate
