// SPDX-License-Identifier: Apache-2.0
// SEND: batches and parts over the lanes, one frame after another in sequence order, and what their answers
// do.
#include "protocol/native/planted.h"
#include "protocol/native/sender_link.h"
#include "protocol/native/sender_link_impl.h"

namespace tidegate {

SenderLink::Stream* SenderLink::find_stream(StreamId id) {
  const auto it = streams_.find(id);
  return it == streams_.end() ? nullptr : it->second.get();
}

bool SenderLink::in_store(StreamId id) const {
  const std::vector<StreamId> streams = store_->streams();
  return std::find(streams.begin(), streams.end(), id) != streams.end();
}

void SenderLink::sync_streams() {
  const std::vector<StreamId> wanted = store_->streams();
  for (const StreamId id : wanted) {
    if (streams_.contains(id)) continue;
    auto s = std::make_unique<Stream>();
    s->id = id;
    s->soft = s->farthest = store_->confirmed(id);
    streams_.emplace(id, std::move(s));
  }
  std::erase_if(streams_, [&](const auto& entry) {
    const bool gone = std::find(wanted.begin(), wanted.end(), entry.first) == wanted.end();
    return gone && entry.second->in_flight == 0 && (!control_ || control_->stream != entry.first) &&
           entry.second->part_body.empty();
  });
}

// What is sent of a stream in this session is over: unanswered frames count as not delivered.
void SenderLink::session_over() {
  for (auto& [id, s] : streams_) {
    s->in_flight = 0;
    s->part_body.clear();
    s->unreadable = false;
    s->next = s->soft + 1;
    const bool for_another = refused_stream_ != 0 && refused_stream_ != id;
    if (s->sent_this_session && !s->answered_this_session && !for_another) {
      // A reset can overtake a `fail`: three sessions without an answer to what was sent count as refused.
      if (++s->silent_sessions >= 3) {
        s->ask_reason = options_.ask != AskMode::kOff;
        s->backoff = std::clamp(s->backoff * 2, options_.quiet_min, options_.quiet_max);
        s->retry_at = now_ + s->backoff;
        if (options_.ask == AskMode::kOff) refused_without_reason(*s);
      }
    } else if (s->answered_this_session) {
      s->silent_sessions = 0;
    }
    s->sent_this_session = s->answered_this_session = false;
    using Phase = Stream::Phase;
    if (s->phase == Phase::kOpen || s->phase == Phase::kOpening || s->phase == Phase::kEnding)
      s->phase = Phase::kClosed;
  }
}

// ---- choosing

bool SenderLink::may_send_more(const Stream& s) const {
  return s.phase == Stream::Phase::kOpen && !s.unreadable && s.part_body.empty() && !s.end_reason &&
         !store_->paused(s.id) && s.next <= store_->head(s.id) &&
         s.next <= store_->confirmed(s.id) + kChainWindow;
}

SenderLink::Lane* SenderLink::free_lane() {
  for (std::size_t i = 0; i < lanes_.size(); ++i) {
    Lane& lane = *lanes_[(next_lane_ + i) % lanes_.size()];
    if (!lane.ready || lane.in_flight.size() >= options_.window) continue;
    if (lane.id == 0 && lane.parting == 0 && control_wants_lane()) continue;
    return &lane;
  }
  return nullptr;
}

SenderLink::Stream* SenderLink::next_stream() {
  auto it = streams_.upper_bound(last_stream_);
  for (std::size_t i = 0; i < streams_.size(); ++i, ++it) {
    if (it == streams_.end()) it = streams_.begin();
    if (may_send_more(*it->second)) return it->second.get();
  }
  return nullptr;
}

void SenderLink::step_data() {
  if (stopping_) return;
  if (options_.rate != 0) {
    const double most = static_cast<double>(options_.wire_limit);
    tokens_ = std::min(
        most, tokens_ + static_cast<double>(now_ - tokens_at_) * static_cast<double>(options_.rate) / 1e9);
  }
  tokens_at_ = now_;
  while (!writing_ && (options_.rate == 0 || tokens_ >= 0)) {
    Lane* lane = nullptr;
    for (auto& candidate : lanes_)  // a batch that crosses in parts keeps its lane
      if (candidate->parting != 0 && candidate->in_flight.size() < options_.window) lane = candidate.get();
    if (lane == nullptr) lane = free_lane();
    if (lane == nullptr || !send_next(*lane)) return;
  }
}

bool SenderLink::send_next(Lane& lane) {
  if (lane.parting != 0) return send_part(lane, *find_stream(lane.parting));
  Stream* s = next_stream();
  if (s == nullptr) return false;
  last_stream_ = s->id;
  next_lane_ = static_cast<LaneId>((lane.id + 1U) % lanes_.size());
  return send_batches(lane, *s);
}

// ---- sending

bool SenderLink::send_batches(Lane& lane, Stream& s) {
  const Seq last = std::min(store_->head(s.id), store_->confirmed(s.id) + kChainWindow);
  auto loaded = store_->load(s.id, s.next, last, body_limit());
  if (!loaded.ok()) {
    s.unreadable = true;
    s.message = loaded.error().text();
    notice(true, "stream " + std::to_string(s.id) + ": batch " + std::to_string(s.next) +
                     " cannot be given: " + s.message);
    return true;
  }
  const BatchFrame& frame = loaded->frame;
  const std::size_t whole = options_.wire_limit - outer_overhead(options_.wrap) - kNativeHeaderBytes;
  const std::size_t size =
      batch_body_overhead(frame.hashes.size(), frame.hops.size()) + frame.container.size();
  const Seq last_sent = frame.last_seq();
  counters_.batches += frame.hashes.size();
  if (s.farthest >= frame.first_seq)
    counters_.resent_batches += std::min(s.farthest, last_sent) - frame.first_seq + 1;
  s.farthest = std::max(s.farthest, last_sent);
  s.sent_this_session = true;
  if (size <= whole) {
    ++s.in_flight;
    s.next = last_sent + 1;
    send(lane, Purpose::kBatch, s.id, frame, frame.first_seq, last_sent);
    return true;
  }
  s.part_body = encode_batch_body(frame);
  s.part_offset = 0;
  s.part_seq = frame.first_seq;
  lane.parting = s.id;
  if (s.part_body.size() > options_.largest_part_total)
    notice(true, "stream " + std::to_string(s.id) + ": batch " + std::to_string(s.part_seq) + " of " +
                     std::to_string(s.part_body.size()) +
                     " bytes is larger than the largest that crosses in parts (" +
                     std::to_string(options_.largest_part_total) + "): raise it on both sides");
  return send_part(lane, s);
}

// Until the final part has left the socket nothing later of the stream is sent on any lane (part_body is not
// empty).
bool SenderLink::send_part(Lane& lane, Stream& s) {
  const std::size_t most = body_limit() - kPartHeaderBytes;
  const std::size_t count = std::min(most, s.part_body.size() - s.part_offset);
  PartFrame part;
  part.seq = s.part_seq;
  part.offset = static_cast<std::uint32_t>(s.part_offset);
  part.total = static_cast<std::uint32_t>(s.part_body.size());
  part.bytes = ByteView(s.part_body).subspan(s.part_offset, count);
  const bool final = part.is_final();
  ++counters_.parts;
  ++s.in_flight;
  send(lane, Purpose::kPart, s.id, part, s.part_seq, final ? s.part_seq : 0);
  s.part_offset += count;
  if (!final) return true;
  s.part_body.clear();
  s.part_body.shrink_to_fit();
  s.next = s.part_seq + 1;
  lane.parting = 0;
  return true;
}

// Only a person can find out, and says what to do: fork_at or declare_gap.
void SenderLink::refused_without_reason(Stream& s) {
  s.message = "the receiver refuses, reason unknown (ask is off): compare the two status pages";
  notice(true, "stream " + std::to_string(s.id) + ": " + s.message);
}

void SenderLink::data_answered(const InFlight& frame, Byte answer) {
  Stream* s = find_stream(frame.stream);
  if (s == nullptr) return;
  if (s->in_flight > 0) --s->in_flight;
  // `ok` to a part that is not the last says nothing of the batch: the `fail` behind it may be lost each
  // time.
  if (answer == Byte::kFail || frame.last != 0) s->answered_this_session = true;
  if (answer == Byte::kFail) {
    refused_stream_ = s->id;
    ++s->refused_in_row;
    s->ask_reason = options_.ask != AskMode::kOff;
    if (s->refused_in_row >= 3) {
      s->backoff = std::clamp(s->backoff * 2, options_.quiet_min, options_.quiet_max);
      s->retry_at = now_ + s->backoff;
      if (options_.ask == AskMode::kOff) refused_without_reason(*s);
    }
    return doubt("stream " + std::to_string(s->id) + ": a frame from batch " + std::to_string(frame.first) +
                 " on was refused");
  }
  timeouts_in_row_ = 0;
  if (timeout_factor_ > 1 && ++good_in_row_ >= 16) {
    good_in_row_ = 0;
    timeout_factor_ /= 2;
  }
  Seq acknowledged = frame.last;
  if (planted(Planted::kSoftSkipsAhead) && acknowledged != 0 && acknowledged < store_->head(s->id))
    ++acknowledged;
  if (acknowledged <= s->soft) return;
  s->soft = acknowledged;
  s->refused_in_row = 0;
  s->silent_sessions = 0;
  s->backoff = 0;
  s->ask_reason = false;
  s->damage_believed = false;
  s->message.clear();
  quiet_ = 0;
  if (planted(Planted::kReleaseOnSoft))
    if (const Status status = store_->set_confirmed(s->id, s->soft); !status.ok())
      doubt(status.error().text());
}

}  // namespace tidegate
