// SPDX-License-Identifier: Apache-2.0
// SenderLink under answers and events that the input spells, most of them wrong. Invariants, whatever comes
// back: nothing is written to a lane that is not connected or was closed; no data before six right answers on
// every lane; soft and confirmed never pass what was sent;
// the link never wants to be woken for ever at one instant.
#include <cstdlib>
#include <map>

#include "protocol/native/link_test_rig.h"

namespace tidegate {
namespace {

void expect(bool condition) {
  if (!condition) std::abort();
}

class Host {
 public:
  explicit Host(ByteView script) : script_(script), store_(2) {
    const std::uint8_t setup = script_.u8();
    options_.lanes = static_cast<std::uint8_t>(1 + setup % 3);
    options_.window = 1 + setup / 4 % 2;
    options_.wire_limit = 600;
    options_.ask = setup / 8 % 4 == 0 ? AskMode::kOff : AskMode::kOwnPosition;
    store_.allow_gap = setup / 32 % 2 == 0;
    link_ = std::make_unique<SenderLink>(options_, &store_, &random_);
  }

  void run() {
    store_.produce(20, 60, &seed_, 1);
    store_.produce(3, 900, &seed_, 2);
    link_->start(now_);
    drain();
    while (script_.remaining() > 0) {
      step();
      check();
    }
    link_->stop(now_);
    drain();
  }

 private:
  struct Line {
    bool open = false;
    std::deque<bool> expected;  // for each unanswered frame: is it a probe of ok? (others: true)
    std::size_t right_probes = 0;
    std::size_t answers = 0;
    OuterFrameDecoder decoder{1 << 20};
  };

  void step() {
    const std::uint8_t op = script_.u8();
    const auto lane = static_cast<LaneId>(op / 16 % options_.lanes);
    switch (op % 16) {
      case 0:
        return byte(lane, script_.u8());
      case 1:
        return byte(lane, 0xFF);
      case 2:
        return byte(lane, 0x00);
      case 3:
        if (lines_[lane].open) {
          lines_[lane].open = false;
          link_->on_closed(lane, "fuzz", now_);
        }
        return drain();
      case 4:
        now_ += LinkNanos{script_.u8()} * 100 * kLinkMillisecond;
        link_->on_time(now_);
        return drain();
      case 5:
        store_.produce(script_.u8() % 8, 60, &seed_, 1);
        link_->on_batches_available(now_);
        return drain();
      case 6:
        return operator_says(script_.u8());
      case 7:
        store_.trim(1, std::max(store_.trimmed(1), store_.confirmed(1)));
        return;
      case 8:
        return sleep();
      default:  // the right answer, so that the far states are reached
        return byte(lane, !lines_[lane].expected.empty() && !lines_[lane].expected.front() ? 0xFF : 0x00);
    }
  }
  void byte(LaneId lane, std::uint8_t value) {
    Line& line = lines_[lane];
    if (!line.open) return;
    if (!line.expected.empty()) {
      const bool ok = value == 0x00;
      if (++line.answers <= 6 && ok == line.expected.front() && (value == 0x00 || value == 0xFF))
        ++line.right_probes;
      line.expected.pop_front();
    }
    link_->on_bytes(lane, {&value, 1}, now_);
    drain();
  }
  void operator_says(std::uint8_t what) {
    const auto stream = static_cast<StreamId>(1 + what % 2);
    if (what / 2 % 4 == 0) link_->declare_gap(stream, now_);
    if (what / 2 % 4 == 1)
      (void)link_->fork_at(stream, std::min<Seq>(what / 8, store_.confirmed(stream)), now_);
    if (what / 2 % 4 == 2) link_->request_confirm(now_);
    if (what == 255) link_->end_stream(stream, "fuzz", now_);
    drain();
  }
  // To the next instant at which the link wants to be woken: it must come forward.
  void sleep() {
    for (int i = 0; i < 100; ++i) {
      const LinkNanos at = link_->wake_at();
      if (at == kNever || at > now_) {
        if (at != kNever) now_ = at;
        link_->on_time(now_);
        return drain();
      }
      link_->on_time(now_);
      drain();
    }
    std::abort();
  }

  void drain() {
    for (auto actions = link_->take_actions(); !actions.empty(); actions = link_->take_actions())
      for (TxAction& action : actions) act(action);
  }
  void act(TxAction& action) {
    if (const auto* c = std::get_if<TxConnect>(&action)) {
      expect(!lines_[c->lane].open);
      lines_[c->lane] = Line{};
      lines_[c->lane].open = true;
      const LaneId lane = c->lane;
      if (script_.remaining() > 0) link_->on_connected(lane, now_);
    } else if (const auto* w = std::get_if<TxWrite>(&action)) {
      expect(lines_[w->lane].open);
      wrote(w->lane, w->bytes);
      link_->on_written(w->lane, now_);
    } else if (const auto* close = std::get_if<TxClose>(&action)) {
      lines_[close->lane].open = false;
    }
  }
  void wrote(LaneId lane, const Bytes& wire) {
    expect(wire.size() <= options_.wire_limit);
    Line& line = lines_[lane];
    ByteView input = wire;
    expect(line.decoder.feed(input) == OuterFrameDecoder::State::kFrame && input.empty());
    Bytes scratch;
    const auto message = decode_message(line.decoder.payload(), &scratch);
    expect(message.ok());
    const auto* probe = std::get_if<Probe>(&message->body);
    line.expected.push_back(probe == nullptr || probe->expect_ok);
    if (probe == nullptr)
      for (LaneId l = 0; l < options_.lanes; ++l) expect(lines_[l].right_probes == 6);
    const StreamId stream = message->header.stream;
    if (const auto* batch = std::get_if<BatchFrame>(&message->body))
      sent_[stream] = std::max(sent_[stream], batch->last_seq());
    if (const auto* part = std::get_if<PartFrame>(&message->body); part != nullptr && part->is_final())
      sent_[stream] = std::max(sent_[stream], part->seq);
    if (const auto* gap = std::get_if<GapFrame>(&message->body))
      sent_[stream] = std::max(sent_[stream], gap->to);
    if (std::holds_alternative<Ask>(message->body)) expect(options_.ask != AskMode::kOff);
  }
  void check() {
    for (const auto& view : link_->streams()) {
      expect(view.soft <= view.head && view.confirmed <= view.head);
      if (options_.ask == AskMode::kOff) expect(view.soft <= sent_[view.stream]);
    }
  }

  ByteReader script_;
  SenderLinkOptions options_;
  MemorySenderStore store_;
  CountingRandom random_;
  std::unique_ptr<SenderLink> link_;
  std::uint64_t seed_ = 1;
  LinkNanos now_ = 1000 * kLinkSecond;
  std::map<LaneId, Line> lines_;
  std::map<StreamId, Seq> sent_;
};

}  // namespace
}  // namespace tidegate

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 4096) return 0;
  tidegate::Host(tidegate::ByteView(data, size)).run();
  return 0;
}
