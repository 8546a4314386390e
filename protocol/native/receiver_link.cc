// SPDX-License-Identifier: Apache-2.0
// Connections, answers, sessions and questions. What happens to batches, parts and gaps: receiver_streams.cc.
#include "protocol/native/receiver_link.h"

#include <algorithm>

#include "protocol/native/planted.h"
#include "protocol/native/receiver_link_impl.h"

namespace tidegate {

ReceiverLink::ReceiverLink(ReceiverLinkOptions options, ReceiverStore* store)
    : options_(options), store_(store) {}
ReceiverLink::~ReceiverLink() = default;

void ReceiverLink::set_ready(bool ready) {
  ready_ = ready;
}

void ReceiverLink::notice(bool alarm, std::string text) {
  actions_.emplace_back(RxNotice{alarm, std::move(text)});
}

ReceiverLink::Connection* ReceiverLink::find(ConnectionId id) {
  const auto it = connections_.find(id);
  return it == connections_.end() ? nullptr : it->second.get();
}

// ---- inputs

void ReceiverLink::on_accepted(ConnectionId id, const std::string& peer, LinkNanos now) {
  now_ = now;
  if (!ready_) {
    actions_.emplace_back(RxClose{id, "not ready yet"});
    return;
  }
  if (listening_since_ < 0) listening_since_ = now;
  auto c = std::make_unique<Connection>(options_.wire_limit);
  c->id = id;
  c->peer = peer;
  c->last_byte = c->last_progress = now;
  connections_[id] = std::move(c);
}

void ReceiverLink::on_bytes(ConnectionId id, ByteView bytes, LinkNanos now) {
  now_ = now;
  while (!bytes.empty()) {
    Connection* c = find(id);
    if (c == nullptr || c->ignoring) return;
    c->last_byte = c->last_progress = now;
    const std::size_t before = bytes.size();
    const auto state = c->decoder.feed(bytes);
    counters_.wire_bytes += before - bytes.size();
    switch (state) {
      case OuterFrameDecoder::State::kMore:
        break;
      case OuterFrameDecoder::State::kFrame:
        ++counters_.frames;
        handle_frame(*c, c->decoder.payload());
        break;
      case OuterFrameDecoder::State::kBadCrc:
        ++counters_.frames;
        handle_damaged(*c);
        break;
      case OuterFrameDecoder::State::kBadLength:
        close(id, "the length words of a frame differ or exceed the limit of " +
                      std::to_string(options_.wire_limit) +
                      " bytes: is this a Tidegate sender with the same profile?");
        return;
      case OuterFrameDecoder::State::kBadWrap:
        close(id, "a broken or nested E-language wrap");
        return;
    }
  }
}

void ReceiverLink::on_closed(ConnectionId id, LinkNanos now) {
  now_ = now;
  const auto it = connections_.find(id);
  if (it == connections_.end()) return;
  const Id journal = it->second->journal;
  connections_.erase(it);
  for (auto& [key, s] : streams_)
    if (key.first == journal) s->forget_connection(id);
  if (const auto session = sessions_.find(journal); session != sessions_.end())
    session->second.lanes.erase(id);
}

void ReceiverLink::on_answer_acknowledged(ConnectionId id, LinkNanos now) {
  now_ = now;
  Connection* c = find(id);
  if (c == nullptr) return;
  c->answer_in_flight = false;
  c->last_byte = now;  // silence counts while no answer is owed
  pump(*c);
}

void ReceiverLink::on_time(LinkNanos now) {
  now_ = now;
  std::vector<std::pair<ConnectionId, std::string>> dead;
  for (auto& [id, c] : connections_) {
    pump(*c);
    if (c->decoder.inside_frame() && now - c->last_progress >= options_.frame_stall)
      dead.emplace_back(id, "no progress inside a frame for too long");
    else if (c->idle() && now - c->last_byte >= 3 * options_.beat)
      dead.emplace_back(id, "silent for three beats");
  }
  for (auto& [key, s] : streams_)
    for (const auto& [seq, held] : s->held)
      if (now - held.since >= options_.hold)
        dead.emplace_back(held.connection,
                          "batch " + std::to_string(seq) + " waited too long for the ones before it");
  for (const auto& [id, reason] : dead) close(id, reason);
}

void ReceiverLink::stop(LinkNanos now) {
  now_ = now;
  ready_ = false;
  while (!connections_.empty()) close(connections_.begin()->first, "the receiver stops");
}

// Forgets connections that were closed from our side; no event follows for them.
void ReceiverLink::reap() {
  std::vector<ConnectionId> gone;
  for (const auto& [id, c] : connections_)
    if (c->closed) gone.push_back(id);
  for (const ConnectionId id : gone) on_closed(id, now_);
}

std::vector<RxAction> ReceiverLink::take_actions() {
  reap();
  return std::exchange(actions_, {});
}

LinkNanos ReceiverLink::wake_at() const {
  LinkNanos at = kNever;
  for (const auto& [id, c] : connections_) {
    if (c->decoder.inside_frame()) at = std::min(at, c->last_progress + options_.frame_stall);
    if (c->idle()) at = std::min(at, c->last_byte + 3 * options_.beat);
    if (!c->slots.empty() && c->slots.front().answer && !c->answer_in_flight)
      at = std::min(at, c->slots.front().not_before);
  }
  for (const auto& [key, s] : streams_)
    for (const auto& [seq, held] : s->held) at = std::min(at, held.since + options_.hold);
  return at;
}

std::vector<SenderView> ReceiverLink::senders() const {
  std::vector<SenderView> out;
  for (const auto& [journal, s] : sessions_)
    out.push_back({journal, s.sender, s.label, s.number, s.lanes.size(), s.last_heard, s.beat_clock_micros,
                   s.beat_at, s.beat_json});
  return out;
}

// ---- answers

std::uint64_t ReceiverLink::open_slot(Connection& c) {
  c.slots.push_back(Slot{next_slot_, std::nullopt, 0});
  return next_slot_++;
}

void ReceiverLink::fill(Connection& c, std::uint64_t slot, Byte answer, LinkNanos not_before) {
  for (Slot& s : c.slots)
    if (s.id == slot && !s.answer) {
      s.answer = answer;
      s.not_before = not_before;
    }
  pump(c);
}

void ReceiverLink::fill_if_there(ConnectionId id, std::uint64_t slot, Byte answer) {
  if (Connection* c = find(id); c != nullptr) fill(*c, slot, answer);
}

// R1: answers in the order of the frames, one byte at a time, the next one when the last is acknowledged.
void ReceiverLink::pump(Connection& c) {
  if (c.answer_in_flight) return;
  if (c.slots.empty()) {
    if (c.close_when_answered) {
      c.close_when_answered = false;
      actions_.emplace_back(RxClose{c.id, "after a refusal"});
      c.closed = true;
    }
    return;
  }
  const Slot& front = c.slots.front();
  if (c.closed || !front.answer || front.not_before > now_) return;
  ++(*front.answer == Byte::kOk ? counters_.answers_ok : counters_.answers_fail);
  actions_.emplace_back(RxAnswer{c.id, *front.answer});
  c.answer_in_flight = true;
  c.slots.pop_front();
}

// Bounded: a peer that was never accepted may name any journal.
void ReceiverLink::remember(const Id& journal, StreamId id, Reason reason) {
  constexpr std::size_t kMost = 65'536;
  if (reasons_.size() >= kMost) reasons_.erase(reasons_.begin());
  if (reason == Reason::kDamaged && id != 0) {  // kept for the link: what stands in the frame may be wrong
    reasons_.erase({journal, id});
    id = 0;
  }
  reasons_[{journal, id}] = reason;
}

void ReceiverLink::forget(const Id& journal, StreamId id) {
  reasons_.erase({journal, id});
  const auto link = reasons_.find({journal, 0});
  if (link != reasons_.end() && link->second == Reason::kDamaged) reasons_.erase(link);
}

void ReceiverLink::refuse(Connection& c, StreamId id, std::uint64_t slot, Reason reason,
                          const std::string& what) {
  remember(c.journal, id, reason);
  notice(false, "peer " + c.peer + ", stream " + std::to_string(id) + ": refused: " + what + ": " +
                    reason_text(reason));
  c.ignoring = true;
  c.close_when_answered = true;
  while (!c.slots.empty() && c.slots.back().id > slot) c.slots.pop_back();  // never answered
  if (const auto it = sessions_.find(c.journal); it != sessions_.end() && it->second.lanes.contains(c.id)) {
    it->second.dead = true;
    close_session(c.journal, "another lane was refused", c.id);
  }
  fill(c, slot, Byte::kFail);
}

void ReceiverLink::close(ConnectionId id, const std::string& reason) {
  Connection* c = find(id);
  if (c == nullptr) return;
  if (!c->closed) actions_.emplace_back(RxClose{id, reason});
  on_closed(id, now_);
}

void ReceiverLink::close_session(const Id& journal, const std::string& reason, ConnectionId except) {
  const auto it = sessions_.find(journal);
  if (it == sessions_.end()) return;
  const std::set<ConnectionId> lanes = it->second.lanes;
  for (const ConnectionId id : lanes)
    if (id != except) close(id, reason);
}

// R7: the connections of the older session are closed, its frames that were not yet appended are discarded.
void ReceiverLink::supersede(const Id& journal, const std::string& reason) {
  close_session(journal, reason);
  for (auto& [key, s] : streams_)
    if (key.first == journal) s->forget_session();
}

// ---- frames

void ReceiverLink::handle_damaged(Connection& c) {
  ++counters_.damaged_frames;
  ++c.next_frame;
  const std::uint64_t slot = open_slot(c);
  refuse(c, 0, slot, Reason::kDamaged, "wrong checksum of a frame");
}

void ReceiverLink::handle_frame(Connection& c, ByteView payload) {
  NativeHeader header;
  header.frame_number = 0;
  auto message = decode_message(payload, &c.scratch, &header);
  if (header.frame_number == 0) {  // not even a header, or another dialect
    close(c.id, "not a frame of the native dialect: " + message.error().text());
    return;
  }
  if (header.frame_number != c.next_frame) {
    close(c.id, "frame number " + std::to_string(header.frame_number) + " where " +
                    std::to_string(c.next_frame) + " was due");
    return;
  }
  if (c.slots.size() >= options_.frames_unanswered)
    return close(c.id, std::to_string(c.slots.size()) + " frames are sent and wait for an answer");
  ++c.next_frame;
  if (c.session == 0) c.session = header.session, c.lane = header.lane;
  if (header.session != c.session || header.session == 0) {
    close(c.id, "a frame of session " + std::to_string(header.session) + " on a connection of session " +
                    std::to_string(c.session));
    return;
  }
  if (header.kind != FrameKind::kPart) c.part = {};
  if (!message.ok()) {
    const std::uint64_t slot = open_slot(c);
    ++counters_.damaged_frames;
    refuse(c, header.stream, slot, Reason::kDamaged, message.error().text());
    return;
  }
  dispatch(c, *message);
}

void ReceiverLink::dispatch(Connection& c, const Message& message) {
  if (const auto it = sessions_.find(c.journal); it != sessions_.end() && it->second.lanes.contains(c.id))
    it->second.last_heard = now_;
  const StreamId id = message.header.stream;
  const MessageBody& body = message.body;
  if (!std::holds_alternative<Ask>(body) && !std::holds_alternative<Probe>(body))
    c.last_ask.reset(), c.after_plus = false;
  if (const auto* probe = std::get_if<Probe>(&body)) return on_probe(c, *probe);
  if (const auto* hello = std::get_if<LinkHello>(&body)) return on_link_hello(c, message.header, *hello);
  const bool greeted = c.phase == Phase::kOpen || c.phase == Phase::kRefused;
  if (const auto* ask = std::get_if<Ask>(&body); ask != nullptr && greeted) return on_ask(c, id, *ask);
  if (const auto* beat = std::get_if<Beat>(&body); beat != nullptr && greeted) return on_beat(c, *beat);
  if (c.phase != Phase::kOpen) return close(c.id, "a frame before its hello was answered ok");
  if (const auto* hello = std::get_if<StreamHello>(&body)) return on_stream_hello(c, id, *hello);
  if (const auto* unknown = std::get_if<UnknownKind>(&body)) {
    const std::uint64_t slot = open_slot(c);
    return refuse(c, id, slot, Reason::kVersion, "unknown frame kind " + std::to_string(unknown->kind));
  }
  if (stream(c.journal, id).open_in != c.session) return close(c.id, "a frame of a stream that is not open");
  if (const auto* batch = std::get_if<BatchFrame>(&body)) return on_batch(c, id, *batch);
  if (const auto* part = std::get_if<PartFrame>(&body)) return on_part(c, id, *part);
  if (const auto* gap = std::get_if<GapFrame>(&body)) return on_gap(c, id, *gap);
  if (const auto* end = std::get_if<End>(&body)) return on_end(c, id, *end);
}

void ReceiverLink::on_probe(Connection& c, const Probe& probe) {
  const std::uint64_t slot = open_slot(c);
  c.after_plus = probe.expect_ok;
  fill(c, slot, probe.expect_ok ? Byte::kOk : Byte::kFail);
}

// ---- link hello: R7

Reason ReceiverLink::judge_link_hello(const LinkHello& hello, const NativeHeader& header, bool* newer,
                                      bool* fresh) {
  if (!hello.receiver_expected.is_zero() && hello.receiver_expected != store_->receiver_id())
    return Reason::kWrongReceiver;
  if (hello.min_version > kNativeVersion || hello.max_version < kNativeVersion ||
      hello.hash_id != kHashIdXxh3 || hello.required_features != 0 || header.lane >= options_.max_lanes)
    return Reason::kVersion;
  const auto known = store_->journal(hello.journal);
  const auto live = sessions_.find(hello.journal);
  std::uint64_t floor = known ? known->session : 0;
  std::uint64_t nonce = known ? known->nonce : 0;
  if (live != sessions_.end() && live->second.number >= floor)
    floor = live->second.number, nonce = live->second.nonce;
  *newer = header.session > floor;
  *fresh = !known;
  if (known) {
    if (known->sender != hello.sender) return Reason::kNotAuthorised;
    if (known->superseded) return Reason::kFenced;
    const bool fenced = header.session < floor || (header.session == floor && hello.nonce != nonce);
    if (fenced && !planted(Planted::kNoFencing)) return Reason::kFenced;
    return Reason::kNone;
  }
  if (live != sessions_.end() && !*newer && hello.nonce != nonce) return Reason::kFenced;
  bool silent = true;
  if (const auto incumbent = store_->journal_of_sender(hello.sender)) {
    const auto it = sessions_.find(*incumbent);
    const LinkNanos heard = it == sessions_.end() ? listening_since_ : it->second.last_heard;
    silent = now_ - heard >= options_.incumbent_silence;
  }
  return store_->accept_journal(hello.sender, hello.journal, silent) ? Reason::kNone : Reason::kNotAuthorised;
}

void ReceiverLink::on_link_hello(Connection& c, const NativeHeader& header, const LinkHello& hello) {
  const std::uint64_t slot = open_slot(c);
  if (c.phase == Phase::kOpen || c.phase == Phase::kGreeting)
    return close(c.id, "a second hello of the link on one connection");
  c.journal = hello.journal;
  bool newer = false, fresh = false;
  const Reason reason = judge_link_hello(hello, header, &newer, &fresh);
  if (reason != Reason::kNone) {
    c.phase = Phase::kRefused;
    remember(c.journal, 0, reason);
    const bool for_operator = reason == Reason::kFenced || reason == Reason::kNotAuthorised;
    notice(for_operator, "peer " + c.peer + ": sender " + hello.label + " (sender id " + hello.sender.hex() +
                             ", journal " + hello.journal.hex() + ") refused: " + reason_text(reason));
    return fill(c, slot, Byte::kFail);
  }
  if (const auto incumbent = store_->journal_of_sender(hello.sender);
      fresh && incumbent && *incumbent != hello.journal)
    supersede(*incumbent, "another journal of the same sender has taken over");
  if (newer) {
    supersede(hello.journal, "a newer session of the same sender");
    Session& s = sessions_[hello.journal] = Session{};
    s.number = header.session;
    s.nonce = hello.nonce;
    s.sender = hello.sender;
    s.label = hello.label;
    s.token = store(StoreSession{hello.sender, hello.journal, header.session, hello.nonce, hello.label},
                    Pending{Pending::kSession, hello.journal, 0, 0, {}, {}});
  }
  auto it = sessions_.find(hello.journal);
  if (it == sessions_.end()) {  // durable from before this process started
    Session s;
    s.number = header.session;
    s.nonce = hello.nonce;
    s.sender = hello.sender;
    s.label = hello.label;
    it = sessions_.emplace(hello.journal, std::move(s)).first;
  }
  Session& s = it->second;
  if (s.dead) return close(c.id, "this session was refused: a new one is needed");
  s.lanes.insert(c.id);
  s.lane_count = hello.lanes;
  s.last_heard = now_;
  c.phase = Phase::kGreeting;
  if (s.token != 0) {
    pending_.at(s.token).waiters.push_back({c.id, slot});
    return;
  }
  c.phase = Phase::kOpen;
  fill(c, slot, Byte::kOk);
}

// ---- questions, beats

ReceiverLink::Truth ReceiverLink::evaluate_claim(const Id& journal, const ChainClaim& claim) const {
  const FarStream far = store_->stream(journal, claim.stream);
  if (claim.seq > far.position) return Truth::kNo;
  const auto chain =
      claim.seq == 0 ? chain_zero(journal, claim.stream) : store_->chain(journal, claim.stream, claim.seq);
  if (!chain) return Truth::kCannot;
  return *chain == claim.chain ? Truth::kYes : Truth::kNo;
}

ReceiverLink::Truth ReceiverLink::evaluate(const Id& journal, StreamId id, const Ask& ask) const {
  if (options_.ask == AskMode::kOff) return Truth::kCannot;
  const auto truth = [](bool yes) { return yes ? Truth::kYes : Truth::kNo; };
  switch (ask.predicate) {
    case Predicate::kPositionAtLeast:
      return truth(store_->stream(journal, id).position >= ask.number);
    case Predicate::kChainAt: {
      Truth all = ask.claims.empty() ? Truth::kCannot : Truth::kYes;
      for (const ChainClaim& claim : ask.claims) {
        const Truth one = evaluate_claim(journal, claim);
        if (one == Truth::kNo) return Truth::kNo;
        if (one == Truth::kCannot) all = Truth::kCannot;
      }
      return all;
    }
    case Predicate::kReason: {
      const auto it = reasons_.find({journal, id});
      const Reason kept = it == reasons_.end() ? Reason::kNone : it->second;
      return truth(static_cast<std::uint8_t>(kept) == ask.number);
    }
    case Predicate::kRoomAtLeast:
      if (options_.ask != AskMode::kDiagnostics || ask.number > 63) return Truth::kCannot;
      return truth(store_->room_bytes() >= 1ULL << ask.number);
  }
  return Truth::kCannot;
}

// Counts questions, not frames, and gives the time before which the answer must not leave (late, never
// false). A question is a pair, or, where a probe of ok stands before it, a proof. The rate is that of one
// sender's journal; those that were never accepted share one.
LinkNanos ReceiverLink::question_slot(Connection& c, StreamId id, const Ask& ask) {
  const bool after_plus = std::exchange(c.after_plus, false);
  const bool same = c.last_ask && c.last_ask->first == id && c.last_ask->second.same_question(ask);
  if (same && !after_plus && c.asks_left > 0) return --c.asks_left, c.question_from;
  c.last_ask = {id, ask};
  c.asks_left = (after_plus ? kAsksOfAProof : kAsksOfAPair) - 1;
  std::deque<LinkNanos>& times = question_times_[sessions_.contains(c.journal) ? c.journal : Id{}];
  ++counters_.questions;
  ++counters_.bits_disclosed;
  const auto horizon = [&](double count, LinkNanos window) {
    const auto n = std::max<std::size_t>(1, static_cast<std::size_t>(count));
    if (times.size() < n) return LinkNanos{0};
    return times[times.size() - n] + window;
  };
  LinkNanos from = std::max(horizon(options_.questions_per_second, kLinkSecond),
                            horizon(options_.questions_per_minute, 60 * kLinkSecond));
  from = std::max(from, now_);
  times.push_back(from);
  while (times.size() > std::max<std::size_t>(1, static_cast<std::size_t>(options_.questions_per_minute)))
    times.pop_front();
  return c.question_from = from;
}

void ReceiverLink::on_ask(Connection& c, StreamId id, const Ask& ask) {
  const std::uint64_t slot = open_slot(c);
  const LinkNanos from = question_slot(c, id, ask);
  const Truth truth = evaluate(c.journal, id, ask);
  const bool ok = truth == (ask.negated ? Truth::kNo : Truth::kYes);
  fill(c, slot, ok ? Byte::kOk : Byte::kFail, from);
}

void ReceiverLink::on_beat(Connection& c, const Beat& beat) {
  const std::uint64_t slot = open_slot(c);
  if (const auto it = sessions_.find(c.journal); it != sessions_.end() && it->second.lanes.contains(c.id)) {
    it->second.beat_clock_micros = beat.clock_micros;
    it->second.beat_json = beat.json;
    it->second.beat_at = now_;
  }
  fill(c, slot, Byte::kOk);
}

}  // namespace tidegate
