// SPDX-License-Identifier: Apache-2.0
// For tests: both links with stores in memory, a wire without loss, and virtual time.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "protocol/native/receiver_link.h"
#include "protocol/native/sender_link.h"

namespace tidegate {

class CountingRandom : public Random {
 public:
  void fill(std::span<std::uint8_t> out) override {
    for (auto& b : out) b = static_cast<std::uint8_t>(split_mix64(&state_));
  }

 private:
  std::uint64_t state_ = 7;
};

inline Id test_id(std::uint8_t n) {
  Id id;
  id.bytes.fill(n);
  return id;
}

// Streams whose batches are opaque bytes; the container is their concatenation, without a real encoding.
// Stream 1 is there from the start.
class MemorySenderStore : public SenderStore {
 public:
  explicit MemorySenderStore(StreamId count = 1) {
    for (StreamId id = 1; id <= count; ++id) add_stream(id);
  }
  Id sender_id() const override { return test_id(1); }
  Id journal_id() const override { return test_id(2); }
  std::uint64_t session() const override { return session_; }
  Status set_session(std::uint64_t s) override {
    if (fail_session) return make_error(ErrorCode::kNoSpace, "test");
    return session_ = s, Status();
  }
  std::vector<StreamId> streams() const override {
    std::vector<StreamId> out;
    for (const auto& [id, s] : streams_)
      if (!s.ended) out.push_back(id);
    return out;
  }
  bool paused(StreamId id) const override { return paused_streams.contains(id); }
  std::string label(StreamId) const override { return "test"; }
  Seq head(StreamId id) const override { return at(id).chains.size() - 1; }
  Seq trimmed(StreamId id) const override { return at(id).trimmed; }
  Seq confirmed(StreamId id) const override { return at(id).confirmed; }
  Seq base(StreamId id) const override { return at(id).base; }
  std::uint32_t generation(StreamId id) const override { return at(id).generation; }
  std::optional<Hash128> chain(StreamId id, Seq n) const override {
    const Data& s = at(id);
    if (n >= s.chains.size()) return std::nullopt;
    if (n < s.trimmed && n != 0 && n != s.base && n != s.confirmed) return std::nullopt;
    return s.chains[n];
  }
  Result<OutgoingBatches> load(StreamId id, Seq from, Seq last, std::size_t max_body) override {
    const Data& s = at(id);
    if (missing(id, from)) return make_error(ErrorCode::kTrimmed, "");
    OutgoingBatches out;
    out.frame.first_seq = from;
    out.frame.previous_chain = s.chains[from - 1];
    for (Seq n = from; n <= last && n < from + max_batches; ++n) {
      const std::size_t size =
          batch_body_overhead(out.frame.hashes.size() + 1, 0) + out.storage.size() + s.contents[n].size();
      if (n != from && (size > max_body || missing(id, n))) break;
      out.frame.hashes.push_back(xxh3_128(s.contents[n]));
      out.storage.insert(out.storage.end(), s.contents[n].begin(), s.contents[n].end());
    }
    out.frame.decoded_size = static_cast<std::uint32_t>(out.storage.size());
    out.frame.container = out.storage;
    return out;
  }
  std::optional<MissingRange> missing(StreamId id, Seq from) const override {
    const Data& s = at(id);
    if (from <= s.trimmed) return MissingRange{s.trimmed, GapReason::kTrimmed, s.trimmed - from + 1, 0, 0};
    if (from >= s.damaged_from && from <= s.damaged_to)
      return MissingRange{s.damaged_to, GapReason::kDamaged, s.damaged_to - from + 1, 0, 0};
    return std::nullopt;
  }
  bool gap_allowed(StreamId) const override { return allow_gap; }
  Status set_confirmed(StreamId id, Seq c) override {
    if (fail_confirmed) return make_error(ErrorCode::kNoSpace, "test");
    if (at(id).ended) return make_error(ErrorCode::kNotFound, "test");
    return at(id).confirmed = c, Status();
  }
  Status fork(StreamId id, std::uint32_t g, Seq b) override {
    at(id).generation = g;
    at(id).base = at(id).confirmed = b;
    return {};
  }
  Status note(const LedgerNote& entry) override { return ledger.push_back(entry), Status(); }
  Status ended(StreamId id) override { return at(id).ended = true, Status(); }

