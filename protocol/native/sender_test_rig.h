// SPDX-License-Identifier: Apache-2.0
// For tests: a SenderLink alone. What it writes is decoded and answered by a far side that is right about
// everything until the test scripts it otherwise; virtual time, every answer takes 2 ms.
#pragma once

#include <deque>
#include <map>
#include <memory>

#include "protocol/native/link_test_rig.h"

namespace tidegate {

enum class Reply : std::uint8_t { kRight, kOk, kFail, kNone, kClose };

struct SentFrame {
  LinkNanos at = 0;
  LaneId lane = 0;
  std::size_t wire_bytes = 0;
  std::unique_ptr<Bytes> payload, scratch;  // what the views of the message point into
  Message message;
  template <class T>
  const T* as() const {
    return std::get_if<T>(&message.body);
  }
};

class SenderRig {
 public:
  explicit SenderRig(SenderLinkOptions options = {}, StreamId streams = 1)
      : store(streams), options_(options), link(std::make_unique<SenderLink>(options, &store, &random_)) {}

  void start() {
    link->start(now);
    pump();
  }
  void restart() {
    link = std::make_unique<SenderLink>(options_, &store, &random_);
    lines_.clear();
    start();
  }
  // With the stream open and the first confirm over.
  void start_and_settle() {
    start();
    run_for(5 * kLinkSecond);
    sent.clear();
  }
  void produce(std::size_t count, StreamId stream = 1, std::size_t size = 50) {
    store.produce(count, size, &seed_, stream);
    link->on_batches_available(now);
    pump();
  }
  void run_for(LinkNanos duration) {
    const LinkNanos end = now + duration;
    pump();  // the test may have called the link itself
    for (;;) {
      LinkNanos next = link->wake_at();
      if (!events_.empty()) next = std::min(next, events_.begin()->first);
      if (next > end) break;
      now = std::max(now, next);
      while (!events_.empty() && events_.begin()->first <= now) {
        auto task = std::move(events_.begin()->second);
        events_.erase(events_.begin());
        task();
        pump();
      }
      link->on_time(now);
      pump();
    }
    now = end;
  }
  void byte(LaneId lane, std::uint8_t value) {
    link->on_bytes(lane, {&value, 1}, now);
    pump();
  }
  void close(LaneId lane) {
    ++lines_[lane].epoch;
    link->on_closed(lane, "cut", now);
    pump();
  }
  void written(LaneId lane) {
    link->on_written(lane, now);
    pump();
  }

  // ---- what was sent
  template <class T>
  std::vector<const SentFrame*> all() const {
    std::vector<const SentFrame*> out;
    for (const SentFrame& frame : sent)
      if (frame.as<T>() != nullptr) out.push_back(&frame);
    return out;
  }
  template <class T>
  std::size_t count() const {
    return all<T>().size();
  }
  bool noticed(const std::string& text) const { return notices.find(text) != std::string::npos; }
  bool alarmed(const std::string& text) const { return alarms.find(text) != std::string::npos; }
  LinkState state() const { return link->state(); }
  SenderStreamView view(StreamId stream = 1) const {
    for (const auto& v : link->streams())
      if (v.stream == stream) return v;
    return {};
  }

  // ---- the far side
  std::function<Reply(const SentFrame&)> script;  // kRight: as below
  std::map<StreamId, Seq> far_position;
  std::map<StreamId, Seq> far_common;  // content is other above this
  Reason far_reason = Reason::kNone;
  bool refuse_connections = false;

  MemorySenderStore store;
  LinkNanos now = 1000 * kLinkSecond;
  LinkNanos answer_time = 2 * kLinkMillisecond;
  bool probes_at_once = false;  // whatever answer_time says
  bool auto_written = true;
  std::deque<SentFrame> sent;
  std::string notices, alarms;
  std::vector<LinkNanos> connects;  // when lane 0 was asked to connect

