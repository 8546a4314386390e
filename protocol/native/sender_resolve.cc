// SPDX-License-Identifier: Apache-2.0
// RESOLVE: how SenderLink opens a stream: hello, the last common batch, forks, gaps, ends.
#include "protocol/native/planted.h"
#include "protocol/native/sender_link.h"
#include "protocol/native/sender_link_impl.h"

namespace tidegate {
namespace {

std::string seq_text(Seq n) {
  return std::to_string(n);
}

}  // namespace

// ---- opening a stream: hello and RESOLVE

// Previous: waiting. Next: the hello's answer.
void SenderLink::open_stream(Stream& s) {
  if (s.operator_fork) {
    const Seq b = *s.operator_fork;
    s.operator_fork.reset();
    return fork(s, b);
  }
  send_stream_hello(s);
}

void SenderLink::send_stream_hello(Stream& s) {
  StreamHello hello;
  hello.generation = store_->generation(s.id);
  hello.base = store_->base(s.id);
  hello.confirmed = store_->confirmed(s.id);
  if (options_.ask == AskMode::kOff)
    hello.confirmed = s.hello_lowest ? hello.base : std::max(s.soft, hello.base);
  const auto base_chain = store_->chain(s.id, hello.base);
  const auto confirmed_chain = store_->chain(s.id, hello.confirmed);
  if (!base_chain || !confirmed_chain)
    return wait_alone(
        s, "the chain of the confirmed position " + seq_text(hello.confirmed) + " cannot be read", true);
  hello.base_chain = *base_chain;
  hello.confirmed_chain = *confirmed_chain;
  hello.head = store_->head(s.id);
  hello.label = store_->label(s.id);
  s.hello_confirmed = hello.confirmed;
  control_->stage = Control::Stage::kHello;
  control_->frame_out = true;
  send(*lanes_.front(), Purpose::kStreamHello, s.id, hello);
}

void SenderLink::control_frame_answered(Purpose purpose, Byte answer) {
  if (!control_) return doubt("an answer to a frame that is no longer waited for");
  control_->frame_out = false;
  Stream* s = find_stream(control_->stream);
  if (s == nullptr) return doubt("an answer for a stream that is gone");
  switch (purpose) {
    case Purpose::kStreamHello:
      return stream_hello_answered(*s, answer);
    case Purpose::kGap:
      return gap_answered(*s, answer);
    case Purpose::kEnd:
      return end_answered(*s, answer);
    case Purpose::kBeat:
      if (answer == Byte::kFail) return doubt("a beat was refused");
      if (s->hello_refusals < 3)
        return wait_alone(*s, "the receiver refuses the stream, reason unknown", false);
      s->hello_lowest = true;
      control_->stage = Control::Stage::kStart;
      return;
    default:
      return doubt("an answer to a frame that control does not send");
  }
}

void SenderLink::stream_hello_answered(Stream& s, Byte answer) {
  if (options_.ask == AskMode::kOff) return hello_without_questions(s, answer);
  if (answer == Byte::kFail) {
    control_->stage = Control::Stage::kHelloReason;
    control_->reason_index = 0;
    return ask_next_reason(&s);
  }
  if (!s.ask_reason) return resolve_soft(s);
  control_->stage = Control::Stage::kFrameReason;
  control_->reason_index = 0;
  ask_next_reason(&s);
}

// ask: off. The hello says soft as confirmed; refused three times while a beat is ok: once with the lowest
// known chain.
void SenderLink::hello_without_questions(Stream& s, Byte answer) {
  if (answer == Byte::kOk) {
    s.hello_refusals = 0;
    if (s.hello_confirmed != store_->confirmed(s.id)) {
      if (const Status status = store_->set_confirmed(s.id, s.hello_confirmed); !status.ok())
        return doubt("the confirmed position cannot be stored: " + status.error().text());
    }
    if (s.hello_lowest)
      if (const Status status =
              store_->note({"confirmed-lowered", s.id, s.hello_confirmed, s.soft,
                            "the receiver refused the later position; everything after it is sent again"});
          !status.ok())
        return doubt(status.error().text());
    s.hello_lowest = false;
    s.soft = s.hello_confirmed;
    return resume(s);
  }
  if (s.hello_lowest) {
    s.hello_lowest = false;
    s.backoff = options_.quiet_max;
    return wait_alone(s, "the receiver refuses, reason unknown (ask is off): compare the two status pages",
                      true);
  }
  ++s.hello_refusals;
  control_->stage = Control::Stage::kRefusedBeat;
  control_->frame_out = true;
  Beat beat;
  if (wall_clock_) beat.clock_micros = wall_clock_();
  beat.json = "{}";
  send(*lanes_.front(), Purpose::kBeat, 0, beat);
}

// After a doubt: is what was answered ok really there? After a restart soft = confirmed, which the hello has
// said.
void SenderLink::resolve_soft(Stream& s) {
  const Seq confirmed = store_->confirmed(s.id);
  const auto chain = store_->chain(s.id, s.soft);
  if (s.soft <= confirmed || !chain) {
    s.soft = confirmed;
    return resume(s);
  }
  control_->stage = Control::Stage::kSoftPair;
  Question q;
  q.stream = s.id;
  q.ask.predicate = Predicate::kChainAt;
  q.ask.claims = {{s.id, s.soft, *chain}};
  ask(q);
}

// Next: SEND, unless the next batch cannot be given any more.
void SenderLink::resume(Stream& s) {
  if (const auto missing = store_->missing(s.id, s.soft + 1)) return start_missing(s, missing->to);
  s.phase = Stream::Phase::kOpen;
  s.next = s.soft + 1;
  s.unreadable = false;
  s.operator_gap.reset();
  s.message.clear();
  finish_control();
}

KnownSeqs SenderLink::known_between(const Stream& s, Seq first, Seq last) const {
  KnownSeqs list;
  const Seq trimmed = store_->trimmed(s.id);
  if (first < trimmed) list.points.push_back(first);
  list.range_first = std::max(first, trimmed);
  list.range_last = std::max(last, list.range_first);
  return list;
}

KnownSeqs SenderLink::all_known(const Stream& s) const {
  KnownSeqs list = known_between(s, 0, store_->head(s.id));
  list.points = {0, store_->base(s.id), store_->confirmed(s.id)};
  std::erase_if(list.points, [&](Seq n) { return n >= list.range_first; });
  std::sort(list.points.begin(), list.points.end());
  list.points.erase(std::unique(list.points.begin(), list.points.end()), list.points.end());
  return list;
}

void SenderLink::search(Stream& s, KnownSeqs list, bool prove) {
  control_->stage = Control::Stage::kSearch;
  const Seq base = control_->goal == Control::Goal::kResume ? store_->confirmed(s.id) : store_->base(s.id);
  control_->search.emplace(s.id, std::move(list), base, prove);
  search_step();
}

void SenderLink::search_step() {
  Stream& s = *find_stream(control_->stream);
  const auto question = control_->search->next([&](Seq n) { return store_->chain(s.id, n); });
  if (question) {
    ask(*question);
    return;
  }
  if (control_->search->state() == ChainSearch::State::kFound)
    return search_done(s, control_->search->result());
  wait_alone(s, "the receiver does not answer questions now", false);
}

void SenderLink::search_done(Stream& s, Seq b) {
  control_->common = b;
  switch (control_->goal) {
    case Control::Goal::kResume:
      s.soft = b;
      return resume(s);
    case Control::Goal::kFrameRefused:
      if (b < store_->head(s.id)) {
        control_->stage = Control::Stage::kForkPosition;
        return ask_proof_position(s, b + 1);
      }
      s.soft = b;
      return resume(s);
    case Control::Goal::kHelloRefused:
      return lower_or_fork(s, b);
    case Control::Goal::kMissing:
      if (b >= control_->missing_to) {
        if (const Status status = store_->set_confirmed(s.id, b); !status.ok())
          return doubt("the confirmed position cannot be stored: " + status.error().text());
        s.soft = b;
        return resume(s);
      }
      control_->stage = Control::Stage::kGapPosition;
      return ask_proof_position(s, control_->missing_to);
  }
}

void SenderLink::ask_proof_position(Stream& s, Seq n) {
  Question q;
  q.kind = QuestionKind::kProof;
  q.stream = s.id;
  q.ask.predicate = Predicate::kPositionAtLeast;
  q.ask.number = n;
  ask(q);
}

void SenderLink::lower_or_fork(Stream& s, Seq b) {
  const Seq confirmed = store_->confirmed(s.id);
  if (b < store_->base(s.id) || b == confirmed || control_->reason == Reason::kGeneration ||
      s.lowered_this_session)
    return fork(s, b);
  s.lowered_this_session = true;
  Status status = store_->note(
      {"confirmed-moved", s.id, confirmed, b,
       "the receiver's last common batch is " + seq_text(b) + ", confirmed was " + seq_text(confirmed)});
  if (status.ok()) status = store_->set_confirmed(s.id, b);
  if (!status.ok()) return doubt("the confirmed position cannot be stored: " + status.error().text());
  notice(b < confirmed, "stream " + std::to_string(s.id) + ": the receiver has batches up to " + seq_text(b) +
                            ", confirmed was " + seq_text(confirmed) + ": sending again from there");
  s.soft = b;
  control_->stage = Control::Stage::kStart;  // hello again
}

void SenderLink::fork(Stream& s, Seq b) {
  if (++s.forks_this_session > kMaxForksPerSession)
    return wait_alone(s, "the receiver refuses every fork of this session", true);
  const std::uint32_t generation = store_->generation(s.id) + 1;
  if (const Status status = store_->fork(s.id, generation, b); !status.ok())
    return doubt("the fork cannot be stored: " + status.error().text());
  ++counters_.forks;
  notice(true, "stream " + std::to_string(s.id) + ": fork at " + seq_text(b) + ", generation " +
                   std::to_string(generation) +
                   ": the receiver has other batches after it and keeps both branches");
  s.soft = b;
  control_->stage = Control::Stage::kStart;  // hello with the new generation
}

// ---- gaps and ends

void SenderLink::start_missing(Stream& s, Seq to) {
  control_->missing_to = to;
  if (options_.ask == AskMode::kOff) return send_gap(s, s.soft);
  control_->goal = Control::Goal::kMissing;
  search(s, all_known(s), true);
}

void SenderLink::send_gap(Stream& s, Seq b) {
  const auto missing = store_->missing(s.id, b + 1);
  const auto before = store_->chain(s.id, b);
  const auto after = store_->chain(s.id, control_->missing_to);
  const bool by_operator =
      s.operator_gap && s.operator_gap->to == control_->missing_to && s.operator_gap->common <= b;
  const bool allowed = by_operator || (options_.ask != AskMode::kOff && store_->gap_allowed(s.id));
  if (!allowed || !missing || !before || !after) {
    s.phase = Stream::Phase::kStoppedGap;
    s.operator_gap.reset();
    s.shown_gap = {b, control_->missing_to};
    s.message = "batches " + seq_text(b + 1) + ".." + seq_text(control_->missing_to) +
                " can no longer be given and the receiver does not have them; declare the gap (`tidegate "
                "gap`) to go on";
    notice(true, "stream " + std::to_string(s.id) + ": " + s.message);
    return finish_control();
  }
  GapFrame gap{b + 1,
               control_->missing_to,
               *before,
               *after,
               static_cast<std::uint8_t>(missing->reason),
               missing->events,
               missing->time_min,
               missing->time_max};
  control_->common = b;
  control_->stage = Control::Stage::kGap;
  control_->frame_out = true;
  send(*lanes_.front(), Purpose::kGap, s.id, gap);
}

void SenderLink::gap_answered(Stream& s, Byte answer) {
  if (answer == Byte::kFail) {
    ++s.refused_in_row;
    s.ask_reason = options_.ask != AskMode::kOff;
    if (options_.ask == AskMode::kOff) {  // the operator's word was not enough
      s.operator_gap.reset();
      refused_without_reason(s);
    }
    return doubt("a gap of stream " + std::to_string(s.id) + " was refused");
  }
  ++counters_.gaps;
  s.operator_gap.reset();
  const Status status =
      store_->note({"gap", s.id, control_->common + 1, control_->missing_to, "declared to the receiver"});
  if (!status.ok()) return doubt(status.error().text());
  notice(true, "stream " + std::to_string(s.id) + ": gap " + seq_text(control_->common + 1) + ".." +
                   seq_text(control_->missing_to) + " declared");
  s.soft = control_->missing_to;
  confirm_requested_ = true;
  resume(s);
}

void SenderLink::end_answered(Stream& s, Byte answer) {
  if (answer == Byte::kFail) return doubt("the end of stream " + std::to_string(s.id) + " was refused");
  if (const Status status = store_->ended(s.id); !status.ok()) return doubt(status.error().text());
  s.phase = Stream::Phase::kEnded;
  finish_control();
}

bool SenderLink::declare_gap(StreamId stream, LinkNanos now) {
  now_ = now;
  Stream* s = find_stream(stream);
  if (s == nullptr || s->phase != Stream::Phase::kStoppedGap) return false;
  s->operator_gap = s->shown_gap;
  s->phase = Stream::Phase::kClosed;
  s->retry_at = now;
  step();
  return true;
}

Status SenderLink::fork_at(StreamId stream, Seq base, LinkNanos now) {
  now_ = now;
  Stream* s = find_stream(stream);
  if (s == nullptr) return make_error(ErrorCode::kNotFound, "stream " + std::to_string(stream));
  if (base > store_->head(stream) || !store_->chain(stream, base))
    return make_error(ErrorCode::kInvalidArgument, "stream " + std::to_string(stream) + " cannot fork at " +
                                                       seq_text(base) + ": its batches end at " +
                                                       seq_text(store_->head(stream)) +
                                                       ", and chains are known of 0 and of those from " +
                                                       seq_text(store_->trimmed(stream)) + " on");
  s->operator_fork = base;
  s->retry_at = now;
  if (s->phase == Stream::Phase::kStoppedGap) s->phase = Stream::Phase::kClosed;
  if (s->phase == Stream::Phase::kOpen) {
    quiet_ = 0;  // nothing is wrong with the link
    doubt("the operator asked for a fork of stream " + std::to_string(stream));
  }
  step();
  return {};
}

void SenderLink::end_stream(StreamId stream, const std::string& reason, LinkNanos now) {
  now_ = now;
  if (Stream* s = find_stream(stream); s != nullptr) s->end_reason = reason;
  step();
}

}  // namespace tidegate