  void add_stream(StreamId id) { streams_[id].chains = {chain_zero(journal_id(), id)}; }
  void produce(std::size_t count, std::size_t size, std::uint64_t* seed, StreamId id = 1) {
    Data& s = at(id);
    for (std::size_t i = 0; i < count; ++i) {
      Bytes content(size);
      for (auto& b : content) b = static_cast<std::uint8_t>(split_mix64(seed));
      const Seq n = s.chains.size();
      s.chains.push_back(chain_next(s.chains.back(), n, xxh3_128(content)));
      s.contents.push_back(std::move(content));
    }
  }
  void roll_back(StreamId id, Seq to) {
    Data& s = at(id);
    s.chains.resize(to + 1);
    s.contents.resize(to + 1);
    s.confirmed = std::min(s.confirmed, to);
  }
  void trim(StreamId id, Seq to) { at(id).trimmed = to; }
  void damage(StreamId id, Seq from, Seq to) { at(id).damaged_from = from, at(id).damaged_to = to; }

  std::set<StreamId> paused_streams;
  bool allow_gap = false;
  bool fail_session = false;
  bool fail_confirmed = false;
  std::size_t max_batches = 1'000'000;  // of one frame
  std::vector<LedgerNote> ledger;

 private:
  struct Data {
    std::vector<Hash128> chains;
    std::vector<Bytes> contents{Bytes{}};
    Seq trimmed = 0, confirmed = 0, base = 0;
    Seq damaged_from = 1, damaged_to = 0;
    std::uint32_t generation = 1;
    bool ended = false;
  };
  Data& at(StreamId id) { return streams_.at(id); }
  const Data& at(StreamId id) const { return streams_.at(id); }

  std::map<StreamId, Data> streams_;
  std::uint64_t session_ = 0;
};

class MemoryReceiverStore : public ReceiverStore {
 public:
  struct Far {
    FarStream state;
    std::vector<std::optional<Hash128>> chains;  // by seq
  };
  Id receiver_id() const override { return test_id(9); }
  std::optional<FarJournal> journal(const Id& j) const override {
    const auto it = journals.find(j);
    return it == journals.end() ? std::nullopt : std::optional(it->second);
  }
  std::optional<Id> journal_of_sender(const Id& sender) const override {
    for (const auto& [id, j] : journals)
      if (j.sender == sender && !j.superseded) return id;
    return std::nullopt;
  }
  bool accept_journal(const Id& sender, const Id&, bool silent) const override {
    return !journal_of_sender(sender) || approved || (accept_new && silent);
  }
  FarStream stream(const Id& j, StreamId s) const override {
    const auto it = streams.find({j, s});
    return it == streams.end() ? FarStream{} : it->second.state;
  }
  std::optional<Hash128> chain(const Id& j, StreamId s, Seq n) const override {
    const auto it = streams.find({j, s});
    if (n == 0) return chain_zero(j, s);
    if (it == streams.end() || n >= it->second.chains.size()) return std::nullopt;
    return it->second.chains[n];
  }
  std::uint64_t room_bytes() const override { return 1 << 20; }
  Status check_content(const BatchFrame& batch, std::uint32_t) override {
    if (batch.hashes.size() == 1 && xxh3_128(batch.container) != batch.hashes[0])
      return make_error(ErrorCode::kChecksum, "");
    return {};
  }

