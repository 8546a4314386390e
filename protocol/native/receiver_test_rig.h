// SPDX-License-Identifier: Apache-2.0
// For tests: a ReceiverLink alone, fed with frames that the test writes, in virtual time.
#pragma once

#include <deque>
#include <map>
#include <string>

#include "protocol/native/link_test_rig.h"

namespace tidegate {

// What a sender has: batches of one stream with their chain. `branch` makes other content from there on.
class History {
 public:
  explicit History(std::size_t count, StreamId stream = 1) {
    chains_ = {chain_zero(test_id(2), stream)};
    contents_ = {{}};
    grow(count);
  }
  void grow(std::size_t count, std::uint8_t flavour = 0) {
    for (std::size_t i = 0; i < count; ++i) {
      const Seq n = chains_.size();
      contents_.push_back({flavour, static_cast<std::uint8_t>(n), static_cast<std::uint8_t>(n >> 8)});
      chains_.push_back(chain_next(chains_.back(), n, xxh3_128(contents_.back())));
    }
  }
  // The same up to `to`, then `count` other batches.
  History branch(Seq to, std::size_t count) const {
    History out = *this;
    out.chains_.resize(to + 1);
    out.contents_.resize(to + 1);
    out.grow(count, 9);
    return out;
  }
  Hash128 chain(Seq n) const { return chains_.at(n); }
  Seq head() const { return chains_.size() - 1; }
  BatchFrame frame(Seq first, Seq last) const {
    BatchFrame out;
    out.first_seq = first;
    out.previous_chain = chains_.at(first - 1);
    for (Seq n = first; n <= last; ++n) out.hashes.push_back(xxh3_128(contents_.at(n)));
    out.container = contents_.at(first);
    return out;
  }
  GapFrame gap(Seq from, Seq to) const {
    return {from, to, chains_.at(from - 1), chains_.at(to), 1, to - from + 1, 0, 0};
  }
  StreamHello hello(Seq confirmed, std::uint32_t generation = 1, Seq base = 0) const {
    return {generation, base, chains_.at(base), confirmed, chains_.at(confirmed), head(), "test", {}};
  }
  Ask chain_at(Seq n, bool negated = false, StreamId stream = 1) const {
    return {Predicate::kChainAt, negated, 0, {{stream, n, chains_.at(n)}}};
  }

 private:
  std::vector<Hash128> chains_;
  std::vector<Bytes> contents_;
};

inline Ask position_at_least(Seq n, bool negated = false) {
  return {Predicate::kPositionAtLeast, negated, n, {}};
}
inline Ask reason_is(Reason reason) {
  return {Predicate::kReason, false, static_cast<std::uint64_t>(reason), {}};
}

// Speaks for any number of connections; collects the answers of each as text: 'o' ok, 'f' fail, 'x' closed.
class ReceiverRig {
 public:
  explicit ReceiverRig(ReceiverLinkOptions options = {}) : link(options, &store) {}

  // ---- the network
  void connect(ConnectionId c, std::uint64_t session = 1) {
    lines_[c] = {session, 0, ""};
    link.on_accepted(c, "peer " + std::to_string(c), now);
    pump();
  }
  void bytes(ConnectionId c, ByteView wire) {
    link.on_bytes(c, wire, now);
    pump();
  }
  void say(ConnectionId c, const MessageBody& body, StreamId stream = 0) {
    bytes(c, wire_of(c, body, stream));
  }
  Bytes wire_of(ConnectionId c, const MessageBody& body, StreamId stream = 0) {
    NativeHeader header;
    header.session = lines_[c].session;
    header.stream = stream;
    header.lane = static_cast<std::uint8_t>(c);
    header.frame_number = ++lines_[c].frames;
    return encode_outer_frame(encode_message(header, body), Wrap::kNone);
  }
  void cut(ConnectionId c) {
    link.on_closed(c, now);
    pump();
  }
  void acknowledge(ConnectionId c) {
    link.on_answer_acknowledged(c, now);
    pump();
  }
  void skip_frame_number(ConnectionId c) { ++lines_[c].frames; }
  void set_session(ConnectionId c, std::uint64_t session) { lines_[c].session = session; }