 private:
  struct Line {
    std::uint64_t epoch = 0;
    OuterFrameDecoder decoder{1 << 24};
  };
  void at(LinkNanos delay, std::function<void()> task) { events_.emplace(now + delay, std::move(task)); }
  // Runs `task` later if the lane is then still the same connection.
  void on_lane(LaneId lane, LinkNanos delay, std::function<void()> task) {
    at(delay, [this, lane, epoch = lines_[lane].epoch, task = std::move(task)] {
      if (lines_[lane].epoch == epoch) task();
    });
  }
  void pump() {
    for (auto actions = link->take_actions(); !actions.empty(); actions = link->take_actions())
      for (TxAction& action : actions) act(action);
  }
  void act(TxAction& action) {
    if (const auto* c = std::get_if<TxConnect>(&action)) {
      const LaneId lane = c->lane;
      lines_[lane] = Line{lines_[lane].epoch + 1, OuterFrameDecoder{1 << 24}};
      if (lane == 0) connects.push_back(now);
      on_lane(lane, kLinkMillisecond, [this, lane] {
        if (refuse_connections)
          close(lane);
        else
          link->on_connected(lane, now);
      });
    } else if (const auto* w = std::get_if<TxWrite>(&action)) {
      wrote(w->lane, w->bytes);
    } else if (const auto* close = std::get_if<TxClose>(&action)) {
      ++lines_[close->lane].epoch;
    } else if (const auto* note = std::get_if<TxNotice>(&action)) {
      notices += note->text + "\n";
      if (note->alarm) alarms += note->text + "\n";
    }
  }
  void wrote(LaneId lane, const Bytes& wire) {
    ByteView input = wire;
    if (lines_[lane].decoder.feed(input) != OuterFrameDecoder::State::kFrame) std::abort();
    SentFrame& frame = sent.emplace_back();
    frame.at = now;
    frame.lane = lane;
    frame.wire_bytes = wire.size();
    frame.payload = std::make_unique<Bytes>(to_bytes(lines_[lane].decoder.payload()));
    frame.scratch = std::make_unique<Bytes>();
    frame.message = *decode_message(*frame.payload, frame.scratch.get());
    if (auto_written) on_lane(lane, 1000, [this, lane] { link->on_written(lane, now); });
    Reply reply = script ? script(frame) : Reply::kRight;
    if (reply == Reply::kRight) reply = right(frame) ? Reply::kOk : Reply::kFail;
    if (reply == Reply::kNone) return;
    const bool at_once = probes_at_once && frame.as<Probe>() != nullptr;
    on_lane(lane, at_once ? kLinkMillisecond : answer_time, [this, lane, reply] {
      if (reply == Reply::kClose) return close(lane);
      byte(lane, reply == Reply::kOk ? options_.answer_ok : options_.answer_fail);
    });
  }
  bool right(const SentFrame& frame) {
    const StreamId stream = frame.message.header.stream;
    if (const auto* probe = frame.as<Probe>()) return probe->expect_ok;
    if (const auto* ask = frame.as<Ask>()) {
      const int truth = evaluate(*ask, stream);
      return truth >= 0 && (truth == 1) != ask->negated;
    }
    Seq& position = far_position[stream];
    Seq last = 0;
    if (const auto* batch = frame.as<BatchFrame>()) last = batch->last_seq();
    if (const auto* part = frame.as<PartFrame>(); part != nullptr && part->is_final()) last = part->seq;
    if (const auto* gap = frame.as<GapFrame>()) last = gap->to;
    position = std::max(position, last);
    if (const auto* hello = frame.as<StreamHello>(); hello != nullptr && hello->generation > 1) {
      position = hello->base;
      far_common.erase(stream);
    }
    return true;
  }
  int evaluate(const Ask& ask, StreamId stream) {
    switch (ask.predicate) {
      case Predicate::kPositionAtLeast:
        return far_position[stream] >= ask.number ? 1 : 0;
      case Predicate::kReason:
        return static_cast<std::uint64_t>(far_reason) == ask.number ? 1 : 0;
      case Predicate::kChainAt:
        for (const ChainClaim& claim : ask.claims) {
          const auto common = far_common.find(claim.stream);
          if (claim.seq > far_position[claim.stream]) return 0;
          if (common != far_common.end() && claim.seq > common->second) return 0;
        }
        return 1;
      default:
        return -1;
    }
  }

  SenderLinkOptions options_;
  CountingRandom random_;
  std::uint64_t seed_ = 1;
  std::multimap<LinkNanos, std::function<void()>> events_;
  std::map<LaneId, Line> lines_;

 public:
  std::unique_ptr<SenderLink> link;
};

}  // namespace tidegate