  Status apply(const StoreRequest& request) {
    if (fail_next) return fail_next = false, Status(make_error(ErrorCode::kNoSpace, "test"));
    if (const auto* r = std::get_if<StoreSession>(&request)) {
      journals[r->journal] = {r->sender, r->session, r->nonce, false};
    } else if (const auto* open = std::get_if<StoreStreamOpen>(&request)) {
      Far& far = streams[{open->journal, open->stream}];
      far.chains.resize(open->base + 1);
      far.chains[0] = chain_zero(open->journal, open->stream);
      far.chains[open->base] = open->base_chain;
      far.state = {open->generation, open->base, open->base, open->base_chain};
      if (open->fork) ++forks;
    } else if (const auto* b = std::get_if<StoreBatches>(&request)) {
      Far& far = streams[{b->journal, b->stream}];
      for (std::size_t i = b->skip; i < b->hashes.size(); ++i) {
        const Seq n = b->first_seq + i;
        if (n != far.state.position + 1) return make_error(ErrorCode::kNotContiguous, "");
        far.state.chain = chain_next(far.state.chain, n, b->hashes[i]);
        far.state.position = n;
        far.chains.push_back(far.state.chain);
        stored.push_back(b->hashes[i]);
      }
    } else if (const auto* g = std::get_if<StoreGap>(&request)) {
      Far& far = streams[{g->journal, g->stream}];
      gaps.push_back(g->gap);
      gaps.back().from = g->position_before + 1;
      far.chains.resize(g->gap.to + 1);
      far.chains[g->gap.to] = far.state.chain = g->gap.chain_after;
      far.state.position = g->gap.to;
    }
    return {};
  }
  void roll_back(const Id& j, StreamId s, Seq to) {
    Far& far = streams.at({j, s});
    far.chains.resize(to + 1);
    far.state.position = to;
    far.state.chain = *far.chains[to];
    stored.resize(to);
  }

  std::map<Id, FarJournal> journals;
  std::map<std::pair<Id, StreamId>, Far> streams;
  std::vector<Hash128> stored;
  std::vector<GapFrame> gaps;
  std::size_t forks = 0;
  bool accept_new = false;
  bool approved = false;  // by the operator: any journal
  bool fail_next = false;
};

struct RigOptions {
  std::uint8_t lanes = 1;
  std::size_t wire_limit = 20'000;
  AskMode ask = AskMode::kOwnPosition;
  bool invert_answers = false;
};

// Delivers everything after 1 ms of virtual time each way; a store takes 2 ms.
class LinkRig {
 public:
  explicit LinkRig(RigOptions options = {}) : options_(options) {
    ReceiverLinkOptions r;
    r.wire_limit = options.wire_limit;
    r.ask = options.ask;
    receiver = std::make_unique<ReceiverLink>(r, &receiver_store);
    restart_sender();
  }
  void restart_sender() {
    cut();
    SenderLinkOptions s;
    s.lanes = options_.lanes;
    s.wire_limit = options_.wire_limit;
    s.ask = options_.ask;
    sender = std::make_unique<SenderLink>(s, &sender_store, &random_);
    sender->start(now);
    pump();
  }
  void produce(std::size_t count, std::size_t size = 50) {
    sender_store.produce(count, size, &seed_);
    sender->on_batches_available(now);
    pump();
  }
  void cut() {
    const auto connections = std::exchange(connections_, {});
    for (const auto& [lane, id] : connections) {
      receiver->on_closed(id, now);
      if (sender) sender->on_closed(lane, "cut", now);
    }
    if (sender) pump();
  }
  void run_for(LinkNanos duration) {
    const LinkNanos end = now + duration;
    for (;;) {
      LinkNanos next = std::min({end, sender->wake_at(), receiver->wake_at()});
      if (!events_.empty()) next = std::min(next, events_.begin()->first);
      now = std::max(now, next);
      if (now >= end && (events_.empty() || events_.begin()->first > end)) break;
      while (!events_.empty() && events_.begin()->first <= now) {
        auto task = std::move(events_.begin()->second);
        events_.erase(events_.begin());
        task();
        pump();
      }
      sender->on_time(now);
      receiver->on_time(now);
      pump();
    }
  }
  Seq far_position() const { return receiver_store.stream(journal(), 1).position; }
  Id journal() const { return sender_store.journal_id(); }