  // ---- time and disk
  void run_for(LinkNanos duration) {
    const LinkNanos end = now + duration;
    for (LinkNanos at = link.wake_at(); at <= end; at = std::max(link.wake_at(), now + 1)) {
      now = std::max(now, at);
      link.on_time(now);
      pump();
    }
    now = end;
    link.on_time(now);
    pump();
  }
  // The oldest store request becomes durable, or fails.
  void sync_one(Status status = {}) {
    auto [token, request] = std::move(disk.front());
    disk.pop_front();
    if (status.ok()) status = store.apply(request);
    link.on_stored(token, status, now);
    pump();
  }
  void sync_all() {
    while (!disk.empty()) sync_one();
  }

  // ---- usual openings
  static LinkHello link_hello(std::uint8_t lanes = 1, std::uint64_t nonce = 77) {
    LinkHello hello;
    hello.sender = test_id(1);
    hello.journal = test_id(2);
    hello.lanes = lanes;
    hello.nonce = nonce;
    hello.label = "plant";
    return hello;
  }
  void greet(ConnectionId c, std::uint64_t session = 1, std::uint8_t lanes = 1) {
    connect(c, session);
    say(c, link_hello(lanes, 1000 + session));
    sync_if_auto();
  }
  void open(ConnectionId c, const History& history, Seq confirmed = 0, std::uint64_t session = 1,
            std::uint8_t lanes = 1) {
    greet(c, session, lanes);
    say(c, history.hello(confirmed), 1);
    forget_answers(c);
  }
  // A receiver that has 1..n of the history, on connection 1.
  void with_position(const History& history, Seq n) {
    open(1, history);
    if (n > 0) say(1, history.frame(1, n), 1);
    forget_answers(1);
  }

  std::string answers(ConnectionId c) const { return lines_.at(c).answers; }
  std::string take(ConnectionId c) { return std::exchange(lines_.at(c).answers, ""); }
  void forget_answers(ConnectionId c) { lines_.at(c).answers.clear(); }
  bool closed(ConnectionId c) const { return lines_.at(c).answers.ends_with('x'); }
  Seq position(StreamId stream = 1) const { return store.stream(test_id(2), stream).position; }
  // Asked on connection c, which must be open or refused.
  bool yes(ConnectionId c, const Ask& ask, StreamId stream = 1) {
    forget_answers(c);
    say(c, ask, stream);
    run_for(2 * kLinkSecond);
    return take(c) == "o";
  }

  MemoryReceiverStore store;
  ReceiverLink link;
  LinkNanos now = kLinkSecond;
  bool auto_sync = true;         // store requests become durable at once
  bool auto_acknowledge = true;  // the peer's TCP acknowledges each answer at once
  std::deque<std::pair<StoreToken, StoreRequest>> disk;
  std::string notices;

 private:
  struct Line {
    std::uint64_t session = 1;
    std::uint32_t frames = 0;
    std::string answers;
  };
  void sync_if_auto() {
    if (auto_sync) sync_all();
  }
  void pump() {
    for (auto actions = link.take_actions(); !actions.empty(); actions = link.take_actions()) {
      for (RxAction& action : actions) act(action);
      if (auto_sync && !disk.empty()) sync_all();
    }
  }
  void act(RxAction& action) {
    if (const auto* answer = std::get_if<RxAnswer>(&action)) {
      lines_[answer->connection].answers += answer->answer == Byte::kOk ? 'o' : 'f';
      if (auto_acknowledge) link.on_answer_acknowledged(answer->connection, now);
    } else if (const auto* close = std::get_if<RxClose>(&action)) {
      lines_[close->connection].answers += 'x';
      notices += close->reason + "\n";
    } else if (auto* request = std::get_if<RxStore>(&action)) {
      disk.emplace_back(request->token, std::move(request->request));
    } else if (const auto* note = std::get_if<RxNotice>(&action)) {
      notices += note->text + "\n";
    }
  }

  std::map<ConnectionId, Line> lines_;
};

}  // namespace tidegate