  MemorySenderStore sender_store;
  MemoryReceiverStore receiver_store;
  std::unique_ptr<SenderLink> sender;
  std::unique_ptr<ReceiverLink> receiver;
  LinkNanos now = kLinkSecond;
  std::string notices;

 private:
  static constexpr LinkNanos kHop = kLinkMillisecond;
  void at(LinkNanos delay, std::function<void()> task) { events_.emplace(now + delay, std::move(task)); }
  bool alive(LaneId lane, ConnectionId id) const {
    const auto it = connections_.find(lane);
    return it != connections_.end() && it->second == id;
  }
  void pump() {
    for (bool more = true; more;) {
      more = false;
      for (TxAction& action : sender->take_actions()) more = true, act(action);
      for (RxAction& action : receiver->take_actions()) more = true, act(action);
    }
  }
  void act(TxAction& action) {
    if (const auto* c = std::get_if<TxConnect>(&action)) {
      const ConnectionId id = next_connection_++;
      const LaneId lane = c->lane;
      connections_[lane] = id;
      receiver->on_accepted(id, "test:" + std::to_string(lane), now);
      at(kHop, [this, lane, id] {
        if (alive(lane, id)) sender->on_connected(lane, now);
      });
    } else if (auto* w = std::get_if<TxWrite>(&action)) {
      const LaneId lane = w->lane;
      if (!connections_.contains(lane)) return;
      const ConnectionId id = connections_.at(lane);
      at(1, [this, lane, id] {
        if (alive(lane, id)) sender->on_written(lane, now);
      });
      at(kHop, [this, lane, id, bytes = std::move(w->bytes)] {
        if (alive(lane, id)) receiver->on_bytes(id, bytes, now);
      });
    } else if (const auto* close = std::get_if<TxClose>(&action)) {
      if (const auto it = connections_.find(close->lane); it != connections_.end()) {
        receiver->on_closed(it->second, now);
        connections_.erase(it);
      }
    } else if (const auto* note = std::get_if<TxNotice>(&action)) {
      notices += note->text + "\n";
    }
  }
  void act(RxAction& action) {
    if (const auto* answer = std::get_if<RxAnswer>(&action)) {
      const ConnectionId id = answer->connection;
      const bool ok = (answer->answer == Byte::kOk) != options_.invert_answers;
      at(kHop, [this, id, ok] {
        const std::uint8_t byte = ok ? 0x00 : 0xFF;
        for (const auto& [lane, connection] : connections_)
          if (connection == id) {
            sender->on_bytes(lane, {&byte, 1}, now);
            break;
          }
        receiver->on_answer_acknowledged(id, now);
      });
    } else if (const auto* close = std::get_if<RxClose>(&action)) {
      for (const auto& [lane, connection] : connections_)
        if (connection == close->connection) {
          const LaneId l = lane;
          connections_.erase(l);
          at(kHop, [this, l] { sender->on_closed(l, "the peer closed", now); });
          break;
        }
      notices += close->reason + "\n";
    } else if (auto* store = std::get_if<RxStore>(&action)) {
      at(2 * kLinkMillisecond, [this, token = store->token, request = std::move(store->request)] {
        receiver->on_stored(token, receiver_store.apply(request), now);
      });
    } else if (const auto* note = std::get_if<RxNotice>(&action)) {
      notices += note->text + "\n";
    }
  }

  RigOptions options_;
  CountingRandom random_;
  std::uint64_t seed_ = 1;
  std::multimap<LinkNanos, std::function<void()>> events_;
  std::map<LaneId, ConnectionId> connections_;
  ConnectionId next_connection_ = 1;
};

}  // namespace tidegate
